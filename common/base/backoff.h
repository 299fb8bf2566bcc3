/* SPDX-License-Identifier: Apache-2.0 */
/* backoff - how long to wait before trying again what keeps failing
 *
 * Pure arithmetic: no clock, no timers, no allocation. The owner asks after each failure and
 * arms its own timer; after a stable run it calls backoff_ok().
 *
 * Ownership: caller owns struct backoff; zero-initialised is valid.
 * Errors:    none; out-of-range settings are a bug (assert).
 * See also:  hale.yaml(5) "restart"
 */
#ifndef HALE_BASE_BACKOFF_H
#define HALE_BASE_BACKOFF_H

#include <stdint.h>

struct backoff_policy {
	uint32_t base_ms;        /* delay of the second failure (of the first, if !first_at_once) */
	double factor;           /* >= 1 */
	uint32_t cap_ms;         /* >= base_ms */
	uint32_t jitter_percent; /* 0..100: each delay is drawn from +-this share of itself */
	uint32_t is_first_at_once; /* bool: the first failure after a stable run waits 0 ms */
};

struct backoff {
	uint32_t failures; /* consecutive; reset by backoff_ok() */
};

/* Counts a failure and returns the delay before the next try, in ms. `rnd` is any 32 random bits.
 * The delay never exceeds cap_ms by more than the jitter. */
uint32_t backoff_next(struct backoff *b, const struct backoff_policy *policy, uint32_t rnd);

void backoff_ok(struct backoff *b);

#endif
