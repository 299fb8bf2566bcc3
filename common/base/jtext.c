/* SPDX-License-Identifier: Apache-2.0 */
#include "base/jtext.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

/* No number that anybody writes is longer; a double takes 24. */
#define NUMBER_MAX      64
/* "-9223372036854775808" */
#define INT64_CHARS     20
/* Before the point: a double holds 308. */
#define REAL_DIGITS_MAX 300

struct reader {
	const char *p;
	const char *end;
	unsigned depth;
};

/* ---- strict ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void skip_blanks(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
		r->p++;
}

static bool take(struct reader *r, char c)
{
	if (r->p == r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four digits at p; -1 if they are none. */
static int hex4(const char *p, const char *end)
{
	int value = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_value(p[i]);

		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

static bool is_high(int unit)
{
	return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low(int unit)
{
	return unit >= 0xdc00 && unit <= 0xdfff;
}

/* Behind the backslash. */
static bool check_escape(struct reader *r)
{
	int unit;

	if (r->p == r->end || strchr("\"\\/bfnrtu", *r->p) == NULL || *r->p == '\0')
		return false;
	if (*r->p++ != 'u')
		return true;
	unit = hex4(r->p, r->end);
	if (unit <= 0 || is_low(unit))
		return false;
	r->p += 4;
	if (!is_high(unit))
		return true;
	if (r->end - r->p < 6 || r->p[0] != '\\' || r->p[1] != 'u' ||
	    !is_low(hex4(r->p + 2, r->end)))
		return false;
	r->p += 6;
	return true;
}

static bool check_string(struct reader *r)
{
	if (!take(r, '"'))
		return false;
	while (r->p < r->end) {
		unsigned char c = (unsigned char)*r->p;

		if (c == '"') {
			r->p++;
			return true;
		}
		if (c < 0x20)
			return false;
		if (c == '\\') {
			r->p++;
			if (!check_escape(r))
				return false;
		} else if (c < 0x80) {
			r->p++;
		} else {
			size_t len = str_utf8_length(r->p, (size_t)(r->end - r->p));

			if (len == 0)
				return false;
			r->p += len;
		}
	}
	return false;
}

static bool check_digits(struct reader *r)
{
	const char *from = r->p;

	while (r->p < r->end && is_digit(*r->p))
		r->p++;
	return r->p > from;
}

/* A number written with an exponent that a double can hold. */
static bool is_finite_real(const char *text, size_t len)
{
	char copy[NUMBER_MAX];

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return isfinite(strtod(copy, NULL));
}

/* That 64 bits can hold. */
static bool is_int64(const char *text, size_t len)
{
	char copy[INT64_CHARS + 1];

	if (len < INT64_CHARS - 1)
		return true;
	if (len > INT64_CHARS)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	errno = 0;
	(void)strtoll(copy, NULL, 10);
	return errno == 0;
}

static bool check_number(struct reader *r)
{
	const char *from = r->p;
	bool is_real;

	(void)take(r, '-');
	if (!take(r, '0') && !check_digits(r))
		return false;
	if (r->p - from > REAL_DIGITS_MAX)
		return false;
	is_real = take(r, '.');
	if (is_real && !check_digits(r))
		return false;
	if (!take(r, 'e') && !take(r, 'E'))
		return is_real || is_int64(from, (size_t)(r->p - from));
	if (!take(r, '+'))
		(void)take(r, '-');
	return check_digits(r) && is_finite_real(from, (size_t)(r->p - from));
}

static bool check_word(struct reader *r, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(r->end - r->p) < len || memcmp(r->p, word, len) != 0)
		return false;
	r->p += len;
	return true;
}

static bool check_value(struct reader *r);

/* From behind the opening bracket. */
static bool check_members(struct reader *r, bool is_object)
{
	char close = is_object ? '}' : ']';

	skip_blanks(r);
	if (take(r, close))
		return true;
	do {
		skip_blanks(r);
		if (is_object) {
			if (!check_string(r))
				return false;
			skip_blanks(r);
			if (!take(r, ':'))
				return false;
			skip_blanks(r);
		}
		if (!check_value(r))
			return false;
		skip_blanks(r);
	} while (take(r, ','));
	return take(r, close);
}

static bool check_nested(struct reader *r, bool is_object)
{
	bool is_good;

	if (r->depth == JTEXT_DEPTH_MAX)
		return false;
	r->depth++;
	r->p++;
	is_good = check_members(r, is_object);
	r->depth--;
	return is_good;
}

static bool check_value(struct reader *r)
{
	if (r->p == r->end)
		return false;
	switch (*r->p) {
	case '{':
		return check_nested(r, true);
	case '[':
		return check_nested(r, false);
	case '"':
		return check_string(r);
	case 't':
		return check_word(r, "true");
	case 'f':
		return check_word(r, "false");
	case 'n':
		return check_word(r, "null");
	default:
		return check_number(r);
	}
}

bool jtext_check(const char *text, size_t len, struct jtext *value_r)
{
	struct reader r = {.p = text, .end = text + len};
	struct jtext value;

	skip_blanks(&r);
	value.text = r.p;
	if (!check_value(&r))
		return false;
	value.len = (size_t)(r.p - value.text);
	skip_blanks(&r);
	if (r.p != r.end)
		return false;
	*value_r = value;
	return true;
}

/* ---- on text that was checked ---- */

/* Behind the string that begins at p. */
static const char *after_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++) {
		if (*p == '\\')
			p++;
	}
	return p < end ? p + 1 : end;
}

