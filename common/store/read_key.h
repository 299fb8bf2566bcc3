/* SPDX-License-Identifier: Apache-2.0 */
/* read_key - where a page ends, as text (private to this layer)
 *
 * Pure. "<letter><at>-<a>-<b>", or "<letter><at>-<id>"; the letter tells of which list it is, and
 * is upper case where the oldest row comes first.
 *
 * Errors: -EINVAL for what we did not give out.
 */
#ifndef HALE_STORE_READ_KEY_H
#define HALE_STORE_READ_KEY_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define READ_ID_MAX  256 /* ROW_NAME_MAX and its NUL */
#define READ_KEY_MAX (READ_ID_MAX + 64)

struct read_key {
	int64_t at;
	int64_t a, b;         /* where the key is of numbers */
	char id[READ_ID_MAX]; /* where it is a text */
};

const char *read_key_format(const struct read_key *key, char letter, bool is_text,
			    char buf[READ_KEY_MAX]);
int read_key_parse(const char *text, char letter, bool is_text, struct read_key *key_r,
		   struct err *err);

#endif
