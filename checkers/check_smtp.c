/* SPDX-License-Identifier: Apache-2.0 */
/* smtp - goes through the dialogue of SMTP as a sender would, and sends nothing
 *
 * Banner, EHLO, STARTTLS and EHLO again, AUTH, MAIL FROM and RCPT TO, RSET, QUIT: each step waits
 * for its reply, the first that is not as it must be is the verdict. QUIT is said in any case while
 * anybody listens, because servers count clients that just go.
 */
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "conn.h"
#include "dialogue.h"
#include "excerpt.h"
#include "patience.h"
#include "smtp_options.h"
#include "smtp_reply.h"

#define US_PER_MS 1000.0

/* A name of this machine, as EHLO wants one (RFC 1035: 255). */
#define HELLO_MAX 256

/* What is read of a server's extensions. */
#define EXTENSIONS_MAX 32

/* ---- One run ---- */

enum step {
	STEP_BANNER,
	STEP_EHLO,
	STEP_HELO, /* for servers that know no EHLO */
	STEP_STARTTLS,
	STEP_AUTH,
	STEP_AUTH_USER, /* of AUTH LOGIN, which asks for one after the other */
	STEP_AUTH_PASSWORD,
	STEP_MAIL,
	STEP_RCPT,
	STEP_RSET,
	STEP_QUIT,
};

struct smtp_run {
	struct conn *conn;
	struct smtp_reply reply;
	struct dialogue dialogue;
	enum step step;
	size_t rcpt;     /* of STEP_RCPT */
	bool is_open;    /* for the first time */
	bool is_shaking; /* after STARTTLS */
	bool is_tls;
	bool has_starttls;
	bool has_plain, has_login; /* of AUTH */
	bool has_auth;
	bool is_login;             /* AUTH LOGIN was begun */
	struct patience *patience; /* while leaving */
	int64_t started_us;
	int64_t begun_us; /* open */
	int64_t asked_us;
	bool is_verdict; /* it stands; QUIT is on its way */
	enum reason reason;
	enum outcome outcome;
	struct err text;
};

static void finish(struct check *c)
{
	struct smtp_run *run = check_run_data(c);
	struct err text = run->text;

	conn_close(TAKE_PTR(run->conn));
	smtp_reply_done(&run->reply);
	patience_stop(TAKE_PTR(run->patience));
	check_done_as(c, run->outcome, run->reason, "%s", text.text);
}

static double ms_since(int64_t us)
{
	return (double)(clock_mono_us() - us) / US_PER_MS;
}

/* The first verdict stands. */
HALE_PRINTF(4, 5)
static void judge(struct check *c, enum outcome outcome, enum reason reason, const char *fmt, ...)
{
	struct smtp_run *run = check_run_data(c);
	va_list args;

	if (run->is_verdict)
		return;
	run->is_verdict = true;
	run->reason = reason;
	run->outcome = outcome;
	va_start(args, fmt);
	(void)vsnprintf(run->text.text, sizeof(run->text.text), fmt, args);
	va_end(args);
}

#define FAIL(c, reason, ...) judge((c), reason_outcome(reason), (reason), __VA_ARGS__)

/* ---- Saying ---- */

/* shown: what may be seen of it; NULL: all. */
static void say(struct check *c, enum step step, const char *line, const char *shown)
{
	struct smtp_run *run = check_run_data(c);
	HALE_CLEANUP(str_done) struct str out = {0};

	if (shown == NULL)
		shown = line;
	dialogue_sent(c, &run->dialogue, shown, strlen(shown));
	run->step = step;
	run->asked_us = clock_mono_us();
	str_addf(&out, "%s\r\n", line);
	conn_write(run->conn, out.data, out.len);
}

static void say_hello(struct check *c, enum step step)
{
	const struct smtp_opts *o = check_opts(c);
	char name[HELLO_MAX] = "";
	HALE_CLEANUP(str_done) struct str line = {0};

	if (o->hello == NULL && (gethostname(name, sizeof(name) - 1) != 0 || *name == '\0'))
		(void)snprintf(name, sizeof(name), "localhost");
	str_addf(&line, "%s %s", step == STEP_EHLO ? "EHLO" : "HELO",
		 o->hello != NULL ? o->hello : name);
	say(c, step, str_text(&line), NULL);
}

/* RFC 4616: no identity to act as, the login, the password. */
static void say_auth_plain(struct check *c)
{
	const struct smtp_opts *o = check_opts(c);
	HALE_CLEANUP(str_done) struct str secret = {0};
	HALE_CLEANUP(str_done) struct str line = {0};

	str_addc(&secret, '\0');
	str_add(&secret, o->username);
	str_addc(&secret, '\0');
	str_add(&secret, o->password);
	str_add(&line, "AUTH PLAIN ");
	base64_add(&line, secret.data, secret.len);
	say(c, STEP_AUTH, str_text(&line), "AUTH PLAIN ***");
}

