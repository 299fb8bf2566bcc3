/* SPDX-License-Identifier: Apache-2.0 */
/* What curl is told for one request. */
#include "http_call.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "http_headers.h"

static void add_header(struct http_call *call, const char *line)
{
	struct curl_slist *list = curl_slist_append(call->header_list, line);

	HALE_ASSERT(list != NULL);
	call->header_list = list;
}

/* As a header line, and not curl's XOAUTH2_BEARER, which needs its own choice of login. */
static void setup_bearer(struct http_call *call, const char *token)
{
	HALE_CLEANUP(cleanup_free) char *line = mem_printf("Authorization: Bearer %s", token);

	if (!http_is_header_value(token))
		http_call_refuse(call, REASON_CONFIG, "the bearer token is not a line of text");
	else
		add_header(call, line);
}

static void setup_headers(struct http_call *call, const struct http_request *rq)
{
	bool has_content_type = false;
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)rq->headers, name, value) {
		const char *text = json_string_value(value);
		HALE_CLEANUP(str_done) struct str line = {0};

		if (text == NULL || !http_is_token(name) || !http_is_header_value(text)) {
			http_call_refuse(call, REASON_CONFIG,
					 "header '%.40s' is not a name and a line of text", name);
			continue;
		}
		has_content_type |= strcasecmp(name, "content-type") == 0;
		/* To curl "Name:" removes a header and "Name;" sends an empty one. */
		str_addf(&line, *text == '\0' ? "%s;" : "%s: ", name);
		str_add(&line, text);
		add_header(call, str_text(&line));
	}
	if (rq->bearer_token != NULL)
		setup_bearer(call, rq->bearer_token);
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

	if (!http_is_token(method))
		http_call_refuse(call, REASON_CONFIG, "'%.40s' is not a method", method);
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

static const long curl_versions[] = {
	[HTTP_VERSION_ANY] = CURL_HTTP_VERSION_2TLS,
	[HTTP_VERSION_1_0] = CURL_HTTP_VERSION_1_0,
	[HTTP_VERSION_1_1] = CURL_HTTP_VERSION_1_1,
	[HTTP_VERSION_2_PRIOR] = CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE,
};

static const long curl_tls_versions[] = {
	[HTTP_TLS_ANY] = CURL_SSLVERSION_DEFAULT,
	[HTTP_TLS_1_2] = CURL_SSLVERSION_TLSv1_2,
	[HTTP_TLS_1_3] = CURL_SSLVERSION_TLSv1_3,
};

