/* SPDX-License-Identifier: Apache-2.0 */
#include "sql_session.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "threads.h"

/* A value is shown, not stored. */
#define SHOWN_TEXT_MAX 200

struct sql_session {
	struct pg_script script;
	void *ctx;
	struct pg_call *call; /* PostgreSQL */
	/* SQLite: what the thread works on. */
	struct job job;
	char *path;
	int64_t timeout_ms;
	double connect_ms;
	enum reason reason;
	struct err err;
	bool is_enough;       /* on_row said so */
	size_t rows;          /* of the running statement */
	pthread_mutex_t lock; /* guards db and is_cancelled */
	struct db *db;
	bool is_cancelled;
};

static void session_free(struct sql_session *s)
{
	(void)pthread_mutex_destroy(&s->lock);
	free(s->path);
	free(s);
}

static void end(struct sql_session *s, enum reason reason, const char *error, double connect_ms)
{
	s->script.on_end(s->ctx, reason, error, connect_ms);
	session_free(s);
}

/* ---- PostgreSQL: handed through ---- */

static const char *pg_next(void *ctx)
{
	struct sql_session *s = ctx;

	return s->script.next(s->ctx);
}

static bool pg_on_row(void *ctx, const struct db_row *row)
{
	struct sql_session *s = ctx;

	return s->script.on_row(s->ctx, row);
}

static void pg_on_answer(void *ctx, const struct pg_answer *a)
{
	struct sql_session *s = ctx;

	s->script.on_answer(s->ctx, a);
}

static void pg_on_end(void *ctx, enum reason reason, const char *error, double connect_ms)
{
	end(ctx, reason, error, connect_ms);
}

/* ---- SQLite, in the thread ---- */

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

/* True if it was cancelled before: then nobody may interrupt what is about to be closed. */
static bool set_db(struct sql_session *s, struct db *db)
{
	bool is_cancelled;

	(void)pthread_mutex_lock(&s->lock);
	is_cancelled = s->is_cancelled;
	s->db = is_cancelled ? NULL : db;
	(void)pthread_mutex_unlock(&s->lock);
	return is_cancelled;
}

static bool on_sqlite_row(void *ctx, const struct db_row *row)
{
	struct sql_session *s = ctx;

	s->rows++;
	s->is_enough = !s->script.on_row(s->ctx, row);
	return !s->is_enough;
}

/* False: that was the last, one way or another. A cancel that falls between the look at
 * is_cancelled and the statement is lost; the statement then runs into its own timeout, which is
 * the check's. */
static bool run_statement(struct sql_session *s, struct db *db)
{
	struct pg_answer a = {.reason = REASON_OK, .error = ""};
	const char *sql = s->script.next(s->ctx);
	int64_t begin_us = clock_mono_us();
	struct err err = {0};
	int rc;

	if (sql == NULL || set_db(s, db))
		return false;
	s->rows = 0;
	rc = db_query(db, sql, NULL, 0, on_sqlite_row, s, &err);
	(void)set_db(s, NULL);
	if (s->is_enough) {
		s->reason = REASON_TOO_LARGE;
		(void)err_set(&s->err, 0, "%s", reason_text(REASON_TOO_LARGE));
		return false;
	}
	if (rc == -EBUSY || rc == -EINTR) {
		s->reason = REASON_TIMEOUT_READ;
		s->err = err;
		return false;
	}
	a.reason = rc == 0 ? REASON_OK : REASON_SQL_ERROR;
	a.error = rc == 0 ? "" : err.text;
	a.rows = s->rows;
	a.query_ms = ms_since(begin_us);
	s->script.on_answer(s->ctx, &a);
	return true;
}

/* Opening a pipe would wait for whoever writes into it, beyond any timeout. */
static int refuse_pipe(const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISFIFO(st.st_mode))
		return err_set(err, -EINVAL, "%s is a pipe, not a database", path);
	return 0;
}

static void sqlite_work(void *data)
{
	struct sql_session *s = data;
	struct db_target target = {.engine = DB_SQLITE,
				   .where = s->path,
				   .timeout_ms = s->timeout_ms,
				   .is_read_only = true,
				   .must_exist = true,
				   .is_brief = true};
	int64_t begin_us = clock_mono_us();
	struct db *db = NULL;
	int rc = refuse_pipe(s->path, &s->err);

	if (rc == 0)
		rc = db_open(&target, &db, &s->err);
	s->connect_ms = ms_since(begin_us);
	s->reason = rc == 0 ? REASON_OK : sqlite_reason(rc);
	while (rc == 0 && run_statement(s, db))
		;
	db_close(db);
}

static void sqlite_after(struct job *job)
{
	struct sql_session *s = job->data;

	if (s->is_cancelled)
		end(s, REASON_CANCELLED, reason_text(REASON_CANCELLED), s->connect_ms);
	else
		end(s, s->reason, s->err.text, s->connect_ms);
}

/* ---- From outside ---- */

struct sql_place sql_place_of(const struct sqlite_opts *sqlite,
			      const struct postgres_opts *postgres)
{
	return (struct sql_place){.path = sqlite->path,
				  .dsn = postgres->dsn,
				  .ca = postgres->ca,
				  .cert = postgres->cert,
				  .key = postgres->key};
}

struct sql_session *sql_session_start(struct check *c, struct sql_place place,
				      const struct pg_script *script, int64_t timeout_ms, void *ctx)
{
	const struct pg_script forward = {.ca = place.ca,
					  .cert = place.cert,
					  .key = place.key,
					  .next = pg_next,
					  .on_row = pg_on_row,
					  .on_answer = pg_on_answer,
					  .on_end = pg_on_end};
	struct sql_session *s = mem_alloc(sizeof(*s));

	s->script = *script;
	s->ctx = ctx;
	s->timeout_ms = timeout_ms;
	(void)pthread_mutex_init(&s->lock, NULL);
	if (place.path == NULL) {
		s->call = pg_script_start(check_loop(c), place.dsn, &forward, timeout_ms, s);
		return s;
	}
	s->path = mem_dup(place.path);
	s->job = (struct job){.work = sqlite_work, .after = sqlite_after, .data = s};
	threads_run(check_threads(c), &s->job);
	return s;
}

void sql_session_cancel(struct sql_session *s)
{
	if (s->call != NULL) {
		pg_script_cancel(s->call);
		return;
	}
	(void)pthread_mutex_lock(&s->lock);
	s->is_cancelled = true;
	if (s->db != NULL)
		db_interrupt(s->db);
	(void)pthread_mutex_unlock(&s->lock);
}

/* ---- For who looks on ---- */

static json_t *cell_json(const struct db_value *v)
{
	char shown[SHOWN_TEXT_MAX + 1];
	HALE_CLEANUP(cleanup_free) char *text = NULL;

	if (v->type == DB_NULL)
		return json_null();
	if (v->type == DB_INT)
		return json_integer(v->integer);
	if (v->type == DB_REAL && isfinite(v->real))
		return json_real(v->real);
	text = v->text != NULL ? mem_dupn(v->text, HALE_MIN(v->len, sizeof(shown) * 4))
			       : mem_printf("%g", v->real);
	(void)str_clean(shown, sizeof(shown), text);
	return json_string(shown);
}

json_t *sql_row_json(const struct db_row *row)
{
	json_t *object = json_object();
	char name[SHOWN_TEXT_MAX + 1];

	for (size_t i = 0; i < row->columns && i < SQL_SHOWN_COLUMNS_MAX; i++) {
		(void)str_clean(name, sizeof(name), row->names[i]);
		json_object_set_new(object, name, cell_json(&row->values[i]));
	}
	return object;
}
