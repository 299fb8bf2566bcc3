/* SPDX-License-Identifier: Apache-2.0 */
/* unit_status - what systemd says of one unit
 *
 * Its words are systemd's own (systemctl(1), "UNIT STATES").
 */
#ifndef HALE_CHECKERS_UNIT_STATUS_H
#define HALE_CHECKERS_UNIT_STATUS_H

#include "unit_name.h"

#include <stdint.h>

#define UNIT_WORD_MAX 48 /* "auto-restart-queued", "start-limit-hit" and what may come */

/* Counts that a unit has not are -1, times that never were are 0. */
struct unit_status {
	char load[UNIT_WORD_MAX];    /* "loaded", "not-found", "masked", "bad-setting" … */
	char active[UNIT_WORD_MAX];  /* "active", "inactive", "failed", "activating" … */
	char sub[UNIT_WORD_MAX];     /* "running", "exited", "auto-restart", "waiting" … */
	char result[UNIT_WORD_MAX];  /* "success", "exit-code", "signal", "timeout" …; or "" */
	char enabled[UNIT_WORD_MAX]; /* "enabled", "disabled", "static" …; or "" */
	int64_t active_since_ms;     /* wall clock */
	int64_t active_for_ms;       /* by the monotonic clock; -1: is not active */
	int64_t restarts;            /* by systemd, since the unit was last started by hand */
	int64_t main_pid;            /* 0: none */
	int64_t memory_bytes;
	int64_t tasks;
	int64_t exit_status; /* of the main process that ended last: code or signal */

	/* Of a timer. */
	int64_t last_trigger_ms;       /* wall clock */
	int64_t next_elapse_ms;        /* wall clock; of a monotonic timer as reckoned from now */
	char triggers[UNIT_NAME_SIZE]; /* the unit it starts; "" if this is no timer */
	/* What became of that unit the last time. */
	char triggered_active[UNIT_WORD_MAX];
	char triggered_result[UNIT_WORD_MAX];
	int64_t triggered_exit_status;
};

#endif
