/* SPDX-License-Identifier: Apache-2.0 */
/* Random sides: a plan that was carried out leaves nothing to plan, and did exactly what a naive
 * comparison asks for. The table is an array of objects here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rnd.h"
#include "fixture.h"

#define ROUNDS 300
#define KEYS   12

static json_t *random_source(void)
{
	json_t *rows = json_array();

	for (int i = 0; i < KEYS; i++) {
		if (rnd_u32() % 3 == 0)
			continue;
		json_array_append_new(rows,
				      json_pack("{s:o, s:i, s:f}", "symbol", json_sprintf("S%d", i),
						"qty", (int)(rnd_u32() % 3), "avg_cost",
						(double)(rnd_u32() % 4) / 100 + 1));
	}
	return rows;
}

static json_t *random_target(void)
{
	json_t *rows = json_array();

	for (int i = 0; i < KEYS; i++) {
		if (rnd_u32() % 3 == 0)
			continue;
		json_array_append_new(
			rows, json_pack("{s:o, s:i, s:f, s:s, s:n}", "symbol",
					json_sprintf("S%d", i), "qty", (int)(rnd_u32() % 3),
					"price", (double)(rnd_u32() % 4) / 100 + 1, "status",
					rnd_u32() % 4 == 0 ? "closed" : "open", "closed_at"));
	}
	return rows;
}

static json_t *in_scope(const json_t *table)
{
	json_t *rows = json_array(), *row;
	size_t i;

	json_array_foreach (table, i, row) {
		if (strcmp(json_string_value(json_object_get(row, "status")), "open") == 0)
			json_array_append(rows, row);
	}
	return rows;
}

static json_t *find(const json_t *rows, const char *symbol)
{
	json_t *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		if (strcmp(json_string_value(json_object_get(row, "symbol")), symbol) == 0)
			return row;
	}
	return NULL;
}

static void apply(json_t *table, const struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		const struct plan_row *r = &plan->rows[i];
		json_t *scope = in_scope(table);

		if (r->op == PLAN_INSERT)
			json_array_append_new(table, json_deep_copy(r->after));
		else
			json_object_update(
				find(scope, json_string_value(json_array_get(r->identity, 0))),
				r->after);
		json_decref(scope);
	}
}

static long cents(const json_t *row, const char *name)
{
	return (long)(json_number_value(json_object_get(row, name)) * 100 + 0.5);
}

/* The model: equal keys, equal quantities, prices no more than a cent apart. */
static bool agrees(const json_t *source, const json_t *scope)
{
	const json_t *row;
	size_t i;

	if (json_array_size(source) != json_array_size(scope))
		return false;
	json_array_foreach (source, i, row) {
		const json_t *t = find(scope, json_string_value(json_object_get(row, "symbol")));

		if (t == NULL || cents(row, "qty") != cents(t, "qty") ||
		    labs(cents(row, "avg_cost") - cents(t, "price")) > 1)
			return false;
	}
	return true;
}

static void make_plan(const struct job_spec *spec, const json_t *source, const json_t *table,
		      struct plan *plan)
{
	json_t *vars = mapping_vars("2026-11-22T01:30:37.000Z", "run", "positions");
	json_t *scope = in_scope(table);

	*plan = (struct plan){0};
	plan_make(&spec->plan, source, scope, vars, plan);
	json_decref(scope);
	json_decref(vars);
}

static void a_plan_carried_out_makes_both_sides_agree_and_leaves_nothing(void **state)
{
	struct job_spec spec;

	(void)state;
	fixture_spec(&spec, "{'guards': {'allow_empty': true}}");
	for (int i = 0; i < ROUNDS; i++) {
		json_t *source = random_source(), *table = random_target(),
		       *scope = in_scope(table);
		bool was_equal = agrees(source, scope);
		struct plan plan;

		make_plan(&spec, source, table, &plan);
		assert_int_equal(plan.errors_n, 0);
		assert_int_equal(plan.refusals.n, 0);
		assert_int_equal(plan.n == 0, was_equal);
		apply(table, &plan);
		plan_done(&plan);
		json_decref(scope);
		scope = in_scope(table);
		assert_true(agrees(source, scope));
		make_plan(&spec, source, table, &plan);
		assert_int_equal(plan.n, 0);
		plan_done(&plan);
		json_decref(scope);
		json_decref(source);
		json_decref(table);
	}
	spec_done(&spec);
}

static void the_order_of_rows_does_not_matter(void **state)
{
	struct job_spec spec;

	(void)state;
	fixture_spec(&spec, "{'guards': {'allow_empty': true}}");
	for (int i = 0; i < ROUNDS; i++) {
		json_t *source = random_source(), *table = random_target();
		json_t *reversed = json_array();
		struct plan a, b;

		for (size_t k = json_array_size(source); k > 0; k--)
			json_array_append(reversed, json_array_get(source, k - 1));
		make_plan(&spec, source, table, &a);
		make_plan(&spec, reversed, table, &b);
		assert_int_equal(a.n, b.n);
		for (size_t k = 0; k < a.n; k++) {
			const struct plan_row *other = fixture_row(&b, a.rows[k].key);

			assert_non_null(other);
			assert_int_equal(other->op, a.rows[k].op);
			assert_true(other->after == NULL
					    ? a.rows[k].after == NULL
					    : json_equal(other->after, a.rows[k].after));
		}
		plan_done(&a);
		plan_done(&b);
		json_decref(source);
		json_decref(reversed);
		json_decref(table);
	}
	spec_done(&spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plan_carried_out_makes_both_sides_agree_and_leaves_nothing),
		cmocka_unit_test(the_order_of_rows_does_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
