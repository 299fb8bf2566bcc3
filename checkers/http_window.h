/* SPDX-License-Identifier: Apache-2.0 */
/* http_window - answers of the last minute (or so), and what they come to
 *
 * Pure: time is an argument, in ms of any clock that does not go back. An answer counts as long as
 * it is younger than the window. Beyond HTTP_WINDOW_MAX answers the oldest give way.
 *
 * Ownership: the caller's; http_window_init/_done.
 * Errors:    none.
 * Loop:      any thread, no callbacks.
 */
#ifndef HALE_CHECKERS_HTTP_WINDOW_H
#define HALE_CHECKERS_HTTP_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A minute of ten endpoints asked twice a second: 16 bytes each. */
#define HTTP_WINDOW_MAX 1200

struct http_sample {
	int64_t at_ms;
	float took_ms;
	bool is_success;
};

struct http_window {
	int64_t span_ms;
	struct http_sample *ring; /* grows to HTTP_WINDOW_MAX as they come */
	size_t cap, first, n;
};

struct http_figures {
	size_t n;
	double success_rate_percent;
	double average_ms;
	double p95_ms; /* nearest rank: the least time that 95 % of all did not exceed */
};

void http_window_init(struct http_window *w, int64_t span_ms);
void http_window_done(struct http_window *w);
void http_window_add(struct http_window *w, int64_t now_ms, double took_ms, bool is_success);
/* Forgets what is too old. False if nothing is left; figures_r is then untouched. */
bool http_window_figures(struct http_window *w, int64_t now_ms, struct http_figures *figures_r);

#endif
