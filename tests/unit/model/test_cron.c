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

#include "base/clock.h"
#include "model/cron.h"

static void set_zone(const char *zone)
{
	assert_int_equal(setenv("TZ", zone, 1), 0);
	tzset();
}

static int64_t at(const char *text)
{
	int64_t ms = 0;

	if (clock_parse(text, &ms) != 0)
		fail_msg("bad time in the test: %s", text);
	return ms;
}

static struct cron schedule(const char *text)
{
	struct cron c;
	struct err err = {0};

	if (cron_parse(text, &c, &err) != 0)
		fail_msg("%s", err.text);
	return c;
}

static void expect_next(const char *text, const char *after, const char *want)
{
	struct cron c = schedule(text);
	int64_t next = cron_next(&c, at(after));
	char buf[CLOCK_TEXT_MAX];

	if (next != at(want))
		fail_msg("\"%s\" after %s: %s, not %s", text, after, clock_format(next, buf), want);
}

static void known_dates(void **state)
{
	(void)state;
	set_zone("UTC");
	expect_next("* * * * *", "2026-11-22T12:00:00Z", "2026-11-22T12:01:00Z");
	expect_next("* * * * *", "2026-11-22T12:00:59.999Z", "2026-11-22T12:01:00Z");
	expect_next("*/15 * * * *", "2026-11-22T12:45:00Z", "2026-11-22T13:00:00Z");
	expect_next("30 9 * * mon-fri", "2026-11-20T09:30:00Z", "2026-11-23T09:30:00Z");
	expect_next("0 0 1 jan *", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
	expect_next("5,10 4-6/2 * * *", "2026-11-22T04:10:00Z", "2026-11-22T06:05:00Z");
	expect_next("0 12 * * 7", "2026-11-22T11:00:00Z", "2026-11-22T12:00:00Z");
	expect_next("0 12 * * fri-sun", "2026-11-22T12:00:00Z", "2026-11-27T12:00:00Z");
	expect_next("0 0 31 * *", "2026-01-31T00:00:00Z", "2026-03-31T00:00:00Z");
}

static void nicknames_mean_what_crontab_says(void **state)
{
	(void)state;
	set_zone("UTC");
	expect_next("@hourly", "2026-11-22T12:10:00Z", "2026-11-22T13:00:00Z");
	expect_next("@daily", "2026-11-22T12:10:00Z", "2026-11-23T00:00:00Z");
	expect_next("@midnight", "2026-11-22T12:10:00Z", "2026-11-23T00:00:00Z");
	expect_next("@weekly", "2026-11-23T12:10:00Z", "2026-11-29T00:00:00Z");
	expect_next("@monthly", "2026-11-22T12:10:00Z", "2026-12-01T00:00:00Z");
	expect_next("@yearly", "2026-11-22T12:10:00Z", "2027-01-01T00:00:00Z");
	expect_next("@annually", "2026-11-22T12:10:00Z", "2027-01-01T00:00:00Z");
}

static void either_day_field_may_match_if_both_are_restricted(void **state)
{
	(void)state;
	set_zone("UTC");
	/* 13 November 2026 is a Friday; the next Friday comes before the next 13th. */
	expect_next("0 0 13 * fri", "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z");
	expect_next("0 0 13 * fri", "2026-12-11T00:00:00Z", "2026-12-13T00:00:00Z");
	expect_next("0 0 13 * *", "2026-11-13T00:00:00Z", "2026-12-13T00:00:00Z");
}

static void leap_days_are_found(void **state)
{
	(void)state;
	set_zone("UTC");
	expect_next("0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z");
	expect_next("59 23 29 2 *", "2028-02-29T23:59:00Z", "2032-02-29T23:59:00Z");
}

static void what_never_comes_is_given_up(void **state)
{
	struct cron c = schedule("0 0 30 2 *");

	(void)state;
	set_zone("America/New_York");
	assert_int_equal(cron_next(&c, at("2026-01-01T00:00:00Z")), -1);
	c = schedule("* * * * *");
	assert_int_equal(cron_next(&c, INT64_MAX), -1);
	assert_int_equal(cron_next(&c, at("9999-12-31T23:59:00Z")), -1);
}

/* New York 2026: 02:00 EST becomes 03:00 EDT on 8 March, 02:00 EDT becomes 01:00 EST on
 * 1 November. */
static void a_skipped_time_runs_once_after_the_gap(void **state)
{
	(void)state;
	set_zone("America/New_York");
	expect_next("30 2 * * *", "2026-03-07T02:30:00-05:00", "2026-03-08T03:00:00-04:00");
	expect_next("30 2 * * *", "2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00");
	expect_next("0,30 2 * * *", "2026-03-08T03:00:00-04:00", "2026-03-09T02:00:00-04:00");
	expect_next("30 3 * * *", "2026-03-08T00:00:00-05:00", "2026-03-08T03:30:00-04:00");
	expect_next("30 1 * * *", "2026-03-08T00:00:00-05:00", "2026-03-08T01:30:00-05:00");
}

static void a_repeated_time_runs_the_first_time_only(void **state)
{
	(void)state;
	set_zone("America/New_York");
	expect_next("30 1 * * *", "2026-11-01T00:00:00-04:00", "2026-11-01T01:30:00-04:00");
	expect_next("30 1 * * *", "2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00");
	expect_next("30 1 * * *", "2026-11-01T01:10:00-05:00", "2026-11-02T01:30:00-05:00");
	expect_next("0 2 * * *", "2026-11-01T01:59:00-04:00", "2026-11-01T02:00:00-05:00");
}

static void a_rhythm_follows_real_time(void **state)
{
	(void)state;
	set_zone("America/New_York");
	expect_next("*/30 * * * *", "2026-11-01T01:30:00-04:00", "2026-11-01T01:00:00-05:00");
	expect_next("*/30 * * * *", "2026-11-01T01:00:00-05:00", "2026-11-01T01:30:00-05:00");
	expect_next("*/30 * * * *", "2026-03-08T01:30:00-05:00", "2026-03-08T03:00:00-04:00");
	expect_next("10 * * * *", "2026-03-08T01:10:00-05:00", "2026-03-08T03:10:00-04:00");
}

/* Havana 2026 has no 00:00 on 8 March and two on 1 November; Apia had no 30 December 2011. */
static void midnight_and_whole_days_may_be_missing_too(void **state)
{
	(void)state;
	set_zone("America/Havana");
	expect_next("15 0 * * *", "2026-03-07T12:00:00-05:00", "2026-03-08T01:00:00-04:00");
	expect_next("15 0 8 3 *", "2026-01-01T00:00:00Z", "2026-03-08T01:00:00-04:00");
	expect_next("15 0 1 11 *", "2026-09-01T00:00:00Z", "2026-11-01T00:15:00-04:00");
	expect_next("15 0 * * *", "2026-11-01T00:15:00-04:00", "2026-11-02T00:15:00-05:00");
	set_zone("Pacific/Apia");
	expect_next("0 12 30 12 *", "2011-12-01T00:00:00Z", "2011-12-31T00:00:00+14:00");
}

static void a_half_hour_change_is_understood(void **state)
{
	(void)state;
	set_zone("Australia/Lord_Howe");
	expect_next("15 2 * * *", "2026-10-03T12:00:00+10:30", "2026-10-04T02:30:00+11:00");
	expect_next("45 1 * * *", "2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30");
}

static void what_is_no_schedule_is_told_why(void **state)
{
	static const char *const bad[][2] = {
		{"", "fields"},
		{"* * * *", "4 fields"},
		{"* * * * * *", "6 fields"},
		{"60 * * * *", "minute"},
		{"* 24 * * *", "hour"},
		{"* * 0 * *", "day of month"},
		{"* * 32 * *", "day of month"},
		{"* * * 13 *", "month"},
		{"* * * 0 *", "month"},
		{"* * * * 8", "day of week"},
		{"5-1 * * * *", "backwards"},
		{"*/0 * * * *", "step"},
		{"5/2 * * * *", "step"},
		{"1,,2 * * * *", "minute"},
		{",1 * * * *", "minute"},
		{"1- * * * *", "minute"},
		{"-1 * * * *", "minute"},
		{"x * * * *", "minute"},
		{"* mon * * *", "hour"},
		{"* * * mon *", "month"},
		{"* * * * monday", "day of week"},
		{"*5 * * * *", "minute"},
		{"1.5 * * * *", "minute"},
		{"*/ * * * *", "step"},
		{"@reboot", "@hourly"},
		{"@Daily", "@hourly"},
		{"0x1 * * * *", "minute"},
		{"1000 * * * *", "minute"},
		{"*/1000 * * * *", "minute"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct cron c = {.minutes = 42};
		struct err err = {0};

		if (cron_parse(bad[i][0], &c, &err) != -EINVAL)
			fail_msg("accepted: \"%s\"", bad[i][0]);
		if (strstr(err.text, bad[i][1]) == NULL)
			fail_msg("\"%s\": told \"%s\"", bad[i][0], err.text);
		assert_int_equal(c.minutes, 42);
	}
}

static void garbage_never_crashes_nor_loops(void **state)
{
	static const char letters[] = "0123456789*/,-@ monjsu\t";

	(void)state;
	set_zone("America/New_York");
	srandom(11);
	for (int i = 0; i < 100000; i++) {
		char text[40];
		size_t n = (size_t)random() % (sizeof(text) - 1);
		struct cron c;

		for (size_t k = 0; k < n; k++)
			text[k] = (char)(random() % 50
						 ? letters[(size_t)random() % (sizeof(letters) - 1)]
						 : random() % 255 + 1);
		text[n] = '\0';
		if (cron_parse(text, &c, NULL) == 0) {
			int64_t next = cron_next(&c, at("2026-03-07T12:00:00Z"));

			assert_true(next == -1 || next > at("2026-03-07T12:00:00Z"));
		}
	}
}

/* The naive calendar of New York around both changes of 2026: every local minute of the days is
 * turned into a moment by hand. A schedule with restricted hours runs at the moments of its
 * minutes. */
static int64_t naive_moment(int64_t local_ms)
{
	int64_t spring = at("2026-03-08T02:00:00Z"); /* local times read as if they were UTC */
	int64_t autumn = at("2026-11-01T02:00:00Z");

	if (local_ms < spring)
		return local_ms + 5 * INT64_C(3600000);
	if (local_ms < spring + 3600000)
		return at("2026-03-08T07:00:00Z");
	if (local_ms < autumn)
		return local_ms + 4 * INT64_C(3600000);
	return local_ms + 5 * INT64_C(3600000);
}

static int64_t naive_next(const struct cron *c, int64_t after, int64_t first_local, int days)
{
	for (int64_t m = 0; m < days * 1440; m++) {
		int64_t local_ms = first_local + m * 60000;
		time_t s = (time_t)(local_ms / 1000);
		struct tm tm;

		(void)gmtime_r(&s, &tm);
		if ((c->minutes >> tm.tm_min & 1) && (c->hours >> tm.tm_hour & 1) &&
		    (c->weekdays >> tm.tm_wday & 1) && naive_moment(local_ms) > after)
			return naive_moment(local_ms);
	}
	return -1;
}

static void restricted_hours_agree_with_a_naive_calendar(void **state)
{
	static const char *const first[] = {"2026-03-06T00:00:00Z", "2026-10-30T00:00:00Z"};

	(void)state;
	set_zone("America/New_York");
	srandom(12);
	for (int i = 0; i < 2000; i++) {
		int64_t first_local = at(first[i % 2]);
		int64_t after = naive_moment(first_local) + random() % (4 * 86400000);
		char text[64];
		struct cron c;
		int64_t want;

		(void)snprintf(text, sizeof(text), "%ld,%ld %ld,%ld * * %s", random() % 60,
			       random() % 60, random() % 4, random() % 24,
			       random() % 2 ? "*" : "0,1,5,6");
		c = schedule(text);
		want = naive_next(&c, after, first_local, 9);
		if (cron_next(&c, after) != want)
			fail_msg("\"%s\" after %lld: %lld, not %lld", text, (long long)after,
				 (long long)cron_next(&c, after), (long long)want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_dates),
		cmocka_unit_test(nicknames_mean_what_crontab_says),
		cmocka_unit_test(either_day_field_may_match_if_both_are_restricted),
		cmocka_unit_test(leap_days_are_found),
		cmocka_unit_test(what_never_comes_is_given_up),
		cmocka_unit_test(a_skipped_time_runs_once_after_the_gap),
		cmocka_unit_test(a_repeated_time_runs_the_first_time_only),
		cmocka_unit_test(a_rhythm_follows_real_time),
		cmocka_unit_test(midnight_and_whole_days_may_be_missing_too),
		cmocka_unit_test(a_half_hour_change_is_understood),
		cmocka_unit_test(what_is_no_schedule_is_told_why),
		cmocka_unit_test(garbage_never_crashes_nor_loops),
		cmocka_unit_test(restricted_hours_agree_with_a_naive_calendar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
