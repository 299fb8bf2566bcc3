/* SPDX-License-Identifier: Apache-2.0 */
/* Which run when: confirmed off the grid, not too many of one host, tens of thousands. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "lineup.h"
#include "runner_world.h"
#include "schedule.h"

/* ---- Confirming off the grid ---- */

static void confirm(struct world *w, const char *id, uint16_t failures, uint16_t passes)
{
	const struct retry_rule rule = {
		.interval_ms = 5, .bad_from = 1, .failures = failures, .passes = passes};

	runner_set_retry(w->runner, id, &rule);
}

static void a_failure_is_confirmed_at_once_and_so_is_the_recovery(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 10);
	add(&w, "a", 60000, 5000, "{\"how\": \"fails\"}");
	add(&w, "clock", 50, 5000, "{}");
	confirm(&w, "a", 3, 2);
	runner_start(w.runner);
	until_published(&w, "a", 3);
	/* Then it is known, and left to the grid, which is a minute away. */
	until_published(&w, "clock", count_of(&w, "clock") + 4);
	assert_int_equal(count_of(&w, "a"), 3);
	assert_int_equal(runner_stats_get(w.runner).retries, 2);
	assert_int_equal(runner_stats_get(w.runner).skipped, 0);
	world_done(&w);
}

static void the_grid_goes_on_while_it_is_confirmed(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 10);
	add(&w, "a", 100, 50, "{\"how\": \"fails\"}");
	confirm(&w, "a", 2, 3);
	runner_start(w.runner);
	until_published(&w, "a", 4); /* one and its confirmation, then two of the grid */
	kind.is_mended = true;
	until_published(&w, "a", 7);
	assert_string_equal(text_of(nth_of(&w, "a", 4), "outcome"), "pass");
	assert_int_equal(runner_stats_get(w.runner).retries, 3);
	world_done(&w);
}

static void a_kind_that_hangs_is_told_as_often_as_it_would_be_asked(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 10);
	add(&w, "deaf", 60000, 20, "{\"how\": \"deaf\"}");
	confirm(&w, "deaf", 3, 1);
	runner_start(w.runner);
	until_published(&w, "deaf", 3);
	assert_int_equal(kind.started, 1);
	assert_non_null(strstr(text_of(nth_of(&w, "deaf", 2), "message"), "has not come back"));
	uv_sem_post(&kind.release);
	world_done(&w);
}

/* ---- Hosts ---- */

static void one_host_is_not_asked_by_all_at_once(void **state)
{
	struct answers answers = {0};
	struct world w;
	char id[8];

	(void)state;
	world_init_limited(&w, 100, 2);
	for (int i = 0; i < 20; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		add(&w, id, 60000, 5000,
		    "{\"how\": \"later\", \"delay\": 1, \"address\": \"a:1\"}");
		assert_int_equal(runner_run(w.runner, id, take_answer, &answers), 0);
	}
	add(&w, "other", 60000, 5000, "{\"address\": \"b:1\"}");
	assert_int_equal(runner_stats_get(w.runner).host_limited, 18);
	assert_int_equal(runner_run(w.runner, "other", take_answer, &answers), 0);
	assert_int_equal(answers.n, 1);
	while (answers.n < 21)
		turn(&w);
	assert_int_equal(runner_stats_get(w.runner).host_limited, 0);
	world_done(&w);
}

static void a_host_that_hangs_gets_no_more_than_its_share_and_recovers(void **state)
{
	struct answers answers = {0};
	struct world w;
	size_t peak = 0;
	char id[8];

	(void)state;
	world_init_limited(&w, 1000, 2);
	for (int i = 0; i < 20; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		add(&w, id, 60000, 200, "{\"how\": \"never\", \"address\": \"a:1\"}");
		assert_int_equal(runner_run(w.runner, id, take_answer, &answers), 0);
	}
	while (answers.n < 20) {
		turn(&w);
		peak = HALE_MAX(peak, runner_stats_get(w.runner).running);
	}
	assert_int_equal(peak, 2 * LINEUP_HOST_FACTOR);
	assert_int_equal(runner_stats_get(w.runner).timeouts, 20);
	world_done(&w);
}

/* ---- This host's own network ---- */

struct uplink {
	uv_tcp_t server;
	char target[32];
	struct guard_rule rule;
	struct runner_host host;
};

