/* SPDX-License-Identifier: Apache-2.0 */
/* schedule - when each component of this process is due
 *
 * Pure: no clock, no timer; the runner gives the time and arms one timer for schedule_next().
 * Times are monotonic ms.
 *
 * Each entry has a grid of due times, one interval apart, that never drifts: a late or skipped tick
 * does not move the next. Wake-ups are what a check costs, so due times are gathered in slots (1 s,
 * 100 ms or 10 ms by the length of the interval) that all entries share; an entry is due at the end
 * of the slot its grid time falls into. A stable hash of the id spreads grids over the interval,
 * and first runs over the first interval or second, whichever is shorter.
 *
 * An entry that is still busy when it is due again is not run a second time: the tick is told
 * (SCHEDULE_BUSY) and counted. So are ticks that passed while nobody asked.
 *
 * Ownership: schedule_new/_free. Errors: none; wrong arguments are a bug (assert).
 */
#ifndef HALE_CHECKERS_SCHEDULE_H
#define HALE_CHECKERS_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From this interval on, slots are SCHEDULE_SLOT_LONG_MS long, and so on; below, _FINE. */
#define SCHEDULE_LONG_MS        5000
#define SCHEDULE_SLOT_LONG_MS   1000
#define SCHEDULE_MEDIUM_MS      1000
#define SCHEDULE_SLOT_MEDIUM_MS 100
#define SCHEDULE_SLOT_FINE_MS   10

/* All first runs are over this long after the start, or after one interval if that is shorter. */
#define SCHEDULE_FIRST_MS 1000

/* More often than this is a busy loop and not a check. */
#define SCHEDULE_INTERVAL_MIN_MS 10
/* Kept in 32 bits; seven weeks are long enough. */
#define SCHEDULE_INTERVAL_MAX_MS UINT32_MAX

struct schedule;

enum schedule_tick {
	SCHEDULE_NONE, /* nothing is due */
	SCHEDULE_RUN,  /* run it; it is busy until schedule_idle() */
	SCHEDULE_BUSY, /* due, but busy: counted as skipped */
};

struct schedule *schedule_new(int64_t start_ms);
void schedule_free(struct schedule *s);
/* Returns the entry's index: 0, 1, 2 … */
size_t schedule_add(struct schedule *s, const char *id, int64_t interval_ms);
/* When to ask next; INT64_MAX without entries. */
int64_t schedule_next(const struct schedule *s);
/* The next entry that is due by now: call until SCHEDULE_NONE. */
enum schedule_tick schedule_take(struct schedule *s, int64_t now_ms, size_t *index_r);
/* The run that SCHEDULE_RUN asked for has ended. */
void schedule_idle(struct schedule *s, size_t index);

uint64_t schedule_skipped(const struct schedule *s);
/* The longest a due entry waited to be taken. */
int64_t schedule_late_max_ms(const struct schedule *s);

#endif
