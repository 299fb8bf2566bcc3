/* SPDX-License-Identifier: Apache-2.0 */
#include "model/cron.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/str.h"
#include "model/zone.h"

#define MINUTE_S         60
#define DAY_S            INT64_C(86400)
#define HOURS_ALL        ((UINT32_C(1) << 24) - 1)
/* Long enough for 29 February after 29 February, short enough to give up quickly. */
#define SEARCH_S         (INT64_C(5) * 366 * 86400)
/* Clocks have gone back by 20 minutes to 2 hours; a change further back is not ours to undo. */
#define TWIN_LOOK_BACK_S 10800
#define FIELD_TEXT_MAX   256
/* The end of the year 9999: what is later is no time of ours, and would overflow on the way. */
#define TIME_MAX_S       INT64_C(253402300799)

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
					  "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const day_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

enum field_id { FIELD_MINUTE, FIELD_HOUR, FIELD_DAY, FIELD_MONTH, FIELD_WEEKDAY, FIELD_MAX };

static const struct field {
	const char *name;
	int min, max;
	const char *const *names; /* names[0] is min */
} fields[FIELD_MAX] = {
	[FIELD_MINUTE] = {"minute", 0, 59, NULL},
	[FIELD_HOUR] = {"hour", 0, 23, NULL},
	[FIELD_DAY] = {"day of month", 1, 31, NULL},
	[FIELD_MONTH] = {"month", 1, 12, month_names},
	[FIELD_WEEKDAY] = {"day of week", 0, 7, day_names},
};

