/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <netdb.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "conn.h"
#include "kind.h"
#include "peer.h"

#define SHORT_MS 200
#define LONG_MS  20000

static uv_sem_t gate;      /* "hang.test" resolves once it opens */
static atomic_int lookups; /* of names; the resolver's threads count them */

static void add_address(struct addrinfo **list, const char *host)
{
	struct addrinfo *a = calloc(1, sizeof(*a) + sizeof(struct sockaddr_in));
	struct sockaddr_in *address = (struct sockaddr_in *)(a + 1);

	assert_int_equal(uv_ip4_addr(host, 0, address), 0);
	a->ai_family = AF_INET;
	a->ai_addr = (struct sockaddr *)address;
	a->ai_addrlen = sizeof(*address);
	a->ai_next = *list;
	*list = a;
}

/* Stands before libc's. "two.test" has a dead address before its good one. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **out)
{
	(void)service;
	(void)hints;
	atomic_fetch_add(&lookups, 1);
	if (strcmp(node, "hang.test") == 0)
		uv_sem_wait(&gate);
	if (strcmp(node, "two.test") != 0)
		return EAI_NONAME;
	*out = NULL;
	add_address(out, "127.0.0.1");
	add_address(out, "127.0.0.2");
	return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
	while (list != NULL) {
		struct addrinfo *next = list->ai_next;

		free(list);
		list = next;
	}
}

/* Options with "PORT" filled in; the caller frees. */
static char *with_port(const char *options, int port)
{
	const char *at = strstr(options, "PORT");

	return mem_printf("%.*s%d%s", (int)(at - options), options, port, at + 4);
}

static json_t *ask_peer(const struct peer_manner *manner, const char *options, int64_t timeout_ms)
{
	char *text = with_port(options, peer_start(manner));
	json_t *o = kind_ask(text, timeout_ms);

	free(text);
	return o;
}

static void expect_peer(const struct peer_manner *manner, const char *options, const char *reason,
			const char *message)
{
	json_t *o = ask_peer(manner, options, LONG_MS);

	assert_string_equal(kind_text(o, "reason"), reason);
	assert_string_equal(kind_text(o, "message"), message);
	json_decref(o);
	peer_stop();
}

#define CONNECT "{\"address\": \"127.0.0.1:PORT\"}"
#define EXPECT  "{\"address\": \"127.0.0.1:PORT\", \"expect\": \"+PONG\"}"
#define ASK     "{\"address\": \"127.0.0.1:PORT\", \"send\": \"PING\\r\\n\", \"expect\": \"+PONG\"}"

static void connecting_is_enough(void **state)
{
	json_t *o = ask_peer(&(struct peer_manner){0}, CONNECT, LONG_MS);

	(void)state;
	assert_string_equal(kind_text(o, "outcome"), "pass");
	assert_string_equal(kind_text(o, "message"), "connected");
	assert_true(kind_metric(o, "connect_ms") > 0);
	assert_string_equal(kind_text(json_object_get(o, "details"), "ip"), "127.0.0.1");
	json_decref(o);
	peer_stop();
}

static void a_greeting_is_heard(void **state)
{
	(void)state;
	expect_peer(&(struct peer_manner){.greeting = "hello +PONG"}, EXPECT, "ok",
		    "connected and got the expected answer");
}

static void an_answer_is_asked_for(void **state)
{
	json_t *o = ask_peer(&(struct peer_manner){.answer = "+PONG\r\n"}, ASK, LONG_MS);

	(void)state;
	assert_string_equal(kind_text(o, "outcome"), "pass");
	assert_string_equal(peer_heard(), "PING\r\n");
	assert_true(kind_metric(o, "first_byte_ms") > 0);
	json_decref(o);
	peer_stop();
}

static void another_answer_is_a_mismatch(void **state)
{
	(void)state;
	expect_peer(&(struct peer_manner){.answer = "-ERR no\r\n", .is_closing = true}, ASK,
		    "body_mismatch", "expected '+PONG', got: -ERR no  ");
}

static void a_flood_is_a_mismatch(void **state)
{
	char *flood = mem_array(200001, 1);
	json_t *o;

	(void)state;
	memset(flood, 'x', 200000);
	o = ask_peer(&(struct peer_manner){.greeting = flood}, EXPECT, LONG_MS);
	assert_string_equal(kind_text(o, "reason"), "body_mismatch");
	json_decref(o);
	peer_stop();
	while (uv_run(&kind_loop, UV_RUN_DEFAULT) != 0)
		;
	free(flood);
}

static void closing_without_an_answer_is_conn_closed(void **state)
{
	(void)state;
	expect_peer(&(struct peer_manner){.answer = "", .is_closing = true}, ASK, "conn_closed",
		    "Connection closed without an answer");
}

static void a_reset_is_conn_reset(void **state)
{
	(void)state;
	expect_peer(&(struct peer_manner){.is_reset = true}, ASK, "conn_reset",
		    "connection reset by peer");
}

