/* SPDX-License-Identifier: Apache-2.0 */
/* The runner on a real loop, with a kind that does what its options say. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <malloc.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "lineup.h"
#include "runner.h"
#include "schedule.h"

/* Nothing here takes this long; a loop that waits for more is broken. */
#define GIVE_UP_MS 10000

/* ---- The kind ---- */

struct fake_opts {
	char *how;
	int64_t delay;
	char *address;
};

static const struct conf_item fake_items[] = {
	CONF_ENUM(struct fake_opts, how, .def = "at_once",
		  .choices = "at_once|later|never|thread|deaf|fails|twice"),
	CONF_DURATION(struct fake_opts, delay, .def = "0"),
	CONF_STR(struct fake_opts, address, .flags = CONF_F_CONNECT),
	CONF_END,
};

struct fake_run {
	uv_timer_t timer;
	int zero; /* proves that run data are zeroed */
	enum reason says;
};

static struct {
	size_t started;
	size_t cancelled;
	size_t now; /* running at the moment */
	size_t peak;
	bool is_mended;   /* what fails does not any more */
	uv_sem_t release; /* of deaf threads */
} kind;

static void fake_end(struct check *c, enum reason reason)
{
	kind.now--;
	check_metric(c, "answer", 42);
	check_metric(c, "nonsense", NAN);
	check_detail(c, "who", json_string(check_id(c)));
	check_saw(c, "seen", json_string("this"));
	check_done(c, reason, "said %s", check_id(c));
}

static void on_closed(uv_handle_t *handle)
{
	struct check *c = handle->data;
	struct fake_run *run = check_run_data(c);

	fake_end(c, run->says);
}

static void on_delay(uv_timer_t *timer)
{
	uv_close((uv_handle_t *)timer, on_closed);
}

static void wait_for_release(void *run_data)
{
	(void)run_data;
	uv_sem_wait(&kind.release);
}

static void in_thread(void *run_data)
{
	struct fake_run *run = run_data;

	run->says = REASON_HTTP_STATUS;
}

static void after_thread(struct check *c)
{
	struct fake_run *run = check_run_data(c);

	fake_end(c, run->says);
}

static void fake_start(struct check *c)
{
	const struct fake_opts *o = check_opts(c);
	struct fake_run *run = check_run_data(c);

	assert_int_equal(run->zero, 0);
	run->zero = 1;
	run->says = REASON_OK;
	kind.started++;
	kind.now++;
	kind.peak = HALE_MAX(kind.peak, kind.now);
	if (str_eq(o->how, "at_once")) {
		fake_end(c, REASON_OK);
	} else if (str_eq(o->how, "fails")) {
		fake_end(c, kind.is_mended ? REASON_OK : REASON_HTTP_STATUS);
	} else if (str_eq(o->how, "twice")) {
		fake_end(c, REASON_OK);
		fake_end(c, REASON_OK);
	} else if (str_eq(o->how, "thread")) {
		check_work(c, in_thread, after_thread);
	} else if (str_eq(o->how, "deaf")) {
		check_stage(c, REASON_TIMEOUT_DNS);
		check_work(c, wait_for_release, after_thread);
	} else {
		check_stage(c, REASON_TIMEOUT_CONNECT);
		uv_timer_init(check_loop(c), &run->timer);
		run->timer.data = c;
		if (str_eq(o->how, "later"))
			uv_timer_start(&run->timer, on_delay, (uint64_t)o->delay, 0);
	}
}

static void fake_cancel(struct check *c)
{
	const struct fake_opts *o = check_opts(c);
	struct fake_run *run = check_run_data(c);

	kind.cancelled++;
	/* Says something, in a later turn, that nobody must hear. */
	if (!str_eq(o->how, "deaf") && !str_eq(o->how, "thread"))
		uv_close((uv_handle_t *)&run->timer, on_closed);
}

static const struct check_ops ops = {
	.kind = "fake",
	.items = fake_items,
	.opts_size = sizeof(struct fake_opts),
	.run_size = sizeof(struct fake_run),
	.start = fake_start,
	.cancel = fake_cancel,
};

/* runner_service.c, in the same archive, asks for one. */
const struct check_ops check_ops = {.kind = "fake", .items = fake_items};

/* ---- The surroundings ---- */

struct world {
	uv_loop_t loop;
	uv_timer_t give_up;
	struct runner *runner;
	json_t *published; /* list of observations */
	char status[128];
	bool is_stopped;
};

static void publish(void *ctx, json_t *observation)
{
	struct world *w = ctx;

	assert_false(w->is_stopped);
	json_array_append_new(w->published, observation);
}

