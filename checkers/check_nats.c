/* SPDX-License-Identifier: Apache-2.0 */
/* nats - logs in to a NATS server, asks PING, a service, a stream and a consumer
 *
 * The server speaks first (INFO); then come TLS if it or we want it, CONNECT and PING in one, and
 * after the PONG one question after the other, each by a message whose answer comes to an inbox of
 * ours. In between the server may ask PING itself and tell news of the cluster.
 */
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/rnd.h"
#include "base/str.h"
#include "conn.h"
#include "dialogue.h"
#include "excerpt.h"
#include "message_expect.h"
#include "nats_jetstream.h"
#include "nats_options.h"
#include "nats_proto.h"

#define US_PER_MS 1000.0

/* "_INBOX." and a UUID. */
#define INBOX_MAX 48

/* ---- What outlives a run ---- */

static void *nats_prepare(const void *opts)
{
	const struct nats_opts *o = opts;

	return message_expect_new(&o->request.expect, o->request.metrics);
}

static void nats_unprepare(void *prep)
{
	message_expect_free(prep);
}

/* ---- One run ---- */

enum step { STEP_INFO, STEP_TLS, STEP_LOGIN, STEP_REQUEST, STEP_STREAM, STEP_CONSUMER, STEP_END };

struct nats_run {
	struct conn *conn;
	struct nats_proto proto;
	struct dialogue dialogue;
	enum step step;
	bool is_open;
	bool is_subscribed;
	bool has_headers; /* the server knows them, and tells when nobody answers */
	bool is_lame;     /* it is about to be stopped */
	char inbox[INBOX_MAX];
	char server[EXCERPT_SIZE]; /* "NATS 2.9.10" */
	int64_t asked_us;
	double rtt_ms;
	enum reason reason; /* the first thing that is wrong */
	struct err text;
};

static void finish(struct check *c, enum outcome outcome, enum reason reason, const char *text)
{
	struct nats_run *run = check_run_data(c);

	conn_close(TAKE_PTR(run->conn));
	nats_proto_done(&run->proto);
	check_done_as(c, outcome, reason, "%s", text);
}

/* Ends the run, whatever was said before. */
HALE_PRINTF(3, 4)
static void end(struct check *c, enum reason reason, const char *fmt, ...)
{
	struct err text;
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text.text, sizeof(text.text), fmt, args);
	va_end(args);
	finish(c, reason_outcome(reason), reason, text.text);
}

/* The first objection is the verdict; the other questions are asked all the same. */
HALE_PRINTF(3, 4)
static void object(struct nats_run *run, enum reason reason, const char *fmt, ...)
{
	va_list args;

	if (run->reason != REASON_OK)
		return;
	run->reason = reason;
	va_start(args, fmt);
	(void)vsnprintf(run->text.text, sizeof(run->text.text), fmt, args);
	va_end(args);
}

static void conclude(struct check *c)
{
	struct nats_run *run = check_run_data(c);
	HALE_CLEANUP(str_done) struct str text = {0};

	if (run->reason != REASON_OK) {
		str_add(&text, run->text.text);
		finish(c, reason_outcome(run->reason), run->reason, str_text(&text));
	} else if (run->is_lame) {
		finish(c, OUTCOME_WARN, REASON_UNEXPECTED_REPLY,
		       "the server is being stopped (lame duck)");
	} else {
		str_addf(&text, "%s, PONG in %.2f ms", run->server, run->rtt_ms);
		finish(c, OUTCOME_PASS, REASON_OK, str_text(&text));
	}
}

/* ---- Saying ---- */

static void say(struct check *c, const struct str *bytes, const char *shown)
{
	struct nats_run *run = check_run_data(c);

	dialogue_sent(c, &run->dialogue, shown, strlen(shown));
	run->asked_us = clock_mono_us();
	conn_write(run->conn, bytes->data, bytes->len);
}

static void log_in(struct check *c)
{
	const struct nats_opts *o = check_opts(c);
	struct nats_run *run = check_run_data(c);
	HALE_CLEANUP(str_done) struct str out = {0};
	json_t *who = json_pack("{s:b, s:b, s:s, s:s, s:s, s:i, s:b, s:b, s:s*, s:s*, s:s*}",
				"verbose", 0, "pedantic", 0, "name", "hale", "lang", "c", "version",
				HALE_VERSION, "protocol", 1, "headers", run->has_headers,
				"no_responders", run->has_headers, "user", o->username, "pass",
				o->password, "auth_token", o->token);
	HALE_CLEANUP(cleanup_free) char *text = json_dumps(who, JSON_COMPACT);

	json_decref(who);
	run->step = STEP_LOGIN;
	/* Nothing but the JSON's own escapes could fail: texts of the configuration are UTF-8. */
	str_addf(&out, "CONNECT %s\r\nPING\r\n", text == NULL ? "{}" : text);
	say(c, &out, "CONNECT …, PING");
}

