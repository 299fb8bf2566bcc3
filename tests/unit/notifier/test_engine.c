/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

static const struct strlist none;
static struct strlist every = GLOB("*");
static struct strlist web_only = GLOB("web*");

static struct engine_rule overall_rule(int64_t cooldown_s)
{
	return (struct engine_rule){.name = "total",
				    .type = RULE_STATUS_CHANGE,
				    .components = &none,
				    .on = ALL_BAD,
				    .cooldown_ms = cooldown_s * 1000,
				    .tells_recovery = true};
}

static struct engine_rule component_rule(int64_t cooldown_s)
{
	struct engine_rule r = overall_rule(cooldown_s);

	r.name = "each";
	r.components = &every;
	return r;
}

static struct engine_rule failures_rule(int64_t cooldown_s)
{
	return (struct engine_rule){.name = "failing",
				    .type = RULE_COMPONENT_FAILURES,
				    .components = &none,
				    .on = 1u << STATUS_CRITICAL | 1u << STATUS_DOWN,
				    .failures = 3,
				    .cooldown_ms = cooldown_s * 1000,
				    .tells_recovery = true};
}

#define START(t, rule)                                                                             \
	struct talk t = {0};                                                                       \
	struct engine_rule t##_rule = (rule);                                                      \
	talk_start(&t, &t##_rule, 1)

/* ---- status_change of the total (S0-35 … S0-41) ---- */

static void a_healthy_start_is_silent(void **state)
{
	(void)state;
	START(t, overall_rule(300));
	SAY(&t, 0, "api", STATUS_HEALTHY, .overall = "healthy");
	assert_int_equal(t.fx.n, 0);
	talk_end(&t);
}

static void a_critical_start_is_told_at_once(void **state)
{
	(void)state;
	START(t, overall_rule(300));
	SAY(&t, 0, "api", STATUS_CRITICAL, .overall = "critical", .message = "Disconnected");
	assert_int_equal(count(&t, EFFECT_OPEN), 1);
	assert_string_equal(var(notice(&t), "status"), "critical");
	assert_string_equal(var(notice(&t), "previous"), "healthy");
	assert_string_equal(var(notice(&t), "severity"), "critical");
	assert_string_equal(alert_text(notice(&t), "message"), "api: Disconnected");
	assert_string_equal(alert_text(notice(&t), "key"), "web1/total/overall");
	talk_end(&t);
}

static void a_total_of_components_not_checked_yet_is_no_news(void **state)
{
	(void)state;
	START(t, overall_rule(0));
	SAY(&t, 0, "api", STATUS_UNKNOWN, .overall = "unknown", .is_unchecked = true);
	assert_int_equal(t.fx.n, 0);
	SAY(&t, 1, "web", STATUS_HEALTHY, .overall = "degraded");
	assert_int_equal(t.fx.n, 0);
	SAY(&t, 2, "api", STATUS_HEALTHY, .overall = "healthy");
	assert_int_equal(t.fx.n, 0);
	talk_end(&t);
}

static void a_held_total_is_told_once_a_component_explains_it(void **state)
{
	(void)state;
	START(t, overall_rule(0));
	SAY(&t, 0, "web", STATUS_HEALTHY, .overall = "degraded");
	assert_int_equal(notices(&t), 0);
	SAY(&t, 1, "web", STATUS_DEGRADED);
	assert_string_equal(var(notice(&t), "status"), "degraded");
	talk_end(&t);
}

static void falling_from_critical_to_degraded_is_told(void **state)
{
	(void)state;
	START(t, overall_rule(300));
	SAY(&t, 0, "api", STATUS_CRITICAL, .overall = "critical");
	SAY(&t, 40, "api", STATUS_DEGRADED, .overall = "degraded");
	assert_string_equal(var(notice(&t), "previous"), "critical");
	assert_int_equal(count(&t, EFFECT_UPDATE), 1);
	assert_int_equal(count(&t, EFFECT_OPEN), 0);
	talk_end(&t);
}

static void one_target_status_is_told_once_in_a_cooldown(void **state)
{
	(void)state;
	size_t critical = 0, healthy = 0;

	START(t, overall_rule(300));
	for (int second = 0; second < 300; second += 40) {
		bool is_bad = second / 40 % 2 == 0;

		SAY(&t, second, "api", is_bad ? STATUS_CRITICAL : STATUS_HEALTHY,
		    .overall = is_bad ? "critical" : "healthy");
		if (is_bad)
			critical += notices(&t);
		else
			healthy += notices(&t);
	}
	assert_int_equal(critical, 1);
	assert_int_equal(healthy, 1);
	talk_end(&t);
}

static void what_a_cooldown_held_back_is_told_when_it_ends(void **state)
{
	(void)state;
	START(t, overall_rule(300));
	SAY(&t, 0, "api", STATUS_CRITICAL, .overall = "critical");
	SAY(&t, 60, "api", STATUS_HEALTHY, .overall = "healthy");
	assert_int_equal(notices(&t), 1);
	SAY(&t, 120, "api", STATUS_CRITICAL, .overall = "critical");
	assert_int_equal(notices(&t), 0);
	assert_int_equal(engine_due(t.engine, T0 + 120 * 1000), T0 + 300 * 1000);
	tick(&t, 299);
	assert_int_equal(notices(&t), 0);
	tick(&t, 300);
	assert_string_equal(var(notice(&t), "status"), "critical");
	assert_int_equal(engine_due(t.engine, T0 + 300 * 1000), INT64_MAX);
	talk_end(&t);
}

static void a_failure_within_the_cooldown_is_the_same_alert_again(void **state)
{
	(void)state;
	START(t, overall_rule(300));
	SAY(&t, 0, "api", STATUS_CRITICAL, .overall = "critical");
	SAY(&t, 60, "api", STATUS_HEALTHY, .overall = "healthy");
	SAY(&t, 120, "api", STATUS_CRITICAL, .overall = "critical");
	assert_int_equal(count(&t, EFFECT_OPEN), 1);
	assert_string_equal(alert_text(&t.fx.v[0], "id"), "id-1");
	assert_int_equal(json_integer_value(json_object_get(t.fx.v[0].alert, "count")), 2);
	talk_end(&t);
}

static void a_failure_after_the_cooldown_is_a_new_alert(void **state)
{
	(void)state;
	START(t, overall_rule(300));
	SAY(&t, 0, "api", STATUS_CRITICAL, .overall = "critical");
	SAY(&t, 60, "api", STATUS_HEALTHY, .overall = "healthy");
	assert_int_equal(count(&t, EFFECT_RESOLVE), 1);
	SAY(&t, 400, "api", STATUS_CRITICAL, .overall = "critical");
	assert_string_equal(alert_text(notice(&t), "id"), "id-2");
	talk_end(&t);
}

static void statuses_that_are_not_asked_for_are_no_news(void **state)
{
	(void)state;
	struct engine_rule rule = overall_rule(0);

	rule.on = 1u << STATUS_CRITICAL;
	START(t, rule);
	SAY(&t, 0, "api", STATUS_DEGRADED, .overall = "degraded");
	assert_int_equal(t.fx.n, 0);
	SAY(&t, 1, "api", STATUS_CRITICAL, .overall = "critical");
	assert_int_equal(notices(&t), 1);
	SAY(&t, 2, "api", STATUS_DEGRADED, .overall = "degraded");
	assert_int_equal(t.fx.n, 0);
	SAY(&t, 3, "api", STATUS_HEALTHY, .overall = "healthy");
	assert_string_equal(var(notice(&t), "event"), "recovery");
	talk_end(&t);
}

static void without_recovery_the_alert_resolves_in_silence(void **state)
{
	(void)state;
	struct engine_rule rule = overall_rule(0);

	rule.tells_recovery = false;
	START(t, rule);
	SAY(&t, 0, "api", STATUS_CRITICAL, .overall = "critical");
	SAY(&t, 1, "api", STATUS_HEALTHY, .overall = "healthy");
	assert_int_equal(count(&t, EFFECT_RESOLVE), 1);
	assert_int_equal(notices(&t), 0);
	SAY(&t, 2, "api", STATUS_CRITICAL, .overall = "critical");
	assert_int_equal(notices(&t), 1);
	talk_end(&t);
}

static size_t culprits(const struct talk *t)
{
	return json_array_size(json_object_get(notice(t)->vars, "culprits"));
}

static void only_what_makes_the_total_bad_is_named(void **state)
{
	(void)state;
	START(t, overall_rule(0));
	SAY(&t, 0, "cache", STATUS_DOWN, .impact = "none", .overall = "healthy");
	SAY(&t, 1, "mail", STATUS_DOWN, .impact = "degraded", .overall = "degraded");
	assert_int_equal(culprits(&t), 1);
	SAY(&t, 2, "db", STATUS_DOWN, .overall = "critical");
	assert_int_equal(culprits(&t), 1);
	SAY(&t, 3, "api", STATUS_CRITICAL);
	assert_int_equal(notices(&t), 0);
	SAY(&t, 4, "api", STATUS_CRITICAL, .overall = "down");
	assert_int_equal(culprits(&t), 2);
	assert_int_equal(json_array_size(json_object_get(notice(&t)->vars, "components")), 3);
	talk_end(&t);
}

/* ---- status_change per component ---- */

static void components_are_told_one_by_one(void **state)
{
	(void)state;
	START(t, component_rule(300));
	SAY(&t, 0, "api", STATUS_CRITICAL);
	assert_string_equal(alert_text(notice(&t), "component"), "api");
	assert_string_equal(var(notice(&t), "severity"), "high");
	SAY(&t, 1, "db", STATUS_DOWN);
	assert_string_equal(var(notice(&t), "severity"), "critical");
	SAY(&t, 2, "api", STATUS_HEALTHY);
	assert_string_equal(var(notice(&t), "severity"), "info");
	talk_end(&t);
}

static void components_outside_the_globs_are_nobodys_business(void **state)
{
	(void)state;
	struct engine_rule rule = component_rule(0);

	rule.components = &web_only;
	START(t, rule);
	SAY(&t, 0, "api", STATUS_DOWN);
	assert_int_equal(t.fx.n, 0);
	SAY(&t, 1, "web1", STATUS_DOWN);
	assert_int_equal(notices(&t), 1);
	talk_end(&t);
}

static void a_blocked_failure_is_held_and_told_when_unblocked(void **state)
{
	(void)state;
	START(t, component_rule(0));
	SAY(&t, 0, "api", STATUS_DOWN, .blocked_by = "db");
	assert_int_equal(t.fx.n, 0);
	tick(&t, 1000);
	assert_int_equal(t.fx.n, 0);
	SAY(&t, 1001, "api", STATUS_DOWN);
	assert_int_equal(notices(&t), 1);
	talk_end(&t);
}

static void a_blocked_recovery_is_told(void **state)
{
	(void)state;
	START(t, component_rule(0));
	SAY(&t, 0, "api", STATUS_DOWN);
	SAY(&t, 1, "api", STATUS_HEALTHY, .blocked_by = "db");
	assert_string_equal(var(notice(&t), "event"), "recovery");
	talk_end(&t);
}

static void a_deferred_notice_stays_held_while_blocked(void **state)
{
	(void)state;
	START(t, component_rule(300));
	SAY(&t, 0, "api", STATUS_DOWN);
	SAY(&t, 1, "api", STATUS_HEALTHY);
	SAY(&t, 2, "api", STATUS_DOWN);
	SAY(&t, 3, "api", STATUS_DOWN, .blocked_by = "db");
	assert_int_equal(engine_due(t.engine, T0 + 3000), INT64_MAX);
	tick(&t, 400);
	assert_int_equal(notices(&t), 0);
	SAY(&t, 401, "api", STATUS_DOWN);
	assert_int_equal(notices(&t), 1);
	talk_end(&t);
}

static void a_removed_component_resolves_without_a_word(void **state)
{
	(void)state;
	START(t, component_rule(0));
	SAY(&t, 0, "api", STATUS_DOWN);
	json_t *line = json_pack("{s:s, s:b}", "component", "api", "removed", 1);
	effects_done(&t.fx);
	assert_int_equal(engine_health(t.engine, line, T0 + 1000, &t.fx), 0);
	json_decref(line);
	assert_int_equal(count(&t, EFFECT_RESOLVE), 1);
	assert_int_equal(notices(&t), 0);
	talk_end(&t);
}

static void a_disabled_component_resolves_without_a_word(void **state)
{
	(void)state;
	START(t, component_rule(0));
	SAY(&t, 0, "api", STATUS_DOWN);
	SAY(&t, 1, "api", STATUS_UNKNOWN, .is_disabled = true);
	assert_int_equal(count(&t, EFFECT_RESOLVE), 1);
	assert_int_equal(notices(&t), 0);
	talk_end(&t);
}

/* ---- component_failures (S3-34 … S3-40) ---- */

static void two_failures_and_a_recovery_are_silent(void **state)
{
	(void)state;
	START(t, failures_rule(900));
	SAY(&t, 0, "api", STATUS_CRITICAL, 1);
	SAY(&t, 30, "api", STATUS_CRITICAL, 2);
	SAY(&t, 60, "api", STATUS_HEALTHY, 0);
	assert_int_equal(t.fx.n, 0);
	talk_end(&t);
}

static void the_third_failure_opens_one_alert(void **state)
{
	(void)state;
	size_t told = 0;

	START(t, failures_rule(900));
	for (int i = 1; i <= 6; i++) {
		SAY(&t, i * 30, "api", i % 2 ? STATUS_DOWN : STATUS_CRITICAL, i);
		told += notices(&t);
		if (i == 3)
			assert_string_equal(var(notice(&t), "status"), "down");
	}
	assert_int_equal(told, 1);
	SAY(&t, 300, "api", STATUS_HEALTHY, 0);
	assert_string_equal(var(notice(&t), "event"), "recovery");
	talk_end(&t);
}

static void degraded_and_unknown_never_alert(void **state)
{
	(void)state;
	START(t, failures_rule(0));
	SAY(&t, 0, "api", STATUS_DEGRADED, 9);
	SAY(&t, 1, "api", STATUS_UNKNOWN, 9);
	assert_int_equal(t.fx.n, 0);
	SAY(&t, 2, "api", STATUS_CRITICAL, 10);
	assert_int_equal(notices(&t), 1);
	SAY(&t, 3, "api", STATUS_UNKNOWN, 10);
	assert_int_equal(t.fx.n, 0);
	talk_end(&t);
}

static void fail_recover_fail_within_the_cooldown_is_one_alert(void **state)
{
	(void)state;
	START(t, failures_rule(900));
	SAY(&t, 0, "api", STATUS_DOWN, 3);
	assert_int_equal(notices(&t), 1);
	SAY(&t, 90, "api", STATUS_HEALTHY, 0);
	SAY(&t, 180, "api", STATUS_DOWN, 3);
	assert_int_equal(notices(&t), 0);
	assert_string_equal(alert_text(&t.fx.v[0], "id"), "id-1");
	SAY(&t, 270, "api", STATUS_HEALTHY, 0);
	assert_int_equal(notices(&t), 0);
	talk_end(&t);
}

static void failing_on_reminds_at_the_spacing_of_the_cooldown(void **state)
{
	(void)state;
	struct engine_rule rule = failures_rule(900);
	size_t told = 0;

	rule.repeat_ms = 900 * 1000;
	START(t, rule);
	for (int i = 0; i <= 3600; i += 30) {
		SAY(&t, i, "api", STATUS_DOWN, 3 + i / 30);
		told += notices(&t);
		if (i == 900)
			assert_string_equal(var(notice(&t), "event"), "reminder");
	}
	assert_int_equal(told, 5);
	talk_end(&t);
}

static void different_components_do_not_share_a_cooldown(void **state)
{
	(void)state;
	START(t, failures_rule(900));
	SAY(&t, 0, "api", STATUS_DOWN, 3);
	assert_int_equal(notices(&t), 1);
	SAY(&t, 1, "db", STATUS_DOWN, 3);
	assert_int_equal(notices(&t), 1);
	talk_end(&t);
}

/* ---- snapshot, reload, clock, nonsense ---- */

static void say_snapshot(struct talk *t, int64_t second, const char *overall, const struct word *w,
			 size_t n)
{
	json_t *list = json_array();
	json_t *snapshot;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, word_state(&w[i]));
	snapshot =
		json_pack("{s:s, s:f, s:o}", "status", overall, "score", 1.0, "components", list);
	effects_done(&t->fx);
	assert_int_equal(engine_snapshot(t->engine, snapshot, T0 + second * 1000, &t->fx), 0);
	json_decref(snapshot);
}

