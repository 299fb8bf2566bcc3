/* SPDX-License-Identifier: Apache-2.0 */
/* http - asks a URL and looks at the answer
 *
 * Connects anew each time unless told otherwise, because that connecting works is part of what is
 * checked. The answer's JSON is read at most once, and only if an expression wants it.
 */
#include "check.h"

#include <ctype.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "excerpt.h"
#include "expr/jq.h"
#include "http_expect.h"

#define MS_PER_S 1000.0

/* ---- Options ---- */

struct expect_opts {
	struct strlist status;
	char *body;
	char *regex;
	char *jq;
};

struct tls_opts {
	bool verify;
	char *ca;
};

struct http_opts {
	char *url;
	char *method;
	json_t *headers;
	char *body;
	char *username;
	char *password;
	struct expect_opts expect;
	json_t *metrics;
	bool follow_redirects;
	bool fresh_connection;
	struct tls_opts tls;
	int64_t body_max;
};

static const struct conf_item expect_items[] = {
	CONF_LIST(struct expect_opts, status, .def = "[2xx]", .flags = CONF_F_NONEMPTY,
		  .help = "Statuses that are fine: 200, 2xx, 200-299"),
	CONF_STR(struct expect_opts, body, .help = "Text that the body must contain"),
	CONF_STR(struct expect_opts, regex,
		 .help = "Extended regular expression (POSIX) that must match in the body"),
	CONF_JQ(struct expect_opts, jq, .help = "jq program that must give true for the body"),
	CONF_END,
};

static const struct conf_item tls_items[] = {
	CONF_BOOL(struct tls_opts, verify, .def = "true",
		  .help = "Refuse certificates that are not trusted, not valid or not this host's"),
	CONF_STR(struct tls_opts, ca, .flags = CONF_F_READ_FILE,
		 .help = "File of trusted certificates (PEM)"),
	CONF_END,
};

static const struct conf_item http_items[] = {
	CONF_STR(struct http_opts, url, .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY | CONF_F_TARGET,
		 .help = "What to ask, http://… or https://…"),
	CONF_STR(struct http_opts, method, .def = "GET", .flags = CONF_F_NONEMPTY,
		 .help = "Request method"),
	CONF_STRMAP(struct http_opts, headers, .flags = CONF_F_SECRET,
		    .help = "Request headers, name: value"),
	CONF_STR(struct http_opts, body,
		 .help = "Request body; sent as application/json unless headers say otherwise"),
	CONF_STR(struct http_opts, username, .help = "Login (basic authentication)"),
	CONF_STR(struct http_opts, password, .flags = CONF_F_SECRET, .help = "Its password"),
	CONF_MAP(struct http_opts, expect, expect_items, .def = "{}",
		 .help = "What a good answer looks like"),
	CONF_STRMAP(struct http_opts, metrics,
		    .help = "Metrics taken from a JSON body, name: jq program that gives a number"),
	CONF_BOOL(struct http_opts, follow_redirects, .def = "true",
		  .help = "Follow up to 5 redirects and look at the last answer"),
	CONF_BOOL(struct http_opts, fresh_connection, .def = "true",
		  .help = "Connect anew each time; otherwise an open connection may be used again"),
	CONF_MAP(struct http_opts, tls, tls_items, .def = "{}", .help = "TLS of https"),
	CONF_SIZE(struct http_opts, body_max, .def = "1MB", .min = 1, .max = 64 << 20,
		  .help = "A larger body is an error"),
	CONF_END,
};

static const struct metric_doc http_metrics[] = {
	{"status_code", "status of the answer"},
	{"dns_ms", "time to resolve the name"},
	{"connect_ms", "time to connect, after the name was resolved"},
	{"tls_ms", "time of the TLS handshake (https)"},
	{"first_byte_ms", "time from the beginning to the first byte of the answer"},
	{"body_bytes", "size of the body"},
	{"cert_expires_seconds", "time until the certificate expires (https, new connection)"},
	{NULL, NULL},
};

