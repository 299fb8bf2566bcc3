/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rnd.h"
#include "base/str.h"
#include "compare_rows.h"

static const struct compare_rule exact = {.how = COMPARE_AUTO};

/* One text key, one number column which is also the quantity. */
static const struct compare_spec positions = {.key_n = 1,
					      .rules = &exact,
					      .columns_n = 1,
					      .has_quantity = true,
					      .zero_is_absent = true,
					      .skips_negative = true,
					      .rows_max = 1000};

static struct cell text(const char *s)
{
	return s == NULL ? (struct cell){.type = CELL_NULL}
			 : (struct cell){.type = CELL_TEXT, .text = s, .len = strlen(s)};
}

static struct cell number(const char *s)
{
	return (struct cell){.type = CELL_NUMBER, .text = s, .len = strlen(s)};
}

struct position {
	const char *symbol, *quantity;
};

static struct compare_side *side_of(const struct compare_spec *spec, const struct position *p)
{
	struct compare_side *side = compare_side_new(spec);
	struct err err;

	for (; p->symbol != NULL; p++) {
		struct cell cells[] = {text(p->symbol), number(p->quantity), number(p->quantity)};

		assert_int_equal(compare_side_add(side, cells, &err), 0);
	}
	return side;
}

static void note(void *ctx, const struct compare_found *f)
{
	static const char *const words[] = {[COMPARE_MISSING_A] = "-a",
					    [COMPARE_MISSING_B] = "-b",
					    [COMPARE_DIFFERENT] = "!=",
					    [COMPARE_DUPLICATE_A] = "2a",
					    [COMPARE_DUPLICATE_B] = "2b"};

	str_addf(ctx, "%s %s", words[f->what], f->key);
	if (f->what == COMPARE_DIFFERENT)
		str_addf(ctx, " %zu %s/%s", f->column, f->a.text, f->b.text);
	str_addc(ctx, ';');
}

static struct compare_result expect(const struct compare_spec *spec, const struct position *a,
				    const struct position *b, const char *found)
{
	struct compare_side *x = side_of(spec, a), *y = side_of(spec, b);
	HALE_CLEANUP(str_done) struct str out = {0};
	struct compare_result r;

	compare_sides(x, y, &r, note, &out);
	assert_string_equal(str_text(&out), found);
	assert_int_equal(compare_is_same(&r), found[0] == '\0');
	compare_side_free(x);
	compare_side_free(y);
	return r;
}

#define ROWS(...)                                                                                  \
	(const struct position[])                                                                  \
	{                                                                                          \
		__VA_ARGS__,                                                                       \
		{                                                                                  \
			NULL, NULL                                                                 \
		}                                                                                  \
	}
#define NO_ROWS                                                                                    \
	(const struct position[])                                                                  \
	{                                                                                          \
		{                                                                                  \
			NULL, NULL                                                                 \
		}                                                                                  \
	}

static void the_same_rows_in_any_order_and_spelling_agree(void **state)
{
	struct compare_result r = expect(&positions, ROWS({"AAPL", "10"}, {"MSFT", "5.50"}),
					 ROWS({"MSFT", "5.5"}, {"AAPL", "10.0"}), "");

	(void)state;
	assert_int_equal(r.rows_a, 2);
	assert_int_equal(r.rows_b, 2);
	(void)expect(&positions, NO_ROWS, NO_ROWS, "");
}

static void each_way_to_differ_is_found(void **state)
{
	(void)state;
	(void)expect(&positions, ROWS({"AAPL", "1"}, {"MSFT", "1"}),
		     ROWS({"AAPL", "1"}, {"TSLA", "1"}), "-b MSFT;-a TSLA;");
	(void)expect(&positions, ROWS({"AAPL", "1"}), ROWS({"AAPL", "2"}), "!= AAPL 0 1/2;");
	(void)expect(&positions, ROWS({"AAPL", "1"}, {"AAPL", "1"}), ROWS({"AAPL", "1"}),
		     "2a AAPL;");
	(void)expect(&positions, NO_ROWS, ROWS({"B", "1"}, {"A", "1"}, {"B", "1"}),
		     "-a A;-a B;2b B;");
	/* A prefix is another key. */
	(void)expect(&positions, ROWS({"A", "1"}), ROWS({"AA", "1"}), "-b A;-a AA;");
}

