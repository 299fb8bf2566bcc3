/* SPDX-License-Identifier: Apache-2.0 */
/* top_view - a sample as a page: health, processes, components in trouble
 *
 * Pure: how it looks depends on the arguments alone.
 */
#ifndef HALE_CLI_TOP_VIEW_H
#define HALE_CLI_TOP_VIEW_H

#include "top_sample.h"

struct top_look {
	size_t width, height; /* 0: as long as it takes */
	bool has_colour;
	enum top_sort sort;
	bool is_live;        /* with a chosen row and a line for messages */
	size_t chosen;       /* index of the row */
	size_t first;        /* index of the row that is shown first */
	const char *message; /* on the last line; NULL: how to get help */
};

/* How many rows of processes such a page has room for. */
size_t top_view_rows(const struct top_sample *s, const struct top_look *look);
void top_view_format(struct str *out, const struct top_sample *s, const struct top_look *look);
/* What the keys do. */
void top_view_help(struct str *out);

#endif
