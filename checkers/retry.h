/* SPDX-License-Identifier: Apache-2.0 */
/* retry - whether a result is looked into again at once, off the grid
 *
 * Pure. A result that is not a pass is confirmed by further checks until so many in a row say so
 * that haled may take them for an outage (the larger of degraded_after and critical_after); a pass
 * after an outage until there are as many as haled wants to see (recover_after). What is confirmed
 * is left to the grid.
 */
#ifndef HALE_CHECKERS_RETRY_H
#define HALE_CHECKERS_RETRY_H

#include <stdbool.h>
#include <stdint.h>

struct retry_rule {
	uint32_t interval_ms; /* 0: never */
	uint16_t bad_from;    /* so many failures in a row are seen as bad at all; >= 1 */
	uint16_t failures;    /* so many in a row are an outage; >= bad_from */
	uint16_t passes;      /* so many in a row end it; >= 1 */
};

/* Zeroed: nothing known. */
struct retry_state {
	uint16_t in_row; /* results like the last one, up to the limit that counts */
	bool is_passing; /* what the last one was */
	bool is_bad;     /* there were enough failures, and not yet enough passes */
};

/* Takes a result; true: check again after interval_ms. */
bool retry_wanted(const struct retry_rule *rule, struct retry_state *state, bool is_pass);

#endif
