/* SPDX-License-Identifier: Apache-2.0 */
/* sql - connects to a database, runs one query, looks at its rows
 *
 * SQLite in a worker thread, read-only; PostgreSQL on the loop, in a read-only transaction. In both
 * the first row is copied (struct answer), and one function judges it.
 */
#include "check.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/strlist.h"
#include "store/db.h"
#include "store/pgasync.h"

/* A check looks at a few values, not at a table's width. */
#define COLUMNS_MAX     64
/* Values are compared and shown, not stored. */
#define VALUE_MAX_BYTES 4096
#define METRIC_NAME_MAX 64

#define NOT_EXPECTED (-1) /* expect_rows: any number */

/* We end a little before the runner's deadline, because we know what was being waited for. */
#define EARLY_MS 50

struct sql_opts {
	struct {
		char *path;
	} sqlite;
	struct {
		char *dsn;
	} postgres;
	char *query;
	char *expect;
	int64_t expect_rows;
	struct strlist metrics;
};

#define OPTS_PART(member) __typeof__(((struct sql_opts *)0)->member)

static const struct conf_item sqlite_items[] = {
	CONF_STR(OPTS_PART(sqlite), path,
		 .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY | CONF_F_READ_BESIDE,
		 .help = "Database file; opened read-only, never created"),
	CONF_END,
};

static const struct conf_item postgres_items[] = {
	CONF_STR(OPTS_PART(postgres), dsn,
		 .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY | CONF_F_SECRET | CONF_F_CONNECT,
		 .help = "Connection string: key=value pairs or a postgresql:// URI"),
	CONF_END,
};

static const struct conf_item sql_items[] = {
	CONF_MAP(struct sql_opts, sqlite, sqlite_items, .help = "A SQLite database"),
	CONF_MAP(struct sql_opts, postgres, postgres_items, .help = "A PostgreSQL database"),
	CONF_STR(struct sql_opts, query, .def = "SELECT 1", .flags = CONF_F_NONEMPTY,
		 .help = "One statement that reads"),
	CONF_STR(struct sql_opts, expect,
		 .help = "Text the first column of the first row must equal"),
	CONF_INT(struct sql_opts, expect_rows, .def = "-1", .min = NOT_EXPECTED, .max = 1e15,
		 .help = "Number of rows the query must return; -1: any"),
	CONF_LIST(struct sql_opts, metrics,
		  .help = "Columns of the first row to take as metrics; default: all that are "
			  "numbers"),
	CONF_END,
};

static void sql_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct sql_opts *o = opts;
	struct err err = {0};

	if (o->sqlite.path == NULL && o->postgres.dsn == NULL)
		problem(ctx, "", "needs 'sqlite' or 'postgres'");
	if (o->sqlite.path != NULL && o->postgres.dsn != NULL)
		problem(ctx, "", "has both 'sqlite' and 'postgres'; a check asks one database");
	if (o->postgres.dsn != NULL && pg_conninfo_check(o->postgres.dsn, &err) != 0)
		problem(ctx, "/postgres/dsn", err.text);
}

/* ---- What came back ---- */

struct column {
	char *name;
	char *text; /* NULL: SQL NULL */
	bool is_number;
	double number;
};

struct answer {
	enum reason reason; /* OK, or why there is no answer */
	char error[512];
	double connect_ms;
	double query_ms;
	size_t rows;
	struct column columns[COLUMNS_MAX];
	size_t columns_n;
};

/* Zeroed by the runner before each start(). */
struct sql_run {
	struct answer answer;
	struct pg_call *call; /* PostgreSQL; NULL: none under way */
	/* SQLite: what the thread works on. */
	const struct sql_opts *opts;
	int64_t timeout_ms;
	pthread_mutex_t lock; /* guards db and is_cancelled */
	struct db *db;
	bool is_cancelled;
};

static void answer_done(struct answer *a)
{
	for (size_t i = 0; i < a->columns_n; i++) {
		free(a->columns[i].name);
		free(a->columns[i].text);
	}
	a->columns_n = 0;
}

static char *text_of(const struct db_value *v)
{
	if (v->type == DB_NULL)
		return NULL;
	if (v->text != NULL)
		return mem_dupn(v->text, HALE_MIN(v->len, VALUE_MAX_BYTES));
	return v->type == DB_INT ? mem_printf("%lld", (long long)v->integer)
				 : mem_printf("%.15g", v->real);
}

static void take_row(struct answer *a, const struct db_row *row)
{
	for (size_t i = 0; i < row->columns && i < COLUMNS_MAX; i++) {
		const struct db_value *v = &row->values[i];

		a->columns[a->columns_n++] = (struct column){
			.name = mem_dup(row->names[i]),
			.text = text_of(v),
			.is_number = v->type == DB_INT || v->type == DB_REAL,
			.number = v->type == DB_INT ? (double)v->integer : v->real,
		};
	}
}

/* ---- Judging it ---- */

