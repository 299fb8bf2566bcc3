/* SPDX-License-Identifier: Apache-2.0 */
#include "duty.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"

#define MINUTE_S      60
#define DAY_S         INT64_C(86400)
#define DAY_MIN       1440
#define ALL_DAYS      0x7fu
#define DAYS_TEXT_MAX 64
/* A yearly holiday is YEARLY + month * 32 + day: far beyond the days of real dates. */
#define YEARLY        INT32_C(100000000)

/* ---- Reading ---- */

static const char *const day_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

static int take_day(const char **p)
{
	for (int i = 0; i < (int)ARRAY_LEN(day_names); i++) {
		if (strncasecmp(*p, day_names[i], 3) == 0 && !isalpha((unsigned char)(*p)[3])) {
			*p += 3;
			return i;
		}
	}
	return -1;
}

static int parse_days(const char *text, unsigned *days_r, struct err *err)
{
	const char *p = text;

	for (;;) {
		int from = take_day(&p);
		int to = from;

		if (from >= 0 && *p == '-') {
			p++;
			to = take_day(&p);
		}
		if (from < 0 || to < 0)
			return err_set(err, -EINVAL, "\"%s\": expected days as mon-fri or sat,sun",
				       text);
		for (int d = from;; d = (d + 1) % 7) {
			*days_r |= 1u << d;
			if (d == to)
				break;
		}
		if (*p == '\0')
			return 0;
		if (*p++ != ',')
			return err_set(err, -EINVAL, "\"%s\": expected days as mon-fri or sat,sun",
				       text);
	}
}

static bool parse_hours(const char *text, struct duty_window *w)
{
	int fh, fm, th, tm, n = 0;

	if (sscanf(text, "%2d:%2d-%2d:%2d%n", &fh, &fm, &th, &tm, &n) != 4 || text[n] != '\0' ||
	    fh < 0 || fm < 0 || th < 0 || tm < 0 || fh > 23 || fm > 59 || tm > 59 ||
	    th * 60 + tm > DAY_MIN)
		return false;
	w->from_min = fh * 60 + fm;
	w->to_min = th * 60 + tm;
	return true;
}

int duty_window_add(struct duty_plan *p, const char *text, struct err *err)
{
	struct duty_window w = {.days = 0, .from_min = 0, .to_min = DAY_MIN};
	char days[DAYS_TEXT_MAX] = "";
	const char *hours = text;
	size_t len = strcspn(text, " ");

	if (isalpha((unsigned char)text[0])) {
		if (len >= sizeof(days))
			return err_set(err, -EINVAL, "\"%s\": too long", text);
		memcpy(days, text, len);
		hours = text + len + strspn(text + len, " ");
		if (parse_days(days, &w.days, err) < 0)
			return -EINVAL;
	} else {
		w.days = ALL_DAYS;
	}
	if ((*hours != '\0' || days[0] == '\0') && !parse_hours(hours, &w))
		return err_set(err, -EINVAL,
			       "\"%s\": expected days, hours or both, as in \"mon-fri "
			       "09:30-16:00\"",
			       text);
	p->windows = mem_grow(p->windows, p->windows_n + 1, sizeof(*p->windows));
	p->windows[p->windows_n++] = w;
	return 0;
}

static int32_t civil_day(int year, int month, int day)
{
	struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
	time_t s = timegm(&tm);

	/* timegm() reads 31 February as 3 March. */
	return tm.tm_mon == month - 1 && tm.tm_mday == day ? (int32_t)(s / DAY_S) : -1;
}

int duty_holiday_add(struct duty_plan *p, const char *text, struct err *err)
{
	int year, month, day, n = 0;
	int32_t value = -1;

	if (strlen(text) == 10 && sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &n) == 3 &&
	    n == 10 && year >= 1970 && month >= 1 && month <= 12)
		value = civil_day(year, month, day);
	else if (strlen(text) == 5 && sscanf(text, "%2d-%2d%n", &month, &day, &n) == 2 && n == 5 &&
		 month >= 1 && month <= 12 && civil_day(2000, month, day) >= 0)
		value = YEARLY + month * 32 + day;
	if (value < 0)
		return err_set(err, -EINVAL,
			       "\"%s\": expected a date as 2026-12-25, or 12-25 for each year",
			       text);
	p->holidays = mem_grow(p->holidays, p->holidays_n + 1, sizeof(*p->holidays));
	p->holidays[p->holidays_n++] = value;
	return 0;
}

