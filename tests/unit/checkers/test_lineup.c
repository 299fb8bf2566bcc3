/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "lineup.h"

/* ---- A few checks, by hand ---- */

struct some {
	struct lineup_item item;
	struct lineup_place place;
	struct lineup_host *host;
	int64_t begun_ms; /* -1: waits, or never came */
	uint64_t rank;
};

static void add(struct lineup *l, struct some *s, struct lineup_host *host)
{
	*s = (struct some){.item.host = host, .host = host, .begun_ms = -1};
	lineup_add(l, &s->item);
}

/* Begins all that may begin. */
static size_t begin_all(struct lineup *l, int64_t now_ms)
{
	struct lineup_item *item;
	size_t n = 0;

	while ((item = lineup_take(l, now_ms)) != NULL) {
		struct some *s = container_of(item, struct some, item);

		lineup_begin(l, item, &s->place, now_ms);
		s->begun_ms = now_ms;
		n++;
	}
	return n;
}

static void without_a_host_only_the_total_counts(void **state)
{
	struct lineup *l = lineup_new(3, 1);
	struct some s[5];

	(void)state;
	for (size_t i = 0; i < 5; i++)
		add(l, &s[i], NULL);
	assert_int_equal(begin_all(l, 0), 3);
	assert_int_equal(lineup_running(l), 3);
	assert_int_equal(lineup_waiting(l), 2);
	assert_true(lineup_next(l) == INT64_MAX);
	lineup_end(l, &s[1].place);
	lineup_end(l, &s[1].place); /* once is enough, twice is the same */
	assert_int_equal(begin_all(l, 1), 1);
	assert_true(s[3].begun_ms == 1 && s[4].begun_ms == -1);
	lineup_free(l);
}

static void one_busy_host_steps_aside_for_the_others(void **state)
{
	struct lineup *l = lineup_new(100, 2);
	struct lineup_host *a = lineup_host(l, "a:1");
	struct some s[5], other;

	(void)state;
	for (size_t i = 0; i < 5; i++)
		add(l, &s[i], a);
	add(l, &other, lineup_host(l, "b:1"));
	assert_int_equal(begin_all(l, 0), 3);
	assert_true(other.begun_ms == 0);
	assert_int_equal(lineup_aside(l), 3);
	lineup_end(l, &s[0].place);
	assert_int_equal(begin_all(l, 5), 1);
	assert_true(s[2].begun_ms == 5); /* in order */
	lineup_free(l);
}

static void one_that_hangs_gives_up_its_turn(void **state)
{
	struct lineup *l = lineup_new(100, 2);
	struct lineup_host *a = lineup_host(l, "a:1");
	struct some s[12];

	(void)state;
	for (size_t i = 0; i < 12; i++)
		add(l, &s[i], a);
	assert_int_equal(begin_all(l, 0), 2);
	assert_true(lineup_next(l) == LINEUP_HOLD_MS);
	assert_int_equal(begin_all(l, LINEUP_HOLD_MS - 1), 0);
	assert_int_equal(begin_all(l, LINEUP_HOLD_MS), 2);
	assert_int_equal(begin_all(l, 2 * LINEUP_HOLD_MS), 2);
	assert_int_equal(begin_all(l, 3 * LINEUP_HOLD_MS), 2);
	/* Eight hang: that is all it may have. */
	assert_int_equal(begin_all(l, 4 * LINEUP_HOLD_MS), 0);
	assert_int_equal(begin_all(l, 999 * LINEUP_HOLD_MS), 0);
	assert_true(lineup_next(l) == INT64_MAX);
	lineup_end(l, &s[3].place);
	assert_int_equal(begin_all(l, 1000 * LINEUP_HOLD_MS), 1);
	assert_true(s[8].begun_ms == 1000 * LINEUP_HOLD_MS);
	lineup_free(l);
}

static void two_busy_hosts_take_turns(void **state)
{
	struct lineup *l = lineup_new(2, 1);
	struct lineup_host *a = lineup_host(l, "a:1");
	struct lineup_host *b = lineup_host(l, "b:1");
	struct some as[4], bs[4];

	(void)state;
	for (size_t i = 0; i < 4; i++)
		add(l, &as[i], a);
	for (size_t i = 0; i < 4; i++)
		add(l, &bs[i], b);
	for (int64_t t = 0; t < 4; t++) {
		assert_int_equal(begin_all(l, t), 2);
		assert_true(as[t].begun_ms == t && bs[t].begun_ms == t);
		lineup_end(l, &as[t].place);
		lineup_end(l, &bs[t].place);
	}
	lineup_free(l);
}

static void what_is_forgotten_never_begins(void **state)
{
	struct lineup *l = lineup_new(10, 1);
	struct lineup_host *a = lineup_host(l, "a:1");
	struct some s[3];

	(void)state;
	for (size_t i = 0; i < 3; i++)
		add(l, &s[i], a);
	assert_int_equal(begin_all(l, 0), 1);
	lineup_clear(l);
	lineup_end(l, &s[0].place);
	assert_int_equal(begin_all(l, 1), 0);
	assert_int_equal(lineup_waiting(l) + lineup_aside(l) + lineup_running(l), 0);
	lineup_free(l);
}

