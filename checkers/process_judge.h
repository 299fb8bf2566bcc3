/* SPDX-License-Identifier: Apache-2.0 */
/* process_judge - are there as many processes as there should be, and do they live?
 *
 * Pure. A zombie is no process any more; one that is stopped does not serve, but is counted.
 */
#ifndef HALE_CHECKERS_PROCESS_JUDGE_H
#define HALE_CHECKERS_PROCESS_JUDGE_H

#include "base/str.h"
#include "model/reason.h"

#include <stdbool.h>
#include <stdint.h>

struct process_tally {
	const char *what; /* "nginx", "pattern 'bot.trader'": for the message */
	int64_t min, max; /* max < 0: any number */
	int64_t count;    /* alive */
	int64_t zombies;
	int64_t stopped;       /* of count */
	int64_t blocked;       /* of count: uninterruptible, mostly on a disk */
	int64_t first_pid;     /* of the oldest */
	double uptime_seconds; /* of the youngest */
	const char *missing;   /* why nothing was looked for ("no pidfile"), or NULL */
	bool is_unreadable;    /* … and that says nothing of the program */
};

/* The message is appended. */
enum reason process_judge(const struct process_tally *t, struct str *message);

#endif
