/* SPDX-License-Identifier: Apache-2.0 */
#include "past_fixture.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/status.h"
#include "store/uptime.h"

#define T0     PAST_T0
#define MINUTE PAST_MINUTE
#define HOUR   PAST_HOUR
#define DAY    PAST_DAY

static json_t *ask(struct past *p, struct uptime_query q)
{
	json_t *out = NULL;

	past_must(p, uptime_read(p->s, &q, &out, &p->err));
	return out;
}

static json_t *nth(const json_t *answer, size_t i)
{
	return json_array_get(json_object_get(answer, "components"), i);
}

static double number(const json_t *object, const char *key)
{
	json_t *v = json_object_get(object, key);

	assert_true(json_is_number(v));
	return json_number_value(v);
}

static void expect_text(const json_t *object, const char *key, const char *text)
{
	assert_string_equal(json_string_value(json_object_get(object, key)), text);
}

/* S4-38. */
static void forty_three_minutes_in_thirty_days_meet_three_nines(void **state)
{
	struct past *p = *state;
	json_t *out, *c;

	past_epoch(p, 1, "web1", T0 - 40 * DAY, T0);
	past_component(p, 1, "web1", "api");
	past_transition(p, 1, T0 - 35 * DAY, STATUS_HEALTHY);
	past_transition(p, 1, T0 - 10 * DAY, STATUS_DOWN);
	past_transition(p, 1, T0 - 10 * DAY + 43 * MINUTE, STATUS_HEALTHY);
	out = ask(p, (struct uptime_query){"api", NULL, T0 - 30 * DAY, T0, 99.9});
	c = nth(out, 0);
	expect_text(c, "component", "api");
	expect_text(c, "node", "web1");
	assert_true(fabs(number(c, "uptime_percent") - 99.9004629) < 1e-6);
	assert_int_equal(number(json_object_get(c, "ms"), "down"), 43 * MINUTE);
	assert_int_equal(number(json_object_get(c, "ms"), "unmonitored"), 0);
	assert_int_equal(number(c, "mttr_ms"), 43 * MINUTE);
	c = json_object_get(c, "sla");
	assert_true(json_is_true(json_object_get(c, "is_met")));
	assert_int_equal(number(c, "budget_ms"), 2592000);
	assert_int_equal(number(c, "budget_left_ms"), 2592000 - 43 * MINUTE);
	json_decref(out);
	out = ask(p, (struct uptime_query){"api", NULL, T0 - 30 * DAY, T0, 99.95});
	c = json_object_get(nth(out, 0), "sla");
	assert_true(json_is_false(json_object_get(c, "is_met")));
	assert_int_equal(number(c, "budget_left_ms"), 1296000 - 43 * MINUTE);
	json_decref(out);
}

/* haled was away for an hour, monitoring paused for another; the restart is no gap. */
static void what_nobody_watched_is_unmonitored(void **state)
{
	struct past *p = *state;
	json_t *out, *c;

	past_epoch(p, 1, "web1", T0, T0 + 4 * HOUR);
	past_epoch(p, 2, "web1", T0 + 4 * HOUR + 5000, T0 + 6 * HOUR);
	past_epoch(p, 3, "web1", T0 + 7 * HOUR, T0 + 10 * HOUR);
	past_epoch(p, 4, "db1", T0, T0 + 10 * HOUR);
	past_component(p, 1, "web1", "api");
	past_component(p, 2, "db1", "disk");
	past_transition(p, 1, T0, STATUS_HEALTHY);
	past_transition(p, 2, T0, STATUS_DOWN);
	past_event(p, 1, T0 + HOUR, "monitoring_paused");
	past_event(p, 1, T0 + 90 * MINUTE, "monitoring_paused"); /* a reminder */
	past_event(p, 1, T0 + 2 * HOUR, "monitoring_resumed");
	past_event(p, 3, T0 + 9 * HOUR, "monitoring_paused"); /* and still is */
	out = ask(p, (struct uptime_query){NULL, NULL, T0, T0 + 10 * HOUR, (double)NAN});
	c = nth(out, 0);
	expect_text(c, "component", "api");
	assert_int_equal(number(json_object_get(c, "ms"), "unmonitored"), 3 * HOUR);
	assert_int_equal(number(json_object_get(c, "ms"), "healthy"), 7 * HOUR);
	assert_true(json_is_null(json_object_get(c, "sla")));
	c = nth(out, 1);
	expect_text(c, "component", "disk"); /* whose node was not paused */
	assert_int_equal(number(json_object_get(c, "ms"), "down"), 10 * HOUR);
	assert_true(json_is_null(json_object_get(c, "mttr_ms")));
	json_decref(out);
	/* In the midst of the pause, told an hour ago. */
	out = ask(p, (struct uptime_query){"api", "web1", T0 + 110 * MINUTE, T0 + 3 * HOUR,
					   (double)NAN});
	assert_int_equal(number(json_object_get(nth(out, 0), "ms"), "unmonitored"), 10 * MINUTE);
	json_decref(out);
}