static const char *after_value(const char *p, const char *end)
{
	unsigned depth = 0;

	while (p < end) {
		switch (*p) {
		case '"':
			p = after_string(p, end);
			if (depth == 0)
				return p;
			continue;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			if (depth == 0)
				return p;
			if (--depth == 0)
				return p + 1;
			break;
		case ',':
		case ' ':
		case '\t':
		case '\n':
		case '\r':
			if (depth == 0)
				return p;
			break;
		default:
			break;
		}
		p++;
	}
	return end;
}

static const char *after_blanks(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

bool jtext_is_object(struct jtext v)
{
	return v.len >= 2 && v.text[0] == '{';
}

bool jtext_is_string(struct jtext v)
{
	return v.len >= 2 && v.text[0] == '"';
}

bool jtext_is_number(struct jtext v)
{
	return v.len > 0 && (v.text[0] == '-' || is_digit(v.text[0]));
}

bool jtext_is(struct jtext v, const char *word)
{
	return v.len == strlen(word) && memcmp(v.text, word, v.len) == 0;
}

bool jtext_next(struct jtext object, size_t *cursor, struct jtext *name_r, struct jtext *value_r)
{
	const char *end, *p, *stop;

	if (!jtext_is_object(object))
		return false;
	end = object.text + object.len;
	p = after_blanks(object.text + HALE_MAX(*cursor, (size_t)1), end);
	if (p < end && *p == ',')
		p = after_blanks(p + 1, end);
	if (p >= end || *p != '"')
		return false;
	stop = after_string(p, end);
	if (stop - p < 2)
		return false;
	*name_r = (struct jtext){p + 1, (size_t)(stop - p) - 2};
	p = after_blanks(stop, end);
	p = after_blanks(p < end ? p + 1 : end, end); /* the colon */
	stop = after_value(p, end);
	*value_r = (struct jtext){p, (size_t)(stop - p)};
	*cursor = (size_t)(stop - object.text);
	return true;
}

struct jtext jtext_get(struct jtext object, const char *name)
{
	struct jtext key, value;
	size_t len = strlen(name);

	for (size_t at = 0; jtext_next(object, &at, &key, &value);) {
		if (key.len == len && memcmp(key.text, name, len) == 0)
			return value;
	}
	return (struct jtext){NULL, 0};
}

bool jtext_eq(struct jtext v, const char *text)
{
	size_t len = strlen(text);

	return jtext_is_string(v) && v.len == len + 2 && memcmp(v.text + 1, text, len) == 0;
}

static size_t put_utf8(char out[4], unsigned c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* One escape, p behind its backslash; moves p past it. 0 for a NUL. */
static size_t unescape(const char **p, const char *end, char out[4])
{
	static const char letters[] = "bfnrt";
	static const char meaning[] = "\b\f\n\r\t";
	const char *letter = strchr(letters, **p);
	unsigned c;

	if (**p != 'u') {
		out[0] = letter != NULL ? meaning[letter - letters] : **p;
		(*p)++;
		return 1;
	}
	c = (unsigned)hex4(*p + 1, end);
	*p += 5;
	if (is_high((int)c) && end - *p >= 6) {
		c = 0x10000 + ((c - 0xd800) << 10) + ((unsigned)hex4(*p + 2, end) - 0xdc00);
		*p += 6;
	}
	return c == 0 ? 0 : put_utf8(out, c);
}

bool jtext_string(struct jtext v, char *buf, size_t size)
{
	const char *p, *end;
	size_t used = 0;

	buf[0] = '\0';
	if (!jtext_is_string(v))
		return false;
	p = v.text + 1;
	end = v.text + v.len - 1;
	while (p < end) {
		char c[4];
		size_t len = 1;

		if (*p == '\\') {
			p++;
			len = unescape(&p, end, c);
		} else {
			c[0] = *p++;
		}
		if (len == 0 || used + len >= size) {
			buf[0] = '\0';
			return false;
		}
		memcpy(buf + used, c, len);
		used += len;
	}
	buf[used] = '\0';
	return true;
}

bool jtext_number(struct jtext v, double *value_r)
{
	char text[NUMBER_MAX];
	double value;

	if (!jtext_is_number(v) || v.len >= sizeof(text))
		return false;
	memcpy(text, v.text, v.len);
	text[v.len] = '\0';
	value = strtod(text, NULL);
	if (!isfinite(value))
		return false;
	*value_r = value;
	return true;
}
