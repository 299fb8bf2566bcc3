/* SPDX-License-Identifier: Apache-2.0 */
/* http - asks a URL, or several, and looks at the answers
 *
 * Connects anew each time unless told otherwise, because that connecting works is part of what is
 * checked. Here is what outlives runs and how a run goes; the options are in http_options.c, one
 * request and its answer in http_ask.c and http_judge.c, what several come to in http_endpoints.c.
 *
 * Nothing is shared between components: two that ask the same URL ask it twice, because each is to
 * prove that it answers. What one body says of several matters is for `metrics` and `details`.
 */
#include "check.h"

#include <stdlib.h>

#include "base/mem.h"
#include "http_ask.h"
#include "http_endpoints.h"
#include "http_options.h"
#include "http_window.h"

/* An ask with a limit ends so much before the runner would end the whole component, so that what
 * the other endpoints said is told. */
#define LIMIT_MARGIN_MS 20

/* ---- What outlives a run ---- */

struct http_prep {
	struct question *questions;
	size_t n;
	struct http_window window; /* span 0: none */
};

static void *http_prepare(const void *opts)
{
	const struct http_opts *o = opts;
	const struct http_endpoint_opts *endpoints = o->endpoints.v;
	struct http_prep *prep = mem_alloc(sizeof(*prep));

	prep->n = HALE_MAX(o->endpoints.n, (size_t)1);
	prep->questions = mem_array(prep->n, sizeof(*prep->questions));
	for (size_t i = 0; i < prep->n; i++)
		question_init(&prep->questions[i], o, o->endpoints.n == 0 ? NULL : &endpoints[i]);
	if (http_window_ms(o) > 0)
		http_window_init(&prep->window, http_window_ms(o));
	return prep;
}

static void http_unprepare(void *ptr)
{
	struct http_prep *prep = ptr;

	if (prep == NULL)
		return;
	for (size_t i = 0; i < prep->n; i++)
		question_done(&prep->questions[i]);
	free(prep->questions);
	http_window_done(&prep->window);
	free(prep);
}

/* ---- One run ---- */

struct http_run {
	struct ask *asks; /* only while it runs: there may be thousands of components */
	size_t open;      /* asks that are not over */
};

static void finish(struct check *c)
{
	struct http_prep *prep = check_prep(c);
	struct http_run *run = check_run_data(c);
	HALE_CLEANUP(cleanup_free) struct ask *asks = TAKE_PTR(run->asks);

	http_tell_common(c, asks, prep->n);
	if (prep->window.span_ms > 0)
		http_tell_window(c, &prep->window, asks, prep->n);
	if (asks[0].question->name != NULL)
		http_endpoints_done(c, asks, prep->n);
	else if (asks[0].verdict.reason == REASON_OK && asks[0].verdict.text.text[0] == '\0')
		check_done(c, REASON_OK, "HTTP %ld in %.*f ms", asks[0].status,
			   asks[0].took_ms < 1 ? 1 : 0, asks[0].took_ms);
	else
		check_done(c, asks[0].verdict.reason, "%s", asks[0].verdict.text.text);
}

static void on_over(struct ask *a)
{
	struct http_run *run = check_run_data(a->check);

	if (--run->open == 0)
		finish(a->check);
}

static void http_check_start(struct check *c)
{
	const struct http_prep *prep = check_prep(c);
	struct http_run *run = check_run_data(c);
	int64_t limit_ms = 0;

	if (prep->window.span_ms > 0)
		limit_ms = HALE_MAX(check_timeout_ms(c) - LIMIT_MARGIN_MS, check_timeout_ms(c) / 2);
	run->open = prep->n;
	run->asks = mem_array(prep->n, sizeof(*run->asks));
	for (size_t i = 0; i < prep->n; i++) {
		run->asks[i].check = c;
		run->asks[i].question = &prep->questions[i];
		run->asks[i].on_over = on_over;
		run->asks[i].limit_ms = limit_ms;
		ask_start(&run->asks[i]);
	}
}

/* With the last one that is over the run has ended, and its data are gone. */
static void http_check_cancel(struct check *c)
{
	const struct http_prep *prep = check_prep(c);
	struct http_run *run = check_run_data(c);
	struct ask *asks = run->asks;

	for (size_t i = 0, left = run->open; left > 0 && i < prep->n; i++) {
		if (asks[i].call == NULL)
			continue;
		left--;
		ask_cancel(&asks[i]);
	}
}

/* ---- What it says of itself ---- */