static void say_base64(struct check *c, enum step step, const char *text)
{
	HALE_CLEANUP(str_done) struct str line = {0};

	base64_add(&line, text, strlen(text));
	say(c, step, str_text(&line), "***");
}

static void say_auth(struct check *c)
{
	const struct smtp_opts *o = check_opts(c);
	struct smtp_run *run = check_run_data(c);
	bool is_any = strcmp(o->auth, "any") == 0;
	bool wants_plain = is_any ? run->has_plain : strcmp(o->auth, "plain") == 0;

	if (!run->is_tls && smtp_encryption_of(o) != SMTP_ENCRYPT_NONE)
		FAIL(c, REASON_TLS_FAILED,
		     "STARTTLS is not offered, and a password is not sent unencrypted");
	else if (!run->has_auth)
		FAIL(c, REASON_UNEXPECTED_REPLY, "AUTH is not offered");
	else if (wants_plain ? !run->has_plain : !run->has_login)
		FAIL(c, REASON_UNEXPECTED_REPLY, "AUTH %s is not offered",
		     is_any        ? "PLAIN or LOGIN"
		     : wants_plain ? "PLAIN"
				   : "LOGIN");
	else if (wants_plain)
		say_auth_plain(c);
	else
		run->is_login = true, say(c, STEP_AUTH, "AUTH LOGIN", NULL);
}

static void say_mailbox(struct check *c, enum step step, const char *verb, const char *mailbox)
{
	HALE_CLEANUP(str_done) struct str line = {0};

	str_addf(&line, "%s:<%s>", verb, mailbox);
	say(c, step, str_text(&line), NULL);
}

static void succeed(struct check *c)
{
	struct smtp_run *run = check_run_data(c);

	check_metric(c, "session_ms", ms_since(run->begun_us));
	judge(c, OUTCOME_PASS, REASON_OK, "SMTP%s in %.0f ms", run->is_tls ? " over TLS" : "",
	      ms_since(run->begun_us));
}

/* The dialogue after the extensions are known, from `from` on; what is not wanted is passed over.
 */
static void go_on(struct check *c, enum step from)
{
	const struct smtp_opts *o = check_opts(c);
	struct smtp_run *run = check_run_data(c);

	if (from <= STEP_AUTH && o->username != NULL)
		say_auth(c);
	else if (from <= STEP_MAIL && o->mail_from != NULL)
		say_mailbox(c, STEP_MAIL, "MAIL FROM", o->mail_from);
	else if (from <= STEP_RCPT && run->rcpt < o->rcpt_to.n)
		say_mailbox(c, STEP_RCPT, "RCPT TO", o->rcpt_to.v[run->rcpt++]);
	else if (from <= STEP_RSET && o->mail_from != NULL)
		say(c, STEP_RSET, "RSET", NULL);
	else
		succeed(c);
}

/* ---- Hearing ---- */

static const char *const step_names[] = {
	[STEP_BANNER] = "banner",      [STEP_EHLO] = "EHLO",      [STEP_HELO] = "HELO",
	[STEP_STARTTLS] = "STARTTLS",  [STEP_AUTH] = "AUTH",      [STEP_AUTH_USER] = "AUTH",
	[STEP_AUTH_PASSWORD] = "AUTH", [STEP_MAIL] = "MAIL FROM", [STEP_RCPT] = "RCPT TO",
	[STEP_RSET] = "RSET",          [STEP_QUIT] = "QUIT",
};

static void step_name(struct check *c, struct str *out)
{
	const struct smtp_opts *o = check_opts(c);
	const struct smtp_run *run = check_run_data(c);

	str_add(out, step_names[run->step]);
	if (run->step == STEP_MAIL)
		str_addf(out, " <%s>", o->mail_from);
	if (run->step == STEP_RCPT)
		str_addf(out, " <%s>", o->rcpt_to.v[run->rcpt - 1]);
}

/* 530 wants a login first, 534 another way of it, 535 knows it not, 538 wants encryption (RFC 4954
 * section 6). */
static enum reason reason_of(const struct smtp_run *run)
{
	int code = run->reply.code;

