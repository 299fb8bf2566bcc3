/* SPDX-License-Identifier: Apache-2.0 */
/* series_text - series as JSON (private to this layer)
 *
 * Pure. Thirty thousand points are as many objects: text is made at once, for a tree of them takes
 * longer than all the rest.
 */
#ifndef HALE_STORE_SERIES_TEXT_H
#define HALE_STORE_SERIES_TEXT_H

#include "base/str.h"
#include "series_plan.h"
#include "series_set.h"

struct series_range { /* that was answered */
	const char *metric;
	int64_t from_ms, to_ms;
};

/* Every line must have been ended; all are of the set's first metric. Appends. */
void series_text_write(struct series_set *s, const struct series_plan *plan,
		       const struct series_range *range, struct str *out);
/* A finite number: whole ones as such, others with up to 6 decimals, or 15 digits if that would
 * lose too many. */
void series_text_number(struct str *out, double value);

#endif
