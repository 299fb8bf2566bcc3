/* SPDX-License-Identifier: Apache-2.0 */
/* A metric over time as a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "series_view.h"

#define POINT(at, avg)                                                                             \
	"{\"at\":\"2026-11-22T" at ":00Z\",\"count\":10,\"min\":1,\"avg\":" avg                    \
	",\"max\":123456.7,\"p95\":58.04}"
#define GAP(at)                                                                                    \
	"{\"at\":\"2026-11-22T" at ":00Z\",\"count\":0,\"min\":null,\"avg\":null,\"max\":null,"    \
	"\"p95\":null}"
#define SERIES(node, points) "{\"component\":\"api\",\"node\":\"" node "\",\"points\":[" points "]}"
#define ALL(source, series)                                                                        \
	"{\"metric\":\"took_ms\",\"step_ms\":300000,\"source\":\"" source "\",\"series\":[" series \
	"]}"
#define THREE POINT("01:00", "41.234") "," GAP("01:05") "," GAP("01:10") "," POINT("01:15", "20.6")

static void view(struct str *out, const char *series, const char *summary, size_t width)
{
	json_t *s = json_loads(series, 0, NULL);
	json_t *sum = summary == NULL ? NULL : json_loads(summary, 0, NULL);

	assert_non_null(s);
	assert_true(summary == NULL || sum != NULL);
	str_clear(out);
	series_view(out, s, sum, false, width);
	json_decref(s);
	json_decref(sum);
}

static void buckets_are_lines_and_gaps_one(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	(void)state;
	view(&out, ALL("5m", SERIES("n1", THREE)),
	     "{\"metrics\":[{\"component\":\"api\",\"node\":\"n1\",\"metric\":\"took_ms\","
	     "\"count\":20,\"min\":1,\"avg\":30.917,\"max\":123456.7,\"p95\":58.04,\"last\":null}]"
	     "}",
	     0);
	assert_string_equal(
		str_text(&out),
		"took_ms of api, every 5m, from rollups of 5m\n"
		"20 values: min 1, avg 30.92, max 123457, p95 58.04\n"
		"AT                   COUNT  MIN    AVG     MAX    P95\n"
		"2026-11-22 01:00:00     10    1  41.23  123457  58.04\n"
		"2026-11-22 01:05:00      0                             nothing for 10m\n"
		"2026-11-22 01:15:00     10    1   20.6  123457  58.04\n");
}

static void a_terminal_has_bars(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	(void)state;
	view(&out, ALL("raw", SERIES("n1", THREE)), NULL, 70);
	assert_non_null(strstr(str_text(&out), "from single results\n"));
	assert_non_null(strstr(str_text(&out), "58.04  ████████████\n"));
	assert_non_null(strstr(str_text(&out), "58.04  ██████\n"));
	/* All the same, or all nothing: nothing to be seen. */
	view(&out, ALL("raw", SERIES("n1", POINT("01:00", "0"))), NULL, 70);
	assert_null(strstr(str_text(&out), "█"));
}

static void nodes_are_told_apart(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	(void)state;
	view(&out,
	     ALL("1h", SERIES("n1", POINT("01:00", "1")) "," SERIES("n2", POINT("01:00", "1"))),
	     NULL, 0);
	assert_non_null(strstr(str_text(&out), "took_ms of api on n1, every"));
	assert_non_null(strstr(str_text(&out), "\n\ntook_ms of api on n2, every"));
}

static void numbers_have_four_digits(void **state)
{
	static const struct {
		double n;
		const char *text;
	} cases[] = {{0, "0"},          {0.0312345, "0.03123"}, {41.234, "41.23"},   {9999, "9999"},
		     {9999.9, "10000"}, {1234567, "1234567"},   {-12345.6, "-12346"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		HALE_CLEANUP(str_done) struct str out = {0};

		series_number(&out, cases[i].n);
		assert_string_equal(str_text(&out), cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_are_lines_and_gaps_one),
		cmocka_unit_test(a_terminal_has_bars),
		cmocka_unit_test(nodes_are_told_apart),
		cmocka_unit_test(numbers_have_four_digits),
	};

	(void)setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests_name("cli.series_view", tests, NULL, NULL);
}
