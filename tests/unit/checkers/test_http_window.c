/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "http_window.h"

#define MINUTE_MS 60000

static struct http_figures figures(struct http_window *w, int64_t now_ms)
{
	struct http_figures f = {0};

	assert_true(http_window_figures(w, now_ms, &f));
	return f;
}

static void one_failure_in_ten_is_ninety_percent(void **state)
{
	struct http_window w;

	(void)state;
	http_window_init(&w, MINUTE_MS);
	for (int i = 0; i < 10; i++)
		http_window_add(&w, i * 100, 10, i != 4);
	assert_true(figures(&w, 1000).success_rate_percent == 90);
	http_window_done(&w);
}

static void a_failed_one_counts_with_the_time_it_is_given(void **state)
{
	struct http_window w;

	(void)state;
	http_window_init(&w, MINUTE_MS);
	http_window_add(&w, 0, 100, true);
	http_window_add(&w, 0, 5000, false);
	assert_true(figures(&w, 0).average_ms == 2550);
	http_window_done(&w);
}

static void what_is_as_old_as_the_window_is_forgotten(void **state)
{
	struct http_window w;
	struct http_figures f = {.n = 7};

	(void)state;
	http_window_init(&w, MINUTE_MS);
	http_window_add(&w, 0, 1, false);
	http_window_add(&w, 1, 1, true);
	assert_true(figures(&w, MINUTE_MS - 1).success_rate_percent == 50);
	assert_true(figures(&w, MINUTE_MS).success_rate_percent == 100);
	assert_false(http_window_figures(&w, MINUTE_MS + 1, &f));
	assert_int_equal(f.n, 7);
	http_window_done(&w);
}

static void the_95th_percentile_is_the_nearest_rank(void **state)
{
	struct http_window w;

	(void)state;
	http_window_init(&w, MINUTE_MS);
	http_window_add(&w, 0, 3, true);
	assert_true(figures(&w, 0).p95_ms == 3);
	for (int i = 1; i < 20; i++)
		http_window_add(&w, 0, i == 7 ? 900 : 1, true);
	/* 19 of 20 are no more than 3. */
	assert_true(figures(&w, 0).p95_ms == 3);
	http_window_add(&w, 0, 800, true);
	assert_true(figures(&w, 0).p95_ms == 800);
	http_window_done(&w);
}

/* ---- Against a list that keeps everything ---- */

#define NAIVE_MAX 8000

static struct http_sample naive[NAIVE_MAX];
static size_t naive_n;

static int by_time(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static struct http_figures naive_figures(int64_t now_ms, int64_t span_ms)
{
	static double times[NAIVE_MAX];
	struct http_figures f = {0};
	size_t first = naive_n > HTTP_WINDOW_MAX ? naive_n - HTTP_WINDOW_MAX : 0;
	size_t good = 0;

	for (size_t i = first; i < naive_n; i++) {
		if (naive[i].at_ms <= now_ms - span_ms)
			continue;
		times[f.n++] = (double)naive[i].took_ms;
		f.average_ms += (double)naive[i].took_ms;
		good += naive[i].is_success;
	}
	if (f.n == 0)
		return f;
	f.average_ms /= (double)f.n;
	f.success_rate_percent = 100 * (double)good / (double)f.n;
	qsort(times, f.n, sizeof(*times), by_time);
	for (size_t i = 0; i < f.n; i++) {
		f.p95_ms = times[i];
		if ((double)(i + 1) >= 0.95 * (double)f.n - 1e-9)
			break;
	}
	return f;
}

static void it_agrees_with_a_list_of_everything(void **state)
{
	(void)state;
	srand(1);
	for (int round = 0; round < 20; round++) {
		int64_t span_ms = 1 + rand() % 20000;
		int64_t now_ms = 0;
		struct http_window w;

		http_window_init(&w, span_ms);
		naive_n = 0;
		while (naive_n < 2500) {
			struct http_figures got = {0}, want;

			now_ms += rand() % (round % 3 == 0 ? 2 : 60);
			naive[naive_n] = (struct http_sample){.at_ms = now_ms,
							      .took_ms = (float)(rand() % 1000),
							      .is_success = rand() % 5 != 0};
			http_window_add(&w, now_ms, (double)naive[naive_n].took_ms,
					naive[naive_n].is_success);
			naive_n++;
			if (rand() % 10 != 0)
				continue;
			now_ms += rand() % 3 == 0 ? rand() % (int)span_ms : 0;
			want = naive_figures(now_ms, span_ms);
			assert_int_equal(http_window_figures(&w, now_ms, &got), want.n > 0);
			assert_int_equal(got.n, want.n);
			assert_true(got.n <= HTTP_WINDOW_MAX);
			assert_true(fabs(got.average_ms - want.average_ms) < 1e-6);
			assert_true(fabs(got.success_rate_percent - want.success_rate_percent) <
				    1e-9);
			assert_true(got.p95_ms == want.p95_ms);
		}
		http_window_done(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_failure_in_ten_is_ninety_percent),
		cmocka_unit_test(a_failed_one_counts_with_the_time_it_is_given),
		cmocka_unit_test(what_is_as_old_as_the_window_is_forgotten),
		cmocka_unit_test(the_95th_percentile_is_the_nearest_rank),
		cmocka_unit_test(it_agrees_with_a_list_of_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