/* "count(*)" is the metric "count", "Max Age" is "max_age"; what has no letter is "value". */
static void metric_name(const char *column, char out[METRIC_NAME_MAX])
{
	size_t n = 0;

	for (const char *p = column; *p != '\0' && n < METRIC_NAME_MAX - 1; p++) {
		char c = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
		bool is_letter = c >= 'a' && c <= 'z';
		bool is_digit = c >= '0' && c <= '9';

		if (is_letter || (is_digit && n > 0))
			out[n++] = c;
		else if (n > 0 && out[n - 1] != '_')
			out[n++] = '_';
	}
	while (n > 0 && out[n - 1] == '_')
		n--;
	out[n] = '\0';
	if (n == 0)
		(void)snprintf(out, METRIC_NAME_MAX, "value");
}

/* A column must not take the place of the check's own figures. */
static void column_metric(struct check *c, const struct column *column, double number)
{
	static const char *const own[] = {"connect_ms", "query_ms", "rows", "took_ms"};
	char name[METRIC_NAME_MAX], prefixed[METRIC_NAME_MAX + 8];

	metric_name(column->name, name);
	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		if (strcmp(name, own[i]) == 0) {
			(void)snprintf(prefixed, sizeof(prefixed), "column_%s", name);
			check_metric(c, prefixed, number);
			return;
		}
	}
	check_metric(c, name, number);
}

/* A listed column may also hold its number as text ("numeric" of some drivers, TEXT columns). */
static bool number_of(const struct column *column, double *number_r)
{
	char *end = NULL;

	*number_r = column->number;
	if (column->is_number)
		return true;
	if (column->text == NULL || column->text[0] == '\0')
		return false;
	*number_r = strtod(column->text, &end);
	return *end == '\0' && isfinite(*number_r);
}

static const struct column *find_column(const struct answer *a, const char *name)
{
	for (size_t i = 0; i < a->columns_n; i++)
		if (strcmp(a->columns[i].name, name) == 0)
			return &a->columns[i];
	return NULL;
}

/* False if check_done() was called. */
static bool listed_metrics(struct check *c, const struct answer *a)
{
	const struct sql_opts *o = check_opts(c);
	const struct column *column;
	double number;

	for (size_t i = 0; i < o->metrics.n; i++) {
		column = find_column(a, o->metrics.v[i]);
		if (column == NULL) {
			check_done(c, REASON_CONFIG, "the answer has no column '%s'",
				   o->metrics.v[i]);
			return false;
		}
		if (number_of(column, &number)) {
			column_metric(c, column, number);
		} else if (column->text != NULL) {
			check_done(c, REASON_SQL_MISMATCH, "column '%s' is not a number: '%.100s'",
				   column->name, column->text);
			return false;
		}
	}
	return true;
}

static bool take_metrics(struct check *c, const struct answer *a)
{
	const struct sql_opts *o = check_opts(c);

	check_metric(c, "connect_ms", a->connect_ms);
	check_metric(c, "query_ms", a->query_ms);
	check_metric(c, "rows", (double)a->rows);
	if (a->rows == 0)
		return true;
	if (o->metrics.n > 0)
		return listed_metrics(c, a);
	for (size_t i = 0; i < a->columns_n; i++)
		if (a->columns[i].is_number)
			column_metric(c, &a->columns[i], a->columns[i].number);
	return true;
}

static void judge(struct check *c, const struct answer *a)
{
	const struct sql_opts *o = check_opts(c);
	const char *plural = a->rows == 1 ? "" : "s";
	const char *value = a->columns_n > 0 ? a->columns[0].text : NULL;

	if (!take_metrics(c, a))
		return;
	if (o->expect_rows != NOT_EXPECTED && a->rows != (size_t)o->expect_rows)
		check_done(c, a->rows == 0 ? REASON_SQL_NO_ROW : REASON_SQL_MISMATCH,
			   "%zu row%s, expected %lld", a->rows, plural, (long long)o->expect_rows);
	else if (o->expect != NULL && a->rows == 0)
		check_done(c, REASON_SQL_NO_ROW, "no row, expected '%.200s'", o->expect);
	else if (o->expect != NULL && value == NULL)
		check_done(c, REASON_SQL_MISMATCH, "NULL, expected '%.200s'", o->expect);
	else if (o->expect != NULL && strcmp(value, o->expect) != 0)
		check_done(c, REASON_SQL_MISMATCH, "'%.200s', expected '%.200s'", value, o->expect);
	else
		check_done(c, REASON_OK, "%zu row%s in %.0f ms", a->rows, plural,
			   a->connect_ms + a->query_ms);
}

static void end(struct check *c)
{
	struct sql_run *run = check_run_data(c);
	/* The run data is the next run's once check_done() was called. */
	struct answer a = run->answer;

	if (a.reason != REASON_OK) {
		if (a.connect_ms > 0)
			check_metric(c, "connect_ms", a.connect_ms);
		check_done(c, a.reason, "%s", a.error);
	} else {
		judge(c, &a);
	}
	answer_done(&a);
}

/* ---- PostgreSQL, on the loop ---- */

