/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "store/sketch.h"

/* Half of the widest bucket's share of its smallest number: 1/2 of 1/32. */
#define ERROR_MAX (1.0 / 64)

static unsigned seed = 7;

static double uniform(void)
{
	return (double)rand_r(&seed) / ((double)RAND_MAX + 1);
}

static void add_all(struct sketch *s, const double *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sketch_add(s, v[i], 1);
}

static void assert_same(const struct sketch *a, const struct sketch *b)
{
	struct str x = {0}, y = {0};

	sketch_write(a, &x);
	sketch_write(b, &y);
	assert_string_equal(str_text(&x), str_text(&y));
	str_done(&x);
	str_done(&y);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Nearest rank, the plain way. */
static double exact(double *v, size_t n, double quantile)
{
	double rank = ceil(quantile * (double)n);

	qsort(v, n, sizeof(*v), by_size);
	return v[rank < 1 ? 0 : (size_t)rank - 1];
}

/* --- what numbers a check may measure --- */

static double milliseconds(void)
{
	return 3 + 40 * uniform() + (uniform() < 0.05 ? 2000 * uniform() : 0);
}

static double heavy_tail(void)
{
	return pow(1 - uniform(), -1.5);
}

static double signed_number(void)
{
	return uniform() < 0.1 ? 0 : 100 * (uniform() - 0.5);
}

static double few_words(void)
{
	return uniform() < 0.9 ? 200 : 503;
}

typedef double (*source_fn)(void);
static const source_fn sources[] = {milliseconds, heavy_tail, signed_number, few_words};

static void any_quantile_is_within_the_bound(void **state)
{
	static const double quantiles[] = {0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 1};
	double v[3000];

	(void)state;
	for (int round = 0; round < 200; round++) {
		size_t n = 1 + (size_t)rand_r(&seed) % ARRAY_LEN(v);
		source_fn source = sources[round % (int)ARRAY_LEN(sources)];
		struct sketch s = {0};

		for (size_t i = 0; i < n; i++)
			v[i] = source();
		add_all(&s, v, n);
		/* heavy_tail and signed_number may need more buckets than there are. */
		for (size_t i = 0; i < ARRAY_LEN(quantiles); i++) {
			double want = exact(v, n, quantiles[i]);
			double got = sketch_quantile(&s, quantiles[i]);
			double bound = fabs(want) * ERROR_MAX * (double)(1 << s.scale);

			assert_true(fabs(got - want) <= bound);
		}
		sketch_done(&s);
	}
}

static void times_of_checks_keep_their_scale(void **state)
{
	struct sketch s = {0};

	(void)state;
	for (int i = 0; i < 100000; i++)
		sketch_add(&s, milliseconds(), 1);
	assert_int_equal(s.scale, 0);
	sketch_done(&s);
}

static void the_order_of_numbers_and_parts_does_not_matter(void **state)
{
	double v[2000];

	(void)state;
	for (int round = 0; round < 60; round++) {
		struct sketch whole = {0}, left = {0}, right = {0}, parts[7] = {0};
		source_fn source = sources[round % (int)ARRAY_LEN(sources)];
		size_t n = 1 + (size_t)rand_r(&seed) % ARRAY_LEN(v);

		for (size_t i = 0; i < n; i++) {
			v[i] = source() * (round % 3 == 0 ? exp(100 * uniform()) : 1);
			sketch_add(&parts[(size_t)rand_r(&seed) % 7], v[i], 1);
		}
		add_all(&whole, v, n);
		for (size_t i = 0; i < 7; i++) {
			sketch_merge(&left, &parts[i]);
			sketch_merge(&right, &parts[6 - i]);
		}
		assert_same(&whole, &left);
		assert_same(&whole, &right);
		qsort(v, n, sizeof(*v), by_size);
		sketch_clear(&whole);
		add_all(&whole, v, n);
		assert_same(&whole, &left);
		for (size_t i = 0; i < 7; i++)
			sketch_done(&parts[i]);
		sketch_done(&whole);
		sketch_done(&left);
		sketch_done(&right);
	}
}

static void a_count_is_as_many_numbers(void **state)
{
	struct sketch one = {0}, many = {0};

	(void)state;
	sketch_add(&one, 12.5, 1000);
	sketch_add(&one, 3, 0);
	for (int i = 0; i < 1000; i++)
		sketch_add(&many, 12.5, 1);
	assert_same(&one, &many);
	sketch_done(&one);
	sketch_done(&many);
}

static void the_scale_falls_until_all_fits(void **state)
{
	struct sketch s = {0};
	double v[] = {-DBL_MAX, -1, -DBL_MIN, -5e-324, 0, 5e-324, DBL_MIN, 1, DBL_MAX};

	(void)state;
	add_all(&s, v, ARRAY_LEN(v));
	assert_int_equal(s.scale, 0);
	assert_int_equal(s.n, 9);
	for (int e = -1074; e < 1024; e++) {
		sketch_add(&s, ldexp(1, e), 1);
		sketch_add(&s, -ldexp(1, e), 1);
	}
	assert_in_range(s.n, SKETCH_BUCKETS_MAX / 4, SKETCH_BUCKETS_MAX);
	assert_int_equal(s.scale, 9);
	assert_true(isfinite(sketch_quantile(&s, 0)));
	assert_true(isfinite(sketch_quantile(&s, 1)));
	assert_true(sketch_quantile(&s, 0.5) <= 0);
	sketch_done(&s);
}

static void an_empty_one_says_so(void **state)
{
	struct sketch s = {0}, other = {0};
	struct str text = {0};

	(void)state;
	assert_true(isnan(sketch_quantile(&s, 0.5)));
	sketch_merge(&s, &other);
	sketch_write(&s, &text);
	assert_string_equal(text.data, "A");
	assert_true(sketch_read("A", 1, &other));
	assert_int_equal(other.n, 0);
	str_done(&text);
	sketch_done(&s);
	sketch_done(&other);
}

static void its_text_is_read_as_it_was_written(void **state)
{
	(void)state;
	for (int round = 0; round < 300; round++) {
		struct sketch s = {0}, again = {0};
		struct str text = {0};
		int n = rand_r(&seed) % 2000;

		for (int i = 0; i < n; i++)
			sketch_add(&s, sources[round % 4]() * (round % 5 == 0 ? 1e200 : 1),
				   1 + (uint64_t)rand_r(&seed) % (round % 7 == 0 ? 1u << 30 : 3));
		sketch_write(&s, &text);
		assert_true(sketch_read(str_text(&text), text.len, &again));
		assert_same(&s, &again);
		assert_int_equal(s.n, again.n);
		for (size_t i = 0; i < s.n; i++)
			assert_true(s.v[i].index == again.v[i].index &&
				    s.v[i].count == again.v[i].count);
		str_done(&text);
		sketch_done(&s);
		sketch_done(&again);
	}
}

/* A row of 5 minutes is of this size, and there are a hundred million of them in a store. */
static void the_text_of_30_samples_is_short(void **state)
{
	struct sketch s = {0};
	struct str text = {0};
	size_t sum = 0;

	(void)state;
	for (int round = 0; round < 100; round++) {
		sketch_clear(&s);
		str_clear(&text);
		for (int i = 0; i < 30; i++)
			sketch_add(&s, 20 + 30 * uniform(), 1);
		sketch_write(&s, &text);
		sum += text.len;
	}
	assert_in_range(sum / 100, 15, 45);
	sketch_clear(&s);
	str_clear(&text);
	sketch_add(&s, 200, 30);
	sketch_write(&s, &text);
	assert_in_range(text.len, 4, 6);
	str_done(&text);
	sketch_done(&s);
}

static void text_that_is_none_is_refused(void **state)
{
	static const char *const bad[] = {
		"",                 /* not even a scale */
		"K",                /* a scale that nothing falls to */
		"A ",               /* no digit */
		"AA",               /* a first bucket, and then none */
		"AgAA",             /* a number longer than it need be */
		"AAg",              /* a number cut off */
		"AAC",              /* a gap before the first bucket */
		"A____________DA",  /* far beyond all numbers */
		"AAB___________D",  /* more samples than anybody took */
		"AAA________AAAAA", /* a bucket beyond all numbers */
		"AAA\"",
	};
	struct sketch s = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(sketch_read(bad[i], strlen(bad[i]), &s));
		assert_int_equal(s.n, 0);
	}
	sketch_done(&s);
}

