/* SPDX-License-Identifier: Apache-2.0 */
#include "excerpt.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

const char *excerpt(const char *text, size_t len, char buf[EXCERPT_SIZE])
{
	size_t at = 0;

	while (at < len) {
		size_t n = str_utf8_length(text + at, len - at);

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
