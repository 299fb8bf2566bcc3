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
#include "base/mem.h"
#include "base/str.h"
#include "duty.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MIN   1440

static struct zone *zone(const char *name)
{
	HALE_CLEANUP(str_done) struct str bytes = {0};
	HALE_CLEANUP(cleanup_free) char *path = mem_printf("/usr/share/zoneinfo/%s", name);
	struct zone *z;

	assert_int_equal(file_read(path, ZONE_FILE_MAX, &bytes, NULL), 0);
	assert_int_equal(zone_new(bytes.data, bytes.len, &z, NULL), 0);
	return z;
}

static int64_t at(const char *text)
{
	int64_t ms = 0;

	if (clock_parse(text, &ms) != 0)
		fail_msg("bad time in the test: %s", text);
	return ms;
}

static void expect_at(int64_t got, const char *want)
{
	char buf[CLOCK_TEXT_MAX];

	if (got != at(want))
		fail_msg("%s, not %s", clock_format(got, buf), want);
}

/* ---- S0: 35 minutes and 2 hours, in the hours of the exchange ---- */

struct s0 {
	struct duty_plan plan;
	struct zone *zone;
};

static int s0_setup(void **state)
{
	struct s0 *f = mem_alloc(sizeof(*f));

	f->zone = zone("America/New_York");
	f->plan = (struct duty_plan){.zone = f->zone,
				     .warn_after_ms = 35 * MINUTE_MS,
				     .fail_after_ms = 2 * HOUR_MS,
				     .fail_missed = 1};
	*state = f;
	return 0;
}

static int s0_teardown(void **state)
{
	struct s0 *f = *state;

	duty_plan_done(&f->plan);
	zone_free(f->zone);
	free(f);
	return 0;
}

static void expect_state(const struct duty_plan *p, const char *last, const char *now,
			 enum duty_state want)
{
	struct duty_verdict v = duty_judge(p, last != NULL ? at(last) : -1, at(now));

	if (v.state != want)
		fail_msg("last %s, now %s: %d, not %d", last, now, (int)v.state, (int)want);
}

static void s0_ages_are_judged(void **state)
{
	struct s0 *f = *state;

	expect_state(&f->plan, "2026-11-20T14:26:00Z", "2026-11-20T15:00:00Z", DUTY_OK);
	expect_state(&f->plan, "2026-11-20T14:25:00Z", "2026-11-20T15:00:00Z", DUTY_OK);
	expect_state(&f->plan, "2026-11-20T14:24:00Z", "2026-11-20T15:00:00Z", DUTY_MISSED);
	expect_state(&f->plan, "2026-11-20T13:01:00Z", "2026-11-20T15:00:00Z", DUTY_MISSED);
	expect_state(&f->plan, "2026-11-20T12:59:00Z", "2026-11-20T15:00:00Z", DUTY_MISSED_MANY);
	expect_state(&f->plan, NULL, "2026-11-20T15:00:00Z", DUTY_MISSED_MANY);
}

static void on_saturday_nothing_is_missed(void **state)
{
	struct s0 *f = *state;
	struct duty_verdict v;

	assert_int_equal(duty_window_add(&f->plan, "mon-fri 09:30-16:05", NULL), 0);
	expect_state(&f->plan, "2026-11-20T16:00:00-05:00", "2026-11-21T12:00:00-05:00",
		     DUTY_OUTSIDE);
	v = duty_judge(&f->plan, at("2026-11-20T16:00:00-05:00"), at("2026-11-21T12:00:00-05:00"));
	assert_int_equal(v.missed, 0);
	expect_at(duty_opens(&f->plan, at("2026-11-21T12:00:00-05:00")),
		  "2026-11-23T09:30:00-05:00");
}

