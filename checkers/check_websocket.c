/* SPDX-License-Identifier: Apache-2.0 */
/* websocket - opens a WebSocket as a client would, subscribes, and waits for what must come
 *
 * One run: connection, handshake, what is to be sent, a ping; it is good once the pong is there and
 * as many messages that fit as are wanted. Then the connection is closed as RFC 6455 wants it; how
 * that ends changes nothing any more.
 */
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "conn.h"
#include "dialogue.h"
#include "excerpt.h"
#include "message_expect.h"
#include "patience.h"
#include "tls_options.h"
#include "ws_client.h"
#include "ws_upgrade.h"

#define US_PER_MS 1000.0

/* How long the peer may take to say goodbye: a round trip or two. What it has not said by then is
 * of no interest. */
#define CLOSE_MS 500

/* What a pong must bring back. */
#define PING_BYTES 8

/* Stands in `subscribe` for one of the subscriptions. */
#define PLACE "{subscription}"

/* ---- Options ---- */

struct websocket_opts {
	char *url;
	json_t *headers;
	struct strlist subprotocols;
	struct strlist subscriptions;
	char *subscribe;
	struct strlist send;
	struct message_opts expect;
	int64_t expect_count;
	json_t *metrics;
	bool ping;
	int64_t message_max;
	struct tls_options tls;
};

static const struct conf_item websocket_items[] = {
	CONF_STR(struct websocket_opts, url,
		 .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY | CONF_F_CONNECT | CONF_F_TARGET,
		 .help = "Where to, ws://… or wss://…"),
	CONF_STRMAP(struct websocket_opts, headers, .flags = CONF_F_SECRET,
		    .help = "Further headers of the request, name: value"),
	CONF_LIST(struct websocket_opts, subprotocols,
		  .help = "Subprotocols to offer; the server must choose none or one of them"),
	CONF_LIST(struct websocket_opts, subscriptions,
		  .help = "What to subscribe to; one message is sent for each"),
	CONF_STR(struct websocket_opts, subscribe, .def = "'" PLACE "'", .flags = CONF_F_NONEMPTY,
		 .help = "The message that subscribes; `" PLACE "` in it stands for what to"),
	CONF_LIST(struct websocket_opts, send, .help = "Messages to send after that, as they are"),
	CONF_MAP(struct websocket_opts, expect, message_items,
		 .help = "What a message that comes back must look like; others are passed over"),
	CONF_INT(struct websocket_opts, expect_count, .def = "1", .min = 1, .max = 10000,
		 .help = "How many such messages must come, where `expect` or `metrics` is given"),
	CONF_STRMAP(struct websocket_opts, metrics,
		    .help = "Metrics taken from the last of them, name: jq program that gives a "
			    "number"),
	CONF_BOOL(struct websocket_opts, ping, .def = "true",
		  .help = "Send a ping and wait for its pong"),
	CONF_SIZE(struct websocket_opts, message_max, .def = "1MB", .min = 1, .max = 64 << 20,
		  .help = "A larger message is an error"),
	CONF_MAP(struct websocket_opts, tls, tls_options_items, .def = "{}", .help = "TLS of wss"),
	CONF_END,
};

static void validate_lists(const struct websocket_opts *o, service_problem_fn problem, void *ctx)
{
	const char *name;
	json_t *value;

	for (size_t i = 0; i < o->subprotocols.n; i++) {
		/* A token, as a header's name is. */
		if (!ws_header_is_good(o->subprotocols.v[i], ""))
			problem(ctx, "/subprotocols", "a subprotocol is a word without blanks");
	}
	json_object_foreach (o->headers, name, value) {
		HALE_CLEANUP(cleanup_free) char *at = mem_printf("/headers/%s", name);

		if (!ws_header_is_good(name, json_string_value(value)))
			problem(ctx, at, "is made by the handshake itself, or breaks the request");
	}
	if (o->subscriptions.n > 1 && strstr(o->subscribe, PLACE) == NULL)
		problem(ctx, "/subscribe", "says the same for each: " PLACE " is missing");
}

static void websocket_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct websocket_opts *o = opts;
	struct ws_url url;
	struct err err;

	if (ws_url_parse(o->url, &url, &err) != 0)
		problem(ctx, "/url", err.text);
	else if (url.is_tls && !o->tls.enabled)
		problem(ctx, "/tls/enabled", "cannot be off with wss://");
	validate_lists(o, problem, ctx);
	message_expect_validate(&o->expect, "/expect", o->metrics, "/metrics", problem, ctx);
	tls_options_validate(&o->tls, "/tls", problem, ctx);
}