int duty_cron_add(struct duty_plan *p, const char *text, struct err *err)
{
	struct cron c;

	if (cron_parse(text, &c, err) < 0)
		return -EINVAL;
	p->crons = mem_grow(p->crons, p->crons_n + 1, sizeof(*p->crons));
	p->crons[p->crons_n++] = c;
	return 0;
}

void duty_plan_done(struct duty_plan *p)
{
	free(p->crons);
	free(p->windows);
	free(p->holidays);
	*p = (struct duty_plan){0};
}

/* ---- The window, in what clocks show ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static bool is_holiday(const struct duty_plan *p, int64_t day)
{
	time_t s = (time_t)(day * DAY_S);
	struct tm tm;
	int32_t yearly;

	if (p->holidays_n == 0 || gmtime_r(&s, &tm) == NULL)
		return false;
	yearly = YEARLY + (tm.tm_mon + 1) * 32 + tm.tm_mday;
	for (size_t i = 0; i < p->holidays_n; i++)
		if (p->holidays[i] == day || p->holidays[i] == yearly)
			return true;
	return false;
}

static int weekday_of(int64_t day)
{
	return (int)(((day + 4) % 7 + 7) % 7); /* 1 January 1970 was a Thursday */
}

static const struct duty_window always = {.days = ALL_DAYS, .from_min = 0, .to_min = DAY_MIN};

static size_t windows_of(const struct duty_plan *p, const struct duty_window **w_r)
{
	*w_r = p->windows_n > 0 ? p->windows : &always;
	return HALE_MAX(p->windows_n, (size_t)1);
}

static bool is_unlimited(const struct duty_plan *p)
{
	return p->windows_n == 0 && p->holidays_n == 0;
}

/* Does this window open on `day`, and when, in shown minutes since 1970? */
static bool opens_on(const struct duty_plan *p, const struct duty_window *w, int64_t day,
		     int64_t *from_r, int64_t *to_r)
{
	int to_min = w->to_min + (w->to_min <= w->from_min ? DAY_MIN : 0);

	if ((w->days >> weekday_of(day) & 1) == 0 || is_holiday(p, day))
		return false;
	*from_r = day * DAY_MIN + w->from_min;
	*to_r = day * DAY_MIN + to_min;
	return true;
}

/* Is the shown minute in a window? *from_r: the earliest beginning of those that hold it. */
static bool shown_is_open(const struct duty_plan *p, int64_t minute, int64_t *from_r)
{
	const struct duty_window *w;
	size_t n = windows_of(p, &w);
	int64_t day = floor_div(minute, DAY_MIN);
	bool is_open = false;
	int64_t from, to;

	for (int64_t d = day - 1; d <= day; d++) {
		for (size_t i = 0; i < n; i++) {
			if (!opens_on(p, &w[i], d, &from, &to) || minute < from || minute >= to)
				continue;
			*from_r = is_open ? HALE_MIN(*from_r, from) : from;
			is_open = true;
		}
	}
	return is_open;
}

static int64_t seconds(int64_t ms)
{
	return floor_div(ms, 1000);
}

static int64_t shown_minute(const struct zone_span *span, int64_t s)
{
	return floor_div(s + span->offset_s, MINUTE_S);
}

bool duty_is_open(const struct duty_plan *p, int64_t now_ms)
{
	int64_t s = seconds(now_ms), from;
	struct zone_span span = zone_at(p->zone, s);

	return is_unlimited(p) || shown_is_open(p, shown_minute(&span, s), &from);
}

/* Back from beginning to beginning, as long as the minute before is open too; where the clocks
 * were changed on the way, on by what they showed before. */
