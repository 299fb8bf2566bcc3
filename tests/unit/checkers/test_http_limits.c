/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "http_limits.h"

#define NOW_MS INT64_C(1700000000000)

static bool same(double a, double b)
{
	return (isnan(a) && isnan(b)) || a == b;
}

/* JSON with ' for its own quotes, so that those within a header can be written as they are. */
static json_t *headers_of(const char *text)
{
	char json[1024];
	size_t n = 0;

	for (; *text != '\0' && n < sizeof(json) - 2; text++) {
		if (*text == '"')
			json[n++] = '\\';
		json[n++] = *text == '\'' ? '"' : *text;
	}
	json[n] = '\0';
	return json_loads(json, 0, NULL);
}

static void the_headers_of_services_and_drafts_are_read(void **state)
{
	static const struct {
		const char *headers;
		double limit, remaining, used, reset;
	} rows[] = {
		/* The issue's own: limit 100, remaining 5: 95 %. */
		{"{'x-ratelimit-limit': '100', 'x-ratelimit-remaining': '5'}", 100, 5, 95, NAN},
		{"{'x-ratelimit-limit': '60', 'x-ratelimit-remaining': '15',"
		 " 'x-ratelimit-reset': '1700000030'}",
		 60, 15, 75, 30},
		{"{'x-ratelimit-limit': '60', 'x-ratelimit-remaining': '60',"
		 " 'x-ratelimit-reset': '1600000000'}",
		 60, 60, 0, 0},
		{"{'x-rate-limit-limit': '15', 'x-rate-limit-remaining': '0'}", 15, 0, 100, NAN},
		{"{'ratelimit-limit': '100, 100;w=60', 'ratelimit-remaining': '50',"
		 " 'ratelimit-reset': '7'}",
		 100, 50, 50, 7},
		{"{'x-ratelimit-limit-requests': '10', 'x-ratelimit-remaining-requests': '9',"
		 " 'x-ratelimit-reset-requests': '6m0s'}",
		 10, 9, 10, NAN},
		{"{'ratelimit': 'limit=100, remaining=20, reset=30'}", 100, 20, 80, 30},
		{"{'ratelimit': '\"default\";r=50;t=30', 'ratelimit-policy': "
		 "'\"default\";q=200;w=60'}",
		 200, 50, 75, 30},
		/* Of several the tightest. */
		{"{'ratelimit': '\"burst\";r=9;t=1, \"day, all\";r=10;t=3600', 'ratelimit-policy': "
		 "'\"burst\";q=10;w=1, \"day, all\";q=1000;w=86400'}",
		 1000, 10, 99, 3600},
		{"{'x-ratelimit-limit-minute': '10', 'x-ratelimit-remaining-minute': '9',"
		 " 'x-ratelimit-limit-hour': '100', 'x-ratelimit-remaining-hour': '50'}",
		 100, 50, 50, NAN},
		{"{'ratelimit': '\"a\";r=5'}", NAN, 5, NAN, NAN},
		{"{'x-ratelimit-limit': '100'}", 100, NAN, NAN, NAN},
		{"{'x-ratelimit-limit': '10', 'x-ratelimit-remaining': '20'}", 10, 20, 0, NAN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *headers = headers_of(rows[i].headers);
		struct rate_limit got;

		assert_non_null(headers);
		assert_true(http_rate_limit(headers, NOW_MS, &got));
		json_decref(headers);
		if (!same(got.limit, rows[i].limit) || !same(got.remaining, rows[i].remaining) ||
		    !same(got.used_percent, rows[i].used) ||
		    !same(got.reset_seconds, rows[i].reset))
			fail_msg("%s: limit %g remaining %g used %g reset %g", rows[i].headers,
				 got.limit, got.remaining, got.used_percent, got.reset_seconds);
	}
}

static void what_is_no_number_is_not_told(void **state)
{
	static const char *const values[] = {
		"", "many", "-1", "0x10", "inf", "nan", "1e999", "5 of 6", ";5", "=",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		json_t *headers = json_pack("{s:s, s:s}", "x-ratelimit-limit", values[i],
					    "ratelimit", values[i]);
		struct rate_limit got;

		if (http_rate_limit(headers, NOW_MS, &got))
			fail_msg("'%s' gave %g", values[i], got.limit);
		json_decref(headers);
	}
}

static void all_three_forms_of_dates_are_read(void **state)
{
	static const char *const same_moment[] = {
		"Sun, 06 Nov 1994 08:49:37 GMT",
		"Sunday, 06-Nov-94 08:49:37 GMT",
		"Sun Nov  6 08:49:37 1994",
	};
	int64_t got;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(same_moment); i++) {
		assert_int_equal(http_date_parse(same_moment[i], &got), 0);
		assert_true(got == INT64_C(784111777000));
	}
	assert_int_equal(http_date_parse("yesterday", &got), -EINVAL);
	assert_int_equal(http_date_parse("", &got), -EINVAL);
	assert_int_equal(http_date_parse("Sun, 06 Nov 1994 08:49:37 GMT+1", &got), -EINVAL);
	assert_true(got == INT64_C(784111777000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_headers_of_services_and_drafts_are_read),
		cmocka_unit_test(what_is_no_number_is_not_told),
		cmocka_unit_test(all_three_forms_of_dates_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