static const struct nickname {
	const char *name, *meaning;
} nicknames[] = {
	{"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
	{"@weekly", "0 0 * * 0"},   {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
	{"@annually", "0 0 1 1 *"},
};

static int field_error(const struct field *f, const char *item, struct err *err)
{
	return err_set(err, -EINVAL, "%s \"%s\": must be %d to %d%s, a range, a list, or *",
		       f->name, item, f->min, f->max,
		       f->names == NULL ? "" : " or a name like mon, jan");
}

/* Reads a number or a name; -1 if it is neither, or out of range. */
static int take_value(const struct field *f, const char **p)
{
	int n = 0, digits = 0;

	for (int i = 0; f->names != NULL && f->names[i] != NULL; i++) {
		size_t len = strlen(f->names[i]);

		if (strncasecmp(*p, f->names[i], len) == 0) {
			*p += len;
			return f->min + i;
		}
	}
	for (; isdigit((unsigned char)**p) && digits < 3; (*p)++, digits++)
		n = n * 10 + (**p - '0');
	return digits == 0 || n < f->min || n > f->max ? -1 : n;
}

static int take_step(const char **p)
{
	int n = 0, digits = 0;

	for (; isdigit((unsigned char)**p) && digits < 3; (*p)++, digits++)
		n = n * 10 + (**p - '0');
	return n == 0 ? -1 : n;
}

/* One item of a list: "*", "5", "1-5", each range with an optional "/step". */
static int parse_item(const struct field *f, const char *item, uint64_t *bits, struct err *err)
{
	const char *p = item;
	int from = f->min, to = f->max, step = 1;
	bool is_range = true;

	if (*p == '*') {
		p++;
	} else {
		from = to = take_value(f, &p);
		is_range = from >= 0 && *p == '-';
		if (is_range) {
			p++;
			to = take_value(f, &p);
			/* "fri-sun": Sunday is also the seventh day. */
			if (f == &fields[FIELD_WEEKDAY] && to == 0 && from > 0)
				to = 7;
		}
	}
	if (from < 0 || to < 0)
		return field_error(f, item, err);
	if (to < from)
		return err_set(err, -EINVAL, "%s \"%s\": the range runs backwards", f->name, item);
	if (*p == '/') {
		p++;
		if (!is_range)
			return err_set(err, -EINVAL,
				       "%s \"%s\": a step needs a range or *, as in */5", f->name,
				       item);
		step = take_step(&p);
		if (step < 0)
			return err_set(err, -EINVAL, "%s \"%s\": the step must be 1 to 999",
				       f->name, item);
	}
	if (*p != '\0')
		return field_error(f, item, err);
	for (int i = from; i <= to; i += step)
		*bits |= UINT64_C(1) << i;
	return 0;
}

static int parse_field(const struct field *f, const char *text, uint64_t *bits_r, struct err *err)
{
	char copy[FIELD_TEXT_MAX];
	char *rest = copy;
	uint64_t bits = 0;

	if (strlen(text) >= sizeof(copy))
		return err_set(err, -EINVAL, "%s: longer than %d letters", f->name,
			       FIELD_TEXT_MAX - 1);
	(void)snprintf(copy, sizeof(copy), "%s", text);
	while (rest != NULL) {
		const char *item = strsep(&rest, ",");

		if (parse_item(f, item, &bits, err) < 0)
			return -EINVAL;
	}
	*bits_r = bits;
	return 0;
}

static int split(char *text, char *words[FIELD_MAX])
{
	char *save = NULL;
	int n = 0;

	for (char *w = strtok_r(text, " \t", &save); w != NULL; w = strtok_r(NULL, " \t", &save)) {
		if (n < FIELD_MAX)
			words[n] = w;
		n++;
	}
	return n;
}

int cron_parse(const char *text, struct cron *c_r, struct err *err)
{
	char copy[FIELD_MAX * FIELD_TEXT_MAX];
	char *words[FIELD_MAX];
	uint64_t bits[FIELD_MAX];
	const char *meaning = text;
	int n;

	for (size_t i = 0; i < ARRAY_LEN(nicknames); i++) {
		if (str_eq(text, nicknames[i].name))
			meaning = nicknames[i].meaning;
	}
	if (meaning[0] == '@')
		return err_set(err, -EINVAL,
			       "\"%s\": known are @hourly @daily @weekly @monthly @yearly", text);
	if (strlen(meaning) >= sizeof(copy))
		return err_set(err, -EINVAL, "schedule: longer than %zu letters", sizeof(copy) - 1);
	(void)snprintf(copy, sizeof(copy), "%s", meaning);
	n = split(copy, words);
	if (n != FIELD_MAX)
		return err_set(err, -EINVAL,
			       "\"%s\": has %d fields, needs 5: minute hour day-of-month month "
			       "day-of-week",
			       text, n);
	for (int i = 0; i < FIELD_MAX; i++) {
		if (parse_field(&fields[i], words[i], &bits[i], err) < 0)
			return -EINVAL;
	}
	*c_r = (struct cron){
		.minutes = bits[FIELD_MINUTE],
		.hours = (uint32_t)bits[FIELD_HOUR],
		.days = (uint32_t)bits[FIELD_DAY],
		.months = (uint32_t)bits[FIELD_MONTH],
		.weekdays = (uint32_t)((bits[FIELD_WEEKDAY] | bits[FIELD_WEEKDAY] >> 7) & 0x7f),
		.is_any_day = str_eq(words[FIELD_DAY], "*"),
		.is_any_weekday = str_eq(words[FIELD_WEEKDAY], "*"),
	};
	return 0;
}

static bool is_day(const struct cron *c, const struct tm *tm)
{
	bool day = c->days >> tm->tm_mday & 1;
	bool weekday = c->weekdays >> tm->tm_wday & 1;

	if (!(c->months >> (tm->tm_mon + 1) & 1))
		return false;
	return c->is_any_day || c->is_any_weekday ? day && weekday : day || weekday;
}

static bool is_minute(const struct cron *c, const struct tm *tm)
{
	return (c->hours >> tm->tm_hour & 1) && (c->minutes >> tm->tm_min & 1) && is_day(c, tm);
}

static bool is_rhythm(const struct cron *c)
{
	return c->hours == HOURS_ALL;
}

static int64_t floor_minute(int64_t s)
{
	int64_t over = s % MINUTE_S;

	return s - (over < 0 ? over + MINUTE_S : over);
}

static bool local(const struct zone *zone, int64_t s, struct tm *tm)
{
	time_t t = (time_t)s;

	if (zone == NULL)
		return localtime_r(&t, tm) != NULL;
	zone_local(zone, s, tm);
	return true;
}

/* The earlier moment at which the clocks showed the same, if they went back since; else s. */
static int64_t first_twin(const struct zone *zone, int64_t s, const struct tm *tm)
{
	struct tm before, twin;
	int64_t earlier;

	if (!local(zone, s - TWIN_LOOK_BACK_S, &before) || before.tm_gmtoff <= tm->tm_gmtoff)
		return s;
	earlier = s - (before.tm_gmtoff - tm->tm_gmtoff);
	return local(zone, earlier, &twin) && twin.tm_gmtoff == before.tm_gmtoff ? earlier : s;
}

/* Did the clocks jump over a matching minute just before s? The skipped minutes are read as if the
 * zone had not changed. */
static bool is_gap_match(const struct cron *c, const struct zone *zone, int64_t s,
			 const struct tm *tm)
{
	struct tm before;

	if (!local(zone, s - MINUTE_S, &before) || before.tm_gmtoff >= tm->tm_gmtoff)
		return false;
	for (int64_t shown = s + before.tm_gmtoff; shown < s + tm->tm_gmtoff; shown += MINUTE_S) {
		time_t t = (time_t)shown;
		struct tm skipped;

		if (gmtime_r(&t, &skipped) != NULL && is_minute(c, &skipped))
			return true;
	}
	return false;
}

static bool is_run(const struct cron *c, const struct zone *zone, int64_t s, const struct tm *tm)
{
	if (is_rhythm(c))
		return is_minute(c, tm);
	if (is_gap_match(c, zone, s, tm))
		return true;
	return is_minute(c, tm) && first_twin(zone, s, tm) == s;
}

/* The first minute of the next local day, always later than s. The offset in force at s finds it,
 * unless it changes on the way: then the one in force there does. */
static int64_t next_day(const struct zone *zone, int64_t s, const struct tm *tm)
{
	int64_t shown = s + tm->tm_gmtoff;
	int64_t midnight = shown - ((shown % DAY_S) + DAY_S) % DAY_S + DAY_S;
	int64_t guess = midnight - tm->tm_gmtoff;
	struct tm there, corrected;
	int64_t second;

	if (!local(zone, guess, &there) || there.tm_gmtoff == tm->tm_gmtoff)
		return floor_minute(guess);
	second = midnight - there.tm_gmtoff;
	/* A midnight that clocks jump over is not there by either offset: the jump is at the first
	 * guess. One that they fall back across comes twice: the first counts. */
	if (local(zone, second, &corrected) && second + corrected.tm_gmtoff >= midnight &&
	    (second < guess || guess + there.tm_gmtoff < midnight))
		guess = second;
	return HALE_MAX(floor_minute(guess), s + MINUTE_S);
}

/* Past minutes that cannot match: the rest of a day, or of an hour in which the clocks are let be.
 */
static int64_t skip(const struct cron *c, const struct zone *zone, int64_t s, const struct tm *tm)
{
	int64_t hour = s + (60 - tm->tm_min) * MINUTE_S;
	struct tm there;

	if (!is_day(c, tm))
		return next_day(zone, s, tm);
	if ((c->hours >> tm->tm_hour & 1) == 0 && local(zone, hour, &there) &&
	    there.tm_gmtoff == tm->tm_gmtoff)
		return floor_minute(hour);
	return s + MINUTE_S;
}

int64_t cron_next_in(const struct cron *c, const struct zone *zone, int64_t after_ms)
{
	int64_t after = after_ms / 1000 - (after_ms % 1000 < 0);
	int64_t s = floor_minute(after) + MINUTE_S;
	int64_t end = HALE_MIN(s + SEARCH_S, TIME_MAX_S);

	while (s < end) {
		struct tm tm;

		if (!local(zone, s, &tm))
			return -1;
		if (is_run(c, zone, s, &tm))
			return s * 1000;
		s = skip(c, zone, s, &tm);
	}
	return -1;
}

int64_t cron_next(const struct cron *c, int64_t after_ms)
{
	return cron_next_in(c, NULL, after_ms);
}