int64_t duty_opened(const struct duty_plan *p, int64_t now_ms)
{
	int64_t s = seconds(now_ms), from;
	const int64_t oldest = s - DUTY_OPEN_DAYS_MAX * DAY_S;
	struct zone_span span = zone_at(p->zone, s);

	if (is_unlimited(p))
		return INT64_MIN;
	while (s > oldest && shown_is_open(p, shown_minute(&span, s), &from)) {
		int64_t begin = from * MINUTE_S - span.offset_s;

		s = HALE_MAX(begin, span.since_s) - 1;
		span = zone_at(p->zone, s);
	}
	return s > oldest ? (s + 1) * 1000 : INT64_MIN;
}

/* The earliest moment after s at which a window may open: a beginning, or a change of clocks. */
static int64_t next_edge(const struct duty_plan *p, int64_t s)
{
	struct zone_span span = zone_at(p->zone, s);
	int64_t minute = shown_minute(&span, s);
	int64_t day = floor_div(minute, DAY_MIN);
	const struct duty_window *w;
	size_t n = windows_of(p, &w);
	int64_t best = INT64_MAX, from, to;

	for (int64_t d = day; d <= day + DUTY_OPEN_DAYS_MAX && best == INT64_MAX; d++)
		for (size_t i = 0; i < n; i++)
			if (opens_on(p, &w[i], d, &from, &to) && from > minute)
				best = HALE_MIN(best, from * MINUTE_S - span.offset_s);
	return HALE_MIN(best, span.end_s);
}

int64_t duty_opens(const struct duty_plan *p, int64_t now_ms)
{
	int64_t s = seconds(now_ms);
	const int64_t latest = s + DUTY_OPEN_DAYS_MAX * DAY_S;
	bool was_open = duty_is_open(p, s * 1000);

	if (is_unlimited(p))
		return -1;
	for (;;) {
		bool is_open;

		s = next_edge(p, s);
		if (s > latest)
			return -1;
		is_open = duty_is_open(p, s * 1000);
		/* An edge inside of what is open opens nothing. */
		if (is_open && (!was_open || !duty_is_open(p, (s - 1) * 1000)))
			return s * 1000;
		was_open = is_open;
	}
}

/* ---- Runs that are due ---- */

static int64_t next_cron(const struct duty_plan *p, int64_t after_ms)
{
	int64_t best = -1;

	for (size_t i = 0; i < p->crons_n; i++) {
		int64_t next = cron_next_in(&p->crons[i], p->zone, after_ms);

		if (next >= 0 && (best < 0 || next < best))
			best = next;
	}
	return best;
}

/* The first time of the schedules after `after_ms` at which the window is open. */
static int64_t next_due(const struct duty_plan *p, int64_t after_ms)
{
	const int64_t latest = after_ms + DUTY_OPEN_DAYS_MAX * DAY_S * 1000;

	while (after_ms < latest) {
		int64_t due = next_cron(p, after_ms);
		int64_t opens;

		if (due < 0 || duty_is_open(p, due))
			return due;
		opens = duty_opens(p, due);
		if (opens < 0)
			return -1;
		after_ms = HALE_MAX(opens - 1, due);
	}
	return -1;
}

int64_t duty_missed_from(const struct duty_plan *p, int64_t due_ms)
{
	int64_t from = due_ms + p->grace_ms;
	int64_t opened;

	if (p->opening_grace_ms == 0)
		return from;
	opened = duty_opened(p, due_ms);
	return opened == INT64_MIN ? from : HALE_MAX(from, opened + p->opening_grace_ms);
}

/* The latest run due by now: looked for ever further back. -1: none within a year. */
static int64_t latest_due(const struct duty_plan *p, int64_t now_ms)
{
	for (int64_t back = 3600; back <= DUTY_OPEN_DAYS_MAX * DAY_S; back *= 4) {
		int64_t due = next_due(p, now_ms - back * 1000);
		int64_t latest = -1;

		for (int i = 0; due >= 0 && due <= now_ms && i < DUTY_MISSED_MAX * 2; i++) {
			latest = due;
			due = next_due(p, due);
		}
		if (latest >= 0)
			return latest;
	}
	return -1;
}

