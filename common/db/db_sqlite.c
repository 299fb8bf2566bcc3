/* SPDX-License-Identifier: Apache-2.0 */
#include "db_engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

/* How often a long statement looks at the clock: some hundred microseconds of work. */
#define PROGRESS_OPS     4000
/* Pause between two tries at a locked database: short against a commit, long against a spin. */
#define BUSY_WAIT_MIN_MS 1
#define BUSY_WAIT_MAX_MS 25

struct sqlite_db {
	struct db db;
	sqlite3 *conn;
	int64_t deadline_ms; /* of the running call, monotonic; 0: it has not looked yet */
	bool is_broken;
	bool has_file; /* dev and ino are known */
	dev_t dev;
	ino_t ino;
};

/* $1 … by position: SQLite numbers named parameters in order of appearance. */
struct sqlite_statement {
	sqlite3_stmt *stmt;
	int *index; /* index[k] is where $k+1 is bound */
	size_t n;
	struct db_value *bound; /* what is bound there; only of statements that the caller keeps */
};

static struct sqlite_db *sqlite_of(struct db *db)
{
	return (struct sqlite_db *)db;
}

static const struct sqlite_db *sqlite_of_const(const struct db *db)
{
	return (const struct sqlite_db *)db;
}

/* --- errors --- */

static int code_of(int rc)
{
	switch (rc) {
	case SQLITE_CONSTRAINT_UNIQUE:
	case SQLITE_CONSTRAINT_PRIMARYKEY:
	case SQLITE_CONSTRAINT_ROWID:
		return -EEXIST;
	default:
		break;
	}
	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_INTERRUPT:
		return -EINTR;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
		return -EUCLEAN;
	case SQLITE_NOTADB:
		return -EMEDIUMTYPE;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
	case SQLITE_PROTOCOL:
		return -EIO;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	default:
		return -EINVAL;
	}
}

static int fail(struct sqlite_db *s, struct err *err)
{
	int rc = sqlite3_extended_errcode(s->conn);
	int code = code_of(rc);

	if (code == -EIO || code == -EUCLEAN || code == -EMEDIUMTYPE)
		s->is_broken = true;
	/* A wait for a lock that was ended by db_interrupt() reads as busy; the caller asked for
	 * it. */
	if (code == -EBUSY && atomic_load(&s->db.is_interrupted))
		return err_set(err, -EINTR, "%s: interrupted", s->db.name);
	if (code == -EINTR)
		return err_set(err, -EINTR, "%s: %s", s->db.name,
			       atomic_load(&s->db.is_interrupted) ? "interrupted"
								  : "statement timed out");
	return err_set(err, code, "%s: %s", s->db.name, sqlite3_errmsg(s->conn));
}

/* --- limits: time and interruption --- */

/* Few calls take long enough to be asked: the others never read the clock. */
static bool must_end(struct sqlite_db *s)
{
	int64_t now = clock_mono_ms();

	if (s->deadline_ms == 0)
		s->deadline_ms = now + s->db.timeout_ms;
	return atomic_load(&s->db.is_interrupted) || now >= s->deadline_ms;
}

static int on_progress(void *ctx)
{
	return must_end(ctx) ? 1 : 0;
}

static int on_busy(void *ctx, int tries)
{
	int64_t wait_ms = HALE_MIN(BUSY_WAIT_MIN_MS + tries, BUSY_WAIT_MAX_MS);
	struct timespec pause = {.tv_nsec = wait_ms * 1000000};

	if (must_end(ctx))
		return 0;
	(void)nanosleep(&pause, NULL);
	return 1;
}

static void arm(struct sqlite_db *s)
{
	s->deadline_ms = 0;
}

/* --- statements --- */

static void statement_free(void *handle)
{
	struct sqlite_statement *st = handle;

	if (st == NULL)
		return;
	(void)sqlite3_finalize(st->stmt);
	free(st->index);
	free(st->bound);
	free(st);
}

/* A second statement behind the first would silently not run. */
static bool has_tail(struct sqlite_db *s, const char *tail)
{
	sqlite3_stmt *next = NULL;
	bool has;

	if (tail == NULL || *tail == '\0')
		return false;
	has = sqlite3_prepare_v2(s->conn, tail, -1, &next, NULL) != SQLITE_OK || next != NULL;
	(void)sqlite3_finalize(next);
	return has;
}

static int map_placeholders(struct sqlite_db *s, struct sqlite_statement *st, struct err *err)
{
	char name[16];

	st->n = (size_t)sqlite3_bind_parameter_count(st->stmt);
	st->index = mem_array(st->n + 1, sizeof(*st->index));
	for (size_t i = 0; i < st->n; i++) {
		(void)snprintf(name, sizeof(name), "$%zu", i + 1);
		st->index[i] = sqlite3_bind_parameter_index(st->stmt, name);
		if (st->index[i] == 0)
			return err_set(err, -EINVAL,
				       "%s: placeholders must be $1 to $%zu; there is no %s",
				       s->db.name, st->n, name);
	}
	return 0;
}