/* Of a node whose state was lost nobody says that it goes on: without a reminder a pause ends. */
static void a_pause_that_nobody_repeats_is_over(void **state)
{
	struct past *p = *state;
	json_t *out, *c;

	past_epoch(p, 1, "web1", T0, T0 + 2 * HOUR);
	past_epoch(p, 2, "web1", T0 + 4 * HOUR, T0 + 24 * HOUR);
	past_component(p, 1, "web1", "api");
	past_transition(p, 1, T0, STATUS_HEALTHY);
	past_event(p, 1, T0 + HOUR, "monitoring_paused");
	past_event(p, 2, T0 + 20 * HOUR, "monitoring_paused"); /* another one */
	past_event(p, 2, T0 + 21 * HOUR, "monitoring_resumed");
	out = ask(p, (struct uptime_query){NULL, NULL, T0, T0 + 24 * HOUR, (double)NAN});
	c = nth(out, 0);
	assert_int_equal(number(json_object_get(c, "ms"), "healthy"), (1 + 16 + 3) * HOUR);
	json_decref(out);
}

static void the_whole_comes_first_and_silence_ends_after_a_while(void **state)
{
	struct past *p = *state;
	json_t *out;

	past_epoch(p, 1, "web1", T0, T0 + HOUR);
	past_component(p, 1, "web1", "api");
	past_component(p, 2, "web1", "overall");
	past_component(p, 3, "web1", "never");
	past_transition(p, 1, T0, STATUS_HEALTHY);
	past_transition(p, 2, T0, STATUS_DEGRADED);
	past_transition(p, 3, T0, STATUS_UNKNOWN);
	out = ask(p, (struct uptime_query){NULL, NULL, T0, T0 + 3 * HOUR, 100.0});
	assert_int_equal(json_array_size(json_object_get(out, "components")), 2);
	expect_text(nth(out, 0), "component", "overall");
	assert_int_equal(number(json_object_get(nth(out, 0), "ms"), "degraded"),
			 HOUR + 15 * MINUTE);
	assert_true(number(nth(out, 1), "uptime_percent") == 100.0);
	json_decref(out);
	out = ask(p, (struct uptime_query){"never", NULL, T0, T0 + 3 * HOUR, 99.0});
	assert_true(json_is_null(json_object_get(nth(out, 0), "uptime_percent")));
	assert_true(json_is_null(json_object_get(json_object_get(nth(out, 0), "sla"), "is_met")));
	json_decref(out);
}

static void bad_questions_are_refused(void **state)
{
	struct past *p = *state;
	json_t *out = NULL;

	assert_int_equal(uptime_read(p->s, &(struct uptime_query){NULL, NULL, 5, 5, (double)NAN},
				     &out, &p->err),
			 -EINVAL);
	assert_int_equal(
		uptime_read(p->s, &(struct uptime_query){NULL, NULL, 5, 6, 100.5}, &out, &p->err),
		-EINVAL);
	assert_int_equal(uptime_read(p->s, &(struct uptime_query){"x", NULL, 5, 6, (double)NAN},
				     &out, &p->err),
			 -ENOENT);
	assert_null(out);
}