static void *websocket_prepare(const void *opts)
{
	const struct websocket_opts *o = opts;

	return message_expect_new(&o->expect, o->metrics);
}

static void websocket_unprepare(void *prep)
{
	message_expect_free(prep);
}

/* ---- One run ---- */

struct websocket_run {
	struct conn *conn;
	struct ws_url url;
	char key[WS_KEY_SIZE];
	struct str head;          /* of the answer, while it comes */
	struct ws_client *client; /* once that was good */
	struct dialogue dialogue;
	int64_t started_us;
	struct patience *patience; /* while closing */
	int64_t asked_us;          /* the handshake, then the ping */
	char ping[PING_BYTES];
	double pong_ms;
	bool has_pong;
	size_t messages; /* all */
	size_t fitting;
	struct err misfit; /* why the last one did not fit */
	bool is_verdict;   /* it stands, though the connection may still have to be closed */
	enum reason reason;
	struct err text;
};

static void finish(struct check *c)
{
	struct websocket_run *run = check_run_data(c);
	struct err text = run->text;

	conn_close(TAKE_PTR(run->conn));
	ws_client_free(TAKE_PTR(run->client));
	str_done(&run->head);
	patience_stop(TAKE_PTR(run->patience));
	if (run->messages > 0)
		check_metric(c, "messages", (double)run->messages);
	check_done(c, run->reason, "%s", text.text);
}

/* The first verdict stands. */
HALE_PRINTF(3, 4)
static void judge(struct check *c, enum reason reason, const char *fmt, ...)
{
	struct websocket_run *run = check_run_data(c);
	va_list args;

	if (run->is_verdict)
		return;
	run->is_verdict = true;
	run->reason = reason;
	va_start(args, fmt);
	(void)vsnprintf(run->text.text, sizeof(run->text.text), fmt, args);
	va_end(args);
}

static void send_out(struct websocket_run *run)
{
	struct str *out = ws_client_out(run->client);

	if (out->len > 0)
		conn_write(run->conn, out->data, out->len);
	str_clear(out);
}

/* ---- Goodbye ---- */

static void say_goodbye(struct check *c)
{
	struct websocket_run *run = check_run_data(c);

	run->patience = patience_start(c, run->started_us, finish);
	dialogue_sent(c, &run->dialogue, "close 1000", 10);
	ws_client_close(run->client);
	send_out(run);
}

/* ---- Open ---- */

static bool wants_message(struct check *c)
{
	const struct websocket_opts *o = check_opts(c);
	const struct websocket_run *run = check_run_data(c);

	return message_expect_is_asked(check_prep(c)) && run->fitting < (size_t)o->expect_count;
}

/* What a timeout would mean now, or that all is there. */
static void look(struct check *c)
{
	const struct websocket_opts *o = check_opts(c);
	struct websocket_run *run = check_run_data(c);

	if (o->ping && !run->has_pong)
		return;
	if (wants_message(c)) {
		if (run->messages > 0)
			check_stage(c, REASON_BODY_MISMATCH);
		return;
	}
	if (o->subscriptions.n > 0)
		judge(c, REASON_OK, "Connected, %zu subscription%s", o->subscriptions.n,
		      o->subscriptions.n == 1 ? "" : "s");
	else if (o->ping)
		judge(c, REASON_OK, "Connected, pong in %.2f ms", run->pong_ms);
	else
		judge(c, REASON_OK, "Connected");
}

static void send_text(struct check *c, const char *text, size_t len)
{
	struct websocket_run *run = check_run_data(c);

	/* What subscribes may log in too: it is in the configuration, where it can be looked up. */
	dialogue_sent(c, &run->dialogue, "text", 4);
	ws_client_send(run->client, text, len);
	send_out(run);
}

static void subscribe(struct check *c, const char *subscription)
{
	const struct websocket_opts *o = check_opts(c);
	HALE_CLEANUP(str_done) struct str text = {0};
	const char *at = o->subscribe;
	const char *place;

	while ((place = strstr(at, PLACE)) != NULL) {
		str_addn(&text, at, (size_t)(place - at));
		str_add(&text, subscription);
		at = place + strlen(PLACE);
	}
	str_add(&text, at);
	send_text(c, text.data, text.len);
}

static void send_ping(struct check *c)
{
	struct websocket_run *run = check_run_data(c);

	/* Zeros, should there be no randomness, are as good: it only has to come back. */
	(void)!getrandom(run->ping, PING_BYTES, 0);
	run->asked_us = clock_mono_us();
	dialogue_sent(c, &run->dialogue, "ping", 4);
	ws_client_ping(run->client, run->ping, PING_BYTES);
	send_out(run);
}

