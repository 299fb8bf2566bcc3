/* SPDX-License-Identifier: Apache-2.0 */
/* pgasync - PostgreSQL on the loop: connect, one or more queries, rows, cancel
 *
 * For checks: never blocks the loop (libpq non-blocking on uv_poll), can be cancelled at every
 * step. A host name is resolved by libpq and may block: conninfo should carry hostaddr or a socket
 * path; pgasync resolves `host` itself with uv_getaddrinfo and passes hostaddr.
 *
 * All statements of a call run on one connection, in a read-only transaction with a
 * statement_timeout, and times come as ISO 8601. One that fails does not spoil the next.
 */
#ifndef HALE_DB_PGASYNC_H
#define HALE_DB_PGASYNC_H

#include "model/reason.h"
#include "db/db.h"

#include <uv.h>

struct pg_call;

/* 0, or -EINVAL if this can never be a connection string; the text does not repeat it. -ENOSYS if
 * libpq is not installed. */
int pg_conninfo_check(const char *conninfo, struct err *err);

/* ---- Several statements ---- */

struct pg_answer {
	enum reason reason; /* REASON_OK or REASON_SQL_ERROR */
	const char *error;  /* "" if there is none */
	double query_ms;
	size_t rows;
};

/* All of them are called on the loop, never from within pg_script_start(), and must not start or
 * cancel anything of this call. */
struct pg_script {
	/* Files (PEM) to trust and to show who we are, or NULL: what conninfo says. With `ca` the
	 * server must be who it says unless conninfo has an sslmode. Borrowed until on_end. */
	const char *ca, *cert, *key;
	/* One statement, valid until its answer; NULL: that was the last. */
	const char *(*next)(void *ctx);
	/* Valid during the call. Unlike in db.h, numeric is DB_REAL, and every value that is not
	 * NULL has the server's text too. False: no more of this, end with REASON_TOO_LARGE. */
	bool (*on_row)(void *ctx, const struct db_row *row);
	void (*on_answer)(void *ctx, const struct pg_answer *a);
	/* Once, whatever happens: REASON_OK if all statements were answered (with errors perhaps),
	 * else CONN_*, TIMEOUT_*, SQL_AUTH, CANCELLED … connect_ms is 0 if never connected. */
	void (*on_end)(void *ctx, enum reason reason, const char *error, double connect_ms);
};

/* timeout_ms bounds everything. The script is copied. */
struct pg_call *pg_script_start(uv_loop_t *loop, const char *conninfo,
				const struct pg_script *script, int64_t timeout_ms, void *ctx);
/* on_end is called before this returns, with REASON_CANCELLED; a running statement is cancelled at
 * the server on the way out. Never after on_end. */
void pg_script_cancel(struct pg_call *call);

/* ---- One statement ---- */

struct pg_result {
	enum reason reason; /* REASON_OK, CONN_*, TIMEOUT_*, SQL_ERROR, SQL_AUTH, CANCELLED … */
	char error[512];
	double connect_ms; /* 0 if never connected */
	double query_ms;
	size_t rows; /* all of them */
	/* columns 0 if there was none; valid during the callback. Values as in pg_script. */
	struct db_row first;
};

typedef void (*pg_done_fn)(void *ctx, const struct pg_result *r);

/* Connects, runs `sql`, disconnects, calls back once. */
struct pg_call *pg_query_start(uv_loop_t *loop, const char *conninfo, const char *sql,
			       int64_t timeout_ms, pg_done_fn on_done, void *ctx);
/* As pg_script_cancel(): on_done is called before this returns, with REASON_CANCELLED. */
void pg_query_cancel(struct pg_call *call);

#endif
