/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "model/judge.h"

#define NOW       INT64_C(1795311037123)
#define SEQUENCES 100000
#define STEPS_MAX 24

static char took_ms[] = "took_ms";
static char free_percent[] = "free_percent";

static struct metric_threshold limits[] = {
	{took_ms, {OP_GT, 2000}, {OP_GT, 5000}},
	{free_percent, {OP_LT, 20}, {OP_LE, 5}},
};

/* Judged at once, with thresholds; each test changes what it is about. */
static struct component_spec a_spec(void)
{
	return (struct component_spec){
		.interval_ms = 10000,
		.timeout_ms = 5000,
		.degraded_after = 1,
		.critical_after = 1,
		.recover_after = 1,
		.on_error = STATUS_UNKNOWN,
		.is_enabled = true,
		.thresholds = limits,
		.thresholds_n = 2,
	};
}

static bool judge(const struct component_spec *spec, struct component_state *s,
		  enum outcome outcome, double took)
{
	struct observation o = {
		.at_ms = NOW, .outcome = outcome, .reason = "told", .took_ms = took};

	return health_judge(spec, s, &o, NOW, NULL);
}

/* Feeds letters (p w f d e) and compares the status after each (h u d c D). */
static void expect(const struct component_spec *spec, const char *outcomes, const char *statuses)
{
	static const char outcome_letters[] = "pwfde", status_letters[] = "hudcD";
	struct component_state s;

	component_state_init(&s, spec, NOW);
	for (size_t i = 0; outcomes[i] != '\0'; i++) {
		const char *o = strchr(outcome_letters, outcomes[i]);

		(void)judge(spec, &s, (enum outcome)(o - outcome_letters), 1);
		if (status_letters[s.status] != statuses[i])
			fail_msg("%s, step %zu: %c, not %c", outcomes, i, status_letters[s.status],
				 statuses[i]);
	}
	assert_int_equal(strlen(outcomes), strlen(statuses));
	component_state_done(&s);
}

static void rule_1_each_outcome_asks_for_its_severity(void **state)
{
	struct component_spec spec = a_spec();

	(void)state;
	expect(&spec, "p", "h");
	expect(&spec, "w", "d");
	expect(&spec, "f", "c");
	expect(&spec, "d", "D");
	expect(&spec, "e", "u");
}

static void rule_1_an_error_is_judged_as_configured(void **state)
{
	struct component_spec spec = a_spec();

	(void)state;
	spec.on_error = STATUS_CRITICAL;
	expect(&spec, "pe", "hc");
	spec.on_error = STATUS_HEALTHY;
	expect(&spec, "fe", "ch");
}

static void rule_1_thresholds_raise_what_passes_or_warns(void **state)
{
	static const struct {
		enum outcome outcome;
		double took, free; /* free < 0: not reported */
		enum status status;
		const char *reason, *message;
	} rows[] = {
		{OUTCOME_PASS, 2000, -1, STATUS_HEALTHY, "told", "As told"},
		{OUTCOME_PASS, 2310, -1, STATUS_DEGRADED, "threshold", "took_ms 2310 > 2000"},
		{OUTCOME_PASS, 5000.5, -1, STATUS_CRITICAL, "threshold", "took_ms 5000.5 > 5000"},
		{OUTCOME_PASS, 1, 19.9, STATUS_DEGRADED, "threshold", "free_percent 19.9 < 20"},
		{OUTCOME_PASS, 2310, 5, STATUS_CRITICAL, "threshold", "free_percent 5 <= 5"},
		{OUTCOME_PASS, 2310, 10, STATUS_DEGRADED, "threshold", "took_ms 2310 > 2000"},
		{OUTCOME_WARN, 2310, 10, STATUS_DEGRADED, "told", "As told"},
		{OUTCOME_WARN, 9000, -1, STATUS_CRITICAL, "threshold", "took_ms 9000 > 5000"},
		{OUTCOME_FAIL, 9000, 1, STATUS_CRITICAL, "told", "As told"},
		{OUTCOME_DOWN, 9000, 1, STATUS_DOWN, "told", "As told"},
		{OUTCOME_ERROR, 9000, 1, STATUS_UNKNOWN, "told", "As told"},
	};
	struct component_spec spec = a_spec();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct component_state s;
		struct observation o = {
			.outcome = rows[i].outcome, .reason = "told", .took_ms = rows[i].took};

		if (rows[i].free >= 0)
			o.metrics = json_pack("{s:f}", free_percent, rows[i].free);
		component_state_init(&s, &spec, NOW);
		(void)health_judge(&spec, &s, &o, NOW, NULL);
		assert_int_equal(s.status, rows[i].status);
		assert_string_equal(s.reason, rows[i].reason);
		assert_string_equal(s.message, rows[i].message);
		component_state_done(&s);
	}
}

