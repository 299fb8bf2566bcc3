/* SPDX-License-Identifier: Apache-2.0 */
/* losses - who missed how many lines, and when that is worth telling
 *
 * Two legs: what a child gave up before haled had it (its outbox was full), and what a subscriber
 * asked for when the ring no longer had it. Pure: no clock, no loop.
 *
 * An episode is told once: LOSSES_GATHER_MS after its first line, with all that came until then;
 * what the same process loses afterwards is told no more often than every LOSSES_QUIET_MS.
 *
 * Ownership: losses_new/losses_free. Names are copied, at most LOSSES_NAMES_MAX; the others share
 * the name "other".
 */
#ifndef HALE_BUS_LOSSES_H
#define HALE_BUS_LOSSES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define LOSSES_GATHER_MS 1000
#define LOSSES_QUIET_MS  60000
/* More processes than a hale has; names come from whoever may connect. */
#define LOSSES_NAMES_MAX 256
#define LOSSES_NAME_MAX  64
#define LOSSES_OTHER     "other"

enum loss_leg { LOSS_IN, LOSS_OUT, LOSS_LEG_MAX };

struct losses;

struct loss_report {
	enum loss_leg leg;
	const char *process; /* borrowed until the next losses_add */
	uint64_t lines;      /* since it was last told */
	uint64_t total;
};

struct losses *losses_new(void);
void losses_free(struct losses *l);
void losses_add(struct losses *l, enum loss_leg leg, const char *process, uint64_t lines,
		int64_t now_ms);
/* When the next report is due; INT64_MAX: none. */
int64_t losses_due(const struct losses *l);
/* One report that is due, false if none is. */
bool losses_take(struct losses *l, int64_t now_ms, struct loss_report *r_r);
uint64_t losses_total(const struct losses *l, enum loss_leg leg);
/* "in" (child to haled), "out" (haled to subscriber). */
const char *loss_leg_name(enum loss_leg leg);
/* [{"leg", "process", "lines", "times"}]; new reference. */
json_t *losses_encode(const struct losses *l);

#endif
