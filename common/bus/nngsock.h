/* SPDX-License-Identifier: Apache-2.0 */
/* nngsock - one nng socket wired into one loop, the way every socket of the bus is (internal)
 *
 * Sets the options that were measured to matter (buffers, reconnect times, size limit, mode of the
 * socket file), refuses peers of another user, and turns readiness and connection changes into loop
 * callbacks. nng's own callbacks run on its threads and touch nothing but atomics here.
 *
 * A listener is guarded: nng 1.5.2 stops taking connections for ever when its accepting fails with
 * what it takes for its own closing. The one cause known, a peer that breaks off in the handshake,
 * is mended in handshake.c; this is for those unknown. When nng's counters show that any connection
 * has failed or ended, the guard connects to the listener itself; if that is not counted as
 * accepted, the listener is closed and opened anew. All peers then reconnect, and what was under
 * way is repeated by outbox and feed. nng keeps for ever those connections that nobody had taken,
 * so this must stay rare. A dialer that is not connected is watched in the same way and, if it has
 * ceased to try, made anew.
 *
 * Closing is as careful: nng 1.5.2 waits for ever in nng_close() when a message is coming in at
 * that moment (measured: within 30 tries on a busy SUB). So the connections are hung up first,
 * which is harmless, and the socket is closed when nng has seen them end.
 *
 * Ownership: embedded in its owner, which must live until on_closed. A failed open leaves nothing.
 * Loop:      everything here is called on, and calls back on, the loop thread.
 */
#ifndef HALE_BUS_NNGSOCK_H
#define HALE_BUS_NNGSOCK_H

#include "base/err.h"
#include "bus/access.h"

#include <nng/nng.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum nngsock_kind { NNGSOCK_PUB, NNGSOCK_SUB };

struct nngsock_ops {
	/* A message may be waiting: receive until NNG_EAGAIN or the owner's cap. NULL: not polled.
	 */
	void (*on_readable)(void *ctx);
	/* Connections came or went, or nngsock_wake() was called. May be NULL. */
	void (*on_wake)(void *ctx);
	void *ctx;
	/* SUB only: what a message must begin with; NULL is everything. Borrowed for the open. */
	const char *prefix;
};

struct nngsock {
	nng_socket socket;
	struct nngsock_ops ops;
	uv_poll_t poll;
	uv_async_t wake;
	enum nngsock_kind kind;
	bool is_polling;
	atomic_bool is_closing;
	unsigned open_handles;
	void (*on_closed)(void *ctx);
	char *url;
	uv_timer_t timer;  /* the guard's, and the limit of closing */
	unsigned hang_ups; /* tries so far */
	unsigned quiet;    /* of these, the last ones that found no connection */
	nng_dialer dialer;
	unsigned idle; /* looks at an unconnected dialer that found no try */
	/* Listeners only: who may connect, and the guard. */
	struct bus_access access;
	bool is_listener;
	nng_listener listener;
	bool is_listening; /* false: opening anew failed, to be tried again */
	unsigned probe_waits;
	bool is_deaf;             /* to be opened anew once its connections are hung up */
	int probe_fd;             /* -1 none: a connection of our own is on its way */
	uint64_t accepted_before; /* when the probe was sent */
	uint64_t errors_seen;
	uint64_t reopened;
	atomic_bool is_wired; /* wake may be used */
	/* Written by nng's threads. */
	atomic_uint_fast64_t refused; /* peers of another user */
	atomic_uint_fast64_t added;   /* connections made */
	atomic_uint_fast64_t removed; /* connections lost; for a dialer added - removed is 0 or 1 */
	atomic_uint live;             /* a dialer's connection, 0 none */
	atomic_int pipes; /* connections nng has, refused ones too until they are gone */
};

/* -ENAMETOOLONG, -EADDRINUSE, -ENOENT (no such directory), -EEXIST (something that is no socket
 * stands at path; nng would delete it), or what the system said. */
int nngsock_listen(struct nngsock *ns, uv_loop_t *loop, enum nngsock_kind kind, const char *path,
		   const struct bus_access *access, size_t recv_max_bytes,
		   const struct nngsock_ops *ops, struct err *err);
/* Succeeds without a listener; connects when there is one, and again when it comes back. */
int nngsock_dial(struct nngsock *ns, uv_loop_t *loop, enum nngsock_kind kind, const char *path,
		 size_t recv_max_bytes, const struct nngsock_ops *ops, struct err *err);
/* Any thread. */
void nngsock_wake(struct nngsock *ns);
/* No callback but on_closed afterwards, which comes within half a second. */
void nngsock_close(struct nngsock *ns, void (*on_closed)(void *ctx));

/* The longest path a socket may have; longer: -ENAMETOOLONG with what to do about it. */
int nngsock_path_check(const char *path, struct err *err);
/* Negative errno for an nng error number. */
int nngsock_errno(int rv);

#endif
