/* SPDX-License-Identifier: Apache-2.0 */
/* tcp - connects, may say something, may want to hear something
 */
#include "check.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "conn.h"
#include "excerpt.h"
#include "tls_options.h"

/* A greeting or a reply is short; what does not have the expected text by then will not. */
#define ANSWER_MAX_BYTES 65536

/* For who looks on. */
#define SHOWN_MAX_BYTES 4096

#define US_PER_MS 1000.0

/* ---- Options ---- */

struct tcp_opts {
	char *address;
	char *send;
	char *expect;
	char *expect_regex;
	char *quit;
	struct tls_options tls;
};

static const struct conf_item tcp_items[] = {
	CONF_STR(struct tcp_opts, address,
		 .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY | CONF_F_TARGET,
		 .help = "Where to connect: host:port, [IPv6 address]:port or unix:/path"),
	CONF_STR(struct tcp_opts, send, .help = "Text to send once connected"),
	CONF_STR(struct tcp_opts, expect, .flags = CONF_F_NONEMPTY,
		 .help = "Text that what comes back must contain"),
	CONF_STR(struct tcp_opts, expect_regex, .flags = CONF_F_NONEMPTY,
		 .help = "POSIX extended regular expression that must match in what comes back; ^ "
			 "and $ are those of a line"),
	CONF_STR(struct tcp_opts, quit, .help = "Text to send before closing, like QUIT"),
	CONF_MAP(struct tcp_opts, tls, tls_options_items, .bare = "enabled",
		 .help = "Speak TLS from the start; default: plain"),
	CONF_END,
};

static int compile(const char *regex, regex_t *re)
{
	return regcomp(re, regex, REG_EXTENDED | REG_NEWLINE | REG_NOSUB);
}

static void tcp_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct tcp_opts *o = opts;
	struct address address;
	char text[128];
	struct err err;
	regex_t re;
	int rc;

	if (address_parse(o->address, &address, &err) != 0)
		problem(ctx, "/address", err.text);
	if (o->expect_regex != NULL) {
		rc = compile(o->expect_regex, &re);
		if (rc != 0) {
			(void)regerror(rc, &re, text, sizeof(text));
			problem(ctx, "/expect_regex", text);
		} else {
			regfree(&re);
		}
	}
	tls_options_validate(&o->tls, "/tls", problem, ctx);
}

struct tcp_prep {
	struct address address;
	bool has_address;
	regex_t regex;
	bool has_regex;
};

static void *tcp_prepare(const void *opts)
{
	const struct tcp_opts *o = opts;
	struct tcp_prep *p = mem_alloc(sizeof(*p));

	p->has_address = address_parse(o->address, &p->address, NULL) == 0;
	p->has_regex = o->expect_regex != NULL && compile(o->expect_regex, &p->regex) == 0;
	return p;
}

static void tcp_unprepare(void *prep)
{
	struct tcp_prep *p = prep;

	if (p->has_regex)
		regfree(&p->regex);
	free(p);
}

/* ---- One run ---- */

struct tcp_run {
	struct conn *conn;
	int64_t open_us;
	struct str answer;
};

static void show_answer(struct check *c)
{
	struct tcp_run *run = check_run_data(c);
	HALE_CLEANUP(cleanup_free) char *shown = NULL;
	char line[EXCERPT_SIZE];

	if (run->answer.len == 0)
		return;
	check_detail(c, "answer",
		     json_string(excerpt(str_text(&run->answer), run->answer.len, line)));
	if (!check_is_watched(c))
		return;
	shown = mem_array(SHOWN_MAX_BYTES, 1);
	(void)str_clean(shown, SHOWN_MAX_BYTES, str_text(&run->answer));
	check_saw(c, "answer", json_string(shown));
}

HALE_PRINTF(3, 4)
static void end(struct check *c, enum reason reason, const char *fmt, ...)
{
	struct tcp_run *run = check_run_data(c);
	HALE_CLEANUP(str_done) struct str text = {0};
	va_list args;

	va_start(args, fmt);
	str_vaddf(&text, fmt, args);
	va_end(args);
	show_answer(c);
	conn_close(run->conn);
	str_done(&run->answer);
	check_done(c, reason, "%s", str_text(&text));
}

static void end_well(struct check *c, const char *text)
{
	const struct tcp_opts *o = check_opts(c);
	struct tcp_run *run = check_run_data(c);

	if (o->quit != NULL)
		conn_write(run->conn, o->quit, strlen(o->quit));
	end(c, REASON_OK, "%s", text);
}

static bool wants_answer(const struct tcp_opts *o)
{
	return o->expect != NULL || o->expect_regex != NULL;
}

/* What is still missing in the answer; NULL if nothing is. */
static const char *missing(struct check *c)
{
	const struct tcp_opts *o = check_opts(c);
	const struct tcp_prep *p = check_prep(c);
	const struct str *answer = &((struct tcp_run *)check_run_data(c))->answer;
	regmatch_t all = {.rm_so = 0, .rm_eo = (regoff_t)answer->len};

	if (o->expect != NULL &&
	    memmem(str_text(answer), answer->len, o->expect, strlen(o->expect)) == NULL)
		return o->expect;
	if (p->has_regex && regexec(&p->regex, str_text(answer), 1, &all, REG_STARTEND) != 0)
		return o->expect_regex;
	return NULL;
}

/* No more will come. */
static void judge_end(struct check *c)
{
	struct tcp_run *run = check_run_data(c);
	char got[EXCERPT_SIZE];

	end(c, REASON_BODY_MISMATCH, "expected '%s', got: %s", missing(c),
	    excerpt(str_text(&run->answer), run->answer.len, got));
}

