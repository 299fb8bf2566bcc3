/* SPDX-License-Identifier: Apache-2.0 */
/* The sender and every channel type against a real HTTP server. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rnd.h"
#include "base/str.h"
#include "engine.h"
#include "sender.h"
#include "signature.h"

/* A loop that did not get there by then never will. */
#define DEADLINE_MS 20000

struct attempt_seen {
	uint32_t attempt;
	enum outbox_verdict verdict;
	struct delivery_result result;
};

struct rig {
	char dir[64];
	uv_loop_t loop;
	uv_timer_t timer, deadline;
	struct alerts alerts;
	struct engine *engine;
	struct outbox *outbox;
	struct sender *sender;
	struct http_client *http;
	struct attempt_seen seen[64];
	size_t seen_n;
	bool is_stopped;
	bool is_late;
};

/* ---- the sink: one process for all tests ---- */

static FILE *sink_out;
static int sink_in = -1;
static pid_t sink_pid;
static int sink_port;

static int sink_start(void **state)
{
	int in[2], out[2];
	char line[64];

	(void)state;
	if (pipe(in) < 0 || pipe(out) < 0)
		return -1;
	sink_pid = fork();
	if (sink_pid == 0) {
		(void)dup2(in[0], 0);
		(void)dup2(out[1], 1);
		(void)close(in[1]);
		(void)close(out[0]);
		(void)execlp("python3", "python3", SINK_PROGRAM, (char *)NULL);
		_exit(127);
	}
	(void)close(in[0]);
	(void)close(out[1]);
	sink_in = in[1];
	sink_out = fdopen(out[0], "r");
	if (!fgets(line, sizeof(line), sink_out))
		return -1;
	sink_port = (int)strtol(line, NULL, 10);
	return sink_port > 0 ? 0 : -1;
}

static int sink_stop(void **state)
{
	(void)state;
	(void)close(sink_in);
	(void)fclose(sink_out);
	return waitpid(sink_pid, NULL, 0) == sink_pid ? 0 : -1;
}

/* The next request the sink got; it told of it before it answered. New reference. */
static json_t *request(void)
{
	char *line = NULL;
	size_t cap = 0;
	json_t *rq;

	assert_true(getline(&line, &cap, sink_out) > 0);
	rq = json_loads(line, 0, NULL);
	assert_non_null(rq);
	free(line);
	return rq;
}

static const char *header(const json_t *rq, const char *name)
{
	return json_string_value(json_object_get(json_object_get(rq, "headers"), name));
}

static const char *field(const json_t *rq, const char *name)
{
	return json_string_value(json_object_get(rq, name));
}

/* ---- the rig ---- */

static void no_id(void *ctx, char buf[37])
{
	(void)ctx;
	(void)rnd_uuid(buf);
}

static struct http_client *rig_http(void *ctx)
{
	struct rig *r = ctx;

	if (!r->http)
		r->http = http_client_new(&r->loop);
	return r->http;
}

static void run(uv_timer_t *timer)
{
	struct rig *r = timer->data;
	int64_t now = clock_wall_ms();
	int64_t due = sender_run(r->sender, now);

	if (due != INT64_MAX)
		(void)uv_timer_start(&r->timer, run, (uint64_t)HALE_MAX(0, due - now), 0);
}

static void rig_attempt(void *ctx, const struct channel *c, int64_t seq, uint32_t attempt,
			enum outbox_verdict verdict, const struct delivery_result *result)
{
	struct rig *r = ctx;

	(void)c;
	(void)seq;
	assert_true(r->seen_n < ARRAY_LEN(r->seen));
	r->seen[r->seen_n++] = (struct attempt_seen){attempt, verdict, *result};
	uv_stop(&r->loop);
}

static void rig_trouble(void *ctx, const struct err *err)
{
	(void)ctx;
	fail_msg("%s", err->text);
}

static void rig_idle(void *ctx)
{
	struct rig *r = ctx;

	(void)uv_timer_start(&r->timer, run, 0, 0);
}

static void on_deadline(uv_timer_t *timer)
{
	struct rig *r = timer->data;

	r->is_late = true;
	uv_stop(&r->loop);
}

