/* SPDX-License-Identifier: Apache-2.0 */
/* jtext - JSON text read where it lies, without making a tree of it
 *
 * A line of the bus has some fifty members, of which most readers want three: a tree of it costs a
 * hundred allocations, this none. jtext_check() says once that a text is JSON (RFC 8259, UTF-8, no
 * deeper than JTEXT_DEPTH_MAX) that jansson can read too: what it takes may be passed on as it is,
 * for nobody will stumble over a \u0000 or a number that does not fit. Everything else walks text
 * that was checked or that we wrote. What it says of other text means nothing, but it stays within
 * it. A name that occurs twice in an object is not noticed: the first one counts.
 *
 * Ownership: a jtext points into its text.
 * Errors:    a value that is not there has text NULL; all functions take that.
 */
#ifndef HALE_BASE_JTEXT_H
#define HALE_BASE_JTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JTEXT_DEPTH_MAX 64

struct jtext { /* one value, without blanks around it */
	const char *text;
	size_t len;
};

/* False if it is not one JSON value, or one that jansson refuses. */
bool jtext_check(const char *text, size_t len, struct jtext *value_r);

bool jtext_is_object(struct jtext v);
bool jtext_is_string(struct jtext v);
bool jtext_is_number(struct jtext v);
bool jtext_is(struct jtext v, const char *word); /* true, false, null, {} … to the letter */

/* Members in the order they have; cursor begins at 0. Names are as written, without quotes. */
bool jtext_next(struct jtext object, size_t *cursor, struct jtext *name_r, struct jtext *value_r);
struct jtext jtext_get(struct jtext object, const char *name);

/* A string that equals text; one written with escapes never does. */
bool jtext_eq(struct jtext v, const char *text);
/* The string's bytes into buf, NUL-terminated. False, with buf "", for what is no string, does not
 * fit, or holds a NUL. */
bool jtext_string(struct jtext v, char *buf, size_t size);
bool jtext_number(struct jtext v, double *value_r); /* false: none, or not finite */

#endif
