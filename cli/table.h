/* SPDX-License-Identifier: Apache-2.0 */
/* table - columns that line up, without boxes
 *
 * A column without any content is left out. One column may give way: it is cut with "…" so that
 * the line fits the terminal. Zero-initialise, set columns and columns_n, then cell after cell, row
 * by row.
 *
 * Ownership: copies what it is given; table_done frees it.
 */
#ifndef HALE_CLI_TABLE_H
#define HALE_CLI_TABLE_H

#include "paint.h"

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* The column that gives way keeps at least so many columns; the line is then longer than the
 * terminal, which is better than telling nothing. */
#define TABLE_FLEXIBLE_MIN  12
/* An optional column is worth less than so much of the one that gives way. */
#define TABLE_FLEXIBLE_WISH 30

struct table_column {
	const char *title; /* NULL in all: no line of titles */
	bool is_right;     /* numbers */
	bool is_flexible;  /* at most one */
	bool is_optional;  /* left out where the flexible one would be cut to less than it takes */
};

#define TABLE_LEFT(name)                                                                           \
	{                                                                                          \
		.title = (name)                                                                    \
	}
#define TABLE_RIGHT(name)                                                                          \
	{                                                                                          \
		.title = (name), .is_right = true                                                  \
	}
#define TABLE_OPTIONAL(name)                                                                       \
	{                                                                                          \
		.title = (name), .is_optional = true                                               \
	}
#define TABLE_FLEXIBLE(name)                                                                       \
	{                                                                                          \
		.title = (name), .is_flexible = true                                               \
	}
#define TABLE_PLAIN                                                                                \
	{                                                                                          \
		.title = NULL                                                                      \
	}

struct table_cell {
	char *text;
	enum tone tone;
	size_t width;
};

struct table {
	const struct table_column *columns;
	size_t columns_n;
	size_t indent;
	struct table_cell *cells;
	size_t cells_n;
};

void table_cell(struct table *t, enum tone tone, const char *text); /* NULL: empty */
void table_cellf(struct table *t, enum tone tone, const char *fmt, ...) HALE_PRINTF(3, 4);
/* width 0: as long as it takes. Nothing at all if there are no rows. */
void table_format(const struct table *t, bool has_colour, size_t width, struct str *out);
void table_done(struct table *t);

#endif
