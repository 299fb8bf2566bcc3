/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "ping.h"

#define S      1000
#define HOUR   (3600 * S)
#define DAY    (24 * HOUR)
/* 2026-11-20 00:00 UTC, a Friday. */
#define FRIDAY (INT64_C(1795132800) * S)

struct job {
	struct zone *zone;
	struct duty_plan plan;
	struct ping_rule rule;
	struct ping_state state;
	int64_t now_ms;
};

static void begin(struct job *j)
{
	*j = (struct job){.state = PING_STATE_NEW, .now_ms = FRIDAY};
	assert_int_equal(zone_new(NULL, 0, &j->zone, NULL), 0);
	j->plan = (struct duty_plan){.zone = j->zone, .grace_ms = 600 * S, .fail_missed = 1};
	j->rule = (struct ping_rule){.plan = &j->plan};
}

static void end(struct job *j)
{
	ping_state_done(&j->state);
	duty_plan_done(&j->plan);
	zone_free(j->zone);
}

static void pings(struct job *j, const char *signal, const char *rid)
{
	struct ping p = {.at_ms = j->now_ms, .rid = rid, .key = "", .source = "127.0.0.1"};

	assert_int_equal(ping_signal_parse(signal, &p.signal, &p.exit_code), 0);
	assert_true(ping_take(&j->state, &p));
}

static struct ping_verdict after(struct job *j, int64_t ms, enum reason want)
{
	struct ping_verdict v;

	j->now_ms += ms;
	v = ping_judge(&j->state, &j->rule, j->now_ms);
	if (v.reason != want)
		fail_msg("%s, not %s", reason_code(v.reason), reason_code(want));
	return v;
}

static void silence_is_late_then_overdue(void **state)
{
	struct job j;

	(void)state;
	begin(&j);
	j.plan.every_ms = HOUR;
	(void)after(&j, 0, REASON_NO_PING);
	(void)after(&j, 10 * DAY, REASON_NO_PING);
	pings(&j, "", "");
	(void)after(&j, HOUR, REASON_OK);
	assert_int_equal(after(&j, 1, REASON_LATE).overdue_ms, 1);
	(void)after(&j, 600 * S - 1, REASON_LATE);
	(void)after(&j, 1, REASON_OVERDUE);
	pings(&j, "0", "");
	assert_int_equal(after(&j, 0, REASON_OK).overdue_ms, 0);
	j.rule.late_after_ms = 300 * S;
	(void)after(&j, HOUR + 300 * S, REASON_OK);
	(void)after(&j, 1, REASON_LATE);
	end(&j);
}

static void a_cron_job_is_due_at_its_time(void **state)
{
	struct job j;

	(void)state;
	begin(&j);
	assert_int_equal(duty_cron_add(&j.plan, "30 2 * * *", NULL), 0);
	j.now_ms += 2 * HOUR + 1805 * S;
	pings(&j, "", "");
	(void)after(&j, DAY - 5 * S, REASON_OK);
	(void)after(&j, 600 * S, REASON_LATE);
	assert_int_equal(after(&j, 1, REASON_OVERDUE).overdue_ms, 600 * S + 1);
	(void)after(&j, 5 * DAY, REASON_OVERDUE);
	end(&j);
}

static void a_run_under_way_is_not_late_but_may_be_too_long(void **state)
{
	struct job j;

	(void)state;
	begin(&j);
	j.plan.every_ms = HOUR;
	j.rule.max_run_ms = 30 * 60 * S;
	pings(&j, "", "");
	j.now_ms += HOUR;
	pings(&j, "start", "");
	assert_int_equal(after(&j, 20 * 60 * S, REASON_OK).running_ms, 20 * 60 * S);
	(void)after(&j, 10 * 60 * S + 1, REASON_OVERDUE);
	pings(&j, "", "");
	assert_int_equal(after(&j, 0, REASON_OK).running_ms, -1);
	assert_int_equal(j.state.run_ms, 30 * 60 * S + 1);
	end(&j);
}

static void run_ids_tie_start_and_end(void **state)
{
	struct job j;

	(void)state;
	begin(&j);
	j.plan.every_ms = HOUR;
	pings(&j, "start", "a");
	pings(&j, "0", "b");
	assert_int_equal(j.state.run_ms, -1);
	assert_true(j.state.is_running);
	j.now_ms += 5 * S;
	pings(&j, "7", "a");
	assert_int_equal(j.state.run_ms, 5 * S);
	assert_int_equal(j.state.exit_code, 7);
	assert_false(j.state.is_running);
	/* The newest start counts. */
	pings(&j, "start", "c");
	pings(&j, "start", "d");
	pings(&j, "0", "c");
	assert_true(j.state.is_running);
	end(&j);
}

