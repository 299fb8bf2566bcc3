/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/health.h"

/* A config with components a, b (depends on a), both checked by check.null at 1 s. */
struct fixture {
	struct health *health;
	int lines;
	int transitions;
	json_t *last;
};

static void on_health(void *ctx, const struct health_news *news)
{
	struct fixture *f = ctx;

	f->lines++;
	f->transitions += news->must_survive;
	json_decref(f->last);
	f->last = json_loads(news->line, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(f->last);
	assert_string_equal(json_string_value(json_object_get(f->last, "component")),
			    news->component);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(f->last, "state"), "status")),
		status_name(news->status));
}

static struct component_spec component(const char *id, const char *depends_on)
{
	struct component_spec spec = {
		.id = mem_dup(id),
		.label = mem_dup(id),
		.kind = mem_dup("null"),
		.process = mem_dup("check.null"),
		.node = mem_dup("n"),
		.interval_ms = 1000,
		.timeout_ms = 500,
		.degraded_after = 1,
		.critical_after = 1,
		.recover_after = 1,
		.impact = IMPACT_CRITICAL,
		.on_error = STATUS_UNKNOWN,
		.weight = 1,
		.is_enabled = true,
	};

	if (depends_on != NULL)
		strlist_add(&spec.depends_on, depends_on);
	return spec;
}

static void configure_some(struct fixture *f, const char *const *ids, size_t n,
			   const char *disabled, int64_t now)
{
	struct component_spec *specs = mem_array(n, sizeof(*specs));
	struct aggregate_rule rule = {0};

	for (size_t i = 0; i < n; i++) {
		specs[i] = component(ids[i], i == 1 ? ids[0] : NULL);
		specs[i].is_enabled = !str_eq(ids[i], disabled);
	}
	health_configure(f->health, specs, n, &rule, now);
	free(specs);
}

static void configure(struct fixture *f, const char *const *ids, size_t n, int64_t now)
{
	configure_some(f, ids, n, NULL, now);
}

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	f->health = health_new(&(struct health_hooks){.on_health = on_health, .ctx = f});
	configure(f, (const char *const[]){"a", "b"}, 2, 1000);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	health_free(f->health);
	json_decref(f->last);
	free(f);
	return 0;
}

static json_t *saved_state(const struct fixture *f)
{
	struct str text = {0};
	json_t *saved;

	health_save(f->health, &text);
	saved = json_loads(str_text(&text), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(saved);
	str_done(&text);
	return saved;
}

static void observe(struct fixture *f, const char *id, const char *outcome, int64_t now)
{
	json_t *line =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:f}", "at", "2026-11-22T00:00:00.000Z",
			  "node", "n", "component", id, "outcome", outcome, "reason", "told",
			  "message", "as told", "took_ms", 1.0);
	struct err err;

	assert_int_equal(health_observe(f->health, "check.null", line, now, &err), 0);
	json_decref(line);
}

static const char *status_of(struct fixture *f, const char *id, char buf[16])
{
	json_t *c = health_component(f->health, id);

	(void)snprintf(buf, 16, "%s", json_string_value(json_object_get(c, "status")));
	json_decref(c);
	return buf;
}

static void a_start_is_no_outage(void **state)
{
	struct fixture *f = *state;
	char buf[16];

	assert_int_equal(health_overall(f->health), STATUS_UNKNOWN);
	observe(f, "a", "pass", 1100);
	/* b was not checked yet: shown unknown, but the total is a's alone. */
	assert_string_equal(status_of(f, "b", buf), "unknown");
	assert_int_equal(health_overall(f->health), STATUS_HEALTHY);
}

static void a_failure_moves_the_total_and_is_told_once(void **state)
{
	struct fixture *f = *state;
	json_t *overall;

	observe(f, "a", "pass", 1100);
	observe(f, "b", "pass", 1100);
	f->transitions = 0;
	observe(f, "a", "fail", 2100);
	assert_int_equal(f->transitions, 1);
	overall = json_object_get(f->last, "overall");
	assert_string_equal(json_string_value(json_object_get(overall, "status")), "critical");
	assert_true(json_is_true(json_object_get(overall, "transition")));
	observe(f, "a", "fail", 3100);
	assert_int_equal(f->transitions, 1);
	assert_null(json_object_get(f->last, "overall"));
}

