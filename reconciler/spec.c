/* SPDX-License-Identifier: Apache-2.0 */
#include "spec.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "expr/jq.h"

/* PostgreSQL cuts names at 63 bytes, and two long names would become one. */
#define IDENTIFIER_MAX 63

/* ---- decoding ---- */

static const struct column_options *find_column(const struct job_options *o, const char *name)
{
	const struct column_options *v = o->columns.v;

	for (size_t i = 0; i < o->columns.n; i++) {
		if (str_eq(v[i].name, name))
			return &v[i];
	}
	return NULL;
}

static void make_column(struct plan_columns *list, const char *name, const struct column_options *o)
{
	struct plan_column *c;
	char tolerance[DECIMAL_TEXT_MAX];

	list->v = mem_grow(list->v, list->n + 1, sizeof(*list->v));
	c = &list->v[list->n++];
	*c = (struct plan_column){.name = mem_dup(name)};
	mapping_init(&c->from, o != NULL && o->from != NULL ? o->from : name, MAPPING_FIELD);
	if (o == NULL)
		return;
	(void)decimal_parse(decimal_real_text(o->tolerance, tolerance), &c->tolerance);
	c->compare = o->tolerance > 0 ? VALUE_NUMBER : value_compare_from_name(o->compare);
}

static void make_sets(struct plan_sets *sets, const json_t *texts)
{
	const char *name;
	json_t *text;

	json_object_foreach ((json_t *)texts, name, text) {
		sets->v = mem_grow(sets->v, sets->n + 1, sizeof(*sets->v));
		sets->v[sets->n] = (struct plan_set){.name = mem_dup(name)};
		mapping_init(&sets->v[sets->n++].value, json_string_value(text), MAPPING_CONSTANT);
	}
}

static enum plan_close close_mode(const char *name)
{
	return str_eq(name, "update")   ? PLAN_CLOSE_UPDATE
	       : str_eq(name, "delete") ? PLAN_CLOSE_DELETE
					: PLAN_CLOSE_NONE;
}

static void make_plan(const struct job_options *o, struct plan_spec *p)
{
	const struct column_options *columns = o->columns.v;

	for (size_t i = 0; i < o->key.n; i++)
		make_column(&p->keys, o->key.v[i], find_column(o, o->key.v[i]));
	for (size_t i = 0; i < o->columns.n; i++) {
		if (!strlist_has(&o->key, columns[i].name))
			make_column(&p->columns, columns[i].name, &columns[i]);
	}
	make_sets(&p->insert, o->insert.values);
	make_sets(&p->update, o->update.set);
	make_sets(&p->close, o->close.set);
	p->skip = o->skip == NULL ? NULL : jq_new(o->skip);
	p->has_insert = o->insert.is_enabled;
	p->has_update = o->update.is_enabled;
	p->close_mode = close_mode(o->close.mode);
	p->allow_empty = o->guards.allow_empty;
	p->max_changes = (size_t)o->guards.max_changes;
	p->max_change_percent = o->guards.max_change_percent;
}

int spec_decode(const char *name, const json_t *job, struct job_spec *spec, struct err *err)
{
	int rc;

	*spec = (struct job_spec){0};
	rc = conf_decode(job_items, job, &spec->o, err);
	if (rc == 0 && spec->o.schedule != NULL) {
		rc = cron_parse(spec->o.schedule, &spec->cron, err);
		spec->has_cron = rc == 0;
	}
	if (rc < 0) {
		err_prefix(err, "%s", name);
		conf_free(job_items, &spec->o);
		return -EINVAL;
	}
	spec->o.name = mem_dup(name);
	make_plan(&spec->o, &spec->plan);
	if (spec_is_http(spec))
		spec->rows = jq_new(spec->o.source.http.rows);
	if (spec->o.source.http.expect != NULL)
		spec->expect = jq_new(spec->o.source.http.expect);
	return 0;
}

void spec_done(struct job_spec *spec)
{
	plan_spec_done(&spec->plan);
	jq_free(spec->rows);
	jq_free(spec->expect);
	free(spec->o.name);
	spec->o.name = NULL;
	conf_free(job_items, &spec->o);
	*spec = (struct job_spec){0};
}

/* ---- reading ---- */

bool spec_is_http(const struct job_spec *spec)
{
	return spec->o.source.http.url != NULL;
}

