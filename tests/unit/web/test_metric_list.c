/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/str.h"
#include "metric_list.h"

static void expect(const char *component_json, const char *thresholds_json, const char *want)
{
	json_t *component = json_loads(component_json, 0, NULL);
	json_t *thresholds = thresholds_json ? json_loads(thresholds_json, 0, NULL) : NULL;
	json_t *list = metric_list(component, thresholds);
	char *text = json_dumps(list, JSON_COMPACT);
	assert_non_null(component);
	assert_string_equal(text, want);
	free(text);
	json_decref(list);
	json_decref(thresholds);
	json_decref(component);
}

static void each_metric_is_a_record_and_so_is_the_time_taken(void **state)
{
	(void)state;
	expect("{\"last_check\":\"t\",\"took_ms\":2310.5,\"metrics\":{\"free_percent\":4}}",
	       "{\"took_ms\":{\"degraded\":\"> 2000\",\"critical\":null},"
	       "\"free_percent\":{\"degraded\":\"< 20\",\"critical\":\"<= 5\"}}",
	       "[{\"name\":\"took_ms\",\"value\":2310.5,\"unit\":\"ms\",\"status\":\"degraded\","
	       "\"threshold_warning\":2000.0,\"threshold_critical\":null,"
	       "\"condition_warning\":\"> 2000\",\"condition_critical\":null,"
	       "\"timestamp\":\"t\",\"details\":null},"
	       "{\"name\":\"free_percent\",\"value\":4.0,\"unit\":\"%\",\"status\":\"critical\","
	       "\"threshold_warning\":20.0,\"threshold_critical\":5.0,"
	       "\"condition_warning\":\"< 20\",\"condition_critical\":\"<= 5\","
	       "\"timestamp\":\"t\",\"details\":null}]");
}

static void without_thresholds_all_is_well(void **state)
{
	(void)state;
	expect("{\"last_check\":null,\"took_ms\":null,\"metrics\":{\"orders\":12}}", NULL,
	       "[{\"name\":\"orders\",\"value\":12.0,\"unit\":null,\"status\":\"healthy\","
	       "\"threshold_warning\":null,\"threshold_critical\":null,"
	       "\"condition_warning\":null,\"condition_critical\":null,"
	       "\"timestamp\":null,\"details\":null}]");
	expect("{\"took_ms\":null,\"metrics\":{}}", NULL, "[]");
}

static void units_are_what_names_end_in(void **state)
{
	(void)state;
	static const struct {
		const char *name, *unit;
	} rows[] = {{"took_ms", "ms"},         {"disk_used_percent", "%"},
		    {"rx_bytes", "bytes"},     {"rx_bytes_per_s", "B/s"},
		    {"requests_per_s", "1/s"}, {"age_s", "s"},
		    {"positions", NULL},       {"", NULL}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_true(str_eq(metric_unit(rows[i].name), rows[i].unit));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_metric_is_a_record_and_so_is_the_time_taken),
		cmocka_unit_test(without_thresholds_all_is_well),
		cmocka_unit_test(units_are_what_names_end_in),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
