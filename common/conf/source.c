/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* Bytes of the line end at p, 0 if there is none. */
static size_t break_length(const char *p, size_t left)
{
	if (*p == '\n')
		return 1;
	if (*p == '\r')
		return left > 1 && p[1] == '\n' ? 2 : 1;
	if (left > 1 && memcmp(p, "\xc2\x85", 2) == 0)
		return 2;
	if (left > 2 && (memcmp(p, "\xe2\x80\xa8", 3) == 0 || memcmp(p, "\xe2\x80\xa9", 3) == 0))
		return 3;
	return 0;
}

static void find_lines(struct source *s)
{
	size_t cap = 64;

	s->starts = mem_array(cap, sizeof(*s->starts));
	s->n = 1;
	for (size_t i = 0; i < s->len;) {
		size_t len = break_length(s->text + i, s->len - i);

		i += len > 0 ? len : 1;
		if (len == 0)
			continue;
		if (s->n == cap) {
			cap *= 2;
			s->starts = mem_grow(s->starts, cap, sizeof(*s->starts));
		}
		s->starts[s->n++] = i;
	}
	s->lines = mem_array(s->n, sizeof(*s->lines));
}

struct source *source_new(const char *name, const char *text, size_t len)
{
	struct source *s = mem_alloc(sizeof(*s));

	if (len >= 3 && memcmp(text, BYTE_ORDER_MARK, 3) == 0) {
		text += 3;
		len -= 3;
	}
	s->name = mem_dup(name);
	s->text = mem_dupn(text, len);
	s->len = len;
	find_lines(s);
	return s;
}

void source_free(struct source *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n; i++)
		free(s->lines[i]);
	free(s->lines);
	free(s->starts);
	free(s->text);
	free(s->name);
	free(s);
}

const char *source_line(struct source *s, size_t line)
{
	size_t from;
	size_t to;

	if (line == 0 || line > s->n)
		return NULL;
	if (s->lines[line - 1] != NULL)
		return s->lines[line - 1];
	from = s->starts[line - 1];
	to = line < s->n ? s->starts[line] : s->len;
	for (size_t i = from; i < to; i++) {
		if (break_length(s->text + i, s->len - i) > 0)
			to = i;
	}
	s->lines[line - 1] = mem_dupn(s->text + from, to - from);
	return s->lines[line - 1];
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

size_t source_offset(struct source *s, size_t character)
{
	while (s->cursor_char < character && s->cursor_byte < s->len) {
		do
			s->cursor_byte++;
		while (s->cursor_byte < s->len && is_continuation(s->text[s->cursor_byte]));
		s->cursor_char++;
	}
	while (s->cursor_char > character) {
		do
			s->cursor_byte--;
		while (s->cursor_byte > 0 && is_continuation(s->text[s->cursor_byte]));
		s->cursor_char--;
	}
	return s->cursor_byte;
}

size_t source_line_of(const struct source *s, size_t offset, size_t *column_r)
{
	size_t low = 0;
	size_t high = s->n;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (s->starts[middle] <= offset)
			low = middle;
		else
			high = middle;
	}
	*column_r = offset - s->starts[low] + 1;
	return low + 1;
}