static void after_the_opening_ages_begin_anew(void **state)
{
	struct s0 *f = *state;
	static const char last[] = "2026-11-20T16:00:00-05:00";

	assert_int_equal(duty_window_add(&f->plan, "mon-fri 09:30-16:05", NULL), 0);
	expect_state(&f->plan, last, "2026-11-23T09:30:00-05:00", DUTY_OK);
	expect_state(&f->plan, last, "2026-11-23T10:05:00-05:00", DUTY_OK);
	expect_state(&f->plan, last, "2026-11-23T10:06:00-05:00", DUTY_MISSED);
	expect_state(&f->plan, last, "2026-11-23T11:31:00-05:00", DUTY_MISSED_MANY);
	expect_state(&f->plan, NULL, "2026-11-23T09:40:00-05:00", DUTY_OK);
	f->plan.opening_grace_ms = 10 * MINUTE_MS;
	expect_state(&f->plan, last, "2026-11-23T10:15:00-05:00", DUTY_OK);
	expect_state(&f->plan, last, "2026-11-23T10:16:00-05:00", DUTY_MISSED);
}

static void a_holiday_is_closed(void **state)
{
	struct s0 *f = *state;

	assert_int_equal(duty_window_add(&f->plan, "mon-fri 09:30-16:05", NULL), 0);
	assert_int_equal(duty_holiday_add(&f->plan, "2026-11-26", NULL), 0);
	assert_int_equal(duty_holiday_add(&f->plan, "12-25", NULL), 0);
	expect_state(&f->plan, NULL, "2026-11-26T12:00:00-05:00", DUTY_OUTSIDE);
	expect_state(&f->plan, NULL, "2026-11-27T12:00:00-05:00", DUTY_MISSED_MANY);
	expect_state(&f->plan, NULL, "2026-12-25T12:00:00-05:00", DUTY_OUTSIDE);
	expect_state(&f->plan, NULL, "2028-12-25T12:00:00-05:00", DUTY_OUTSIDE);
	expect_at(duty_opens(&f->plan, at("2026-11-25T17:00:00-05:00")),
		  "2026-11-27T09:30:00-05:00");
}

/* ---- Cron ---- */

static void cron_runs_are_counted(void **state)
{
	struct s0 *f = *state;
	struct duty_plan p = {.zone = f->zone, .grace_ms = 5 * MINUTE_MS, .fail_missed = 2};

	assert_int_equal(duty_cron_add(&p, "0 2 * * *", NULL), 0);
	expect_state(&p, "2026-11-20T02:00:04-05:00", "2026-11-21T02:05:00-05:00", DUTY_OK);
	expect_state(&p, "2026-11-20T02:00:04-05:00", "2026-11-21T02:05:01-05:00", DUTY_MISSED);
	expect_state(&p, "2026-11-20T02:00:04-05:00", "2026-11-22T02:06:00-05:00",
		     DUTY_MISSED_MANY);
	/* A clock that is a little ahead. */
	expect_state(&p, "2026-11-20T01:59:40-05:00", "2026-11-20T12:00:00-05:00", DUTY_OK);
	/* Never: the latest one is missed, and that is not one of a row. */
	expect_state(&p, NULL, "2026-11-20T02:04:00-05:00", DUTY_OK);
	expect_state(&p, NULL, "2026-11-20T12:00:00-05:00", DUTY_MISSED_MANY);
	duty_plan_done(&p);
}

static void a_skipped_hour_is_no_missed_run(void **state)
{
	struct s0 *f = *state;
	struct duty_plan p = {.zone = f->zone, .grace_ms = 5 * MINUTE_MS, .fail_missed = 2};

	assert_int_equal(duty_cron_add(&p, "30 2 * * *", NULL), 0);
	/* 02:30 is not there on 8 March: it is due at 03:00. */
	expect_at(duty_due(&p, at("2026-03-07T02:30:10-05:00"), 0), "2026-03-08T03:00:00-04:00");
	expect_state(&p, "2026-03-08T03:00:10-04:00", "2026-03-09T02:34:00-04:00", DUTY_OK);
	/* 01:30 comes twice on 1 November, and counts once. */
	duty_plan_done(&p);
	p = (struct duty_plan){.zone = f->zone, .grace_ms = 5 * MINUTE_MS, .fail_missed = 2};
	assert_int_equal(duty_cron_add(&p, "30 1 * * *", NULL), 0);
	expect_state(&p, "2026-11-01T01:30:10-04:00", "2026-11-01T12:00:00-05:00", DUTY_OK);
	duty_plan_done(&p);
}