static bool is_metric_name(const char *name)
{
	if (!islower((unsigned char)*name))
		return false;
	for (; *name != '\0'; name++) {
		if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name) &&
		    *name != '_')
			return false;
	}
	return true;
}

static int regex_compile(const char *text, regex_t *regex_r, struct err *err)
{
	char why[128];
	int rc = regcomp(regex_r, text, REG_EXTENDED | REG_NOSUB | REG_NEWLINE);

	if (rc == 0)
		return 0;
	(void)regerror(rc, regex_r, why, sizeof(why));
	return err_set(err, -1, "%s", why);
}

static int jq_test(const char *program, struct err *err)
{
	struct jq_expr *e = jq_new(program);
	int rc = jq_check(e, err);

	jq_free(e);
	return rc;
}

static void validate_expect(const struct expect_opts *o, service_problem_fn problem, void *ctx)
{
	struct http_status_range range;
	struct err err;
	regex_t regex;

	for (size_t i = 0; i < o->status.n; i++) {
		if (http_status_parse(o->status.v[i], &range, &err) != 0)
			problem(ctx, "/expect/status", err.text);
	}
	if (o->regex != NULL) {
		if (regex_compile(o->regex, &regex, &err) != 0)
			problem(ctx, "/expect/regex", err.text);
		else
			regfree(&regex);
	}
	if (o->jq != NULL && jq_test(o->jq, &err) != 0)
		problem(ctx, "/expect/jq", err.text);
}

static void http_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct http_opts *o = opts;
	const char *name;
	json_t *program;
	struct err err;

	if (http_url_check(o->url, &err) != 0)
		problem(ctx, "/url", err.text);
	validate_expect(&o->expect, problem, ctx);
	json_object_foreach (o->metrics, name, program) {
		HALE_CLEANUP(cleanup_free) char *path = mem_printf("/metrics/%s", name);

		if (!is_metric_name(name))
			problem(ctx, path, "a metric's name is made of a-z, 0-9 and _");
		if (jq_test(json_string_value(program), &err) != 0)
			problem(ctx, path, err.text);
	}
}

/* ---- What outlives a run: compiled expressions ---- */

struct metric {
	const char *name; /* borrowed from the options */
	struct jq_expr *program;
};

struct http_prep {
	regex_t regex;
	bool has_regex;
	struct jq_expr *jq; /* NULL: none */
	struct metric *metrics;
	size_t metrics_n;
};

static void *http_prepare(const void *opts)
{
	const struct http_opts *o = opts;
	struct http_prep *prep = mem_alloc(sizeof(*prep));
	const char *name;
	json_t *program;

	if (o->expect.regex != NULL)
		prep->has_regex = regex_compile(o->expect.regex, &prep->regex, NULL) == 0;
	if (o->expect.jq != NULL)
		prep->jq = jq_new(o->expect.jq);
	prep->metrics = mem_array(json_object_size(o->metrics) + 1, sizeof(*prep->metrics));
	json_object_foreach (o->metrics, name, program)
		prep->metrics[prep->metrics_n++] = (struct metric){
			.name = name, .program = jq_new(json_string_value(program))};
	return prep;
}

static void http_unprepare(void *ptr)
{
	struct http_prep *prep = ptr;

	if (prep == NULL)
		return;
	if (prep->has_regex)
		regfree(&prep->regex);
	jq_free(prep->jq);
	for (size_t i = 0; i < prep->metrics_n; i++)
		jq_free(prep->metrics[i].program);
	free(prep->metrics);
	free(prep);
}

/* ---- The verdict ---- */

/* The first thing that is wrong; REASON_OK while there is none. */
struct verdict {
	enum reason reason;
	struct err text;
};

HALE_PRINTF(3, 4)
static void object(struct verdict *v, enum reason reason, const char *fmt, ...)
{
	va_list args;

	if (v->reason != REASON_OK)
		return;
	v->reason = reason;
	va_start(args, fmt);
	(void)vsnprintf(v->text.text, sizeof(v->text.text), fmt, args);
	va_end(args);
}