static void a_dependent_names_what_blocks_it(void **state)
{
	struct fixture *f = *state;
	json_t *line_state;

	observe(f, "a", "down", 1100);
	observe(f, "b", "fail", 1100);
	line_state = json_object_get(f->last, "state");
	assert_string_equal(json_string_value(json_object_get(line_state, "blocked_by")), "a");
}

static void silence_for_three_intervals_is_unknown(void **state)
{
	struct fixture *f = *state;
	char buf[16];

	observe(f, "a", "pass", 1100);
	observe(f, "b", "pass", 1100);
	assert_int_equal(health_next_due(f->health), 1000 + 3500);
	health_expire(f->health, 4599);
	assert_string_equal(status_of(f, "a", buf), "healthy");
	health_expire(f->health, 4600);
	assert_string_equal(status_of(f, "a", buf), "unknown");
}

static void a_clock_that_is_set_makes_nothing_overdue(void **state)
{
	struct fixture *f = *state;
	char buf[16];

	observe(f, "a", "pass", 1100);
	observe(f, "b", "pass", 1100);
	health_shift(f->health, 3600000);
	health_expire(f->health, 3600000 + 4599);
	assert_string_equal(status_of(f, "a", buf), "healthy");
	health_expire(f->health, 3600000 + 4600);
	assert_string_equal(status_of(f, "a", buf), "unknown");
}

static void a_dead_checker_does_not_look_healthy(void **state)
{
	struct fixture *f = *state;
	json_t *c;

	observe(f, "a", "pass", 1100);
	health_silence(f->health, "check.null", "No data: check.null does not respond", 1200);
	c = health_component(f->health, "a");
	assert_string_equal(json_string_value(json_object_get(c, "status")), "unknown");
	assert_string_equal(json_string_value(json_object_get(c, "message")),
			    "No data: check.null does not respond");
	json_decref(c);
}

static void a_checker_cannot_speak_for_another(void **state)
{
	struct fixture *f = *state;
	struct err err;
	json_t *line = json_pack("{s:s, s:s, s:s, s:s, s:s, s:f}", "at", "2026-11-22T00:00:00.000Z",
				 "component", "a", "outcome", "pass", "reason", "ok", "message", "",
				 "took_ms", 1.0);

	assert_true(health_observe(f->health, "check.http", line, 1100, &err) < 0);
	json_decref(line);
}

static void state_survives_a_restart_and_is_not_announced_again(void **state)
{
	struct fixture *f = *state;
	json_t *saved;
	char buf[16];

	observe(f, "a", "down", 1100);
	observe(f, "b", "pass", 1100);
	saved = saved_state(f);
	health_free(f->health);
	f->health = health_new(&(struct health_hooks){.on_health = on_health, .ctx = f});
	configure(f, (const char *const[]){"a", "b"}, 2, 5000);
	health_restore(f->health, saved, 5000);
	json_decref(saved);
	assert_string_equal(status_of(f, "a", buf), "down");
	f->transitions = 0;
	observe(f, "a", "down", 5100);
	observe(f, "b", "pass", 5100);
	assert_int_equal(f->transitions, 0);
}

static void a_removed_component_is_told_and_moves_the_total(void **state)
{
	struct fixture *f = *state;

	observe(f, "b", "down", 1100);
	observe(f, "a", "pass", 1100);
	f->lines = 0;
	configure(f, (const char *const[]){"a"}, 1, 2000);
	assert_int_equal(f->lines, 1);
	assert_true(json_is_true(json_object_get(f->last, "removed")));
	assert_int_equal(health_overall(f->health), STATUS_HEALTHY);
}

static void what_is_not_checked_any_more_blocks_nobody(void **state)
{
	struct fixture *f = *state;
	json_t *line_state;

	observe(f, "a", "down", 1100);
	configure_some(f, (const char *const[]){"a", "b"}, 2, "a", 2000);
	observe(f, "b", "fail", 2100);
	line_state = json_object_get(f->last, "state");
	assert_true(json_is_null(json_object_get(line_state, "blocked_by")));
}

