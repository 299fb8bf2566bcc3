/* SPDX-License-Identifier: Apache-2.0 */
/* sketch - a histogram that merges, for percentiles
 *
 * Pure. An exponential histogram: each power of two is cut into 2^scale buckets, taken from the
 * bits of the number, so that it is the same on every machine (as the exponential histograms of
 * OpenTelemetry; the bound of the error is that of DDSketch, Masson et al., VLDB 2019). With scale
 * 5 a percentile is right to 1.6 %. Negative numbers mirror, zero has a bucket of its own. Beyond
 * SKETCH_BUCKETS_MAX used buckets the scale falls by one and pairs of them merge.
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
#define SKETCH_BUCKETS_MAX 256

struct sketch {
	int scale; /* SKETCH_SCALE minus this */
	size_t n, capacity;
	struct sketch_bucket {
		int32_t index; /* order of the numbers */
		uint64_t count;
	} * v; /* ascending */
};

void sketch_add(struct sketch *s, double value, uint64_t count); /* finite */
void sketch_merge(struct sketch *s, const struct sketch *other);
/* quantile in [0, 1], nearest rank; the middle of its bucket. NAN if empty. */
double sketch_quantile(const struct sketch *s, double quantile);
/* Short printable text, and back: false if it is none. */
void sketch_write(const struct sketch *s, struct str *out);
bool sketch_read(const char *text, size_t len, struct sketch *s_r);
void sketch_done(struct sketch *s);

#endif