static void tell_status(void *ctx, const char *text)
{
	struct world *w = ctx;

	snprintf(w->status, sizeof(w->status), "%s", text);
}

static void on_give_up(uv_timer_t *timer)
{
	(void)timer;
	fail_msg("waited too long");
}

/* What `given` leaves open is filled in. */
static void world_init_with(struct world *w, const struct runner_host *given)
{
	struct runner_host host = *given;

	memset(w, 0, sizeof(*w));
	memset(&kind, 0, sizeof(kind));
	uv_sem_init(&kind.release, 0);
	uv_loop_init(&w->loop);
	uv_timer_init(&w->loop, &w->give_up);
	uv_timer_start(&w->give_up, on_give_up, GIVE_UP_MS, 0);
	w->published = json_array();
	host.loop = &w->loop;
	host.node = "n1";
	host.status = tell_status;
	host.ctx = w;
	if (host.publish == NULL)
		host.publish = publish;
	w->runner = runner_new(&ops, &host);
}

static void world_init(struct world *w, size_t concurrent_max)
{
	world_init_with(w, &(struct runner_host){.concurrent_max = concurrent_max});
}

static void world_init_limited(struct world *w, size_t concurrent_max, size_t per_host_max)
{
	world_init_with(w, &(struct runner_host){.concurrent_max = concurrent_max,
						 .per_host_max = per_host_max});
}

static void add(struct world *w, const char *id, int64_t interval, int64_t timeout,
		const char *options)
{
	json_t *json = json_loads(options, 0, NULL);
	struct err err = {0};

	if (runner_add(w->runner, id, interval, timeout, json, &err) < 0)
		fail_msg("%s", err.text);
	json_decref(json);
}

static void turn(struct world *w)
{
	uv_run(&w->loop, UV_RUN_ONCE);
}

static size_t count_of(const struct world *w, const char *id)
{
	size_t n = 0;
	size_t i;
	json_t *o;

	json_array_foreach (w->published, i, o)
		n += str_eq(json_string_value(json_object_get(o, "component")), id);
	return n;
}

static void until_published(struct world *w, const char *id, size_t n)
{
	while (count_of(w, id) < n)
		turn(w);
}

static const json_t *nth_of(const struct world *w, const char *id, size_t n)
{
	size_t i;
	json_t *o;

	json_array_foreach (w->published, i, o) {
		if (str_eq(json_string_value(json_object_get(o, "component")), id) && n-- == 0)
			return o;
	}
	fail_msg("no such observation");
	return NULL;
}

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text != NULL ? text : "";
}

static void on_stopped(void *ctx)
{
	struct world *w = ctx;

	w->is_stopped = true;
}

static void world_stop(struct world *w)
{
	runner_stop(w->runner, on_stopped, w);
	while (!w->is_stopped)
		turn(w);
	uv_close((uv_handle_t *)&w->give_up, NULL);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	runner_free(w->runner);
	json_decref(w->published);
}

static void world_done(struct world *w)
{
	world_stop(w);
	uv_sem_destroy(&kind.release);
}

/* ---- Tests ---- */

static void a_run_is_published_with_all_it_said(void **state)
{
	struct world w;
	const json_t *o;

	(void)state;
	world_init(&w, 10);
	add(&w, "a", 50, 1000, "{}");
	runner_start(w.runner);
	assert_string_equal(w.status, "1 check");
	until_published(&w, "a", 1);
	o = nth_of(&w, "a", 0);
	assert_string_equal(text_of(o, "node"), "n1");
	assert_string_equal(text_of(o, "outcome"), "pass");
	assert_string_equal(text_of(o, "reason"), "ok");
	assert_string_equal(text_of(o, "message"), "said a");
	assert_int_equal(json_object_size(json_object_get(o, "metrics")), 1);
	assert_true(json_number_value(json_object_get(json_object_get(o, "metrics"), "answer")) ==
		    42);
	assert_string_equal(text_of(json_object_get(o, "details"), "who"), "a");
	world_done(&w);
}

static void runs_come_again_and_again_without_skipping(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 10);
	add(&w, "a", 20, 1000, "{}");
	add(&w, "b", 20, 1000, "{\"how\": \"later\", \"delay\": 1}");
	add(&w, "c", 20, 1000, "{\"how\": \"thread\"}");
	runner_start(w.runner);
	until_published(&w, "a", 5);
	until_published(&w, "b", 5);
	until_published(&w, "c", 5);
	assert_string_equal(text_of(nth_of(&w, "c", 4), "reason"), "http_status");
	assert_true(runner_stats_get(w.runner).runs >= 15);
	assert_true(runner_is_alive(w.runner));
	world_done(&w);
}

