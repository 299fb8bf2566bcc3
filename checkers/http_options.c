/* SPDX-License-Identifier: Apache-2.0 */
#include "http_options.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "http_expect.h"
#include "http_judge.h"
#include "metric_name.h"

#define MS_PER_HOUR (60 * 60 * 1000)

/* Of several endpoints, if nothing is said: what "the last minute" is to people. */
#define WINDOW_MS_DEFAULT (60 * 1000)

#define ANY_OR_RULE "a text that must be in it, a regular expression between slashes, or nothing"

static const struct conf_item expect_items[] = {
	CONF_LIST(struct http_expect_opts, status, .def = "[2xx]", .flags = CONF_F_NONEMPTY,
		  .help = "Statuses that are fine: 200, 2xx, 200-299"),
	CONF_STR(struct http_expect_opts, body, .help = "Text that the body must contain"),
	CONF_STR(struct http_expect_opts, not_body, .flags = CONF_F_NONEMPTY,
		 .help = "Text that the body must not contain"),
	CONF_STR(struct http_expect_opts, regex,
		 .help = "Extended regular expression (POSIX) that must match in the body"),
	CONF_STR(struct http_expect_opts, not_regex,
		 .help = "Extended regular expression (POSIX) that must not match in the body"),
	CONF_JQ(struct http_expect_opts, jq, .help = "jq program that must give true for the body"),
	CONF_STRMAP(struct http_expect_opts, headers,
		    .help = "Headers that the answer must have, name: " ANY_OR_RULE),
	CONF_STRMAP(struct http_expect_opts, not_headers,
		    .help = "Headers that it must not have, or not with such a value; as headers"),
	CONF_DURATION(struct http_expect_opts, max_age, .min = 1,
		      .help = "How old the answer may be by its header Last-Modified"),
	CONF_END,
};

static const struct conf_item endpoint_items[] = {
	CONF_STR(struct http_endpoint_opts, name,
		 .help = "Its name in metrics and messages; from its path unless given"),
	CONF_STR(struct http_endpoint_opts, path,
		 .help = "Path that is added to the component's url"),
	CONF_STR(struct http_endpoint_opts, url, .flags = CONF_F_NONEMPTY | CONF_F_CONNECT,
		 .help = "Or a URL of its own"),
	CONF_STR(struct http_endpoint_opts, method, .flags = CONF_F_NONEMPTY,
		 .help = "Request method; the component's unless given"),
	CONF_STR(struct http_endpoint_opts, body,
		 .help = "Request body; the component's unless given"),
	CONF_MAP(struct http_endpoint_opts, expect, expect_items,
		 .help = "What a good answer looks like; the component's unless given"),
	CONF_STRMAP(struct http_endpoint_opts, metrics, .help = "Metrics taken from its JSON body"),
	CONF_END,
};

static const struct conf_item proxy_items[] = {
	CONF_STR(struct http_proxy_opts, url,
		 .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY | CONF_F_CONNECT,
		 .help = "http, https, socks4, socks4a, socks5 or socks5h ://host:port"),
	CONF_STR(struct http_proxy_opts, username, .help = "Login at the proxy"),
	CONF_STR(struct http_proxy_opts, password, .flags = CONF_F_SECRET, .help = "Its password"),
	CONF_LIST(struct http_proxy_opts, exclude,
		  .help = "Hosts asked directly: a.example.org, .example.org, 10.0.0.0/8"),
	CONF_END,
};

static const struct conf_item tls_items[] = {
	CONF_BOOL(struct http_tls_opts, verify, .def = "true",
		  .help = "Refuse certificates that are not trusted, not valid or not this host's"),
	CONF_STR(struct http_tls_opts, ca, .flags = CONF_F_READ_FILE,
		 .help = "File of trusted certificates (PEM)"),
	CONF_STR(struct http_tls_opts, cert, .flags = CONF_F_READ_FILE,
		 .help = "File of a certificate (PEM) to show who asks"),
	CONF_STR(struct http_tls_opts, key, .flags = CONF_F_READ_FILE,
		 .help = "File of its key (PEM), unless it is beside the certificate in one file"),
	CONF_ENUM(struct http_tls_opts, min_version, .choices = "1.2|1.3",
		  .help = "Oldest version of TLS that will do"),
	CONF_END,
};