static void a_snapshot_tells_what_changed_meanwhile_and_nothing_old(void **state)
{
	(void)state;
	struct word now[] = {{.component = "api", .status = STATUS_DOWN},
			     {.component = "web", .status = STATUS_CRITICAL},
			     {.component = "new", .status = STATUS_UNKNOWN, .is_unchecked = true}};

	START(t, component_rule(0));
	SAY(&t, 0, "api", STATUS_DOWN);
	SAY(&t, 1, "db", STATUS_DOWN);
	say_snapshot(&t, 100, "critical", now, 3);
	assert_string_equal(alert_text(notice(&t), "component"), "web");
	assert_int_equal(count(&t, EFFECT_RESOLVE), 1); /* db is gone */
	say_snapshot(&t, 101, "critical", now, 3);
	assert_int_equal(t.fx.n, 0);
	talk_end(&t);
}

static void reload(struct talk *old, struct talk *t, const struct engine_rule *rule)
{
	json_t *saved = engine_save(old->engine);
	const char *key;
	json_t *value;

	talk_start(t, rule, 1);
	json_object_foreach (saved, key, value)
		assert_int_equal(engine_load(t->engine, key, value), 0);
	engine_adopt(t->engine, T0 + 5000, &t->fx);
	json_decref(saved);
	talk_end(old);
}