static void too_many_buckets_are_refused(void **state)
{
	char text[2 + SKETCH_BUCKETS_MAX + 1];
	struct sketch s = {0};

	(void)state;
	memset(text, 'A', sizeof(text));
	assert_true(sketch_read(text, sizeof(text) - 1, &s));
	assert_int_equal(s.n, SKETCH_BUCKETS_MAX);
	assert_false(sketch_read(text, sizeof(text), &s));
	sketch_done(&s);
}

/* Rows in stores hold these: they must never be read as something else. */
static void the_text_does_not_change(void **state)
{
	const double v[] = {-2.5, 0, 0.001, 1, 1, 1, 41.25, 41.3, 200, 503};
	struct sketch s = {0};
	struct str text = {0};

	(void)state;
	add_all(&s, v, ARRAY_LEN(v));
	sketch_write(&s, &text);
	assert_string_equal(text.data, "Az-_DAwggCgq_B_TBxKAwE2C");
	str_done(&text);
	sketch_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_quantile_is_within_the_bound),
		cmocka_unit_test(times_of_checks_keep_their_scale),
		cmocka_unit_test(the_order_of_numbers_and_parts_does_not_matter),
		cmocka_unit_test(a_count_is_as_many_numbers),
		cmocka_unit_test(the_scale_falls_until_all_fits),
		cmocka_unit_test(an_empty_one_says_so),
		cmocka_unit_test(its_text_is_read_as_it_was_written),
		cmocka_unit_test(the_text_of_30_samples_is_short),
		cmocka_unit_test(text_that_is_none_is_refused),
		cmocka_unit_test(too_many_buckets_are_refused),
		cmocka_unit_test(the_text_does_not_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
