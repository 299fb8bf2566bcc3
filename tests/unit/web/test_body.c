/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "body.h"
#include "harness.h"
#include "listener.h"

/* A listener of its own, on which every request is answered by a thread. */
struct bench {
	struct harness *h;
	struct bodies *bodies;
	struct listener *listener;
	bool is_closed;
	/* What the next producer does. */
	size_t pieces;
	int rc;          /* after them */
	bool is_endless; /* till it is interrupted */
	atomic_size_t written;
	atomic_bool is_interrupted;
	size_t refused, done;
};

#define PIECE ((size_t)10000)

static int produce(void *ctx, struct body *b, struct err *err)
{
	struct bench *t = ctx;
	char piece[PIECE];
	for (size_t i = 0; t->is_endless || i < t->pieces; i++) {
		memset(piece, (char)('a' + i % 26), PIECE);
		if (t->is_interrupted || !body_write(b, piece, PIECE))
			return err_set(err, -EINTR, "interrupted");
		t->written += PIECE;
	}
	return t->rc ? err_set(err, t->rc, "it broke") : 0;
}

static void interrupt(void *ctx)
{
	struct bench *t = ctx;
	t->is_interrupted = true;
}

static void refuse(struct request *rq, int rc, const struct err *err)
{
	request_refuse(rq, 503, "STORE_UNAVAILABLE", "%d: %s", rc, err->text);
}

static void done(void *ctx)
{
	struct bench *t = ctx;
	t->done++;
}

static void on_request(void *ctx, struct request *rq)
{
	static const struct body_ops ops = {produce, interrupt, refuse, done};
	struct bench *t = ctx;
	if (!str_eq(request_path(rq), "/body"))
		request_answer(rq, 200, reply_new(mem_dup("plain"), 5, "text/plain"));
	else if (!body_start(t->bodies, rq, "text/csv", "attachment; filename=\"x.csv\"", &ops, t))
		request_refuse(rq, 429, "BUSY", "too many");
}

static void on_change(void *ctx, struct listener *l)
{
	(void)ctx;
	(void)l;
}

static int open_bench(void **state)
{
	struct bench *t = mem_alloc(sizeof(*t));
	const struct web_listen conf = {(char[]){"127.0.0.1:0"}, true};
	t->h = harness_new("{\"listen\":[{\"address\":\"127.0.0.1:0\"}]}", NULL);
	t->bodies = bodies_new(&t->h->loop);
	t->listener = listener_new(&t->h->loop, &conf, on_request, t);
	assert_int_equal(listener_start(t->listener, on_change), 0);
	*state = t;
	return 0;
}

static void on_closed(void *ctx)
{
	struct bench *t = ctx;
	t->is_closed = true;
}

static void turn_until(struct bench *t, bool (*is_so)(struct bench *t))
{
	int64_t until = clock_mono_ms() + 15000;
	while (!is_so(t)) {
		assert_true(clock_mono_ms() < until);
		uv_run(&t->h->loop, UV_RUN_ONCE);
	}
}

static bool is_idle(struct bench *t)
{
	return bodies_running(t->bodies) == 0;
}

static bool has_closed(struct bench *t)
{
	return t->is_closed;
}

static int close_bench(void **state)
{
	struct bench *t = *state;
	bodies_stop(t->bodies);
	turn_until(t, is_idle);
	bodies_close(t->bodies);
	listener_close(t->listener, on_closed, t);
	turn_until(t, has_closed);
	bodies_free(t->bodies);
	harness_free(t->h);
	free(t);
	return 0;
}

static int ask_for(struct bench *t, const char *method, const char *path)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_port = htons(listener_port(t->listener))};
	char text[128];
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", method, path);
	client_text(fd, text);
	return fd;
}

/* The chunks' contents; false if the last chunk is missing. */
static bool unchunk(const struct str *in, struct str *out)
{
	const char *p = strstr(str_text(in), "\r\n\r\n") + 4;
	const char *end = in->data + in->len;
	while (p < end) {
		char *after;
		size_t n = strtoul(p, &after, 16);
		p = after + 2;
		if (n == 0)
			return true;
		if (p + n + 2 > end)
			return false;
		str_addn(out, p, n);
		p += n + 2;
	}
	return false;
}

static void assert_pieces(const struct str *body, size_t pieces)
{
	assert_int_equal(body->len, pieces * PIECE);
	for (size_t i = 0; i < body->len; i++)
		if (body->data[i] != (char)('a' + i / PIECE % 26))
			fail_msg("byte %zu is '%c'", i, body->data[i]);
}

static bool is_all_done(struct bench *t)
{
	return t->done == 1;
}

