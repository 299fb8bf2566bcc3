/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "store/uptime_math.h"

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static struct uptime_spans watched(int64_t from, int64_t to)
{
	struct uptime_spans s = {0};

	uptime_spans_add(&s, from, to);
	return s;
}

/* --- spans --- */

static void expect_spans(const struct uptime_spans *s, const struct uptime_span *v, size_t n)
{
	assert_int_equal(s->n, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(s->v[i].from_ms, v[i].from_ms);
		assert_int_equal(s->v[i].to_ms, v[i].to_ms);
	}
}

static void a_quick_restart_is_no_gap(void **state)
{
	struct uptime_spans s = watched(0, HOUR);

	(void)state;
	uptime_spans_add(&s, HOUR + UPTIME_GAP_MS - 1, 2 * HOUR);
	expect_spans(&s, (struct uptime_span[]){{0, 2 * HOUR}}, 1);
	uptime_spans_add(&s, 2 * HOUR + UPTIME_GAP_MS, 3 * HOUR);
	expect_spans(
		&s, (struct uptime_span[]){{0, 2 * HOUR}, {2 * HOUR + UPTIME_GAP_MS, 3 * HOUR}}, 2);
	/* One that began within another and ended before it changes nothing. */
	uptime_spans_add(&s, 2 * HOUR + 2 * UPTIME_GAP_MS, 2 * HOUR + 3 * UPTIME_GAP_MS);
	assert_int_equal(s.n, 2);
	uptime_spans_extend(&s);
	assert_int_equal(s.v[1].to_ms, 3 * HOUR + UPTIME_SILENCE_MS);
	uptime_spans_done(&s);
}

static void pauses_are_cut_out(void **state)
{
	struct uptime_spans s = watched(0, 10);

	(void)state;
	uptime_spans_add(&s, 100000, 100010);
	uptime_spans_cut(&s, 3, 5);
	expect_spans(&s, (struct uptime_span[]){{0, 3}, {5, 10}, {100000, 100010}}, 3);
	uptime_spans_cut(&s, 8, 100005);
	expect_spans(&s, (struct uptime_span[]){{0, 3}, {5, 8}, {100005, 100010}}, 3);
	uptime_spans_cut(&s, 5, 8);
	expect_spans(&s, (struct uptime_span[]){{0, 3}, {100005, 100010}}, 2);
	uptime_spans_cut(&s, 3, 100005);
	assert_int_equal(s.n, 2);
	assert_int_equal(uptime_spans_total(&s, 1, 100006), 3);
	uptime_spans_cut(&s, 0, INT64_MAX);
	assert_int_equal(s.n, 0);
	uptime_spans_done(&s);
}

/* --- uptime --- */

/* S4-38: 43 minutes in 30 days. S2-73: 30 minutes in a day. */
static void an_outage_is_what_it_is_of_the_time(void **state)
{
	struct uptime_spans s = watched(0, 30 * DAY);
	struct uptime_math m;

	(void)state;
	uptime_begin(&m, 0, STATUS_HEALTHY);
	uptime_change(&m, &s, 5 * DAY, STATUS_DOWN);
	uptime_change(&m, &s, 5 * DAY + 43 * MINUTE, STATUS_HEALTHY);
	uptime_end(&m, &s, 30 * DAY);
	assert_true(fabs(uptime_percent(&m) - 99.90046) < 0.00001);
	assert_int_equal(m.outages, 1);
	assert_int_equal(m.longest_ms, 43 * MINUTE);
	assert_true(uptime_mttr(&m) == (double)(43 * MINUTE));
	assert_true(uptime_mtbf(&m) == (double)(30 * DAY - 43 * MINUTE));

	uptime_begin(&m, 29 * DAY, STATUS_DEGRADED);
	uptime_change(&m, &s, 29 * DAY + HOUR, STATUS_CRITICAL);
	uptime_change(&m, &s, 29 * DAY + HOUR + 30 * MINUTE, STATUS_DEGRADED);
	uptime_end(&m, &s, 30 * DAY);
	assert_true(fabs(uptime_percent(&m) - 97.91667) < 0.00001);
	uptime_spans_done(&s);
}

static void what_was_not_monitored_counts_for_nothing(void **state)
{
	struct uptime_spans s = watched(1000, 2000), none = {0};
	struct uptime_math m;

	(void)state;
	uptime_spans_add(&s, 100000, 101000);
	uptime_begin(&m, 0, -1);
	uptime_change(&m, &s, 1100, STATUS_UNKNOWN);  /* 100 before: no status */
	uptime_change(&m, &s, 1300, STATUS_HEALTHY);  /* 200 unknown */
	uptime_change(&m, &s, 1900, STATUS_DOWN);     /* 600 healthy */
	uptime_change(&m, &s, 50000, STATUS_HEALTHY); /* 100 down, then nobody looked */
	uptime_end(&m, &s, 200000);
	assert_int_equal(m.ms[STATUS_HEALTHY], 600 + 1000);
	assert_int_equal(m.ms[STATUS_DOWN], 100);
	assert_int_equal(m.ms[STATUS_UNKNOWN], 0);
	assert_int_equal(uptime_monitored(&m), 1700);
	assert_int_equal(m.outages, 1);

	uptime_begin(&m, 0, STATUS_DOWN);
	uptime_change(&m, &none, 1000, STATUS_HEALTHY);
	uptime_end(&m, &none, 2000);
	assert_true(isnan(uptime_percent(&m)) && isnan(uptime_mttr(&m)) && isnan(uptime_mtbf(&m)));
	assert_int_equal(m.outages, 0); /* that nobody saw */
	uptime_spans_done(&s);
}