static void converse(struct check *c)
{
	const struct websocket_opts *o = check_opts(c);

	for (size_t i = 0; i < o->subscriptions.n; i++)
		subscribe(c, o->subscriptions.v[i]);
	for (size_t i = 0; i < o->send.n; i++)
		send_text(c, o->send.v[i], strlen(o->send.v[i]));
	if (o->subscriptions.n > 0)
		check_metric(c, "subscription_count", (double)o->subscriptions.n);
	/* Frames are read in order: a pong says that all of this was. */
	if (o->ping)
		send_ping(c);
	look(c);
}

/* ---- What comes ---- */

static void take_pong(struct check *c, const char *data, size_t len)
{
	struct websocket_run *run = check_run_data(c);

	/* A server may send pongs that nobody asked for (RFC 6455 section 5.5.3). */
	if (run->has_pong || len != PING_BYTES || memcmp(data, run->ping, PING_BYTES) != 0)
		return;
	run->has_pong = true;
	run->pong_ms = (double)(clock_mono_us() - run->asked_us) / US_PER_MS;
	check_metric(c, "pong_ms", run->pong_ms);
}

static void take_message(struct check *c, const char *data, size_t len)
{
	const struct websocket_opts *o = check_opts(c);
	struct websocket_run *run = check_run_data(c);
	struct err err;

	run->messages++;
	if (!wants_message(c))
		return;
	if (!message_expect_fits(check_prep(c), data, len, &run->misfit)) {
		if (check_is_watched(c))
			check_saw(c, "passed over", json_string(run->misfit.text));
		return;
	}
	run->fitting++;
	if (run->fitting == (size_t)o->expect_count &&
	    message_expect_metrics(check_prep(c), c, data, len, &err) != 0)
		judge(c, REASON_EXPR_ERROR, "%s", err.text);
}

/* RFC 6455 section 7.4.1: going away, restart, try again later; or it did not say. */
static bool is_going_away(unsigned code)
{
	return code == 1001 || code == 1012 || code == 1013;
}

static void take_close(struct check *c, const char *data, size_t len, unsigned code)
{
	char shown[EXCERPT_SIZE];

	(void)excerpt(data, len, shown);
	judge(c, is_going_away(code) ? REASON_CONN_CLOSED : REASON_UNEXPECTED_REPLY,
	      code == 0 ? "it closed the connection without saying why"
			: "it closed the connection: %u%s%s",
	      code, *shown == '\0' ? "" : " ", shown);
}

static void on_event(void *ctx, enum ws_event event, const char *data, size_t len, unsigned code)
{
	static const char *const names[] = {"text: ", "binary: ", "pong", "close "};
	struct check *c = ctx;
	struct websocket_run *run = check_run_data(c);
	HALE_CLEANUP(str_done) struct str shown = {0};

	if (check_is_watched(c)) {
		str_add(&shown, names[event]);
		if (event == WS_EVENT_CLOSE)
			str_addf(&shown, "%u ", code);
		if (event != WS_EVENT_PONG)
			str_addn(&shown, data, len);
		dialogue_heard(c, &run->dialogue, str_text(&shown), shown.len);
	}
	if (run->is_verdict)
		return;
	if (event == WS_EVENT_PONG)
		take_pong(c, data, len);
	else if (event == WS_EVENT_CLOSE)
		take_close(c, data, len, code);
	else
		take_message(c, data, len);
	look(c);
}

static void take_frames(struct check *c, const char *data, size_t len)
{
	struct websocket_run *run = check_run_data(c);
	struct err err = {0};
	int rc = ws_client_feed(run->client, data, len, &err);

	if (rc != 0)
		judge(c, rc == -EMSGSIZE ? REASON_TOO_LARGE : REASON_PROTOCOL, "%s", err.text);
	send_out(run);
}

/* ---- The handshake ---- */

static enum reason reason_of_status(int status)
{
	if (status == 401 || status == 403)
		return REASON_HTTP_AUTH;
	return status == 429 ? REASON_HTTP_RATE_LIMITED : REASON_HTTP_STATUS;
}

static void show_answer(struct check *c, const struct ws_answer *a)
{
	struct websocket_run *run = check_run_data(c);
	HALE_CLEANUP(str_done) struct str line = {0};

	check_metric(c, "status_code", a->status);
	if (*a->server != '\0')
		check_detail(c, "server", json_string(a->server));
	if (a->has_subprotocol)
		check_detail(c, "subprotocol", json_string(a->subprotocol));
	str_addf(&line, "HTTP %d %s", a->status, a->reason);
	dialogue_heard(c, &run->dialogue, str_text(&line), line.len);
}

