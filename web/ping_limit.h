/* SPDX-License-Identifier: Apache-2.0 */
/* ping_limit - how often a token may be pinged, and an address may ping
 *
 * Buckets that fill at a steady rate, in a table of fixed size: who has not come for long makes
 * room for others. Anybody may ping, so nothing here grows with what they send. Pure: now is an
 * argument.
 *
 * Ownership: the caller's memory; zeroed is valid (seed should be random).
 */
#ifndef HALE_WEB_PING_LIMIT_H
#define HALE_WEB_PING_LIMIT_H

#include <stdint.h>

#define PING_LIMIT_SETS 256
#define PING_LIMIT_WAYS 4

struct ping_rate {
	int64_t burst;     /* so many at once */
	int64_t refill_ms; /* one more each */
};

/* A job that pings every second, and its retries. */
#define PING_RATE_TOKEN   ((struct ping_rate){.burst = 30, .refill_ms = 500})
/* A site's machines behind one address. */
#define PING_RATE_ADDRESS ((struct ping_rate){.burst = 300, .refill_ms = 20})
/* Who does not know a token has no business with guessing. */
#define PING_RATE_UNKNOWN ((struct ping_rate){.burst = 20, .refill_ms = 3000})

struct ping_limit {
	uint64_t seed;
	struct {
		uint64_t key;    /* 0: free */
		int64_t full_ms; /* when it will be full again; before: not */
	} slots[PING_LIMIT_SETS][PING_LIMIT_WAYS];
};

/* Takes one for `what` of `who`; 0, or how many ms from now there will be one. */
int64_t ping_limit_take(struct ping_limit *l, const char *what, const char *who,
			struct ping_rate rate, int64_t now_ms);
/* The same without taking it. */
int64_t ping_limit_peek(const struct ping_limit *l, const char *what, const char *who,
			struct ping_rate rate, int64_t now_ms);

#endif