static void at_the_deadline_the_stage_is_told_and_the_kind_cancelled(void **state)
{
	struct world w;
	const json_t *o;

	(void)state;
	world_init(&w, 10);
	add(&w, "a", 60000, 30, "{\"how\": \"never\"}");
	runner_start(w.runner);
	until_published(&w, "a", 1);
	o = nth_of(&w, "a", 0);
	assert_string_equal(text_of(o, "outcome"), "down");
	assert_string_equal(text_of(o, "reason"), "timeout_connect");
	assert_string_equal(text_of(o, "message"), "Timed out connecting (after 30ms)");
	assert_true(json_number_value(json_object_get(o, "took_ms")) >=
		    29); /* timers count whole ms */
	assert_int_equal(kind.cancelled, 1);
	assert_int_equal(runner_stats_get(w.runner).timeouts, 1);
	world_done(&w);
}

static void what_is_said_after_the_deadline_is_not_published(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 10);
	add(&w, "a", 40, 20, "{\"how\": \"never\"}");
	runner_start(w.runner);
	until_published(&w, "a", 4);
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(text_of(nth_of(&w, "a", i), "reason"), "timeout_connect");
	assert_true(runner_stats_get(w.runner).timeouts == 4);
	assert_int_equal(kind.started, 4);
	world_done(&w);
}

static void a_kind_that_hangs_is_told_at_each_tick_and_delays_nobody(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1); /* the hung one must not hold the only place */
	add(&w, "deaf", 40, 20, "{\"how\": \"deaf\"}");
	add(&w, "a", 40, 1000, "{}");
	runner_start(w.runner);
	until_published(&w, "deaf", 3);
	until_published(&w, "a", 3);
	assert_string_equal(text_of(nth_of(&w, "deaf", 0), "message"),
			    "Timed out resolving the name (after 20ms)");
	assert_string_equal(text_of(nth_of(&w, "deaf", 2), "reason"), "timeout_dns");
	assert_non_null(strstr(text_of(nth_of(&w, "deaf", 2), "message"), "has not come back"));
	assert_true(runner_stats_get(w.runner).skipped >= 2);
	assert_int_equal(runner_stats_get(w.runner).stuck, 1);
	assert_int_equal(kind.started - count_of(&w, "a"), 1);
	uv_sem_post(&kind.release);
	while (runner_stats_get(w.runner).stuck > 0)
		turn(&w);
	uv_sem_post(&kind.release); /* the next run answers */
	while (!str_eq(text_of(nth_of(&w, "deaf", count_of(&w, "deaf") - 1), "reason"), "ok"))
		turn(&w);
	world_done(&w);
}

/* ---- Runs by command ---- */

struct answers {
	size_t n;
	size_t without;
	size_t seen;
	char message[128];
};

static void take_answer(void *ctx, const json_t *observation, const json_t *saw)
{
	struct answers *a = ctx;

	a->n++;
	a->seen += str_eq(text_of(saw, "seen"), "this");
	if (observation == NULL)
		a->without++;
	else
		snprintf(a->message, sizeof(a->message), "%s", text_of(observation, "message"));
}

static void a_run_by_command_is_answered_and_not_published(void **state)
{
	struct answers answers = {0};
	struct world w;

	(void)state;
	world_init(&w, 10);
	add(&w, "a", 60000, 1000, "{\"how\": \"later\", \"delay\": 5}");
	assert_int_equal(runner_run(w.runner, "a", take_answer, &answers), 0);
	while (answers.n < 1)
		turn(&w);
	assert_string_equal(answers.message, "said a");
	assert_int_equal(json_array_size(w.published), 0);
	world_done(&w);
}

static void many_commands_share_one_run(void **state)
{
	struct answers answers = {0};
	struct world w;

	(void)state;
	world_init(&w, 10);
	add(&w, "a", 60000, 1000, "{\"how\": \"later\", \"delay\": 5}");
	for (int i = 0; i < 100; i++)
		assert_int_equal(runner_run(w.runner, "a", take_answer, &answers), 0);
	while (answers.n < 100)
		turn(&w);
	assert_int_equal(kind.started, 1);
	world_done(&w);
}