static const struct metric_doc http_metrics[] = {
	{"status_code", "status of the answer"},
	{"dns_ms", "time to resolve the name (new connection)"},
	{"connect_ms", "time to connect, after the name was resolved (new connection)"},
	{"tls_ms", "time of the TLS handshake (https, new connection)"},
	{"first_byte_ms", "time from the beginning to the first byte of the answer"},
	{"transfer_ms", "time from the first byte to the last; the whole takes `took_ms`"},
	{"body_bytes", "size of the body"},
	{"wire_bytes", "size of headers and body as they came, packed (option `compressed`)"},
	{"redirects", "how many redirects were followed, if any"},
	{"age_seconds", "time since `Last-Modified` (option `expect.max_age`)"},
	{"cert_expires_seconds", "time until the certificate expires, negative after (https)"},
	{"auth_ok", "1: who asks was let in, 0: 401 or 403; if something shows who asks"},
	{"rate_limit_used_percent",
	 "share of the rate limit that is used up, by the answer's headers"},
	{"rate_limit_remaining", "requests that are left"},
	{"rate_limit_reset_seconds", "time until there are more"},
	{"success_rate_percent", "share of the requests in the `window` that were answered well"},
	{"average_response_ms", "mean of their times; one that failed counts with the `timeout`"},
	{"p95_response_ms", "time that 95 % of them did not exceed"},
	{"availability_percent", "share of the endpoints that answer well now (`endpoints`)"},
	{"endpoints_failed", "how many do not (`endpoints`)"},
	{"port_open", "1: at least one endpoint could be connected to (`endpoints`)"},
	{"*", "those of `metrics`; for each endpoint the time it took, NAME`_ms`"},
	{NULL, NULL},
};

static const struct metric_doc http_details[] = {
	{"ip", "address that answered"},
	{"http_version", "1.1 or 2 (https)"},
	{"tls_version", "TLSv1.2 or TLSv1.3 (https)"},
	{"cert_subject", "whose certificate it is (https)"},
	{"cert_issuer", "who issued it (https)"},
	{"final_url", "where redirects led to"},
	{"retry_after_seconds", "with 429 and other bad statuses: what the server asks to wait"},
	{"failed", "names of the endpoints that fail, `users, orders`"},
	{"*", "those of `details`"},
	{NULL, NULL},
};

static const struct reason_doc http_reasons[] = {
	{REASON_DNS_FAILED, "the name does not resolve"},
	{REASON_CONN_REFUSED, "nobody listens there"},
	{REASON_CONN_RESET, "the connection was reset"},
	{REASON_CONN_CLOSED, "closed before an answer"},
	{REASON_UNREACHABLE, "no way there; or the proxy found none"},
	{REASON_TIMEOUT_DNS, "still resolving at the timeout"},
	{REASON_TIMEOUT_CONNECT, "still connecting"},
	{REASON_TIMEOUT_TLS, "still in the TLS handshake"},
	{REASON_TIMEOUT_READ, "still waiting for the answer, or for the rest of it"},
	{REASON_TLS_FAILED, "the handshake failed, or the server wants another certificate of us"},
	{REASON_TLS_CERT, "certificate not trusted, or not this host's"},
	{REASON_TLS_EXPIRED, "certificate expired"},
	{REASON_TLS_VERSION, "no version of TLS that both take"},
	{REASON_AUTH_FAILED, "the proxy refuses the login"},
	{REASON_HTTP_AUTH, "401 or 403"},
	{REASON_HTTP_RATE_LIMITED, "429"},
	{REASON_HTTP_STATUS, "any other status that was not expected"},
	{REASON_VALUE_MISMATCH, "a header, or the version of HTTP, is not as expected"},
	{REASON_STALE, "older than `expect.max_age`"},
	{REASON_BODY_MISMATCH, "text, expression or jq say no; the message shows what came"},
	{REASON_BODY_NOT_JSON, "a jq program wants JSON"},
	{REASON_PROTOCOL, "the answer is not HTTP, or broken off; too many redirects"},
	{REASON_TOO_LARGE, "beyond `body_max`"},
	{REASON_ENDPOINTS_FAIL, "some endpoints fail; if all do, the reason of the first"},
	{REASON_EXPR_ERROR, "a jq program failed on this body, or a metric is no number"},
	REASON_DOC_END,
};

