/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of hale uptime. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <string.h>

#include "uptime_view.h"

static json_t *parse(const char *text)
{
	json_t *v = json_loads(text, 0, NULL);

	if (v == NULL)
		fail_msg("no JSON: %s", text);
	return v;
}

#define COMPONENT(name, node, percent, outages, longest, critical, down, unmonitored, sla)         \
	"{\"component\":\"" name "\",\"node\":\"" node "\",\"uptime_percent\":" percent            \
	",\"outages\":" outages ",\"longest_outage_ms\":" longest                                  \
	",\"mttr_ms\":60000,\"mtbf_ms\":null,\"ms\":{\"healthy\":3600000,\"degraded\":500,"        \
	"\"critical\":" critical ",\"down\":" down ",\"unmonitored\":" unmonitored                 \
	"},\"sla\":" sla "}"

static void percentages_are_never_rounded_up(void **state)
{
	static const struct {
		double percent;
		const char *text;
	} cases[] = {{100, "100 %"},       {99.9999, "99.999 %"}, {99.99, "99.990 %"},
		     {99.9, "99.900 %"},   {99.5, "99.500 %"},    {0, "0 %"},
		     {33.3333, "33.333 %"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		HALE_CLEANUP(str_done) struct str out = {0};

		uptime_percent_add(&out, cases[i].percent);
		assert_string_equal(str_text(&out), cases[i].text);
	}
}

static void ranges_stand_side_by_side_the_worst_first(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	json_t *day = parse("{\"components\":[" COMPONENT("api", "web1", "100", "0", "0", "0", "0",
							  "0", "null") "]}");
	json_t *month = parse("{\"components\":[" COMPONENT(
		"api", "web1", "99.9", "1", "60000", "0", "60000", "0",
		"null") "," COMPONENT("new", "web1", "null", "0", "0", "0", "0", "0",
				      "null") "," COMPONENT("db", "web1", "98", "2", "3600000",
							    "60000", "3600000", "86400000",
							    "null") "," COMPONENT("overall", "web1",
										  "99.95", "1",
										  "60000", "60000",
										  "0", "0",
										  "null") "]}");
	const json_t *const answers[] = {day, month};
	const char *const names[] = {"24H", "30D"};

	(void)state;
	uptime_view_ranges(&out, answers, names, 2, &(struct uptime_look){0});
	assert_string_equal(str_text(&out),
			    "COMPONENT    24H       30D  OUTAGES  LONGEST  DOWN  UNMONITORED\n"
			    "overall        -  99.950 %        1       1m    1m            -\n"
			    "db             -  98.000 %        2       1h  1h1m           1d\n"
			    "api        100 %  99.900 %        1       1m    1m            -\n"
			    "new            -         -        0        -     -            -\n");
	json_decref(day);
	json_decref(month);
}

static void one_range_is_told_in_full(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	json_t *answer = parse("{\"components\":[" COMPONENT(
		"db", "n1", "98", "2", "3600000", "60000", "3600000", "0",
		"{\"target_percent\":99.9,\"is_met\":false,\"budget_ms\":1000,"
		"\"budget_left_ms\":-120000}") "," COMPONENT("db", "n2", "99.95", "0", "0", "0",
							     "0", "0",
							     "{\"target_percent\":99.9,\"is_met\":"
							     "true,\"budget_ms\":1000,"
							     "\"budget_left_ms\":120000}") "]}");

	(void)state;
	uptime_view_range(&out, answer, &(struct uptime_look){0});
	assert_string_equal(
		str_text(&out),
		"COMPONENT  NODE    UPTIME  HEALTHY  DEGRADED  CRITICAL  DOWN  UNMONITORED  OUTAGES"
		"  LONGEST  MTTR  MTBF  TARGET  LEFT\n"
		"db         n1    98.000 %       1h       <1s        1m    1h            -        2"
		"       1h    1m     -  missed   -2m\n"
		"db         n2    99.950 %       1h       <1s         -     -            -        0"
		"        -    1m     -  met       2m\n");
	/* What is dispensable goes where there is no room. */
	str_clear(&out);
	uptime_view_range(&out, answer, &(struct uptime_look){.width = 80});
	assert_null(strstr(str_text(&out), "HEALTHY"));
	assert_non_null(strstr(str_text(&out), "TARGET"));
	for (const char *p = str_text(&out); *p != '\0'; p += strcspn(p, "\n") + 1)
		assert_in_range(strcspn(p, "\n"), 1, 80);
	json_decref(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(percentages_are_never_rounded_up),
		cmocka_unit_test(ranges_stand_side_by_side_the_worst_first),
		cmocka_unit_test(one_range_is_told_in_full),
	};

	return cmocka_run_group_tests_name("cli.uptime_view", tests, NULL, NULL);
}