static void a_reloaded_rule_keeps_what_it_told(void **state)
{
	(void)state;
	struct engine_rule rule = component_rule(300);

	START(old, rule);
	SAY(&old, 0, "api", STATUS_DOWN);
	rule.cooldown_ms = 0;
	struct talk t = {0};
	reload(&old, &t, &rule);
	assert_int_equal(t.fx.n, 0);
	SAY(&t, 10, "api", STATUS_DOWN);
	assert_int_equal(t.fx.n, 0);
	SAY(&t, 11, "api", STATUS_HEALTHY);
	assert_string_equal(var(notice(&t), "event"), "recovery");
	talk_end(&t);
}

static void a_rule_that_left_resolves_its_alerts_without_a_word(void **state)
{
	(void)state;
	struct engine_rule rule = component_rule(300);

	START(old, rule);
	SAY(&old, 0, "api", STATUS_DOWN);
	rule.components = &web_only;
	struct talk t = {0};
	reload(&old, &t, &rule);
	assert_int_equal(count(&t, EFFECT_RESOLVE), 1);
	assert_int_equal(notices(&t), 0);
	talk_end(&t);
}

static void a_clock_set_back_does_not_freeze_a_cooldown(void **state)
{
	(void)state;
	START(t, component_rule(300));
	SAY(&t, 1000000, "api", STATUS_DOWN);
	SAY(&t, 10, "api", STATUS_HEALTHY);
	SAY(&t, 20, "api", STATUS_DOWN);
	assert_int_equal(notices(&t), 1);
	talk_end(&t);
}