static void rule_2_errors_leave_the_counters_alone(void **state)
{
	struct component_spec spec = a_spec();
	struct component_state s;

	(void)state;
	component_state_init(&s, &spec, NOW);
	(void)judge(&spec, &s, OUTCOME_FAIL, 1);
	(void)judge(&spec, &s, OUTCOME_FAIL, 1);
	(void)judge(&spec, &s, OUTCOME_ERROR, 1);
	assert_int_equal(s.failures, 2);
	assert_int_equal(s.status, STATUS_UNKNOWN);
	(void)judge(&spec, &s, OUTCOME_PASS, 1);
	assert_int_equal(s.failures, 0);
	assert_int_equal(s.passes, 1);
	component_state_done(&s);
}

static void rule_3_the_s3_profile_is_degraded_then_critical(void **state)
{
	struct component_spec spec = a_spec();

	(void)state;
	spec.critical_after = 3;
	expect(&spec, "pffffp", "hddcch");
	expect(&spec, "pddd", "hddD");
	expect(&spec, "pwwww", "hdddd");
}

static void rule_3_fewer_failures_change_nothing(void **state)
{
	struct component_spec spec = a_spec();

	(void)state;
	spec.degraded_after = 2;
	spec.critical_after = 4;
	expect(&spec, "pfffff", "hhddcc");
	expect(&spec, "ffff", "uddc");
	expect(&spec, "pfpfpf", "hhhhhh");
	expect(&spec, "pefp", "huuh");
}

static void rule_3_a_failure_is_never_an_improvement(void **state)
{
	struct component_spec spec = a_spec();

	(void)state;
	spec.critical_after = 3;
	spec.recover_after = 3;
	/* One pass resets the counter but does not recover; the next failures keep it critical...
	 */
	expect(&spec, "fffpff", "ddcccc");
	/* ...until something milder is really asked for. */
	expect(&spec, "fffpw", "ddccd");
}

static void rule_4_recovery_takes_passes_in_a_row(void **state)
{
	struct component_spec spec = a_spec();

	(void)state;
	spec.recover_after = 3;
	expect(&spec, "p", "h");
	expect(&spec, "fppp", "ccch");
	expect(&spec, "fppfppp", "cccccch");
	expect(&spec, "wppp", "dddh");
}

static void rule_4_an_unknown_in_between_is_no_short_cut(void **state)
{
	struct component_spec spec = a_spec();

	(void)state;
	spec.recover_after = 3;
	expect(&spec, "feppp", "cuuuh");
	expect(&spec, "fpepp", "ccuuh");
	expect(&spec, "pep", "huh");
}

static void rule_5_silence_becomes_unknown_once(void **state)
{
	struct component_spec spec = a_spec();
	struct component_state s;
	enum status from = STATUS_MAX;

	(void)state;
	component_state_init(&s, &spec, NOW);
	(void)judge(&spec, &s, OUTCOME_PASS, 1);
	assert_int_equal(health_due(&spec, &s), NOW + 35000);
	assert_false(health_tick(&spec, &s, NOW + 34999, &from));
	assert_int_equal(s.status, STATUS_HEALTHY);
	assert_true(health_tick(&spec, &s, NOW + 35000, &from));
	assert_int_equal(from, STATUS_HEALTHY);
	assert_int_equal(s.since_ms, NOW + 35000);
	assert_string_equal(s.message, "No data for 35s");
	assert_string_equal(s.reason, "no_data");
	assert_int_equal(health_due(&spec, &s), INT64_MAX);
	assert_false(health_tick(&spec, &s, NOW + 99999, NULL));
	/* The next observation is judged, and arms the clock, as ever. */
	assert_true(judge(&spec, &s, OUTCOME_PASS, 1));
	assert_int_equal(health_due(&spec, &s), NOW + 35000);
	component_state_done(&s);
}