const char *spec_source_name(const struct job_spec *spec)
{
	return spec_is_http(spec) ? "http" : "sql";
}

static struct db_target place(const struct sqlite_options *sqlite,
			      const struct postgres_options *postgres, int64_t timeout_ms)
{
	return (struct db_target){
		.engine = sqlite->path != NULL ? DB_SQLITE : DB_POSTGRES,
		.where = sqlite->path != NULL ? sqlite->path : postgres->dsn,
		.timeout_ms = timeout_ms,
		.must_exist = true,
	};
}

enum db_engine spec_engine(const struct job_spec *spec)
{
	return spec->o.target.sqlite.path != NULL ? DB_SQLITE : DB_POSTGRES;
}

struct db_target spec_source_place(const struct job_spec *spec)
{
	const struct sql_source_options *sql = &spec->o.source.sql;
	struct db_target t = place(&sql->sqlite, &sql->postgres, sql->timeout_ms);

	t.is_read_only = true;
	t.is_brief = true;
	return t;
}

struct db_target spec_target_place(const struct job_spec *spec, bool is_read_only)
{
	const struct target_options *o = &spec->o.target;
	struct db_target t = place(&o->sqlite, &o->postgres, o->timeout_ms);

	t.is_read_only = is_read_only;
	return t;
}

/* ---- checking ---- */

struct checking {
	struct job_spec *spec;
	spec_problem_fn problem;
	void *ctx;
};

static void tell(const struct checking *c, const char *path, const char *fmt, ...)
	HALE_PRINTF(3, 4);
static void tell(const struct checking *c, const char *path, const char *fmt, ...)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	va_list args;

	va_start(args, fmt);
	str_vaddf(&text, fmt, args);
	va_end(args);
	c->problem(c->ctx, path, str_text(&text));
}

static void tell_at(const struct checking *c, const char *folder, const char *name,
		    const char *message)
{
	HALE_CLEANUP(cleanup_free) char *path = mem_printf("%s/%s", folder, name);

	c->problem(c->ctx, path, message);
}

static bool is_identifier(const char *name, size_t len)
{
	if (len == 0 || len > IDENTIFIER_MAX || isdigit((unsigned char)name[0]))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)name[i]) && name[i] != '_')
			return false;
	}
	return true;
}

/* name or schema.name */
static bool is_table(const char *name)
{
	const char *dot = strchr(name, '.');

	if (dot == NULL)
		return is_identifier(name, strlen(name));
	return is_identifier(name, (size_t)(dot - name)) && is_identifier(dot + 1, strlen(dot + 1));
}

static void check_table(const struct checking *c, const char *path, const char *name)
{
	if (!is_table(name))
		tell(c, path, "'%s' is no table name: letters, digits and _, or schema.name", name);
}

static void check_column(const struct checking *c, const char *folder, const char *name)
{
	if (!is_identifier(name, strlen(name)))
		tell_at(c, folder, name, "no column name: letters, digits and _ only");
}

static void check_program(const struct checking *c, const char *path, struct jq_expr *program)
{
	struct err err = {0};

	if (program != NULL && jq_check(program, &err) < 0)
		c->problem(c->ctx, path, err.text);
}

static void check_url(const struct checking *c, const char *path, const char *url)
{
	if (!str_starts(url, "http://") && !str_starts(url, "https://"))
		c->problem(c->ctx, path, "must begin with http:// or https://");
}

static void check_place(const struct checking *c, const char *path, const char *sqlite,
			const char *postgres)
{
	if (sqlite == NULL && postgres == NULL)
		tell(c, path, "say where it is: sqlite or postgres");
	if (sqlite != NULL && postgres != NULL)
		tell(c, path, "sqlite and postgres are both given, choose one");
}

static void check_source(const struct checking *c)
{
	const struct source_options *o = &c->spec->o.source;

	if (o->http.url == NULL && o->sql.query == NULL)
		tell(c, "/source", "say where the rows come from: http or sql");
	if (o->http.url != NULL && o->sql.query != NULL)
		tell(c, "/source", "http and sql are both given, choose one");
	if (o->http.url != NULL)
		check_url(c, "/source/http/url", o->http.url);
	if (o->sql.query != NULL)
		check_place(c, "/source/sql", o->sql.sqlite.path, o->sql.postgres.dsn);
	check_program(c, "/source/http/rows", c->spec->rows);
	check_program(c, "/source/http/expect", c->spec->expect);
}

