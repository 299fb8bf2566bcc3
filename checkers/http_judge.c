/* SPDX-License-Identifier: Apache-2.0 */
#include "http_judge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"
#include "excerpt.h"
#include "expr/jq.h"
#include "http_expect.h"
#include "http_limits.h"

#define MS_PER_S         1000.0
/* More is no detail but a copy of the body; it travels and is kept with each answer. */
#define DETAIL_MAX_BYTES 4096
/* "metric " and a name that is as long as anybody will write. */
#define TITLE_SIZE       128

void verdict_object(struct verdict *v, enum reason reason, const char *fmt, ...)
{
	va_list args;

	if (v->reason != REASON_OK)
		return;
	v->reason = reason;
	va_start(args, fmt);
	(void)vsnprintf(v->text.text, sizeof(v->text.text), fmt, args);
	va_end(args);
}

/* ---- What outlives a run: little, for there may be thousands ---- */

enum role { ROLE_EXPECT, ROLE_METRIC, ROLE_DETAIL, ROLE_MESSAGE };

struct program {
	enum role role;
	bool wants_answer;  /* uses $status or $headers */
	const char *name;   /* borrowed; NULL but for metrics and details */
	const char *source; /* borrowed */
	struct jq_expr *jq;
};

struct rule {
	const char *header; /* borrowed; NULL: about the body */
	bool must_not;
	struct text_rule text;
};

struct judge {
	const struct http_expect_opts *expect;
	struct rule *rules; /* those about headers first */
	struct program *programs;
	size_t rules_n, programs_n;
};

static bool wants_answer(const char *source)
{
	return strstr(source, "$status") != NULL || strstr(source, "$headers") != NULL;
}

static void add_program(struct judge *j, enum role role, const char *name, const char *source)
{
	if (source == NULL)
		return;
	j->programs = mem_grow(j->programs, j->programs_n + 1, sizeof(*j->programs));
	j->programs[j->programs_n++] = (struct program){
		.role = role,
		.wants_answer = wants_answer(source),
		.name = name,
		.source = source,
		.jq = jq_new(source),
	};
}

static void add_programs(struct judge *j, enum role role, const json_t *sources)
{
	const char *name;
	json_t *source;

	json_object_foreach ((json_t *)sources, name, source)
		add_program(j, role, name, json_string_value(source));
}

static void add_rule(struct judge *j, const char *header, bool must_not, const char *source,
		     enum text_rule_form form)
{
	struct rule *rule;

	if (source == NULL)
		return;
	j->rules = mem_grow(j->rules, j->rules_n + 1, sizeof(*j->rules));
	rule = &j->rules[j->rules_n++];
	*rule = (struct rule){.header = header, .must_not = must_not};
	/* validate() has seen that each expression compiles. */
	HALE_ASSERT(text_rule_init(&rule->text, source, form, NULL) == 0);
}

static void add_headers(struct judge *j, const json_t *wanted, bool must_not)
{
	const char *name;
	json_t *text;

	json_object_foreach ((json_t *)wanted, name, text)
		add_rule(j, name, must_not, json_string_value(text), TEXT_RULE_EITHER);
}

struct judge *judge_new(const struct http_expect_opts *expect,
			const struct judge_programs *programs)
{
	struct judge *j = mem_alloc(sizeof(*j));

	j->expect = expect;
	add_headers(j, expect->headers, false);
	add_headers(j, expect->not_headers, true);
	add_rule(j, NULL, false, expect->body, TEXT_RULE_TEXT);
	add_rule(j, NULL, false, expect->regex, TEXT_RULE_REGEX);
	add_rule(j, NULL, true, expect->not_body, TEXT_RULE_TEXT);
	add_rule(j, NULL, true, expect->not_regex, TEXT_RULE_REGEX);
	add_program(j, ROLE_EXPECT, NULL, expect->jq);
	add_programs(j, ROLE_METRIC, programs->metrics);
	add_programs(j, ROLE_DETAIL, programs->details);
	add_program(j, ROLE_MESSAGE, NULL, programs->message);
	return j;
}

void judge_free(struct judge *j)
{
	if (j == NULL)
		return;
	for (size_t i = 0; i < j->rules_n; i++)
		text_rule_done(&j->rules[i].text);
	for (size_t i = 0; i < j->programs_n; i++)
		jq_free(j->programs[i].jq);
	free(j->rules);
	free(j->programs);
	free(j);
}

/* ---- Status, headers, text ---- */

static void judge_status(const struct judge *j, struct check *c, const struct http_response *r,
			 struct verdict *v)
{
	enum reason reason = REASON_HTTP_STATUS;
	char wanted[128];