static void zero_is_absent_and_negative_is_skipped(void **state)
{
	static const struct compare_spec all = {
		.key_n = 1, .rules = &exact, .columns_n = 1, .has_quantity = true, .rows_max = 10};
	struct compare_result r =
		expect(&positions, ROWS({"AAPL", "1"}, {"GONE", "0"}, {"SHORT", "-5"}),
		       ROWS({"AAPL", "1"}), "");

	(void)state;
	assert_int_equal(r.rows_a, 1);
	assert_int_equal(r.absent_a, 1);
	assert_int_equal(r.skipped_a, 1);
	(void)expect(&all, ROWS({"GONE", "0"}, {"SHORT", "-5"}), ROWS({"SHORT", "-6"}),
		     "-b GONE;!= SHORT 0 -5/-6;");
}

static void keys_of_several_parts_do_not_run_into_each_other(void **state)
{
	static const struct compare_spec two = {.key_n = 2, .rows_max = 10};
	struct compare_side *a = compare_side_new(&two), *b = compare_side_new(&two);
	struct cell x[] = {text("ab"), text("c")}, y[] = {text("a"), text("bc")};
	struct cell n[] = {number("7.0"), text("")}, m[] = {number("07"), text("")};
	HALE_CLEANUP(str_done) struct str out = {0};
	struct compare_result r;
	struct err err;

	(void)state;
	assert_int_equal(compare_side_add(a, x, &err), 0);
	assert_int_equal(compare_side_add(a, n, &err), 0);
	assert_int_equal(compare_side_add(b, y, &err), 0);
	assert_int_equal(compare_side_add(b, m, &err), 0);
	compare_sides(a, b, &r, note, &out);
	assert_string_equal(str_text(&out), "-a a/bc;-b ab/c;");
	compare_side_free(a);
	compare_side_free(b);
}

static void empty_keys_are_keys(void **state)
{
	static const struct compare_spec bare = {.key_n = 1, .rows_max = 10};
	struct compare_side *a = compare_side_new(&bare), *b = compare_side_new(&bare);
	struct cell empty = text("");
	HALE_CLEANUP(str_done) struct str out = {0};
	struct compare_result r;
	struct err err;

	(void)state;
	assert_int_equal(compare_side_add(a, &empty, &err), 0);
	assert_int_equal(compare_side_add(a, &empty, &err), 0);
	assert_int_equal(compare_side_add(b, &empty, &err), 0);
	compare_sides(a, b, &r, note, &out);
	assert_string_equal(str_text(&out), "2a ;");
	compare_side_free(a);
	compare_side_free(b);
}

static void a_row_without_a_key_or_beyond_the_limit_is_refused(void **state)
{
	static const struct compare_spec small = {.key_n = 1, .rows_max = 2};
	struct compare_side *side = compare_side_new(&small);
	struct cell none = text(NULL), some = text("x");
	struct err err;

	(void)state;
	assert_int_equal(compare_side_add(side, &some, &err), 0);
	assert_int_not_equal(compare_side_add(side, &none, &err), 0);
	assert_string_equal(err.text, "row 2 has no key");
	assert_int_equal(compare_side_add(side, &some, &err), 0);
	assert_int_not_equal(compare_side_add(side, &some, &err), 0);
	assert_string_equal(err.text, "more than 2 rows");
	compare_side_free(side);
}

static void count_found(void *ctx, const struct compare_found *f)
{
	((size_t *)ctx)[f->what]++;
}

static void the_list_is_bounded_and_the_numbers_are_not(void **state)
{
	struct compare_side *a = compare_side_new(&positions), *b = compare_side_new(&positions);
	size_t listed[COMPARE_WHAT_MAX] = {0};
	struct compare_result r;
	struct err err;
	char name[16];

	(void)state;
	for (int i = 0; i < 500; i++) {
		struct cell cells[] = {text(name), number("1"), number("1")};

		(void)snprintf(name, sizeof(name), "%d", i);
		cells[0].len = strlen(name);
		assert_int_equal(compare_side_add(a, cells, &err), 0);
	}
	compare_sides(a, b, &r, count_found, listed);
	assert_int_equal(r.found[COMPARE_MISSING_B], 500);
	assert_int_equal(listed[COMPARE_MISSING_B], COMPARE_LISTED_MAX);
	compare_side_free(a);
	compare_side_free(b);
}

