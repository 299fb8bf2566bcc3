/* SPDX-License-Identifier: Apache-2.0 */
/* failing - when somebody has to be told that a process cannot be kept running (on_failing)
 *
 * An episode begins when a process that is wanted crash-loops, is held, or has not been ready for
 * failing_after; it ends when it is ready and does not crash-loop, or is not wanted any more. The
 * command runs once in each, one at a time, and never more often than every FAILING_PAUSE_MS.
 *
 * Pure: the state, what is seen and the time in, a decision out. Times are monotonic ms.
 */
#ifndef HALE_MODEL_FAILING_H
#define HALE_MODEL_FAILING_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* A process that comes and goes would otherwise send a mail each time. */
#define FAILING_PAUSE_MS (10 * 60 * 1000)

struct failing {
	int64_t down_since_ms; /* wanted and not ready since; 0: it is ready, or not wanted */
	int64_t last_run_ms;   /* the command's last start; 0 never */
	bool is_told;          /* in this episode */
	bool is_running;       /* the command is */
};

struct failing_view {
	bool is_wanted; /* enabled, not stopped on purpose, not finished */
	bool is_ready;
	bool is_hopeless;         /* crash-looping or held */
	int64_t failing_after_ms; /* > 0 */
};

/* True if the command is to be started now: it then counts as started and running. */
bool failing_step(struct failing *f, const struct failing_view *view, int64_t now_ms);
/* When to look again if nothing happens before; INT64_MAX never. */
int64_t failing_due(const struct failing *f, const struct failing_view *view);
void failing_ended(struct failing *f); /* the command is over */
/* Over an exec of haled: who was told is not told again. New reference. */
json_t *failing_hand_over(const struct failing *f);
void failing_take_over(struct failing *f, const json_t *o);

#endif