/* S2-73: 30 minutes of a day are 97.9 %. */
static void statistics_tell_of_day_week_and_month(void **state)
{
	struct past *p = *state;
	json_t *out = NULL, *v;

	past_epoch(p, 1, "web1", T0 - 20 * DAY, T0);
	past_component(p, 1, "web1", "api");
	past_component(p, 2, "web1", "overall");
	past_transition(p, 1, T0 - 20 * DAY, STATUS_HEALTHY);
	past_transition(p, 2, T0 - 20 * DAY, STATUS_HEALTHY);
	past_transition(p, 1, T0 - 10 * HOUR, STATUS_DOWN);
	past_transition(p, 2, T0 - 10 * HOUR, STATUS_CRITICAL);
	past_transition(p, 1, T0 - 10 * HOUR + 30 * MINUTE, STATUS_HEALTHY);
	past_transition(p, 2, T0 - 10 * HOUR + 30 * MINUTE, STATUS_HEALTHY);
	past_metric(p, 7, "took_ms");
	past_rollup(p, "1h", 7, 1, T0 - 3 * HOUR, (double[]){1, 2, 3}, 3);
	past_rollup(p, "1h", 7, 1, T0 - 30 * HOUR, (double[]){1, 2}, 2);
	past_run(
		p,
		"INSERT INTO alerts (id, node, severity, state, opened_at, resolved_at, updated_at)"
		" VALUES ('a', 'web1', 'critical', 'resolved', @at{$1}, @at{$2}, @at{$2}),"
		" ('b', 'web1', 'critical', 'open', @at{$2}, NULL, @at{$2})",
		(struct db_value[]){DB_V_INT(T0 - 3 * DAY), DB_V_INT(T0 - 3 * DAY + HOUR)}, 2);
	past_run(p,
		 "INSERT INTO reconciliation_runs (run, node, job, ended_at, dry_run, outcome,"
		 " inserted, updated, closed, skipped) VALUES"
		 " ('x', 'web1', 'j', @at{$1}, 0, 'done', 0, 0, 0, 0),"
		 " ('y', 'web1', 'j', @at{$2}, 1, 'done', 0, 0, 0, 0),"
		 " ('z', 'web1', 'j', @at{$2}, 0, 'failed', 0, 0, 0, 0)",
		 (struct db_value[]){DB_V_INT(T0 - 2 * DAY), DB_V_INT(T0 - HOUR)}, 2);
	past_must(p, uptime_statistics(p->s, T0, &out, &p->err));
	v = json_object_get(out, "uptime_percent");
	assert_true(fabs(number(v, "24h") - 97.9166667) < 1e-6);
	assert_true(fabs(number(v, "7d") - 99.7023810) < 1e-6);
	assert_true(fabs(number(v, "30d") - 99.8958333) < 1e-6); /* of the 20 days there are */
	v = json_object_get(json_object_get(out, "components"), "api");
	assert_true(fabs(number(v, "24h") - 97.9166667) < 1e-6);
	assert_null(json_object_get(json_object_get(out, "components"), "overall"));
	assert_true(number(json_object_get(out, "score"), "24h") == 97.9);
	v = json_object_get(json_object_get(out, "transitions"), "24h");
	assert_int_equal(number(v, "all_changes"), 2);
	assert_int_equal(number(v, "to_bad"), 1);
	assert_int_equal(number(json_object_get(out, "results"), "24h"), 3);
	v = json_object_get(out, "alerts");
	assert_int_equal(number(v, "open"), 1);
	assert_int_equal(number(v, "mttr_ms"), HOUR);
	assert_int_equal(number(json_object_get(v, "24h"), "opened"), 0);
	assert_int_equal(number(json_object_get(v, "7d"), "opened"), 2);
	v = json_object_get(out, "runs");
	assert_int_equal(number(json_object_get(v, "24h"), "runs"), 2);
	assert_int_equal(number(json_object_get(v, "24h"), "failed"), 1);
	expect_text(v, "last_done", "2027-01-13T08:00:00.000Z");
	expect_text(out, "oldest", "2026-12-26T08:00:00.000Z");
	json_decref(out);
}

static void an_empty_store_has_statistics_too(void **state)
{
	struct past *p = *state;
	json_t *out = NULL;

	past_must(p, uptime_statistics(p->s, T0, &out, &p->err));
	assert_true(json_is_null(json_object_get(json_object_get(out, "uptime_percent"), "24h")));
	assert_int_equal(number(json_object_get(out, "results"), "24h"), 0);
	assert_true(json_is_null(json_object_get(json_object_get(out, "runs"), "last_done")));
	assert_true(json_is_null(json_object_get(out, "oldest")));
	json_decref(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAST_TESTS(forty_three_minutes_in_thirty_days_meet_three_nines),
		PAST_TESTS(what_nobody_watched_is_unmonitored),
		PAST_TESTS(a_pause_that_nobody_repeats_is_over),
		PAST_TESTS(the_whole_comes_first_and_silence_ends_after_a_while),
		PAST_TESTS(bad_questions_are_refused),
		PAST_TESTS(statistics_tell_of_day_week_and_month),
		PAST_TESTS(an_empty_store_has_statistics_too),
	};

	return cmocka_run_group_tests(tests, past_group_setup, past_group_teardown);
}