static void what_is_disabled_is_told_as_removed_and_must_be_heard_of_again(void **state)
{
	struct fixture *f = *state;
	char buf[16];

	observe(f, "a", "down", 1100);
	observe(f, "b", "pass", 1100);
	f->lines = 0;
	configure_some(f, (const char *const[]){"a", "b"}, 2, "a", 2000);
	assert_int_equal(f->lines, 1);
	assert_true(json_is_true(json_object_get(f->last, "removed")));
	health_expire(f->health, 20000);
	configure(f, (const char *const[]){"a", "b"}, 2, 20000);
	f->lines = 0;
	health_expire(f->health, 20000 + 3499);
	assert_int_equal(f->lines, 0);
	health_expire(f->health, 20000 + 3500);
	assert_string_equal(status_of(f, "a", buf), "unknown");
	assert_true(f->lines > 0);
}

/* Each looks at all above it: the ways through this lattice are more than could ever be walked. */
static void what_vanished_while_haled_was_down_is_told_once(void **state)
{
	struct fixture *f = *state;
	json_t *saved;

	observe(f, "a", "pass", 1100);
	observe(f, "b", "fail", 1100);
	saved = saved_state(f);
	health_free(f->health);
	f->health = health_new(&(struct health_hooks){.on_health = on_health, .ctx = f});
	configure(f, (const char *const[]){"a"}, 1, 5000);
	health_restore(f->health, saved, 5000);
	json_decref(saved);
	/* Until it is told it is remembered, whatever happens to haled. */
	saved = saved_state(f);
	assert_non_null(json_object_get(json_object_get(saved, "components"), "b"));
	json_decref(saved);
	f->lines = 0;
	health_tell_gone(f->health, 5000);
	assert_int_equal(f->lines, 1);
	assert_string_equal(json_string_value(json_object_get(f->last, "component")), "b");
	assert_true(json_is_true(json_object_get(f->last, "removed")));
	assert_string_equal(json_string_value(json_object_get(f->last, "previous")), "critical");
	health_tell_gone(f->health, 5001);
	assert_int_equal(f->lines, 1);
	saved = saved_state(f);
	assert_null(json_object_get(json_object_get(saved, "components"), "b"));
	json_decref(saved);
}

static void what_the_journal_told_as_removed_is_not_told_again(void **state)
{
	struct fixture *f = *state;
	json_t *saved;

	observe(f, "a", "pass", 1100);
	observe(f, "b", "fail", 1100);
	saved = saved_state(f);
	configure(f, (const char *const[]){"a"}, 1, 5000);
	health_restore(f->health, saved, 5000);
	health_restore_one(f->health, "b", NULL, NULL, 5000, 5000);
	f->lines = 0;
	health_tell_gone(f->health, 5000);
	assert_int_equal(f->lines, 0);
	/* One that only the journal knows is. */
	health_restore_one(f->health, "b",
			   json_object_get(json_object_get(saved, "components"), "b"), NULL, 5000,
			   5000);
	health_restore_one(f->health, "b",
			   json_object_get(json_object_get(saved, "components"), "b"), NULL, 5001,
			   5001);
	health_tell_gone(f->health, 5001);
	assert_int_equal(f->lines, 1);
	json_decref(saved);
}

static void a_pause_freezes_everything(void **state)
{
	struct fixture *f = *state;
	char buf[16];

	observe(f, "a", "pass", 1100);
	observe(f, "b", "fail", 1100);
	f->lines = 0;
	health_pause(f->health);
	assert_int_equal(health_overall(f->health), STATUS_UNKNOWN);
	assert_true(health_next_due(f->health) == INT64_MAX);
	observe(f, "b", "pass", 2000);
	health_expire(f->health, 900000);
	health_silence(f->health, "check.null", "No data: stopped", 900000);
	health_report(f->health, "a", OUTCOME_FAIL, REASON_CRASH_LOOP, "x", 900000);
	assert_int_equal(f->lines, 0);
	assert_string_equal(status_of(f, "a", buf), "healthy");
	assert_string_equal(status_of(f, "b", buf), "critical");
	/* The full time again: three intervals and the timeout. */
	health_resume(f->health, 1000000);
	assert_int_equal(health_overall(f->health), STATUS_CRITICAL);
	health_expire(f->health, 1003499);
	assert_int_equal(f->lines, 0);
	health_expire(f->health, 1003500);
	assert_string_equal(status_of(f, "a", buf), "unknown");
}