static struct sender *make_sender(struct rig *r)
{
	struct sender *s = NULL;
	struct err err = {0};

	assert_int_equal(sender_new(&(struct sender_env){.loop = &r->loop,
							 .alerts = &r->alerts,
							 .outbox = r->outbox,
							 .http = rig_http,
							 .on_attempt = rig_attempt,
							 .on_trouble = rig_trouble,
							 .on_idle = rig_idle,
							 .ctx = r},
				    &s, &err),
			 0);
	return s;
}

/* `channels` is printf text with the sink's port for each %d (up to two). */
static struct rig *rig_new(const char *channels, const char *retry)
{
	struct rig *r = mem_alloc(sizeof(*r));
	struct err err = {0};
	char *with_port, *text, *path;
	json_t *section;

	(void)snprintf(r->dir, sizeof(r->dir), "/tmp/hale-sender-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	with_port = mem_printf("%s", channels);
	for (char *at; (at = strstr(with_port, "PORT"));) {
		char port[16];

		(void)snprintf(port, sizeof(port), "%d", sink_port);
		*at = '\0';
		text = mem_printf("%s%s%s", with_port, port, at + 4);
		free(with_port);
		with_port = text;
	}
	text = mem_printf("{\"channels\": %s, \"retry\": %s}", with_port, retry);
	section = json_loads(text, 0, NULL);
	assert_non_null(section);
	if (alerts_decode(section, &r->alerts, &err) < 0)
		fail_msg("%s", err.text);
	path = path_join(r->dir, OUTBOX_FILE);
	assert_int_equal(outbox_open(path, &r->outbox, &err), 0);
	r->engine = engine_new(NULL, 0, &(struct engine_env){.node = "n", .new_id = no_id});
	(void)uv_loop_init(&r->loop);
	(void)uv_timer_init(&r->loop, &r->timer);
	(void)uv_timer_init(&r->loop, &r->deadline);
	r->timer.data = r->deadline.data = r;
	(void)uv_timer_start(&r->deadline, on_deadline, DEADLINE_MS, 0);
	r->sender = make_sender(r);
	free(path);
	free(text);
	free(with_port);
	json_decref(section);
	return r;
}

static void queue(struct rig *r, const char *channel, const char *key, const char *text,
		  char id_r[37])
{
	int64_t now = clock_wall_ms();
	struct outgoing g = {.key = mem_dup(key),
			     .channel = mem_dup(channel),
			     .rule = mem_dup("r"),
			     .created_ms = now};
	int64_t dropped;
	struct err err = {0};

	(void)rnd_uuid(g.id);
	if (id_r)
		memcpy(id_r, g.id, 37);
	g.message =
		(struct message){.event = mem_dup("alert"),
				 .title = mem_dup(""),
				 .text = mem_dup(text),
				 .payload = json_pack("{s:s, s:s}", "id", g.id, "message", text),
				 .give_up_ms = now + r->alerts.give_up_after_ms};
	assert_int_equal(
		outbox_commit(r->outbox,
			      &(struct outbox_batch){.engine = r->engine, .out = &g, .out_n = 1},
			      now, &dropped, &err),
		0);
	outgoing_done(&g);
	rig_idle(r);
}

static void until_attempts(struct rig *r, size_t n)
{
	while (r->seen_n < n && !r->is_late)
		(void)uv_run(&r->loop, UV_RUN_DEFAULT);
	if (r->seen_n < n)
		fail_msg("%zu of %zu attempts", r->seen_n, n);
}

static void on_stopped(void *ctx)
{
	struct rig *r = ctx;

	r->is_stopped = true;
	uv_stop(&r->loop);
}

static void stop_sender(struct rig *r, int64_t grace_ms)
{
	r->is_stopped = false;
	sender_stop(r->sender, grace_ms, on_stopped, r);
	while (!r->is_stopped && !r->is_late)
		(void)uv_run(&r->loop, UV_RUN_DEFAULT);
	assert_true(r->is_stopped);
	sender_free(r->sender);
	r->sender = NULL;
}

static void rig_end(struct rig *r)
{
	static const char *const files[] = {OUTBOX_FILE, OUTBOX_FILE "-wal", OUTBOX_FILE "-shm",
					    "notices.log"};

	if (r->sender)
		stop_sender(r, 1000);
	if (r->http)
		http_client_close(r->http, NULL, NULL);
	uv_close((uv_handle_t *)&r->timer, NULL);
	uv_close((uv_handle_t *)&r->deadline, NULL);
	while (uv_run(&r->loop, UV_RUN_DEFAULT) != 0)
		; /* uv_stop() from before ends one run early */
	assert_int_equal(uv_loop_close(&r->loop), 0);
	outbox_close(r->outbox);
	engine_free(r->engine);
	alerts_done(&r->alerts);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char *path = path_join(r->dir, files[i]);

		(void)unlink(path);
		free(path);
	}
	assert_int_equal(rmdir(r->dir), 0);
	free(r);
}

