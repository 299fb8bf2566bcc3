/* SPDX-License-Identifier: Apache-2.0 */
#include "execute.h"

#include <errno.h>
#include <stdlib.h>

#include "audit.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/units.h"
#include "rows.h"
#include "statement.h"

#define SAVEPOINT         "hale_row"
/* A timer and a clock may be this far apart; a run that was scheduled is not early by that. */
#define SCHEDULE_SLACK_MS 1000

/* What fails a run as a whole has an error of these kinds; all else is a row's own trouble. */
static bool is_fatal(struct db *db, int rc)
{
	return rc == -EINTR || rc == -EIO || rc == -ENOSPC || db_is_broken(db);
}

/* ---- one row ---- */

static size_t bind_object(enum db_engine engine, const json_t *object, struct value_bound *out)
{
	const char *name;
	json_t *value;
	size_t n = 0;

	json_object_foreach ((json_t *)object, name, value)
		value_bind(engine, value, &out[n++]);
	return n;
}

static int run_change(const struct execution *x, struct db *db, const struct plan_row *row,
		      struct err *err)
{
	HALE_CLEANUP(str_done) struct str sql = {0};
	size_t max = json_object_size(row->after) + json_array_size(row->identity);
	struct value_bound *bound = mem_array(max + 1, sizeof(*bound));
	struct db_value *values = mem_array(max + 1, sizeof(*values));
	enum db_engine engine = spec_engine(x->spec);
	size_t n = bind_object(engine, row->after, bound);
	int64_t changed = 0;
	const json_t *part;
	size_t i;
	int rc;

	json_array_foreach (row->identity, i, part)
		value_bind(engine, part, &bound[n++]);
	for (i = 0; i < n; i++)
		values[i] = bound[i].value;
	statement_change(x->spec, row, &sql);
	rc = db_run(db, str_text(&sql), values, n, &changed, err);
	for (i = 0; i < n; i++)
		free(bound[i].owned);
	free(bound);
	free(values);
	if (rc == 0 && changed != 1)
		rc = err_set(err, -EINVAL, "%lld rows were changed instead of one",
			     (long long)changed);
	return rc;
}

/* The change and its record, or neither. */
static int apply_row(const struct execution *x, struct db *db, struct plan_row *row, size_t number,
		     struct err *err)
{
	struct err undo = {0};
	int rc = db_savepoint(db, SAVEPOINT, err);

	if (rc != 0)
		return -EIO;
	rc = run_change(x, db, row, err);
	if (rc == 0)
		rc = audit_change(db, x->spec, x->info, row, number, err);
	/* A deferred check may still refuse here. */
	if (rc == 0)
		rc = db_release(db, SAVEPOINT, err);
	if (rc == 0 || is_fatal(db, rc))
		return rc;
	/* If there is nothing to go back to, the whole transaction is gone (RAISE(ROLLBACK)). */
	if (db_rollback_to(db, SAVEPOINT, &undo) != 0 || db_release(db, SAVEPOINT, &undo) != 0)
		return -EIO;
	return rc;
}

/* What failed is recorded too, if the table takes it. */
static int record_failure(const struct execution *x, struct db *db, const struct plan_row *row,
			  size_t number)
{
	int rc = db_savepoint(db, SAVEPOINT, NULL);

	if (rc != 0)
		return -EIO;
	rc = audit_change(db, x->spec, x->info, row, number, NULL);
	if (rc != 0 && (is_fatal(db, rc) || db_rollback_to(db, SAVEPOINT, NULL) != 0))
		return -EIO;
	return db_release(db, SAVEPOINT, NULL) == 0 ? 0 : -EIO;
}

static int apply_rows(const struct execution *x, struct db *db, struct run_result *r,
		      struct err *err)
{
	for (size_t i = 0; i < r->plan.n; i++) {
		struct plan_row *row = &r->plan.rows[i];
		int rc = control_step(x->control, CONTROL_ROW, err);

		if (rc != 0)
			return rc;
		rc = apply_row(x, db, row, i + 1, err);
		if (rc == 0) {
			r->done[row->op]++;
			continue;
		}
		if (is_fatal(db, rc))
			return rc;
		row->error = mem_dup(err->text);
		plan_error(&r->plan, "Failed to %s %s: %s", plan_op_name(row->op), row->key,
			   err->text);
		if (record_failure(x, db, row, i + 1) != 0)
			return err_set(err, -EIO, "after %s: the transaction is lost", row->key);
	}
	return 0;
}

/* ---- the transaction ---- */

char *execute_too_early(const struct job_spec *spec, const struct run_info *info,
			int64_t last_start_ms)
{
	int64_t interval_ms = spec->o.guards.min_interval_ms;
	int64_t since_ms = info->started_ms - last_start_ms;
	char since[UNITS_TEXT_MAX], every[UNITS_TEXT_MAX], left[UNITS_TEXT_MAX];

	if (info->trigger == RUN_SCHEDULE)
		interval_ms -= SCHEDULE_SLACK_MS;
	/* A start in the future: the clock was put back, and nothing can be said. */
	if (last_start_ms <= 0 || since_ms < 0 || since_ms >= interval_ms)
		return NULL;
	return mem_printf(
		"min_interval: the last run began %s ago, at least %s must lie between two;"
		" try again in %s",
		duration_format_short(since_ms, since),
		duration_format(spec->o.guards.min_interval_ms, every),
		duration_format_short(interval_ms - since_ms, left));
}