static void judge_status(struct check *c, const struct http_response *r, struct verdict *v)
{
	const struct http_opts *o = check_opts(c);
	enum reason reason = REASON_HTTP_STATUS;
	char wanted[128];

	if (http_status_matches(&o->expect.status, r->status))
		return;
	if (r->status == 401 || r->status == 403)
		reason = REASON_HTTP_AUTH;
	if (r->status == 429) {
		reason = REASON_HTTP_RATE_LIMITED;
		if (r->retry_after_ms >= 0)
			check_detail(c, "retry_after_seconds",
				     json_real((double)r->retry_after_ms / MS_PER_S));
	}
	object(v, reason, "HTTP %ld, expected %s", r->status,
	       http_status_describe(&o->expect.status, wanted, sizeof(wanted)));
}

static bool regex_matches(const regex_t *regex, const struct http_response *r)
{
	/* The body may hold NUL; REG_STARTEND gives its length. */
	regmatch_t span = {.rm_so = 0, .rm_eo = (regoff_t)r->body_len};

	return regexec(regex, r->body, 0, &span, REG_STARTEND) == 0;
}

static void judge_text(struct check *c, const struct http_response *r, struct verdict *v)
{
	const struct http_opts *o = check_opts(c);
	const struct http_prep *prep = check_prep(c);
	const char *text = o->expect.body;
	char got[EXCERPT_SIZE];

	(void)excerpt(r->body, r->body_len, got);
	if (text != NULL && memmem(r->body, r->body_len, text, strlen(text)) == NULL)
		object(v, REASON_BODY_MISMATCH, "body does not contain '%s': %s", text, got);
	if (prep->has_regex && !regex_matches(&prep->regex, r))
		object(v, REASON_BODY_MISMATCH, "body does not match /%s/: %s", o->expect.regex,
		       got);
}

/* New reference; NULL with an objection. */
static json_t *parse_body(const struct http_response *r, struct verdict *v)
{
	char got[EXCERPT_SIZE];
	json_error_t why;
	json_t *body = json_loadb(r->body, r->body_len,
				  JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);

	if (body == NULL)
		object(v, REASON_BODY_NOT_JSON, "body is not JSON (line %d column %d: %s): %s",
		       why.line, why.column, why.text, excerpt(r->body, r->body_len, got));
	return body;
}

static void describe_value(const json_t *value, char got[EXCERPT_SIZE])
{
	HALE_CLEANUP(cleanup_free)
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

	(void)excerpt(text == NULL ? "?" : text, text == NULL ? 1 : strlen(text), got);
}

static void judge_jq(struct check *c, const json_t *body, struct verdict *v)
{
	const struct http_opts *o = check_opts(c);
	const struct http_prep *prep = check_prep(c);
	char got[EXCERPT_SIZE];
	struct err err;
	json_t *value;

	if (prep->jq == NULL)
		return;
	if (jq_first(prep->jq, body, NULL, &value, &err) != 0) {
		object(v, REASON_EXPR_ERROR, "%s: %s", o->expect.jq, err.text);
		return;
	}
	if (!json_is_true(value)) {
		describe_value(value, got);
		object(v, REASON_BODY_MISMATCH, "%s gave %s", o->expect.jq, got);
	}
	json_decref(value);
}

static void take_metric(struct check *c, const struct metric *m, const json_t *body,
			struct verdict *v)
{
	char got[EXCERPT_SIZE];
	struct err err;
	json_t *value;

	if (jq_first(m->program, body, NULL, &value, &err) != 0) {
		object(v, REASON_EXPR_ERROR, "metric %s: %s", m->name, err.text);
		return;
	}
	if (json_is_number(value)) {
		check_metric(c, m->name, json_number_value(value));
	} else {
		describe_value(value, got);
		object(v, REASON_EXPR_ERROR, "metric %s: expected a number, got %s", m->name, got);
	}
	json_decref(value);
}