const struct conf_item http_items[] = {
	CONF_STR(struct http_opts, url, .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY | CONF_F_TARGET,
		 .help = "What to ask, http://… or https://…; what endpoints' paths are added to"),
	CONF_STR(struct http_opts, method, .def = "GET", .flags = CONF_F_NONEMPTY,
		 .help = "Request method"),
	CONF_STRMAP(struct http_opts, headers, .flags = CONF_F_SECRET,
		    .help = "Request headers, name: value"),
	CONF_STR(struct http_opts, body,
		 .help = "Request body; sent as application/json unless headers say otherwise"),
	CONF_STR(struct http_opts, username, .help = "Login (basic authentication)"),
	CONF_STR(struct http_opts, password, .flags = CONF_F_SECRET, .help = "Its password"),
	CONF_STR(struct http_opts, bearer_token, .flags = CONF_F_SECRET,
		 .help = "Token, sent as Authorization: Bearer"),
	CONF_MAP(struct http_opts, expect, expect_items, .def = "{}",
		 .help = "What a good answer looks like"),
	CONF_STRMAP(struct http_opts, metrics,
		    .help = "Metrics taken from a JSON body, name: jq program that gives a number"),
	CONF_STRMAP(struct http_opts, details,
		    .help = "Details taken from a JSON body, name: jq program"),
	CONF_JQ(struct http_opts, message,
		.help = "jq program whose text is the message when all is well"),
	CONF_ARRAY(struct http_opts, endpoints, endpoint_items, struct http_endpoint_opts,
		   .flags = CONF_F_NONEMPTY,
		   .help = "Several paths or URLs, asked at once, that are one component"),
	CONF_DURATION(struct http_opts, window, .min = 1000, .max = MS_PER_HOUR,
		      .help = "Time over which success rate, mean and 95th percentile are taken; "
			      "60s if there are endpoints, else only if given"),
	CONF_BOOL(struct http_opts, follow_redirects, .def = "true",
		  .help = "Follow redirects and look at the last answer"),
	CONF_INT(struct http_opts, max_redirects, .def = "5", .min = 1, .max = 20,
		 .help = "More are an error"),
	CONF_BOOL(struct http_opts, fresh_connection, .def = "true",
		  .help = "Connect anew each time; otherwise an open connection may be used again"),
	CONF_BOOL(struct http_opts, compressed, .def = "false",
		  .help = "Offer to take the body compressed (gzip, br, zstd, deflate)"),
	CONF_ENUM(struct http_opts, http_version, .def = "any", .choices = "any|1.0|1.1|2|h2c",
		  .help = "any: HTTP/2 where TLS agrees on it; 2: it must be; h2c: HTTP/2 from the "
			  "first byte, also without TLS"),
	CONF_ENUM(struct http_opts, ip_version, .def = "any", .choices = "any|4|6",
		  .help = "Connect by this version of IP only"),
	CONF_STR(struct http_opts, connect_to, .flags = CONF_F_NONEMPTY | CONF_F_CONNECT,
		 .help = "Connect to this host, host:port or [IPv6]:port instead of the URL's; the "
			 "URL's name is still asked for, and the certificate must be its"),
	CONF_STR(struct http_opts, unix_socket, .flags = CONF_F_NONEMPTY,
		 .help = "Connect to this Unix socket instead"),
	CONF_MAP(struct http_opts, proxy, proxy_items, .bare = "url",
		 .help = "Ask through a proxy; without it there is none, whatever the environment "
			 "says"),
	CONF_MAP(struct http_opts, tls, tls_items, .def = "{}", .help = "TLS of https"),
	CONF_SIZE(struct http_opts, body_max, .def = "1MB", .min = 1, .max = 64 << 20,
		  .help = "A larger body is an error"),
	CONF_END,
};

/* ---- Endpoints ---- */