/* hale.recorder, as haled makes it. */
static void configure_process(struct fixture *f)
{
	struct component_spec spec = component(COMPONENT_OWN_PREFIX "recorder", NULL);
	struct aggregate_rule rule = {0};

	free(spec.kind);
	free(spec.process);
	spec.kind = mem_dup(COMPONENT_KIND_PROCESS);
	spec.process = mem_dup("haled");
	spec.interval_ms = 0;
	health_configure(f->health, &spec, 1, &rule, 1000);
}

static void expect_own(struct fixture *f, const char *process, const char *outcome, int rc,
		       const char *status)
{
	json_t *line =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:f}", "at", "2026-11-22T00:00:00.000Z",
			  "node", "n", "component", "hale.recorder", "outcome", outcome, "reason",
			  "store_backlog", "message", "10 lines wait", "took_ms", 0.0);
	struct err err;
	char buf[16];

	assert_int_equal(health_observe(f->health, process, line, 2000, &err), rc);
	assert_string_equal(status_of(f, "hale.recorder", buf), status);
	json_decref(line);
}

static void a_process_speaks_for_itself_and_for_nobody_else(void **state)
{
	struct fixture *f = *state;

	configure_process(f);
	health_report(f->health, "hale.recorder", OUTCOME_PASS, REASON_OK, "Running", 1500);
	expect_own(f, "notifier", "warn", -ENOENT, "healthy");
	expect_own(f, "ecorder", "warn", -ENOENT, "healthy");
	expect_own(f, "recorder", "warn", 0, "degraded");
	expect_own(f, "recorder", "pass", 0, "healthy");
}

static void what_haled_finds_wrong_with_a_process_overrules_its_own_word(void **state)
{
	struct fixture *f = *state;

	configure_process(f);
	health_report(f->health, "hale.recorder", OUTCOME_FAIL, REASON_CRASH_LOOP, "x", 1500);
	expect_own(f, "recorder", "pass", 0, "critical");
	/* A restart begins fresh. */
	health_report(f->health, "hale.recorder", OUTCOME_PASS, REASON_OK, "Running", 1600);
	expect_own(f, "recorder", "warn", 0, "degraded");
	health_report(f->health, "hale.recorder", OUTCOME_PASS, REASON_OK, "Running", 1700);
	expect_own(f, "recorder", "pass", 0, "healthy");
}

static void what_is_removed_during_a_pause_is_told_after_it(void **state)
{
	struct fixture *f = *state;
	json_t *saved;

	observe(f, "b", "fail", 1100);
	health_pause(f->health);
	f->lines = 0;
	configure(f, (const char *const[]){"a"}, 1, 2000);
	assert_int_equal(f->lines, 0);
	/* A restart of haled during the pause does not forget it. */
	saved = saved_state(f);
	health_free(f->health);
	f->health = health_new(&(struct health_hooks){.on_health = on_health, .ctx = f});
	configure(f, (const char *const[]){"a"}, 1, 5000);
	health_pause(f->health);
	health_restore(f->health, saved, 5000);
	json_decref(saved);
	health_tell_gone(f->health, 5000);
	assert_int_equal(f->lines, 0);
	health_resume(f->health, 6000);
	assert_int_equal(f->lines, 1);
	assert_true(json_is_true(json_object_get(f->last, "removed")));
}

static void dependencies_that_cross_are_each_looked_at_once(void **state)
{
	struct fixture *f = *state;
	struct component_spec *specs = mem_array(100, sizeof(*specs));
	struct aggregate_rule rule = {0};
	json_t *line_state;

	for (int i = 0; i < 100; i++) {
		char id[16];

		(void)snprintf(id, sizeof(id), "n%d", i);
		specs[i] = component(id, NULL);
		for (int above = 0; above < i; above++) {
			(void)snprintf(id, sizeof(id), "n%d", above);
			strlist_add(&specs[i].depends_on, id);
		}
	}
	health_configure(f->health, specs, 100, &rule, 2000);
	free(specs);
	observe(f, "n99", "fail", 2100);
	line_state = json_object_get(f->last, "state");
	assert_true(json_is_null(json_object_get(line_state, "blocked_by")));
	observe(f, "n0", "down", 2100);
	observe(f, "n99", "fail", 2200);
	line_state = json_object_get(f->last, "state");
	assert_string_equal(json_string_value(json_object_get(line_state, "blocked_by")), "n0");
}