static void on_data(struct check *c, const char *data, size_t len)
{
	const struct tcp_opts *o = check_opts(c);
	struct tcp_run *run = check_run_data(c);

	if (!wants_answer(o))
		return;
	if (run->answer.len == 0)
		check_metric(c, "first_byte_ms",
			     (double)(clock_mono_us() - run->open_us) / US_PER_MS);
	str_addn(&run->answer, data, HALE_MIN(len, ANSWER_MAX_BYTES - run->answer.len));
	if (missing(c) == NULL)
		end_well(c, "connected and got the expected answer");
	else if (run->answer.len >= ANSWER_MAX_BYTES)
		judge_end(c);
}

static void on_open(struct check *c)
{
	const struct tcp_opts *o = check_opts(c);
	struct tcp_run *run = check_run_data(c);

	run->open_us = clock_mono_us();
	if (o->send != NULL)
		conn_write(run->conn, o->send, strlen(o->send));
	if (!wants_answer(o))
		end_well(c, o->send != NULL ? "connected and sent" : "connected");
}

static void on_failed(struct check *c, enum reason reason, const char *text)
{
	struct tcp_run *run = check_run_data(c);

	if (reason == REASON_CONN_CLOSED && run->answer.len > 0)
		judge_end(c);
	else
		end(c, reason, "%s", text);
}

static const struct conn_events events = {
	.on_open = on_open,
	.on_data = on_data,
	.on_failed = on_failed,
};

static void tcp_start(struct check *c)
{
	const struct tcp_opts *o = check_opts(c);
	const struct tcp_prep *p = check_prep(c);
	struct tcp_run *run = check_run_data(c);
	struct conn_tls tls;

	if (!p->has_address || (o->expect_regex != NULL && !p->has_regex)) {
		check_done(c, REASON_CONFIG, "%s does not work",
			   p->has_address ? "expect_regex" : "address");
		return;
	}
	run->conn = conn_open(c,
			      &(struct conn_target){
				      .host = p->address.host,
				      .port = p->address.port,
				      .tls = tls_options_conn(&o->tls, &tls),
			      },
			      &events);
}

static void tcp_cancel(struct check *c)
{
	end(c, REASON_CANCELLED, "%s", reason_text(REASON_CANCELLED));
}

/* ---- The kind ---- */

static const struct metric_doc tcp_metrics[] = {
	{"dns_ms", "time to resolve the name; not for an IP address"},
	{"connect_ms", "time to connect, after the name was resolved"},
	{"tls_ms", "time of the TLS handshake; with `tls`"},
	{"first_byte_ms", "time from being connected to the first byte of the answer; with "
			  "`expect` or `expect_regex`"},
	{"cert_expires_seconds",
	 "time until the certificate ends, negative afterwards; with `tls`"},
	{NULL, NULL},
};

static const struct metric_doc tcp_details[] = {
	{"ip", "the address that answered, or was tried last"},
	{"answer", "the beginning of what came; with `expect` or `expect_regex`"},
	{"tls_version", "the version agreed on, like TLSv1.3; with `tls`"},
	{NULL, NULL},
};

static const struct reason_doc tcp_reasons[] = {
	{REASON_DNS_FAILED, "the name has no address, or no name server answers"},
	{REASON_CONN_REFUSED, "nothing listens there"},
	{REASON_CONN_RESET, "the connection was broken off"},
	{REASON_CONN_CLOSED, "the connection was closed without an answer"},
	{REASON_UNREACHABLE, "there is no way to the address"},
	{REASON_TIMEOUT_DNS, "the name was not resolved in time"},
	{REASON_TIMEOUT_CONNECT, "no connection in time"},
	{REASON_TIMEOUT_TLS, "the TLS handshake did not end in time"},
	{REASON_TIMEOUT_READ, "connected, but what is expected did not come in time"},
	{REASON_BODY_MISMATCH, "something else came back, or 64 KiB without what is expected"},
	{REASON_TLS_FAILED, "the TLS handshake failed, or what answers is not TLS"},
	{REASON_TLS_CERT, "the certificate is not trusted, not valid yet, or not this host's"},
	{REASON_TLS_EXPIRED, "the certificate has expired"},
	{REASON_TLS_VERSION, "the server speaks no TLS as new as `tls.min_version`"},
	REASON_DOC_END,
};

const struct check_ops check_ops = {
	.kind = "tcp",
	.summary = "connects to a TCP port; may send a text and expect one",
	.about = "Connects to a port or a Unix socket, and closes again. The addresses of a name "
		 "are "
		 "tried in turn, the next one as soon as one fails or is silent for a quarter of a "
		 "second. It may send a text and wait for one; up to 64 KiB are looked at.\n"
		 "\n"
		 "In YAML only text in double quotes has line ends: `send: \"PING\\r\\n\"`.",
	.items = tcp_items,
	.opts_size = sizeof(struct tcp_opts),
	.run_size = sizeof(struct tcp_run),
	.metrics = tcp_metrics,
	.details = tcp_details,
	.reasons = tcp_reasons,
	.example = "redis:\n"
		   "  tcp: {address: \"127.0.0.1:6379\", send: \"PING\\r\\n\", expect: \"+PONG\"}\n"
		   "  interval: 10s\n"
		   "  timeout: 2s\n"
		   "imaps:\n"
		   "  tcp: {address: \"mail.example.org:993\", tls: true, expect: \"* OK\", "
		   "quit: \"a LOGOUT\\r\\n\"}\n",
	.validate = tcp_validate,
	.prepare = tcp_prepare,
	.unprepare = tcp_unprepare,
	.start = tcp_start,
	.cancel = tcp_cancel,
};
