/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/clock.h"
#include "base/mem.h"
#include "resolve.h"
#include "threads.h"

static atomic_int lookups;
/* Names that begin with "slow" resolve once it opens. One for all tests: a thread may be late. */
static uv_sem_t gate;

/* Stands before libc's: "none…" has no address, all others 10.0.0.1 … as many as "many" says. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **out)
{
	size_t n = strncmp(node, "many", 4) == 0 ? RESOLVE_ADDRESSES_MAX + 9 : 1;

	(void)service;
	(void)hints;
	atomic_fetch_add(&lookups, 1);
	if (strncmp(node, "slow", 4) == 0)
		uv_sem_wait(&gate);
	if (strncmp(node, "none", 4) == 0)
		return EAI_NONAME;
	*out = NULL;
	for (; n > 0; n--) {
		struct addrinfo *a = calloc(1, sizeof(*a) + sizeof(struct sockaddr_in));
		struct sockaddr_in *address = (struct sockaddr_in *)(a + 1);

		address->sin_family = AF_INET;
		address->sin_addr.s_addr = htonl(0x0a000000u + (uint32_t)n);
		a->ai_family = AF_INET;
		a->ai_addr = (struct sockaddr *)address;
		a->ai_addrlen = sizeof(*address);
		a->ai_next = *out;
		*out = a;
	}
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

struct bench {
	uv_loop_t loop;
	struct threads *threads;
	struct resolver *resolver;
	int answers;
	size_t addresses;
	char error[128];
	struct resolve_wait *cancels; /* what an answer cancels */
};

static int setup(void **state)
{
	struct bench *b = mem_alloc(sizeof(*b));

	atomic_store(&lookups, 0);
	assert_int_equal(uv_loop_init(&b->loop), 0);
	b->threads = threads_new(&b->loop);
	b->resolver = resolver_new(b->threads);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	threads_close(b->threads);
	while (uv_run(&b->loop, UV_RUN_DEFAULT) != 0)
		;
	resolver_free(b->resolver);
	threads_free(b->threads);
	assert_int_equal(uv_loop_close(&b->loop), 0);
	free(b);
	return 0;
}

static void on_answer(void *ctx, const struct resolve_answer *answer)
{
	struct bench *b = ctx;

	b->answers++;
	b->addresses = answer->n;
	(void)snprintf(b->error, sizeof(b->error), "%s",
		       answer->error != NULL ? answer->error : "");
	resolve_cancel(TAKE_PTR(b->cancels));
	uv_stop(&b->loop);
}

static struct resolve_wait *ask(struct bench *b, const char *host)
{
	return resolve_start(b->resolver, host, on_answer, b);
}

static void wait_for_answers(struct bench *b, int n)
{
	while (b->answers < n)
		(void)uv_run(&b->loop, UV_RUN_DEFAULT);
	assert_int_equal(b->answers, n);
}

static bool is_kept(struct bench *b, const char *host, int64_t later_ms)
{
	struct resolve_answer answer;

	return resolve_kept(b->resolver, host, clock_mono_ms() + later_ms, &answer);
}

static void numbers_need_nobody(void **state)
{
	union resolve_address a;

	(void)state;
	assert_true(resolve_number("10.0.0.1", &a));
	assert_int_equal(a.any.sa_family, AF_INET);
	assert_true(resolve_number("::1", &a));
	assert_int_equal(a.any.sa_family, AF_INET6);
	assert_false(resolve_number("10.0.0", &a));
	assert_false(resolve_number("a.test", &a));
	assert_false(resolve_number("", &a));
	assert_int_equal(atomic_load(&lookups), 0);
}

static void those_who_ask_together_share_a_lookup(void **state)
{
	struct bench *b = *state;

	for (int i = 0; i < 100; i++)
		(void)ask(b, "slow.test");
	(void)ask(b, "a.test");
	wait_for_answers(b, 1);
	uv_sem_post(&gate);
	wait_for_answers(b, 101);
	assert_int_equal(atomic_load(&lookups), 2);
}