static void what_the_thread_writes_is_what_the_client_reads(void **state)
{
	struct bench *t = *state;
	struct str in = {0}, body = {0};
	t->pieces = 500; /* many times the buffer */
	int fd = ask_for(t, "GET", "/body");
	assert_true(client_read_until(t->h, fd, &in, "\r\n0\r\n\r\n"));
	assert_non_null(strstr(in.data, "HTTP/1.1 200"));
	assert_non_null(strstr(in.data, "Transfer-Encoding: chunked"));
	assert_non_null(strstr(in.data, "Content-Disposition: attachment; filename=\"x.csv\""));
	assert_true(unchunk(&in, &body));
	assert_pieces(&body, 500);
	turn_until(t, is_all_done);
	/* The connection goes on. */
	str_clear(&in);
	client_text(fd, "GET /other HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_read_until(t->h, fd, &in, "plain"));
	str_done(&in);
	str_done(&body);
	close(fd);
}

static void nothing_is_a_body_too(void **state)
{
	struct bench *t = *state;
	struct str in = {0};
	int fd = ask_for(t, "GET", "/body");
	assert_true(client_read_until(t->h, fd, &in, "\r\n\r\n0\r\n\r\n"));
	assert_non_null(strstr(in.data, "HTTP/1.1 200"));
	str_done(&in);
	close(fd);
}

static void a_failure_before_anything_was_sent_is_an_error(void **state)
{
	struct bench *t = *state;
	struct str in = {0};
	t->rc = -ECONNREFUSED;
	int fd = ask_for(t, "GET", "/body");
	assert_true(client_read_until(t->h, fd, &in, "}"));
	assert_non_null(strstr(in.data, "HTTP/1.1 503"));
	assert_non_null(strstr(in.data, "it broke"));
	turn_until(t, is_all_done);
	str_done(&in);
	close(fd);
}

static void a_failure_in_the_middle_leaves_the_last_chunk_out(void **state)
{
	struct bench *t = *state;
	struct str in = {0}, body = {0};
	t->pieces = 40;
	t->rc = -EIO;
	int fd = ask_for(t, "GET", "/body");
	client_read_end(t->h, fd, &in);
	assert_non_null(strstr(in.data, "HTTP/1.1 200"));
	assert_false(unchunk(&in, &body));
	turn_until(t, is_all_done);
	str_done(&in);
	str_done(&body);
	close(fd);
}

static bool has_filled_up(struct bench *t)
{
	static size_t before;
	static int64_t since_ms;
	if (t->written != before) {
		before = t->written;
		since_ms = clock_mono_ms();
	}
	return before > 0 && clock_mono_ms() - since_ms > 200;
}

static void who_does_not_read_stops_its_thread_and_nobody_else(void **state)
{
	struct bench *t = *state;
	struct str in = {0};
	t->is_endless = true;
	int slow = ask_for(t, "GET", "/body");
	turn_until(t, has_filled_up);
	/* The kernel's buffers have megabytes, ours has its limit. */
	size_t stuck = t->written;
	assert_true(stuck < (size_t)64 << 20);
	int fd = ask_for(t, "GET", "/other");
	assert_true(client_read_until(t->h, fd, &in, "plain"));
	assert_int_equal(t->written, stuck);
	close(fd);
	assert_int_equal(t->done, 0);
	close(slow);
	turn_until(t, is_all_done);
	str_done(&in);
}

static void there_are_only_so_many_at_once(void **state)
{
	struct bench *t = *state;
	struct str in = {0};
	int fds[BODIES_MAX + 1];
	t->is_endless = true;
	for (size_t i = 0; i < BODIES_MAX; i++) {
		fds[i] = ask_for(t, "GET", "/body");
		str_clear(&in);
		assert_true(client_read_until(t->h, fds[i], &in, "aaaa"));
	}
	assert_int_equal(bodies_running(t->bodies), BODIES_MAX);
	fds[BODIES_MAX] = ask_for(t, "GET", "/body");
	str_clear(&in);
	assert_true(client_read_until(t->h, fds[BODIES_MAX], &in, "}"));
	assert_non_null(strstr(in.data, "HTTP/1.1 429"));
	for (size_t i = 0; i <= BODIES_MAX; i++)
		close(fds[i]);
	turn_until(t, is_idle);
	str_done(&in);
}

static void head_is_answered_without_the_body(void **state)
{
	struct bench *t = *state;
	struct str in = {0};
	t->is_endless = true;
	int fd = ask_for(t, "HEAD", "/body");
	assert_true(client_read_until(t->h, fd, &in, "\r\n\r\n"));
	assert_non_null(strstr(in.data, "HTTP/1.1 200"));
	turn_until(t, is_all_done);
	str_done(&in);
	close(fd);
}

/* Teardown ends it. */
static void one_that_is_under_way_ends_when_the_server_does(void **state)
{
	struct bench *t = *state;
	struct str in = {0};
	t->is_endless = true;
	int fd = ask_for(t, "GET", "/body");
	assert_true(client_read_until(t->h, fd, &in, "aaaa"));
	bodies_stop(t->bodies);
	client_read_end(t->h, fd, &in);
	assert_null(strstr(in.data, "\r\n0\r\n\r\n"));
	assert_true(t->is_interrupted);
	str_done(&in);
	close(fd);
}

#define BENCH(f) cmocka_unit_test_setup_teardown(f, open_bench, close_bench)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH(what_the_thread_writes_is_what_the_client_reads),
		BENCH(nothing_is_a_body_too),
		BENCH(a_failure_before_anything_was_sent_is_an_error),
		BENCH(a_failure_in_the_middle_leaves_the_last_chunk_out),
		BENCH(who_does_not_read_stops_its_thread_and_nobody_else),
		BENCH(there_are_only_so_many_at_once),
		BENCH(head_is_answered_without_the_body),
		BENCH(one_that_is_under_way_ends_when_the_server_does),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
