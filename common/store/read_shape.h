/* SPDX-License-Identifier: Apache-2.0 */
/* read_shape - the kinds of rows: where each is read from, and how it is told (private)
 *
 * One table. A row's key is its time and what makes it unique at that time; it never changes while
 * the row is there, so that a cursor holds while others write.
 */
#ifndef HALE_STORE_READ_SHAPE_H
#define HALE_STORE_READ_SHAPE_H

#include "db/db.h"
#include "store/read.h"

#include <jansson.h>
#include <stdbool.h>

struct read_shape {
	const char *name;
	char letter;         /* of its cursors */
	bool has_text_key;   /* the second column of the key is a text, and there is no third */
	bool is_windowed;    /* a range of time must be read in parts (read_window.h) */
	const char *from;    /* table and its alias */
	const char *at;      /* the key, each a column */
	const char *key[2];  /* NULL: none */
	const char *node;    /* an expression */
	const char *columns; /* that encode() gets */
	const char *origin;  /* "epoch, seq", two expressions; NULL: it is not of one line */
	const char *by_name, *by_node; /* conditions; ? is the text */
	void (*encode)(json_t *out, const struct db_value *v);
};
extern const struct read_shape read_shapes[READ_WHAT_MAX];

#endif
