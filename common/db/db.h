/* SPDX-License-Identifier: Apache-2.0 */
/* db - SQLite and PostgreSQL as one connection that blocks, for worker threads
 *
 * For code whose work is a transaction: recorder, notifier's outbox, reconciler, exports. Never on
 * a loop that others wait for: run it in uv_queue_work (one thread at a time per connection), or
 * where the database is a private local SQLite file. Checks use pgasync.h instead.
 *
 * Placeholders are $1, $2 … in both. Values are bound, never pasted. Statements are prepared once
 * per text and kept (DB_STATEMENTS_MAX, least recently used leaves).
 *
 * Errors: negative errno and text: -ECONNREFUSED cannot connect, -ENOENT a file that must exist
 *         does not, -EACCES login or file refused, -EBUSY locked or serialization, -EEXIST unique
 *         violation, -ENOSPC disk full, -EINTR interrupted or timed out, -EINVAL anything wrong
 *         with the statement, -EIO the connection broke, -EUCLEAN the file is damaged, -EMEDIUMTYPE
 *         it is no database. Secrets (passwords in a DSN) never appear.
 * An interrupted or silent PostgreSQL connection is broken afterwards (db_is_broken): a cancel on
 * its way could hit the next statement. A row callback must not use its own connection.
 */
#ifndef HALE_DB_DB_H
#define HALE_DB_DB_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DB_STATEMENTS_MAX 64

struct db;

enum db_engine { DB_SQLITE, DB_POSTGRES };

struct db_target {
	enum db_engine engine;
	const char *where;  /* SQLite: path. PostgreSQL: conninfo string or postgresql:// URI */
	int64_t timeout_ms; /* connect, busy and statement timeout; 0: 5 s */
	int64_t connect_timeout_ms; /* PostgreSQL, if it is another; 0: timeout_ms */
	bool is_read_only;
	bool must_exist; /* SQLite: do not create */
	/* SQLite: the -wal and -shm of a WAL database stay when the last connection closes, so that
	 * who may only read can go on reading. For the one writer. */
	bool keeps_wal;
	/* SQLite: read once and closed. A WAL database that nobody has open can then be read also
	 * by who may not make its -shm. */
	bool is_brief;
};

enum db_type { DB_NULL, DB_INT, DB_REAL, DB_TEXT };

struct db_value {
	enum db_type type;
	int64_t integer;
	double real;
	const char *text; /* borrowed; in rows valid during the callback */
	size_t len;       /* of text */
};

#define DB_V_NULL    ((struct db_value){.type = DB_NULL})
#define DB_V_INT(n)  ((struct db_value){.type = DB_INT, .integer = (n)})
#define DB_V_REAL(x) ((struct db_value){.type = DB_REAL, .real = (x)})
struct db_value db_v_text(const char *text); /* NULL gives NULL */

struct db_row {
	size_t columns;
	const char *const *names;
	const struct db_value *values;
};

/* Return false to stop reading (not an error). */
typedef bool (*db_row_fn)(void *ctx, const struct db_row *row);

int db_open(const struct db_target *target, struct db **db_r, struct err *err);
void db_close(struct db *db); /* NULL is fine; an open transaction is rolled back */
enum db_engine db_engine_of(const struct db *db);
bool db_is_broken(const struct db *db); /* open a new one */

/* Several statements, no values, no rows. */
int db_script(struct db *db, const char *sql, struct err *err);
/* One statement. changed_r (may be NULL): rows inserted, updated or deleted. */
int db_run(struct db *db, const char *sql, const struct db_value *args, size_t n,
	   int64_t *changed_r, struct err *err);
/* One statement, each row to on_row. In PostgreSQL every column arrives as DB_TEXT, DB_INT
 * (int2/4/8), DB_REAL (float4/8) or DB_NULL; numeric, bool, timestamps … as text. */
int db_query(struct db *db, const char *sql, const struct db_value *args, size_t n,
	     db_row_fn on_row, void *ctx, struct err *err);

/* A statement that its caller keeps, for many rows of one kind: none is looked up, and what is
 * bound again unchanged costs nothing. Free it before the connection. */
struct db_statement;
int db_prepare(struct db *db, const char *sql, struct db_statement **st_r, struct err *err);
/* As db_run, without looking what changed. Texts must stay as they are until the next run. */
int db_statement_run(struct db_statement *st, const struct db_value *args, size_t n,
		     struct err *err);
void db_statement_free(struct db_statement *st); /* NULL is fine */

int db_begin(struct db *db, struct err *err); /* SQLite: IMMEDIATE */
int db_commit(struct db *db, struct err *err);
void db_rollback(struct db *db);
/* Savepoints isolate one row's failure in a transaction. The name is [a-z_]+. */
int db_savepoint(struct db *db, const char *name, struct err *err);
int db_release(struct db *db, const char *name, struct err *err);
int db_rollback_to(struct db *db, const char *name, struct err *err);

/* From any thread: the running call ends soon with -EINTR. */
void db_interrupt(struct db *db);
/* From the next call on. PostgreSQL: how long an answer is waited for. */
void db_set_timeout(struct db *db, int64_t timeout_ms);

/* A conninfo with parameters besides, which replace its own; those whose value is NULL stay as they
 * are. Ends in NULL key. -EINVAL if it is none, -ENOSYS as db_open. Caller frees; it may hold a
 * secret. */
struct db_setting {
	const char *key, *value;
};
int db_conninfo(const char *conninfo, const struct db_setting *more, char **conninfo_r,
		struct err *err);

/* Host and database of a conninfo, for people. Caller frees. Errors as db_conninfo(). */
int db_conninfo_name(const char *conninfo, char **name_r, struct err *err);

/* "name" -> "\"name\"", quotes doubled: for identifiers from the configuration. Caller frees. */
char *db_quote_name(const char *name);

#endif
