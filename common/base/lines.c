/* SPDX-License-Identifier: Apache-2.0 */
#include "base/lines.h"

#include <stddef.h>

static void emit(struct lines *l)
{
	str_reserve(&l->part, 1);
	l->part.data[l->part.len] = '\0';
	l->on_line(l->ctx, l->part.data, l->part.len);
	str_clear(&l->part);
}

void lines_feed(struct lines *l, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)data[i];

		if (c == '\n') {
			if (l->part.len > 0 && l->part.data[l->part.len - 1] == '\r')
				str_truncate(&l->part, l->part.len - 1);
			emit(l);
			continue;
		}
		if ((c < ' ' && c != '\t' && c != '\r') || c == 0x7f)
			c = '?';
		str_addc(&l->part, (char)c);
		if (l->part.len >= l->max)
			emit(l);
	}
}

void lines_finish(struct lines *l)
{
	if (l->part.len > 0)
		emit(l);
}

void lines_done(struct lines *l)
{
	str_done(&l->part);
}
