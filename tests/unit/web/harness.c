/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "listener.h"
#include "stream.h"

/* Far beyond what anything here takes, even under a sanitizer on a busy machine. */
#define DEADLINE_MS 15000

struct work {
	uv_work_t rq;
	void (*work)(void *arg);
	void (*after)(void *arg);
	void *arg;
};

static void work_run(uv_work_t *rq)
{
	struct work *w = rq->data;
	w->work(w->arg);
}

static void work_after(uv_work_t *rq, int status)
{
	struct work *w = rq->data;
	(void)status;
	w->after(w->arg);
	free(w);
}

static void fake_work(void *ctx, void (*work)(void *arg), void (*after)(void *arg), void *arg)
{
	struct harness *h = ctx;
	struct work *w = mem_alloc(sizeof(*w));
	*w = (struct work){.work = work, .after = after, .arg = arg};
	w->rq.data = w;
	assert_int_equal(uv_queue_work(&h->loop, &w->rq, work_run, work_after), 0);
}

static void fake_call(void *ctx, const char *process, const char *method, json_t *params,
		      uint32_t timeout_ms, command_result_fn on_result, void *arg)
{
	struct harness *h = ctx;
	assert_true(str_eq(process, "haled") || str_eq(process, "check.heartbeat"));
	assert_true(timeout_ms > 0);
	free(h->haled.method);
	json_decref(h->haled.params);
	h->haled.method = mem_dup(method);
	h->haled.params = params;
	h->haled.on_result = on_result;
	h->haled.arg = arg;
	if (!h->haled.is_silent)
		harness_haled_answers(h);
}

void harness_haled_answers(struct harness *h)
{
	json_t *result = json_pack("{s:s}", "done", h->haled.method);
	json_t *data = json_pack("{s:[]}", "errors");
	int code = h->haled.code;
	h->haled.on_result(h->haled.arg, code ? NULL : result, code, code ? "haled says no" : NULL,
			   code ? data : NULL);
	json_decref(result);
	json_decref(data);
}

static void on_tick(uv_timer_t *t)
{
	(void)t; /* only so that a turn of the loop always ends */
}

static void on_listening(void *ctx)
{
	(void)ctx;
}

struct harness *harness_new(const char *options_json, const char *store_path)
{
	struct harness *h = mem_alloc(sizeof(*h));
	struct err err = {0};
	json_t *section = json_loads(options_json, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(section);
	if (web_options_load(section, &h->options, &err))
		fail_msg("%s", err.text);
	json_decref(section);
	assert_int_equal(uv_loop_init(&h->loop), 0);
	uv_timer_init(&h->loop, &h->ticker);
	uv_timer_start(&h->ticker, on_tick, 5, 5);
	h->live = live_new();
	h->store.sqlite.path = mem_dup(store_path);
	const struct web_backend backend = {.work = fake_work, .call = fake_call, .ctx = h};
	h->web = web_new(&h->loop, &h->options, h->live, &backend, store_path ? &h->store : NULL,
			 UI_DIR);
	web_start(h->web, on_listening, h);
	return h;
}

static void on_stopped(void *ctx)
{
	struct harness *h = ctx;
	h->is_stopped = true;
}

void harness_stop(struct harness *h)
{
	int64_t until = clock_mono_ms() + DEADLINE_MS;
	web_stop(h->web, on_stopped);
	while (!h->is_stopped) {
		assert_true(clock_mono_ms() < until);
		uv_run(&h->loop, UV_RUN_ONCE);
	}
}

void harness_free(struct harness *h)
{
	if (!h->is_stopped)
		harness_stop(h);
	uv_close((uv_handle_t *)&h->ticker, NULL);
	uv_run(&h->loop, UV_RUN_DEFAULT);
	/* Busy would mean that a handle was left open. */
	assert_int_equal(uv_loop_close(&h->loop), 0);
	web_free(h->web);
	live_free(h->live);
	web_options_done(&h->options);
	free(h->store.sqlite.path);
	free(h->haled.method);
	json_decref(h->haled.params);
	free(h);
}

uint16_t harness_port(const struct harness *h)
{
	return listener_port(h->web->listeners[0]);
}

void harness_snapshot(struct harness *h, const char *json)
{
	json_t *snapshot = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(snapshot);
	live_snapshot(h->live, snapshot);
	json_decref(snapshot);
	stream_snapshot(h->web->stream);
}

void harness_line(struct harness *h, const char *topic, uint64_t seq, const char *json)
{
	json_t *object = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(object);
	const char *event = live_line(h->live, topic, seq, object);
	assert_non_null(event);
	stream_line(h->web->stream, event, seq, object);
	json_decref(object);
}

int client_open(const struct harness *h)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(harness_port(h))};
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

void client_send(int fd, const void *data, size_t len)
{
	assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

void client_text(int fd, const char *text)
{
	client_send(fd, text, strlen(text));
}

/* One turn of the loop, then what has come. False: closed. */
static bool turn(struct harness *h, int fd, struct str *in, int64_t until)
{
	char chunk[16384];
	if (clock_mono_ms() >= until)
		fail_msg("nothing more came after: %s", str_text(in));
	ssize_t n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
	if (n > 0) {
		str_addn(in, chunk, (size_t)n);
		return true;
	}
	if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
		return false;
	uv_run(&h->loop, UV_RUN_ONCE);
	return true;
}

bool client_read(struct harness *h, int fd, struct str *in, size_t len)
{
	int64_t until = clock_mono_ms() + DEADLINE_MS;
	while (in->len < len)
		if (!turn(h, fd, in, until))
			return false;
	return true;
}

bool client_read_until(struct harness *h, int fd, struct str *in, const char *mark)
{
	int64_t until = clock_mono_ms() + DEADLINE_MS;
	while (!strstr(str_text(in), mark))
		if (!turn(h, fd, in, until))
			return false;
	return true;
}

bool client_read_end(struct harness *h, int fd, struct str *in)
{
	int64_t until = clock_mono_ms() + DEADLINE_MS;
	while (turn(h, fd, in, until))
		;
	return true;
}

void answer_done(struct answer *a)
{
	str_done(&a->head);
	str_done(&a->body);
}

struct answer client_answer(struct harness *h, int fd)
{
	struct answer a = {0};
	struct str in = {0};
	if (!client_read_until(h, fd, &in, "\r\n\r\n"))
		fail_msg("closed after: '%s'", str_text(&in));
	size_t head = (size_t)(strstr(in.data, "\r\n\r\n") + 4 - in.data);
	str_addn(&a.head, in.data, head);
	a.status = atoi(in.data + strlen("HTTP/1.1 "));
	const char *length = strcasestr(a.head.data, "Content-Length: ");
	size_t body = length ? strtoul(length + 16, NULL, 10) : 0;
	if (!client_read(h, fd, &in, head + body))
		fail_msg("closed within the body");
	str_addn(&a.body, in.data + head, in.len - head);
	str_done(&in);
	return a;
}

struct answer ask(struct harness *h, const char *request)
{
	int fd = client_open(h);
	client_text(fd, request);
	struct answer a = client_answer(h, fd);
	close(fd);
	return a;
}

struct answer get(struct harness *h, const char *path, const char *extra)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	str_addf(&text, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n", path, extra ? extra : "");
	return ask(h, str_text(&text));
}
