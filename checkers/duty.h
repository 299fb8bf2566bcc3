/* SPDX-License-Identifier: Apache-2.0 */
/* duty - when a job should have run, and what its last run says about that
 *
 * A plan is one of three forms: cron schedules, an interval (`every`), or bare ages (`warn_after`,
 * `fail_after`); with an active window (days and hours in the plan's zone), holidays, and graces.
 *
 * Cron: each time of the schedules that lies in the window and on no holiday is a run that is due;
 * it is missed if no run was seen from DUTY_EARLY_MS before it on, and grace (and, after the window
 * opened, opening_grace) is over. Interval and ages count from the last run or from the opening of
 * the present window, whichever is later, because nothing was to run while it was closed: so just
 * after opening nothing is late. One missed run warns, `fail_missed` of them fail. While the window
 * is closed nothing is judged.
 *
 * A minute belongs to the window if a clock of the zone that shows it says so; one which comes
 * twice in a night in autumn belongs to it both times.
 *
 * Ownership: plan_done() frees what the plan holds, but neither zone nor itself.
 * Errors:    -EINVAL from the parsers, with a text for people.
 * Loop:      pure. Times are wall ms; -1: never.
 */
#ifndef HALE_CHECKERS_DUTY_H
#define HALE_CHECKERS_DUTY_H

#include "base/err.h"
#include "model/cron.h"
#include "model/zone.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Clocks differ: a run that much before its time is that run. */
#define DUTY_EARLY_MS   30000
/* More runs missed than this are not counted one by one. */
#define DUTY_MISSED_MAX 1000

struct duty_window {
	unsigned days;        /* bit per weekday on which it opens, 0 Sunday */
	int from_min, to_min; /* of the day, 0..1440; to <= from: of the next day */
};

struct duty_plan {
	const struct zone *zone; /* must be there */
	struct cron *crons;
	size_t crons_n;
	int64_t every_ms;                     /* 0: none */
	int64_t warn_after_ms, fail_after_ms; /* of the bare ages; 0: never */
	struct duty_window *windows;          /* none: always open */
	size_t windows_n;
	int32_t *holidays; /* of duty_holiday_add() */
	size_t holidays_n;
	int64_t grace_ms;
	int64_t opening_grace_ms;
	size_t fail_missed; /* at least 1 */
};

/* "mon-fri 09:30-16:00", "sat,sun", "22:00-06:00": days, hours, or both. */
int duty_window_add(struct duty_plan *p, const char *text, struct err *err);
/* "2026-12-25", or "12-25" for each year. */
int duty_holiday_add(struct duty_plan *p, const char *text, struct err *err);
/* As cron_parse(). */
int duty_cron_add(struct duty_plan *p, const char *text, struct err *err);
void duty_plan_done(struct duty_plan *p);

bool duty_is_open(const struct duty_plan *p, int64_t now_ms);
/* Since when it is open; only while it is. INT64_MIN: for longer than DUTY_OPEN_DAYS_MAX. */
int64_t duty_opened(const struct duty_plan *p, int64_t now_ms);
/* When it opens next; -1: not within DUTY_OPEN_DAYS_MAX. */
int64_t duty_opens(const struct duty_plan *p, int64_t now_ms);
#define DUTY_OPEN_DAYS_MAX 370

/* The first run that is due after one at last_ms; -1: none. Without a last run: the latest that was
 * due by now, or else the first one. For ages: when warn_after (else fail_after) is over. */
int64_t duty_due(const struct duty_plan *p, int64_t last_ms, int64_t now_ms);

/* When the graces of a run that is due at due_ms are over. */
int64_t duty_missed_from(const struct duty_plan *p, int64_t due_ms);

enum duty_state { DUTY_OK, DUTY_OUTSIDE, DUTY_MISSED, DUTY_MISSED_MANY };

struct duty_verdict {
	enum duty_state state;
	int64_t due_ms;  /* the first run missed, else the next; -1: none */
	int64_t late_ms; /* how long beyond due_ms, without graces; 0: not */
	size_t missed;   /* runs; of ages 0 or 1 */
};

struct duty_verdict duty_judge(const struct duty_plan *p, int64_t last_ms, int64_t now_ms);

#endif