char *http_endpoint_name(const struct http_endpoint_opts *e)
{
	const char *path = e->path == NULL ? "" : e->path;
	HALE_CLEANUP(str_done) struct str name = {0};

	if (e->name != NULL)
		return mem_dup(e->name);
	for (; *path != '\0' && *path != '?'; path++) {
		if (isalnum((unsigned char)*path))
			str_addc(&name, (char)tolower((unsigned char)*path));
		else if (name.len > 0 && name.data[name.len - 1] != '_')
			str_addc(&name, '_');
	}
	while (name.len > 0 && name.data[name.len - 1] == '_')
		str_truncate(&name, name.len - 1);
	return name.len == 0 ? mem_dup("root") : str_take(&name);
}

char *http_endpoint_url(const struct http_opts *o, const struct http_endpoint_opts *e)
{
	const char *base = o->url;
	const char *path = e->path == NULL ? "" : e->path;
	size_t len = strlen(base);

	if (e->url != NULL)
		return mem_dup(e->url);
	while (len > 0 && base[len - 1] == '/')
		len--;
	return mem_printf("%.*s%s%s", (int)len, base, *path == '/' ? "" : "/", path);
}

const struct http_expect_opts *http_endpoint_expect(const struct http_opts *o,
						    const struct http_endpoint_opts *e)
{
	return e->expect.status.n > 0 ? &e->expect : &o->expect;
}

int64_t http_window_ms(const struct http_opts *o)
{
	if (o->window == 0 && o->endpoints.n > 0)
		return WINDOW_MS_DEFAULT;
	return o->window;
}

/* ---- What cannot be ---- */

/* Where problems are told, and what stands before their paths. */
struct place {
	const char *path;
	service_problem_fn problem;
	void *ctx;
};

HALE_PRINTF(3, 4)
static void tell(const struct place *at, const char *option, const char *fmt, ...)
{
	HALE_CLEANUP(cleanup_free) char *path = mem_printf("%s%s", at->path, option);
	HALE_CLEANUP(str_done) struct str text = {0};
	va_list args;

	va_start(args, fmt);
	str_vaddf(&text, fmt, args);
	va_end(args);
	at->problem(at->ctx, path, str_text(&text));
}

static void check_rule(const struct place *at, const char *option, const char *text,
		       enum text_rule_form form)
{
	struct text_rule rule;
	struct err err;

	if (text == NULL)
		return;
	if (text_rule_init(&rule, text, form, &err) != 0)
		tell(at, option, "%s", err.text);
	else
		text_rule_done(&rule);
}

static void check_headers(const struct place *at, const char *option, const json_t *headers)
{
	const char *name;
	json_t *text;

	json_object_foreach ((json_t *)headers, name, text) {
		HALE_CLEANUP(cleanup_free) char *path = mem_printf("%s/%s", option, name);

		check_rule(at, path, json_string_value(text), TEXT_RULE_EITHER);
	}
}

static void check_program(const struct place *at, const char *option, const char *program)
{
	struct err err;

	if (program != NULL && http_program_check(program, &err) != 0)
		tell(at, option, "%s", err.text);
}

/* Programs with a name each. */
static void check_programs(const struct place *at, const char *option, const json_t *programs,
			   const char *what)
{
	const char *name;
	json_t *program;

	json_object_foreach ((json_t *)programs, name, program) {
		HALE_CLEANUP(cleanup_free) char *path = mem_printf("%s/%s", option, name);

		if (!metric_name_is_good(name))
			tell(at, path,
			     "a %s's name is made of a-z, 0-9 and _, and begins with a letter",
			     what);
		check_program(at, path, json_string_value(program));
	}
}

static void check_expect(const struct place *at, const struct http_expect_opts *o)
{
	struct http_status_range range;
	struct err err;

	for (size_t i = 0; i < o->status.n; i++) {
		if (http_status_parse(o->status.v[i], &range, &err) != 0)
			tell(at, "/expect/status", "%s", err.text);
	}
	check_rule(at, "/expect/regex", o->regex, TEXT_RULE_REGEX);
	check_rule(at, "/expect/not_regex", o->not_regex, TEXT_RULE_REGEX);
	check_headers(at, "/expect/headers", o->headers);
	check_headers(at, "/expect/not_headers", o->not_headers);
	check_program(at, "/expect/jq", o->jq);
}