static void rule_5_a_component_never_seen_says_so_without_a_change(void **state)
{
	struct component_spec spec = a_spec();
	struct component_state s;

	(void)state;
	component_state_init(&s, &spec, NOW);
	assert_false(health_tick(&spec, &s, NOW + 35000, NULL));
	assert_string_equal(s.message, "No data for 35s");
	assert_int_equal(s.since_ms, NOW);
	component_state_done(&s);
}

/* The naive judge: keeps all it ever saw and counts afresh each time. */
struct store {
	enum status asked[STEPS_MAX];      /* unknown for an error and for silence */
	enum status status[STEPS_MAX + 1]; /* status[0]: before anything */
	int n;
};

static uint32_t run_of(const struct store *h, bool is_healthy)
{
	uint32_t n = 0;

	for (int i = h->n - 1; i >= 0; i--) {
		if (h->asked[i] == STATUS_UNKNOWN)
			continue;
		if ((h->asked[i] == STATUS_HEALTHY) != is_healthy)
			break;
		n++;
	}
	return n;
}

static bool was_bad(const struct store *h)
{
	for (int i = h->n - 1; i >= 0; i--) {
		if (h->status[i] != STATUS_UNKNOWN)
			return h->status[i] != STATUS_HEALTHY;
	}
	return false;
}

static enum status naive(const struct component_spec *spec, struct store *h, enum status asked)
{
	enum status now = h->status[h->n];
	uint32_t failures;

	h->asked[h->n++] = asked;
	if (asked == STATUS_UNKNOWN)
		return STATUS_UNKNOWN;
	if (asked == STATUS_HEALTHY)
		return was_bad(h) && run_of(h, true) < spec->recover_after ? now : STATUS_HEALTHY;
	failures = run_of(h, false);
	if (failures >= spec->critical_after)
		return asked;
	if (failures < spec->degraded_after)
		return now;
	if ((asked == STATUS_CRITICAL || asked == STATUS_DOWN) &&
	    (now == STATUS_CRITICAL || now == STATUS_DOWN))
		return now;
	return STATUS_DEGRADED;
}

static enum status naive_asked(const struct component_spec *spec, enum outcome o, double took)
{
	static const enum status plain[] = {STATUS_HEALTHY, STATUS_DEGRADED, STATUS_CRITICAL,
					    STATUS_DOWN};

	if (o == OUTCOME_ERROR)
		return spec->on_error;
	if ((o == OUTCOME_PASS || o == OUTCOME_WARN) && took > 5000)
		return STATUS_CRITICAL;
	if (o == OUTCOME_PASS && took > 2000)
		return STATUS_DEGRADED;
	return plain[o];
}

static void random_sequence(void)
{
	static const double times[] = {1, 2000, 2001, 5000, 5001};
	struct component_spec spec = a_spec();
	struct store h = {.status = {STATUS_UNKNOWN}};
	struct component_state s;
	int64_t now = NOW, since = NOW;
	long steps = 1 + random() % STEPS_MAX;

	spec.degraded_after = 1 + (uint32_t)random() % 3;
	spec.critical_after = spec.degraded_after + (uint32_t)random() % 3;
	spec.recover_after = 1 + (uint32_t)random() % 4;
	spec.on_error = (enum status)(random() % 2 ? STATUS_UNKNOWN : random() % STATUS_MAX);
	component_state_init(&s, &spec, now);
	for (long i = 0; i < steps; i++) {
		enum outcome outcome = (enum outcome)(random() % 3 ? OUTCOME_PASS : random() % 5);
		double took = times[random() % 5 * (random() % 2)];
		bool is_silent = random() % 8 == 0 && s.due_ms != 0;
		enum status was = s.status, want, from = STATUS_MAX;
		bool changed;

		now += is_silent ? 35000 : random() % 35000;
		want = naive(&spec, &h,
			     is_silent ? STATUS_UNKNOWN : naive_asked(&spec, outcome, took));
		h.status[h.n] = want;
		if (is_silent) {
			changed = health_tick(&spec, &s, now, &from);
		} else {
			struct observation o = {.at_ms = now,
						.outcome = outcome,
						.reason = "told",
						.took_ms = took};

			assert_false(now >= health_due(&spec, &s));
			changed = health_judge(&spec, &s, &o, now, &from);
		}
		assert_int_equal(s.status, want);
		assert_int_equal(changed, want != was);
		if (changed) {
			assert_int_equal(from, was);
			since = now;
		}
		assert_int_equal(s.since_ms, since);
		assert_int_equal(s.failures, run_of(&h, false));
		assert_int_equal(s.passes, run_of(&h, true));
	}
	component_state_done(&s);
}