static void what_is_no_health_line_changes_nothing(void **state)
{
	(void)state;
	static const char *const lines[] = {
		"{}",
		"{\"component\": \"api\"}",
		"{\"component\": \"api\", \"state\": {\"id\": \"api\", \"status\": \"sick\"}}",
		"{\"component\": \"api\", \"state\": {\"status\": \"down\"}}",
		"{\"component\": 3, \"state\": []}",
	};

	START(t, component_rule(0));
	json_t *before = engine_save(t.engine);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		json_t *line = json_loads(lines[i], 0, NULL);

		assert_int_equal(engine_health(t.engine, line, T0, &t.fx), -EINVAL);
		json_decref(line);
	}
	json_t *after = engine_save(t.engine);
	assert_true(json_equal(before, after));
	json_decref(before);
	json_decref(after);
	talk_end(&t);
}

static void a_set_severity_wins(void **state)
{
	(void)state;
	struct engine_rule rule = component_rule(0);

	rule.severity = SEVERITY_INFO;
	START(t, rule);
	SAY(&t, 0, "api", STATUS_DOWN);
	assert_string_equal(alert_text(notice(&t), "severity"), "info");
	talk_end(&t);
}

/* As the bus has it. */
static bool routine(struct talk *t, const struct word *w)
{
	json_t *object = word_state(w);
	char *state = json_dumps(object, JSON_COMPACT);
	char *line = mem_printf("{\"component\":\"%s\",\"transition\":false,\"no_data\":false,"
				"\"state\":%s}",
				w->component, state);
	struct health_line l;
	bool is_taken;

	assert_true(health_line_is_routine(line, strlen(line), &l));
	is_taken = engine_routine(t->engine, &l);
	json_decref(object);
	free(state);
	free(line);
	return is_taken;
}

