/* SPDX-License-Identifier: Apache-2.0 */
/* The behaviours that behaviour.c asks of kinds over TCP, for one that asks by datagrams. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "kind.h"
#include "runner.h"

#define ANSWER_MAX 1024

/* ---- A name server on the loop ---- */

enum manner { WELL, SILENT, LOSSY, GARBAGE, CUT, STRANGER, ENDLESS, SERVFAIL, TELLS };

static struct {
	uv_udp_t udp;
	int port;
	enum manner manner;
	int asked;
} server;

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	static char bytes[4096];

	(void)handle, (void)size;
	*buf = uv_buf_init(bytes, sizeof(bytes));
}

static void say(const struct sockaddr *to, const char *bytes, size_t len)
{
	uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)len);

	(void)uv_udp_try_send(&server.udp, &buf, 1, to);
}

/* One address for whatever was asked. */
static size_t answer(const char *question, size_t len, char out[ANSWER_MAX])
{
	static const char record[] = "\xc0\x0c\0\1\0\1\0\0\0\x1e\0\4\xc0\0\2\1";
	size_t end = 12 + strlen(question + 12) + 5;

	assert_true(end <= len && end + sizeof(record) < ANSWER_MAX);
	memcpy(out, question, end);
	memcpy(out + 2, "\x81\x80\0\1\0\1\0\0\0\0", 10);
	memcpy(out + end, record, sizeof(record) - 1);
	return end + sizeof(record) - 1;
}

static void on_question(uv_udp_t *udp, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from,
			unsigned flags)
{
	char out[ANSWER_MAX];
	size_t len;

	(void)udp, (void)flags;
	if (n <= 0 || from == NULL)
		return;
	server.asked++;
	len = answer(buf->base, (size_t)n, out);
	switch (server.manner) {
	case WELL:
		say(from, out, len);
		break;
	case LOSSY:
		if (server.asked % 2 == 0)
			say(from, out, len);
		break;
	case GARBAGE:
		say(from, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 13);
		break;
	case CUT:
		say(from, out, len - 3);
		break;
	case STRANGER:
		out[0] = (char)(out[0] ^ 1);
		say(from, out, len);
		break;
	case ENDLESS:
		for (int i = 0; i < 1000; i++)
			say(from, "\0\0 not an answer", 15);
		break;
	case SERVFAIL:
		out[3] = (char)(out[3] | 2);
		say(from, out, len);
		break;
	case TELLS:
		uv_stop(&kind_loop);
		break;
	case SILENT:
		break;
	}
}

static void serve(int port)
{
	struct sockaddr_in at;
	int size = sizeof(at);

	assert_int_equal(uv_ip4_addr("127.0.0.1", port, &at), 0);
	assert_int_equal(uv_udp_init(&kind_loop, &server.udp), 0);
	assert_int_equal(uv_udp_bind(&server.udp, (const struct sockaddr *)&at, 0), 0);
	assert_int_equal(uv_udp_getsockname(&server.udp, (struct sockaddr *)&at, &size), 0);
	server.port = ntohs(at.sin_port);
	assert_int_equal(uv_udp_recv_start(&server.udp, on_alloc, on_question), 0);
	uv_unref((uv_handle_t *)&server.udp);
}

static void stop_serving(void)
{
	uv_close((uv_handle_t *)&server.udp, NULL);
	(void)uv_run(&kind_loop, UV_RUN_NOWAIT);
}

static int setup(void **state)
{
	int rc = kind_setup(state);

	server.asked = 0;
	server.manner = WELL;
	serve(0);
	return rc;
}

static int teardown(void **state)
{
	if (!uv_is_closing((uv_handle_t *)&server.udp))
		stop_serving();
	return kind_teardown(state);
}

/* ---- What the kind makes of it ---- */

static char *options(void)
{
	return mem_printf("{\"name\": \"www.hale.test\", \"servers\": [\"127.0.0.1:%d\"]}",
			  server.port);
}