static void setup_tls(CURL *easy, const struct http_request *rq)
{
	if (rq->skip_tls_verify) {
		SET(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		SET(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (rq->ca_file != NULL)
		SET(easy, CURLOPT_CAINFO, rq->ca_file);
	if (rq->client_cert != NULL) {
		SET(easy, CURLOPT_SSLCERT, rq->client_cert);
		SET(easy, CURLOPT_SSLKEY,
		    rq->client_key == NULL ? rq->client_cert : rq->client_key);
	}
	SET(easy, CURLOPT_SSLVERSION, curl_tls_versions[rq->tls_min]);
}

/* An empty text: no proxy, whatever the environment says. */
static void setup_proxy(CURL *easy, const struct http_request *rq)
{
	const struct http_proxy *proxy = &rq->proxy;

	SET(easy, CURLOPT_PROXY, proxy->url == NULL ? "" : proxy->url);
	if (proxy->url == NULL)
		return;
	SET(easy, CURLOPT_NOPROXY, proxy->exclude == NULL ? "" : proxy->exclude);
	/* Its own answers are not the target's. */
	SET(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (proxy->username != NULL) {
		SET(easy, CURLOPT_PROXYAUTH, (long)CURLAUTH_BASIC);
		SET(easy, CURLOPT_PROXYUSERNAME, proxy->username);
		SET(easy, CURLOPT_PROXYPASSWORD, proxy->password == NULL ? "" : proxy->password);
	}
	if (rq->ca_file != NULL)
		SET(easy, CURLOPT_PROXY_CAINFO, rq->ca_file);
}

static bool has_port(const char *address)
{
	const char *bracket = strrchr(address, ']');

	return strchr(bracket == NULL ? address : bracket, ':') != NULL;
}

/* For the URL's own host alone: a redirect to another goes where that one is. */
static void setup_connect_to(struct http_call *call, const struct http_request *rq)
{
	HALE_CLEANUP(cleanup_free) char *line = NULL;
	CURLU *url = curl_url();
	char *host = NULL;

	HALE_ASSERT(url != NULL);
	if (curl_url_set(url, CURLUPART_URL, rq->url, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
		/* "HOST:PORT:CONNECT-TO-HOST:CONNECT-TO-PORT"; without a port the URL's. */
		line = mem_printf("%s::%s%s", host, rq->connect_to,
				  has_port(rq->connect_to) ? "" : ":");
		call->connect_list = curl_slist_append(NULL, line);
		HALE_ASSERT(call->connect_list != NULL);
		SET(call->easy, CURLOPT_CONNECT_TO, call->connect_list);
	}
	curl_free(host);
	curl_url_cleanup(url);
}

static void setup_target(struct http_call *call, const struct http_request *rq)
{
	CURL *easy = call->easy;

	setup_proxy(easy, rq);
	if (rq->connect_to != NULL)
		setup_connect_to(call, rq);
	if (rq->unix_path != NULL)
		SET(easy, CURLOPT_UNIX_SOCKET_PATH, rq->unix_path);
	if (rq->ip_version == 4)
		SET(easy, CURLOPT_IPRESOLVE, (long)CURL_IPRESOLVE_V4);
	else if (rq->ip_version == 6)
		SET(easy, CURLOPT_IPRESOLVE, (long)CURL_IPRESOLVE_V6);
}

static void setup_connection(struct http_call *call, const struct http_request *rq)
{
	CURL *easy = call->easy;

	SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	SET(easy, CURLOPT_NOSIGNAL, 1L);
	/* Without it the loop waits for a resolver thread that hangs when its request has timed
	 * out. */
	SET(easy, CURLOPT_QUICK_EXIT, 1L);
	SET(easy, CURLOPT_TIMEOUT_MS, (long)rq->timeout_ms);
	SET(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)rq->timeout_ms);
	SET(easy, CURLOPT_FOLLOWLOCATION, rq->follow_redirects ? 1L : 0L);
	SET(easy, CURLOPT_MAXREDIRS,
	    (long)(rq->redirects_max == 0 ? HTTP_REDIRECTS_MAX : rq->redirects_max));
	SET(easy, CURLOPT_HTTP_VERSION, curl_versions[rq->version]);
	if (rq->compressed)
		SET(easy, CURLOPT_ACCEPT_ENCODING, "");
	if (rq->fresh_connection) {
		SET(easy, CURLOPT_FRESH_CONNECT, 1L);
		SET(easy, CURLOPT_FORBID_REUSE, 1L);
		/* A resumed TLS session does not show the certificate again. */
		SET(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	}
	/* On a connection that was kept curl sends again what was not answered. */
	if (!http_is_idempotent(rq->method)) {
		SET(easy, CURLOPT_FRESH_CONNECT, 1L);
		SET(easy, CURLOPT_FORBID_REUSE, 1L);
	}
	if (rq->username != NULL) {
		SET(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		SET(easy, CURLOPT_USERNAME, rq->username);
		SET(easy, CURLOPT_PASSWORD, rq->password == NULL ? "" : rq->password);
	}
}

void http_call_setup(struct http_call *call, const struct http_request *rq)
{
	call->on_stage = rq->on_stage;
	call->refused = REASON_OK;
	call->body_max = rq->body_max == 0 ? HTTP_BODY_MAX_DEFAULT : rq->body_max;
	call->headers = json_object();
	SET(call->easy, CURLOPT_URL, rq->url);
	SET(call->easy, CURLOPT_USERAGENT,
	    rq->user_agent == NULL ? HTTP_USER_AGENT : rq->user_agent);
	http_call_listen(call);
	setup_connection(call, rq);
	setup_target(call, rq);
	setup_tls(call->easy, rq);
	setup_method(call, rq);
	setup_headers(call, rq);
	http_call_enter(call, REASON_TIMEOUT_DNS);
}