	if (http_status_matches(&j->expect->status, r->status))
		return;
	if (r->status == 401 || r->status == 403)
		reason = REASON_HTTP_AUTH;
	if (r->status == 429)
		reason = REASON_HTTP_RATE_LIMITED;
	if (r->retry_after_ms >= 0)
		check_detail(c, "retry_after_seconds",
			     json_real((double)r->retry_after_ms / MS_PER_S));
	verdict_object(v, reason, "HTTP %ld, expected %s", r->status,
		       http_status_describe(&j->expect->status, wanted, sizeof(wanted)));
}

static const char *header_value(const json_t *headers, const char *wanted)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)headers, name, value) {
		if (strcasecmp(name, wanted) == 0)
			return json_string_value(value);
	}
	return NULL;
}

static void judge_header(const struct rule *rule, const json_t *headers, struct verdict *v)
{
	const char *value = header_value(headers, rule->header);
	char got[EXCERPT_SIZE];

	if (value == NULL) {
		if (!rule->must_not)
			verdict_object(v, REASON_VALUE_MISMATCH, "there is no header %s",
				       rule->header);
		return;
	}
	if (text_rule_matches(&rule->text, value, strlen(value)) != rule->must_not)
		return;
	(void)excerpt(value, strlen(value), got);
	if (*rule->text.source == '\0')
		verdict_object(v, REASON_VALUE_MISMATCH, "there is a header %s: %s", rule->header,
			       got);
	else
		verdict_object(v, REASON_VALUE_MISMATCH, "header %s: expected %s%s, got %s",
			       rule->header, rule->must_not ? "no " : "", rule->text.source, got);
}

static void judge_text(const struct rule *rule, const struct http_response *r, struct verdict *v)
{
	const struct text_rule *text = &rule->text;
	const char *quote = text->is_regex ? "/" : "'";
	char got[EXCERPT_SIZE];
	const char *verb;

	if (text_rule_matches(text, r->body, r->body_len) != rule->must_not)
		return;
	if (rule->must_not)
		verb = text->is_regex ? "matches" : "contains";
	else
		verb = text->is_regex ? "does not match" : "does not contain";
	verdict_object(v, REASON_BODY_MISMATCH, "body %s %s%s%s: %s", verb, quote, text->source,
		       quote, excerpt(r->body, r->body_len, got));
}

static void judge_rules(const struct judge *j, const struct http_response *r, struct verdict *v)
{
	for (size_t i = 0; i < j->rules_n && v->reason == REASON_OK; i++) {
		if (j->rules[i].header != NULL)
			judge_header(&j->rules[i], r->headers, v);
		else
			judge_text(&j->rules[i], r, v);
	}
}

static void judge_age(const struct judge *j, struct check *c, const struct http_response *r,
		      struct verdict *v)
{
	const char *text = json_string_value(json_object_get(r->headers, "last-modified"));
	char age[UNITS_TEXT_MAX], limit[UNITS_TEXT_MAX];
	int64_t at_ms, age_ms;

	if (j->expect->max_age == 0)
		return;
	if (text == NULL || http_date_parse(text, &at_ms) != 0) {
		verdict_object(v, REASON_VALUE_MISMATCH, "there is no date in a header %s",
			       "Last-Modified");
		return;
	}
	age_ms = HALE_MAX(clock_wall_ms() - at_ms, (int64_t)0);
	check_metric(c, "age_seconds", (double)age_ms / MS_PER_S);
	if (age_ms > j->expect->max_age)
		verdict_object(v, REASON_STALE, "last modified %s ago, expected at most %s",
			       duration_format(age_ms, age),
			       duration_format(j->expect->max_age, limit));
}

/* ---- JSON ---- */

/* An answer as programs see it. */
struct answer {
	const struct http_response *r;
	json_t *body; /* owned */
	json_t *vars; /* made when first wanted */
};

static json_t *answer_vars(struct answer *a)
{
	if (a->vars == NULL)
		a->vars = json_pack("{s:I, s:O}", "status", (json_int_t)a->r->status, "headers",
				    a->r->headers);
	return a->vars;
}

int http_program_check(const char *source, struct err *err)
{
	struct jq_expr *e = jq_new(source);
	json_t *value = NULL;
	int rc;

	if (!wants_answer(source)) {
		rc = jq_check(e, err);
	} else {
		struct http_response r = {.status = 200, .headers = json_object()};
		struct answer a = {.r = &r, .body = json_null()};

		rc = jq_first(e, a.body, answer_vars(&a), &value, err);
		/* That it cannot do with null is no mistake. */
		if (rc == -EINVAL)
			err_prefix(err, "not a jq program");
		else
			rc = 0;
		json_decref(value);
		json_decref(a.vars);
		json_decref(r.headers);
	}
	jq_free(e);
	return rc;
}

