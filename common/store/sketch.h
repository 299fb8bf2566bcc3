/* SPDX-License-Identifier: Apache-2.0 */
/* sketch - a histogram that merges, for percentiles
 *
 * Pure. An exponential histogram: each power of two is cut into 2^scale buckets, taken from the
 * bits of the number, so that it is the same on every machine (as the exponential histograms of
 * OpenTelemetry; the bound of the error is that of DDSketch, Masson et al., VLDB 2019). With scale
 * 5 a percentile is right to 1.6 %. Negative numbers mirror, zero has a bucket of its own. Beyond
 * SKETCH_BUCKETS_MAX used buckets the scale falls by one and pairs of them merge. A sketch depends
 * only on which numbers it has seen: not on their order, nor on how parts of them were merged.
 *
 * Ownership: caller owns struct sketch; zero-initialise, sketch_done().
 */
#ifndef HALE_STORE_SKETCH_H
#define HALE_STORE_SKETCH_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SKETCH_SCALE       5
#define SKETCH_BUCKETS_MAX 512 /* 16 powers of two at full scale: 1 ms and a minute */

struct sketch {
	int scale; /* SKETCH_SCALE minus this: how often it fell */
	size_t n, capacity;
	struct sketch_bucket {
		int32_t index; /* order of the numbers */
		uint64_t count;
	} * v; /* ascending */
};

void sketch_add(struct sketch *s, double value, uint64_t count); /* finite */
void sketch_merge(struct sketch *s, const struct sketch *other);
/* quantile in [0, 1], nearest rank; the middle of its bucket, which may lie beyond the greatest
 * number seen: whoever knows min and max clamps. NAN if empty. */
double sketch_quantile(const struct sketch *s, double quantile);
/* Letters, digits, - and _, appended: 30 samples of a time are some 25 of them. */
void sketch_write(const struct sketch *s, struct str *out);
/* Into an empty or used one; empty after text that is none. */
bool sketch_read(const char *text, size_t len, struct sketch *s_r);
void sketch_clear(struct sketch *s); /* keeps the memory */
void sketch_done(struct sketch *s);

#endif
