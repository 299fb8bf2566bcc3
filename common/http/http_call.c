/* SPDX-License-Identifier: Apache-2.0 */
#include "http_call.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define USER_AGENT     "hale/" HALE_VERSION
#define MS_PER_S       1000
#define US_PER_MS      1000.0
/* OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED, which curl hands through in CURLINFO_SSL_VERIFYRESULT. */
#define VERIFY_EXPIRED 10

/* The option's type is right by construction: curl's own typecheck macros see each call. What can
 * fail is memory, which is fatal everywhere. */
#define SET(easy, option, value) HALE_ASSERT(curl_easy_setopt(easy, option, value) == CURLE_OK)

HALE_PRINTF(3, 4)
static void refuse(struct http_call *call, enum reason reason, const char *fmt, ...)
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
		refuse(call, REASON_TOO_LARGE, "the answer is larger than %zu bytes",
		       call->body_max);
		return 0;
	}
	str_addn(&call->body, data, len);
	return len;
}

/* Header values are bytes; JSON text is UTF-8. */
static json_t *header_text(char *value, size_t len)
{
	json_t *text = json_stringn(value, len);

	if (text != NULL)
		return text;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)value[i] >= 0x80)
			value[i] = '?';
	}
	return json_stringn(value, len);
}

static void keep_header(struct http_call *call, const char *line, size_t len)
{
	HALE_CLEANUP(cleanup_free) char *copy = mem_dupn(line, len);
	char *colon = memchr(copy, ':', len);
	char *value;
	size_t value_len;

	if (colon == NULL || strlen(copy) < len)
		return;
	*colon = '\0';
	for (char *p = copy; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	value = colon + 1 + strspn(colon + 1, " \t");
	value_len = strlen(value);
	while (value_len > 0 && isspace((unsigned char)value[value_len - 1]))
		value_len--;
	(void)json_object_set_new(call->headers, copy, header_text(value, value_len));
}

static size_t on_header(char *data, size_t size, size_t n, void *ctx)
{
	struct http_call *call = ctx;
	size_t len = size * n;

	call->header_bytes += len;
	if (call->header_bytes > HTTP_HEADERS_MAX_BYTES) {
		refuse(call, REASON_TOO_LARGE, "the answer's headers are larger than %u bytes",
		       HTTP_HEADERS_MAX_BYTES);
		return 0;
	}
	/* Each answer of a redirect chain begins anew; the last one counts. */
	if (len >= 5 && memcmp(data, "HTTP/", 5) == 0)
		(void)json_object_clear(call->headers);
	else
		keep_header(call, data, len);
	return len;
}

static void enter_stage(struct http_call *call, enum reason stage)
{
	call->stage = stage;
	if (call->on_stage != NULL)
		call->on_stage(call->ctx, stage);
}

static int on_resolve(void *resolver HALE_UNUSED, void *reserved HALE_UNUSED, void *ctx)
{
	enter_stage(ctx, REASON_TIMEOUT_DNS);
	return 0;
}

static curl_socket_t on_open_socket(void *ctx, curlsocktype purpose HALE_UNUSED,
				    struct curl_sockaddr *a)
{
	enter_stage(ctx, REASON_TIMEOUT_CONNECT);
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static CURLcode on_tls(CURL *easy HALE_UNUSED, void *ssl_ctx HALE_UNUSED, void *ctx)
{
	enter_stage(ctx, REASON_TIMEOUT_TLS);
	return CURLE_OK;
}

static int on_request(void *ctx, char *ip HALE_UNUSED, char *local_ip HALE_UNUSED,
		      int port HALE_UNUSED, int local_port HALE_UNUSED)
{
	enter_stage(ctx, REASON_TIMEOUT_READ);
	return CURL_PREREQFUNC_OK;
}

/* ---- what curl is told ---- */

static bool is_token(const char *name)
{
	if (*name == '\0')
		return false;
	for (; *name != '\0'; name++) {
		/* RFC 9110 section 5.6.2. */
		if (!isalnum((unsigned char)*name) && strchr("!#$%&'*+-.^_`|~", *name) == NULL)
			return false;
	}
	return true;
}

/* A line end inside a value would let it write headers of its own. */
static bool is_header_value(const char *value)
{
	for (; *value != '\0'; value++) {
		if (iscntrl((unsigned char)*value) && *value != '\t')
			return false;
	}
	return true;
}

static void add_header(struct http_call *call, const char *line)
{
	struct curl_slist *list = curl_slist_append(call->header_list, line);

	HALE_ASSERT(list != NULL);
	call->header_list = list;
}

static void setup_headers(struct http_call *call, const struct http_request *rq)
{
	bool has_content_type = false;
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)rq->headers, name, value) {
		const char *text = json_string_value(value);
		HALE_CLEANUP(str_done) struct str line = {0};

		if (text == NULL || !is_token(name) || !is_header_value(text)) {
			refuse(call, REASON_CONFIG,
			       "header '%.40s' is not a name and a line of text", name);
			continue;
		}
		has_content_type |= strcasecmp(name, "content-type") == 0;
		/* To curl "Name:" removes a header and "Name;" sends an empty one. */
		str_addf(&line, *text == '\0' ? "%s;" : "%s: ", name);
		str_add(&line, text);
		add_header(call, str_text(&line));
	}
	if (rq->body != NULL && !has_content_type)
		add_header(call, "Content-Type: application/json");
	/* Waiting for "100 Continue" costs a second with servers that never send it. */
	add_header(call, "Expect:");
	SET(call->easy, CURLOPT_HTTPHEADER, call->header_list);
}

