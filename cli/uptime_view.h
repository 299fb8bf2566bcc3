/* SPDX-License-Identifier: Apache-2.0 */
/* uptime_view - how much of a time everything was well, as tables
 *
 * Pure: how it looks depends on the arguments alone. Any member may be missing.
 */
#ifndef HALE_CLI_UPTIME_VIEW_H
#define HALE_CLI_UPTIME_VIEW_H

#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define UPTIME_RANGES 3

struct uptime_look {
	bool has_colour;
	size_t width; /* 0: no limit */
};

/* Several ranges side by side: `answers` of uptime_read(), the longest last, and what they are
 * called. One line for each component, the whole first, then the worst. */
void uptime_view_ranges(struct str *out, const json_t *const *answers, const char *const *names,
			size_t n, const struct uptime_look *look);
/* One range in full. */
void uptime_view_range(struct str *out, const json_t *answer, const struct uptime_look *look);
/* "99.930 %": never rounded up, 100 % is all of it. */
void uptime_percent_add(struct str *out, double percent);

#endif