static void rule_6_errors_are_counted_for_good_with_their_message(void **state)
{
	struct component_spec spec = a_spec();
	struct component_state s;

	(void)state;
	component_state_init(&s, &spec, NOW);
	assert_null(s.last_error);
	(void)judge(&spec, &s, OUTCOME_PASS, 1);
	assert_int_equal(s.error_count, 0);
	(void)judge(&spec, &s, OUTCOME_PASS, 2310); /* raised by a threshold */
	assert_string_equal(s.last_error, "took_ms 2310 > 2000");
	(void)judge(&spec, &s, OUTCOME_FAIL, 1);
	(void)judge(&spec, &s, OUTCOME_ERROR, 1);
	(void)judge(&spec, &s, OUTCOME_PASS, 1);
	assert_int_equal(s.error_count, 3);
	assert_string_equal(s.last_error, "As told");
	/* Stopped on purpose is no error. */
	spec.is_enabled = false;
	(void)judge(&spec, &s, OUTCOME_ERROR, 1);
	assert_int_equal(s.error_count, 3);
	component_state_done(&s);
}

static void rule_6_attempts_begin_anew_after_a_healthy_time(void **state)
{
	static const struct {
		int64_t healthy_ms;
		uint32_t attempts;
	} rows[] = {{JUDGE_STABLE_MS - 1, 2}, {JUDGE_STABLE_MS, 0}};
	struct component_spec spec = a_spec();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct observation pass = {.at_ms = NOW, .outcome = OUTCOME_PASS, .reason = "ok"};
		struct observation fail = {.at_ms = NOW, .outcome = OUTCOME_FAIL, .reason = "told"};
		struct component_state s;

		component_state_init(&s, &spec, NOW);
		s.recovery_attempts = 2;
		(void)health_judge(&spec, &s, &pass, NOW, NULL);
		assert_int_equal(s.recovery_attempts, 2); /* so that one sees what it took */
		(void)health_judge(&spec, &s, &fail, NOW + rows[i].healthy_ms, NULL);
		assert_int_equal(s.recovery_attempts, rows[i].attempts);
		component_state_done(&s);
	}
}

static void any_sequence_is_judged_as_by_the_naive_judge(void **state)
{
	(void)state;
	srandom(10);
	for (int i = 0; i < SEQUENCES; i++)
		random_sequence();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_1_each_outcome_asks_for_its_severity),
		cmocka_unit_test(rule_1_an_error_is_judged_as_configured),
		cmocka_unit_test(rule_1_thresholds_raise_what_passes_or_warns),
		cmocka_unit_test(rule_2_errors_leave_the_counters_alone),
		cmocka_unit_test(rule_3_the_s3_profile_is_degraded_then_critical),
		cmocka_unit_test(rule_3_fewer_failures_change_nothing),
		cmocka_unit_test(rule_3_a_failure_is_never_an_improvement),
		cmocka_unit_test(rule_4_recovery_takes_passes_in_a_row),
		cmocka_unit_test(rule_4_an_unknown_in_between_is_no_short_cut),
		cmocka_unit_test(rule_5_silence_becomes_unknown_once),
		cmocka_unit_test(rule_5_a_component_never_seen_says_so_without_a_change),
		cmocka_unit_test(rule_6_errors_are_counted_for_good_with_their_message),
		cmocka_unit_test(rule_6_attempts_begin_anew_after_a_healthy_time),
		cmocka_unit_test(any_sequence_is_judged_as_by_the_naive_judge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