static void judge_answer(struct check *c, const struct ws_answer *a)
{
	const struct websocket_opts *o = check_opts(c);
	struct websocket_run *run = check_run_data(c);
	struct err err = {0};

	show_answer(c, a);
	if (a->status != 101)
		judge(c, reason_of_status(a->status), "HTTP %d%s%s, expected 101%s%s", a->status,
		      *a->reason == '\0' ? "" : " ", a->reason,
		      *a->location == '\0' ? "" : ", it sends us to ", a->location);
	else if (ws_answer_check(a, run->key, &o->subprotocols, &err) != 0)
		judge(c, REASON_PROTOCOL, "%s", err.text);
	else
		check_metric(c, "upgrade_ms",
			     (double)(clock_mono_us() - run->asked_us) / US_PER_MS);
}

static void take_head(struct check *c, const char *data, size_t len)
{
	const struct websocket_opts *o = check_opts(c);
	struct websocket_run *run = check_run_data(c);
	struct ws_answer answer;
	struct err err = {0};
	size_t used = 0;
	int rc;

	str_addn(&run->head, data, len);
	rc = ws_answer_parse(run->head.data, run->head.len, &answer, &used, &err);
	if (rc == -EAGAIN)
		return;
	if (rc != 0)
		judge(c, rc == -EMSGSIZE ? REASON_TOO_LARGE : REASON_PROTOCOL, "%s", err.text);
	else
		judge_answer(c, &answer);
	if (run->is_verdict)
		return;
	run->client = ws_client_new((size_t)o->message_max, on_event, c);
	converse(c);
	/* Frames may have come with it. */
	if (run->head.len > used)
		take_frames(c, run->head.data + used, run->head.len - used);
}

static void on_open(struct check *c)
{
	const struct websocket_opts *o = check_opts(c);
	struct websocket_run *run = check_run_data(c);
	HALE_CLEANUP(str_done) struct str request = {0};
	unsigned char nonce[WS_KEY_BYTES];

	if (getrandom(nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce)) {
		judge(c, REASON_INTERNAL, "no random numbers");
		finish(c);
		return;
	}
	ws_key_format(nonce, run->key);
	ws_request_format(&request, &run->url, run->key, &o->subprotocols, o->headers);
	/* What follows the path is where tokens stand. */
	dialogue_sent(c, &run->dialogue, request.data, strcspn(request.data, "?\r"));
	run->asked_us = clock_mono_us();
	conn_write(run->conn, request.data, request.len);
}

static void on_data(struct check *c, const char *data, size_t len)
{
	struct websocket_run *run = check_run_data(c);
	bool had_client = run->client != NULL;
	bool was_closing = run->patience != NULL;

	if (had_client)
		take_frames(c, data, len);
	else
		take_head(c, data, len);
	if (!run->is_verdict)
		return;
	/* The verdict may have come of what broke the connection: then there is nobody to take
	 * leave of. */
	if (run->reason != REASON_OK || ws_client_is_closed(run->client))
		finish(c);
	else if (!was_closing)
		say_goodbye(c);
}

static void on_failed(struct check *c, enum reason reason, const char *text)
{
	struct websocket_run *run = check_run_data(c);

	run->conn = NULL;
	judge(c, reason, "%s%s", text,
	      run->client != NULL   ? ", without a goodbye"
	      : run->key[0] != '\0' ? ", in the handshake"
				    : "");
	finish(c);
}

static void websocket_start(struct check *c)
{
	static const struct conn_events events = {
		.on_open = on_open, .on_data = on_data, .on_failed = on_failed};
	const struct websocket_opts *o = check_opts(c);
	struct websocket_run *run = check_run_data(c);
	struct conn_target target = {.host = run->url.host, .port = run->url.port};
	struct conn_tls tls;
	struct err err;

	run->started_us = clock_mono_us();
	if (ws_url_parse(o->url, &run->url, &err) != 0) {
		judge(c, REASON_CONFIG, "url: %s", err.text);
		finish(c);
		return;
	}
	if (run->url.is_tls)
		target.tls = tls_options_conn(&o->tls, &tls);
	run->conn = conn_open(c, &target, &events);
}

static void websocket_cancel(struct check *c)
{
	judge(c, REASON_CANCELLED, "%s", reason_text(REASON_CANCELLED));
	finish(c);
}

/* ---- The kind ---- */

