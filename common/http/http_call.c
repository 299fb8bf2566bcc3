/* SPDX-License-Identifier: Apache-2.0 */
#include "http_call.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "http_headers.h"

void http_call_refuse(struct http_call *call, enum reason reason, const char *fmt, ...)
{
	va_list args;

	if (call->refused != REASON_OK)
		return;
	call->refused = reason;
	va_start(args, fmt);
	(void)vsnprintf(call->refused_text, sizeof(call->refused_text), fmt, args);
	va_end(args);
}

/* ---- what curl tells on the way ---- */

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
	struct http_call *call = ctx;
	size_t len = size * n;

	if (len > call->body_max - call->body.len) {
		http_call_refuse(call, REASON_TOO_LARGE, "the answer is larger than %zu bytes",
				 call->body_max);
		return 0;
	}
	str_addn(&call->body, data, len);
	return len;
}

static void keep_header(struct http_call *call, const char *line, size_t len)
{
	HALE_CLEANUP(cleanup_free) char *copy = mem_dupn(line, len);
	char *colon = memchr(copy, ':', len);

	if (colon != NULL)
		http_headers_add(call->headers, copy, (size_t)(colon - copy), colon + 1,
				 len - (size_t)(colon + 1 - copy));
}

/* Another answer begins, after an interim one or one that leads on; the last one counts. */
static void begin_answer(struct http_call *call, const char *line, size_t len)
{
	HALE_CLEANUP(cleanup_free) char *copy = mem_dupn(line, len);
	json_t *location = json_object_get(call->headers, "location");

	if (location != NULL && call->redirects == NULL)
		call->redirects = json_array();
	if (location != NULL)
		(void)json_array_append_new(
			call->redirects,
			json_pack("{s:i, s:O}", "status", call->status, "location", location));
	(void)json_object_clear(call->headers);
	call->status = 0;
	(void)sscanf(copy, "HTTP/%*s %d", &call->status);
}

static size_t on_header(char *data, size_t size, size_t n, void *ctx)
{
	struct http_call *call = ctx;
	size_t len = size * n;

	call->header_bytes += len;
	if (call->header_bytes > HTTP_HEADERS_MAX_BYTES) {
		http_call_refuse(call, REASON_TOO_LARGE,
				 "the answer's headers are larger than %u bytes",
				 HTTP_HEADERS_MAX_BYTES);
		return 0;
	}
	if (len >= 5 && memcmp(data, "HTTP/", 5) == 0)
		begin_answer(call, data, len);
	else
		keep_header(call, data, len);
	return len;
}

void http_call_enter(struct http_call *call, enum reason stage)
{
	call->stage = stage;
	if (call->on_stage != NULL)
		call->on_stage(call->ctx, stage);
}

static int on_resolve(void *resolver HALE_UNUSED, void *reserved HALE_UNUSED, void *ctx)
{
	http_call_enter(ctx, REASON_TIMEOUT_DNS);
	return 0;
}

static curl_socket_t on_open_socket(void *ctx, curlsocktype purpose HALE_UNUSED,
				    struct curl_sockaddr *a)
{
	http_call_enter(ctx, REASON_TIMEOUT_CONNECT);
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static CURLcode on_tls(CURL *easy HALE_UNUSED, void *ssl_ctx HALE_UNUSED, void *ctx)
{
	http_call_enter(ctx, REASON_TIMEOUT_TLS);
	return CURLE_OK;
}

/* The connection stands, new or kept, and the request is about to be sent. */
static int on_request(void *ctx, char *ip HALE_UNUSED, char *local_ip HALE_UNUSED,
		      int port HALE_UNUSED, int local_port HALE_UNUSED)
{
	struct http_call *call = ctx;
	struct curl_tlssessioninfo *tls = NULL;

	(void)curl_easy_getinfo(call->easy, CURLINFO_TLS_SSL_PTR, &tls);
	http_tls_look(tls != NULL && tls->backend == CURLSSLBACKEND_OPENSSL ? tls->internals : NULL,
		      &call->tls);
	http_call_enter(call, REASON_TIMEOUT_READ);
	return CURL_PREREQFUNC_OK;
}

void http_call_listen(struct http_call *call)
{
	CURL *easy = call->easy;

	SET(easy, CURLOPT_PRIVATE, call);
	SET(easy, CURLOPT_ERRORBUFFER, call->curl_error);
	SET(easy, CURLOPT_WRITEFUNCTION, on_body);
	SET(easy, CURLOPT_WRITEDATA, call);
	SET(easy, CURLOPT_HEADERFUNCTION, on_header);
	SET(easy, CURLOPT_HEADERDATA, call);
	SET(easy, CURLOPT_RESOLVER_START_FUNCTION, on_resolve);
	SET(easy, CURLOPT_RESOLVER_START_DATA, call);
	SET(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	SET(easy, CURLOPT_OPENSOCKETDATA, call);
	SET(easy, CURLOPT_PREREQFUNCTION, on_request);
	SET(easy, CURLOPT_PREREQDATA, call);
	/* Only curl with OpenSSL tells when the handshake begins; others name it connecting. */
	(void)curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, call);
}

void http_call_clear(struct http_call *call)
{
	curl_slist_free_all(call->header_list);
	curl_slist_free_all(call->connect_list);
	call->header_list = call->connect_list = NULL;
	str_done(&call->body);
	json_decref(call->headers);
	json_decref(call->redirects);
	call->headers = call->redirects = NULL;
}