/* The next request, which gets no answer that would end an attempt. */
static json_t *request_while_running(struct rig *r)
{
	struct pollfd fd = {.fd = fileno(sink_out), .events = POLLIN};

	while (!r->is_late && poll(&fd, 1, 5) == 0)
		(void)uv_run(&r->loop, UV_RUN_NOWAIT);
	assert_false(r->is_late);
	return request();
}

#define FAST "{\"first\": 20, \"max\": 50}"

/* ---- webhook ---- */

static void a_webhook_carries_the_message_its_key_and_a_signature(void **state)
{
	(void)state;
	struct rig *r = rig_new("{\"w\": {\"webhook\": {\"url\": \"http://127.0.0.1:PORT/ok\","
				" \"secret\": \"s3cret\", \"headers\": {\"X-Team\": \"ops\"}}}}",
				FAST);
	char id[37], signature[SIGNATURE_TEXT_MAX];

	queue(r, "w", "k", "api is down", id);
	until_attempts(r, 1);
	assert_int_equal(r->seen[0].verdict, OUTBOX_SENT);
	json_t *rq = request();
	const char *body = field(rq, "body");
	json_t *payload = json_loads(body, 0, NULL);
	assert_string_equal(field(rq, "method"), "POST");
	assert_string_equal(header(rq, "content-type"), "application/json");
	assert_string_equal(header(rq, "x-team"), "ops");
	assert_string_equal(header(rq, "x-hale-event"), "alert");
	assert_string_equal(header(rq, "idempotency-key"), id);
	assert_string_equal(header(rq, "x-hale-delivery"), id);
	assert_string_equal(header(rq, "x-hale-signature"),
			    signature_format("s3cret", body, strlen(body), signature));
	assert_string_equal(field(payload, "message"), "api is down");
	json_decref(payload);
	json_decref(rq);
	rig_end(r);
}

static void a_webhook_body_is_what_its_program_makes(void **state)
{
	(void)state;
	struct rig *r = rig_new("{\"w\": {\"webhook\": {\"url\": \"http://127.0.0.1:PORT/ok\","
				" \"method\": \"PUT\", \"body\": \"{text: .message}\"}}}",
				FAST);

	queue(r, "w", "k", "hello", NULL);
	until_attempts(r, 1);
	json_t *rq = request();
	assert_string_equal(field(rq, "method"), "PUT");
	assert_string_equal(field(rq, "body"), "{\"text\":\"hello\"}");
	json_decref(rq);
	rig_end(r);
}

static void a_failed_message_is_tried_again_under_the_same_key(void **state)
{
	(void)state;
	struct rig *r = rig_new(
		"{\"w\": {\"webhook\": {\"url\": \"http://127.0.0.1:PORT/fail/2/500\"}}}", FAST);
	char id[37];

	queue(r, "w", "k", "x", id);
	until_attempts(r, 3);
	assert_int_equal(r->seen[0].verdict, OUTBOX_RETRY);
	assert_int_equal(r->seen[0].result.status, 500);
	assert_string_equal(r->seen[0].result.error, "HTTP 500: no");
	assert_int_equal(r->seen[2].verdict, OUTBOX_SENT);
	assert_int_equal(r->seen[2].attempt, 3);
	for (int i = 0; i < 3; i++) {
		json_t *rq = request();

		assert_string_equal(header(rq, "idempotency-key"), id);
		json_decref(rq);
	}
	rig_end(r);
}

