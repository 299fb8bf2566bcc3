/* SPDX-License-Identifier: Apache-2.0 */
/* rows_private - one line while it is read (private to this layer)
 *
 * rows.c reads routine lines of health as text and hands all others to rows_tree.c.
 */
#ifndef HALE_STORE_ROWS_PRIVATE_H
#define HALE_STORE_ROWS_PRIVATE_H

#include "store/rows.h"

#include <jansson.h>
#include <string.h>

#include "base/str.h"

#define ROW_NO_TEXT ((struct row_text){NULL, 0})

/* A line as a tree; what its rows borrow lives until its reading ends. */
struct rows_reading {
	const struct store_line *line;
	const struct row_sink *sink;
	void *ctx;
	const json_t *object;
	struct row_text node;
	int64_t at_ms;
	/* Texts made of members, each for one row at a time. */
	struct str metric_names, metrics, metric_object, details, other;
};

static inline struct row_text row_text_of(const char *text)
{
	return text == NULL ? ROW_NO_TEXT : (struct row_text){text, strlen(text)};
}

static inline bool row_is_name(struct row_text t)
{
	return t.text != NULL && t.len > 0 && t.len <= ROW_NAME_MAX;
}

/* Appends the JSON object's text if it has members, or a note of its size if it is too long or too
 * deep. */
void rows_keep_object(struct str *out, const char *text, size_t len);
/* All topics, from the tree. */
int rows_read_tree(struct rows_reading *g);

#endif
