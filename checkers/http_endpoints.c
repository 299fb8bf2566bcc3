/* SPDX-License-Identifier: Apache-2.0 */
#include "http_endpoints.h"

#include <math.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#define PERCENT 100.0

/* ---- Of all components ---- */

static bool shows_who_asks(const struct http_opts *o)
{
	return o->username != NULL || o->bearer_token != NULL || o->tls.cert != NULL ||
	       json_object_size(o->headers) > 0;
}

/* Whether who asks was let in. Of a server that is itself at a loss one cannot tell. */
static void tell_auth(struct check *c, const struct ask *asks, size_t n)
{
	bool is_known = false, is_refused = false;

	for (size_t i = 0; i < n; i++) {
		is_refused |= asks[i].status == 401 || asks[i].status == 403;
		is_known |= asks[i].status != 0 && asks[i].status < 500;
	}
	if (is_refused || (is_known && shows_who_asks(check_opts(c))))
		check_metric(c, "auth_ok", is_refused ? 0 : 1);
}

static void tell_rate_limit(struct check *c, const struct ask *asks, size_t n)
{
	const struct rate_limit *worst = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct rate_limit *l = &asks[i].limit;

		if (asks[i].has_limit && (worst == NULL || isnan(worst->used_percent) ||
					  l->used_percent > worst->used_percent))
			worst = l;
	}
	if (worst == NULL)
		return;
	/* What is not told is no number, and left out. */
	check_metric(c, "rate_limit_used_percent", worst->used_percent);
	check_metric(c, "rate_limit_remaining", worst->remaining);
	check_metric(c, "rate_limit_reset_seconds", worst->reset_seconds);
}

void http_tell_common(struct check *c, const struct ask *asks, size_t n)
{
	double expires = NAN;

	for (size_t i = 0; i < n; i++)
		expires = fmin(expires, asks[i].cert_expires_seconds);
	check_metric(c, "cert_expires_seconds", expires);
	tell_rate_limit(c, asks, n);
	tell_auth(c, asks, n);
}

void http_tell_window(struct check *c, struct http_window *window, const struct ask *asks, size_t n)
{
	int64_t now_ms = clock_mono_ms();
	struct http_figures f;

	for (size_t i = 0; i < n; i++) {
		bool is_success = asks[i].verdict.reason == REASON_OK;

		http_window_add(window, now_ms,
				is_success ? asks[i].took_ms : (double)check_timeout_ms(c),
				is_success);
	}
	if (!http_window_figures(window, now_ms, &f))
		return;
	check_metric(c, "success_rate_percent", f.success_rate_percent);
	check_metric(c, "average_response_ms", f.average_ms);
	check_metric(c, "p95_response_ms", f.p95_ms);
}

/* ---- Of several endpoints ---- */

static void tell_endpoints(struct check *c, const struct ask *asks, size_t n, size_t good)
{
	bool is_open = false;

	for (size_t i = 0; i < n; i++) {
		HALE_CLEANUP(cleanup_free)
		char *name = mem_printf("%s_ms", asks[i].question->name);

		check_metric(c, name, asks[i].took_ms);
		is_open |= asks[i].is_connected;
	}
	check_metric(c, "availability_percent", PERCENT * (double)good / (double)n);
	check_metric(c, "endpoints_failed", (double)(n - good));
	check_metric(c, "port_open", is_open ? 1 : 0);
}

/* "users: HTTP 503, expected 2xx; orders: Connection refused". */
static void list_failed(const struct ask *asks, size_t n, struct str *names, struct str *texts)
{
	for (size_t i = 0; i < n; i++) {
		const char *name = asks[i].question->name;

		if (asks[i].verdict.reason == REASON_OK)
			continue;
		str_addf(names, "%s%s", names->len == 0 ? "" : ", ", name);
		str_addf(texts, "%s%s: %s", texts->len == 0 ? "" : "; ", name,
			 asks[i].verdict.text.text);
	}
}

void http_endpoints_done(struct check *c, const struct ask *asks, size_t n)
{
	HALE_CLEANUP(str_done) struct str names = {0};
	HALE_CLEANUP(str_done) struct str texts = {0};
	size_t good = 0;

	for (size_t i = 0; i < n; i++)
		good += asks[i].verdict.reason == REASON_OK;
	tell_endpoints(c, asks, n, good);
	if (good == n) {
		check_done(c, REASON_OK, "%zu of %zu endpoints are well", good, n);
		return;
	}
	list_failed(asks, n, &names, &texts);
	check_detail(c, "failed", json_string(str_text(&names)));
	if (good > 0)
		check_done(c, REASON_ENDPOINTS_FAIL, "%zu of %zu endpoints fail: %s", n - good, n,
			   str_text(&texts));
	else
		check_done(c, asks[0].verdict.reason, "all %zu endpoints fail: %s", n,
			   str_text(&texts));
}