static void who_asks_in_the_middle_of_a_run_looks_at_the_next_one(void **state)
{
	struct answers answers = {0};
	struct world w;

	(void)state;
	world_init(&w, 10);
	add(&w, "a", 60000, 5000, "{\"how\": \"later\", \"delay\": 30}");
	runner_start(w.runner);
	while (kind.started < 1)
		turn(&w);
	for (int i = 0; i < 3; i++)
		assert_int_equal(runner_run(w.runner, "a", take_answer, &answers), 0);
	while (answers.n < 3)
		turn(&w);
	assert_int_equal(kind.started, 2);
	assert_int_equal(answers.seen, 3);
	assert_int_equal(count_of(&w, "a"), 1); /* that of the schedule, which nobody looked at */
	world_done(&w);
}

static void a_tick_adopts_a_run_by_command(void **state)
{
	struct answers answers = {0};
	struct world w;

	(void)state;
	world_init(&w, 10);
	add(&w, "a", 20, 5000, "{\"how\": \"later\", \"delay\": 100}");
	assert_int_equal(runner_run(w.runner, "a", take_answer, &answers), 0);
	runner_start(w.runner);
	until_published(&w, "a", 1);
	assert_int_equal(answers.n, 1);
	assert_int_equal(kind.started, 1);
	world_done(&w);
}

static void an_unknown_component_is_not_found_but_guessed(void **state)
{
	struct answers answers = {0};
	struct world w;

	(void)state;
	world_init(&w, 10);
	add(&w, "database", 60000, 1000, "{}");
	assert_int_equal(runner_run(w.runner, "databse", take_answer, &answers), -ENOENT);
	assert_string_equal(runner_suggest(w.runner, "databse"), "database");
	assert_int_equal(answers.n, 0);
	world_done(&w);
}

static void a_command_for_a_hung_component_is_answered_at_once(void **state)
{
	struct answers answers = {0};
	struct world w;

	(void)state;
	world_init(&w, 10);
	add(&w, "deaf", 60000, 20, "{\"how\": \"deaf\"}");
	runner_start(w.runner);
	until_published(&w, "deaf", 1);
	assert_int_equal(runner_run(w.runner, "deaf", take_answer, &answers), 0);
	assert_int_equal(answers.n, 1);
	assert_non_null(strstr(answers.message, "has not come back"));
	uv_sem_post(&kind.release);
	world_done(&w);
}

static void no_more_run_at_once_than_the_limit_and_waiting_is_no_timeout(void **state)
{
	struct answers answers = {0};
	struct world w;
	char id[8];

	(void)state;
	world_init(&w, 2);
	/* Twenty times 20 ms in two places: the last waits some 180 ms, its timeout is 150. */
	for (int i = 0; i < 20; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		add(&w, id, 60000, 150, "{\"how\": \"later\", \"delay\": 20}");
		assert_int_equal(runner_run(w.runner, id, take_answer, &answers), 0);
	}
	assert_int_equal(runner_stats_get(w.runner).queued, 18);
	while (answers.n < 20)
		turn(&w);
	assert_int_equal(kind.peak, 2);
	assert_int_equal(runner_stats_get(w.runner).timeouts, 0);
	world_done(&w);
}

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

/* ---- Many ---- */

/* What is measured is whether anything waits for those that hang; how fast this machine is, and
 * how slow its sanitizers are, is none of it. */
#define HUNG_DELAY_MAX_MS 500

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

static void two_hundred_that_hang_delay_nobody_of_a_thousand(void **state)
{
	struct runner_stats stats;
	struct world w;
	char id[8];

	(void)state;
	world_init(&w, RUNNER_CONCURRENT_MAX);
	for (int i = 0; i < 1000; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		if (i % 5 == 0)
			add(&w, id, 1000, 950, "{\"how\": \"never\", \"address\": \"a:1\"}");
		else
			add(&w, id, 1000, 950,
			    "{\"how\": \"later\", \"delay\": 1, \"address\": \"a:1\"}");
	}
	runner_start(w.runner);
	until_published(&w, "c0", 2);
	stats = runner_stats_get(w.runner);
	assert_true(stats.timeouts > 200);
	assert_true(stats.late_ms_max + stats.queued_ms_max < HUNG_DELAY_MAX_MS);
	assert_true(stats.skipped == 0);
	world_done(&w);
}

/* ---- Stopping and refusing ---- */

static void a_stop_cancels_and_answers_whoever_waits(void **state)
{
	struct answers answers = {0};
	struct world w;

	(void)state;
	world_init(&w, 1);
	add(&w, "a", 60000, 5000, "{\"how\": \"never\"}");
	add(&w, "b", 60000, 5000, "{}");
	runner_run(w.runner, "a", take_answer, &answers);
	runner_run(w.runner, "b", take_answer, &answers); /* queued */
	world_done(&w);
	assert_int_equal(answers.without, 2);
	assert_int_equal(kind.cancelled, 1);
}