static void check_url(const struct place *at, const char *url)
{
	struct err err;

	if (http_url_check(url, &err) != 0)
		tell(at, "/url", "%s", err.text);
}

/* NULL, or what else bears this name. */
static const char *name_taken(const struct http_opts *o, size_t index, const char *name)
{
	if (strcmp(name, "average_response") == 0 || strcmp(name, "p95_response") == 0)
		return "a metric of the whole";
	for (size_t i = 0; i < index; i++) {
		const struct http_endpoint_opts *endpoints = o->endpoints.v;
		HALE_CLEANUP(cleanup_free) char *other = http_endpoint_name(&endpoints[i]);

		if (strcmp(name, other) == 0)
			return "another endpoint";
	}
	return NULL;
}

/* Metrics are the component's, whichever endpoint they are taken from. */
static void check_metric_names(const struct place *at, const struct http_opts *o, size_t index)
{
	const struct http_endpoint_opts *endpoints = o->endpoints.v;
	const char *name;
	json_t *program;

	json_object_foreach (endpoints[index].metrics, name, program) {
		for (size_t i = 0; i < index; i++) {
			if (json_object_get(endpoints[i].metrics, name) != NULL)
				tell(at, "/metrics", "another endpoint has a metric %s too", name);
		}
	}
}

static void check_endpoint(const struct place *at, const struct http_opts *o, size_t index)
{
	const struct http_endpoint_opts *e =
		(const struct http_endpoint_opts *)o->endpoints.v + index;
	HALE_CLEANUP(cleanup_free) char *name = http_endpoint_name(e);
	const char *taken = name_taken(o, index, name);

	if (!metric_name_is_good(name))
		tell(at, "/name",
		     "'%s': an endpoint's name is made of a-z, 0-9 and _, and begins with a letter",
		     name);
	else if (taken != NULL)
		tell(at, "/name", "'%s' is the name of %s; give it another", name, taken);
	if ((e->path == NULL) == (e->url == NULL))
		tell(at, "", "an endpoint has a path, or a url of its own");
	if (e->url != NULL)
		check_url(at, e->url);
	check_expect(at, &e->expect);
	check_programs(at, "/metrics", e->metrics, "metric");
	check_metric_names(at, o, index);
}

static void check_endpoints(const struct place *at, const struct http_opts *o)
{
	if (o->endpoints.n > HTTP_ENDPOINTS_MAX)
		tell(at, "/endpoints", "there are %zu; %d are possible", o->endpoints.n,
		     HTTP_ENDPOINTS_MAX);
	for (size_t i = 0; i < o->endpoints.n; i++) {
		HALE_CLEANUP(cleanup_free) char *path = mem_printf("%s/endpoints/%zu", at->path, i);
		struct place inner = {.path = path, .problem = at->problem, .ctx = at->ctx};

		check_endpoint(&inner, o, i);
	}
	if (o->endpoints.n == 0)
		return;
	if (json_object_size(o->metrics) > 0)
		tell(at, "/metrics", "give them to the endpoint whose body they are taken from");
	if (json_object_size(o->details) > 0)
		tell(at, "/details", "there is no one body to take them from");
	if (o->message != NULL)
		tell(at, "/message", "there is no one body to take it from");
}

void http_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct http_opts *o = opts;
	struct place at = {.path = "", .problem = problem, .ctx = ctx};

	check_url(&at, o->url);
	check_expect(&at, &o->expect);
	check_programs(&at, "/metrics", o->metrics, "metric");
	check_programs(&at, "/details", o->details, "detail");
	check_program(&at, "/message", o->message);
	check_endpoints(&at, o);
	if (o->bearer_token != NULL && o->username != NULL)
		tell(&at, "/bearer_token", "there is a username already; one login is enough");
	if (o->connect_to != NULL && o->unix_socket != NULL)
		tell(&at, "/unix_socket", "connect_to already says where to connect");
	if (o->tls.key != NULL && o->tls.cert == NULL)
		tell(&at, "/tls/key", "the certificate (tls.cert) that it belongs to is missing");
}
