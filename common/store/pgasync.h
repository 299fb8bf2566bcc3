/* SPDX-License-Identifier: Apache-2.0 */
/* pgasync - one PostgreSQL query on the loop: connect, query, rows, cancel
 *
 * For checks: never blocks the loop (libpq non-blocking on uv_poll), can be cancelled at every
 * step. A host name is resolved by libpq and may block: conninfo should carry hostaddr or a socket
 * path; pgasync resolves `host` itself with uv_getaddrinfo and passes hostaddr.
 */
#ifndef HALE_STORE_PGASYNC_H
#define HALE_STORE_PGASYNC_H

#include "model/reason.h"
#include "store/db.h"

#include <uv.h>

struct pg_call;

/* 0, or -EINVAL if this can never be a connection string; the text does not repeat it. -ENOSYS if
 * libpq is not installed. */
int pg_conninfo_check(const char *conninfo, struct err *err);

struct pg_result {
	enum reason reason; /* REASON_OK, CONN_*, TIMEOUT_*, SQL_ERROR, SQL_AUTH, CANCELLED … */
	char error[512];
	double connect_ms; /* 0 if never connected */
	double query_ms;
	size_t rows; /* all of them */
	/* columns 0 if there was none; valid during the callback. Unlike in db.h, numeric is
	 * DB_REAL, and every value that is not NULL has the server's text too. */
	struct db_row first;
};

typedef void (*pg_done_fn)(void *ctx, const struct pg_result *r);

/* Connects, runs `sql` in a read-only transaction with statement_timeout, disconnects, calls back
 * once. timeout_ms bounds everything. */
struct pg_call *pg_query_start(uv_loop_t *loop, const char *conninfo, const char *sql,
			       int64_t timeout_ms, pg_done_fn on_done, void *ctx);
/* on_done is called before this returns, with REASON_CANCELLED; a running statement is cancelled
 * at the server on the way out. */
void pg_query_cancel(struct pg_call *call);

#endif