static void a_failure_lasts_until_a_success(void **state)
{
	struct job j;

	(void)state;
	begin(&j);
	j.plan.every_ms = HOUR;
	assert_int_equal(duty_window_add(&j.plan, "mon-fri", NULL), 0);
	pings(&j, "fail", "");
	(void)after(&j, 0, REASON_JOB_FAILED);
	pings(&j, "start", "");
	(void)after(&j, S, REASON_JOB_FAILED);
	pings(&j, "log", "");
	(void)after(&j, DAY, REASON_JOB_FAILED); /* Saturday, too */
	pings(&j, "0", "");
	(void)after(&j, 3 * HOUR, REASON_OUTSIDE_SCHEDULE);
	end(&j);
}

static void a_log_alone_is_no_run(void **state)
{
	struct job j;

	(void)state;
	begin(&j);
	j.plan.every_ms = HOUR;
	pings(&j, "log", "");
	(void)after(&j, 0, REASON_NO_PING);
	assert_int_equal(j.state.pings, 1);
	end(&j);
}

static void a_ping_that_is_handed_over_twice_counts_once(void **state)
{
	struct ping_state s = PING_STATE_NEW;
	struct ping p = {.at_ms = FRIDAY, .rid = "", .key = "k1", .source = "", .log = "a"};

	(void)state;
	assert_true(ping_take(&s, &p));
	assert_false(ping_take(&s, &p));
	p.key = "k2";
	assert_true(ping_take(&s, &p));
	assert_int_equal(s.pings, 2);
	ping_state_done(&s);
}

static void a_long_log_is_cut_at_a_characters_edge(void **state)
{
	struct ping_state s = PING_STATE_NEW;
	char log[PING_LOG_MAX + 100];
	struct ping p = {.at_ms = FRIDAY, .rid = "", .key = "", .source = "", .log = log};
	json_t *json;

	(void)state;
	memset(log, 'x', sizeof(log));
	log[sizeof(log) - 1] = '\0';
	memcpy(log + PING_LOG_MAX - 1, "ü", 2);
	assert_true(ping_take(&s, &p));
	assert_int_equal(strlen(s.log), PING_LOG_MAX - 1);
	json = ping_state_encode(&s);
	assert_non_null(json);
	json_decref(json);
	log[PING_LOG_MAX - 1] = 'x';
	log[PING_LOG_MAX] = '\0';
	assert_true(ping_take(&s, &p));
	assert_int_equal(strlen(s.log), PING_LOG_MAX);
	ping_state_done(&s);
}

static void signals_are_those_of_the_paths(void **state)
{
	static const char *const bad[] = {"256",   "1000",   "-1", "+1",   "1x",
					  "Start", "failed", " ",  "00001"};
	enum ping_signal signal;
	int code;

	(void)state;
	assert_int_equal(ping_signal_parse("255", &signal, &code), 0);
	assert_int_equal(signal, PING_FAIL);
	assert_int_equal(code, 255);
	assert_int_equal(ping_signal_parse("0", &signal, &code), 0);
	assert_int_equal(signal, PING_SUCCESS);
	assert_int_equal(code, 0);
	assert_int_equal(ping_signal_parse("", &signal, &code), 0);
	assert_int_equal(code, -1);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (ping_signal_parse(bad[i], &signal, &code) != -EINVAL)
			fail_msg("accepted: '%s'", bad[i]);
}

static void what_is_kept_comes_back(void **state)
{
	struct job j;
	struct ping_state back;
	json_t *json;

	(void)state;
	begin(&j);
	pings(&j, "start", "run-1");
	j.now_ms += 7 * S;
	pings(&j, "3", "run-1");
	j.state.log = mem_dup("one\ntwo \"three\"");
	json = ping_state_encode(&j.state);
	assert_int_equal(ping_state_decode(json, &back, NULL), 0);
	assert_string_equal(back.log, j.state.log);
	assert_string_equal(back.rid, "run-1");
	assert_int_equal(back.run_ms, 7 * S);
	assert_int_equal(back.exit_code, 3);
	assert_int_equal(back.pings, 2);
	assert_true(back.is_failed);
	ping_state_done(&back);
	json_object_set_new(json, "exit_code", json_integer(256));
	assert_int_equal(ping_state_decode(json, &back, NULL), -EINVAL);
	json_object_set_new(json, "exit_code", json_integer(3));
	json_object_set_new(json, "version", json_integer(2));
	assert_int_equal(ping_state_decode(json, &back, NULL), -EINVAL);
	assert_int_equal(ping_state_decode(NULL, &back, NULL), -EINVAL);
	json_decref(json);
	end(&j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silence_is_late_then_overdue),
		cmocka_unit_test(a_cron_job_is_due_at_its_time),
		cmocka_unit_test(a_run_under_way_is_not_late_but_may_be_too_long),
		cmocka_unit_test(run_ids_tie_start_and_end),
		cmocka_unit_test(a_failure_lasts_until_a_success),
		cmocka_unit_test(a_log_alone_is_no_run),
		cmocka_unit_test(a_ping_that_is_handed_over_twice_counts_once),
		cmocka_unit_test(a_long_log_is_cut_at_a_characters_edge),
		cmocka_unit_test(signals_are_those_of_the_paths),
		cmocka_unit_test(what_is_kept_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
