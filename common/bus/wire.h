/* SPDX-License-Identifier: Apache-2.0 */
/* wire - one Unix stream connection that carries texts, one per line (internal)
 *
 * Under command.h. nng's REQ/REP was measured to fail here: 1.5.2 stops accepting for ever, or
 * spins, when callers come and go (its issue 1518), and that is what an operator's command does.
 * A plain socket is also what a shell can speak: socat, nc -U.
 *
 * Loop thread only. Ownership: the struct is the caller's, in memory that outlives on_closed.
 */
#ifndef HALE_BUS_WIRE_H
#define HALE_BUS_WIRE_H

#include "base/err.h"
#include "base/str.h"
#include "bus/access.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/* What one side may have waiting for the other: an answer of the largest size, and another. A peer
 * that lets it grow beyond does not read, and is hung up on. */
#define WIRE_QUEUE_MAX (2u * (16u << 20))

struct wire {
	uv_pipe_t pipe;
	struct str in;       /* what came and is no whole line yet */
	size_t scanned;      /* of it: known to hold no newline */
	size_t line_max;     /* bytes; a longer line ends the connection */
	size_t queued_bytes; /* handed to libuv, not written yet */
	bool is_closing;
	bool is_finishing; /* closes when all is written */
	/* One text; it may be changed in place. May close the wire. */
	void (*on_text)(struct wire *w, char *text, size_t len);
	/* The peer has gone, or misbehaves; the wire is to be closed. Not called after wire_close.
	 */
	void (*on_end)(struct wire *w);
	void (*on_closed)(struct wire *w);
};

/* All fields but the callbacks and line_max are set here. */
void wire_init(struct wire *w, uv_loop_t *loop);
void wire_start(struct wire *w); /* once connected */
void wire_send(struct wire *w, const char *text, size_t len);
void wire_finish(struct wire *w); /* close when written */
void wire_close(struct wire *w);  /* now; more than once is fine */

/* A listening socket at path. What stands there must be a socket nobody listens at. */
int wire_bind(uv_pipe_t *pipe, const char *path, const struct bus_access *access, struct err *err);
/* Whether somebody listens at path: 0, -ENOENT, -ECONNREFUSED, other negative errno. */
int wire_probe(const char *path);
/* The user at the other end; -1 as none. */
uid_t wire_peer(const uv_pipe_t *pipe);

#endif