static void intervals_count_from_the_last_run(void **state)
{
	struct s0 *f = *state;
	struct duty_plan p = {
		.zone = f->zone, .every_ms = HOUR_MS, .grace_ms = 5 * MINUTE_MS, .fail_missed = 2};
	struct duty_verdict v;

	expect_state(&p, "2026-11-20T10:00:00Z", "2026-11-20T11:05:00Z", DUTY_OK);
	expect_state(&p, "2026-11-20T10:00:00Z", "2026-11-20T11:06:00Z", DUTY_MISSED);
	expect_state(&p, "2026-11-20T10:00:00Z", "2026-11-20T12:06:00Z", DUTY_MISSED_MANY);
	v = duty_judge(&p, at("2026-11-20T10:00:00Z"), at("2026-11-20T15:06:00Z"));
	assert_int_equal(v.missed, 5);
	assert_int_equal(v.late_ms, 4 * HOUR_MS + 6 * MINUTE_MS);
	expect_at(v.due_ms, "2026-11-20T11:00:00Z");
}

/* ---- The window, against every minute of it ---- */

static const char *const window_texts[][3] = {
	{"mon-fri 09:30-16:00", NULL, NULL},
	{"22:00-06:00", NULL, NULL},
	{"sat-mon 01:30-02:30", "tue 00:00-24:00", NULL},
	{"01:30-02:15", "02:00-03:30", NULL},
	{"sat,sun", NULL, NULL},
	{"sun 23:00-00:30", "mon 00:30-04:00", NULL},
};
static const char *const zone_names[] = {"America/New_York", "Europe/Berlin", "America/Havana",
					 "Australia/Lord_Howe"};
/* Each zone's two changes of 2026 lie within ten days of these. */
static const char *const begins[][2] = {
	{"2026-03-02T00:00:00Z", "2026-10-27T00:00:00Z"},
	{"2026-03-24T00:00:00Z", "2026-10-20T00:00:00Z"},
	{"2026-03-02T00:00:00Z", "2026-10-27T00:00:00Z"},
	{"2026-09-28T00:00:00Z", "2026-03-31T00:00:00Z"},
};
#define NAIVE_DAYS 12

static bool naive_open(const struct duty_plan *p, int64_t ms)
{
	struct tm tm;
	int now;

	zone_local(p->zone, ms / 1000, &tm);
	now = tm.tm_hour * 60 + tm.tm_min;
	for (size_t i = 0; i < p->windows_n; i++) {
		const struct duty_window *w = &p->windows[i];
		bool is_night = w->to_min <= w->from_min;

		if ((w->days >> tm.tm_wday & 1) && now >= w->from_min &&
		    (is_night || now < w->to_min))
			return true;
		if (is_night && (w->days >> (tm.tm_wday + 6) % 7 & 1) && now < w->to_min)
			return true;
	}
	return false;
}

static struct duty_plan naive_plan(const struct zone *z, size_t which)
{
	struct duty_plan p = {.zone = z, .fail_missed = 2};

	for (size_t i = 0; i < 3 && window_texts[which][i] != NULL; i++)
		assert_int_equal(duty_window_add(&p, window_texts[which][i], NULL), 0);
	return p;
}

static void compare_window(const struct duty_plan *p, const char *name, size_t which,
			   const char *begin)
{
	static bool open[NAIVE_DAYS * DAY_MIN];
	int64_t first = at(begin), opened = -1, opens = -1;
	char buf[CLOCK_TEXT_MAX];

	for (int m = 0; m < NAIVE_DAYS * DAY_MIN; m++) {
		open[m] = naive_open(p, first + m * MINUTE_MS);
		if (open[m] != duty_is_open(p, first + m * MINUTE_MS + 59999))
			fail_msg("%s %s: open at %s?", name, window_texts[which][0],
				 clock_format(first + m * MINUTE_MS, buf));
		if (m > 0 && open[m] && !open[m - 1])
			opened = first + m * MINUTE_MS;
		if (open[m] && opened >= 0 && m % 7 == 0 &&
		    duty_opened(p, first + m * MINUTE_MS + 10) != opened)
			fail_msg("%s %s: at %s opened %lld, not %lld", name, window_texts[which][0],
				 clock_format(first + m * MINUTE_MS, buf),
				 (long long)duty_opened(p, first + m * MINUTE_MS),
				 (long long)opened);
	}
	for (int m = NAIVE_DAYS * DAY_MIN - 1; m > 0; m--) {
		if (opens >= 0 && m % 11 == 0 && duty_opens(p, first + m * MINUTE_MS) != opens)
			fail_msg("%s %s: at %s opens %lld, not %lld", name, window_texts[which][0],
				 clock_format(first + m * MINUTE_MS, buf),
				 (long long)duty_opens(p, first + m * MINUTE_MS), (long long)opens);
		if (open[m] && !open[m - 1])
			opens = first + m * MINUTE_MS;
	}
}

