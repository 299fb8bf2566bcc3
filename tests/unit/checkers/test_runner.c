/* SPDX-License-Identifier: Apache-2.0 */
/* One run, whatever the kind does: published, answered, timed out, stopped. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "runner_world.h"

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

static void what_is_due_now_is_published_off_the_grid(void **state)
{
	struct answers answers = {0};
	struct world w;

	(void)state;
	world_init(&w, 10);
	add(&w, "a", 60000, 1000, "{\"how\": \"later\", \"delay\": 5}");
	assert_ptr_equal(runner_check(w.runner, 0), runner_check(w.runner, 0));
	assert_null(runner_check(w.runner, 1));
	check_due_now(runner_check(w.runner, 0));
	check_due_now(runner_check(w.runner, 0));
	until_published(&w, "a", 1);
	assert_int_equal(kind.started, 1);
	/* One that somebody asked for is adopted; the next such one is again for him alone. */
	assert_int_equal(runner_run(w.runner, "a", take_answer, &answers), 0);
	check_due_now(runner_check(w.runner, 0));
	until_published(&w, "a", 2);
	assert_int_equal(answers.n, 1);
	assert_int_equal(runner_run(w.runner, "a", take_answer, &answers), 0);
	while (answers.n < 2)
		turn(&w);
	assert_int_equal(json_array_size(w.published), 2);
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

static void who_waits_for_the_next_run_hears_that_this_one_hangs(void **state)
{
	struct answers answers = {0};
	struct world w;

	(void)state;
	world_init(&w, 10);
	add(&w, "deaf", 60000, 50, "{\"how\": \"deaf\"}");
	runner_start(w.runner);
	while (kind.started < 1)
		turn(&w);
	assert_int_equal(runner_run(w.runner, "deaf", take_answer, &answers), 0);
	while (answers.n < 1)
		turn(&w);
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
		cmocka_unit_test(who_waits_for_the_next_run_hears_that_this_one_hangs),
		cmocka_unit_test(no_more_run_at_once_than_the_limit_and_waiting_is_no_timeout),
		cmocka_unit_test(a_run_by_command_is_answered_and_not_published),
		cmocka_unit_test(many_commands_share_one_run),
		cmocka_unit_test(who_asks_in_the_middle_of_a_run_looks_at_the_next_one),
		cmocka_unit_test(a_tick_adopts_a_run_by_command),
		cmocka_unit_test(what_is_due_now_is_published_off_the_grid),
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