/* ---- A random life: limits hold, nothing is left lying, order within a host is kept ---- */

#define CHECKS      400
#define HOSTS       7 /* the last: none */
#define RUNNING_MAX 40
#define HOST_MAX    3

struct life {
	struct lineup *l;
	struct lineup_host *hosts[HOSTS];
	struct some checks[CHECKS];
	enum { IDLE, WAITS, RUNS } states[CHECKS];
	int64_t until_ms[CHECKS];
	uint64_t next_rank;
	int64_t now_ms;
};

static size_t host_index(const struct life *w, const struct some *s)
{
	size_t h = 0;

	while (w->hosts[h] != s->host)
		h++;
	return h;
}

/* What a reader of the rules would count, from scratch. */
static bool has_room(const struct life *w, const struct lineup_host *host)
{
	size_t running = 0, fresh = 0;

	for (size_t i = 0; i < CHECKS; i++) {
		if (w->states[i] != RUNS || w->checks[i].host != host)
			continue;
		running++;
		fresh += w->now_ms - w->checks[i].begun_ms < LINEUP_HOLD_MS;
	}
	return host == NULL || (fresh < HOST_MAX && running < HOST_MAX * LINEUP_HOST_FACTOR);
}

static void check_limits(const struct life *w)
{
	size_t running = 0, waiting = 0;
	bool waits_for[HOSTS] = {false};

	for (size_t i = 0; i < CHECKS; i++) {
		running += w->states[i] == RUNS;
		waiting += w->states[i] == WAITS;
		if (w->states[i] == WAITS)
			waits_for[host_index(w, &w->checks[i])] = true;
	}
	assert_int_equal(lineup_running(w->l), running);
	assert_int_equal(lineup_waiting(w->l), waiting);
	assert_true(running <= RUNNING_MAX);
	for (size_t h = 0; running < RUNNING_MAX && h < HOSTS; h++)
		assert_false(waits_for[h] && has_room(w, w->hosts[h]));
}

static void begin_by_rules(struct life *w)
{
	struct lineup_item *item;

	while ((item = lineup_take(w->l, w->now_ms)) != NULL) {
		struct some *s = container_of(item, struct some, item);
		size_t i = (size_t)(s - w->checks);

		assert_int_equal(w->states[i], WAITS);
		assert_true(has_room(w, s->host));
		for (size_t j = 0; j < CHECKS; j++) {
			if (w->states[j] == WAITS && w->checks[j].host == s->host)
				assert_true(w->checks[j].rank >= s->rank);
		}
		lineup_begin(w->l, item, &s->place, w->now_ms);
		s->begun_ms = w->now_ms;
		w->states[i] = RUNS;
	}
}

static void limits_and_order_hold_whatever_happens(void **state)
{
	struct life *w = mem_alloc(sizeof(*w));
	unsigned seed = 11;
	char name[16];

	(void)state;
	w->l = lineup_new(RUNNING_MAX, HOST_MAX);
	for (size_t h = 0; h < HOSTS - 1; h++) {
		snprintf(name, sizeof(name), "host%zu:1", h);
		w->hosts[h] = lineup_host(w->l, name);
		assert_ptr_equal(lineup_host(w->l, name), w->hosts[h]);
	}
	for (int step = 0; step < 5000; step++) {
		w->now_ms += rand_r(&seed) % 6;
		for (int k = rand_r(&seed) % 5; k > 0; k--) {
			size_t i = (size_t)rand_r(&seed) % CHECKS;
			struct some *s = &w->checks[i];

			if (w->states[i] != IDLE)
				continue;
			add(w->l, s, w->hosts[i % HOSTS]);
			s->rank = ++w->next_rank;
			w->states[i] = WAITS;
			/* Most answer at once, some hang. */
			w->until_ms[i] = rand_r(&seed) % 5 == 0 ? 200 : 3;
		}
		begin_by_rules(w);
		check_limits(w);
		for (size_t i = 0; i < CHECKS; i++) {
			if (w->states[i] != RUNS ||
			    w->now_ms < w->checks[i].begun_ms + w->until_ms[i])
				continue;
			lineup_end(w->l, &w->checks[i].place);
			w->states[i] = IDLE;
		}
	}
	lineup_free(w->l);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_host_only_the_total_counts),
		cmocka_unit_test(one_busy_host_steps_aside_for_the_others),
		cmocka_unit_test(one_that_hangs_gives_up_its_turn),
		cmocka_unit_test(two_busy_hosts_take_turns),
		cmocka_unit_test(what_is_forgotten_never_begins),
		cmocka_unit_test(limits_and_order_hold_whatever_happens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
