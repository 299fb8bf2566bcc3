/* SPDX-License-Identifier: Apache-2.0 */
#include "message_expect.h"

#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "excerpt.h"
#include "expr/jq.h"
#include "metric_name.h"

const struct conf_item message_items[] = {
	CONF_STR(struct message_opts, text, .flags = CONF_F_NONEMPTY,
		 .help = "Text that it must contain"),
	CONF_STR(struct message_opts, regex, .flags = CONF_F_NONEMPTY,
		 .help = "Extended regular expression (POSIX) that must match in it"),
	CONF_JQ(struct message_opts, jq, .help = "jq program that must give true for it"),
	CONF_END,
};

struct metric {
	const char *name; /* borrowed from the options */
	struct jq_expr *program;
};

struct message_expect {
	const struct message_opts *opts;
	regex_t regex;
	bool has_regex;
	struct jq_expr *jq; /* NULL: none */
	struct metric *metrics;
	size_t metrics_n;
};

/* ---- Options ---- */

static int compile(const char *text, regex_t *regex_r, struct err *err)
{
	char why[128];
	int rc = regcomp(regex_r, text, REG_EXTENDED | REG_NOSUB | REG_NEWLINE);

	if (rc == 0)
		return 0;
	(void)regerror(rc, regex_r, why, sizeof(why));
	return err_set(err, -EINVAL, "%s", why);
}

static void try_jq(const char *program, const char *path, service_problem_fn problem, void *ctx)
{
	struct jq_expr *e = jq_new(program);
	struct err err;

	if (jq_check(e, &err) != 0)
		problem(ctx, path, err.text);
	jq_free(e);
}

void message_expect_validate(const struct message_opts *o, const char *path, const json_t *metrics,
			     const char *metrics_path, service_problem_fn problem, void *ctx)
{
	HALE_CLEANUP(cleanup_free) char *at_regex = mem_printf("%s/regex", path);
	HALE_CLEANUP(cleanup_free) char *at_jq = mem_printf("%s/jq", path);
	const char *name;
	json_t *program;
	struct err err;
	regex_t regex;

	if (o->regex != NULL) {
		if (compile(o->regex, &regex, &err) != 0)
			problem(ctx, at_regex, err.text);
		else
			regfree(&regex);
	}
	if (o->jq != NULL)
		try_jq(o->jq, at_jq, problem, ctx);
	json_object_foreach ((json_t *)(uintptr_t)metrics, name, program) {
		HALE_CLEANUP(cleanup_free) char *at = mem_printf("%s/%s", metrics_path, name);

		if (!metric_name_is_good(name))
			problem(ctx, at, METRIC_NAME_RULE);
		try_jq(json_string_value(program), at, problem, ctx);
	}
}

/* ---- What outlives a run ---- */

struct message_expect *message_expect_new(const struct message_opts *o, const json_t *metrics)
{
	struct message_expect *m = mem_alloc(sizeof(*m));
	const char *name;
	json_t *program;

	m->opts = o;
	if (o->regex != NULL)
		m->has_regex = compile(o->regex, &m->regex, NULL) == 0;
	if (o->jq != NULL)
		m->jq = jq_new(o->jq);
	m->metrics = mem_array(json_object_size(metrics) + 1, sizeof(*m->metrics));
	json_object_foreach ((json_t *)(uintptr_t)metrics, name, program)
		m->metrics[m->metrics_n++] = (struct metric){
			.name = name, .program = jq_new(json_string_value(program))};
	return m;
}

void message_expect_free(struct message_expect *m)
{
	if (m == NULL)
		return;
	if (m->has_regex)
		regfree(&m->regex);
	jq_free(m->jq);
	for (size_t i = 0; i < m->metrics_n; i++)
		jq_free(m->metrics[i].program);
	free(m->metrics);
	free(m);
}

bool message_expect_is_asked(const struct message_expect *m)
{
	return m->opts->text != NULL || m->has_regex || m->jq != NULL || m->metrics_n > 0;
}

/* ---- One message ---- */

static json_t *parse(const char *data, size_t len, struct err *err)
{
	char got[EXCERPT_SIZE];
	json_error_t why;
	json_t *json = json_loadb(data, len,
				  JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);

	if (json == NULL)
		(void)err_set(err, -EBADMSG, "not JSON (%s): %s", why.text,
			      excerpt(data, len, got));
	return json;
}

static void describe(const json_t *value, char got[EXCERPT_SIZE])
{
	HALE_CLEANUP(cleanup_free)
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

	(void)excerpt(text == NULL ? "?" : text, text == NULL ? 1 : strlen(text), got);
}

static bool regex_fits(const regex_t *regex, const char *data, size_t len)
{
	/* It may hold NUL; REG_STARTEND gives its length. */
	regmatch_t span = {.rm_so = 0, .rm_eo = (regoff_t)len};

	return regexec(regex, data, 0, &span, REG_STARTEND) == 0;
}

static bool jq_fits(const struct message_expect *m, const char *data, size_t len, struct err *why)
{
	json_t *json = parse(data, len, why);
	json_t *value = NULL;
	char got[EXCERPT_SIZE];
	bool fits = false;

	if (json == NULL)
		return false;
	if (jq_first(m->jq, json, NULL, &value, why) == 0) {
		fits = json_is_true(value);
		describe(value, got);
		if (!fits)
			(void)err_set(why, 0, "%s gave %s", m->opts->jq, got);
	}
	json_decref(value);
	json_decref(json);
	return fits;
}

bool message_expect_fits(const struct message_expect *m, const char *data, size_t len,
			 struct err *why_r)
{
	const char *text = m->opts->text;
	char got[EXCERPT_SIZE];

	if (text != NULL && memmem(data, len, text, strlen(text)) == NULL) {
		(void)err_set(why_r, 0, "does not contain '%s': %s", text, excerpt(data, len, got));
		return false;
	}
	if (m->has_regex && !regex_fits(&m->regex, data, len)) {
		(void)err_set(why_r, 0, "does not match /%s/: %s", m->opts->regex,
			      excerpt(data, len, got));
		return false;
	}
	return m->jq == NULL || jq_fits(m, data, len, why_r);
}

static int take_metric(const struct metric *m, struct check *c, const json_t *json, struct err *err)
{
	json_t *value = NULL;
	char got[EXCERPT_SIZE];
	int rc = jq_first(m->program, json, NULL, &value, err);

	if (rc != 0) {
		err_prefix(err, "metric %s", m->name);
	} else if (json_is_number(value)) {
		check_metric(c, m->name, json_number_value(value));
	} else {
		describe(value, got);
		rc = err_set(err, -EBADMSG, "metric %s: expected a number, got %s", m->name, got);
	}
	json_decref(value);
	return rc == 0 ? 0 : -EBADMSG;
}

int message_expect_metrics(const struct message_expect *m, struct check *c, const char *data,
			   size_t len, struct err *err)
{
	json_t *json;
	int rc = 0;

	if (m->metrics_n == 0)
		return 0;
	json = parse(data, len, err);
	if (json == NULL)
		return -EBADMSG;
	for (size_t i = 0; i < m->metrics_n && rc == 0; i++)
		rc = take_metric(&m->metrics[i], c, json, err);
	json_decref(json);
	return rc;
}