	if (code == 530 || (code >= 534 && code <= 538))
		return REASON_AUTH_FAILED;
	if (run->step == STEP_STARTTLS)
		return REASON_TLS_FAILED;
	/* 4xx at AUTH says that it cannot tell now, not that the login is wrong. */
	if (run->step >= STEP_AUTH && run->step <= STEP_AUTH_PASSWORD && code >= 500)
		return REASON_AUTH_FAILED;
	return REASON_UNEXPECTED_REPLY;
}

static void refuse(struct check *c, int expected)
{
	struct smtp_run *run = check_run_data(c);
	enum reason reason = reason_of(run);
	enum outcome outcome = reason_outcome(reason);
	HALE_CLEANUP(str_done) struct str name = {0};
	char got[EXCERPT_SIZE];

	/* RFC 5321 section 4.2.1: a sender shall try again later, nothing is lost. Not encrypted
	 * where that is a must is none of that. */
	if (run->reply.code / 100 == 4 && reason == REASON_UNEXPECTED_REPLY)
		outcome = OUTCOME_WARN;
	step_name(c, &name);
	judge(c, outcome, reason, "%.200s: %d %s, expected %d", str_text(&name), run->reply.code,
	      excerpt(str_text(&run->reply.text), strcspn(str_text(&run->reply.text), "\n"), got),
	      expected);
}

static void take_banner(struct check *c)
{
	const struct smtp_opts *o = check_opts(c);
	struct smtp_run *run = check_run_data(c);
	const char *text = str_text(&run->reply.text);
	char got[EXCERPT_SIZE];

	(void)excerpt(text, strcspn(text, "\n"), got);
	check_metric(c, "banner_ms", ms_since(run->begun_us));
	check_detail(c, "banner", json_string(got));
	if (run->reply.code != 220)
		refuse(c, 220);
	else if (o->expect_banner != NULL && strstr(text, o->expect_banner) == NULL)
		FAIL(c, REASON_BODY_MISMATCH, "banner does not contain '%.200s': %s",
		     o->expect_banner, got);
	else
		say_hello(c, STEP_EHLO);
}

/* The names alone, without what follows them. */
static void show_extensions(struct check *c)
{
	struct smtp_run *run = check_run_data(c);
	const char *at = strchr(str_text(&run->reply.text), '\n');
	json_t *names = json_array();

	while (at != NULL && at[1] != '\0' && json_array_size(names) < EXTENSIONS_MAX) {
		char name[EXCERPT_SIZE];

		at++;
		json_array_append_new(names, json_string(excerpt(at, strcspn(at, " =\n"), name)));
		at = strchr(at, '\n');
	}
	check_detail(c, "extensions", names);
}

static void take_extensions(struct check *c)
{
	struct smtp_run *run = check_run_data(c);
	const char *ways = NULL;

	run->has_starttls = smtp_reply_offers(&run->reply, "STARTTLS", NULL);
	run->has_auth = smtp_reply_offers(&run->reply, "AUTH", &ways);
	run->has_plain = run->has_auth && smtp_params_have(ways, "PLAIN");
	run->has_login = run->has_auth && smtp_params_have(ways, "LOGIN");
	show_extensions(c);
}

static void take_hello(struct check *c)
{
	const struct smtp_opts *o = check_opts(c);
	struct smtp_run *run = check_run_data(c);
	enum smtp_encryption how = smtp_encryption_of(o);

	/* RFC 5321 section 3.2: then it is one of the old ones. */
	if (run->step == STEP_EHLO && (run->reply.code == 500 || run->reply.code == 502)) {
		say_hello(c, STEP_HELO);
		return;
	}
	if (run->reply.code != 250) {
		refuse(c, 250);
		return;
	}
	check_metric(c, "hello_ms", ms_since(run->asked_us));
	take_extensions(c);
	if (run->is_tls || how == SMTP_ENCRYPT_NONE ||
	    (how == SMTP_ENCRYPT_IF_OFFERED && !run->has_starttls))
		go_on(c, STEP_AUTH);
	else if (!run->has_starttls)
		FAIL(c, REASON_TLS_FAILED, "STARTTLS is not offered");
	else
		say(c, STEP_STARTTLS, "STARTTLS", NULL);
}

static void take_starttls(struct check *c)
{
	const struct smtp_opts *o = check_opts(c);
	struct smtp_run *run = check_run_data(c);
	struct conn_tls tls;

	if (run->reply.code != 220) {
		refuse(c, 220);
		return;
	}
	run->is_shaking = true;
	conn_start_tls(run->conn, tls_options_conn(&o->tls, &tls));
}

