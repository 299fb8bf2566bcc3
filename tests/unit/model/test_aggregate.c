/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "model/judge.h"

#define MEMBERS_MAX 4
#define KINDS       (STATUS_MAX * IMPACT_MAX * 2)

static const struct aggregate_rule worst = {AGGREGATE_WORST_OF, 30, 50};
static const struct aggregate_rule shares = {AGGREGATE_RATIO, 30, 50};

/* n members, all counted and of full impact, as counts per status. */
static enum status total_of(const struct aggregate_rule *rule, size_t healthy, size_t degraded,
			    size_t critical, size_t down, size_t unknown)
{
	struct aggregate_member m[64];
	const size_t counts[STATUS_MAX] = {
		[STATUS_HEALTHY] = healthy,   [STATUS_DEGRADED] = degraded,
		[STATUS_CRITICAL] = critical, [STATUS_DOWN] = down,
		[STATUS_UNKNOWN] = unknown,
	};
	size_t n = 0;

	for (int s = 0; s < STATUS_MAX; s++) {
		for (size_t i = 0; i < counts[s]; i++)
			m[n++] =
				(struct aggregate_member){(enum status)s, IMPACT_CRITICAL, 1, true};
	}
	return health_aggregate(rule, m, n).status;
}

static void worst_of_follows_the_worst(void **state)
{
	(void)state;
	assert_int_equal(total_of(&worst, 4, 0, 0, 0, 0), STATUS_HEALTHY);
	assert_int_equal(total_of(&worst, 9, 1, 0, 0, 0), STATUS_DEGRADED);
	assert_int_equal(total_of(&worst, 9, 0, 0, 0, 1), STATUS_DEGRADED);
	assert_int_equal(total_of(&worst, 3, 0, 1, 0, 0), STATUS_CRITICAL);
	assert_int_equal(total_of(&worst, 3, 0, 0, 1, 0), STATUS_CRITICAL);
	assert_int_equal(total_of(&worst, 0, 0, 0, 3, 0), STATUS_DOWN);
	assert_int_equal(total_of(&worst, 0, 0, 0, 3, 1), STATUS_CRITICAL);
}

static void nothing_known_is_unknown_not_healthy(void **state)
{
	(void)state;
	assert_int_equal(total_of(&worst, 0, 0, 0, 0, 0), STATUS_UNKNOWN);
	assert_int_equal(total_of(&worst, 0, 0, 0, 0, 3), STATUS_UNKNOWN);
	assert_int_equal(total_of(&shares, 0, 0, 0, 0, 0), STATUS_UNKNOWN);
	assert_int_equal(total_of(&shares, 0, 0, 0, 0, 3), STATUS_UNKNOWN);
}

/* The numbers of S2-09 to S2-12; every boundary is strict. */
static void ratio_has_the_numbers_of_s2(void **state)
{
	(void)state;
	assert_int_equal(total_of(&shares, 9, 0, 0, 1, 0), STATUS_CRITICAL);
	assert_int_equal(total_of(&shares, 6, 0, 4, 0, 0), STATUS_CRITICAL);
	assert_int_equal(total_of(&shares, 7, 0, 3, 0, 0), STATUS_DEGRADED);
	assert_int_equal(total_of(&shares, 3, 0, 1, 0, 0), STATUS_DEGRADED);
	assert_int_equal(total_of(&shares, 1, 3, 0, 0, 0), STATUS_DEGRADED);
	assert_int_equal(total_of(&shares, 3, 1, 0, 0, 0), STATUS_HEALTHY);
	assert_int_equal(total_of(&shares, 5, 5, 0, 0, 0), STATUS_HEALTHY);
	assert_int_equal(total_of(&shares, 4, 3, 0, 0, 3), STATUS_DEGRADED);
	assert_int_equal(total_of(&shares, 0, 0, 0, 2, 0), STATUS_DOWN);
}