static void ends(enum manner manner, int64_t timeout_ms, const char *outcome, const char *reason)
{
	HALE_CLEANUP(cleanup_free) char *text = options();
	json_t *o;

	server.manner = manner;
	o = kind_ask(text, timeout_ms);
	if (strcmp(kind_text(o, "outcome"), outcome) != 0 ||
	    strcmp(kind_text(o, "reason"), reason) != 0)
		fail_msg("manner %d: %s %s: %s", manner, kind_text(o, "outcome"),
			 kind_text(o, "reason"), kind_text(o, "message"));
	json_decref(o);
}

static void an_answer_is_a_pass(void **state)
{
	(void)state;
	ends(WELL, 5000, "pass", "ok");
	assert_int_equal(server.asked, 1);
}

static void a_lost_packet_is_asked_again(void **state)
{
	(void)state;
	ends(LOSSY, 4000, "pass", "ok");
	assert_int_equal(server.asked, 2);
}

static void what_is_no_answer_to_the_question_is_passed_over(void **state)
{
	(void)state;
	ends(SILENT, 300, "down", "timeout_dns");
	ends(STRANGER, 300, "down", "timeout_dns");
	ends(GARBAGE, 300, "down", "timeout_dns");
	ends(ENDLESS, 300, "down", "timeout_dns");
}

static void a_bad_answer_is_a_failure(void **state)
{
	(void)state;
	ends(CUT, 5000, "fail", "protocol_error");
	ends(SERVFAIL, 5000, "fail", "dns_rcode");
}

static void a_server_that_is_gone_and_back(void **state)
{
	int port = server.port;

	(void)state;
	stop_serving();
	ends(WELL, 5000, "down", "conn_refused");
	serve(port);
	ends(WELL, 5000, "pass", "ok");
}

/* ---- Cancelled in the middle ---- */

static void never_told(void *ctx, json_t *observation)
{
	(void)ctx;
	json_decref(observation);
	fail_msg("nobody was to hear of it");
}

static void no_status(void *ctx, const char *text)
{
	(void)ctx, (void)text;
}

static void on_answer(void *ctx, const json_t *observation, const json_t *saw)
{
	(void)saw;
	assert_null(observation);
	*(bool *)ctx = true;
}

static void on_stopped(void *ctx)
{
	*(bool *)ctx = true;
	uv_stop(&kind_loop);
}

static void stopping_while_it_waits_leaves_nothing_behind(void **state)
{
	HALE_CLEANUP(cleanup_free) char *text = options();
	json_t *json = json_loads(text, 0, NULL);
	bool is_told = false, is_stopped = false;
	struct err err = {0};
	struct runner *r = runner_new(&check_ops, &(struct runner_host){.loop = &kind_loop,
									.node = "n1",
									.concurrent_max = 1,
									.publish = never_told,
									.status = no_status});

	(void)state;
	server.manner = TELLS;
	assert_int_equal(runner_add(r, "a", 60000, 30000, json, &err), 0);
	assert_int_equal(runner_run(r, "a", on_answer, &is_told), 0);
	(void)uv_run(&kind_loop, UV_RUN_DEFAULT);
	assert_int_equal(server.asked, 1);
	runner_stop(r, on_stopped, &is_stopped);
	while (!is_stopped)
		(void)uv_run(&kind_loop, UV_RUN_DEFAULT);
	(void)uv_run(&kind_loop, UV_RUN_NOWAIT);
	(void)uv_run(&kind_loop, UV_RUN_NOWAIT);
	assert_true(is_told);
	runner_free(r);
	json_decref(json);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer_is_a_pass),
		TEST(a_lost_packet_is_asked_again),
		TEST(what_is_no_answer_to_the_question_is_passed_over),
		TEST(a_bad_answer_is_a_failure),
		TEST(a_server_that_is_gone_and_back),
		TEST(stopping_while_it_waits_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