static void take_auth(struct check *c)
{
	const struct smtp_opts *o = check_opts(c);
	struct smtp_run *run = check_run_data(c);

	if (run->reply.code == 334 && run->step == STEP_AUTH && run->is_login)
		say_base64(c, STEP_AUTH_USER, o->username);
	else if (run->reply.code == 334 && run->step == STEP_AUTH_USER)
		say_base64(c, STEP_AUTH_PASSWORD, o->password);
	else if (run->reply.code != 235)
		refuse(c, 235);
	else
		go_on(c, STEP_MAIL);
}

/* 251 and 252 are as good: it will see to it (RFC 5321 section 4.2.3). */
static void take_mail(struct check *c)
{
	struct smtp_run *run = check_run_data(c);
	int code = run->reply.code;

	if (code != 250 && (run->step != STEP_RCPT || (code != 251 && code != 252)))
		refuse(c, 250);
	else
		go_on(c, run->step == STEP_RSET ? STEP_QUIT : STEP_RCPT);
}

static void take_reply(struct check *c)
{
	struct smtp_run *run = check_run_data(c);

	switch (run->step) {
	case STEP_BANNER:
		take_banner(c);
		break;
	case STEP_EHLO:
	case STEP_HELO:
		take_hello(c);
		break;
	case STEP_STARTTLS:
		take_starttls(c);
		break;
	case STEP_AUTH:
	case STEP_AUTH_USER:
	case STEP_AUTH_PASSWORD:
		take_auth(c);
		break;
	case STEP_MAIL:
	case STEP_RCPT:
	case STEP_RSET:
		take_mail(c);
		break;
	case STEP_QUIT:
		break;
	}
}

/* ---- The connection ---- */

static void show_reply(struct check *c)
{
	struct smtp_run *run = check_run_data(c);
	const char *at = str_text(&run->reply.text);

	if (!check_is_watched(c))
		return;
	for (; *at != '\0'; at += strcspn(at, "\n") + 1) {
		HALE_CLEANUP(str_done) struct str line = {0};

		str_addf(&line, "%d ", run->reply.code);
		str_addn(&line, at, strcspn(at, "\n"));
		dialogue_heard(c, &run->dialogue, str_text(&line), line.len);
	}
}

/* The verdict stands: take leave, if anybody is there to hear it. */
static void leave(struct check *c)
{
	struct smtp_run *run = check_run_data(c);

	/* 421 and 554 come before the server hangs up (RFC 5321 sections 3.1 and 3.8). */
	if (run->reply.code == 421 || run->reason == REASON_PROTOCOL) {
		finish(c);
		return;
	}
	run->patience = patience_start(c, run->started_us, finish);
	say(c, STEP_QUIT, "QUIT", NULL);
}

static void on_data(struct check *c, const char *data, size_t len)
{
	struct smtp_run *run = check_run_data(c);
	struct err err = {0};
	size_t used = 0;
	int rc = smtp_reply_feed(&run->reply, data, len, &used, &err);

	if (rc == -EAGAIN)
		return;
	if (rc == 0)
		show_reply(c);
	if (run->is_verdict) {
		finish(c);
		return;
	}
	/* Nor may anything follow the answer to STARTTLS, unencrypted, as if it came after. */
	if (rc != 0)
		FAIL(c, REASON_PROTOCOL, "%s", err.text);
	else if (used < len)
		FAIL(c, REASON_PROTOCOL, "more than one reply to one command");
	else
		take_reply(c);
	if (run->is_verdict)
		leave(c);
}

static void on_open(struct check *c)
{
	const struct smtp_opts *o = check_opts(c);
	struct smtp_run *run = check_run_data(c);

	if (!run->is_open) {
		run->is_open = true;
		run->is_tls = smtp_encryption_of(o) == SMTP_ENCRYPT_TLS;
		run->begun_us = run->asked_us = clock_mono_us();
		return;
	}
	/* What was said before TLS counts no more (RFC 3207 section 4.2). */
	run->is_shaking = false;
	run->is_tls = true;
	say_hello(c, STEP_EHLO);
}

static void on_failed(struct check *c, enum reason reason, const char *text)
{
	struct smtp_run *run = check_run_data(c);
	HALE_CLEANUP(str_done) struct str name = {0};

	run->conn = NULL;
	step_name(c, &name);
	if (!run->is_open || run->is_shaking)
		FAIL(c, reason, "%s", text);
	else
		FAIL(c, reason, "%.200s: %s", str_text(&name), text);
	finish(c);
}