static void a_healthy_component_that_stays_so_is_taken_as_text(void **state)
{
	struct engine_rule rule = {.name = "each",
				   .type = RULE_STATUS_CHANGE,
				   .components = &(struct strlist)GLOB("*"),
				   .on = ALL_BAD};
	const struct word good = {.component = "api", .message = "newer"};
	const struct word others[] = {
		{.component = "new"},
		{.component = "api", .status = STATUS_DEGRADED},
		{.component = "api", .failures = 1},
		{.component = "api", .blocked_by = "db"},
		{.component = "api", .impact = "none"},
		{.component = "api", .is_disabled = true},
	};
	struct talk t = {0};
	json_t *saved;

	(void)state;
	talk_start(&t, &rule, 1);
	assert_false(routine(&t, &good)); /* not known yet */
	SAY(&t, 0, "api", STATUS_HEALTHY, .message = "older");
	engine_saved(t.engine);
	assert_true(routine(&t, &good));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(routine(&t, &others[i]));
	saved = engine_save(t.engine);
	assert_string_equal(json_string_value(json_object_get(
				    json_object_get(saved, "component/api"), "message")),
			    "newer");
	assert_null(json_object_get(json_object_get(saved, "component/api"), "details"));
	json_decref(saved);
	SAY(&t, 1, "api", STATUS_DOWN);
	assert_int_equal(notices(&t), 1);
	assert_false(routine(&t, &good)); /* it is not healthy any more */
	talk_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_healthy_start_is_silent),
		cmocka_unit_test(a_critical_start_is_told_at_once),
		cmocka_unit_test(a_total_of_components_not_checked_yet_is_no_news),
		cmocka_unit_test(a_held_total_is_told_once_a_component_explains_it),
		cmocka_unit_test(falling_from_critical_to_degraded_is_told),
		cmocka_unit_test(one_target_status_is_told_once_in_a_cooldown),
		cmocka_unit_test(what_a_cooldown_held_back_is_told_when_it_ends),
		cmocka_unit_test(a_failure_within_the_cooldown_is_the_same_alert_again),
		cmocka_unit_test(a_failure_after_the_cooldown_is_a_new_alert),
		cmocka_unit_test(statuses_that_are_not_asked_for_are_no_news),
		cmocka_unit_test(without_recovery_the_alert_resolves_in_silence),
		cmocka_unit_test(only_what_makes_the_total_bad_is_named),
		cmocka_unit_test(components_are_told_one_by_one),
		cmocka_unit_test(components_outside_the_globs_are_nobodys_business),
		cmocka_unit_test(a_blocked_failure_is_held_and_told_when_unblocked),
		cmocka_unit_test(a_blocked_recovery_is_told),
		cmocka_unit_test(a_deferred_notice_stays_held_while_blocked),
		cmocka_unit_test(a_removed_component_resolves_without_a_word),
		cmocka_unit_test(a_disabled_component_resolves_without_a_word),
		cmocka_unit_test(two_failures_and_a_recovery_are_silent),
		cmocka_unit_test(the_third_failure_opens_one_alert),
		cmocka_unit_test(degraded_and_unknown_never_alert),
		cmocka_unit_test(fail_recover_fail_within_the_cooldown_is_one_alert),
		cmocka_unit_test(failing_on_reminds_at_the_spacing_of_the_cooldown),
		cmocka_unit_test(different_components_do_not_share_a_cooldown),
		cmocka_unit_test(a_snapshot_tells_what_changed_meanwhile_and_nothing_old),
		cmocka_unit_test(a_reloaded_rule_keeps_what_it_told),
		cmocka_unit_test(a_rule_that_left_resolves_its_alerts_without_a_word),
		cmocka_unit_test(a_clock_set_back_does_not_freeze_a_cooldown),
		cmocka_unit_test(what_is_no_health_line_changes_nothing),
		cmocka_unit_test(a_set_severity_wins),
		cmocka_unit_test(a_healthy_component_that_stays_so_is_taken_as_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
