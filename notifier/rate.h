/* SPDX-License-Identifier: Apache-2.0 */
/* rate - at most n in any minute
 *
 * Pure: remembers the times of the last n. A sliding window, not a bucket, so that "30 a minute"
 * holds for every minute.
 *
 * Ownership: zero-initialised with n 0 means no limit.
 */
#ifndef HALE_NOTIFIER_RATE_H
#define HALE_NOTIFIER_RATE_H

#include <stddef.h>
#include <stdint.h>

#define RATE_WINDOW_MS 60000

struct rate {
	int64_t *at_ms; /* ring of the last n; 0 none */
	size_t n;
	size_t next;
};

void rate_init(struct rate *r, uint32_t per_minute);
void rate_done(struct rate *r);
/* When the next one may go; <= now: at once. A time in the future (the clock was set back) does
 * not hold anything up longer than a window. */
int64_t rate_when(const struct rate *r, int64_t now_ms);
void rate_take(struct rate *r, int64_t now_ms);

#endif
