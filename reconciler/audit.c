/* SPDX-License-Identifier: Apache-2.0 */
#include "audit.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "rows.h"
#include "statement.h"

/* Types differ, names do not. Times are UTC; before and after are JSON. */
struct dialect {
	const char *time, *json, *integer, *real;
	const char *table_exists; /* one row if table $1 is there */
	const char *started_text; /* started_at as RFC 3339 */
	const char *ended_text;
};

#define POSTGRES_TIME(column)                                                                      \
	"to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

/* clang-format off */
static const struct dialect dialects[] = {
	[DB_SQLITE] = {"TEXT", "TEXT", "INTEGER", "REAL",
		       "SELECT 1 AS n FROM sqlite_master WHERE type = 'table' AND name = $1",
		       "started_at", "ended_at"},
	[DB_POSTGRES] = {"timestamptz", "jsonb", "bigint", "double precision",
			 "SELECT 1 AS n WHERE to_regclass($1) IS NOT NULL",
			 POSTGRES_TIME("started_at"),
			 POSTGRES_TIME("ended_at")},
};
/* clang-format on */

static const struct dialect *dialect_of(const struct job_spec *spec)
{
	return &dialects[spec_engine(spec)];
}

/* ---- tables ---- */

static void runs_ddl(const struct job_spec *spec, struct str *out)
{
	const struct dialect *d = dialect_of(spec);

	str_add(out, "CREATE TABLE IF NOT EXISTS ");
	statement_table(spec->o.audit.runs_table, out);
	str_addf(out,
		 " (run TEXT PRIMARY KEY, job TEXT NOT NULL, node TEXT NOT NULL, cause TEXT NOT "
		 "NULL,"
		 " started_at %s NOT NULL, ended_at %s NOT NULL, outcome TEXT NOT NULL,"
		 " message TEXT NOT NULL, inserted %s NOT NULL, updated %s NOT NULL,"
		 " closed %s NOT NULL, skipped %s NOT NULL, errors %s NOT NULL,"
		 " source_rows %s NOT NULL, target_rows %s NOT NULL, took_ms %s NOT NULL)",
		 d->time, d->time, d->integer, d->integer, d->integer, d->integer, d->json,
		 d->integer, d->integer, d->real);
}

static void changes_ddl(const struct job_spec *spec, struct str *out)
{
	const struct dialect *d = dialect_of(spec);

	str_add(out, "CREATE TABLE IF NOT EXISTS ");
	statement_table(spec->o.audit.changes_table, out);
	str_addf(out,
		 " (run TEXT NOT NULL, number %s NOT NULL, at %s NOT NULL, job TEXT NOT NULL,"
		 " target TEXT NOT NULL, op TEXT NOT NULL, key TEXT NOT NULL, before %s, after %s,"
		 " error TEXT, PRIMARY KEY (run, number))",
		 d->integer, d->time, d->json, d->json);
}

static bool on_found(void *ctx, const struct db_row *row HALE_UNUSED)
{
	*(bool *)ctx = true;
	return true;
}

/* Asked before creating: in PostgreSQL "IF NOT EXISTS" needs the right to create all the same. */
static int table_exists(struct db *db, const struct job_spec *spec, const char *table,
			bool *exists_r, struct err *err)
{
	HALE_CLEANUP(str_done) struct str quoted = {0};
	struct db_value name;

	*exists_r = false;
	statement_table(table, &quoted);
	name = db_v_text(spec_engine(spec) == DB_SQLITE ? table : str_text(&quoted));
	return db_query(db, dialect_of(spec)->table_exists, &name, 1, on_found, exists_r, err);
}

static int prepare_table(struct db *db, const struct job_spec *spec, const char *table,
			 void (*ddl)(const struct job_spec *, struct str *), struct err *err)
{
	HALE_CLEANUP(str_done) struct str sql = {0};
	bool exists = false;
	int rc = table_exists(db, spec, table, &exists, err);

	if (rc != 0 || exists)
		return rc;
	ddl(spec, &sql);
	return db_script(db, str_text(&sql), err);
}

int audit_prepare(struct db *db, const struct job_spec *spec, struct err *err)
{
	int rc = prepare_table(db, spec, spec->o.audit.runs_table, runs_ddl, err);

	if (rc == 0)
		rc = prepare_table(db, spec, spec->o.audit.changes_table, changes_ddl, err);
	if (rc != 0)
		err_prefix(err, "audit tables");
	return rc;
}

/* ---- writing ---- */

/* Appends " VALUES ($1, …)" and runs it. */
static int insert(struct db *db, struct str *sql, const struct db_value *values, size_t n,
		  struct err *err)
{
	str_add(sql, " VALUES (");
	for (size_t i = 1; i <= n; i++)
		str_addf(sql, "%s$%zu", i > 1 ? ", " : "", i);
	str_addc(sql, ')');
	return db_run(db, str_text(sql), values, n, NULL, err);
}