static void retry_after_is_obeyed(void **state)
{
	(void)state;
	struct rig *r = rig_new(
		"{\"w\": {\"webhook\": {\"url\": \"http://127.0.0.1:PORT/later/1\"}}}", FAST);
	int64_t began = clock_mono_ms();

	queue(r, "w", "k", "x", NULL);
	until_attempts(r, 2);
	assert_int_equal(r->seen[0].result.retry_after_ms, 1000);
	assert_int_equal(r->seen[1].verdict, OUTBOX_SENT);
	assert_true(clock_mono_ms() - began >= 1000);
	json_decref(request());
	json_decref(request());
	rig_end(r);
}

static void a_channel_in_trouble_keeps_the_order_of_all(void **state)
{
	(void)state;
	struct rig *r =
		rig_new("{\"w\": {\"webhook\": {\"url\": \"http://127.0.0.1:PORT/fail/2/503\"}}}",
			"{\"first\": 40, \"max\": 40}");
	static const char *const expected[] = {"one", "one", "one", "two", "three"};

	queue(r, "w", "a", "one", NULL);
	queue(r, "w", "b", "two", NULL);
	queue(r, "w", "a", "three", NULL);
	until_attempts(r, 5);
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		json_t *rq = request();
		json_t *payload = json_loads(field(rq, "body"), 0, NULL);

		assert_string_equal(field(payload, "message"), expected[i]);
		json_decref(payload);
		json_decref(rq);
	}
	rig_end(r);
}

static void a_refused_message_does_not_stop_the_others(void **state)
{
	(void)state;
	struct rig *r = rig_new("{\"w\": {\"null\": {\"fail_first\": 1, \"refuse\": false}},"
				" \"x\": {\"webhook\": {\"url\": \"http://127.0.0.1:PORT/ok\","
				" \"body\": \".message | tonumber\"}}}",
				"{\"first\": 60000, \"max\": 60000}");

	queue(r, "x", "a", "words", NULL);
	queue(r, "x", "b", "42", NULL);
	until_attempts(r, 2);
	assert_int_equal(r->seen[0].verdict, OUTBOX_RETRY);
	assert_true(r->seen[0].result.is_refused);
	assert_int_equal(r->seen[1].verdict, OUTBOX_SENT);
	json_t *rq = request();
	assert_string_equal(field(rq, "body"), "42");
	json_decref(rq);
	rig_end(r);
}

static void a_message_that_is_too_old_is_given_up(void **state)
{
	(void)state;
	struct rig *r = rig_new("{\"n\": {\"null\": {\"error\": \"nobody home\"}}}",
				"{\"first\": 100, \"max\": 100, \"give_up_after\": 1000}");
	size_t last;

	queue(r, "n", "k", "x", NULL);
	until_attempts(r, 2);
	while (r->seen[r->seen_n - 1].verdict == OUTBOX_RETRY && !r->is_late)
		(void)uv_run(&r->loop, UV_RUN_DEFAULT);
	last = r->seen_n - 1;
	assert_int_equal(r->seen[last].verdict, OUTBOX_FAILED);
	assert_string_equal(r->seen[last].result.error, "nobody home");
	rig_end(r);
}

static void nobody_listening_is_told_in_words(void **state)
{
	(void)state;
	struct rig *r = rig_new("{\"w\": {\"webhook\": {\"url\": \"http://127.0.0.1:1/x\"}}}",
				"{\"first\": 60000, \"max\": 60000}");

	queue(r, "w", "k", "x", NULL);
	until_attempts(r, 1);
	assert_int_equal(r->seen[0].verdict, OUTBOX_RETRY);
	assert_int_equal(r->seen[0].result.status, 0);
	assert_true(r->seen[0].result.error[0] != '\0');
	rig_end(r);
}