static void what_was_found_is_kept_a_minute(void **state)
{
	struct bench *b = *state;

	assert_false(is_kept(b, "a.test", 0));
	(void)ask(b, "a.test");
	wait_for_answers(b, 1);
	assert_int_equal(b->addresses, 1);
	assert_true(is_kept(b, "a.test", 0));
	assert_true(is_kept(b, "a.test", RESOLVE_KEEP_MS - 10000));
	assert_false(is_kept(b, "a.test", RESOLVE_KEEP_MS));
	assert_false(is_kept(b, "a.test", 0));
}

static void what_was_not_found_is_not_kept(void **state)
{
	struct bench *b = *state;

	(void)ask(b, "none.test");
	wait_for_answers(b, 1);
	assert_string_equal(b->error, gai_strerror(EAI_NONAME));
	assert_false(is_kept(b, "none.test", 0));
}

static void a_name_can_be_forgotten(void **state)
{
	struct bench *b = *state;

	(void)ask(b, "a.test");
	wait_for_answers(b, 1);
	resolve_forget(b->resolver, "a.test");
	resolve_forget(b->resolver, "b.test");
	assert_false(is_kept(b, "a.test", 0));
	(void)ask(b, "a.test");
	wait_for_answers(b, 2);
	assert_true(is_kept(b, "a.test", 0));
	assert_int_equal(atomic_load(&lookups), 2);
}

static void who_cancels_hears_nothing(void **state)
{
	struct bench *b = *state;
	struct resolve_wait *first = ask(b, "slow.test"), *last;

	(void)ask(b, "slow.test");
	last = ask(b, "slow.test");
	resolve_cancel(first);
	resolve_cancel(last);
	resolve_cancel(NULL);
	uv_sem_post(&gate);
	wait_for_answers(b, 1);
}

/* The one that is told first takes another along. */
static void an_answer_may_cancel_those_who_come_after(void **state)
{
	struct bench *b = *state;

	b->cancels = ask(b, "slow.test");
	(void)ask(b, "slow.test");
	uv_sem_post(&gate);
	wait_for_answers(b, 1);
	(void)uv_run(&b->loop, UV_RUN_NOWAIT);
	assert_int_equal(b->answers, 1);
}

/* The test ends while the thread is out: nothing may be leaked, nor used after it was freed. */
static void a_resolver_goes_before_its_thread(void **state)
{
	struct bench *b = *state;
	struct resolve_wait *wait = ask(b, "slow.test");

	resolve_cancel(wait);
	uv_sem_post(&gate);
}

static void few_addresses_are_enough(void **state)
{
	struct bench *b = *state;

	(void)ask(b, "many.test");
	wait_for_answers(b, 1);
	assert_int_equal(b->addresses, RESOLVE_ADDRESSES_MAX);
}

static void what_is_kept_is_bounded(void **state)
{
	struct bench *b = *state;
	char host[32];

	for (int i = 0; i <= RESOLVE_KEEP_MAX; i++) {
		(void)snprintf(host, sizeof(host), "h%d.test", i);
		(void)ask(b, host);
		wait_for_answers(b, i + 1);
	}
	assert_false(is_kept(b, "h0.test", 0));
	assert_true(is_kept(b, "h1.test", 0));
	assert_true(is_kept(b, host, 0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(numbers_need_nobody),
		TEST(those_who_ask_together_share_a_lookup),
		TEST(what_was_found_is_kept_a_minute),
		TEST(what_was_not_found_is_not_kept),
		TEST(a_name_can_be_forgotten),
		TEST(who_cancels_hears_nothing),
		TEST(an_answer_may_cancel_those_who_come_after),
		TEST(a_resolver_goes_before_its_thread),
		TEST(few_addresses_are_enough),
		TEST(what_is_kept_is_bounded),
	};

	if (uv_sem_init(&gate, 0) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