/* What ages count from: nothing was to run while the window was closed. */
static int64_t age_base(const struct duty_plan *p, int64_t last_ms, int64_t now_ms)
{
	int64_t opened = duty_opened(p, now_ms);

	if (opened == INT64_MIN)
		return last_ms;
	return HALE_MAX(last_ms, opened + p->opening_grace_ms);
}

static int64_t first_limit(const struct duty_plan *p)
{
	if (p->every_ms > 0)
		return p->every_ms;
	return p->warn_after_ms > 0 ? p->warn_after_ms : p->fail_after_ms;
}

int64_t duty_due(const struct duty_plan *p, int64_t last_ms, int64_t now_ms)
{
	int64_t latest;

	if (p->crons_n > 0) {
		if (last_ms >= 0)
			return next_due(p, last_ms + DUTY_EARLY_MS);
		latest = latest_due(p, now_ms);
		return latest >= 0 ? latest : next_due(p, now_ms);
	}
	if (!duty_is_open(p, now_ms)) {
		latest = duty_opens(p, now_ms);
		return latest < 0 ? -1 : latest + p->opening_grace_ms + first_limit(p);
	}
	last_ms = age_base(p, last_ms, now_ms);
	return last_ms < 0 ? now_ms : last_ms + first_limit(p);
}

/* ---- Judging ---- */

static void judge_crons(const struct duty_plan *p, int64_t last_ms, int64_t now_ms,
			struct duty_verdict *v)
{
	int64_t due = v->due_ms;

	while (due >= 0 && due < now_ms && v->missed < DUTY_MISSED_MAX &&
	       duty_missed_from(p, due) < now_ms) {
		v->missed++;
		due = next_due(p, due);
	}
	if (v->missed == 0)
		return;
	v->late_ms = now_ms - v->due_ms;
	/* One that never ran is not owed the benefit of a first miss. */
	v->state = v->missed >= p->fail_missed || last_ms < 0 ? DUTY_MISSED_MANY : DUTY_MISSED;
}

static void judge_interval(const struct duty_plan *p, int64_t base_ms, int64_t now_ms,
			   struct duty_verdict *v)
{
	int64_t late = now_ms - p->grace_ms - base_ms - p->every_ms;

	if (late <= 0)
		return;
	v->missed = (size_t)HALE_MIN(1 + (late - 1) / p->every_ms, (int64_t)DUTY_MISSED_MAX);
	v->late_ms = now_ms - v->due_ms;
	v->state = v->missed >= p->fail_missed ? DUTY_MISSED_MANY : DUTY_MISSED;
}

static void judge_ages(const struct duty_plan *p, int64_t base_ms, int64_t now_ms,
		       struct duty_verdict *v)
{
	int64_t age = now_ms - base_ms - p->grace_ms;

	if (p->fail_after_ms > 0 && age > p->fail_after_ms)
		v->state = DUTY_MISSED_MANY;
	else if (p->warn_after_ms > 0 && age > p->warn_after_ms)
		v->state = DUTY_MISSED;
	if (v->state == DUTY_OK)
		return;
	v->missed = 1;
	v->late_ms = now_ms - v->due_ms;
}

struct duty_verdict duty_judge(const struct duty_plan *p, int64_t last_ms, int64_t now_ms)
{
	struct duty_verdict v = {.state = DUTY_OK, .due_ms = duty_due(p, last_ms, now_ms)};
	int64_t base;

	if (!duty_is_open(p, now_ms)) {
		v.state = DUTY_OUTSIDE;
		return v;
	}
	if (p->crons_n > 0) {
		judge_crons(p, last_ms, now_ms, &v);
		return v;
	}
	base = age_base(p, last_ms, now_ms);
	if (base < 0) {
		/* It never ran, and there is no opening to count from. */
		v.state = DUTY_MISSED_MANY;
		v.missed = 1;
	} else if (p->every_ms > 0) {
		judge_interval(p, base, now_ms, &v);
	} else {
		judge_ages(p, base, now_ms, &v);
	}
	return v;
}