static void windows_agree_with_every_minute(void **state)
{
	(void)state;
	for (size_t z = 0; z < ARRAY_LEN(zone_names); z++) {
		struct zone *there = zone(zone_names[z]);

		for (size_t w = 0; w < ARRAY_LEN(window_texts); w++) {
			struct duty_plan p = naive_plan(there, w);

			compare_window(&p, zone_names[z], w, begins[z][0]);
			compare_window(&p, zone_names[z], w, begins[z][1]);
			duty_plan_done(&p);
		}
		zone_free(there);
	}
}

/* Every minute from the last run on: is one due then, and is its time over? */
static size_t naive_missed(const struct duty_plan *p, int64_t last, int64_t now)
{
	int64_t due = cron_next_in(&p->crons[0], p->zone, last + DUTY_EARLY_MS);
	size_t missed = 0;

	for (int64_t t = last / MINUTE_MS * MINUTE_MS + MINUTE_MS; t < now; t += MINUTE_MS) {
		int64_t over = t + p->grace_ms, opened = t;

		if (t != due)
			continue;
		due = cron_next_in(&p->crons[0], p->zone, due);
		if (!naive_open(p, t))
			continue;
		while (p->opening_grace_ms > 0 && naive_open(p, opened - MINUTE_MS) &&
		       t - opened < p->opening_grace_ms)
			opened -= MINUTE_MS;
		if (p->opening_grace_ms > 0)
			over = HALE_MAX(over, opened + p->opening_grace_ms);
		/* In order: one whose grace runs hides those behind it. */
		if (over >= now)
			break;
		missed++;
	}
	return missed;
}

static void missed_runs_agree_with_every_minute(void **state)
{
	static const char *const crons[] = {"*/20 * * * *", "30 1,2,3 * * *", "0 9-16 * * 1-5",
					    "15 0 * * *"};

	(void)state;
	srandom(7);
	for (int i = 0; i < 300; i++) {
		size_t z = (size_t)random() % ARRAY_LEN(zone_names);
		struct zone *there = zone(zone_names[z]);
		struct duty_plan p = naive_plan(there, (size_t)random() % ARRAY_LEN(window_texts));
		int64_t last = at(begins[z][random() % 2]) + random() % (8 * 24 * HOUR_MS);
		int64_t now = last + random() % (3 * 24 * HOUR_MS);
		const char *text = crons[(size_t)random() % ARRAY_LEN(crons)];
		struct duty_verdict v;

		assert_int_equal(duty_cron_add(&p, text, NULL), 0);
		p.grace_ms = random() % 40 * MINUTE_MS;
		p.opening_grace_ms = random() % 2 * 45 * MINUTE_MS;
		v = duty_judge(&p, last, now);
		if (!naive_open(&p, now))
			assert_int_equal(v.state, DUTY_OUTSIDE);
		else if (v.missed != naive_missed(&p, last, now))
			fail_msg("%s \"%s\" %lld to %lld: missed %zu, not %zu", zone_names[z], text,
				 (long long)last, (long long)now, v.missed,
				 naive_missed(&p, last, now));
		duty_plan_done(&p);
		zone_free(there);
	}
}

/* ---- Texts ---- */

