/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void str_done(struct str *s)
{
	free(s->data);
	*s = (struct str){0};
}

void str_clear(struct str *s)
{
	str_truncate(s, 0);
}

void str_reserve(struct str *s, size_t more_bytes)
{
	size_t need = s->len + more_bytes + 1;
	size_t cap = s->cap == 0 ? 64 : s->cap;

	if (need <= s->cap)
		return;
	while (cap < need)
		cap *= 2;
	s->data = mem_grow(s->data, cap, 1);
	s->cap = cap;
}

void str_addn(struct str *s, const char *text, size_t len)
{
	str_reserve(s, len);
	if (len > 0)
		memcpy(s->data + s->len, text, len);
	s->len += len;
	s->data[s->len] = '\0';
}

void str_add(struct str *s, const char *text)
{
	str_addn(s, text, strlen(text));
}

void str_addc(struct str *s, char c)
{
	str_addn(s, &c, 1);
}

void str_add_quoted(struct str *s, const char *text)
{
	const char *from = text, *p;

	str_addc(s, '"');
	for (p = text; *p != '\0'; p++) {
		if ((unsigned char)*p >= 0x20 && *p != '"' && *p != '\\')
			continue;
		str_addn(s, from, (size_t)(p - from));
		if (*p == '"' || *p == '\\')
			str_addn(s, (char[]){'\\', *p}, 2);
		else
			str_addf(s, "\\u%04x", (unsigned)(unsigned char)*p);
		from = p + 1;
	}
	str_addn(s, from, (size_t)(p - from));
	str_addc(s, '"');
}

void str_vaddf(struct str *s, const char *fmt, va_list args)
{
	va_list again;
	int need;

	/* What is there suffices, mostly. */
	str_reserve(s, 0);
	va_copy(again, args);
	need = vsnprintf(s->data + s->len, s->cap - s->len, fmt, again);
	va_end(again);
	HALE_ASSERT(need >= 0);
	if ((size_t)need >= s->cap - s->len) {
		str_reserve(s, (size_t)need);
		(void)vsnprintf(s->data + s->len, s->cap - s->len, fmt, args);
	}
	s->len += (size_t)need;
}

void str_addf(struct str *s, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	str_vaddf(s, fmt, args);
	va_end(args);
}

void str_drop_front(struct str *s, size_t len)
{
	HALE_ASSERT(len <= s->len);
	if (len == 0)
		return;
	memmove(s->data, s->data + len, s->len - len);
	str_truncate(s, s->len - len);
}

void str_truncate(struct str *s, size_t len)
{
	HALE_ASSERT(len <= s->len);
	s->len = len;
	if (s->data != NULL)
		s->data[len] = '\0';
}

const char *str_text(const struct str *s)
{
	return s->data == NULL ? "" : s->data;
}

char *str_take(struct str *s)
{
	char *text = s->data == NULL ? mem_dup("") : s->data;

	*s = (struct str){0};
	return text;
}

bool str_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *text, const char *suffix)
{
	size_t len = strlen(text);
	size_t want = strlen(suffix);

	return len >= want && strcmp(text + len - want, suffix) == 0;
}

bool str_eq(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

size_t str_utf8_length(const char *text, size_t max)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned char low = 0x80, high = 0xbf;
	size_t len;

	if (max == 0 || p[0] < 0x80)
		return max > 0;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : (p[0] < 0xf0 ? 3 : 4);
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (len > max || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return len;
}

size_t str_clean(char *dst, size_t size, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	const unsigned char *end = p + strlen(text);
	size_t used = 0;

	HALE_ASSERT(size > 0);
	while (*p != '\0') {
		size_t len = str_utf8_length((const char *)p, (size_t)(end - p));

		if (used + HALE_MAX(len, (size_t)1) >= size)
			break;
		if (len > 1) {
			memcpy(dst + used, p, len);
			used += len;
			p += len;
			continue;
		}
		if (len == 0)
			dst[used++] = '?';
		else
			dst[used++] = *p < ' ' || *p == 0x7f ? ' ' : (char)*p;
		p++;
	}
	dst[used] = '\0';
	return used;
}