static void smtp_start(struct check *c)
{
	static const struct conn_events events = {
		.on_open = on_open, .on_data = on_data, .on_failed = on_failed};
	const struct smtp_opts *o = check_opts(c);
	struct smtp_run *run = check_run_data(c);
	struct address address;
	struct conn_target target = {.host = address.host, .port = address.port};
	struct conn_tls tls;
	struct err err;

	run->started_us = clock_mono_us();
	if (address_parse_or(o->address, smtp_default_port(o), &address, &err) != 0) {
		FAIL(c, REASON_CONFIG, "address: %s", err.text);
		finish(c);
		return;
	}
	if (smtp_encryption_of(o) == SMTP_ENCRYPT_TLS)
		target.tls = tls_options_conn(&o->tls, &tls);
	run->conn = conn_open(c, &target, &events);
}

static void smtp_cancel(struct check *c)
{
	FAIL(c, REASON_CANCELLED, "%s", reason_text(REASON_CANCELLED));
	finish(c);
}

/* ---- The kind ---- */

static const struct metric_doc smtp_metrics[] = {
	{"dns_ms", "time to resolve the name"},
	{"connect_ms", "time to connect"},
	{"tls_ms", "time of the TLS handshake"},
	{"cert_expires_seconds", "time until the certificate expires; negative after"},
	{"banner_ms", "from being connected (with `encryption: tls` encrypted) to the banner"},
	{"hello_ms", "from the last EHLO to its reply"},
	{"session_ms", "from being connected to the last reply that counts"},
	{NULL, NULL},
};

static const struct metric_doc smtp_details[] = {
	{"ip", "the address that answered"},
	{"tls_version", "the version of TLS agreed on"},
	{"banner", "what the server greets with, its first line"},
	{"extensions", "list of what it offers, as the last EHLO told"},
	{NULL, NULL},
};

static const struct reason_doc smtp_reasons[] = {
	{REASON_CONN_REFUSED, "nobody listens there"},
	{REASON_DNS_FAILED, "the name does not resolve"},
	{REASON_UNREACHABLE, "no way to it"},
	{REASON_CONN_RESET, "gone in the middle"},
	{REASON_CONN_CLOSED, "gone in the middle"},
	{REASON_TIMEOUT_DNS, "while resolving"},
	{REASON_TIMEOUT_CONNECT, "while connecting"},
	{REASON_TIMEOUT_TLS, "in the TLS handshake"},
	{REASON_TIMEOUT_READ, "a reply does not come; some servers let strangers wait for the "
			      "banner on purpose"},
	{REASON_TLS_FAILED, "handshake; STARTTLS is not offered, or refused, where it must be"},
	{REASON_TLS_CERT, "certificate not trusted, or not this host's"},
	{REASON_TLS_EXPIRED, "certificate expired"},
	{REASON_TLS_VERSION, "an older TLS than `tls.min_version`"},
	{REASON_AUTH_FAILED, "the login is refused, or one is required"},
	{REASON_UNEXPECTED_REPLY, "another code than the step wants; warn if it is 4xx (try again "
				  "later: senders will, and nothing is lost)"},
	{REASON_BODY_MISMATCH, "the banner is not as expected"},
	{REASON_PROTOCOL, "what answers is no SMTP"},
	REASON_DOC_END,
};

const struct check_ops check_ops = {
	.kind = "smtp",
	.summary = "goes through the dialogue of a mail server up to recipients, and sends nothing",
	.about = "Banner, EHLO, STARTTLS if it is offered (`encryption`), login if there is one, "
		 "and "
		 "with `mail_from` and `rcpt_to` the question whether the server would take a mail "
		 "for them; then RSET and QUIT, so nothing is sent. A certificate that is not "
		 "trusted is a failure, though senders would go on with it: `tls: {verify: false}` "
		 "takes any.\n"
		 "\n"
		 "Greylisting answers a first `rcpt_to` with 4xx, which is a warning here.",
	.items = smtp_items,
	.opts_size = sizeof(struct smtp_opts),
	.run_size = sizeof(struct smtp_run),
	.metrics = smtp_metrics,
	.details = smtp_details,
	.reasons = smtp_reasons,
	.example = "submission:\n"
		   "  smtp:\n"
		   "    address: mail.example.org:587\n"
		   "    encryption: starttls\n"
		   "    username: monitor\n"
		   "    password: ${SMTP_PASSWORD:-none}\n"
		   "    mail_from: monitor@example.org\n"
		   "    rcpt_to: [postmaster@example.org]\n"
		   "  interval: 5m\n"
		   "  timeout: 20s\n"
		   "  thresholds:\n"
		   "    banner_ms: {degraded: \"> 5000\"}\n"
		   "    cert_expires_seconds: {degraded: \"< 1209600\", critical: \"< 172800\"}\n",
	.validate = smtp_validate,
	.start = smtp_start,
	.cancel = smtp_cancel,
};