static int compile(struct sqlite_db *s, const char *sql, struct sqlite_statement **st_r,
		   struct err *err)
{
	struct sqlite_statement *st = mem_alloc(sizeof(*st));
	const char *tail = NULL;
	int rc;

	if (sqlite3_prepare_v3(s->conn, sql, -1, SQLITE_PREPARE_PERSISTENT, &st->stmt, &tail) !=
	    SQLITE_OK) {
		rc = fail(s, err);
	} else if (st->stmt == NULL) {
		rc = err_set(err, -EINVAL, "%s: no statement in the SQL text", s->db.name);
	} else if (has_tail(s, tail)) {
		rc = err_set(err, -EINVAL, "%s: more than one statement", s->db.name);
	} else {
		rc = map_placeholders(s, st, err);
	}
	if (rc != 0)
		statement_free(st);
	else
		*st_r = st;
	return rc;
}

static int prepare(struct sqlite_db *s, const char *sql, struct sqlite_statement **st_r,
		   struct err *err)
{
	struct sqlite_statement *st = db_cache_get(&s->db.cache, sql);
	void *evicted;
	int rc;

	if (st == NULL) {
		rc = compile(s, sql, &st, err);
		if (rc != 0)
			return rc;
		db_cache_put(&s->db.cache, sql, st, &evicted);
		statement_free(evicted);
	}
	*st_r = st;
	return 0;
}

static int bind_one(sqlite3_stmt *stmt, int at, const struct db_value *v)
{
	switch (v->type) {
	case DB_NULL:
		return sqlite3_bind_null(stmt, at);
	case DB_INT:
		return sqlite3_bind_int64(stmt, at, v->integer);
	case DB_REAL:
		return sqlite3_bind_double(stmt, at, v->real);
	case DB_TEXT:
		/* The caller's text outlives the call, and the call ends with bindings cleared. */
		return sqlite3_bind_text64(stmt, at, v->text, v->len, SQLITE_STATIC, SQLITE_UTF8);
	}
	return SQLITE_MISUSE;
}

static bool is_bound(const struct db_value *bound, const struct db_value *v)
{
	if (bound == NULL || bound->type != v->type)
		return false;
	return v->type == DB_NULL || (v->type == DB_INT && bound->integer == v->integer);
}

static int bind_all(struct sqlite_db *s, struct sqlite_statement *st, const struct db_value *args,
		    size_t n, struct err *err)
{
	if (n != st->n)
		return err_set(err, -EINVAL,
			       "%s: the statement has %zu placeholders, %zu values given",
			       s->db.name, st->n, n);
	for (size_t i = 0; i < n; i++) {
		struct db_value *bound = st->bound != NULL ? &st->bound[i] : NULL;

		if (is_bound(bound, &args[i]))
			continue;
		if (bind_one(st->stmt, st->index[i], &args[i]) != SQLITE_OK)
			return fail(s, err);
		if (bound != NULL)
			*bound = args[i];
	}
	return 0;
}

static struct db_value value_of(sqlite3_stmt *stmt, int column)
{
	struct db_value v = {.type = DB_NULL};

	switch (sqlite3_column_type(stmt, column)) {
	case SQLITE_NULL:
		break;
	case SQLITE_INTEGER:
		v.type = DB_INT;
		v.integer = sqlite3_column_int64(stmt, column);
		break;
	case SQLITE_FLOAT:
		v.type = DB_REAL;
		v.real = sqlite3_column_double(stmt, column);
		break;
	default:
		v.type = DB_TEXT;
		v.text = (const char *)sqlite3_column_text(stmt, column);
		v.len = (size_t)sqlite3_column_bytes(stmt, column);
		if (v.text == NULL)
			v.text = "";
	}
	return v;
}

struct row_buffer {
	const char **names;
	struct db_value *values;
	size_t columns;
};

static bool give_row(sqlite3_stmt *stmt, const struct db_call *call, struct row_buffer *b)
{
	if (b->values == NULL) {
		b->columns = (size_t)sqlite3_column_count(stmt);
		b->names = mem_array(b->columns + 1, sizeof(*b->names));
		b->values = mem_array(b->columns + 1, sizeof(*b->values));
		for (size_t i = 0; i < b->columns; i++)
			b->names[i] = sqlite3_column_name(stmt, (int)i);
	}
	for (size_t i = 0; i < b->columns; i++)
		b->values[i] = value_of(stmt, (int)i);
	return call->on_row(
		call->ctx,
		&(struct db_row){.columns = b->columns, .names = b->names, .values = b->values});
}

