/* SPDX-License-Identifier: Apache-2.0 */
/* shape - lines that are alike but for their numbers (private to this layer)
 *
 * Pure. A component's lines differ in a few times and numbers; all else is the same, letter for
 * letter, for days. So a line that was read once stands for those that follow: what is alike is
 * compared, what differs is read where it must stand. It is only worth the trouble because it is
 * ten times as fast as reading each line.
 *
 * Ownership: rows borrow from the line and from the shapes, until the next call.
 */
#ifndef HALE_STORE_SHAPE_H
#define HALE_STORE_SHAPE_H

#include "base/jtext.h"
#include "store/rows.h"

/* Where a line's numbers stand: values within the line. Those that are not there, or not as haled
 * writes them, make the line nobody's model. */
struct shape_parts {
	struct jtext at, took_ms, message, metrics;
	struct jtext times[2];  /* others, as at; null is fine */
	struct jtext counts[3]; /* other numbers */
};

struct shapes;
struct shapes *shapes_new(void);
void shapes_free(struct shapes *s);
/* The row of a line that is like one kept; false if none is. */
bool shapes_match(struct shapes *s, const struct store_line *line, struct row_result *row_r);
/* Keeps a line that is JSON, with the row it is; fills in the row's shape. */
void shapes_keep(struct shapes *s, const struct store_line *line, const struct shape_parts *parts,
		 struct row_result *row);

/* Of a message without its measures; never 0. A number in front of a unit of time or size, or of a
 * percent sign, is a measure. Others, a version say, are not: that they changed is news. */
uint64_t shape_message_hash(struct row_text message);

#endif
