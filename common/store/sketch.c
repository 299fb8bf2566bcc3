/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sketch.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* A double is a sign, 11 bits of exponent and 52 of fraction. Its uppermost bits in a row grow with
 * the number: the exponent and SKETCH_SCALE bits of fraction number its bucket. */
#define FRACTION_BITS (52 - SKETCH_SCALE)
#define BITS_OF_ONE   (UINT64_C(1023) << 52)
#define BITS_OF_INF   (UINT64_C(2047) << 52)
/* After so many halvings all doubles there are fit into SKETCH_BUCKETS_MAX buckets. */
#define FALLS_MAX     9
/* Enough for any count of samples; small enough that sums of many texts do not overflow. */
#define COUNT_MAX     (UINT64_C(1) << 53)

/* --- numbers and buckets --- */

/* Zero is bucket 0, the smallest positive numbers are in 1, the smallest negative ones in -1. */
static int32_t index_of(double value, int falls)
{
	double size = fabs(value);
	uint64_t bits;
	int32_t index;

	if (!(size > 0))
		return 0;
	memcpy(&bits, &size, sizeof(bits));
	index = (int32_t)(bits >> (FRACTION_BITS + falls)) + 1;
	return value < 0 ? -index : index;
}

static int32_t index_lower(int32_t index, int falls)
{
	if (index == 0)
		return 0;
	return index > 0 ? ((index - 1) >> falls) + 1 : -(((-index - 1) >> falls) + 1);
}

static double from_bits(uint64_t bits)
{
	double value;

	bits = HALE_MIN(bits, BITS_OF_INF - 1);
	memcpy(&value, &bits, sizeof(value));
	return value;
}

static double middle_of(int32_t index, int falls)
{
	uint64_t n = (uint64_t)abs(index);
	double low, high, middle;

	if (index == 0)
		return 0;
	low = from_bits((n - 1) << (FRACTION_BITS + falls));
	high = from_bits(n << (FRACTION_BITS + falls));
	middle = low + (high - low) / 2;
	return index > 0 ? middle : -middle;
}

/* --- the list of buckets --- */

static void reserve(struct sketch *s, size_t n)
{
	size_t capacity = s->capacity > 0 ? s->capacity : 4;

	if (n <= s->capacity)
		return;
	while (capacity < n)
		capacity *= 2;
	s->v = mem_grow(s->v, capacity, sizeof(*s->v));
	s->capacity = capacity;
}

/* Neighbours with the same index become one. */
static void compact(struct sketch *s)
{
	size_t n = 0;

	for (size_t i = 1; i < s->n; i++) {
		if (s->v[i].index == s->v[n].index)
			s->v[n].count += s->v[i].count;
		else
			s->v[++n] = s->v[i];
	}
	s->n = s->n > 0 ? n + 1 : 0;
}

static void fall(struct sketch *s, int falls)
{
	for (size_t i = 0; i < s->n; i++)
		s->v[i].index = index_lower(s->v[i].index, falls);
	s->scale += falls;
	compact(s);
}

/* Where index is, or where it would have to be. */
static size_t position_of(const struct sketch *s, int32_t index)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->v[middle].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void sketch_add(struct sketch *s, double value, uint64_t count)
{
	int32_t index = index_of(value, s->scale);
	size_t at = position_of(s, index);

	HALE_ASSERT(isfinite(value));
	if (count == 0)
		return;
	if (at < s->n && s->v[at].index == index) {
		s->v[at].count += count;
		return;
	}
	reserve(s, s->n + 1);
	memmove(&s->v[at + 1], &s->v[at], (s->n - at) * sizeof(*s->v));
	s->v[at] = (struct sketch_bucket){.index = index, .count = count};
	s->n++;
	while (s->n > SKETCH_BUCKETS_MAX)
		fall(s, 1);
}

/* What is left is the same in whatever order numbers came and parts were merged: a scale falls only
 * when all that there is does not fit it, and halving twice is quartering. */
void sketch_merge(struct sketch *s, const struct sketch *other)
{
	size_t i = s->n, j = other->n, to = s->n + other->n;
	int falls;

	if (other->scale > s->scale)
		fall(s, other->scale - s->scale);
	falls = s->scale - other->scale;
	i = s->n;
	to = i + j;
	reserve(s, to);
	s->n = to;
	while (j > 0) { /* from the end, so that nothing is overwritten before it was read */
		int32_t index = index_lower(other->v[j - 1].index, falls);

		if (i > 0 && s->v[i - 1].index > index) {
			s->v[--to] = s->v[--i];
			continue;
		}
		s->v[--to] = (struct sketch_bucket){.index = index, .count = other->v[--j].count};
	}
	compact(s);
	while (s->n > SKETCH_BUCKETS_MAX)
		fall(s, 1);
}