static void impact_caps_what_a_member_may_do(void **state)
{
	struct aggregate_member m[] = {
		{STATUS_HEALTHY, IMPACT_CRITICAL, 1, true},
		{STATUS_DOWN, IMPACT_DEGRADED, 1, true},
	};

	(void)state;
	assert_int_equal(health_aggregate(&worst, m, 2).status, STATUS_DEGRADED);
	m[1].impact = IMPACT_NONE;
	assert_int_equal(health_aggregate(&worst, m, 2).status, STATUS_HEALTHY);
	/* It is still counted as what it is. */
	assert_int_equal(health_aggregate(&worst, m, 2).counts[STATUS_DOWN], 1);
}

static void what_is_not_counted_is_not_seen(void **state)
{
	struct aggregate_member m[] = {
		{STATUS_HEALTHY, IMPACT_CRITICAL, 1, true},
		{STATUS_DOWN, IMPACT_CRITICAL, 100, false},
	};
	struct aggregate a = health_aggregate(&worst, m, 2);

	(void)state;
	assert_int_equal(a.status, STATUS_HEALTHY);
	assert_int_equal(a.total, 1);
	assert_int_equal(a.counts[STATUS_DOWN], 0);
	assert_true(a.score > 99.9);
}

static double score_of(enum status a, double wa, enum status b, double wb)
{
	struct aggregate_member m[] = {{a, IMPACT_CRITICAL, wa, true}, {b, IMPACT_NONE, wb, true}};

	return health_aggregate(&worst, m, 2).score;
}

static void the_score_is_weighted_with_one_decimal(void **state)
{
	(void)state;
	assert_float_equal(score_of(STATUS_HEALTHY, 1, STATUS_HEALTHY, 5), 100.0, 1e-9);
	assert_float_equal(score_of(STATUS_HEALTHY, 1, STATUS_DEGRADED, 1), 75.0, 1e-9);
	assert_float_equal(score_of(STATUS_HEALTHY, 2, STATUS_CRITICAL, 1), 66.7, 1e-9);
	assert_float_equal(score_of(STATUS_HEALTHY, 1, STATUS_DOWN, 2), 33.3, 1e-9);
	assert_float_equal(score_of(STATUS_DEGRADED, 1, STATUS_UNKNOWN, 9), 50.0, 1e-9);
	assert_float_equal(score_of(STATUS_HEALTHY, 65, STATUS_DEGRADED, 2), 98.5, 1e-9);
	assert_true(isnan(score_of(STATUS_UNKNOWN, 1, STATUS_UNKNOWN, 1)));
	assert_true(isnan(score_of(STATUS_HEALTHY, 0, STATUS_DOWN, 0)));
	assert_true(isnan(health_aggregate(&worst, NULL, 0).score));
}

/* The naive total: reads the rules as sentences, one member after the other. */
static enum status naive_total(bool is_ratio, const struct aggregate_member *m, int n)
{
	int counted = 0, unknown = 0, down = 0, bad = 0, gone = 0, soft = 0;
	bool is_critical;

	for (int i = 0; i < n; i++) {
		bool hurts = m[i].is_counted && m[i].impact != IMPACT_NONE;
		bool is_bad = m[i].status == STATUS_CRITICAL || m[i].status == STATUS_DOWN;

		counted += m[i].is_counted;
		unknown += m[i].is_counted && m[i].status == STATUS_UNKNOWN;
		down += m[i].is_counted && m[i].status == STATUS_DOWN;
		bad += hurts && is_bad && m[i].impact == IMPACT_CRITICAL;
		gone += hurts && m[i].status == STATUS_DOWN && m[i].impact == IMPACT_CRITICAL;
		soft += hurts && ((is_bad && m[i].impact == IMPACT_DEGRADED) ||
				  m[i].status == STATUS_DEGRADED || m[i].status == STATUS_UNKNOWN);
	}
	if (unknown == counted)
		return STATUS_UNKNOWN;
	is_critical = is_ratio ? gone > 0 || bad * 10 > counted * 3 : bad > 0;
	if (is_critical)
		return down == counted ? STATUS_DOWN : STATUS_CRITICAL;
	if (bad > 0 || (is_ratio ? soft * 2 > counted : soft > 0))
		return STATUS_DEGRADED;
	return STATUS_HEALTHY;
}

