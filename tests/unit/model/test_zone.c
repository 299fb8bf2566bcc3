/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "model/cron.h"
#include "model/zone.h"

#define MINUTE_S 60
#define DAY_S    INT64_C(86400)

static void read_zone(const char *name, struct str *bytes)
{
	char path[256];
	struct err err = {0};

	(void)snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
	if (file_read(path, ZONE_FILE_MAX, bytes, &err) != 0)
		fail_msg("%s", err.text);
}

static struct zone *zone(const char *name)
{
	HALE_CLEANUP(str_done) struct str bytes = {0};
	struct zone *z;
	struct err err = {0};

	read_zone(name, &bytes);
	if (zone_new(bytes.data, bytes.len, &z, &err) != 0)
		fail_msg("%s %s", name, err.text);
	return z;
}

static int64_t at(const char *text)
{
	int64_t ms = 0;

	if (clock_parse(text, &ms) != 0)
		fail_msg("bad time in the test: %s", text);
	return ms / 1000;
}

static const char *const names[] = {
	"UTC",
	"America/New_York",
	"Europe/Berlin",
	"Europe/Dublin", /* winter time is the exception there */
	"Australia/Lord_Howe",
	"America/Havana",
	"America/Sao_Paulo",
	"America/St_Johns",
	"Asia/Kolkata",
	"Asia/Gaza",
	"Asia/Tehran",
	"Africa/Casablanca",
	"Africa/Monrovia",
	"Pacific/Apia",
	"Pacific/Chatham",
	"America/Nuuk",
	"Antarctica/Troll",
	"EST5EDT",
};

static void agrees_with_the_c_library(void **state)
{
	(void)state;
	srandom(3);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct zone *z = zone(names[i]);

		assert_int_equal(setenv("TZ", names[i], 1), 0);
		tzset();
		for (int k = 0; k < 4000; k++) {
			/* 1901 to 2120, every other one within a day of a change. */
			time_t t = (time_t)(-2177452800 + (int64_t)random() * 3 +
					    (int64_t)random() % 2 * 400000000);
			struct zone_span span = zone_at(z, t);
			struct tm want, got;

			if (k % 2 == 1 && span.end_s != INT64_MAX)
				t = (time_t)(span.end_s + random() % 200 - 100);
			assert_non_null(localtime_r(&t, &want));
			zone_local(z, t, &got);
			if (want.tm_gmtoff != got.tm_gmtoff || want.tm_min != got.tm_min ||
			    want.tm_hour != got.tm_hour || want.tm_mday != got.tm_mday ||
			    want.tm_wday != got.tm_wday || want.tm_year != got.tm_year)
				fail_msg("%s at %lld: offset %ld, not %ld", names[i], (long long)t,
					 got.tm_gmtoff, want.tm_gmtoff);
		}
		zone_free(z);
	}
}

static void spans_are_those_of_the_offset(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct zone *z = zone(names[i]);

		for (int64_t s = at("1960-01-01T00:00:00Z"); s < at("2060-01-01T00:00:00Z");
		     s += 37 * DAY_S) {
			struct zone_span span = zone_at(z, s);

			assert_true(span.since_s <= s && s < span.end_s);
			if (span.end_s != INT64_MAX) {
				assert_int_equal(zone_at(z, span.end_s - 1).offset_s,
						 span.offset_s);
				assert_int_equal(zone_at(z, span.end_s).since_s, span.end_s);
			}
		}
		zone_free(z);
	}
}

/* Minute by minute: the first that shows at least that, and not less before it. */
static int64_t naive_when(const struct zone *z, int64_t shown)
{
	for (int64_t s = shown - 27 * 3600;; s += MINUTE_S)
		if (s + zone_at(z, s).offset_s >= shown)
			return s;
}

static void when_finds_the_first_moment(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct zone *z = zone(names[i]);

		for (int64_t shown = at("2026-01-01T00:00:00Z"); shown < at("2026-12-31T00:00:00Z");
		     shown += 30 * MINUTE_S) {
			struct zone_span span = zone_at(z, shown);
			int64_t near_end = span.end_s != INT64_MAX ? span.end_s - shown : DAY_S * 9;
			int64_t near_begin =
				span.since_s != INT64_MIN ? shown - span.since_s : DAY_S * 9;

			if (near_end > 2 * DAY_S && near_begin > 2 * DAY_S)
				continue;
			if (zone_when(z, shown) != naive_when(z, shown))
				fail_msg("%s shows %lld at %lld, not %lld", names[i],
					 (long long)shown, (long long)naive_when(z, shown),
					 (long long)zone_when(z, shown));
		}
		zone_free(z);
	}
}

static void cron_means_the_same_by_either_calendar(void **state)
{
	(void)state;
	srandom(5);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct zone *z = zone(names[i]);

		assert_int_equal(setenv("TZ", names[i], 1), 0);
		tzset();
		for (int k = 0; k < 300; k++) {
			int64_t after =
				(at("2026-01-01T00:00:00Z") + random() % (400 * DAY_S)) * 1000;
			char text[64];
			struct cron c;

			(void)snprintf(text, sizeof(text), "%ld %ld,%ld %s * %s", random() % 60,
				       random() % 4, random() % 24, k % 7 == 0 ? "13" : "*",
				       random() % 2 ? "*" : "0,5");
			assert_int_equal(cron_parse(text, &c, NULL), 0);
			if (cron_next(&c, after) != cron_next_in(&c, z, after))
				fail_msg("\"%s\" in %s after %lld", text, names[i],
					 (long long)after);
		}
		zone_free(z);
	}
}

static void without_a_file_it_is_utc(void **state)
{
	struct zone *z;
	struct zone_span span;

	(void)state;
	assert_int_equal(zone_new(NULL, 0, &z, NULL), 0);
	span = zone_at(z, 1234567890);
	assert_int_equal(span.offset_s, 0);
	assert_true(span.since_s == INT64_MIN && span.end_s == INT64_MAX);
	assert_int_equal(zone_when(z, 1234567890), 1234567890);
	zone_free(z);
}

static void what_is_no_zone_file_is_refused(void **state)
{
	HALE_CLEANUP(str_done) struct str bytes = {0};
	struct zone *z = NULL;

	(void)state;
	read_zone("America/New_York", &bytes);
	assert_int_equal(zone_new("", 0, &z, NULL), -EINVAL);
	assert_int_equal(
		zone_new("not a zone, but longer than a header is, much longer", 51, &z, NULL),
		-EINVAL);
	for (size_t len = 0; len + 1 < bytes.len; len++)
		assert_int_equal(zone_new(bytes.data, len, &z, NULL), -EINVAL);
	assert_null(z);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_c_library),
		cmocka_unit_test(spans_are_those_of_the_offset),
		cmocka_unit_test(when_finds_the_first_moment),
		cmocka_unit_test(cron_means_the_same_by_either_calendar),
		cmocka_unit_test(without_a_file_it_is_utc),
		cmocka_unit_test(what_is_no_zone_file_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