static int step_all(struct sqlite_db *s, sqlite3_stmt *stmt, const struct db_call *call,
		    struct err *err)
{
	struct row_buffer buffer = {0};
	int rc;

	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
		if (call->on_row != NULL && !give_row(stmt, call, &buffer)) {
			rc = SQLITE_DONE;
			break;
		}
	free(buffer.names);
	free(buffer.values);
	return rc == SQLITE_DONE ? 0 : fail(s, err);
}

static int sqlite_exec(struct db *db, const struct db_call *call, struct err *err)
{
	struct sqlite_db *s = sqlite_of(db);
	int64_t before = sqlite3_total_changes64(s->conn);
	struct sqlite_statement *st = NULL;
	int rc;

	arm(s);
	rc = prepare(s, call->sql, &st, err);
	if (rc != 0)
		return rc;
	rc = bind_all(s, st, call->args, call->n, err);
	if (rc == 0)
		rc = step_all(s, st->stmt, call, err);
	(void)sqlite3_reset(st->stmt);
	(void)sqlite3_clear_bindings(st->stmt);
	/* sqlite3_changes() still tells of the statement before if this one changed nothing. */
	if (rc == 0 && call->changed_r != NULL)
		*call->changed_r =
			sqlite3_total_changes64(s->conn) == before ? 0 : sqlite3_changes64(s->conn);
	return rc;
}

static int sqlite_prepare(struct db *db, const char *sql, void **handle_r, struct err *err)
{
	struct sqlite_statement *st = NULL;
	int rc;

	arm(sqlite_of(db));
	rc = compile(sqlite_of(db), sql, &st, err);
	if (rc == 0) {
		st->bound = mem_array(st->n + 1, sizeof(*st->bound)); /* all NULL, as in SQLite */
		*handle_r = st;
	}
	return rc;
}

/* Bindings stay: what the next row has in common with this one is not bound again. */
static int sqlite_run(struct db *db, void *handle, const struct db_value *args, size_t n,
		      struct err *err)
{
	struct sqlite_db *s = sqlite_of(db);
	struct sqlite_statement *st = handle;
	int rc;

	arm(s);
	rc = bind_all(s, st, args, n, err);
	if (rc != 0)
		return rc;
	do
		rc = sqlite3_step(st->stmt);
	while (rc == SQLITE_ROW);
	rc = rc == SQLITE_DONE ? 0 : fail(s, err);
	(void)sqlite3_reset(st->stmt);
	return rc;
}

