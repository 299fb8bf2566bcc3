/* SPDX-License-Identifier: Apache-2.0 */
/* http - requests on the loop, behind one small door
 *
 * Plain HTTP/1.1 goes over sockets of our own (http_plain.h), everything else through libcurl's
 * multi interface; which of the two it was cannot be told from the answer.
 *
 * Used by the http checker, the webhook and telegram channels, the reconciler's sources and
 * actions. Loop thread only; never blocks (names resolve in curl's own threads). Each request ends
 * in exactly one callback, also when cancelled; the response is valid during the callback only.
 *
 * Only http and https, also in redirects. No cookies, no netrc, no proxy but the one that is named
 * (the environment is never asked): what is configured is what is asked. A body without a
 * Content-Type header is sent as application/json. What proves who asks (login, bearer token,
 * headers Authorization and Cookie) is not sent on to another host by a redirect. A request that
 * must not be made twice (POST, PATCH) gets a connection of its own: on a kept one nobody knows
 * whether it arrived before that broke.
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

#define HTTP_BODY_MAX_DEFAULT  (1u << 20) /* a health endpoint that says more is broken */
#define HTTP_REDIRECTS_MAX     5
/* All header lines of an answer together, redirects included: more is an attack, not an answer. */
#define HTTP_HEADERS_MAX_BYTES (256u << 10)

struct http_client; /* one curl multi and its connection cache */
struct http_call;   /* one request in flight */

/* What a timeout would mean from now on: REASON_TIMEOUT_DNS, _CONNECT, _TLS or _READ. Must not call
 * back into http. */
typedef void (*http_stage_fn)(void *ctx, enum reason timeout_reason);

/* ANY: HTTP/2 where TLS agrees on it, else 1.1. 2_PRIOR: HTTP/2 from the first byte (h2c). */
enum http_version { HTTP_VERSION_ANY, HTTP_VERSION_1_0, HTTP_VERSION_1_1, HTTP_VERSION_2_PRIOR };
enum http_tls { HTTP_TLS_ANY, HTTP_TLS_1_2, HTTP_TLS_1_3 };

/* A proxy; all NULL: none. */
struct http_proxy {
	const char *url; /* http, https, socks4, socks4a, socks5, socks5h ://host[:port] */
	const char *username, *password;
	const char *exclude; /* hosts not asked through it, "a.org, .b.org, 10.0.0.0/8" */
};

/* All zeroed but url and timeout_ms: a plain GET. */
struct http_request {
	const char *method; /* NULL: GET */
	const char *url;
	const json_t *headers; /* object name -> text, or NULL */
	const char *body;      /* NULL: none */
	size_t body_len;
	int64_t timeout_ms; /* whole request; > 0 */
	size_t body_max;    /* 0: HTTP_BODY_MAX_DEFAULT */
	bool follow_redirects;
	unsigned redirects_max; /* 0: HTTP_REDIRECTS_MAX */
	bool fresh_connection;  /* prove that connecting works: no reuse */
	bool compressed;        /* offer what can be unpacked (gzip …); the body is unpacked */
	enum http_version version;
	const char *username; /* NULL: no basic auth */
	const char *password;
	const char *bearer_token; /* NULL: none */
	const char *user_agent;   /* NULL: hale/<version> */
	struct http_proxy proxy;
	/* Where to connect instead of the URL's host, "host", "host:port", "[IPv6]:port"; the name
	 * in the URL is still the one that is asked for and that the certificate must have. */
	const char *connect_to;
	const char *unix_path; /* connect to this socket; the URL's host is only a name */
	int ip_version;        /* 4, 6; 0: either */
	bool skip_tls_verify;
	const char *ca_file;                  /* NULL: the system's */
	const char *client_cert, *client_key; /* PEM files; the key may be in the first */
	enum http_tls tls_min;
	http_stage_fn on_stage; /* with the ctx of http_start, as the request advances; or NULL */
};

struct http_response {
	enum reason reason; /* REASON_OK: an answer came, whatever its status */
	char error[256];    /* text when reason is not OK */
	long status;        /* 0 without an answer */
	const char *body;   /* NUL-terminated beyond body_len */
	size_t body_len;
	const char *content_type; /* or NULL */
	/* Of the last answer, lower-cased name -> value; those of one name joined by ", ",
	 * up to 8 KB. */
	json_t *headers;     /* borrowed */
	json_t *redirects;   /* on the way, [{"status", "location"}], borrowed; NULL: none */
	const char *url;     /* asked last, after redirects; or "" */
	const char *version; /* "1.0", "1.1", "2" or "" */
	size_t wire_bytes;   /* headers and body of the last answer as they came, still packed */
	/* Each since the start, curl's; over redirects they are sums. What was not reached is 0. */
	double total_ms, dns_ms, connect_ms, tls_ms, sent_ms, first_byte_ms;
	bool is_reused;         /* no connecting happened */
	int64_t retry_after_ms; /* from Retry-After, seconds or date; -1 none */
	const char *ip;         /* address connected to, or "" */
	/* Of the connection asked last, also of one that was kept; "" and 0 without TLS. */
	const char *tls_version; /* "TLSv1.3" */
	const char *cert_subject, *cert_issuer;
	int64_t cert_expires_ms; /* wall clock */
};

typedef void (*http_done_fn)(void *ctx, const struct http_response *r);

struct http_client *http_client_new(uv_loop_t *loop);
/* Cancels what is in flight (callbacks with REASON_CANCELLED), closes, frees, calls on_closed. */
void http_client_close(struct http_client *c, void (*on_closed)(void *ctx), void *ctx);
/* Has curl make all requests, also the plain ones. For tests, which try both ways. */
void http_client_use_curl(struct http_client *c);
/* A malformed URL and the like also end in the callback, in a later loop turn. */
struct http_call *http_start(struct http_client *c, const struct http_request *rq,
			     http_done_fn on_done, void *ctx);
/* on_done is called before this returns, with REASON_CANCELLED. */
void http_cancel(struct http_call *call);

#endif
