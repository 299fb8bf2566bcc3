/* SPDX-License-Identifier: Apache-2.0 */
/* roff - manual pages in the man(7) macros
 *
 * Everything that comes in is plain text in UTF-8; what would mean something to roff is escaped, so
 * that an option's help may begin with a dot and hold backslashes, dashes and quotes.
 *
 * Errors: none.
 */
#ifndef HALE_CONF_ROFF_H
#define HALE_CONF_ROFF_H

#include "base/str.h"

/* `date` is "2026-11-22". */
void roff_begin(struct str *out, const char *title, int section, const char *date,
		const char *version);
void roff_section(struct str *out, const char *name);
void roff_subsection(struct str *out, const char *name);
/* A paragraph; lines flow together, an empty line begins another. One full stop at its end. */
void roff_text(struct str *out, const char *text);
/* The same without beginning a new paragraph: what follows a roff_item. */
void roff_flow(struct str *out, const char *text);
/* "term tail" with what it means indented below; tail may be NULL and is in italics. */
void roff_item(struct str *out, const char *term, const char *tail);
/* What follows is indented below the item, until roff_out(). */
void roff_in(struct str *out);
void roff_out(struct str *out);
/* As it is, line by line. */
void roff_example(struct str *out, const char *text);
/* "hale(1), haled(8)": names in bold. */
void roff_see(struct str *out, const char *const *names);

/* Appends text with everything escaped that is not to be read as roff. */
void roff_add(struct str *out, const char *text);

#endif
