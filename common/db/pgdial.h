/* SPDX-License-Identifier: Apache-2.0 */
/* pgdial - a connection to PostgreSQL, made on the loop (private to this layer)
 *
 * Names are resolved by uv_getaddrinfo, because libpq would hold the loop meanwhile; then libpq
 * connects to all addresses in turn. There is no deadline here: whoever dials has one, and cancels.
 *
 * Ownership: a dial frees itself, after on_done or after it was cancelled. `target` is borrowed
 *            until then, the texts in `more` too. The connection is the caller's.
 * Loop:      on_done comes once, on the loop, perhaps from within pg_dial_start; never after a
 *            cancel.
 */
#ifndef HALE_DB_PGDIAL_H
#define HALE_DB_PGDIAL_H

#include "pg.h"

#include <uv.h>

struct pg_dial;

struct pg_dialed {
	PGconn *conn; /* non-blocking, without notices; NULL: see reason */
	enum reason reason;
	const char *code; /* SQLSTATE, or "" */
	const char *text; /* without secrets */
};
typedef void (*pg_dialed_fn)(void *ctx, const struct pg_dialed *d);

/* *dial_r is set before anything else happens. `more` are parameters besides the target's, which
 * they replace; ends in NULL key; may be NULL. */
void pg_dial_start(struct pg_dial **dial_r, uv_loop_t *loop, const struct pg_target *target,
		   const struct db_setting *more, pg_dialed_fn on_done, void *ctx);
void pg_dial_cancel(struct pg_dial *dial);
/* What took so long, if it has to be given up now. */
enum reason pg_dial_waits_for(const struct pg_dial *dial);

#endif
