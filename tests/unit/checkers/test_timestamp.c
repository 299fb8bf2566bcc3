/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "timestamp.h"

static void expect(const char *text, const char *utc)
{
	char buf[CLOCK_TEXT_MAX];
	int64_t ms;

	if (timestamp_parse(text, &ms) != 0)
		fail_msg("not read: %s", text);
	assert_string_equal(clock_format(ms, buf), utc);
}

static void times_are_read_as_databases_write_them(void **state)
{
	(void)state;
	expect("2026-11-22T08:00:00Z", "2026-11-22T08:00:00.000Z");
	/* PostgreSQL */
	expect("2026-11-22 08:00:00+00", "2026-11-22T08:00:00.000Z");
	expect("2026-11-22 13:30:00.123456+05:30", "2026-11-22T08:00:00.123Z");
	expect("2026-11-22 03:00:00-05", "2026-11-22T08:00:00.000Z");
	expect("2026-11-22 08:00:00.5", "2026-11-22T08:00:00.500Z");
	expect("2026-11-22", "2026-11-22T00:00:00.000Z");
	/* SQLite, Go, Ruby, Python */
	expect("2026-11-22 08:00", "2026-11-22T08:00:00.000Z");
	expect("2026-11-22T08:00", "2026-11-22T08:00:00.000Z");
	expect("2026-11-22 10:00:00 +0200", "2026-11-22T08:00:00.000Z");
	expect("2026-11-22 08:00:00 UTC", "2026-11-22T08:00:00.000Z");
	expect("  2026-11-22 08:00:00.000001\n", "2026-11-22T08:00:00.000Z");
}

static void numbers_count_from_1970(void **state)
{
	(void)state;
	expect("1795334400", "2026-11-22T08:00:00.000Z");
	expect("1795334400.25", "2026-11-22T08:00:00.250Z");
	expect("1795334400250", "2026-11-22T08:00:00.250Z");
	expect("1795334400250000", "2026-11-22T08:00:00.250Z");
	expect("1795334400250000000", "2026-11-22T08:00:00.250Z");
	expect("0", "1970-01-01T00:00:00.000Z");
	expect("-1", "1969-12-31T23:59:59.000Z");
	expect("2461366.8333333335", "2026-11-22T08:00:00.000Z"); /* julianday() */
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const bad[] = {"",
					  " ",
					  "now",
					  "infinity",
					  "-infinity",
					  "2026-11-22 08:00:00 BC",
					  "2026-13-01",
					  "2026-02-29",
					  "2026-11-22 24:00:00",
					  "2026-11-22 8",
					  "22.11.2026",
					  "08:00:00",
					  "1e400",
					  "1e",
					  "--1",
					  "nan",
					  "999999999999999999999999",
					  "2026-11-22T08:00:00.123456789123456789123456789123456789"
					  "123456789Z"};
	int64_t ms = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (timestamp_parse(bad[i], &ms) == 0)
			fail_msg("read: %s", bad[i]);
		assert_int_equal(ms, 7);
	}
	assert_int_not_equal(timestamp_from_number(NAN, &ms), 0);
	assert_int_not_equal(timestamp_from_number(INFINITY, &ms), 0);
	assert_int_not_equal(timestamp_parse_text("1795334400", &ms), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_read_as_databases_write_them),
		cmocka_unit_test(numbers_count_from_1970),
		cmocka_unit_test(what_is_no_time_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
