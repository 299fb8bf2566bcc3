/* SPDX-License-Identifier: Apache-2.0 */
/* pgpipe - PostgreSQL on the loop for writing: a kept connection, many statements in one go
 *
 * pg_pipe_run() sends all its statements at once (libpq's pipeline mode) with one sync behind them:
 * they are one transaction, which commits with the last or not at all, and cost one round trip.
 * Statements are prepared the first time a connection meets them. Values travel in binary form,
 * many rows as arrays (pgarray.h).
 *
 * Errors: negative errno as db.h has them, plus state, the SQLSTATE. -EBUSY: serialization,
 * deadlock or a lock; try again. -EIO, -EINTR, -ECONNREFUSED: there is no connection any more; open
 *         again. If it broke when all had been sent, nobody knows whether the transaction was
 *         committed. Times are held by timers of our own, so that a server that hangs holds nobody.
 * Ownership: heap object; what pg_step points to must stay until on_done. SQL texts are literals: a
 *            connection knows them by their address.
 * Loop:      the loop's thread; one call at a time. on_done never comes from within the call. An
 *            idle connection does not keep the loop running.
 */
#ifndef HALE_DB_PGPIPE_H
#define HALE_DB_PGPIPE_H

#include "base/err.h"
#include "db/db.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#define PG_PIPE_STEPS_MAX      64
#define PG_PIPE_PARAMS_MAX     24
#define PG_PIPE_STATEMENTS_MAX 64

struct pg_pipe;

struct pg_pipe_options {
	const char *conninfo; /* copied */
	/* Statements run once per connection, e.g. SET search_path …; copied, may be NULL. */
	const char *session;
	int64_t connect_timeout_ms;
	/* Of one statement, by the server; and of a silence, by us. */
	int64_t statement_timeout_ms;
};

struct pg_param {
	const char *data; /* NULL: NULL */
	size_t len;
	bool is_text; /* NUL-terminated text form; else binary */
};

struct pg_step {
	const char *sql; /* a literal */
	const struct pg_param *params;
	size_t n;
	/* Each row, as it comes; NULL: they are passed over. Values as in db.h. */
	void (*on_row)(void *ctx, const struct db_row *row);
	void *ctx; /* for on_row; NULL: that of the call */
};

struct pg_pipe_done {
	int rc;
	const char *state;     /* SQLSTATE, or "" */
	const struct err *err; /* if rc < 0 */
	size_t step;           /* that failed, if one did */
};
typedef void (*pg_pipe_fn)(void *ctx, const struct pg_pipe_done *done);

struct pg_pipe *pg_pipe_new(uv_loop_t *loop, const struct pg_pipe_options *o);
/* Connects, and sets the session up; what was open is closed first. */
void pg_pipe_open(struct pg_pipe *p, pg_pipe_fn on_done, void *ctx);
/* False also once the server closed an idle connection. */
bool pg_pipe_is_open(const struct pg_pipe *p);
int pg_pipe_backend(const struct pg_pipe *p); /* its process id at the server; 0: not open */
/* All or nothing. At most PG_PIPE_STEPS_MAX. */
void pg_pipe_run(struct pg_pipe *p, const struct pg_step *steps, size_t n, pg_pipe_fn on_done,
		 void *ctx);
/* From the next call on, how long silence is borne. */
void pg_pipe_set_timeout(struct pg_pipe *p, int64_t timeout_ms);
/* The call in hand ends soon, with -EINTR; its connection is closed, its statement cancelled. */
void pg_pipe_interrupt(struct pg_pipe *p);
/* Interrupts, closes, frees; on_done of a call in hand comes before on_closed (may be NULL). */
void pg_pipe_close(struct pg_pipe *p, void (*on_closed)(void *ctx), void *ctx);
/* Host and database, for texts; never a secret. */
const char *pg_pipe_name(const struct pg_pipe *p);

#endif