/* For messages: what it is, or the program itself where that says enough. */
static const char *title(const struct program *p, char buf[TITLE_SIZE])
{
	static const char *const roles[] = {
		[ROLE_METRIC] = "metric ", [ROLE_DETAIL] = "detail ", [ROLE_MESSAGE] = "message"};

	if (p->role == ROLE_EXPECT)
		return p->source;
	(void)snprintf(buf, TITLE_SIZE, "%s%s", roles[p->role], p->name == NULL ? "" : p->name);
	return buf;
}

/* The value on one line. The caller frees it. */
static char *text_of(const json_t *value)
{
	char *text;

	if (json_is_string(value))
		return mem_dup(json_string_value(value));
	text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	return text != NULL ? text : mem_dup("?");
}

/* As JSON: a text in its quotes. */
static const char *describe(const json_t *value, char got[EXCERPT_SIZE])
{
	HALE_CLEANUP(cleanup_free)
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

	return excerpt(text == NULL ? "?" : text, text == NULL ? 1 : strlen(text), got);
}

static size_t json_bytes(const json_t *value)
{
	return json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
}

/* Null is what the body does not say: no detail. */
static void take_detail(const struct program *p, json_t *value, struct check *c, struct verdict *v)
{
	if (json_bytes(value) > DETAIL_MAX_BYTES)
		verdict_object(v, REASON_EXPR_ERROR, "detail %s: more than %d bytes of JSON",
			       p->name, DETAIL_MAX_BYTES);
	else if (!json_is_null(value))
		check_detail(c, p->name, json_incref(value));
}

/* What a program gave, put where it belongs. */
static void take(const struct program *p, json_t *value, struct check *c, struct verdict *v)
{
	char got[EXCERPT_SIZE];

	switch (p->role) {
	case ROLE_EXPECT:
		if (!json_is_true(value))
			verdict_object(v, REASON_BODY_MISMATCH, "%s gave %s", p->source,
				       describe(value, got));
		break;
	case ROLE_METRIC:
		if (json_is_number(value))
			check_metric(c, p->name, json_number_value(value));
		else
			verdict_object(v, REASON_EXPR_ERROR, "metric %s: expected a number, got %s",
				       p->name, describe(value, got));
		break;
	case ROLE_DETAIL:
		take_detail(p, value, c, v);
		break;
	case ROLE_MESSAGE:
		if (v->reason == REASON_OK) {
			HALE_CLEANUP(cleanup_free) char *text = text_of(value);

			(void)snprintf(v->text.text, sizeof(v->text.text), "%s", text);
		}
		break;
	}
}

static void show(const struct program *p, json_t *value, struct check *c)
{
	char got[EXCERPT_SIZE];
	json_t *gave = json_bytes(value) <= DETAIL_MAX_BYTES ? json_incref(value)
							     : json_string(describe(value, got));

	check_saw(c, "jq", json_pack("{s:s, s:o}", "program", p->source, "gave", gave));
}

static void run(const struct program *p, struct answer *a, struct check *c, struct verdict *v)
{
	char buf[TITLE_SIZE];
	struct err err;
	json_t *value;

	if (jq_first(p->jq, a->body, p->wants_answer ? answer_vars(a) : NULL, &value, &err) != 0) {
		verdict_object(v, REASON_EXPR_ERROR, "%s: %s", title(p, buf), err.text);
		return;
	}
	if (check_is_watched(c))
		show(p, value, c);
	take(p, value, c, v);
	json_decref(value);
}

/* New reference; NULL with an objection. */
static json_t *parse_body(const struct http_response *r, struct verdict *v)
{
	char got[EXCERPT_SIZE];
	json_error_t why;
	json_t *body = json_loadb(r->body, r->body_len,
				  JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);

	if (body == NULL)
		verdict_object(v, REASON_BODY_NOT_JSON,
			       "body is not JSON (line %d column %d: %s): %s", why.line, why.column,
			       why.text, excerpt(r->body, r->body_len, got));
	return body;
}

/* Metrics and details of a body that is not as expected are worth having all the same. */
static void judge_json(const struct judge *j, struct check *c, const struct http_response *r,
		       struct verdict *v)
{
	struct answer a = {.r = r};

	if (j->programs_n == 0)
		return;
	a.body = parse_body(r, v);
	if (a.body == NULL)
		return;
	for (size_t i = 0; i < j->programs_n; i++)
		run(&j->programs[i], &a, c, v);
	json_decref(a.body);
	json_decref(a.vars);
}

void judge_answer(const struct judge *j, struct check *c, const struct http_response *r,
		  struct verdict *v)
{
	judge_status(j, c, r, v);
	/* The body of an error page is not what the expressions were written for. */
	if (v->reason != REASON_OK)
		return;
	judge_age(j, c, r, v);
	judge_rules(j, r, v);
	judge_json(j, c, r, v);
}