static void ask(struct check *c, enum step step, const char *subject, const char *payload)
{
	struct nats_run *run = check_run_data(c);
	HALE_CLEANUP(str_done) struct str out = {0};
	HALE_CLEANUP(str_done) struct str shown = {0};

	run->step = step;
	if (!run->is_subscribed)
		str_addf(&out, "SUB %s.* 1\r\n", run->inbox);
	run->is_subscribed = true;
	str_addf(&out, "PUB %s %s.%d %zu\r\n%s\r\n", subject, run->inbox, (int)step,
		 strlen(payload), payload);
	/* What is sent may be secret. */
	str_addf(&shown, "PUB %s (%zu bytes)", subject, strlen(payload));
	say(c, &out, str_text(&shown));
}

static void ask_jetstream(struct check *c, enum step step)
{
	const struct nats_opts *o = check_opts(c);
	HALE_CLEANUP(str_done) struct str subject = {0};

	str_add(&subject, "$JS.");
	if (o->domain != NULL)
		str_addf(&subject, "%s.", o->domain);
	if (step == STEP_STREAM)
		str_addf(&subject, "API.STREAM.INFO.%s", o->stream);
	else
		str_addf(&subject, "API.CONSUMER.INFO.%s.%s", o->stream, o->consumer);
	ask(c, step, str_text(&subject), "");
}

/* The next question, or the end. False: the run has ended. */
static bool ask_next(struct check *c)
{
	const struct nats_opts *o = check_opts(c);
	const struct nats_run *run = check_run_data(c);

	if (run->step < STEP_REQUEST && o->request.subject != NULL) {
		ask(c, STEP_REQUEST, o->request.subject, o->request.payload);
	} else if (run->step < STEP_STREAM && o->stream != NULL) {
		ask_jetstream(c, STEP_STREAM);
	} else if (run->step < STEP_CONSUMER && o->consumer != NULL) {
		ask_jetstream(c, STEP_CONSUMER);
	} else {
		conclude(c);
		return false;
	}
	return true;
}

/* ---- Hearing; each says whether the run goes on ---- */

static void take_name(struct check *c, const json_t *info, const char *member, const char *detail)
{
	const char *text = json_string_value(json_object_get(info, member));
	char shown[EXCERPT_SIZE];

	if (text != NULL && *text != '\0')
		check_detail(c, detail, json_string(excerpt(text, strlen(text), shown)));
}

static void take_server(struct check *c, const json_t *info)
{
	struct nats_run *run = check_run_data(c);
	const char *version = json_string_value(json_object_get(info, "version"));
	char shown[EXCERPT_SIZE] = "";

	if (version != NULL)
		(void)excerpt(version, strlen(version), shown);
	(void)snprintf(run->server, sizeof(run->server), "NATS %.64s", shown);
	take_name(c, info, "server_name", "server");
	take_name(c, info, "version", "version");
	take_name(c, info, "cluster", "cluster");
	check_detail(c, "jetstream",
		     json_boolean(json_is_true(json_object_get(info, "jetstream"))));
	run->has_headers = json_is_true(json_object_get(info, "headers"));
}

static bool begin_tls(struct check *c)
{
	const struct nats_opts *o = check_opts(c);
	struct nats_run *run = check_run_data(c);
	struct conn_tls tls;

	run->step = STEP_TLS;
	conn_start_tls(run->conn, tls_options_conn(&o->tls, &tls));
	return true;
}

/* The first INFO. */
static bool meet(struct check *c, const json_t *info)
{
	const struct nats_opts *o = check_opts(c);
	bool is_required = json_is_true(json_object_get(info, "tls_required"));
	bool is_available = json_is_true(json_object_get(info, "tls_available"));

	take_server(c, info);
	if (strcmp(o->encryption, "first") == 0) {
		log_in(c);
		return true;
	}
	if (is_required || (is_available && strcmp(o->encryption, "required") == 0))
		return begin_tls(c);
	if (strcmp(o->encryption, "required") == 0) {
		end(c, REASON_TLS_FAILED, "the server offers no TLS");
		return false;
	}
	log_in(c);
	return true;
}