static int sqlite_script(struct db *db, const char *sql, struct err *err)
{
	struct sqlite_db *s = sqlite_of(db);

	arm(s);
	return sqlite3_exec(s->conn, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(s, err);
}

static int sqlite_begin(struct db *db, struct err *err)
{
	return sqlite_script(db, db->is_read_only ? "BEGIN" : "BEGIN IMMEDIATE", err);
}

static int sqlite_commit(struct db *db, struct err *err)
{
	return sqlite_script(db, "COMMIT", err);
}

static bool sqlite_in_transaction(const struct db *db)
{
	return sqlite3_get_autocommit(sqlite_of_const(db)->conn) == 0;
}

static void sqlite_interrupt(struct db *db)
{
	sqlite3_interrupt(sqlite_of(db)->conn);
}

/* A file that was deleted or replaced under us still takes our rows, and nobody will see them. */
static bool is_file_gone(const struct sqlite_db *s)
{
	struct stat st;

	if (!s->has_file)
		return false;
	return stat(s->db.name, &st) != 0 || st.st_dev != s->dev || st.st_ino != s->ino;
}

static bool sqlite_is_broken(const struct db *db)
{
	const struct sqlite_db *s = sqlite_of_const(db);

	return s->is_broken || is_file_gone(s);
}

static void sqlite_close(struct db *db)
{
	struct sqlite_db *s = sqlite_of(db);

	db_cache_done(&db->cache, statement_free);
	(void)sqlite3_close_v2(s->conn);
	free(db->name);
	free(s);
}

static const struct db_ops sqlite_ops = {
	.close = sqlite_close,
	.is_broken = sqlite_is_broken,
	.in_transaction = sqlite_in_transaction,
	.script = sqlite_script,
	.exec = sqlite_exec,
	.begin = sqlite_begin,
	.commit = sqlite_commit,
	.interrupt = sqlite_interrupt,
	.prepare = sqlite_prepare,
	.run = sqlite_run,
	.drop = statement_free,
};

static int open_flags(const struct db_target *target)
{
	/* One thread at a time is our contract, so SQLite need not lock; sqlite3_interrupt() is
	 * safe from any thread in every mode. */
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;

	if (target->is_read_only)
		return flags | SQLITE_OPEN_READONLY;
	flags |= SQLITE_OPEN_READWRITE;
	return target->must_exist ? flags : flags | SQLITE_OPEN_CREATE;
}

/* The first look at the file: opening alone reads nothing, so "not a database" comes here. */
static int open_probe(struct sqlite_db *s, const struct db_target *target, struct err *err)
{
	const char *path = target->where;
	struct stat st;
	/* Who only reads may have no place to put a large sort; what it asks for is bounded. */
	int rc =
		target->is_read_only ? sqlite_script(&s->db, "PRAGMA temp_store = MEMORY", err) : 0;

	if (rc == 0)
		rc = sqlite_script(&s->db, "PRAGMA schema_version", err);

	if (rc != 0)
		return rc;
	if (stat(path, &st) == 0) {
		s->has_file = true;
		s->dev = st.st_dev;
		s->ino = st.st_ino;
	}
	return 0;
}

static int open_fail(struct sqlite_db *s, const struct db_target *target, struct err *err)
{
	bool wants_file = target->is_read_only || target->must_exist;
	int why = sqlite3_system_errno(s->conn);

	if (wants_file && access(target->where, F_OK) != 0 && errno == ENOENT)
		return err_set(err, -ENOENT, "%s: no such file", target->where);
	if (why == EACCES || why == EPERM || why == EROFS)
		return err_errno(err, -EACCES, "%s: cannot open", target->where);
	if (why != 0)
		return err_set(err, -ECONNREFUSED, "%s: cannot open: %s", target->where,
			       strerror(why));
	return err_set(err, -ECONNREFUSED, "%s: %s", target->where, sqlite3_errmsg(s->conn));
}

/* A -shm would have to be made, and may not be. */
static bool is_shut_out(const struct sqlite_db *s)
{
	int rc = sqlite3_errcode(s->conn) & 0xff;

	return s->db.is_read_only && (rc == SQLITE_CANTOPEN || rc == SQLITE_READONLY);
}

/* Nobody has it open, and nobody ended without tidying up: the file is all there is. */
static bool is_asleep(const char *path)
{
	static const char *const companions[] = {"-wal", "-journal", NULL};

	for (size_t i = 0; companions[i] != NULL; i++) {
		HALE_CLEANUP(cleanup_free) char *file = mem_printf("%s%s", path, companions[i]);

		if (access(file, F_OK) == 0)
			return false;
	}
	return true;
}

/* As it lies on the disk, without locks. Caller frees. */
static char *immutable_uri(const char *path)
{
	struct str uri = {0};

	str_add(&uri, "file:");
	for (; *path != '\0'; path++) {
		if (strchr("?#%", *path) != NULL)
			str_addf(&uri, "%%%02X", (unsigned char)*path);
		else
			str_addc(&uri, *path);
	}
	str_add(&uri, "?immutable=1");
	return str_take(&uri);
}

static int connect_file(struct sqlite_db *s, const struct db_target *target, const char *where,
			int more_flags, struct err *err)
{
	int keeps_wal = target->keeps_wal;

	if (sqlite3_open_v2(where, &s->conn, open_flags(target) | more_flags, NULL) != SQLITE_OK)
		return open_fail(s, target, err);
	(void)sqlite3_busy_handler(s->conn, on_busy, s);
	sqlite3_progress_handler(s->conn, PROGRESS_OPS, on_progress, s);
	(void)sqlite3_file_control(s->conn, "main", SQLITE_FCNTL_PERSIST_WAL, &keeps_wal);
	return open_probe(s, target, err);
}

int db_sqlite_open(const struct db_target *target, struct db **db_r, struct err *err)
{
	struct sqlite_db *s = mem_alloc(sizeof(*s));
	int rc;

	s->db.ops = &sqlite_ops;
	s->db.engine = DB_SQLITE;
	s->db.name = mem_dup(target->where);
	s->db.timeout_ms = target->timeout_ms > 0 ? target->timeout_ms : DB_TIMEOUT_DEFAULT_MS;
	s->db.is_read_only = target->is_read_only;
	rc = connect_file(s, target, target->where, 0, err);
	if (rc != 0 && target->is_brief && is_shut_out(s) && is_asleep(target->where)) {
		HALE_CLEANUP(cleanup_free) char *uri = immutable_uri(target->where);

		db_cache_done(&s->db.cache, statement_free);
		(void)sqlite3_close_v2(s->conn);
		s->is_broken = false;
		rc = connect_file(s, target, uri, SQLITE_OPEN_URI, err);
	}
	if (rc != 0) {
		sqlite_close(&s->db);
		return rc;
	}
	*db_r = &s->db;
	return 0;
}