static void the_rate_holds_over_a_restart(void **state)
{
	(void)state;
	struct rig *r = rig_new("{\"n\": {\"null\": {}, \"rate\": 3}}", FAST);

	for (int i = 0; i < 5; i++)
		queue(r, "n", "k", "x", NULL);
	until_attempts(r, 3);
	assert_true(sender_run(r->sender, clock_wall_ms()) > clock_wall_ms() + 50000);
	stop_sender(r, 0);
	r->sender = make_sender(r);
	assert_true(sender_run(r->sender, clock_wall_ms()) > clock_wall_ms() + 50000);
	assert_int_equal(r->seen_n, 3);
	rig_end(r);
}

static void what_is_in_flight_at_the_end_stays_in_the_outbox(void **state)
{
	(void)state;
	struct rig *r = rig_new("{\"w\": {\"webhook\": {\"url\": \"http://127.0.0.1:PORT/hang\"}}}",
				"{\"first\": 10, \"max\": 10}");
	struct outbox_counts c = {0};
	struct err err = {0};

	queue(r, "w", "k", "x", NULL);
	(void)sender_run(r->sender, clock_wall_ms());
	assert_int_equal(sender_in_flight(r->sender), 1);
	json_decref(request_while_running(r));
	stop_sender(r, 50);
	assert_int_equal(outbox_count(r->outbox, &c, &err), 0);
	assert_int_equal(c.waiting, 1);
	assert_int_equal(c.sent, 0);
	rig_end(r);
}

/* ---- telegram ---- */

static void telegram_gets_plain_text_and_the_chat(void **state)
{
	(void)state;
	struct rig *r =
		rig_new("{\"t\": {\"telegram\": {\"token\": \"123:AB\", \"chat\": \"-1005\","
			" \"base_url\": \"http://127.0.0.1:PORT/\"}}}",
			FAST);
	char *long_text = mem_alloc(9001);
	json_t *rq, *body;

	queue(r, "t", "k", "🔴 CRITICAL: api: <down>", NULL);
	until_attempts(r, 1);
	assert_int_equal(r->seen[0].verdict, OUTBOX_SENT);
	rq = request();
	assert_string_equal(field(rq, "path"), "/bot123:AB/sendMessage");
	body = json_loads(field(rq, "body"), 0, NULL);
	assert_string_equal(field(body, "chat_id"), "-1005");
	assert_string_equal(field(body, "text"), "🔴 CRITICAL: api: <down>");
	assert_null(json_object_get(body, "parse_mode"));
	json_decref(body);
	json_decref(rq);

	/* 4096 UTF-16 units at most: this one is cut, and says so. */
	memset(long_text, 'x', 9000);
	queue(r, "t", "k", long_text, NULL);
	until_attempts(r, 2);
	rq = request();
	body = json_loads(field(rq, "body"), 0, NULL);
	assert_int_equal(strlen(field(body, "text")), 4095 + strlen("…"));
	assert_true(str_ends(field(body, "text"), "x…"));
	json_decref(body);
	json_decref(rq);
	free(long_text);
	rig_end(r);
}

static void telegram_says_how_long_to_wait(void **state)
{
	(void)state;
	struct rig *r = rig_new("{\"t\": {\"telegram\": {\"token\": \"flood\", \"chat\": \"5\","
				" \"base_url\": \"http://127.0.0.1:PORT\"}}}",
				FAST);

	queue(r, "t", "k", "x", NULL);
	until_attempts(r, 2);
	assert_int_equal(r->seen[0].result.retry_after_ms, 1000);
	assert_string_equal(r->seen[0].result.error, "HTTP 429: Too Many Requests: retry after 1");
	assert_int_equal(r->seen[1].verdict, OUTBOX_SENT);
	json_decref(request());
	json_decref(request());
	rig_end(r);
}