/* Caller frees; NULL for no object. */
static char *dump(const json_t *value)
{
	return value == NULL ? NULL
			     : json_dumps(value,
					  JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
}

int audit_change(struct db *db, const struct job_spec *spec, const struct run_info *info,
		 const struct plan_row *row, size_t number, struct err *err)
{
	HALE_CLEANUP(str_done) struct str sql = {0};
	HALE_CLEANUP(cleanup_free) char *before = dump(row->before);
	HALE_CLEANUP(cleanup_free) char *after = dump(row->after);
	char at[CLOCK_TEXT_MAX];
	int rc;
	const struct db_value values[] = {
		db_v_text(info->id),
		DB_V_INT((int64_t)number),
		db_v_text(clock_now_text(at)),
		db_v_text(info->job),
		db_v_text(spec->o.target.table),
		db_v_text(plan_op_name(row->op)),
		db_v_text(row->key),
		db_v_text(before),
		db_v_text(after),
		db_v_text(row->error),
	};

	str_add(&sql, "INSERT INTO ");
	statement_table(spec->o.audit.changes_table, &sql);
	str_add(&sql, " (run, number, at, job, target, op, key, before, after, error)");
	rc = insert(db, &sql, values, ARRAY_LEN(values), err);
	if (rc != 0)
		err_prefix(err, "audit");
	return rc;
}

int audit_run(struct db *db, const struct job_spec *spec, const struct run_info *info,
	      const struct run_result *r, struct err *err)
{
	HALE_CLEANUP(str_done) struct str sql = {0};
	HALE_CLEANUP(cleanup_free) char *errors = NULL;
	char started[CLOCK_TEXT_MAX], ended[CLOCK_TEXT_MAX];
	json_t *list = run_errors(r);
	int rc;

	errors = dump(list);
	json_decref(list);
	str_add(&sql, "INSERT INTO ");
	statement_table(spec->o.audit.runs_table, &sql);
	str_add(&sql, " (run, job, node, cause, started_at, ended_at, outcome, message, inserted,"
		      " updated, closed, skipped, errors, source_rows, target_rows, took_ms)");
	{
		const struct db_value values[] = {
			db_v_text(info->id),
			db_v_text(info->job),
			db_v_text(info->node),
			db_v_text(run_trigger_name(info->trigger)),
			db_v_text(clock_format(info->started_ms, started)),
			db_v_text(clock_format(r->ended_ms, ended)),
			db_v_text(run_outcome_name(r->outcome)),
			db_v_text(r->message),
			DB_V_INT((int64_t)r->done[PLAN_INSERT]),
			DB_V_INT((int64_t)r->done[PLAN_UPDATE]),
			DB_V_INT((int64_t)r->done[PLAN_CLOSE]),
			DB_V_INT((int64_t)r->plan.skipped),
			db_v_text(errors),
			DB_V_INT((int64_t)r->plan.source_n),
			DB_V_INT((int64_t)r->plan.target_n),
			DB_V_REAL(r->took_ms),
		};

		rc = insert(db, &sql, values, ARRAY_LEN(values), err);
	}
	if (rc != 0)
		err_prefix(err, "audit");
	return rc;
}

/* ---- reading ---- */

static bool on_start(void *ctx, const struct db_row *row)
{
	int64_t *started_ms = ctx;

	if (row->values[0].type == DB_TEXT)
		(void)clock_parse(row->values[0].text, started_ms);
	return true;
}

int audit_last_start(struct db *db, const struct job_spec *spec, int64_t *started_ms_r,
		     struct err *err)
{
	HALE_CLEANUP(str_done) struct str sql = {0};
	struct db_value job = db_v_text(spec->o.name);

	*started_ms_r = 0;
	str_addf(&sql, "SELECT %s AS started FROM ", dialect_of(spec)->started_text);
	statement_table(spec->o.audit.runs_table, &sql);
	str_add(&sql, " WHERE job = $1 AND outcome = 'done' ORDER BY started_at DESC LIMIT 1");
	return db_query(db, str_text(&sql), &job, 1, on_start, started_ms_r, err);
}

static bool on_run(void *ctx, const struct db_row *row)
{
	json_t *run = value_row(row);
	const char *errors;

	if (run == NULL)
		return true;
	errors = json_string_value(json_object_get(run, "errors"));
	if (errors != NULL) {
		json_t *list = json_loads(errors, 0, NULL);

		json_object_set_new(run, "errors", list != NULL ? list : json_array());
	}
	json_object_set_new(run, "dry_run", json_false());
	json_array_append_new(ctx, run);
	return true;
}

int audit_list(struct db *db, const struct job_spec *spec, int64_t limit, json_t **runs_r,
	       struct err *err)
{
	HALE_CLEANUP(str_done) struct str sql = {0};
	const struct dialect *d = dialect_of(spec);
	const struct db_value values[] = {db_v_text(spec->o.name), DB_V_INT(limit)};
	json_t *runs = json_array();
	bool exists = false;
	int rc = table_exists(db, spec, spec->o.audit.runs_table, &exists, err);

	if (rc == 0 && exists) {
		str_addf(&sql,
			 "SELECT run, job, node, cause AS \"trigger\", %s AS started, %s AS at, "
			 "outcome,"
			 " message, inserted, updated, closed, skipped, errors, source_rows,"
			 " target_rows, took_ms FROM ",
			 d->started_text, d->ended_text);
		statement_table(spec->o.audit.runs_table, &sql);
		str_add(&sql, " WHERE job = $1 ORDER BY started_at DESC LIMIT $2");
		rc = db_query(db, str_text(&sql), values, ARRAY_LEN(values), on_run, runs, err);
	}
	if (rc == 0)
		*runs_r = runs;
	else
		json_decref(runs);
	return rc;
}
