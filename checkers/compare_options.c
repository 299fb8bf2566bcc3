/* SPDX-License-Identifier: Apache-2.0 */
#include "compare_options.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "expr/jq.h"
#include "http_expect.h"

/* Read as JSON it takes some ten times as much. */
#define BODY_MAX_BYTES 67108864

static const struct conf_item http_items[] = {
	CONF_STR(struct compare_http_opts, url,
		 .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY | CONF_F_CONNECT | CONF_F_TARGET,
		 .help = "What to ask, http://… or https://…; any 2xx answer is taken"),
	CONF_STR(struct compare_http_opts, method, .def = "GET", .flags = CONF_F_NONEMPTY,
		 .help = "Request method"),
	CONF_STRMAP(struct compare_http_opts, headers, .flags = CONF_F_SECRET,
		    .help = "Request headers, name: value"),
	CONF_STR(struct compare_http_opts, body, .help = "Request body"),
	CONF_STR(struct compare_http_opts, username, .help = "Login (basic authentication)"),
	CONF_STR(struct compare_http_opts, password, .flags = CONF_F_SECRET,
		 .help = "Its password"),
	CONF_STR(struct compare_http_opts, bearer_token, .flags = CONF_F_SECRET,
		 .help = "Token to send as `Authorization: Bearer`"),
	CONF_JQ(struct compare_http_opts, expect,
		.help = "jq program that must be true of the answer, or it is not believed: "
			"`.connected`"),
	CONF_JQ(struct compare_http_opts, jq, .def = ".",
		.help = "jq program that gives the rows, or an array of them: `.positions[]`; or a "
			"number, which is the count"),
	CONF_SIZE(struct compare_http_opts, body_max, .def = "16MB", .min = 1,
		  .max = BODY_MAX_BYTES, .help = "A larger answer is refused"),
	CONF_BOOL(struct compare_http_opts, verify, .def = "true",
		  .help = "Refuse certificates that are not trusted, not valid or not this host's"),
	CONF_STR(struct compare_http_opts, ca, .flags = CONF_F_NONEMPTY | CONF_F_READ_FILE,
		 .help = "File of trusted certificates (PEM)"),
	CONF_END,
};

static const struct conf_item sql_source_items[] = {
	CONF_MAP(struct compare_sql_opts, sqlite, sqlite_items, .help = "A SQLite database"),
	CONF_MAP(struct compare_sql_opts, postgres, postgres_items,
		 .help = "A PostgreSQL database"),
	CONF_STR(struct compare_sql_opts, query, .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY,
		 .help = "One statement that gives the rows; run read-only. If its only column is "
			 "called `count`, its value is the count"),
	CONF_END,
};

static const struct conf_item file_items[] = {
	CONF_STR(struct compare_file_opts, path,
		 .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY | CONF_F_READ_BESIDE | CONF_F_TARGET,
		 .help = "A file, an absolute path; CSV begins with a line of names"),
	CONF_ENUM(struct compare_file_opts, format, .choices = "csv|json",
		  .help = "How it is written; default: by its name, JSON if that ends in .json"),
	CONF_STR(struct compare_file_opts, separator, .def = "\",\"", .flags = CONF_F_NONEMPTY,
		 .help = "CSV: what stands between fields, one character"),
	CONF_JQ(struct compare_file_opts, jq, .def = ".", .help = "JSON: as with http"),
	CONF_SIZE(struct compare_file_opts, size_max, .def = "16MB", .min = 1,
		  .max = BODY_MAX_BYTES, .help = "A larger file is refused"),
	CONF_END,
};

