/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/mem.h"
#include "model/component.h"
#include "model/frame.h"
#include "model/judge.h"

#define NOW INT64_C(1795311037123) /* 2026-11-22T01:30:37.123Z */

static struct component_spec a_spec(void)
{
	struct component_spec spec = {
		.id = mem_dup("api"),
		.kind = mem_dup("http"),
		.process = mem_dup("check.http"),
		.node = mem_dup("n1"),
		.interval_ms = 30000,
		.timeout_ms = 5000,
		.degraded_after = 1,
		.critical_after = 1,
		.recover_after = 1,
		.on_error = STATUS_UNKNOWN,
		.weight = 1,
		.is_enabled = true,
		.labels = json_pack("{s:s}", "team", "core"),
	};

	strlist_add(&spec.depends_on, "db");
	return spec;
}

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static void a_new_component_is_unknown_and_due(void **state)
{
	struct component_spec spec = a_spec();
	struct component_state s;

	(void)state;
	component_state_init(&s, &spec, NOW);
	assert_int_equal(s.status, STATUS_UNKNOWN);
	assert_string_equal(s.message, "No data yet");
	assert_string_equal(s.reason, "no_data");
	assert_int_equal(health_due(&spec, &s), NOW + 3 * 30000 + 5000);
	component_state_done(&s);
	component_spec_done(&spec);
}

static void before_the_first_check_the_rest_is_null(void **state)
{
	static const char *const nulls[] = {"outcome",      "took_ms",    "last_check",
					    "last_success", "blocked_by", "last_error"};
	struct component_spec spec = a_spec();
	struct component_state s;
	json_t *o;

	(void)state;
	component_state_init(&s, &spec, NOW);
	o = component_encode(&spec, &s, NULL);
	assert_int_equal(json_object_size(o), 26);
	for (size_t i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++)
		assert_true(json_is_null(json_object_get(o, nulls[i])));
	assert_string_equal(text_of(o, "label"), "api");
	assert_string_equal(text_of(o, "since"), "2026-11-22T01:30:37.123Z");
	assert_int_equal(json_object_size(json_object_get(o, "metrics")), 0);
	assert_int_equal(json_object_size(json_object_get(o, "details")), 0);
	assert_string_equal(json_string_value(json_array_get(json_object_get(o, "depends_on"), 0)),
			    "db");
	assert_string_equal(text_of(json_object_get(o, "labels"), "team"), "core");
	json_decref(o);
	component_state_done(&s);
	component_spec_done(&spec);
}

static void after_a_failure_it_is_all_shown(void **state)
{
	struct component_spec spec = a_spec();
	struct component_state s;
	struct observation seen = {
		.at_ms = NOW + 1000,
		.outcome = OUTCOME_DOWN,
		.reason = "conn_refused",
		.took_ms = 1.5,
		.metrics = json_pack("{s:f}", "tries", 2.0),
	};
	json_t *o;

	(void)state;
	component_state_init(&s, &spec, NOW);
	assert_true(health_judge(&spec, &s, &seen, NOW + 1001, NULL));
	assert_null(seen.metrics); /* taken over */
	o = component_encode(&spec, &s, "db");
	assert_string_equal(text_of(o, "status"), "down");
	assert_string_equal(text_of(o, "since"), "2026-11-22T01:30:38.124Z");
	assert_string_equal(text_of(o, "outcome"), "down");
	assert_string_equal(text_of(o, "reason"), "conn_refused");
	assert_string_equal(text_of(o, "message"), "Connection refused");
	assert_string_equal(text_of(o, "last_check"), "2026-11-22T01:30:38.123Z");
	assert_string_equal(text_of(o, "blocked_by"), "db");
	assert_int_equal(json_integer_value(json_object_get(o, "consecutive_failures")), 1);
	assert_true(json_is_real(json_object_get(o, "took_ms")));
	assert_int_equal(json_object_size(json_object_get(o, "metrics")), 1);
	json_decref(o);
	component_state_done(&s);
	component_spec_done(&spec);
}

/* What is written as text is what the tree would be dumped as. */
static void assert_same_text(const struct component_spec *spec, const struct component_state *s,
			     const char *blocked_by)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	json_t *o = component_encode(spec, s, blocked_by);
	char *expected = json_dumps(o, JSON_WIRE_FLAGS);

	component_write(&text, spec, s, blocked_by);
	assert_string_equal(str_text(&text), expected);
	free(expected);
	json_decref(o);
}

