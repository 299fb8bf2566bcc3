/* SPDX-License-Identifier: Apache-2.0 */
/* What the end of a transfer means. */
#include "http_call.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define MS_PER_S       1000
#define US_PER_MS      1000.0
/* OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED, which curl hands through in CURLINFO_SSL_VERIFYRESULT. */
#define VERIFY_EXPIRED 10

static enum reason reason_of_errno(long os_errno, enum reason otherwise)
{
	switch (os_errno) {
	case ECONNREFUSED:
		return REASON_CONN_REFUSED;
	case ECONNRESET:
	case EPIPE:
		return REASON_CONN_RESET;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
		return REASON_UNREACHABLE;
	case ETIMEDOUT:
		return REASON_TIMEOUT_CONNECT;
	default:
		return otherwise;
	}
}

/* Codes whose meaning does not depend on anything else. */
static const struct {
	CURLcode code;
	enum reason reason;
} plain_codes[] = {
	{CURLE_OK, REASON_OK},
	{CURLE_COULDNT_RESOLVE_HOST, REASON_DNS_FAILED},
	{CURLE_COULDNT_RESOLVE_PROXY, REASON_DNS_FAILED},
	{CURLE_GOT_NOTHING, REASON_CONN_CLOSED},
	{CURLE_SSL_CIPHER, REASON_TLS_FAILED},
	{CURLE_SSL_ISSUER_ERROR, REASON_TLS_CERT},
	{CURLE_SSL_INVALIDCERTSTATUS, REASON_TLS_CERT},
	{CURLE_SSL_CACERT_BADFILE, REASON_CONFIG},
	{CURLE_SSL_CERTPROBLEM, REASON_CONFIG},
	{CURLE_SSL_ENGINE_NOTFOUND, REASON_INTERNAL},
	{CURLE_FAILED_INIT, REASON_INTERNAL},
	{CURLE_OUT_OF_MEMORY, REASON_INTERNAL},
	{CURLE_TOO_MANY_REDIRECTS, REASON_PROTOCOL},
};

/* What OpenSSL calls it when the two have no version in common, from either side. */
static bool is_version_refused(const char *words)
{
	return strstr(words, "unsupported protocol") != NULL ||
	       strstr(words, "alert protocol version") != NULL;
}

/* A proxy that does not let us through answers CONNECT by a status; curl calls it a broken read. */
static enum reason reason_of_tunnel(CURL *easy, enum reason otherwise)
{
	long status = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &status);
	if (status == 0 || status / 100 == 2)
		return otherwise;
	/* 407 is what it should say; tinyproxy says 401. */
	return status == 407 || status == 401 ? REASON_AUTH_FAILED : REASON_UNREACHABLE;
}

/* curl has one code for a connection that broke and for what it could not make sense of. */
static enum reason reason_of_broken(struct http_call *call, long os_errno)
{
	/* In TLS 1.3 a server refuses the client's certificate when the handshake seems over. */
	if (strstr(call->curl_error, " alert ") != NULL)
		return REASON_TLS_FAILED;
	if (strstr(call->curl_error, " in chunked-encoding") != NULL)
		return REASON_PROTOCOL;
	return reason_of_tunnel(call->easy, reason_of_errno(os_errno, REASON_CONN_RESET));
}

static enum reason reason_of_code(struct http_call *call, CURLcode code)
{
	long os_errno = 0;
	long verify = 0;

	(void)curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &os_errno);
	(void)curl_easy_getinfo(call->easy, CURLINFO_SSL_VERIFYRESULT, &verify);
	for (size_t i = 0; i < ARRAY_LEN(plain_codes); i++) {
		if (plain_codes[i].code == code)
			return plain_codes[i].reason;
	}
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		return call->stage;
	case CURLE_COULDNT_CONNECT:
		return reason_of_errno(os_errno, reason_of_tunnel(call->easy, REASON_UNREACHABLE));
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		return reason_of_broken(call, os_errno);
	case CURLE_SSL_CONNECT_ERROR:
		return is_version_refused(call->curl_error) ? REASON_TLS_VERSION
							    : REASON_TLS_FAILED;
	case CURLE_PEER_FAILED_VERIFICATION:
		return verify == VERIFY_EXPIRED ? REASON_TLS_EXPIRED : REASON_TLS_CERT;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		/* Ours before anything was sent, the server's (a redirect, garbage) after. */
		return call->stage == REASON_TIMEOUT_READ ? REASON_PROTOCOL : REASON_CONFIG;
	default:
		/* Half an answer, a broken chunk, a reset HTTP/2 stream … */
		return REASON_PROTOCOL;
	}
}

static double info_ms(CURL *easy, CURLINFO what)
{
	curl_off_t us = 0;

	(void)curl_easy_getinfo(easy, what, &us);
	return (double)us / US_PER_MS;
}