static void silence_is_a_read_timeout(void **state)
{
	json_t *o = ask_peer(&(struct peer_manner){0}, EXPECT, SHORT_MS);

	(void)state;
	assert_string_equal(kind_text(o, "reason"), "timeout_read");
	json_decref(o);
	peer_stop();
}

static int closed_port(void)
{
	int port = peer_start(&(struct peer_manner){0});

	peer_stop();
	return port;
}

static void a_closed_port_is_refused(void **state)
{
	char *options = with_port(CONNECT, closed_port());

	(void)state;
	kind_expect(options, "down", "conn_refused", "connection refused");
	free(options);
}

static void an_unknown_name_is_dns_failed(void **state)
{
	(void)state;
	kind_expect("{\"address\": \"nosuch.test:1\"}", "down", "dns_failed",
		    "nosuch.test: Name or service not known");
}

static void open_gate(uv_timer_t *timer)
{
	uv_sem_post(&gate);
	uv_close((uv_handle_t *)timer, NULL);
}

/* The runner tells at the deadline; the run ends when the thread has come back. */
static void a_resolver_that_hangs_is_a_dns_timeout(void **state)
{
	uv_timer_t timer;
	json_t *o;

	(void)state;
	assert_int_equal(uv_sem_init(&gate, 0), 0);
	assert_int_equal(uv_timer_init(&kind_loop, &timer), 0);
	assert_int_equal(uv_timer_start(&timer, open_gate, 2 * (uint64_t)SHORT_MS, 0), 0);
	o = kind_ask("{\"address\": \"hang.test:1\"}", SHORT_MS);
	assert_string_equal(kind_text(o, "reason"), "timeout_dns");
	json_decref(o);
	while (uv_run(&kind_loop, UV_RUN_DEFAULT) != 0)
		;
	uv_sem_destroy(&gate);
}

static void each_address_of_a_name_is_tried(void **state)
{
	json_t *o = ask_peer(&(struct peer_manner){.greeting = "+PONG"},
			     "{\"address\": \"two.test:PORT\", \"expect\": \"+PONG\"}", LONG_MS);

	(void)state;
	assert_string_equal(kind_text(o, "outcome"), "pass");
	assert_string_equal(kind_text(json_object_get(o, "details"), "ip"), "127.0.0.1");
	json_decref(o);
	peer_stop();
}

/* A listener whose queue is full answers to no packet. */
static int swallow(const char *host, int port, int knocking[2])
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address;

	assert_int_equal(uv_ip4_addr(host, port, &address), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 0), 0);
	for (int i = 0; i < 2; i++) {
		knocking[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(knocking[i], (struct sockaddr *)&address, sizeof(address));
	}
	return fd;
}

/* The first of the two would take all the time there is. */
static void an_address_that_is_silent_does_not_hold_up_the_next(void **state)
{
	int port = peer_start(&(struct peer_manner){.greeting = "+PONG"});
	char *options = with_port("{\"address\": \"two.test:PORT\", \"expect\": \"+PONG\"}", port);
	int knocking[2], fd = swallow("127.0.0.2", port, knocking);
	json_t *o = kind_ask(options, LONG_MS);

	(void)state;
	assert_string_equal(kind_text(o, "outcome"), "pass");
	assert_string_equal(kind_text(json_object_get(o, "details"), "ip"), "127.0.0.1");
	assert_true(kind_metric(o, "connect_ms") >= CONN_NEXT_MS / 2.0);
	json_decref(o);
	peer_stop();
	(void)close(knocking[0]);
	(void)close(knocking[1]);
	(void)close(fd);
	free(options);
}

static void the_last_address_says_why(void **state)
{
	char *options = with_port("{\"address\": \"two.test:PORT\"}", closed_port());

	(void)state;
	kind_expect(options, "down", "conn_refused", "connection refused");
	free(options);
}

static void validation_reads_the_address(void **state)
{
	char *problem = kind_problem("{\"address\": \"localhost\"}");

	(void)state;
	assert_string_equal(problem, "/address: expected host:port");
	free(problem);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kind_setup, kind_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(connecting_is_enough),
		TEST(a_greeting_is_heard),
		TEST(an_answer_is_asked_for),
		TEST(another_answer_is_a_mismatch),
		TEST(a_flood_is_a_mismatch),
		TEST(closing_without_an_answer_is_conn_closed),
		TEST(a_reset_is_conn_reset),
		TEST(silence_is_a_read_timeout),
		TEST(a_closed_port_is_refused),
		TEST(an_unknown_name_is_dns_failed),
		TEST(a_resolver_that_hangs_is_a_dns_timeout),
		TEST(each_address_of_a_name_is_tried),
		TEST(an_address_that_is_silent_does_not_hold_up_the_next),
		TEST(the_last_address_says_why),
		TEST(validation_reads_the_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