static void telegram_tells_why_and_never_the_token(void **state)
{
	(void)state;
	struct rig *r = rig_new("{\"t\": {\"telegram\": {\"token\": \"wrong\", \"chat\": \"5\","
				" \"base_url\": \"http://127.0.0.1:PORT\"}},"
				" \"u\": {\"telegram\": {\"token\": \"S3CRET\", \"chat\": \"5\","
				" \"base_url\": \"http://127.0.0.1:1\"}}}",
				"{\"first\": 60000, \"max\": 60000}");

	queue(r, "t", "k", "x", NULL);
	until_attempts(r, 1);
	assert_string_equal(r->seen[0].result.error, "HTTP 400: Bad Request: chat not found");
	assert_true(r->seen[0].result.is_refused);
	queue(r, "u", "k", "x", NULL);
	until_attempts(r, 2);
	assert_null(strstr(r->seen[1].result.error, "S3CRET"));
	json_decref(request());
	rig_end(r);
}

/* ---- log, test messages ---- */

static void a_log_file_gets_one_line_of_json_per_message(void **state)
{
	(void)state;
	struct rig *r = rig_new("{\"l\": {\"log\": {\"file\": \"/nonexistent/x\"}},"
				" \"m\": {\"log\": {}}}",
				"{\"first\": 60000, \"max\": 60000}");
	struct str text = {0};
	char *path = path_join(r->dir, "notices.log");

	queue(r, "l", "k", "x", NULL);
	until_attempts(r, 1);
	assert_string_equal(r->seen[0].result.error, "/nonexistent/x: No such file or directory");
	stop_sender(r, 0);
	for (size_t i = 0; i < r->alerts.channels_n; i++) {
		struct channel *c = &r->alerts.channels[i];

		if (!str_eq(c->name, "m"))
			continue;
		free(*(char **)c->opts); /* its only option: file */
		*(char **)c->opts = mem_dup(path);
	}
	r->sender = make_sender(r);
	queue(r, "m", "k", "first", NULL);
	queue(r, "m", "k", "second", NULL);
	until_attempts(r, 3);
	assert_int_equal(file_read(path, 4096, &text, NULL), 0);
	char *second = strchr(str_text(&text), '\n');
	json_t *line = json_loads(second + 1, 0, NULL);
	assert_string_equal(field(line, "message"), "second");
	json_decref(line);
	str_done(&text);
	free(path);
	rig_end(r);
}

static void on_tested(void *ctx, const struct delivery_result *r)
{
	*(struct delivery_result *)ctx = *r;
}

static void a_test_message_is_not_queued(void **state)
{
	(void)state;
	struct rig *r = rig_new("{\"n\": {\"null\": {\"error\": \"as told\"}}}", FAST);
	struct message m = {
		.event = mem_dup("test"), .title = mem_dup(""), .text = mem_dup("x"), .attempt = 1};
	struct delivery_result result = {.is_sent = true};
	struct outbox_counts c = {0};
	struct err err = {0};

	sender_test(r->sender, alerts_channel(&r->alerts, "n"), &m, on_tested, &result);
	message_done(&m);
	assert_false(result.is_sent);
	assert_string_equal(result.error, "as told");
	assert_int_equal(outbox_count(r->outbox, &c, &err), 0);
	assert_int_equal(c.waiting, 0);
	rig_end(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_webhook_carries_the_message_its_key_and_a_signature),
		cmocka_unit_test(a_webhook_body_is_what_its_program_makes),
		cmocka_unit_test(a_failed_message_is_tried_again_under_the_same_key),
		cmocka_unit_test(retry_after_is_obeyed),
		cmocka_unit_test(a_channel_in_trouble_keeps_the_order_of_all),
		cmocka_unit_test(a_refused_message_does_not_stop_the_others),
		cmocka_unit_test(a_message_that_is_too_old_is_given_up),
		cmocka_unit_test(nobody_listening_is_told_in_words),
		cmocka_unit_test(the_rate_holds_over_a_restart),
		cmocka_unit_test(what_is_in_flight_at_the_end_stays_in_the_outbox),
		cmocka_unit_test(telegram_gets_plain_text_and_the_chat),
		cmocka_unit_test(telegram_says_how_long_to_wait),
		cmocka_unit_test(telegram_tells_why_and_never_the_token),
		cmocka_unit_test(a_log_file_gets_one_line_of_json_per_message),
		cmocka_unit_test(a_test_message_is_not_queued),
	};
	return cmocka_run_group_tests(tests, sink_start, sink_stop);
}