static bool on_lock(void *ctx, const struct db_row *row)
{
	*(bool *)ctx = row->values[0].type == DB_TEXT && row->values[0].text[0] == 't';
	return true;
}

/* Held until the transaction ends. */
static int lock_job(const struct execution *x, struct db *db, struct err *err)
{
	struct db_value name = db_v_text(x->spec->o.name);
	bool is_ours = false;
	int rc;

	if (db_engine_of(db) != DB_POSTGRES)
		return 0;
	rc = db_query(db,
		      "SELECT pg_try_advisory_xact_lock(hashtextextended('hale:' || $1::text, 0))",
		      &name, 1, on_lock, &is_ours, err);
	if (rc == 0 && !is_ours)
		rc = err_set(err, -EALREADY, "already running on another machine");
	return rc;
}

static int ask_interval(const struct execution *x, struct db *db, struct err *err)
{
	int64_t last_ms = 0;
	int rc = audit_last_start(db, x->spec, &last_ms, err);
	HALE_CLEANUP(cleanup_free)
	char *early = rc == 0 ? execute_too_early(x->spec, x->info, last_ms) : NULL;

	return early == NULL ? rc : err_set(err, -EALREADY, "%s", early);
}

static int read_target(const struct execution *x, struct db *db, json_t **rows_r, struct err *err)
{
	HALE_CLEANUP(str_done) struct str sql = {0};

	statement_select(x->spec, !x->info->is_dry, &sql);
	return rows_query(db, str_text(&sql), rows_r, err);
}

static int make_plan(const struct execution *x, struct db *db, const json_t *source,
		     struct run_result *r, struct err *err)
{
	char now[CLOCK_TEXT_MAX];
	json_t *target = NULL, *vars;
	int rc = read_target(x, db, &target, err);

	if (rc != 0)
		return rc;
	vars = mapping_vars(clock_format(x->info->started_ms, now), x->info->id, x->info->job);
	plan_make(&x->spec->plan, source, target, vars, &r->plan);
	json_decref(vars);
	json_decref(target);
	return control_step(x->control, CONTROL_READ, err);
}

/* All guards that say no, as one text. */
static void tell_refusals(struct run_result *r)
{
	HALE_CLEANUP(str_done) struct str text = {0};

	for (size_t i = 0; i < r->plan.refusals.n; i++)
		str_addf(&text, "%s%s", i > 0 ? "; " : "", r->plan.refusals.v[i]);
	run_fail(r, RUN_REFUSED, str_text(&text));
}

static int run_dry(const struct execution *x, struct db *db, const json_t *source,
		   struct run_result *r, struct err *err)
{
	int rc = make_plan(x, db, source, r, err);

	for (size_t i = 0; i < PLAN_OP_MAX && rc == 0; i++)
		r->done[i] = r->plan.counts[i];
	return rc;
}

static int run_real(const struct execution *x, struct db *db, const json_t *source,
		    struct run_result *r, struct err *err)
{
	int rc = lock_job(x, db, err);

	if (rc == 0)
		rc = audit_prepare(db, x->spec, err);
	if (rc == 0)
		rc = ask_interval(x, db, err);
	if (rc == 0)
		rc = make_plan(x, db, source, r, err);
	if (rc == 0 && r->plan.refusals.n == 0)
		rc = apply_rows(x, db, r, err);
	if (rc != 0)
		return rc;
	if (r->plan.refusals.n > 0)
		tell_refusals(r);
	run_end(x->info, r);
	rc = audit_run(db, x->spec, x->info, r, err);
	return rc != 0 ? rc : control_step(x->control, CONTROL_COMMIT, err);
}

/* ---- the run ---- */

static int read_source(const struct execution *x, json_t **rows_r, struct err *err)
{
	int rc = spec_is_http(x->spec) ? rows_from_body(x->spec, x->body, x->body_len, rows_r, err)
				       : rows_from_sql(x->spec, x->control, rows_r, err);

	if (rc != 0 && rc != -EPERM)
		err_prefix(err, "source");
	return rc;
}

static int transact(const struct execution *x, const json_t *source, struct run_result *r,
		    struct err *err)
{
	struct db_target place = spec_target_place(x->spec, x->info->is_dry);
	struct db *db = NULL;
	int rc = control_open(x->control, &place, &db, err);

	if (rc == 0)
		rc = control_step(x->control, CONTROL_READ, err);
	if (rc == 0)
		rc = db_begin(db, err);
	if (rc == 0)
		rc = x->info->is_dry ? run_dry(x, db, source, r, err)
				     : run_real(x, db, source, r, err);
	if (rc == 0 && !x->info->is_dry)
		rc = db_commit(db, err);
	/* What is not committed ends with the connection. */
	control_close(x->control, db);
	if (rc != 0 && rc != -EALREADY)
		err_prefix(err, "target");
	return rc;
}

void execute_run(const struct execution *x, struct run_result *r)
{
	json_t *source = NULL;
	struct err err = {0};
	int rc = read_source(x, &source, &err);

	if (rc == 0)
		rc = transact(x, source, r, &err);
	json_decref(source);
	if (rc == 0 && x->info->is_dry && r->plan.refusals.n > 0)
		tell_refusals(r);
	if (rc != 0) {
		/* A run that was refused in the database and then not committed has failed. */
		r->outcome = RUN_DONE;
		run_fail(r, rc == -EPERM || rc == -EALREADY ? RUN_REFUSED : RUN_FAILED, err.text);
	}
	run_end(x->info, r);
}