static uint64_t count_all(const struct sketch *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->v[i].count;
	return n;
}

double sketch_quantile(const struct sketch *s, double quantile)
{
	double rank = ceil(quantile * (double)count_all(s));
	uint64_t passed = 0;

	for (size_t i = 0; i < s->n; i++) {
		passed += s->v[i].count;
		if ((double)passed >= rank || i + 1 == s->n)
			return middle_of(s->v[i].index, s->scale);
	}
	return NAN;
}

void sketch_clear(struct sketch *s)
{
	s->n = 0;
	s->scale = 0;
}

void sketch_done(struct sketch *s)
{
	free(s->v);
	*s = (struct sketch){0};
}

/* --- text ---
 *
 * One character for how often the scale fell, then a number for the first bucket's place, as seen
 * from that of 1.0, then for each bucket a number: twice the distance to the bucket before (less
 * one; the first: 0), plus 1 if its count is above 1, which then follows, less 2. Numbers are
 * groups of five bits, the lowest first, 32 added to all but the last. So a sample that is alone in
 * its bucket costs one character, as long as its neighbour is near. */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void write_number(struct str *out, uint64_t n)
{
	for (; n >= 32; n >>= 5)
		str_addc(out, digits[32 + (n & 31)]);
	str_addc(out, digits[n]);
}

static int digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	return c == '_' ? 63 : -1;
}

struct reader {
	const char *at, *end;
};

/* Only the shortest form of a number is one. */
static bool read_number(struct reader *r, uint64_t *n_r)
{
	uint64_t n = 0;

	for (unsigned shift = 0; r->at < r->end && shift < 60; shift += 5) {
		int digit = digit_of(*r->at++);

		if (digit < 0)
			return false;
		n |= (uint64_t)(digit & 31) << shift;
		if (digit < 32) {
			*n_r = n;
			return digit > 0 || shift == 0;
		}
	}
	return false;
}

/* Small numbers of either sign: 0, -1, 1, -2 … become 0, 1, 2, 3 … */
static uint64_t fold(int32_t n)
{
	return n >= 0 ? (uint64_t)n * 2 : (uint64_t) - (int64_t)n * 2 - 1;
}

static int64_t unfold(uint64_t n)
{
	return (n & 1) == 0 ? (int64_t)(n / 2) : -(int64_t)(n / 2) - 1;
}

void sketch_write(const struct sketch *s, struct str *out)
{
	str_addc(out, digits[s->scale]);
	if (s->n > 0)
		write_number(out, fold(s->v[0].index - index_of(1.0, s->scale)));
	for (size_t i = 0; i < s->n; i++) {
		int32_t gap = i > 0 ? s->v[i].index - s->v[i - 1].index - 1 : 0;
		uint64_t count = s->v[i].count;

		write_number(out, (uint64_t)gap * 2 + (count > 1));
		if (count > 1)
			write_number(out, count - 2);
	}
}

/* One bucket; *index is that of the one before. */
static bool read_bucket(struct reader *r, struct sketch *s, int64_t *index, uint64_t *total)
{
	int64_t highest = index_of(DBL_MAX, s->scale);
	uint64_t n, count = 0;

	if (!read_number(r, &n) || ((n & 1) != 0 && !read_number(r, &count)))
		return false;
	count += (n & 1) != 0 ? 2 : 1;
	if (n / 2 > (s->n > 0 ? (uint64_t)highest * 2 : 0) || count > COUNT_MAX - *total)
		return false;
	*index += (int64_t)(n / 2) + (s->n > 0);
	*total += count;
	if (*index < -highest || *index > highest || s->n == SKETCH_BUCKETS_MAX)
		return false;
	reserve(s, s->n + 1);
	s->v[s->n++] = (struct sketch_bucket){.index = (int32_t)*index, .count = count};
	return true;
}

static bool read_all(struct reader *r, struct sketch *s)
{
	uint64_t first, total = 0;
	int64_t index;

	if (r->at == r->end)
		return false;
	s->scale = digit_of(*r->at++);
	if (s->scale < 0 || s->scale > FALLS_MAX)
		return false;
	if (r->at == r->end)
		return true;
	if (!read_number(r, &first))
		return false;
	index = unfold(first) + index_of(1.0, s->scale);
	do {
		if (!read_bucket(r, s, &index, &total))
			return false;
	} while (r->at < r->end);
	return true;
}

bool sketch_read(const char *text, size_t len, struct sketch *s_r)
{
	struct reader r = {.at = text, .end = text + len};

	sketch_clear(s_r);
	if (read_all(&r, s_r))
		return true;
	sketch_clear(s_r);
	return false;
}
