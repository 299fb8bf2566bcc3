/* SPDX-License-Identifier: Apache-2.0 */
/* str - a growable text buffer
 *
 * Zero-initialised is valid and empty. `data` is NUL-terminated once anything was appended;
 * str_text() always is. Not for binary search, not for sharing: one owner.
 */
#ifndef HALE_BASE_STR_H
#define HALE_BASE_STR_H

#include "base/cleanup.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct str {
	char *data;
	size_t len;
	size_t cap;
};

void str_done(struct str *s);
void str_clear(struct str *s); /* keeps the memory */
void str_reserve(struct str *s, size_t more_bytes);
void str_add(struct str *s, const char *text);
void str_addn(struct str *s, const char *text, size_t len);
void str_addc(struct str *s, char c);
void str_addf(struct str *s, const char *fmt, ...) HALE_PRINTF(2, 3);
void str_vaddf(struct str *s, const char *fmt, va_list args) HALE_PRINTF(2, 0);
/* As a JSON string, in quotes; text is UTF-8. */
void str_add_quoted(struct str *s, const char *text);
void str_drop_front(struct str *s, size_t len);
void str_truncate(struct str *s, size_t len);
const char *str_text(const struct str *s); /* never NULL */
char *str_take(struct str *s);             /* caller frees; s is empty after */

/* Plain helpers on C strings. */
bool str_starts(const char *text, const char *prefix);
bool str_ends(const char *text, const char *suffix);
bool str_eq(const char *a, const char *b); /* NULL equals only NULL */

/* Bytes of the character that text begins with, 0 if its first max bytes are not one of well-formed
 * UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF). */
size_t str_utf8_length(const char *text, size_t max);
/* Copies text into dst (size bytes with its NUL) as one line of valid UTF-8: control characters
 * become blanks, bytes that are not UTF-8 become '?', and what does not fit is cut between two
 * characters. Returns the length. */
size_t str_clean(char *dst, size_t size, const char *text);

#endif