static void an_outage_lasts_until_it_is_well_again(void **state)
{
	struct uptime_spans s = watched(0, 10000);
	struct uptime_math m;

	(void)state;
	uptime_begin(&m, 0, STATUS_CRITICAL); /* from before */
	uptime_change(&m, &s, 1000, STATUS_DOWN);
	uptime_change(&m, &s, 2000, STATUS_UNKNOWN); /* neither ends it nor lengthens it */
	uptime_change(&m, &s, 5000, STATUS_DOWN);
	uptime_change(&m, &s, 6000, STATUS_DEGRADED);
	uptime_change(&m, &s, 9000, STATUS_CRITICAL);
	uptime_end(&m, &s, 10000); /* still so */
	assert_int_equal(m.outages, 2);
	assert_int_equal(m.repaired, 1);
	assert_int_equal(m.longest_ms, 3000);
	assert_true(uptime_mttr(&m) == 3000.0);
	assert_true(uptime_mtbf(&m) == 1500.0);
	uptime_spans_done(&s);
}

/* --- against a model that looks at every millisecond --- */

#define RANGE  400
#define ROUNDS 3000

struct model {
	bool is_watched[RANGE];
	int status[RANGE];
};

/* Gaps are far apart in the model, so that none is joined: its millisecond is a minute. */
static void random_spans(struct model *w, struct uptime_spans *s)
{
	int at = (int)(random() % 20);

	while (at < RANGE) {
		int from = at, to = at + 1 + (int)(random() % 100);

		uptime_spans_add(s, from * MINUTE, HALE_MIN(to, RANGE) * MINUTE);
		for (int i = from; i < to && i < RANGE; i++)
			w->is_watched[i] = true;
		at = to + 1 + (int)(random() % 30);
	}
	for (int i = 0; i < 3; i++) {
		int from = (int)(random() % RANGE), to = from + (int)(random() % 60);

		uptime_spans_cut(s, from * MINUTE, to * MINUTE);
		for (int k = from; k < to && k < RANGE; k++)
			w->is_watched[k] = false;
	}
}

static void expect_model(const struct model *w, const struct uptime_math *m)
{
	int64_t ms[STATUS_MAX] = {0}, outage = 0, longest = 0;
	uint64_t outages = 0, repaired = 0;

	for (int i = 0; i < RANGE; i++) {
		int status = w->status[i];

		if (status == STATUS_HEALTHY || status == STATUS_DEGRADED) {
			repaired += outage > 0;
			outage = 0;
		}
		if (!w->is_watched[i] || status < 0 || status == STATUS_UNKNOWN)
			continue;
		ms[status] += MINUTE;
		if (status == STATUS_CRITICAL || status == STATUS_DOWN) {
			outages += outage == 0;
			outage += MINUTE;
			longest = HALE_MAX(longest, outage);
		}
	}
	assert_memory_equal(ms, m->ms, sizeof(ms));
	assert_int_equal(outages, m->outages);
	assert_int_equal(repaired, m->repaired);
	assert_int_equal(longest, m->longest_ms);
}

static void any_history_counts_as_minute_by_minute(void **state)
{
	(void)state;
	srandom(5);
	for (int round = 0; round < ROUNDS; round++) {
		struct uptime_spans s = {0};
		struct model w = {0};
		struct uptime_math m;
		int status = (int)(random() % (STATUS_MAX + 1)) - 1;

		random_spans(&w, &s);
		uptime_begin(&m, 0, status);
		for (int i = 0; i < RANGE; i++) {
			if (random() % 25 == 0) {
				status = (int)(random() % STATUS_MAX);
				uptime_change(&m, &s, i * MINUTE, status);
			}
			w.status[i] = status;
		}
		uptime_end(&m, &s, RANGE * MINUTE);
		expect_model(&w, &m);
		uptime_spans_done(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quick_restart_is_no_gap),
		cmocka_unit_test(pauses_are_cut_out),
		cmocka_unit_test(an_outage_is_what_it_is_of_the_time),
		cmocka_unit_test(what_was_not_monitored_counts_for_nothing),
		cmocka_unit_test(an_outage_lasts_until_it_is_well_again),
		cmocka_unit_test(any_history_counts_as_minute_by_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