static void its_text_is_that_of_its_tree(void **state)
{
	static const double times[] = {0, 1, 0.1, 41.25, 1e-7, 123456789.5, 1e21, 2310};
	struct component_spec spec = a_spec();
	struct component_state s;

	(void)state;
	component_state_init(&s, &spec, NOW);
	assert_same_text(&spec, &s, NULL);
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct observation seen = {.at_ms = NOW + (int64_t)i,
					   .outcome = OUTCOME_PASS,
					   .reason = "ok",
					   .message = "says \"\\\" \xc3\xa9",
					   .took_ms = times[i]};

		if (i % 2 == 0) {
			seen.metrics = json_pack("{s:f, s:f}", "tries", times[i], "n\"", 2.0);
		} else {
			seen.metrics_text = strdup("{\"tries\":2.0}");
			seen.details_text = strdup("{\"ip\":\"::1\"}");
		}
		(void)health_judge(&spec, &s, &seen, NOW + (int64_t)i, NULL);
		assert_same_text(&spec, &s, i % 2 == 0 ? "db" : NULL);
		spec.is_enabled = i % 2 == 0;
		spec.is_unconfigured = i % 3 == 0;
	}
	component_state_done(&s);
	component_spec_done(&spec);
}

static void a_saved_state_is_restored(void **state)
{
	struct component_spec spec = a_spec();
	struct component_state s, again;
	struct observation seen = {.at_ms = NOW + 1, .outcome = OUTCOME_FAIL, .reason = "told"};
	json_t *saved;

	(void)state;
	component_state_init(&s, &spec, NOW);
	(void)health_judge(&spec, &s, &seen, NOW + 2, NULL);
	saved = component_state_save(&s);
	component_state_init(&again, &spec, NOW + 60000);
	assert_int_equal(component_state_restore(&again, saved), 0);
	assert_int_equal(again.status, STATUS_CRITICAL);
	assert_int_equal(again.verdict, STATUS_CRITICAL);
	assert_int_equal(again.since_ms, NOW + 2);
	assert_int_equal(again.failures, 1);
	assert_int_equal(again.last_check_ms, NOW + 1);
	assert_int_equal(again.last_success_ms, 0);
	assert_string_equal(again.message, "As told");
	assert_string_equal(again.reason, "told");
	/* The clock for "no data" runs from the restart, not from before it. */
	assert_int_equal(again.due_ms, NOW + 60000 + 3 * 30000 + 5000);
	json_decref(saved);
	component_state_done(&s);
	component_state_done(&again);
	component_spec_done(&spec);
}

/* Saved, restored into a new one, and shown: the same as before. */
static void assert_kept(const struct component_spec *spec, const struct component_state *s)
{
	HALE_CLEANUP(str_done) struct str before = {0}, after = {0};
	struct component_state again;
	json_t *saved = component_state_save(s);

	component_state_init(&again, spec, NOW + 60000);
	assert_int_equal(component_state_restore(&again, saved), 0);
	component_write(&before, spec, s, NULL);
	component_write(&after, spec, &again, NULL);
	assert_string_equal(str_text(&after), str_text(&before));
	json_decref(saved);
	component_state_done(&again);
}

static void a_restored_component_is_shown_as_before(void **state)
{
	struct component_spec spec = a_spec();
	struct component_state s;
	static const enum outcome outcomes[] = {OUTCOME_PASS, OUTCOME_FAIL, OUTCOME_ERROR,
						OUTCOME_PASS};

	(void)state;
	component_state_init(&s, &spec, NOW);
	assert_kept(&spec, &s);
	for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
		struct observation seen = {.at_ms = NOW + (int64_t)i,
					   .outcome = outcomes[i],
					   .reason = "told",
					   .message = "says \"\\\" \xc3\xa9",
					   .took_ms = 1e-7};

		if (i % 2 == 0)
			seen.metrics = json_pack("{s:f}", "tries", 2.5);
		else
			seen.details_text = strdup("{\"ip\":\"::1\"}");
		(void)health_judge(&spec, &s, &seen, NOW + (int64_t)i, NULL);
		s.recovery_attempts = (uint32_t)i;
		assert_kept(&spec, &s);
	}
	assert_int_equal(s.error_count, 2);
	component_state_done(&s);
	component_spec_done(&spec);
}

static void long_details_come_back_with_the_next_check(void **state)
{
	struct component_spec spec = a_spec();
	struct component_state s, again;
	char text[COMPONENT_DETAILS_SAVED_MAX + 1] = {0};
	struct observation seen = {.at_ms = NOW, .outcome = OUTCOME_PASS, .reason = "ok"};
	json_t *saved;

	(void)state;
	memset(text, 'x', COMPONENT_DETAILS_SAVED_MAX);
	seen.details = json_pack("{s:s}", "output", text);
	seen.metrics = json_pack("{s:f}", "tries", 2.5);
	component_state_init(&s, &spec, NOW);
	(void)health_judge(&spec, &s, &seen, NOW, NULL);
	saved = component_state_save(&s);
	assert_null(json_object_get(saved, "details"));
	component_state_init(&again, &spec, NOW + 1);
	assert_int_equal(component_state_restore(&again, saved), 0);
	assert_string_equal(again.last.metrics_text, "{\"tries\":2.5}");
	assert_null(again.last.details_text);
	json_decref(saved);
	component_state_done(&s);
	component_state_done(&again);
	component_spec_done(&spec);
}