static const char http_about[] =
	"It connects anew each time unless `fresh_connection` is off, because that connecting "
	"works is "
	"part of what is checked. Nothing is taken from the environment, from a .netrc or from "
	"cookies; "
	"a proxy is asked only if it is named. Two components that ask the same URL ask it twice: "
	"what "
	"one body says of several matters is for `metrics` and `details`.\n\n"
	"With `endpoints` one component asks several paths or URLs at once, with the same login, "
	"TLS and "
	"proxy. Each may have a `method`, `body`, `expect` and `metrics` of its own. If all are "
	"well it "
	"passes, if some fail it warns (`endpoints_fail`), if all fail it ends as the first one "
	"did. What "
	"is asked of how it was lately (`success_rate_percent`, `average_response_ms`, "
	"`p95_response_ms`) is counted over the `window`, of 1200 requests at most.\n\n"
	"Rate limits are read from `X-RateLimit-*`, `RateLimit-*`, `RateLimit` with "
	"`RateLimit-Policy`, of "
	"several the one that is used up most.\n\n"
	"jq programs are given the body; `$status` and `$headers` (an object, small letters) are "
	"the "
	"answer's: `metrics: {queue: '$headers[\"x-queue\"] | tonumber'}`.\n\n"
	"To ask one of several servers behind a name, give its address in `connect_to`: the name "
	"in the "
	"URL is still asked for (Host, SNI) and must be in the certificate. A login, a bearer "
	"token and "
	"the headers Authorization and Cookie are not sent on when a redirect leads to another "
	"host; other "
	"headers are.\n\n"
	"A store like S3 is a plain URL: a public object, or the server's own health path "
	"(`/minio/health/live`); 403 to an anonymous request is an answer too, if it is expected.";

static const char http_example[] =
	"gateway:\n"
	"  http:\n"
	"    url: http://127.0.0.1:5001/positions\n"
	"    bearer_token: \"${GATEWAY_TOKEN:-none}\"\n"
	"    expect: {status: 200, jq: '.positions | type == \"array\"'}\n"
	"    metrics: {positions: '.positions | length'}\n"
	"    details: {account: .account}\n"
	"  interval: 30s\n"
	"  timeout: 15s\n"
	"  degraded_after: 1\n"
	"  critical_after: 3\n"
	"  thresholds:\n"
	"    took_ms: {degraded: \"> 10000\"}\n"
	"    positions: {degraded: \"== 0\"}\n"
	"\n"
	"shop:\n"
	"  http:\n"
	"    url: https://shop.example.org\n"
	"    expect: {status: [2xx, 304], not_body: Exception, headers: {content-type: "
	"application/json}}\n"
	"    endpoints:\n"
	"      - path: /health\n"
	"      - {path: \"/api/orders?limit=1\", name: orders, metrics: {orders: .total}}\n"
	"      - {url: https://static.example.org/logo.svg, name: logo, expect: {body: <svg}}\n"
	"    window: 5m\n"
	"  thresholds:\n"
	"    availability_percent: {degraded: \"< 100\", critical: \"< 50\"}\n"
	"    success_rate_percent: {degraded: \"< 99\", critical: \"< 95\"}\n"
	"    average_response_ms: {degraded: \"> 1000\"}\n"
	"    cert_expires_seconds: {degraded: \"< 1209600\", critical: \"< 172800\"}\n"
	"\n"
	"market_data:\n"
	"  http:\n"
	"    url: \"${MARKET_DATA_URL:-}\"      # empty: not configured\n"
	"    headers: {X-Api-Key: \"${MARKET_DATA_KEY:-none}\"}\n"
	"    message: '\"Connected, \\(length) markets fetched\"'\n"
	"  thresholds:\n"
	"    rate_limit_used_percent: {degraded: \"> 80\", critical: \"> 95\"}\n"
	"    auth_ok: {critical: \"== 0\"}\n"
	"\n"
	"object_store:\n"
	"  http:\n"
	"    url: https://s3.example.org/backups/      # anonymous: the store is there, and "
	"refuses\n"
	"    expect: {status: [200, 403], body: <Code>AccessDenied</Code>}\n";

const struct check_ops check_ops = {
	.kind = "http",
	.summary = "asks a URL, or several; looks at status, headers, body, certificate and times",
	.about = http_about,
	.items = http_items,
	.opts_size = sizeof(struct http_opts),
	.run_size = sizeof(struct http_run),
	.metrics = http_metrics,
	.details = http_details,
	.reasons = http_reasons,
	.example = http_example,
	.validate = http_validate,
	.prepare = http_prepare,
	.unprepare = http_unprepare,
	.start = http_check_start,
	.cancel = http_check_cancel,
};