static bool take_info(struct check *c, const char *text)
{
	struct nats_run *run = check_run_data(c);
	json_t *info = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	char shown[EXCERPT_SIZE];
	bool goes_on = true;

	if (!json_is_object(info)) {
		end(c, REASON_PROTOCOL, "INFO is not JSON: %s", excerpt(text, strlen(text), shown));
		json_decref(info);
		return false;
	}
	run->is_lame |= json_is_true(json_object_get(info, "ldm"));
	if (run->step == STEP_INFO)
		goes_on = meet(c, info);
	json_decref(info);
	return goes_on;
}

static bool take_pong(struct check *c)
{
	struct nats_run *run = check_run_data(c);

	if (run->step != STEP_LOGIN) {
		end(c, REASON_PROTOCOL, "PONG without a PING");
		return false;
	}
	run->rtt_ms = (double)(clock_mono_us() - run->asked_us) / US_PER_MS;
	check_metric(c, "rtt_ms", run->rtt_ms);
	return ask_next(c);
}

static enum reason reason_of(const char *error)
{
	static const char *const logins[] = {"Authorization", "User Authentication",
					     "Account Authentication", "Permissions Violation"};

	for (size_t i = 0; i < ARRAY_LEN(logins); i++) {
		if (strncasecmp(error, logins[i], strlen(logins[i])) == 0)
			return REASON_AUTH_FAILED;
	}
	if (strncasecmp(error, "Secure Connection", 17) == 0)
		return REASON_TLS_FAILED;
	return REASON_UNEXPECTED_REPLY;
}

static bool take_error(struct check *c, const char *text)
{
	char shown[EXCERPT_SIZE];

	end(c, reason_of(text), "%s", excerpt(text, strlen(text), shown));
	return false;
}

static void on_metric(void *ctx, const char *name, double value)
{
	check_metric(ctx, name, value);
}

static void judge_answer(struct check *c, const struct nats_message *m)
{
	const struct nats_opts *o = check_opts(c);
	struct nats_run *run = check_run_data(c);
	struct err err;

	check_metric(c, "request_ms", (double)(clock_mono_us() - run->asked_us) / US_PER_MS);
	if (!message_expect_fits(check_prep(c), m->payload, m->payload_len, &err))
		object(run, REASON_BODY_MISMATCH, "%.200s: answer %s", o->request.subject,
		       err.text);
	else if (message_expect_metrics(check_prep(c), c, m->payload, m->payload_len, &err) != 0)
		object(run, REASON_EXPR_ERROR, "%.200s: %s", o->request.subject, err.text);
}

static void judge_jetstream(struct check *c, const struct nats_message *m)
{
	const struct nats_opts *o = check_opts(c);
	struct nats_run *run = check_run_data(c);
	bool is_stream = run->step == STEP_STREAM;
	struct err err;
	int rc;

	rc = is_stream ? nats_stream_parse(m->payload, m->payload_len, clock_wall_ms(), on_metric,
					   c, &err)
		       : nats_consumer_parse(m->payload, m->payload_len, clock_wall_ms(), on_metric,
					     c, &err);
	if (rc != 0)
		object(run, rc == -ENOENT ? REASON_UNEXPECTED_REPLY : REASON_PROTOCOL,
		       "%s %.100s: %s", is_stream ? "stream" : "consumer",
		       is_stream ? o->stream : o->consumer, err.text);
}

static bool take_message(struct check *c, const struct nats_message *m)
{
	const struct nats_opts *o = check_opts(c);
	struct nats_run *run = check_run_data(c);
	size_t len = strlen(run->inbox);

	/* A late second answer to an earlier question is nobody's. */
	if (run->step < STEP_REQUEST || strncmp(m->subject, run->inbox, len) != 0 ||
	    m->subject[len] != '.' || atoi(m->subject + len + 1) != (int)run->step)
		return true;
	if (m->status == 503)
		object(run, REASON_UNEXPECTED_REPLY, "nobody answers to %.200s",
		       run->step == STEP_REQUEST ? o->request.subject : "JetStream's API");
	else if (run->step == STEP_REQUEST)
		judge_answer(c, m);
	else
		judge_jetstream(c, m);
	return ask_next(c);
}

