/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "model/order.h"

static struct strlist none;

static struct order_node node(const char *name, enum process_state state)
{
	return (struct order_node){.name = name, .after = &none, .requires = &none, .state = state};
}

static char db_name[] = "db";
static char *db_names[] = {db_name};
static struct strlist db_list = {.v = db_names, .n = 1};

/* app requires (or comes after) db, which is in one state after the other. */
static void what_lets_a_dependent_start(void **state)
{
	static const struct {
		enum process_state db;
		bool is_finished, is_leaving;
		bool starts_required, starts_after, must_go;
	} rows[] = {
		{PROCESS_STOPPED, false, false, false, true, true},
		{PROCESS_STOPPED, true, false, true, true, false},
		{PROCESS_STARTING, false, false, false, false, false},
		{PROCESS_READY, false, false, true, true, false},
		{PROCESS_READY, false, true, false, true, true},
		{PROCESS_STOPPING, false, false, false, false, false}, /* it was aborted: a crash */
		{PROCESS_STOPPING, false, true, false, false, true},
		{PROCESS_BACKOFF, false, false, false, true, false},
		{PROCESS_HELD, false, false, false, true, true},
		{PROCESS_WAITING, false, false, false, false, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct order_node v[] = {node("app", PROCESS_WAITING), node("db", rows[i].db)};

		v[1].is_finished = rows[i].is_finished;
		v[1].is_leaving = rows[i].is_leaving;
		/* What waits for nothing is about to start: not stuck. */
		v[0].requires = &db_list;
		assert_int_equal(order_blocker(v, 2, 0) == NULL, rows[i].starts_required);
		v[0].state = PROCESS_READY;
		assert_int_equal(order_must_go(v, 2, 0), rows[i].must_go);
		v[0] = node("app", PROCESS_WAITING);
		v[0].after = &db_list;
		assert_int_equal(order_blocker(v, 2, 0) == NULL, rows[i].starts_after);
		v[0].state = PROCESS_READY;
		assert_false(order_must_go(v, 2, 0));
	}
}

static void an_unknown_name_holds_nobody_back(void **state)
{
	struct order_node v[] = {node("app", PROCESS_WAITING)};

	(void)state;
	v[0].requires = v[0].after = &db_list;
	assert_null(order_blocker(v, 1, 0));
}

static void who_is_needed_goes_last(void **state)
{
	struct order_node v[] = {node("app", PROCESS_READY), node("db", PROCESS_READY)};

	(void)state;
	v[1].is_leaving = true;
	v[0].after = &db_list;
	assert_true(order_may_stop(v, 2, 1)); /* app stays: nothing to wait for */
	v[0].is_leaving = true;
	assert_false(order_may_stop(v, 2, 1));
	assert_true(order_may_stop(v, 2, 0));
	v[0].state = PROCESS_STOPPED;
	assert_true(order_may_stop(v, 2, 1));
	v[0] = node("app", PROCESS_READY);
	v[0].requires = &db_list;
	assert_false(order_may_stop(v, 2, 1)); /* it will have to go, too */
}

static void waiting_for_what_is_held_is_being_stuck(void **state)
{
	char app_name[] = "app";
	char *app_names[] = {app_name};
	struct strlist app_list = {.v = app_names, .n = 1};
	struct order_node v[] = {node("web", PROCESS_WAITING), node("app", PROCESS_WAITING),
				 node("db", PROCESS_STARTING)};

	(void)state;
	v[0].requires = &app_list;
	v[1].requires = &db_list;
	assert_false(order_is_stuck(v, 3, 0));
	v[2].state = PROCESS_HELD;
	assert_true(order_is_stuck(v, 3, 0));
	/* What only comes after somebody stuck goes ahead. */
	v[0].requires = &none;
	v[0].after = &app_list;
	assert_null(order_blocker(v, 3, 0));
}

/* ---- property: random graphs ---- */

#define NODES  12
#define GRAPHS 3000

/* xorshift32 (Marsaglia, "Xorshift RNGs", 2003): the run can be repeated. */
static uint32_t next_random(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

struct world {
	char names[NODES][4];
	struct strlist after[NODES], requires[NODES];
	struct order_node v[NODES];
	bool is_failing[NODES]; /* crashes when it is to start */
	uint32_t x;
};

/* Edges only to lower numbers: no circles. */
static void make_world(struct world *w)
{
	for (size_t i = 0; i < NODES; i++) {
		(void)snprintf(w->names[i], sizeof(w->names[i]), "n%zu", i % 100);
		for (size_t k = 0; k < i; k++) {
			uint32_t draw = next_random(&w->x) % 8;

			if (draw == 0)
				strlist_add(&w->requires[i], w -> names[k]);
			else if (draw == 1)
				strlist_add(&w->after[i], w->names[k]);
		}
		w->v[i] = (struct order_node){.name = w->names[i],
					      .after = &w->after[i],
					      .requires = &w->requires[i],
					      .state = PROCESS_WAITING};
		w->is_failing[i] = next_random(&w->x) % 16 == 0;
	}
}

static void free_world(struct world *w)
{
	for (size_t i = 0; i < NODES; i++) {
		strlist_done(&w->after[i]);
		strlist_done(&w->requires[i]);
	}
}

static struct order_node *by_name(struct world *w, const char *name)
{
	for (size_t i = 0; i < NODES; i++) {
		if (strcmp(w->names[i], name) == 0)
			return &w->v[i];
	}
	return NULL;
}

/* Nobody runs without what it requires, and nobody is started before what it comes after was
 * tried. */
static void assert_may_run(struct world *w, size_t i)
{
	for (size_t k = 0; k < w->requires[i].n; k++)
		assert_int_equal(by_name(w, w->requires[i].v[k])->state, PROCESS_READY);
	for (size_t k = 0; k < w->after[i].n; k++)
		assert_int_not_equal(by_name(w, w->after[i].v[k])->state, PROCESS_STARTING);
}

/* One process moves on, at random. False when nothing could. */
static bool go_on(struct world *w)
{
	size_t first = next_random(&w->x) % NODES;

	for (size_t step = 0; step < NODES; step++) {
		size_t i = (first + step) % NODES;

		if (w->v[i].state == PROCESS_WAITING && order_blocker(w->v, NODES, i) == NULL) {
			assert_may_run(w, i);
			w->v[i].state = PROCESS_STARTING;
			return true;
		}
		if (w->v[i].state == PROCESS_STARTING) {
			w->v[i].state = w->is_failing[i] ? PROCESS_HELD : PROCESS_READY;
			return true;
		}
	}
	return false;
}

static bool needs_failing(struct world *w, size_t i)
{
	if (w->is_failing[i])
		return true;
	for (size_t k = 0; k < w->requires[i].n; k++) {
		if (needs_failing(w, (size_t)(by_name(w, w->requires[i].v[k]) - w->v)))
			return true;
	}
	return false;
}

static void everything_wanted_starts_unless_what_it_requires_fails(void **state)
{
	uint32_t seed = 20261122;

	(void)state;
	for (uint32_t g = 0; g < GRAPHS; g++) {
		struct world w = {.x = seed + g * 7919};

		make_world(&w);
		while (go_on(&w))
			continue;
		for (size_t i = 0; i < NODES; i++) {
			bool is_up = w.v[i].state == PROCESS_READY;

			assert_int_equal(is_up, !needs_failing(&w, i));
			if (w.v[i].state == PROCESS_WAITING)
				assert_true(order_is_stuck(w.v, NODES, i));
		}
		free_world(&w);
	}
}

/* One is taken down: those that require it go first, each after those that require them; then all
 * are stopped. Nobody ever runs while what it requires does not. */
static void everything_stops_in_reverse(void **state)
{
	(void)state;
	for (uint32_t g = 0; g < GRAPHS; g++) {
		struct world w = {.x = 4711 + g * 7919};
		size_t left = 0;

		make_world(&w);
		memset(w.is_failing, 0, sizeof(w.is_failing));
		while (go_on(&w))
			continue;
		w.v[next_random(&w.x) % NODES].is_leaving = true;
		for (size_t step = 0; step < (size_t)NODES * NODES * 4; step++) {
			size_t i = next_random(&w.x) % NODES;

			if (step > (size_t)NODES * NODES * 2)
				w.v[i].is_leaving = true; /* now all */
			if (order_must_go(w.v, NODES, i))
				w.v[i].is_leaving = true;
			if (!w.v[i].is_leaving || !order_may_stop(w.v, NODES, i))
				continue;
			w.v[i].state = PROCESS_STOPPED;
			for (size_t j = 0; j < NODES; j++) {
				if (w.v[j].state == PROCESS_READY)
					assert_false(strlist_has(&w.requires[j], w.names[i]));
				if (w.v[j].state == PROCESS_READY && w.v[j].is_leaving)
					assert_false(strlist_has(&w.after[j], w.names[i]));
			}
		}
		for (size_t i = 0; i < NODES; i++) {
			w.v[i].is_leaving = true;
			left += w.v[i].state == PROCESS_READY;
		}
		/* Whatever the dice left over goes now, in the order of the numbers at worst. */
		for (size_t pass = 0; pass < NODES; pass++) {
			for (size_t i = 0; i < NODES; i++) {
				if (w.v[i].state == PROCESS_READY &&
				    order_may_stop(w.v, NODES, i)) {
					w.v[i].state = PROCESS_STOPPED;
					left--;
				}
			}
		}
		assert_int_equal(left, 0);
		free_world(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_lets_a_dependent_start),
		cmocka_unit_test(an_unknown_name_holds_nobody_back),
		cmocka_unit_test(who_is_needed_goes_last),
		cmocka_unit_test(waiting_for_what_is_held_is_being_stuck),
		cmocka_unit_test(everything_wanted_starts_unless_what_it_requires_fails),
		cmocka_unit_test(everything_stops_in_reverse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
