/* SPDX-License-Identifier: Apache-2.0 */
#include "excerpt.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

/* Length of the UTF-8 character at text, 0 if there is none (RFC 3629; overlong forms pass). */
static size_t character_len(const unsigned char *text, size_t len)
{
	size_t n = 1;

	if (*text >= 0xc2 && *text <= 0xdf)
		n = 2;
	else if (*text >= 0xe0 && *text <= 0xef)
		n = 3;
	else if (*text >= 0xf0 && *text <= 0xf4)
		n = 4;
	else if (*text >= 0x80)
		return 0;
	if (n > len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	}
	return n;
}

const char *excerpt(const char *text, size_t len, char buf[EXCERPT_SIZE])
{
	size_t at = 0;

	while (at < len) {
		size_t n = character_len((const unsigned char *)text + at, len - at);

		if (at + HALE_MAX(n, (size_t)1) > EXCERPT_MAX)
			break;
		if (n == 0) {
			buf[at++] = '?';
			continue;
		}
		memcpy(buf + at, text + at, n);
		if ((unsigned char)buf[at] < ' ' || buf[at] == 0x7f)
			buf[at] = ' ';
		at += n;
	}
	(void)snprintf(buf + at, EXCERPT_SIZE - at, "%s", at < len ? "…" : "");
	return buf;
}