static void what_is_no_window_is_told(void **state)
{
	static const char *const bad[] = {"",
					  "mon-",
					  "monday",
					  "mon-fri 9",
					  "09:30",
					  "24:00-01:00",
					  "09:60-10:00",
					  "09:00-24:01",
					  "mon,,tue",
					  "mon 09:00-10:00 x",
					  "-1:00-02:00",
					  "mon-fri\t09:00-10:00"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct duty_plan p = {0};
		struct err err = {0};

		if (duty_window_add(&p, bad[i], &err) != -EINVAL)
			fail_msg("accepted: \"%s\"", bad[i]);
		assert_non_null(strstr(err.text, "expected"));
		assert_int_equal(p.windows_n, 0);
	}
}

static void what_is_no_date_is_told(void **state)
{
	static const char *const bad[] = {"",      "2026-02-30",  "2026-13-01", "02-30",
					  "1-1",   "25-12",       "1969-01-01", "2026-1-01",
					  "today", "2026-12-25 ", "00-10"};
	struct duty_plan p = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (duty_holiday_add(&p, bad[i], NULL) != -EINVAL)
			fail_msg("accepted: \"%s\"", bad[i]);
	assert_int_equal(duty_holiday_add(&p, "02-29", NULL), 0);
	assert_int_equal(duty_holiday_add(&p, "2028-02-29", NULL), 0);
	duty_plan_done(&p);
}

static void a_window_that_never_opens_is_outside(void **state)
{
	struct s0 *f = *state;

	assert_int_equal(duty_window_add(&f->plan, "fri", NULL), 0);
	for (int m = 1; m <= 12; m++) {
		for (int d = 1; d <= 31; d++) {
			HALE_CLEANUP(cleanup_free) char *text = mem_printf("%02d-%02d", m, d);

			(void)duty_holiday_add(&f->plan, text, NULL);
		}
	}
	expect_state(&f->plan, NULL, "2026-11-20T12:00:00Z", DUTY_OUTSIDE);
	assert_int_equal(duty_opens(&f->plan, at("2026-11-20T12:00:00Z")), -1);
}

/* ---- Clocks that are changed, and days that are not there ---- */

static struct duty_plan plan_of(struct zone *z, const char *cron, const char *window)
{
	struct duty_plan p = {.zone = z, .fail_missed = 1};

	if (cron != NULL)
		assert_int_equal(duty_cron_add(&p, cron, NULL), 0);
	if (window != NULL)
		assert_int_equal(duty_window_add(&p, window, NULL), 0);
	return p;
}

static void the_night_that_clocks_go_back_has_one_run_and_two_windows(void **state)
{
	struct zone *z = zone("America/New_York");
	struct duty_plan p = plan_of(z, "30 1 * * *", "01:15-01:45");

	(void)state;
	expect_at(duty_due(&p, at("2026-10-31T05:30:00Z"), 0), "2026-11-01T01:30:00-04:00");
	expect_at(duty_due(&p, at("2026-11-01T05:30:00Z"), 0), "2026-11-02T01:30:00-05:00");
	assert_true(duty_is_open(&p, at("2026-11-01T01:44:59-04:00")));
	assert_false(duty_is_open(&p, at("2026-11-01T01:50:00-04:00")));
	expect_at(duty_opens(&p, at("2026-11-01T01:50:00-04:00")), "2026-11-01T01:15:00-05:00");
	assert_true(duty_is_open(&p, at("2026-11-01T01:15:00-05:00")));
	expect_at(duty_opened(&p, at("2026-11-01T01:30:00-05:00")), "2026-11-01T01:15:00-05:00");
	duty_plan_done(&p);
	zone_free(z);
}

static void the_night_that_clocks_go_forward_has_the_run_of_the_hour_skipped(void **state)
{
	struct zone *z = zone("America/New_York");
	struct duty_plan p = plan_of(z, "30 2 * * *", "sun 02:30-04:00");

	(void)state;
	/* A window that begins in the hour that is skipped opens behind it. */
	expect_at(duty_opens(&p, at("2026-03-08T01:00:00-05:00")), "2026-03-08T03:00:00-04:00");
	expect_at(duty_opened(&p, at("2026-03-08T03:30:00-04:00")), "2026-03-08T03:00:00-04:00");
	expect_at(duty_due(&p, at("2026-03-07T12:00:00Z"), 0), "2026-03-08T03:00:00-04:00");
	duty_plan_done(&p);
	zone_free(z);
}