static const struct conf_item source_items[] = {
	CONF_MAP(struct compare_source_opts, http, http_items, .help = "JSON from a URL"),
	CONF_MAP(struct compare_source_opts, sql, sql_source_items, .help = "Rows of a query"),
	CONF_MAP(struct compare_source_opts, file, file_items, .help = "Rows of a file"),
	CONF_STRMAP(struct compare_source_opts, rename,
		    .help = "What this source calls it, by the name in `key`, `columns` and "
			    "`quantity`"),
	CONF_ENUM(struct compare_source_opts, count, .def = "auto", .choices = "auto|rows|value",
		  .help = "Without `key`: whether rows are counted, or the first value is the "
			  "count. auto: the value if the jq program gives one number, or the "
			  "query's only column is called `count`"),
	CONF_END,
};

#define NAMES __typeof__(((struct compare_opts *)0)->names)

static const struct conf_item names_items[] = {
	CONF_STR(NAMES, a, .def = "A", .flags = CONF_F_NONEMPTY, .help = "Name of `a` for people"),
	CONF_STR(NAMES, b, .def = "B", .flags = CONF_F_NONEMPTY, .help = "Name of `b` for people"),
	CONF_END,
};

const struct conf_item compare_items[] = {
	CONF_MAP(struct compare_opts, a, source_items, .flags = CONF_F_REQUIRED,
		 .help = "One source: one of `http`, `sql`, `file`"),
	CONF_MAP(struct compare_opts, b, source_items, .flags = CONF_F_REQUIRED,
		 .help = "The other source"),
	CONF_MAP(struct compare_opts, names, names_items, .def = "{}",
		 .help = "What the sources are called in messages and details"),
	CONF_LIST(struct compare_opts, key,
		  .help = "Columns that tell rows apart: rows are then compared by them. Without "
			  "it only the numbers of rows are"),
	CONF_STRMAP(struct compare_opts, columns,
		    .help = "Columns that must agree, and how: `exact` (numbers as decimals, times "
			    "as points in time, else as written), `number`, `time`, `text`, or a "
			    "tolerance: `0.01`, `1%`, `2s`"),
	CONF_STR(struct compare_opts, quantity, .flags = CONF_F_NONEMPTY,
		 .help = "Column with the size of a row, for the two options that follow"),
	CONF_BOOL(struct compare_opts, zero_is_absent, .def = "true",
		  .help = "A row whose quantity is 0 is as if it were not there"),
	CONF_ENUM(struct compare_opts, negative, .def = "skip", .choices = "skip|compare",
		  .help = "Rows whose quantity is below 0: left out and counted as `skipped`, or "
			  "compared like others"),
	CONF_INT(struct compare_opts, count_tolerance, .def = "0", .min = 0, .max = 1e15,
		 .help = "Without `key`: by so much the counts may differ"),
	CONF_INT(struct compare_opts, rows_max, .def = "100000", .min = 1, .max = COMPARE_ROWS_MAX,
		 .help = "With `key`: a source with more rows, or more than 128 MB of values, is "
			 "refused"),
	CONF_ENUM(struct compare_opts, severity, .def = "warn", .choices = "warn|fail",
		  .help = "Outcome if they differ"),
	CONF_END,
};

/* ---- Looking at sources ---- */

enum source_kind compare_source_kind(const struct compare_source_opts *s)
{
	if (s->http.url != NULL)
		return SOURCE_HTTP;
	return s->sql.query != NULL ? SOURCE_SQL : SOURCE_FILE;
}

bool compare_file_is_csv(const struct compare_file_opts *f)
{
	return f->format != NULL ? strcmp(f->format, "csv") == 0 : !str_ends(f->path, ".json");
}

const char *compare_slug(const char *name, char buf[COMPARE_SLUG_MAX])
{
	size_t n = 0;

	for (const char *p = name; *p != '\0' && n < COMPARE_SLUG_MAX - 1; p++) {
		if (isalnum((unsigned char)*p))
			buf[n++] = (char)tolower((unsigned char)*p);
		else if (n > 0 && buf[n - 1] != '_')
			buf[n++] = '_';
	}
	while (n > 0 && buf[n - 1] == '_')
		n--;
	buf[n] = '\0';
	return buf;
}