/* The metrics of a body that is not as expected are worth having all the same. */
static void judge_json(struct check *c, const struct http_response *r, struct verdict *v)
{
	const struct http_prep *prep = check_prep(c);
	json_t *body;

	if (prep->jq == NULL && prep->metrics_n == 0)
		return;
	body = parse_body(r, v);
	if (body == NULL)
		return;
	judge_jq(c, body, v);
	for (size_t i = 0; i < prep->metrics_n; i++)
		take_metric(c, &prep->metrics[i], body, v);
	json_decref(body);
}

/* ---- One run ---- */

struct http_run {
	struct http_call *call;
};

static void take_times(struct check *c, const struct http_response *r)
{
	if (r->status != 0)
		check_metric(c, "status_code", (double)r->status);
	/* What curl has not reached it leaves at 0. */
	if (!r->is_reused && r->dns_ms > 0)
		check_metric(c, "dns_ms", r->dns_ms);
	if (!r->is_reused && r->connect_ms > 0)
		check_metric(c, "connect_ms", r->connect_ms - r->dns_ms);
	if (!r->is_reused && r->tls_ms > 0)
		check_metric(c, "tls_ms", r->tls_ms - r->connect_ms);
	if (r->first_byte_ms > 0)
		check_metric(c, "first_byte_ms", r->first_byte_ms);
	if (r->status != 0)
		check_metric(c, "body_bytes", (double)r->body_len);
	if (r->cert_expires_ms > 0)
		check_metric(c, "cert_expires_seconds",
			     (double)(r->cert_expires_ms - clock_wall_ms()) / MS_PER_S);
	if (*r->ip != '\0')
		check_detail(c, "ip", json_string(r->ip));
}

static void on_answer(void *ctx, const struct http_response *r)
{
	struct check *c = ctx;
	struct verdict v = {.reason = r->reason};

	((struct http_run *)check_run_data(c))->call = NULL;
	take_times(c, r);
	if (r->reason != REASON_OK) {
		check_done(c, r->reason, "%s", r->error);
		return;
	}
	judge_status(c, r, &v);
	/* The body of an error page is not what the expressions were written for. */
	if (v.reason == REASON_OK) {
		judge_text(c, r, &v);
		judge_json(c, r, &v);
	}
	if (v.reason == REASON_OK)
		check_done(c, REASON_OK, "HTTP %ld in %.0f ms", r->status, r->total_ms);
	else
		check_done(c, v.reason, "%s", v.text.text);
}

static void on_stage(void *ctx, enum reason timeout_reason)
{
	check_stage(ctx, timeout_reason);
}

static void http_check_start(struct check *c)
{
	const struct http_opts *o = check_opts(c);
	struct http_run *run = check_run_data(c);
	struct http_request rq = {
		.method = o->method,
		.url = o->url,
		.headers = o->headers,
		.body = o->body,
		.body_len = o->body == NULL ? 0 : strlen(o->body),
		/* The runner ends it in time, and may have to grant that time twice; curl only has
		 * to come to an end at all. */
		.timeout_ms = 3 * check_timeout_ms(c),
		.body_max = (size_t)o->body_max,
		.follow_redirects = o->follow_redirects,
		.fresh_connection = o->fresh_connection,
		.skip_tls_verify = !o->tls.verify,
		.ca_file = o->tls.ca,
		.username = o->username,
		.password = o->password,
		.on_stage = on_stage,
	};

	run->call = http_start(check_http(c), &rq, on_answer, c);
}

static void http_check_cancel(struct check *c)
{
	struct http_run *run = check_run_data(c);

	http_cancel(run->call);
}

const struct check_ops check_ops = {
	.kind = "http",
	.summary = "asks a URL; looks at status, body, certificate and times",
	.items = http_items,
	.opts_size = sizeof(struct http_opts),
	.run_size = sizeof(struct http_run),
	.metrics = http_metrics,
	.validate = http_validate,
	.prepare = http_prepare,
	.unprepare = http_unprepare,
	.start = http_check_start,
	.cancel = http_check_cancel,
};