static const struct metric_doc websocket_metrics[] = {
	{"dns_ms", "time to resolve the name"},
	{"connect_ms", "time to connect"},
	{"tls_ms", "time of the TLS handshake; wss"},
	{"cert_expires_seconds", "time until the certificate expires; negative after"},
	{"upgrade_ms", "from the request to the answer that opens the WebSocket"},
	{"pong_ms", "from the ping to its pong; what was sent before has been read by then"},
	{"status_code", "HTTP status of that answer; 101 if it opens"},
	{"subscription_count", "number of `subscriptions`"},
	{"messages", "messages that came"},
	{"*", "each of `metrics`"},
	{NULL, NULL},
};

static const struct metric_doc websocket_details[] = {
	{"ip", "the address that answered"},
	{"tls_version", "the version of TLS agreed on"},
	{"subprotocol", "the one that the server chose"},
	{"server", "what the server calls itself"},
	{NULL, NULL},
};

static const struct reason_doc websocket_reasons[] = {
	{REASON_CONN_REFUSED, "nobody listens there"},
	{REASON_DNS_FAILED, "the name does not resolve"},
	{REASON_UNREACHABLE, "no way to it"},
	{REASON_CONN_RESET, "gone in the middle"},
	{REASON_CONN_CLOSED, "gone in the middle, or it takes its leave: going away, restarting, "
			     "overloaded (1001, 1012, 1013)"},
	{REASON_TIMEOUT_DNS, "while resolving"},
	{REASON_TIMEOUT_CONNECT, "while connecting"},
	{REASON_TIMEOUT_TLS, "in the TLS handshake"},
	{REASON_TIMEOUT_READ, "no answer, no pong, or no message at all"},
	{REASON_TLS_FAILED, "handshake"},
	{REASON_TLS_CERT, "certificate not trusted, or not this host's"},
	{REASON_TLS_EXPIRED, "certificate expired"},
	{REASON_HTTP_AUTH, "the handshake is answered 401 or 403"},
	{REASON_HTTP_RATE_LIMITED, "it is answered 429"},
	{REASON_HTTP_STATUS, "it is answered by anything else but 101; redirects are not followed"},
	{REASON_PROTOCOL, "what answers is no WebSocket, or its frames break the protocol"},
	{REASON_TOO_LARGE, "a message larger than `message_max`, or headers of more than 16 KiB"},
	{REASON_UNEXPECTED_REPLY,
	 "it closes the connection with any other code (1008: not allowed)"},
	{REASON_BODY_MISMATCH, "messages came, but by the timeout not enough that fit `expect`"},
	{REASON_EXPR_ERROR, "a program of `metrics` failed, or gave no number"},
	REASON_DOC_END,
};

const struct check_ops check_ops = {
	.kind = "websocket",
	.summary = "opens a WebSocket, subscribes, looks at what comes",
	.about = "Connects anew each time: the handshake of RFC 6455 is checked in full, then one "
		 "message is sent for each of `subscriptions`, then those of `send`, then a ping. "
		 "It is good once the pong is there and, where `expect` or `metrics` is given, as "
		 "many messages that fit (`expect_count`); others are passed over. Messages in "
		 "fragments are put "
		 "together; compression is not offered.\n"
		 "\n"
		 "With `subscriptions` the message is `Connected, 3 subscriptions`. `messages:` of "
		 "the component can give the texts of the failures, like `down: Disconnected`.",
	.items = websocket_items,
	.opts_size = sizeof(struct websocket_opts),
	.run_size = sizeof(struct websocket_run),
	.metrics = websocket_metrics,
	.details = websocket_details,
	.reasons = websocket_reasons,
	.example = "feed:\n"
		   "  websocket:\n"
		   "    url: wss://ws.example.org/market\n"
		   "    headers: {Authorization: \"Bearer ${FEED_TOKEN:-none}\"}\n"
		   "    subscriptions: [AAPL, MSFT, TSLA]\n"
		   "    subscribe: '{\"type\":\"subscribe\",\"symbol\":\"{subscription}\"}'\n"
		   "    expect: {jq: '.type == \"subscribed\"'}\n"
		   "    expect_count: 3\n"
		   "  interval: 30s\n"
		   "  timeout: 10s\n"
		   "  messages: {down: Disconnected}\n"
		   "  thresholds:\n"
		   "    pong_ms: {degraded: \"> 1000\"}\n",
	.validate = websocket_validate,
	.prepare = websocket_prepare,
	.unprepare = websocket_unprepare,
	.start = websocket_start,
	.cancel = websocket_cancel,
};