static const char *info_version(CURL *easy)
{
	long version = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
	switch (version) {
	case CURL_HTTP_VERSION_1_0:
		return "1.0";
	case CURL_HTTP_VERSION_1_1:
		return "1.1";
	case CURL_HTTP_VERSION_2_0:
		return "2";
	default:
		return "";
	}
}

static size_t info_wire_bytes(CURL *easy)
{
	curl_off_t body = 0;
	long headers = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_SIZE_DOWNLOAD_T, &body);
	(void)curl_easy_getinfo(easy, CURLINFO_HEADER_SIZE, &headers);
	return (size_t)body + (size_t)headers;
}

static int64_t info_retry_after(const struct http_call *call)
{
	curl_off_t seconds = 0;

	if (json_object_get(call->headers, "retry-after") == NULL)
		return -1;
	(void)curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &seconds);
	return seconds < 0 ? 0 : (int64_t)seconds * MS_PER_S;
}

/* What came, as far as it came: also of an answer that broke off. */
static void fill_answer(struct http_call *call, struct http_response *r)
{
	CURL *easy = call->easy;
	long connects = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &r->status);
	(void)curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
	(void)curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &r->ip);
	r->body = str_text(&call->body);
	r->body_len = call->body.len;
	r->headers = call->headers;
	r->content_type = json_string_value(json_object_get(call->headers, "content-type"));
	r->total_ms = info_ms(easy, CURLINFO_TOTAL_TIME_T);
	r->dns_ms = info_ms(easy, CURLINFO_NAMELOOKUP_TIME_T);
	r->connect_ms = info_ms(easy, CURLINFO_CONNECT_TIME_T);
	r->tls_ms = info_ms(easy, CURLINFO_APPCONNECT_TIME_T);
	r->sent_ms = info_ms(easy, CURLINFO_PRETRANSFER_TIME_T);
	r->first_byte_ms = info_ms(easy, CURLINFO_STARTTRANSFER_TIME_T);
	r->is_reused = r->status != 0 && connects == 0;
	r->retry_after_ms = info_retry_after(call);
	r->redirects = call->redirects;
	(void)curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &r->url);
	r->version = info_version(easy);
	r->wire_bytes = info_wire_bytes(easy);
	r->tls_version = call->tls.version;
	r->cert_subject = call->tls.subject;
	r->cert_issuer = call->tls.issuer;
	r->cert_expires_ms = call->tls.expires_ms;
}

void http_call_no_result(struct http_call *call, enum reason reason, const char *text,
			 struct http_response *r)
{
	*r = (struct http_response){
		.reason = reason,
		.body = "",
		.url = "",
		.version = "",
		.ip = "",
		.tls_version = "",
		.cert_subject = "",
		.cert_issuer = "",
		.headers = call->headers,
		.retry_after_ms = -1,
	};
	(void)snprintf(r->error, sizeof(r->error), "%s", text);
}

/* curl's words, where they tell; otherwise ours, into call->curl_error. */
static const char *words_of(struct http_call *call, CURLcode code)
{
	char *words = call->curl_error;
	char *after = strstr(words, " after ");
	size_t room = after != NULL ? sizeof(call->curl_error) - (size_t)(after - words) : 0;
	long os_errno = 0;

	if (words[0] == '\0')
		return curl_easy_strerror(code);
	(void)curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &os_errno);
	/* "Failed to connect to a port 80 after 0 ms: Couldn't connect to server": not why. */
	if (code == CURLE_COULDNT_CONNECT && os_errno != 0 && room > 0)
		(void)snprintf(after, room, ": %s", strerror((int)os_errno));
	/* Whatever does not begin with HTTP/1 might be of the age before it. */
	if (code == CURLE_UNSUPPORTED_PROTOCOL && strstr(words, "HTTP/0.9") != NULL)
		return "what answers is not HTTP";
	return words;
}

void http_call_result(struct http_call *call, CURLcode code, struct http_response *r)
{
	const char *words = words_of(call, code);

	/* curl's word for a header line that does not fit into the 100 KB it keeps for one. What it
	 * really lacked memory for does not come to an answer. */
	if (code == CURLE_OUT_OF_MEMORY && call->stage == REASON_TIMEOUT_READ)
		http_call_refuse(call, REASON_TOO_LARGE,
				 "a line of the answer's headers is too long");
	if (call->refused != REASON_OK)
		http_call_no_result(call, call->refused, call->refused_text, r);
	else if (code == CURLE_OK)
		http_call_no_result(call, REASON_OK, "", r);
	else
		http_call_no_result(call, reason_of_code(call, code), words, r);
	fill_answer(call, r);
	if (r->ip == NULL)
		r->ip = "";
	if (r->url == NULL)
		r->url = "";
}
