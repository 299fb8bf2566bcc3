/* SPDX-License-Identifier: Apache-2.0 */
/* sql_session - statements one after the other on one connection, for checks, which only read
 *
 * SQLite in a thread of its own, opened read-only; PostgreSQL on the loop, in read-only
 * transactions. Either way it is struct pg_script (store/pgasync.h) that asks and is told: with
 * SQLite next, on_row and on_answer come from the thread, so they touch their ctx alone; on_end
 * always comes from the loop.
 *
 * Ownership: place and script are copied, but for the files; ctx must stay until on_end.
 * Errors:    a reason and a text, in on_answer (of one statement) or on_end (of all).
 * Loop:      start and cancel on the loop thread; nothing is called from within start.
 */
#ifndef HALE_CHECKERS_SQL_SESSION_H
#define HALE_CHECKERS_SQL_SESSION_H

#include "check.h"
#include "sql_options.h"
#include "db/pgasync.h"

/* One of them. */
struct sql_place {
	const char *path;            /* SQLite */
	const char *dsn;             /* PostgreSQL */
	const char *ca, *cert, *key; /* its files, or NULL; borrowed until on_end */
};

struct sql_place sql_place_of(const struct sqlite_opts *sqlite,
			      const struct postgres_opts *postgres);

struct sql_session;

struct sql_session *sql_session_start(struct check *c, struct sql_place place,
				      const struct pg_script *script, int64_t timeout_ms,
				      void *ctx);
/* on_end comes with REASON_CANCELLED: before this returns, or, if a thread must come back first,
 * soon after. */
void sql_session_cancel(struct sql_session *s);

/* Of a row that is shown. */
#define SQL_SHOWN_COLUMNS_MAX 64
/* A row as JSON, for who looks on: long texts are cut, what is not UTF-8 is replaced. New
 * reference. */
json_t *sql_row_json(const struct db_row *row);

#endif