/* A port that nobody listens on, until uplink_open(). */
static void uplink_init(struct uplink *u)
{
	struct sockaddr_in address;
	int len = sizeof(address);
	uv_loop_t loop;

	memset(u, 0, sizeof(*u));
	uv_loop_init(&loop);
	uv_tcp_init(&loop, &u->server);
	uv_ip4_addr("127.0.0.1", 0, &address);
	assert_int_equal(uv_tcp_bind(&u->server, (struct sockaddr *)&address, 0), 0);
	uv_tcp_getsockname(&u->server, (struct sockaddr *)&address, &len);
	uv_close((uv_handle_t *)&u->server, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	snprintf(u->target, sizeof(u->target), "127.0.0.1:%d", ntohs(address.sin_port));
	strlist_add(&u->rule.targets, u->target);
	u->rule.timeout_ms = 1000;
	u->rule.interval_ms = 10;
	u->host = (struct runner_host){.concurrent_max = 10, .connectivity = &u->rule};
}

static void on_connection(uv_stream_t *server, int status)
{
	(void)server;
	(void)status;
}

static void uplink_open(struct uplink *u, struct world *w)
{
	struct sockaddr_in address;

	uv_ip4_addr("127.0.0.1", (int)strtol(strchr(u->target, ':') + 1, NULL, 10), &address);
	uv_tcp_init(&w->loop, &u->server);
	assert_int_equal(uv_tcp_bind(&u->server, (struct sockaddr *)&address, 0), 0);
	assert_int_equal(uv_listen((uv_stream_t *)&u->server, 8, on_connection), 0);
}

static void without_a_network_no_other_host_is_called_down(void **state)
{
	struct uplink u;
	struct world w;
	const json_t *o;

	(void)state;
	uplink_init(&u);
	world_init_with(&w, &u.host);
	add(&w, "far", 60000, 20, "{\"how\": \"never\", \"address\": \"far.example:1\"}");
	add(&w, "near", 60000, 20, "{\"how\": \"never\", \"address\": \"127.0.0.1:1\"}");
	add(&w, "wrong", 60000, 20, "{\"how\": \"fails\", \"address\": \"far.example:2\"}");
	runner_start(w.runner);
	until_published(&w, "far", 1);
	until_published(&w, "near", 1);
	until_published(&w, "wrong", 1);
	o = nth_of(&w, "far", 0);
	assert_string_equal(text_of(o, "outcome"), "error");
	assert_string_equal(text_of(o, "reason"), "own_network");
	assert_string_equal(text_of(o, "message"),
			    "This host itself has no network (Timed out connecting (after 20ms))");
	assert_string_equal(text_of(nth_of(&w, "near", 0), "outcome"), "down");
	assert_string_equal(text_of(nth_of(&w, "wrong", 0), "outcome"), "fail");
	assert_string_equal(w.status, "3 checks, no network");
	/* What was put off is checked as soon as there is one. */
	uplink_open(&u, &w);
	until_published(&w, "far", 2);
	assert_string_equal(text_of(nth_of(&w, "far", 1), "outcome"), "down");
	assert_int_equal(runner_stats_get(w.runner).network, GUARD_REACHABLE);
	assert_string_equal(w.status, "3 checks");
	uv_close((uv_handle_t *)&u.server, NULL);
	world_done(&w);
	strlist_done(&u.rule.targets);
}

static void who_checks_the_way_out_hears_the_truth(void **state)
{
	struct uplink u;
	struct world w;

	(void)state;
	uplink_init(&u);
	strlist_add(&u.rule.targets, "203.0.113.7:53"); /* never connected to: none is asked */
	world_init_with(&w, &u.host);
	add(&w, "uplink", 60000, 20, "{\"how\": \"never\", \"address\": \"203.0.113.7:53\"}");
	runner_start(w.runner);
	until_published(&w, "uplink", 1);
	assert_string_equal(text_of(nth_of(&w, "uplink", 0), "outcome"), "down");
	assert_int_equal(runner_stats_get(w.runner).network, GUARD_UNKNOWN);
	world_done(&w);
	strlist_done(&u.rule.targets);
}

static void a_stop_drops_what_waits_for_the_answer(void **state)
{
	struct answers answers = {0};
	struct uplink u;
	struct world w;

	(void)state;
	uplink_init(&u);
	world_init_with(&w, &u.host);
	add(&w, "far", 60000, 5, "{\"how\": \"never\", \"address\": \"far.example:1\"}");
	assert_int_equal(runner_run(w.runner, "far", take_answer, &answers), 0);
	while (runner_stats_get(w.runner).timeouts == 0)
		turn(&w);
	world_done(&w);
	assert_int_equal(answers.n, 1);
	strlist_done(&u.rule.targets);
}

/* ---- Many ---- */

#define MANY           50000
/* Of the runner's own: one that does not run needs no more, whatever its kind is. */
#define BYTES_EACH_MAX 320

#ifdef __SANITIZE_ADDRESS__
/* Of its allocator_interface.h, which gcc does not install. */
size_t __sanitizer_get_current_allocated_bytes(void);
#endif

static size_t bytes_in_use(void)
{
#ifdef __SANITIZE_ADDRESS__
	return __sanitizer_get_current_allocated_bytes();
#else
	return mallinfo2().uordblks;
#endif
}

/* No JSON is kept of so many: who was seen how often, and when. */
static struct {
	bool is_seen[MANY];
	size_t n;
	size_t slots[SCHEDULE_FIRST_MS / SCHEDULE_SLOT_MEDIUM_MS];
	int64_t start_ms;
} many;

static void count_one(void *ctx, json_t *observation)
{
	struct world *w = ctx;
	size_t i = strtoul(text_of(observation, "component") + 1, NULL, 10);
	size_t slot = (size_t)((int64_t)uv_now(&w->loop) - many.start_ms) / SCHEDULE_SLOT_MEDIUM_MS;

	many.n += !many.is_seen[i];
	many.is_seen[i] = true;
	if (many.n == MANY)
		uv_stop(&w->loop);
	many.slots[HALE_MIN(slot, ARRAY_LEN(many.slots) - 1)]++;
	json_decref(observation);
}

static void fifty_thousand_cost_little_and_are_spread(void **state)
{
	struct world w;
	size_t before, each;
	char id[8];

	(void)state;
	memset(&many, 0, sizeof(many));
	world_init_with(&w, &(struct runner_host){.concurrent_max = 100, .publish = count_one});
	uv_timer_start(&w.give_up, on_give_up, 6 * GIVE_UP_MS, 0);
	before = bytes_in_use();
	for (int i = 0; i < MANY; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		add(&w, id, 10000, 5000, "{\"how\": \"at_once\"}");
	}
	each = (bytes_in_use() - before) / MANY;
	if (each > BYTES_EACH_MAX)
		fail_msg("%zu bytes each", each);
	uv_update_time(&w.loop);
	many.start_ms = (int64_t)uv_now(&w.loop);
	runner_start(w.runner);
	while (many.n < MANY)
		turn(&w);
	/* All within the first second as far as this machine keeps up, and not at its beginning. */
	assert_true(many.slots[0] < MANY / 2);
	assert_true(runner_stats_get(w.runner).runs >= MANY);
	world_done(&w);
}

/* If a check waited for one that hangs it would be for a good part of this. How fast the machine
 * is, and how slow its sanitizers are, is not what is measured. */
#define HUNG_TIMEOUT_MS 1900

static void two_hundred_that_hang_delay_nobody_of_a_thousand(void **state)
{
	struct runner_stats stats;
	struct world w;
	char id[8];

	(void)state;
	world_init(&w, RUNNER_CONCURRENT_MAX);
	for (int i = 0; i < 1000; i++) {
		const char *how = i % 5 == 0 ? "never" : "later";
		char options[96];

		snprintf(id, sizeof(id), "c%d", i);
		snprintf(options, sizeof(options),
			 "{\"how\": \"%s\", \"delay\": 1, \"address\": \"a:1\"}", how);
		add(&w, id, HUNG_TIMEOUT_MS + 100, HUNG_TIMEOUT_MS, options);
	}
	runner_start(w.runner);
	while (runner_stats_get(w.runner).timeouts < 200)
		turn(&w);
	stats = runner_stats_get(w.runner);
	assert_true(stats.runs >= 1000);
	if (stats.queued_ms_max > HUNG_TIMEOUT_MS / 2)
		fail_msg("one waited for %d ms", (int)stats.queued_ms_max);
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_is_confirmed_at_once_and_so_is_the_recovery),
		cmocka_unit_test(the_grid_goes_on_while_it_is_confirmed),
		cmocka_unit_test(a_kind_that_hangs_is_told_as_often_as_it_would_be_asked),
		cmocka_unit_test(one_host_is_not_asked_by_all_at_once),
		cmocka_unit_test(a_host_that_hangs_gets_no_more_than_its_share_and_recovers),
		cmocka_unit_test(without_a_network_no_other_host_is_called_down),
		cmocka_unit_test(who_checks_the_way_out_hears_the_truth),
		cmocka_unit_test(a_stop_drops_what_waits_for_the_answer),
		cmocka_unit_test(fifty_thousand_cost_little_and_are_spread),
		cmocka_unit_test(two_hundred_that_hang_delay_nobody_of_a_thousand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