static void half_an_hour_and_a_whole_day_may_be_skipped(void **state)
{
	struct zone *howe = zone("Australia/Lord_Howe"), *apia = zone("Pacific/Apia");
	struct duty_plan half = plan_of(howe, "15 2 * * *", NULL);
	struct duty_plan day = plan_of(apia, "0 12 * * *", "fri 09:00-17:00");

	(void)state;
	expect_at(duty_due(&half, at("2026-10-03T12:00:00+10:30"), 0), "2026-10-04T02:30:00+11:00");
	expect_at(duty_due(&half, at("2026-10-04T02:30:00+11:00"), 0), "2026-10-05T02:15:00+11:00");
	/* There was no Friday, 30 December 2011. */
	expect_at(duty_due(&day, at("2011-12-28T12:00:00Z"), 0), "2012-01-06T12:00:00+14:00");
	duty_plan_done(&half);
	duty_plan_done(&day);
	zone_free(howe);
	zone_free(apia);
}

static void a_night_belongs_to_the_day_it_begins_on(void **state)
{
	struct zone *z = zone("Europe/Berlin");
	struct duty_plan p = plan_of(z, NULL, "fri,thu 22:00-06:00");

	(void)state;
	assert_int_equal(duty_holiday_add(&p, "2026-12-25", NULL), 0);
	/* Thursday's goes on into the holiday, Friday's does not begin. */
	assert_true(duty_is_open(&p, at("2026-12-25T03:00:00+01:00")));
	assert_false(duty_is_open(&p, at("2026-12-25T23:00:00+01:00")));
	assert_false(duty_is_open(&p, at("2026-12-26T03:00:00+01:00")));
	expect_at(duty_opens(&p, at("2026-12-25T07:00:00+01:00")), "2026-12-31T22:00:00+01:00");
	duty_plan_done(&p);
	zone_free(z);
}

static void the_leap_day_may_be_a_holiday_each_time_it_comes(void **state)
{
	struct zone *z = zone("UTC");
	struct duty_plan p = plan_of(z, "0 12 * * *", NULL);

	(void)state;
	assert_int_equal(duty_holiday_add(&p, "02-29", NULL), 0);
	assert_int_equal(duty_holiday_add(&p, "2027-02-29", NULL), -EINVAL);
	expect_at(duty_due(&p, at("2028-02-28T13:00:00Z"), 0), "2028-03-01T12:00:00Z");
	expect_at(duty_due(&p, at("2027-02-28T13:00:00Z"), 0), "2027-03-01T12:00:00Z");
	duty_plan_done(&p);
	zone_free(z);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(s0_ages_are_judged, s0_setup, s0_teardown),
		cmocka_unit_test_setup_teardown(on_saturday_nothing_is_missed, s0_setup,
						s0_teardown),
		cmocka_unit_test_setup_teardown(after_the_opening_ages_begin_anew, s0_setup,
						s0_teardown),
		cmocka_unit_test_setup_teardown(a_holiday_is_closed, s0_setup, s0_teardown),
		cmocka_unit_test_setup_teardown(cron_runs_are_counted, s0_setup, s0_teardown),
		cmocka_unit_test_setup_teardown(a_skipped_hour_is_no_missed_run, s0_setup,
						s0_teardown),
		cmocka_unit_test_setup_teardown(intervals_count_from_the_last_run, s0_setup,
						s0_teardown),
		cmocka_unit_test_setup_teardown(a_window_that_never_opens_is_outside, s0_setup,
						s0_teardown),
		cmocka_unit_test(the_night_that_clocks_go_back_has_one_run_and_two_windows),
		cmocka_unit_test(the_night_that_clocks_go_forward_has_the_run_of_the_hour_skipped),
		cmocka_unit_test(half_an_hour_and_a_whole_day_may_be_skipped),
		cmocka_unit_test(a_night_belongs_to_the_day_it_begins_on),
		cmocka_unit_test(the_leap_day_may_be_a_holiday_each_time_it_comes),
		cmocka_unit_test(windows_agree_with_every_minute),
		cmocka_unit_test(missed_runs_agree_with_every_minute),
		cmocka_unit_test(what_is_no_window_is_told),
		cmocka_unit_test(what_is_no_date_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