static void show(struct check *c, const struct nats_message *m)
{
	static const char *const names[] = {"INFO ", "MSG ", "PING", "PONG", "+OK", "-ERR "};
	struct nats_run *run = check_run_data(c);
	HALE_CLEANUP(str_done) struct str line = {0};

	if (!check_is_watched(c))
		return;
	str_add(&line, names[m->op]);
	if (m->op == NATS_MSG && m->status != 0)
		str_addf(&line, "%d ", m->status);
	if (m->op == NATS_MSG)
		str_addn(&line, m->payload, m->payload_len);
	else
		str_add(&line, m->text);
	dialogue_heard(c, &run->dialogue, str_text(&line), line.len);
}

static bool take(struct check *c, const struct nats_message *m)
{
	struct nats_run *run = check_run_data(c);

	show(c, m);
	if (run->step == STEP_INFO && m->op != NATS_INFO && m->op != NATS_ERR) {
		end(c, REASON_PROTOCOL, "a NATS server says INFO first");
		return false;
	}
	switch (m->op) {
	case NATS_INFO:
		return take_info(c, m->text);
	case NATS_PING:
		conn_write(run->conn, "PONG\r\n", 6);
		return true;
	case NATS_PONG:
		return take_pong(c);
	case NATS_ERR:
		return take_error(c, m->text);
	case NATS_MSG:
		return take_message(c, m);
	case NATS_OK:
		break;
	}
	return true;
}

/* ---- The connection ---- */

static void on_open(struct check *c)
{
	struct nats_run *run = check_run_data(c);

	run->is_open = true;
	/* After STARTTLS of a kind: INFO was heard before. */
	if (run->step == STEP_TLS)
		log_in(c);
}

static void on_data(struct check *c, const char *data, size_t len)
{
	struct nats_run *run = check_run_data(c);
	struct err err = {0};
	size_t at = 0, used = 0;

	while (at < len) {
		int rc;

		if (run->step == STEP_TLS) {
			end(c, REASON_PROTOCOL, "it goes on unencrypted after it asked for TLS");
			return;
		}
		rc = nats_proto_feed(&run->proto, data + at, len - at, &used, &err);
		at += used;
		if (rc == -EAGAIN)
			return;
		if (rc != 0) {
			end(c, rc == -EMSGSIZE ? REASON_TOO_LARGE : REASON_PROTOCOL, "%s",
			    err.text);
			return;
		}
		if (!take(c, &run->proto.message))
			return;
	}
}

static void on_failed(struct check *c, enum reason reason, const char *text)
{
	static const char *const names[] = {"waiting for INFO",
					    NULL,
					    "logging in",
					    "waiting for the answer",
					    "asking for the stream",
					    "asking for the consumer"};
	struct nats_run *run = check_run_data(c);
	const char *name = run->is_open ? names[run->step] : NULL;

	run->conn = NULL;
	end(c, reason, "%s%s%s", name == NULL ? "" : name, name == NULL ? "" : ": ", text);
}

static void nats_start(struct check *c)
{
	static const struct conn_events events = {
		.on_open = on_open, .on_data = on_data, .on_failed = on_failed};
	const struct nats_opts *o = check_opts(c);
	struct nats_run *run = check_run_data(c);
	struct address address;
	struct conn_target target = {.host = address.host, .port = address.port};
	struct conn_tls tls;
	char uuid[37];
	struct err err;

	if (address_parse_or(o->address, NATS_DEFAULT_PORT, &address, &err) != 0) {
		end(c, REASON_CONFIG, "address: %s", err.text);
		return;
	}
	(void)snprintf(run->inbox, sizeof(run->inbox), "_INBOX.%s", rnd_uuid(uuid));
	if (strcmp(o->encryption, "first") == 0)
		target.tls = tls_options_conn(&o->tls, &tls);
	run->conn = conn_open(c, &target, &events);
}

static void nats_cancel(struct check *c)
{
	end(c, REASON_CANCELLED, "%s", reason_text(REASON_CANCELLED));
}

/* ---- The kind ---- */

