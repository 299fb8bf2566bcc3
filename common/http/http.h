/* SPDX-License-Identifier: Apache-2.0 */
/* http - requests on the loop: libcurl's multi interface behind one small door
 *
 * Used by the http checker, the webhook and telegram channels, the reconciler's sources and
 * actions. Loop thread only; never blocks (names resolve in curl's own threads). Each request ends
 * in exactly one callback, also when cancelled; the response is valid during the callback only.
 *
 * Only http and https, also in redirects. No proxy, no netrc, no cookies: what is configured is
 * what is asked. A body without a Content-Type header is sent as application/json.
 *
 * Ownership: http_start copies everything it needs from the request.
 * Errors:    in the response: `reason` (reason.h) and `error` text. HTTP status codes are not
 *            errors here.
 */
#ifndef HALE_HTTP_HTTP_H
#define HALE_HTTP_HTTP_H

#include "base/strlist.h"
#include "model/reason.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define HTTP_BODY_MAX_DEFAULT (1u << 20) /* a health endpoint that says more is broken */
#define HTTP_REDIRECTS_MAX    5

struct http_client; /* one curl multi and its connection cache */
struct http_call;   /* one request in flight */

/* What a timeout would mean from now on: REASON_TIMEOUT_DNS, _CONNECT, _TLS or _READ. Must not call
 * back into http. */
typedef void (*http_stage_fn)(void *ctx, enum reason timeout_reason);

struct http_request {
	const char *method; /* NULL: GET */
	const char *url;
	const json_t *headers; /* object name -> text, or NULL */
	const char *body;      /* NULL: none */
	size_t body_len;
	int64_t timeout_ms; /* whole request; > 0 */
	size_t body_max;    /* 0: HTTP_BODY_MAX_DEFAULT */
	bool follow_redirects;
	bool fresh_connection; /* prove that connecting works: no reuse */
	bool skip_tls_verify;
	const char *ca_file;  /* NULL: the system's */
	const char *username; /* NULL: no basic auth */
	const char *password;
	const char *user_agent; /* NULL: hale/<version> */
	http_stage_fn on_stage; /* with the ctx of http_start, as the request advances; or NULL */
};

struct http_response {
	enum reason reason; /* REASON_OK: an answer came, whatever its status */
	char error[256];    /* text when reason is not OK */
	long status;        /* 0 without an answer */
	const char *body;   /* NUL-terminated beyond body_len */
	size_t body_len;
	const char *content_type; /* or NULL */
	json_t *headers;          /* lower-cased name -> last value; borrowed */
	/* Each since the start, curl's; over redirects they are sums. */
	double total_ms, dns_ms, connect_ms, tls_ms, first_byte_ms;
	bool is_reused;          /* no connecting happened */
	int64_t retry_after_ms;  /* from Retry-After, seconds or date; -1 none */
	int64_t cert_expires_ms; /* wall clock; 0 unknown or no TLS */
	const char *ip;          /* address connected to, or "" */
};

typedef void (*http_done_fn)(void *ctx, const struct http_response *r);

struct http_client *http_client_new(uv_loop_t *loop);
/* Cancels what is in flight (callbacks with REASON_CANCELLED), closes, frees, calls on_closed. */
void http_client_close(struct http_client *c, void (*on_closed)(void *ctx), void *ctx);
/* A malformed URL and the like also end in the callback, in a later loop turn. */
struct http_call *http_start(struct http_client *c, const struct http_request *rq,
			     http_done_fn on_done, void *ctx);
/* on_done is called before this returns, with REASON_CANCELLED. */
void http_cancel(struct http_call *call);

#endif