static void a_transition_from_the_journal_is_as_old_as_it_was(void **state)
{
	struct fixture *f = *state;
	json_t *save, *overall;
	char buf[16];

	observe(f, "a", "pass", 1100);
	observe(f, "a", "down", 1200);
	save = json_pack("{s:s, s:s, s:s, s:i, s:i, s:n, s:n, s:s, s:s}", "status", "down",
			 "verdict", "down", "since", "1970-01-01T00:00:01.200Z", "failures", 1,
			 "passes", 0, "last_check", "last_success", "message", "as told", "reason",
			 "told");
	overall = json_incref(json_object_get(f->last, "overall"));
	health_free(f->health);
	f->health = health_new(&(struct health_hooks){.on_health = on_health, .ctx = f});
	configure(f, (const char *const[]){"a", "b"}, 2, 9000);
	health_restore_one(f->health, "a", save, overall, 1200, 9000);
	json_decref(save);
	json_decref(overall);
	assert_string_equal(status_of(f, "a", buf), "down");
	assert_int_equal(health_overall(f->health), STATUS_DOWN);
	assert_int_equal(health_overall_since(f->health), 1200);
	/* And is not told again, though the score is. */
	observe(f, "a", "down", 9100);
	assert_true(json_is_false(json_object_get(f->last, "transition")));
	assert_true(
		json_is_false(json_object_get(json_object_get(f->last, "overall"), "transition")));
}

static void what_a_removed_component_did_to_the_total_is_not_told_again(void **state)
{
	struct fixture *f = *state;
	json_t *saved, *overall;

	observe(f, "b", "down", 1100);
	observe(f, "a", "pass", 1100);
	saved = saved_state(f);
	configure(f, (const char *const[]){"a"}, 1, 2000);
	overall = json_incref(json_object_get(f->last, "overall"));
	health_free(f->health);
	f->health = health_new(&(struct health_hooks){.on_health = on_health, .ctx = f});
	configure(f, (const char *const[]){"a"}, 1, 5000);
	health_restore(f->health, saved, 5000);
	health_restore_one(f->health, "b", NULL, overall, 2000, 5000);
	json_decref(saved);
	json_decref(overall);
	f->transitions = 0;
	observe(f, "a", "pass", 5100);
	assert_int_equal(f->transitions, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_start_is_no_outage, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failure_moves_the_total_and_is_told_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_dependent_names_what_blocks_it, setup, teardown),
		cmocka_unit_test_setup_teardown(silence_for_three_intervals_is_unknown, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_clock_that_is_set_makes_nothing_overdue, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_dead_checker_does_not_look_healthy, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_checker_cannot_speak_for_another, setup,
						teardown),
		cmocka_unit_test_setup_teardown(state_survives_a_restart_and_is_not_announced_again,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_removed_component_is_told_and_moves_the_total,
						setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_checked_any_more_blocks_nobody, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_vanished_while_haled_was_down_is_told_once,
						setup, teardown),
		cmocka_unit_test_setup_teardown(what_the_journal_told_as_removed_is_not_told_again,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_pause_freezes_everything, setup, teardown),
		cmocka_unit_test_setup_teardown(a_process_speaks_for_itself_and_for_nobody_else,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_haled_finds_wrong_with_a_process_overrules_its_own_word, setup,
			teardown),
		cmocka_unit_test_setup_teardown(what_is_removed_during_a_pause_is_told_after_it,
						setup, teardown),
		cmocka_unit_test_setup_teardown(dependencies_that_cross_are_each_looked_at_once,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_is_disabled_is_told_as_removed_and_must_be_heard_of_again, setup,
			teardown),
		cmocka_unit_test_setup_teardown(a_transition_from_the_journal_is_as_old_as_it_was,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_a_removed_component_did_to_the_total_is_not_told_again, setup,
			teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