static const struct metric_doc nats_metrics[] = {
	{"dns_ms", "time to resolve the name"},
	{"connect_ms", "time to connect"},
	{"tls_ms", "time of the TLS handshake"},
	{"cert_expires_seconds", "time until the certificate expires; negative after"},
	{"rtt_ms", "from login and PING to PONG"},
	{"request_ms", "from the question of `request` to its answer"},
	{"stream_messages", "messages in the stream"},
	{"stream_bytes", "their size"},
	{"stream_messages_percent", "of the stream's limit; only if there is one"},
	{"stream_bytes_percent", "of the stream's limit; only if there is one"},
	{"stream_last_sequence", "number of its last message"},
	{"stream_last_age_seconds", "since its last message came"},
	{"stream_first_age_seconds", "since the oldest message it has came"},
	{"stream_consumers", "number of its consumers"},
	{"stream_replicas", "its further copies in a cluster"},
	{"stream_replicas_behind", "those of them that are not up to date, or away"},
	{"consumer_pending", "messages it has yet to be given"},
	{"consumer_ack_pending", "messages it was given and has not acknowledged"},
	{"consumer_redelivered", "messages it was given more than once"},
	{"consumer_waiting", "pulls that wait for messages"},
	{"consumer_delivered_age_seconds", "since it was given one"},
	{"consumer_acked_age_seconds", "since it acknowledged one"},
	{"*", "each of `request.metrics`"},
	{NULL, NULL},
};

static const struct metric_doc nats_details[] = {
	{"ip", "the address that answered"},
	{"tls_version", "the version of TLS agreed on"},
	{"server", "name of the server"},
	{"version", "of the server"},
	{"cluster", "the cluster it belongs to"},
	{"jetstream", "whether it has JetStream"},
	{NULL, NULL},
};

static const struct reason_doc nats_reasons[] = {
	{REASON_CONN_REFUSED, "nobody listens there"},
	{REASON_DNS_FAILED, "the name does not resolve"},
	{REASON_UNREACHABLE, "no way to it"},
	{REASON_CONN_RESET, "gone in the middle"},
	{REASON_CONN_CLOSED, "gone in the middle"},
	{REASON_TIMEOUT_DNS, "while resolving"},
	{REASON_TIMEOUT_CONNECT, "while connecting"},
	{REASON_TIMEOUT_TLS, "in the TLS handshake"},
	{REASON_TIMEOUT_READ, "no INFO, no PONG, or no answer to a question"},
	{REASON_TLS_FAILED, "handshake; or the server offers no TLS where it must be"},
	{REASON_TLS_CERT, "certificate not trusted, or not this host's"},
	{REASON_TLS_EXPIRED, "certificate expired"},
	{REASON_TLS_VERSION, "an older TLS than `tls.min_version`"},
	{REASON_AUTH_FAILED, "the login is refused or one is required, or it may not ask that"},
	{REASON_UNEXPECTED_REPLY,
	 "too many connections, nobody answers, no such stream or consumer; warn if the server is "
	 "being stopped (lame duck)"},
	{REASON_BODY_MISMATCH, "the answer to `request` is not as expected"},
	{REASON_EXPR_ERROR, "a program of `request.metrics` failed, or gave no number"},
	{REASON_PROTOCOL, "what answers is no NATS"},
	{REASON_TOO_LARGE, "a message of more than 1 MiB, or a line of more than 64 KiB"},
	REASON_DOC_END,
};

const struct check_ops check_ops = {
	.kind = "nats",
	.summary = "logs in to a NATS server, asks a service, looks at a JetStream stream and "
		   "consumer",
	.about = "Connects anew each time, logs in by login or token (not by nkey or credentials "
		 "file; client certificates are `tls.cert`), and asks PING. `request` asks a "
		 "service "
		 "as its users do. `stream` and `consumer` must exist; how many messages wait is "
		 "for "
		 "thresholds.\n"
		 "\n"
		 "A user of its own needs to publish to the subject asked and to "
		 "`$JS.API.STREAM.INFO.*` or `$JS.API.CONSUMER.INFO.*.*`, and to subscribe to "
		 "`_INBOX.>`.",
	.items = nats_items,
	.opts_size = sizeof(struct nats_opts),
	.run_size = sizeof(struct nats_run),
	.metrics = nats_metrics,
	.details = nats_details,
	.reasons = nats_reasons,
	.example = "orders:\n"
		   "  nats:\n"
		   "    address: nats.example.org\n"
		   "    token: ${NATS_TOKEN:-none}\n"
		   "    request: {subject: orders.ping, expect: {jq: .ok}}\n"
		   "    stream: ORDERS\n"
		   "    consumer: billing\n"
		   "  interval: 15s\n"
		   "  timeout: 5s\n"
		   "  thresholds:\n"
		   "    consumer_pending: {degraded: \"> 1000\", critical: \"> 100000\"}\n"
		   "    stream_last_age_seconds: {degraded: \"> 600\"}\n",
	.validate = nats_validate,
	.prepare = nats_prepare,
	.unprepare = nats_unprepare,
	.start = nats_start,
	.cancel = nats_cancel,
};