/* As a hale of before these were kept wrote it. */
static void what_an_older_hale_saved_is_restored(void **state)
{
	static const char *const later[] = {"errors",  "last_error", "recoveries", "outcome",
					    "took_ms", "metrics",    "details"};
	struct component_spec spec = a_spec();
	struct component_state s, again;
	struct observation seen = {.at_ms = NOW, .outcome = OUTCOME_FAIL, .reason = "told"};
	json_t *saved;

	(void)state;
	component_state_init(&s, &spec, NOW);
	(void)health_judge(&spec, &s, &seen, NOW, NULL);
	saved = component_state_save(&s);
	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
		(void)json_object_del(saved, later[i]);
	component_state_init(&again, &spec, NOW + 1);
	assert_int_equal(component_state_restore(&again, saved), 0);
	assert_int_equal(again.status, STATUS_CRITICAL);
	assert_int_equal(again.error_count, 0);
	assert_null(again.last_error);
	assert_false(again.has_observation);
	json_decref(saved);
	component_state_done(&s);
	component_state_done(&again);
	component_spec_done(&spec);
}

static void a_broken_saved_state_changes_nothing(void **state)
{
	static const char *const keys[] = {"status",       "verdict", "since",
					   "failures",     "passes",  "last_check",
					   "last_success", "message", "reason"};
	struct component_spec spec = a_spec();
	struct component_state s, before;

	(void)state;
	component_state_init(&s, &spec, NOW);
	before = s;
	for (size_t i = 0; i < 2 * sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *saved = component_state_save(&s);

		assert_int_equal(json_object_size(saved), sizeof(keys) / sizeof(keys[0]) + 3);
		if (i % 2)
			(void)json_object_set_new(saved, keys[i / 2], json_real(-1.5));
		else
			(void)json_object_del(saved, keys[i / 2]);
		assert_int_equal(component_state_restore(&s, saved), -EINVAL);
		assert_memory_equal(&s, &before, sizeof(s));
		json_decref(saved);
	}
	assert_int_equal(component_state_restore(&s, NULL), -EINVAL);
	component_state_done(&s);
	component_spec_done(&spec);
}

static void a_count_out_of_range_is_refused(void **state)
{
	static const json_int_t bad[] = {-1, (json_int_t)UINT32_MAX + 1};
	struct component_spec spec = a_spec();
	struct component_state s;

	(void)state;
	component_state_init(&s, &spec, NOW);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *saved = component_state_save(&s);

		(void)json_object_set_new(saved, "failures", json_integer(bad[i]));
		assert_int_equal(component_state_restore(&s, saved), -EINVAL);
		json_decref(saved);
	}
	component_spec_done(&spec);
}

static void disabled_or_without_interval_is_never_due(void **state)
{
	struct component_spec spec = a_spec();
	struct component_state s;

	(void)state;
	spec.interval_ms = 0;
	component_state_init(&s, &spec, NOW);
	assert_int_equal(health_due(&spec, &s), INT64_MAX);
	assert_false(health_tick(&spec, &s, NOW + INT64_C(1000000000), NULL));
	spec.interval_ms = 1000;
	spec.is_enabled = false;
	component_state_init(&s, &spec, NOW);
	assert_int_equal(health_due(&spec, &s), INT64_MAX);
	component_spec_done(&spec);
}

static void its_thresholds_are_told_as_they_are_written(void **state)
{
	static char took_ms[] = "took_ms", free_percent[] = "free_percent";
	struct metric_threshold limits[] = {{took_ms, {OP_GT, 2000}, {OP_NONE, 0}},
					    {free_percent, {OP_LT, 20}, {OP_LE, 5}}};
	const struct component_spec spec = {.thresholds = limits, .thresholds_n = 2};
	json_t *o = component_thresholds(&spec);
	char *text = json_dumps(o, JSON_COMPACT);

	(void)state;
	assert_string_equal(text,
			    "{\"took_ms\":{\"degraded\":\"> 2000\",\"critical\":null},"
			    "\"free_percent\":{\"degraded\":\"< 20\",\"critical\":\"<= 5\"}}");
	free(text);
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_component_is_unknown_and_due),
		cmocka_unit_test(before_the_first_check_the_rest_is_null),
		cmocka_unit_test(after_a_failure_it_is_all_shown),
		cmocka_unit_test(its_text_is_that_of_its_tree),
		cmocka_unit_test(a_saved_state_is_restored),
		cmocka_unit_test(a_restored_component_is_shown_as_before),
		cmocka_unit_test(long_details_come_back_with_the_next_check),
		cmocka_unit_test(what_an_older_hale_saved_is_restored),
		cmocka_unit_test(a_broken_saved_state_changes_nothing),
		cmocka_unit_test(a_count_out_of_range_is_refused),
		cmocka_unit_test(disabled_or_without_interval_is_never_due),
		cmocka_unit_test(its_thresholds_are_told_as_they_are_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
