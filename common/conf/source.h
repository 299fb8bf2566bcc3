/* SPDX-License-Identifier: Apache-2.0 */
/* source - the text of one file and where its lines begin
 *
 * Counts lines as YAML 1.1 does (LF, CR, CRLF, NEL, LS and PS end one), so that a mark of libyaml
 * and a line of this file are the same line. Turns libyaml's character positions into bytes.
 */
#ifndef HALE_CONF_SOURCE_H
#define HALE_CONF_SOURCE_H

#include <stddef.h>

struct source {
	char *name;
	char *text; /* without a byte order mark */
	size_t len;
	size_t *starts; /* byte offset of each line */
	char **lines;   /* copies of single lines, made when asked for */
	size_t n;
	size_t cursor_char; /* the last position asked for: marks come mostly in order */
	size_t cursor_byte;
};

struct source *source_new(const char *name, const char *text, size_t len);
void source_free(struct source *s);
/* 1-based; NULL if there is no such line. Borrowed. */
const char *source_line(struct source *s, size_t line);
/* Byte offset of a character; the end of the text if beyond. */
size_t source_offset(struct source *s, size_t character);
/* 1-based line of a byte offset, and its 1-based column in bytes. */
size_t source_line_of(const struct source *s, size_t offset, size_t *column_r);

#endif
