/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "model/health.h"
#include "model/health_line.h"

static char *last_line;

static void on_health(void *ctx, const struct health_news *news)
{
	(void)ctx;
	free(last_line);
	last_line = strdup(news->line);
}

static void observe(struct health *h, const char *outcome, int64_t now_ms)
{
	json_t *line = json_pack("{s:s, s:s, s:s, s:s, s:s, s:f}", "at", "2026-01-01T00:00:00.000Z",
				 "component", "api", "outcome", outcome, "reason", "ok", "message",
				 "\"state\":{ says nothing", "took_ms", 1.5);
	struct err err;

	assert_int_equal(health_observe(h, "check.null", line, now_ms, &err), 0);
	json_decref(line);
}

static bool is_routine(struct health_line *l_r)
{
	return health_line_is_routine(last_line, strlen(last_line), l_r);
}

static struct health *one_component(void)
{
	const struct health_hooks hooks = {.on_health = on_health};
	const struct aggregate_rule rule = {.how = AGGREGATE_WORST_OF};
	struct component_spec spec = {.id = strdup("api"),
				      .label = strdup("\"state\":{\"},"),
				      .kind = strdup("null"),
				      .process = strdup("check.null"),
				      .node = strdup("n\"1\\"),
				      .interval_ms = 1000,
				      .timeout_ms = 500,
				      .degraded_after = 1,
				      .critical_after = 1,
				      .recover_after = 1,
				      .weight = 1,
				      .is_enabled = true};
	struct health *h = health_new(&hooks);

	health_configure(h, &spec, 1, &rule, 1000);
	return h;
}

static void what_haled_writes_is_told_apart(void **state)
{
	struct health *h = one_component();
	struct health_line l;

	(void)state;
	observe(h, "pass", 2000); /* unknown -> healthy */
	assert_false(is_routine(&l));
	observe(h, "pass", 3000);
	assert_true(is_routine(&l));
	assert_true(jtext_eq(l.component, "api"));
	assert_true(jtext_eq(jtext_get(l.state, "id"), "api"));
	assert_true(jtext_eq(jtext_get(l.state, "status"), "healthy"));
	assert_true(jtext_is(jtext_get(l.state, "details"), "{}"));
	observe(h, "down", 4000);
	assert_false(is_routine(&l));
	observe(h, "down", 5000);
	assert_true(is_routine(&l));
	health_expire(h, 100000); /* no data */
	assert_false(is_routine(&l));
	health_free(h);
	free(last_line);
	last_line = NULL;
}

static void what_is_no_such_line_is_not_routine(void **state)
{
	static const char *const lines[] = {
		"",
		"{}",
		"{\"state\":{}}",
		"{\"component\":\"a\",\"transition\":false,\"no_data\":false}",
		"{\"component\":\"a\",\"transition\":true,\"no_data\":false,\"state\":{}}",
		"{\"component\":\"a\",\"transition\":false,\"no_data\":true,\"state\":{}}",
		"{\"component\":\"a\",\"no_data\":false,\"state\":{}}",
		"{\"component\":7,\"transition\":false,\"no_data\":false,\"state\":{}}",
		"{\"component\":\"a\",\"removed\":true,\"transition\":false,\"no_data\":false,"
		"\"state\":{}}",
		"{\"component\":\"a\",\"overall\":{},\"transition\":false,\"no_data\":false,"
		"\"state\":{}}",
		"{\"component\":\"a\",\"transition\":false,\"no_data\":false,\"state\":{},\"x\":1}",
	};
	struct health_line l;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_false(health_line_is_routine(lines[i], strlen(lines[i]), &l));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_haled_writes_is_told_apart),
		cmocka_unit_test(what_is_no_such_line_is_not_routine),
	};

	return cmocka_run_group_tests_name("model.health_line", tests, NULL, NULL);
}