/* ---- Against the naive way ---- */

#define RANDOM_ROWS 40

struct model {
	struct position rows[RANDOM_ROWS + 1];
	char texts[RANDOM_ROWS][2][8];
	size_t n;
};

static void make(struct model *m)
{
	m->n = rnd_u32() % RANDOM_ROWS;
	for (size_t i = 0; i < m->n; i++) {
		(void)snprintf(m->texts[i][0], 8, "k%u", rnd_u32() % 30);
		(void)snprintf(m->texts[i][1], 8, "%d.%u", (int)(rnd_u32() % 5) - 1, rnd_u32() % 2);
		m->rows[i] = (struct position){m->texts[i][0], m->texts[i][1]};
	}
	m->rows[m->n] = (struct position){NULL, NULL};
}

static bool takes_part(const struct position *p)
{
	return atof(p->quantity) > 0;
}

/* The first row with that key that takes part; `count` tells how many do. */
static const struct position *look(const struct model *m, const char *key, size_t *count_r)
{
	const struct position *first = NULL;

	*count_r = 0;
	for (size_t i = 0; i < m->n; i++) {
		if (strcmp(m->rows[i].symbol, key) != 0 || !takes_part(&m->rows[i]))
			continue;
		if ((*count_r)++ == 0)
			first = &m->rows[i];
	}
	return first;
}

static void naive(const struct model *a, const struct model *b, size_t found[COMPARE_WHAT_MAX])
{
	char key[8];
	size_t in_a, in_b;

	for (unsigned i = 0; i < 30; i++) {
		const struct position *x, *y;

		(void)snprintf(key, sizeof(key), "k%u", i);
		x = look(a, key, &in_a);
		y = look(b, key, &in_b);
		found[COMPARE_MISSING_A] += x == NULL && y != NULL;
		found[COMPARE_MISSING_B] += x != NULL && y == NULL;
		found[COMPARE_DIFFERENT] +=
			x != NULL && y != NULL && atof(x->quantity) != atof(y->quantity);
		found[COMPARE_DUPLICATE_A] += in_a > 1;
		found[COMPARE_DUPLICATE_B] += in_b > 1;
	}
}

static void random_rows_agree_with_the_naive_way(void **state)
{
	(void)state;
	for (int round = 0; round < 3000; round++) {
		size_t wanted[COMPARE_WHAT_MAX] = {0}, listed[COMPARE_WHAT_MAX] = {0};
		struct compare_side *x, *y;
		struct compare_result r;
		struct model a, b;

		make(&a);
		make(&b);
		naive(&a, &b, wanted);
		x = side_of(&positions, a.rows);
		y = side_of(&positions, b.rows);
		compare_sides(x, y, &r, count_found, listed);
		for (size_t i = 0; i < COMPARE_WHAT_MAX; i++) {
			assert_int_equal(r.found[i], wanted[i]);
			assert_int_equal(listed[i],
					 HALE_MIN(wanted[i], (size_t)COMPARE_LISTED_MAX));
		}
		assert_int_equal(r.rows_a + r.skipped_a + r.absent_a, a.n);
		compare_side_free(x);
		compare_side_free(y);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_rows_in_any_order_and_spelling_agree),
		cmocka_unit_test(each_way_to_differ_is_found),
		cmocka_unit_test(zero_is_absent_and_negative_is_skipped),
		cmocka_unit_test(keys_of_several_parts_do_not_run_into_each_other),
		cmocka_unit_test(empty_keys_are_keys),
		cmocka_unit_test(a_row_without_a_key_or_beyond_the_limit_is_refused),
		cmocka_unit_test(the_list_is_bounded_and_the_numbers_are_not),
		cmocka_unit_test(random_rows_agree_with_the_naive_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
