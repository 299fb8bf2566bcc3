/* SPDX-License-Identifier: Apache-2.0 */
/* http_options - what one may say of an http check, and what of it cannot be
 *
 * The table of options and what it decodes into. A component asks one URL, or several endpoints;
 * an endpoint that says nothing of a matter takes what the component says.
 *
 * Ownership: texts are the decoded struct's; names and URLs that are made are the caller's.
 */
#ifndef HALE_CHECKERS_HTTP_OPTIONS_H
#define HALE_CHECKERS_HTTP_OPTIONS_H

#include "check.h"

/* They are asked at once: as many as a browser would hardly dare. */
#define HTTP_ENDPOINTS_MAX 64

struct http_expect_opts {
	struct strlist status; /* empty in an endpoint without `expect` */
	char *body, *not_body;
	char *regex, *not_regex;
	char *jq;
	json_t *headers, *not_headers;
	int64_t max_age; /* ms; 0: any */
};

struct http_endpoint_opts {
	char *name, *path, *url;
	char *method, *body;
	struct http_expect_opts expect;
	json_t *metrics;
};

struct http_proxy_opts {
	char *url, *username, *password;
	struct strlist exclude;
};

struct http_tls_opts {
	bool verify;
	char *ca, *cert, *key;
	char *min_version;
};

struct http_opts {
	char *url, *method;
	json_t *headers;
	char *body;
	char *username, *password, *bearer_token;
	struct http_expect_opts expect;
	json_t *metrics, *details;
	char *message;
	struct conf_vec endpoints; /* struct http_endpoint_opts */
	int64_t window;            /* ms; 0: as if not given */
	bool follow_redirects;
	int64_t max_redirects;
	bool fresh_connection;
	bool compressed;
	char *http_version, *ip_version;
	char *connect_to, *unix_socket;
	struct http_proxy_opts proxy;
	struct http_tls_opts tls;
	int64_t body_max;
};

extern const struct conf_item http_items[];
void http_validate(const void *opts, service_problem_fn problem, void *ctx);

/* An endpoint's name: as given, or its path with what is no letter or digit as '_'. */
char *http_endpoint_name(const struct http_endpoint_opts *e);
/* Its URL: its own, or the component's with its path. */
char *http_endpoint_url(const struct http_opts *o, const struct http_endpoint_opts *e);
/* An endpoint's expectation, or the component's if it has none. */
const struct http_expect_opts *http_endpoint_expect(const struct http_opts *o,
						    const struct http_endpoint_opts *e);
/* Over which the windowed figures are taken; 0: there are none. */
int64_t http_window_ms(const struct http_opts *o);

#endif