static void setup_method(struct http_call *call, const struct http_request *rq)
{
	const char *method = rq->method == NULL ? "GET" : rq->method;
	bool is_post = strcmp(method, "POST") == 0;
	bool is_get = strcmp(method, "GET") == 0;
	bool has_body = rq->body != NULL;

	if (!is_token(method))
		refuse(call, REASON_CONFIG, "'%.40s' is not a method", method);
	if (strcmp(method, "HEAD") == 0) {
		SET(call->easy, CURLOPT_NOBODY, 1L);
		return;
	}
	if (has_body || is_post) {
		SET(call->easy, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)(has_body ? rq->body_len : 0));
		SET(call->easy, CURLOPT_COPYPOSTFIELDS, has_body ? rq->body : "");
	}
	/* A custom method is repeated by curl on every redirect; POST alone knows to become GET. */
	if (!is_post && (!is_get || has_body))
		SET(call->easy, CURLOPT_CUSTOMREQUEST, method);
}

static void setup_connection(struct http_call *call, const struct http_request *rq)
{
	CURL *easy = call->easy;

	SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	SET(easy, CURLOPT_PROXY, "");
	SET(easy, CURLOPT_NOSIGNAL, 1L);
	/* Without it the loop waits for a resolver thread that hangs when its request has timed
	 * out. */
	SET(easy, CURLOPT_QUICK_EXIT, 1L);
	SET(easy, CURLOPT_TIMEOUT_MS, (long)rq->timeout_ms);
	SET(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)rq->timeout_ms);
	SET(easy, CURLOPT_FOLLOWLOCATION, rq->follow_redirects ? 1L : 0L);
	SET(easy, CURLOPT_MAXREDIRS, (long)HTTP_REDIRECTS_MAX);
	SET(easy, CURLOPT_CERTINFO, 1L);
	if (rq->fresh_connection) {
		SET(easy, CURLOPT_FRESH_CONNECT, 1L);
		SET(easy, CURLOPT_FORBID_REUSE, 1L);
		/* A resumed TLS session does not show the certificate again. */
		SET(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	}
	if (rq->skip_tls_verify) {
		SET(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		SET(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (rq->ca_file != NULL)
		SET(easy, CURLOPT_CAINFO, rq->ca_file);
	if (rq->username != NULL) {
		SET(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		SET(easy, CURLOPT_USERNAME, rq->username);
		SET(easy, CURLOPT_PASSWORD, rq->password == NULL ? "" : rq->password);
	}
}

static void setup_callbacks(struct http_call *call)
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

void http_call_setup(struct http_call *call, const struct http_request *rq)
{
	call->on_stage = rq->on_stage;
	call->refused = REASON_OK;
	call->body_max = rq->body_max == 0 ? HTTP_BODY_MAX_DEFAULT : rq->body_max;
	call->headers = json_object();
	SET(call->easy, CURLOPT_URL, rq->url);
	SET(call->easy, CURLOPT_USERAGENT, rq->user_agent == NULL ? USER_AGENT : rq->user_agent);
	setup_callbacks(call);
	setup_connection(call, rq);
	setup_method(call, rq);
	setup_headers(call, rq);
	enter_stage(call, REASON_TIMEOUT_DNS);
}

void http_call_clear(struct http_call *call)
{
	curl_slist_free_all(call->header_list);
	call->header_list = NULL;
	str_done(&call->body);
	json_decref(call->headers);
	call->headers = NULL;
}

/* ---- what its end means ---- */

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
	{CURLE_GOT_NOTHING, REASON_CONN_CLOSED},
	{CURLE_SSL_CONNECT_ERROR, REASON_TLS_FAILED},
	{CURLE_SSL_CIPHER, REASON_TLS_FAILED},
	{CURLE_SSL_ISSUER_ERROR, REASON_TLS_CERT},
	{CURLE_SSL_INVALIDCERTSTATUS, REASON_TLS_CERT},
	{CURLE_SSL_CACERT_BADFILE, REASON_CONFIG},
	{CURLE_SSL_ENGINE_NOTFOUND, REASON_INTERNAL},
	{CURLE_FAILED_INIT, REASON_INTERNAL},
	{CURLE_OUT_OF_MEMORY, REASON_INTERNAL},
	{CURLE_TOO_MANY_REDIRECTS, REASON_PROTOCOL},
};

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
		return reason_of_errno(os_errno, REASON_UNREACHABLE);
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		return reason_of_errno(os_errno, REASON_CONN_RESET);
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

static int64_t info_cert_expires(CURL *easy)
{
	static const char label[] = "Expire date:";
	struct curl_certinfo *chain = NULL;

	if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &chain) != CURLE_OK || chain == NULL ||
	    chain->num_of_certs == 0)
		return 0;
	for (struct curl_slist *line = chain->certinfo[0]; line != NULL; line = line->next) {
		time_t at;

		if (!str_starts(line->data, label))
			continue;
		at = curl_getdate(line->data + strlen(label), NULL);
		return at < 0 ? 0 : (int64_t)at * MS_PER_S;
	}
	return 0;
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
	r->first_byte_ms = info_ms(easy, CURLINFO_STARTTRANSFER_TIME_T);
	r->is_reused = r->status != 0 && connects == 0;
	r->retry_after_ms = info_retry_after(call);
	r->cert_expires_ms = info_cert_expires(easy);
}

void http_call_no_result(struct http_call *call, enum reason reason, const char *text,
			 struct http_response *r)
{
	*r = (struct http_response){
		.reason = reason,
		.body = "",
		.ip = "",
		.headers = call->headers,
		.retry_after_ms = -1,
	};
	(void)snprintf(r->error, sizeof(r->error), "%s", text);
}

void http_call_result(struct http_call *call, CURLcode code, struct http_response *r)
{
	const char *words =
		call->curl_error[0] != '\0' ? call->curl_error : curl_easy_strerror(code);

	if (call->refused != REASON_OK)
		http_call_no_result(call, call->refused, call->refused_text, r);
	else if (code == CURLE_OK)
		http_call_no_result(call, REASON_OK, "", r);
	else
		http_call_no_result(call, reason_of_code(call, code), words, r);
	fill_answer(call, r);
	if (r->ip == NULL)
		r->ip = "";
}
