/* SPDX-License-Identifier: Apache-2.0 */
#include "db/pgarray.h"

#include <endian.h>
#include <string.h>

#include "base/mem.h"

/* Dimensions, flags, type, length, lower bound. */
#define HEAD_BYTES  20
/* Binary jsonb begins with its version. */
#define JSONB_FORM  1
/* PostgreSQL counts microseconds from 2000-01-01. */
#define EPOCH_MS    INT64_C(946684800000)
/* From 4713 BC to AD 294276, a little less. */
#define TIME_MIN_MS (INT64_C(-210000000000000))
#define TIME_MAX_MS (INT64_C(9224000000000000))

#define REPLACEMENT "\xEF\xBF\xBD"

void pg_array_done(struct pg_array *a)
{
	str_done(&a->data);
	*a = (struct pg_array){0};
}

void pg_array_clear(struct pg_array *a)
{
	static const char head[HEAD_BYTES];

	a->n = a->said = 0;
	a->has_null = false;
	str_clear(&a->data);
	str_addn(&a->data, head, sizeof(head));
}

void pg_array_init(struct pg_array *a, enum pg_type type)
{
	a->type = type;
	pg_array_clear(a);
}

static void put32(char *out, uint32_t n)
{
	uint32_t wire = htobe32(n);

	memcpy(out, &wire, sizeof(wire));
}

void pg_put_int8(char out[8], int64_t n)
{
	uint64_t wire = htobe64((uint64_t)n);

	memcpy(out, &wire, sizeof(wire));
}

int64_t pg_time_of_ms(int64_t ms)
{
	ms = HALE_MAX(TIME_MIN_MS, HALE_MIN(ms, TIME_MAX_MS));
	return (ms - EPOCH_MS) * 1000;
}

/* Room for an element of so many bytes, its length written. */
static char *element(struct pg_array *a, size_t len)
{
	char *at;

	str_reserve(&a->data, len + 4);
	at = a->data.data + a->data.len;
	put32(at, (uint32_t)len);
	a->data.len += len + 4;
	a->n++;
	a->said++;
	return at + 4;
}

void pg_array_int(struct pg_array *a, int64_t n)
{
	uint16_t small = htobe16((uint16_t)n);

	switch (a->type) {
	case PG_TYPE_INT2:
		HALE_ASSERT(n >= INT16_MIN && n <= INT16_MAX);
		memcpy(element(a, sizeof(small)), &small, sizeof(small));
		break;
	case PG_TYPE_INT4:
		HALE_ASSERT(n >= INT32_MIN && n <= INT32_MAX);
		put32(element(a, 4), (uint32_t)n);
		break;
	default:
		HALE_ASSERT(a->type == PG_TYPE_INT8);
		pg_put_int8(element(a, 8), n);
	}
}

void pg_array_time(struct pg_array *a, int64_t ms)
{
	HALE_ASSERT(a->type == PG_TYPE_TIMESTAMPTZ);
	pg_put_int8(element(a, 8), pg_time_of_ms(ms));
}

void pg_array_null(struct pg_array *a)
{
	static const char null[4] = {'\xff', '\xff', '\xff', '\xff'};

	str_addn(&a->data, null, sizeof(null));
	a->n++;
	a->has_null = true;
}

/* --- texts that the server takes --- */

/* Nearly all texts are printable ASCII, told eight bytes at a time. */
static bool is_plain(const char *text, size_t len, bool is_json)
{
	size_t i = 0;
	uint64_t word;

	if (is_json && memchr(text, '\\', len) != NULL)
		return false;
	for (; i + 8 <= len; i += 8) {
		memcpy(&word, text + i, 8);
		/* A byte with its high bit, or one below 1: the usual trick. */
		if (((word | ((word - 0x0101010101010101u) & ~word)) & 0x8080808080808080u) != 0)
			return false;
	}
	for (; i < len; i++)
		if (text[i] == '\0' || (unsigned char)text[i] >= 0x80)
			return false;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The number of an escape \uXXXX at p, or -1. */
static int escape_at(const char *p, size_t left)
{
	int n = 0;

	if (left < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		if (hex_digit(p[i]) < 0)
			return -1;
		n = n * 16 + hex_digit(p[i]);
	}
	return n;
}

/* An escape of JSON; how many bytes it is, and whether jsonb takes it. */
static size_t escape_length(const char *p, size_t left, bool *is_good_r)
{
	int n = escape_at(p, left), low;

	*is_good_r = true;
	if (n < 0)
		return HALE_MIN(left, 2);
	if (n >= 0xD800 && n < 0xDC00) {
		low = escape_at(p + 6, left - 6);
		if (low >= 0xDC00 && low < 0xE000)
			return 12;
	}
	*is_good_r = n != 0 && (n < 0xD800 || n >= 0xE000);
	return 6;
}

static void add_fit(struct str *out, const char *text, size_t len, bool is_json)
{
	size_t n;
	bool is_good;

	for (size_t i = 0; i < len; i += n) {
		if (is_json && text[i] == '\\') {
			n = escape_length(text + i, len - i, &is_good);
		} else {
			n = text[i] != '\0' ? str_utf8_length(text + i, len - i) : 0;
			is_good = n > 0;
			n = HALE_MAX(n, (size_t)1);
		}
		if (is_good)
			str_addn(out, text + i, n);
		else
			str_add(out, REPLACEMENT);
	}
}

void pg_array_text(struct pg_array *a, const char *text, size_t len)
{
	bool is_json = a->type == PG_TYPE_JSONB;
	size_t form = is_json ? 1 : 0, begin;
	char *at;

	if (is_plain(text, len, is_json)) {
		at = element(a, len + form);
		if (is_json)
			*at++ = JSONB_FORM;
		if (len > 0)
			memcpy(at, text, len);
		return;
	}
	begin = a->data.len;
	(void)element(a, 0);
	if (is_json)
		str_addc(&a->data, JSONB_FORM);
	add_fit(&a->data, text, len, is_json);
	put32(a->data.data + begin, (uint32_t)(a->data.len - begin - 4));
}

/* --- the whole --- */

void pg_array_bytes(struct pg_array *a, const char **data_r, size_t *len_r)
{
	char *head = a->data.data;
	bool is_empty = a->said == 0;

	put32(head, is_empty ? 0 : 1);
	put32(head + 4, a->has_null && !is_empty ? 1 : 0);
	put32(head + 8, (uint32_t)a->type);
	put32(head + 12, a->n);
	put32(head + 16, 1);
	*data_r = head;
	*len_r = is_empty ? 12 : a->data.len;
}