/* Every status, impact and "counted" of up to four members: 2 x 837,931 totals. */
static void the_complete_truth_table_holds(void **state)
{
	(void)state;
	for (int n = 0, rows = 1; n <= MEMBERS_MAX; n++, rows *= KINDS) {
		for (int row = 0; row < rows; row++) {
			struct aggregate_member m[MEMBERS_MAX];

			for (int i = 0, rest = row; i < n; i++, rest /= KINDS) {
				int kind = rest % KINDS;

				m[i] = (struct aggregate_member){
					.status = (enum status)(kind % STATUS_MAX),
					.impact = (enum impact)(kind / STATUS_MAX % IMPACT_MAX),
					.is_counted = kind / STATUS_MAX / IMPACT_MAX,
					.weight = 1,
				};
			}
			if (health_aggregate(&worst, m, (size_t)n).status !=
			    naive_total(false, m, n))
				fail_msg("worst_of: %d members, row %d", n, row);
			if (health_aggregate(&shares, m, (size_t)n).status !=
			    naive_total(true, m, n))
				fail_msg("ratio: %d members, row %d", n, row);
		}
	}
}

/* S2-13: every distribution of up to ten members over the five statuses, in both policies. */
static void every_count_up_to_ten_holds(void **state)
{
	(void)state;
	for (int row = 0; row < 11 * 11 * 11 * 11 * 11; row++) {
		struct aggregate_member m[10];
		int n = 0, sum = 0;

		for (int s = 0, rest = row; s < STATUS_MAX; s++, rest /= 11)
			sum += rest % 11;
		if (sum > 10)
			continue;
		for (int s = 0, rest = row; s < STATUS_MAX; s++, rest /= 11) {
			for (int i = 0; i < rest % 11; i++)
				m[n++] = (struct aggregate_member){(enum status)s, IMPACT_CRITICAL,
								   1, true};
		}
		assert_int_equal(health_aggregate(&worst, m, (size_t)n).status,
				 naive_total(false, m, n));
		assert_int_equal(health_aggregate(&shares, m, (size_t)n).status,
				 naive_total(true, m, n));
	}
}

/* Members that change one by one come to what they come to all at once. */
static void a_tally_kept_up_is_one_counted_anew(void **state)
{
	struct aggregate_member m[50] = {0};
	struct aggregate_tally t = {0};
	unsigned seed = 5;

	(void)state;
	for (int step = 0; step < 20000; step++) {
		size_t i = (size_t)rand_r(&seed) % 50;
		const struct aggregate_rule *rule = step % 2 == 0 ? &worst : &shares;
		struct aggregate kept, anew;

		aggregate_drop(&t, &m[i]);
		m[i] = (struct aggregate_member){
			.status = (enum status)(rand_r(&seed) % STATUS_MAX),
			.impact = (enum impact)(rand_r(&seed) % IMPACT_MAX),
			.weight = (rand_r(&seed) % 50) / 10.0,
			.is_counted = rand_r(&seed) % 4 != 0,
		};
		aggregate_add(&t, &m[i]);
		kept = aggregate_of(rule, &t);
		anew = health_aggregate(rule, m, 50);
		assert_int_equal(kept.status, anew.status);
		assert_int_equal(kept.total, anew.total);
		assert_memory_equal(kept.counts, anew.counts, sizeof(kept.counts));
		assert_true(kept.score == anew.score || (isnan(kept.score) && isnan(anew.score)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(worst_of_follows_the_worst),
		cmocka_unit_test(nothing_known_is_unknown_not_healthy),
		cmocka_unit_test(a_tally_kept_up_is_one_counted_anew),
		cmocka_unit_test(ratio_has_the_numbers_of_s2),
		cmocka_unit_test(impact_caps_what_a_member_may_do),
		cmocka_unit_test(what_is_not_counted_is_not_seen),
		cmocka_unit_test(the_score_is_weighted_with_one_decimal),
		cmocka_unit_test(the_complete_truth_table_holds),
		cmocka_unit_test(every_count_up_to_ten_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
