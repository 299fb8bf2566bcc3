/* SPDX-License-Identifier: Apache-2.0 */
#include "http_window.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define FIRST_CAP   16
#define PERCENT     100
#define P95_PERCENT 95

void http_window_init(struct http_window *w, int64_t span_ms)
{
	HALE_ASSERT(span_ms > 0);
	*w = (struct http_window){.span_ms = span_ms};
}

void http_window_done(struct http_window *w)
{
	free(w->ring);
	w->ring = NULL;
	w->cap = w->first = w->n = 0;
}

static struct http_sample *sample(const struct http_window *w, size_t i)
{
	return &w->ring[(w->first + i) % w->cap];
}

static void drop_oldest(struct http_window *w)
{
	w->first = (w->first + 1) % w->cap;
	w->n--;
}

static void grow(struct http_window *w)
{
	size_t cap = w->cap == 0 ? FIRST_CAP : HALE_MIN(2 * w->cap, (size_t)HTTP_WINDOW_MAX);
	struct http_sample *ring = mem_array(cap, sizeof(*ring));

	for (size_t i = 0; i < w->n; i++)
		ring[i] = *sample(w, i);
	free(w->ring);
	w->ring = ring;
	w->cap = cap;
	w->first = 0;
}

static void forget_old(struct http_window *w, int64_t now_ms)
{
	while (w->n > 0 && sample(w, 0)->at_ms <= now_ms - w->span_ms)
		drop_oldest(w);
}

void http_window_add(struct http_window *w, int64_t now_ms, double took_ms, bool is_success)
{
	forget_old(w, now_ms);
	if (w->n == HTTP_WINDOW_MAX)
		drop_oldest(w);
	else if (w->n == w->cap)
		grow(w);
	*sample(w, w->n++) = (struct http_sample){
		.at_ms = now_ms, .took_ms = (float)took_ms, .is_success = is_success};
}

static int compare(const void *a, const void *b)
{
	const float *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double p95(const struct http_window *w)
{
	float times[HTTP_WINDOW_MAX];
	size_t rank = (w->n * P95_PERCENT + PERCENT - 1) / PERCENT;

	for (size_t i = 0; i < w->n; i++)
		times[i] = sample(w, i)->took_ms;
	qsort(times, w->n, sizeof(*times), compare);
	return (double)times[rank - 1];
}

bool http_window_figures(struct http_window *w, int64_t now_ms, struct http_figures *figures_r)
{
	size_t successes = 0;
	double sum = 0;

	forget_old(w, now_ms);
	if (w->n == 0)
		return false;
	for (size_t i = 0; i < w->n; i++) {
		sum += (double)sample(w, i)->took_ms;
		successes += sample(w, i)->is_success;
	}
	*figures_r = (struct http_figures){
		.n = w->n,
		.success_rate_percent = PERCENT * (double)successes / (double)w->n,
		.average_ms = sum / (double)w->n,
		.p95_ms = p95(w),
	};
	return true;
}
