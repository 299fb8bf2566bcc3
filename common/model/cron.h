/* SPDX-License-Identifier: Apache-2.0 */
/* cron - five-field schedules in a time zone, pure
 *
 * minute hour day-of-month month day-of-week, as crontab(5): lists, ranges, steps of a range or of
 * "*", names (jan, mon), 0 and 7 are Sunday; if both day fields are restricted (not just "*")
 * either may match; @hourly @daily @midnight @weekly @monthly @yearly @annually. Times are wall ms.
 * Times of day are those of a zone (zone.h), or of the process: then zone arithmetic is the C
 * library's (localtime in the process's TZ), and the caller sets TZ, and calls tzset(), once at
 * start from the configuration.
 *
 * Daylight saving, as cron(8) of Debian does it: a schedule whose hours are restricted means a time
 * of day, so one that is skipped when clocks go forward runs once, in the first minute after the
 * gap, and one that comes twice when they go back runs the first time only. A schedule for every
 * hour means a rhythm and follows real time: nothing is made up, nothing is left out.
 */
#ifndef HALE_MODEL_CRON_H
#define HALE_MODEL_CRON_H

#include "base/err.h"

#include <stdint.h>

struct zone;

struct cron {
	uint64_t minutes; /* bit per value */
	uint32_t hours;
	uint32_t days;           /* 1..31 */
	uint32_t months;         /* 1..12 */
	uint32_t weekdays;       /* 0..6, 0 Sunday */
	uint32_t is_any_day;     /* bool: day-of-month was "*" */
	uint32_t is_any_weekday; /* bool: day-of-week was "*" */
};

/* -EINVAL names the field and what is wrong with it. */
int cron_parse(const char *text, struct cron *c_r, struct err *err);
/* First matching minute strictly after `after_ms`; -1 if none within five years (30 February). */
int64_t cron_next(const struct cron *c, int64_t after_ms);
/* The same where the clocks are those of `zone`; NULL: the process's. */
int64_t cron_next_in(const struct cron *c, const struct zone *zone, int64_t after_ms);

#endif