static void on_postgres(void *ctx, const struct pg_result *r)
{
	struct check *c = ctx;
	struct sql_run *run = check_run_data(c);

	run->call = NULL;
	run->answer.reason = r->reason;
	run->answer.connect_ms = r->connect_ms;
	run->answer.query_ms = r->query_ms;
	run->answer.rows = r->rows;
	(void)snprintf(run->answer.error, sizeof(run->answer.error), "%s", r->error);
	if (r->first.columns > 0)
		take_row(&run->answer, &r->first);
	end(c);
}

/* ---- SQLite, in a thread ---- */

static bool on_sqlite_row(void *ctx, const struct db_row *row)
{
	struct answer *a = ctx;

	if (a->rows++ == 0)
		take_row(a, row);
	return true;
}

static enum reason sqlite_reason(int code)
{
	switch (code) {
	case -ENOENT:
	case -ECONNREFUSED:
		return REASON_CONN_REFUSED;
	case -EACCES:
		return REASON_SQL_AUTH;
	case -EBUSY:
	case -EINTR:
		return REASON_TIMEOUT_READ;
	default:
		return REASON_SQL_ERROR;
	}
}

static double ms_since(int64_t us)
{
	return (double)(clock_mono_us() - us) / 1000.0;
}

static void set_db(struct sql_run *run, struct db *db)
{
	(void)pthread_mutex_lock(&run->lock);
	run->db = db;
	(void)pthread_mutex_unlock(&run->lock);
}

static int sqlite_query(struct sql_run *run, struct db *db, struct err *err)
{
	int64_t begin_us = clock_mono_us();
	bool is_cancelled;
	int rc;

	set_db(run, db);
	(void)pthread_mutex_lock(&run->lock);
	is_cancelled = run->is_cancelled;
	(void)pthread_mutex_unlock(&run->lock);
	/* A cancel that falls between here and the statement is lost; the statement then runs into
	 * its own timeout, which is the check's. */
	rc = is_cancelled
		     ? err_set(err, -EINTR, "cancelled")
		     : db_query(db, run->opts->query, NULL, 0, on_sqlite_row, &run->answer, err);
	set_db(run, NULL);
	run->answer.query_ms = ms_since(begin_us);
	return rc;
}

static void sqlite_work(void *run_data)
{
	struct sql_run *run = run_data;
	struct db_target target = {.engine = DB_SQLITE,
				   .where = run->opts->sqlite.path,
				   .timeout_ms = run->timeout_ms,
				   .is_read_only = true,
				   .must_exist = true,
				   .is_brief = true};
	int64_t begin_us = clock_mono_us();
	struct err err = {0};
	struct db *db = NULL;
	int rc = db_open(&target, &db, &err);

	run->answer.connect_ms = ms_since(begin_us);
	if (rc == 0)
		rc = sqlite_query(run, db, &err);
	db_close(db);
	run->answer.reason = rc == 0 ? REASON_OK : sqlite_reason(rc);
	(void)snprintf(run->answer.error, sizeof(run->answer.error), "%.*s",
		       (int)sizeof(run->answer.error) - 1, err.text);
}

static void sqlite_after(struct check *c)
{
	struct sql_run *run = check_run_data(c);

	(void)pthread_mutex_destroy(&run->lock);
	end(c);
}

/* ---- The kind ---- */

static void sql_start(struct check *c)
{
	const struct sql_opts *o = check_opts(c);
	struct sql_run *run = check_run_data(c);

	run->opts = o;
	run->timeout_ms = HALE_MAX(check_timeout_ms(c) - EARLY_MS, EARLY_MS);
	check_stage(c, REASON_TIMEOUT_READ);
	if (o->sqlite.path != NULL) {
		(void)pthread_mutex_init(&run->lock, NULL);
		check_work(c, sqlite_work, sqlite_after);
		return;
	}
	run->call = pg_query_start(check_loop(c), o->postgres.dsn, o->query, run->timeout_ms,
				   on_postgres, c);
}

static void sql_cancel(struct check *c)
{
	const struct sql_opts *o = check_opts(c);
	struct sql_run *run = check_run_data(c);

	if (o->sqlite.path == NULL) {
		if (run->call != NULL)
			pg_query_cancel(run->call);
		return;
	}
	/* The thread comes back soon and ends the run. */
	(void)pthread_mutex_lock(&run->lock);
	run->is_cancelled = true;
	if (run->db != NULL)
		db_interrupt(run->db);
	(void)pthread_mutex_unlock(&run->lock);
}

static const struct metric_doc sql_metrics[] = {
	{"connect_ms", "Time to connect and log in"},
	{"query_ms", "Time from sending the query to its last row"},
	{"rows", "Number of rows"},
	{NULL, NULL},
};

const struct check_ops check_ops = {
	.kind = "sql",
	.summary =
		"connects to a SQLite or PostgreSQL database, runs a query and looks at its rows",
	.items = sql_items,
	.opts_size = sizeof(struct sql_opts),
	.run_size = sizeof(struct sql_run),
	.metrics = sql_metrics,
	.validate = sql_validate,
	.start = sql_start,
	.cancel = sql_cancel,
};