/* ---- Deeper validation ---- */

struct report {
	service_problem_fn problem;
	void *ctx;
	const char *side; /* "/a" */
};

static void complain(const struct report *r, const char *path, const char *text)
{
	HALE_CLEANUP(cleanup_free) char *full = mem_printf("%s%s", r->side, path);

	r->problem(r->ctx, full, text);
}

static void check_jq(const struct report *r, const char *path, const char *program)
{
	struct jq_expr *e = program != NULL ? jq_new(program) : NULL;
	struct err err = {0};

	if (e != NULL && jq_check(e, &err) != 0)
		complain(r, path, err.text);
	jq_free(e);
}

static void check_url(const struct report *r, const struct compare_http_opts *o)
{
	struct err err = {0};

	if (http_url_check(o->url, &err) != 0)
		complain(r, "/http/url", err.text);
	check_jq(r, "/http/expect", o->expect);
	check_jq(r, "/http/jq", o->jq);
}

static void check_file(const struct report *r, const struct compare_file_opts *o)
{
	if (o->path[0] != '/')
		complain(r, "/file/path", "must be an absolute path");
	if (strlen(o->separator) != 1 || strchr("\"\r\n", o->separator[0]) != NULL)
		complain(r, "/file/separator", "must be one character, and no quote");
	check_jq(r, "/file/jq", o->jq);
}

static void check_side(const struct report *r, const struct compare_source_opts *s)
{
	HALE_CLEANUP(cleanup_free) char *at_sql = mem_printf("%s/sql", r->side);
	int n = (s->http.url != NULL) + (s->sql.query != NULL) + (s->file.path != NULL);

	if (n != 1)
		complain(r, "",
			 n == 0 ? "needs one of 'http', 'sql' and 'file'"
				: "has more than one of 'http', 'sql' and 'file'");
	if (s->http.url != NULL)
		check_url(r, &s->http);
	if (s->sql.query != NULL)
		sql_place_validate(&s->sql.sqlite, &s->sql.postgres, at_sql, r->problem, r->ctx);
	if (s->file.path != NULL)
		check_file(r, &s->file);
}

static void check_columns(const struct compare_opts *o, service_problem_fn problem, void *ctx)
{
	struct compare_rule rule;
	struct err err = {0};
	const char *name;
	json_t *how;

	json_object_foreach (o->columns, name, how) {
		HALE_CLEANUP(cleanup_free) char *path = mem_printf("/columns/%s", name);

		if (compare_rule_parse(json_string_value(how), &rule, &err) != 0)
			problem(ctx, path, err.text);
	}
	if (o->key.n == 0 && json_object_size(o->columns) > 0)
		problem(ctx, "/columns", "needs 'key': rows are found by it");
	if (o->key.n == 0 && o->quantity != NULL)
		problem(ctx, "/quantity", "needs 'key': without it rows are only counted");
	if (o->key.n > COMPARE_KEY_MAX)
		problem(ctx, "/key", "has more than 16 columns");
	if (json_object_size(o->columns) > COMPARE_COLUMNS_MAX)
		problem(ctx, "/columns", "has more than 64 columns");
}

void compare_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct compare_opts *o = opts;
	char slug_a[COMPARE_SLUG_MAX], slug_b[COMPARE_SLUG_MAX];

	check_side(&(struct report){.problem = problem, .ctx = ctx, .side = "/a"}, &o->a);
	check_side(&(struct report){.problem = problem, .ctx = ctx, .side = "/b"}, &o->b);
	check_columns(o, problem, ctx);
	if (strcmp(compare_slug(o->names.a, slug_a), compare_slug(o->names.b, slug_b)) == 0)
		problem(ctx, "/names", "must be two names that differ in letters or digits");
	if (slug_a[0] == '\0' || slug_b[0] == '\0')
		problem(ctx, "/names", "must have letters or digits in them");
}