static void check_columns(const struct checking *c, const struct plan_columns *columns)
{
	for (size_t i = 0; i < columns->n; i++) {
		struct err err = {0};
		HALE_CLEANUP(cleanup_free)
		char *path = mem_printf("/columns/%s/from", columns->v[i].name);

		if (mapping_check(&columns->v[i].from, &err) < 0)
			c->problem(c->ctx, path, err.text);
	}
}

static bool has_column(const struct plan_columns *columns, const char *name)
{
	for (size_t i = 0; i < columns->n; i++) {
		if (str_eq(columns->v[i].name, name))
			return true;
	}
	return false;
}

static void check_sets(const struct checking *c, const char *folder, const struct plan_sets *sets,
		       bool may_be_compared)
{
	for (size_t i = 0; i < sets->n; i++) {
		struct plan_set *s = &sets->v[i];
		struct err err = {0};

		check_column(c, folder, s->name);
		if (mapping_check(&s->value, &err) < 0)
			tell_at(c, folder, s->name, err.text);
		if (has_column(&c->spec->plan.keys, s->name))
			tell_at(c, folder, s->name, "is a key column, whose value is the source's");
		else if (!may_be_compared && has_column(&c->spec->plan.columns, s->name))
			tell_at(c, folder, s->name, "stands under columns too, choose one");
	}
}

/* Parentheses around it keep `a OR b` together; they must not be closed from within. */
static void check_scope(const struct checking *c, const char *scope)
{
	int depth = 0;
	char quote = '\0';

	for (const char *p = scope; *p != '\0' && depth >= 0; p++) {
		if (quote != '\0')
			quote = *p == quote ? '\0' : quote;
		else if (*p == '\'' || *p == '"')
			quote = *p;
		else if (*p == ';' || str_starts(p, "--") || str_starts(p, "/*")) {
			tell(c, "/scope", "one condition, without ';' and comments");
			return;
		} else
			depth += (*p == '(') - (*p == ')');
	}
	if (depth != 0 || quote != '\0')
		tell(c, "/scope", "parentheses or quotes do not match");
}

static void check_names(const struct checking *c)
{
	const struct job_options *o = &c->spec->o;
	const struct column_options *columns = o->columns.v;

	check_table(c, "/target/table", o->target.table);
	check_table(c, "/audit/runs_table", o->audit.runs_table);
	check_table(c, "/audit/changes_table", o->audit.changes_table);
	for (size_t i = 0; i < o->key.n; i++) {
		if (!is_identifier(o->key.v[i], strlen(o->key.v[i])))
			tell(c, "/key", "'%s' is no column name: letters, digits and _ only",
			     o->key.v[i]);
	}
	for (size_t i = 0; i < o->columns.n; i++)
		check_column(c, "/columns", columns[i].name);
}

static void check_times(const struct checking *c)
{
	const struct job_options *o = &c->spec->o;

	if (o->schedule != NULL && o->every_ms > 0)
		tell(c, "/every", "schedule and every are both given, choose one");
	if (o->every_ms > 0 && o->every_ms < o->guards.min_interval_ms)
		tell(c, "/every",
		     "is less than guards.min_interval, so that most runs would be refused");
}

void spec_check(struct job_spec *spec, spec_problem_fn problem, void *ctx)
{
	const struct checking c = {.spec = spec, .problem = problem, .ctx = ctx};
	const struct job_options *o = &spec->o;

	check_source(&c);
	check_place(&c, "/target", o->target.sqlite.path, o->target.postgres.dsn);
	check_names(&c);
	check_columns(&c, &spec->plan.keys);
	check_columns(&c, &spec->plan.columns);
	check_sets(&c, "/insert/values", &spec->plan.insert, false);
	check_sets(&c, "/update/set", &spec->plan.update, false);
	check_sets(&c, "/close/set", &spec->plan.close, true);
	check_program(&c, "/skip", spec->plan.skip);
	if (spec->plan.close_mode == PLAN_CLOSE_UPDATE && spec->plan.close.n == 0)
		tell(&c, "/close",
		     "mode update needs set: which columns say that a row is closed?");
	if (spec->plan.close_mode != PLAN_CLOSE_UPDATE && spec->plan.close.n > 0)
		tell(&c, "/close/set", "is used with mode update only");
	if (o->scope != NULL)
		check_scope(&c, o->scope);
	check_times(&c);
}
