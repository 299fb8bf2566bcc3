/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "harness.h"
#include "stream.h"
#include "ws.h"

static const char public_conf[] =
	"{\"listen\":[{\"address\":\"127.0.0.1:0\",\"public_details\":true}],"
	"\"origins\":[\"https://ops.example\"]}";
static const char closed_conf[] =
	"{\"listen\":[{\"address\":\"127.0.0.1:0\"}],"
	"\"tokens\":[{\"name\":\"wall\",\"token\":\"view\",\"role\":\"viewer\"}]}";
static const char snapshot[] = "{\"status\":\"healthy\",\"head\":5,\"components\":[{\"id\":\"api\","
			       "\"status\":\"healthy\"}],"
			       "\"processes\":[]}";

#define HANDSHAKE                                                                                  \
	"GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: keep-alive, Upgrade\r\n"    \
	"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"                                      \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

/* ---- a client's half of RFC 6455 section 5.2 ---- */

struct ws_client {
	struct harness *h;
	int fd;
	struct str in;
};

enum { OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

static struct ws_client ws_open(struct harness *h, const char *extra)
{
	struct ws_client c = {.h = h, .fd = client_open(h)};
	HALE_CLEANUP(str_done) struct str text = {0};
	str_addf(&text, "%s%s\r\n", HANDSHAKE, extra);
	client_text(c.fd, str_text(&text));
	assert_true(client_read_until(h, c.fd, &c.in, "\r\n\r\n"));
	if (strncmp(c.in.data, "HTTP/1.1 101", 12) != 0)
		fail_msg("%s", c.in.data);
	assert_non_null(strstr(c.in.data, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
	str_drop_front(&c.in, (size_t)(strstr(c.in.data, "\r\n\r\n") + 4 - c.in.data));
	return c;
}

static void ws_done(struct ws_client *c)
{
	close(c->fd);
	str_done(&c->in);
}

static void ws_put(struct ws_client *c, int op, const char *data)
{
	unsigned char frame[2 + 4 + 125];
	static const unsigned char mask[4] = {1, 2, 3, 4};
	size_t len = strlen(data);
	assert_true(len <= 125);
	frame[0] = (unsigned char)(0x80 | op);
	frame[1] = (unsigned char)(0x80 | len);
	memcpy(frame + 2, mask, 4);
	for (size_t i = 0; i < len; i++)
		frame[6 + i] = (unsigned char)data[i] ^ mask[i % 4];
	client_send(c->fd, frame, 6 + len);
}

/* The next frame's payload; its opcode in op_r. NULL: closed without one. Caller frees. */
static char *ws_get(struct ws_client *c, int *op_r)
{
	if (!client_read(c->h, c->fd, &c->in, 2))
		return NULL;
	const unsigned char *p = (const unsigned char *)c->in.data;
	size_t head = 2, len = p[1] & 0x7f;
	assert_false(p[1] & 0x80); /* a server must not mask */
	if (len >= 126) {
		size_t more = len == 126 ? 2 : 8;
		assert_true(client_read(c->h, c->fd, &c->in, 2 + more));
		p = (const unsigned char *)c->in.data;
		for (len = 0; head < 2 + more; head++)
			len = len << 8 | p[head];
	}
	assert_true(client_read(c->h, c->fd, &c->in, head + len));
	*op_r = c->in.data[0] & 0x0f;
	char *payload = mem_dupn(c->in.data + head, len);
	str_drop_front(&c->in, head + len);
	return payload;
}

static void expect_text(struct ws_client *c, const char *part)
{
	int op = 0;
	HALE_CLEANUP(cleanup_free) char *text = ws_get(c, &op);
	assert_non_null(text);
	assert_int_equal(op, OP_TEXT);
	if (!strstr(text, part))
		fail_msg("no '%s' in %s", part, text);
}

static void expect_close(struct ws_client *c, int code)
{
	int op = 0;
	HALE_CLEANUP(cleanup_free) char *text = ws_get(c, &op);
	assert_non_null(text);
	assert_int_equal(op, OP_CLOSE);
	assert_int_equal((unsigned char)text[0] << 8 | (unsigned char)text[1], code);
}

static int open_public(void **state)
{
	*state = harness_new(public_conf, NULL);
	harness_snapshot(*state, snapshot);
	return 0;
}

static int open_closed(void **state)
{
	*state = harness_new(closed_conf, NULL);
	harness_snapshot(*state, snapshot);
	return 0;
}

static int close_it(void **state)
{
	harness_free(*state);
	return 0;
}

static const char down_line[] =
	"{\"at\":\"2026-01-01T00:00:00.000Z\",\"component\":\"api\",\"transition\":true,"
	"\"previous\":\"healthy\",\"state\":{\"id\":\"api\",\"status\":\"down\"}}";

static void a_snapshot_comes_first_and_then_what_changes(void **state)
{
	struct harness *h = *state;
	struct ws_client c = ws_open(h, "");
	expect_text(&c, "{\"event\":\"snapshot\",\"seq\":5,\"data\":{\"status\":\"healthy\"");
	harness_line(h, "health", 6, down_line);
	expect_text(&c, "{\"event\":\"health:update\",\"seq\":6,\"data\":{\"at\":");
	harness_line(h, "process", 7,
		     "{\"event\":\"exit\",\"state\":{\"name\":\"web\",\"state\":\"backoff\"}}");
	expect_text(&c, "{\"event\":\"process:update\",\"seq\":7");
	harness_line(h, "alert", 8, "{\"event\":\"opened\"}");
	expect_text(&c, "{\"event\":\"alert:update\",\"seq\":8");
	harness_line(h, "event", 9, "{\"kind\":\"reload\"}");
	expect_text(&c, "{\"event\":\"event:new\",\"seq\":9");
	ws_done(&c);
}

static void a_late_client_gets_the_recent_lines_with_its_snapshot(void **state)
{
	struct harness *h = *state;
	harness_line(h, "health", 6, down_line);
	struct ws_client c = ws_open(h, "");
	expect_text(&c, "\"recent\":[{\"event\":\"health:update\",\"seq\":6");
	ws_done(&c);
}

static void a_new_haled_sends_everybody_a_snapshot(void **state)
{
	struct harness *h = *state;
	struct ws_client a = ws_open(h, ""), b = ws_open(h, "");
	expect_text(&a, "\"event\":\"snapshot\"");
	expect_text(&b, "\"event\":\"snapshot\"");
	harness_snapshot(h, "{\"status\":\"down\",\"head\":1,\"components\":[],\"processes\":[]}");
	expect_text(&a, "{\"event\":\"snapshot\",\"seq\":1,\"data\":{\"status\":\"down\"");
	expect_text(&b, "{\"event\":\"snapshot\",\"seq\":1,\"data\":{\"status\":\"down\"");
	ws_done(&a);
	ws_done(&b);
}

static void pings_are_answered_and_a_close_is_returned(void **state)
{
	struct ws_client c = ws_open(*state, "");
	int op = 0;
	expect_text(&c, "snapshot");
	ws_put(&c, OP_PING, "are you there");
	HALE_CLEANUP(cleanup_free) char *pong = ws_get(&c, &op);
	assert_int_equal(op, OP_PONG);
	assert_string_equal(pong, "are you there");
	ws_put(&c, OP_CLOSE, "\x03\xe8");
	expect_close(&c, 1000);
	assert_true(client_read_end(c.h, c.fd, &c.in));
	ws_done(&c);
}

static void what_is_not_understood_is_told_and_the_stream_goes_on(void **state)
{
	struct harness *h = *state;
	struct ws_client c = ws_open(h, "");
	expect_text(&c, "snapshot");
	ws_put(&c, OP_TEXT, "{\"event\":\"subscribe:moon\"}");
	expect_text(&c, "{\"event\":\"error\"");
	ws_put(&c, OP_TEXT, "[[[[");
	expect_text(&c, "{\"event\":\"error\"");
	harness_line(h, "event", 6, "{\"kind\":\"start\"}");
	expect_text(&c, "event:new");
	ws_done(&c);
}

static void broken_frames_end_the_connection_with_a_reason(void **state)
{
	struct harness *h = *state;
	struct ws_client binary = ws_open(h, "");
	expect_text(&binary, "snapshot");
	ws_put(&binary, OP_BINARY, "x");
	expect_close(&binary, 1003);
	ws_done(&binary);

	struct ws_client unmasked = ws_open(h, "");
	expect_text(&unmasked, "snapshot");
	client_send(unmasked.fd, "\x81\x01x", 3);
	expect_close(&unmasked, 1002);
	ws_done(&unmasked);

	struct ws_client huge = ws_open(h, "");
	expect_text(&huge, "snapshot");
	client_send(huge.fd, "\x81\xff\x00\x00\x00\x00\x10\x00\x00\x00\x01\x02\x03\x04?", 15);
	expect_close(&huge, 1009);
	ws_done(&huge);
}

static void a_handshake_that_is_none_is_refused(void **state)
{
	struct harness *h = *state;
	struct answer a = get(h, "/api/v1/stream", NULL);
	assert_int_equal(a.status, 426);
	assert_non_null(strstr(a.head.data, "Sec-WebSocket-Version: 13"));
	answer_done(&a);
	a = get(h, "/api/v1/stream",
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
		"Sec-WebSocket-Key: short\r\n");
	assert_int_equal(a.status, 400);
	answer_done(&a);
	a = ask(h, HANDSHAKE "Origin: https://evil.example\r\n\r\n");
	assert_int_equal(a.status, 403);
	answer_done(&a);
}

static void pages_of_this_host_and_of_named_origins_may_connect(void **state)
{
	struct ws_client same = ws_open(*state, "Origin: http://127.0.0.1\r\n");
	expect_text(&same, "snapshot");
	ws_done(&same);
	struct ws_client named = ws_open(*state, "Origin: https://ops.example\r\n");
	expect_text(&named, "snapshot");
	ws_done(&named);
}

static void a_token_in_the_first_message_opens_a_closed_listener(void **state)
{
	struct harness *h = *state;
	struct ws_client c = ws_open(h, "");
	harness_line(h, "event", 6, "{\"kind\":\"start\"}"); /* not for strangers */
	ws_put(&c, OP_TEXT, "{\"event\":\"auth\",\"token\":\"view\"}");
	expect_text(&c, "{\"event\":\"snapshot\"");
	ws_done(&c);
}

static void a_token_in_the_header_does_too_and_a_wrong_one_is_401(void **state)
{
	struct ws_client c = ws_open(*state, "Authorization: Bearer view\r\n");
	expect_text(&c, "{\"event\":\"snapshot\"");
	ws_done(&c);
	struct answer a = ask(*state, HANDSHAKE "Authorization: Bearer no\r\n\r\n");
	assert_int_equal(a.status, 401);
	answer_done(&a);
}

static void a_wrong_token_or_none_first_is_closed_with_1008(void **state)
{
	struct ws_client wrong = ws_open(*state, "");
	ws_put(&wrong, OP_TEXT, "{\"event\":\"auth\",\"token\":\"no\"}");
	expect_close(&wrong, 1008);
	ws_done(&wrong);
	struct ws_client rude = ws_open(*state, "");
	ws_put(&rude, OP_TEXT, "{\"event\":\"subscribe:alerts\"}");
	expect_close(&rude, 1008);
	ws_done(&rude);
}

static void who_says_nothing_is_closed_when_the_time_is_up(void **state)
{
	struct ws_client c = ws_open(*state, "");
	expect_close(&c, 1008);
	ws_done(&c);
}

/* Pings cost the sender six bytes and us a pong each: who never reads them is ended. */
static void a_flood_of_pings_that_are_never_read_is_ended(void **state)
{
	struct harness *h = *state;
	struct ws_client c = ws_open(h, "");
	static char pings[6 * 4096];
	for (size_t i = 0; i < sizeof(pings); i += 6)
		memcpy(pings + i, "\x89\x80\x01\x02\x03\x04", 6);
	int64_t until = clock_mono_ms() + 15000;
	while (stream_clients(h->web->stream)) {
		assert_true(clock_mono_ms() < until);
		/* Whole frames or not does not matter: a cut one is an error just as well, later.
		 */
		(void)send(c.fd, pings, sizeof(pings), MSG_DONTWAIT | MSG_NOSIGNAL);
		uv_run(&h->loop, UV_RUN_NOWAIT);
	}
	ws_done(&c);
}

/* A line of 64 KiB, again and again, to one who reads and one who does not. */
static void a_slow_client_is_dropped_and_the_others_are_not(void **state)
{
	struct harness *h = *state;
	struct ws_client slow = ws_open(h, ""), fast = ws_open(h, "");
	int small = 4096;
	setsockopt(slow.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	expect_text(&fast, "snapshot");
	HALE_CLEANUP(str_done) struct str line = {0};
	str_add(&line, "{\"kind\":\"start\",\"message\":\"");
	for (size_t i = 0; i < 65536; i++)
		str_addc(&line, 'x');
	str_add(&line, "\"}");
	for (uint64_t i = 0; i < 2000 && !stream_dropped(h->web->stream); i++) {
		harness_line(h, "event", 6 + i, line.data);
		expect_text(&fast, "event:new");
	}
	assert_int_equal(stream_dropped(h->web->stream), 1);
	harness_line(h, "alert", 9999, "{\"event\":\"opened\"}");
	expect_text(&fast, "\"seq\":9999");
	/* It cannot even take the close: its connection is ended for it. */
	int64_t until = clock_mono_ms() + 15000;
	while (stream_clients(h->web->stream) > 1) {
		assert_true(clock_mono_ms() < until);
		uv_run(&h->loop, UV_RUN_ONCE);
	}
	ws_done(&slow);
	ws_done(&fast);
}

static void there_are_only_so_many_streams(void **state)
{
	struct harness *h = *state;
	struct ws_client clients[STREAM_CLIENTS_MAX];
	for (size_t i = 0; i < STREAM_CLIENTS_MAX; i++)
		clients[i] = ws_open(h, "");
	struct answer a = ask(h, HANDSHAKE "\r\n");
	assert_int_equal(a.status, 503);
	answer_done(&a);
	for (size_t i = 0; i < STREAM_CLIENTS_MAX; i++)
		ws_done(&clients[i]);
}

static void stopping_says_going_away(void **state)
{
	struct harness *h = *state;
	struct ws_client c = ws_open(h, "");
	expect_text(&c, "snapshot");
	harness_stop(h);
	int op = 0;
	HALE_CLEANUP(cleanup_free) char *text = NULL;
	/* The loop has ended: only what was sent can be read. */
	char bytes[64];
	ssize_t n = recv(c.fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	assert_true(n >= 4);
	str_addn(&c.in, bytes, (size_t)n);
	text = ws_get(&c, &op);
	assert_int_equal(op, OP_CLOSE);
	assert_int_equal((unsigned char)text[0] << 8 | (unsigned char)text[1], 1001);
	ws_done(&c);
}

#define PUBLIC(f) cmocka_unit_test_setup_teardown(f, open_public, close_it)
#define CLOSED(f) cmocka_unit_test_setup_teardown(f, open_closed, close_it)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PUBLIC(a_snapshot_comes_first_and_then_what_changes),
		PUBLIC(a_late_client_gets_the_recent_lines_with_its_snapshot),
		PUBLIC(a_new_haled_sends_everybody_a_snapshot),
		PUBLIC(pings_are_answered_and_a_close_is_returned),
		PUBLIC(what_is_not_understood_is_told_and_the_stream_goes_on),
		PUBLIC(broken_frames_end_the_connection_with_a_reason),
		PUBLIC(a_handshake_that_is_none_is_refused),
		PUBLIC(pages_of_this_host_and_of_named_origins_may_connect),
		CLOSED(a_token_in_the_first_message_opens_a_closed_listener),
		CLOSED(a_token_in_the_header_does_too_and_a_wrong_one_is_401),
		CLOSED(a_wrong_token_or_none_first_is_closed_with_1008),
		CLOSED(who_says_nothing_is_closed_when_the_time_is_up),
		PUBLIC(a_slow_client_is_dropped_and_the_others_are_not),
		PUBLIC(a_flood_of_pings_that_are_never_read_is_ended),
		PUBLIC(there_are_only_so_many_streams),
		PUBLIC(stopping_says_going_away),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