static void a_stop_cancels_all_that_run(void **state)
{
	struct answers answers = {0};
	struct world w;
	char id[8];

	(void)state;
	world_init(&w, 100);
	for (int i = 0; i < 20; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		add(&w, id, 60000, 5000, "{\"how\": \"never\"}");
		runner_run(w.runner, id, take_answer, &answers);
	}
	world_done(&w);
	assert_int_equal(kind.cancelled, 20);
	assert_int_equal(kind.now, 0);
}

/* What an abandoned thread uses is never freed; here is somebody who still knows it. */
static struct runner *abandoned;

static void a_stop_does_not_wait_for_ever_for_a_hung_thread(void **state)
{
	struct answers answers = {0};
	struct world w;

	(void)state;
	world_init(&w, 1);
	add(&w, "deaf", 60000, 5000, "{\"how\": \"deaf\"}");
	runner_run(w.runner, "deaf", take_answer, &answers);
	abandoned = w.runner;
	world_stop(&w);
	assert_int_equal(answers.without, 1);
}

static void a_component_there_twice_is_refused(void **state)
{
	json_t *options = json_object();
	struct err err = {0};
	struct world w;

	(void)state;
	world_init(&w, 1);
	add(&w, "a", 60000, 5000, "{}");
	assert_int_equal(runner_add(w.runner, "a", 1000, 1000, options, &err), -EINVAL);
	assert_string_equal(err.text, "component a is there twice");
	json_decref(options);
	world_done(&w);
}

static void a_kind_that_speaks_twice_is_a_bug(void **state)
{
	struct answers answers = {0};
	struct world w;
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		world_init(&w, 1);
		add(&w, "a", 60000, 5000, "{\"how\": \"twice\"}");
		runner_run(w.runner, "a", take_answer, &answers);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void ten_thousand_that_answer_at_once_do_not_grow_the_stack(void **state)
{
	struct answers answers = {0};
	struct world w;
	char id[16];

	(void)state;
	world_init(&w, 1);
	add(&w, "first", 60000, 5000, "{\"how\": \"later\", \"delay\": 1}");
	runner_run(w.runner, "first", take_answer, &answers);
	for (int i = 0; i < 10000; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		add(&w, id, 60000, 5000, "{}");
		runner_run(w.runner, id, take_answer, &answers);
	}
	while (answers.n < 10001)
		turn(&w);
	assert_int_equal(kind.peak, 1);
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run_is_published_with_all_it_said),
		cmocka_unit_test(runs_come_again_and_again_without_skipping),
		cmocka_unit_test(at_the_deadline_the_stage_is_told_and_the_kind_cancelled),
		cmocka_unit_test(what_is_said_after_the_deadline_is_not_published),
		cmocka_unit_test(a_kind_that_hangs_is_told_at_each_tick_and_delays_nobody),
		cmocka_unit_test(no_more_run_at_once_than_the_limit_and_waiting_is_no_timeout),
		cmocka_unit_test(a_failure_is_confirmed_at_once_and_so_is_the_recovery),
		cmocka_unit_test(the_grid_goes_on_while_it_is_confirmed),
		cmocka_unit_test(a_kind_that_hangs_is_told_as_often_as_it_would_be_asked),
		cmocka_unit_test(one_host_is_not_asked_by_all_at_once),
		cmocka_unit_test(a_host_that_hangs_gets_no_more_than_its_share_and_recovers),
		cmocka_unit_test(fifty_thousand_cost_little_and_are_spread),
		cmocka_unit_test(two_hundred_that_hang_delay_nobody_of_a_thousand),
		cmocka_unit_test(a_run_by_command_is_answered_and_not_published),
		cmocka_unit_test(many_commands_share_one_run),
		cmocka_unit_test(who_asks_in_the_middle_of_a_run_looks_at_the_next_one),
		cmocka_unit_test(a_tick_adopts_a_run_by_command),
		cmocka_unit_test(an_unknown_component_is_not_found_but_guessed),
		cmocka_unit_test(a_command_for_a_hung_component_is_answered_at_once),
		cmocka_unit_test(a_stop_cancels_and_answers_whoever_waits),
		cmocka_unit_test(a_stop_cancels_all_that_run),
		cmocka_unit_test(a_component_there_twice_is_refused),
		cmocka_unit_test(a_kind_that_speaks_twice_is_a_bug),
		cmocka_unit_test(ten_thousand_that_answer_at_once_do_not_grow_the_stack),
		/* Last: its thread stays. */
		cmocka_unit_test(a_stop_does_not_wait_for_ever_for_a_hung_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
