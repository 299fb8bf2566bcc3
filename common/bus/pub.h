/* SPDX-License-Identifier: Apache-2.0 */
/* pub - the sending end of the bus: gathers lines, sends frames when the loop turn ends
 *
 * Loop thread only; never blocks. Lines of one topic added in one loop turn travel as one frame
 * (a topic change or FRAME_FLUSH_BYTES ends a frame earlier, order is kept).
 *
 * Two uses:
 *  - haled: pub_listen() on bus.ipc with a ring for replay (ring.h).
 *  - a child: pub_dial() to results.ipc with an outbox: lines are kept until haled's "sync" frame
 *    acknowledges them (pub_acked) and sent again, oldest first, when 500 ms pass without progress
 *    (doubling up to 8 s while haled stays silent), and at once when a connection is made.
 *    At the outbox limit the oldest observation lines are dropped first, then the oldest others,
 *    counted in stats. The hole they leave is announced by a skip marker (frame.h), so that haled
 *    (inbox.h) does not wait for what will never come.
 *
 * A line longer than a frame may be (FRAME_MAX_BYTES less its header) is not taken: it gets no seq,
 * pub_line returns 0 and it counts as dropped.
 */
#ifndef HALE_BUS_PUB_H
#define HALE_BUS_PUB_H

#include "base/err.h"
#include "bus/access.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* The largest nng allows (measured); PUB drops silently beyond it. */
#define BUS_BUFFER_MESSAGES 8192
/* Without progress for so long, a child sends again. haled must therefore publish a sync well
 * within this time after it accepted a line (pace.h). */
#define PUB_RESEND_MS       500

struct pub;
struct ring;

struct pub_stats {
	uint64_t lines;  /* handed in */
	uint64_t frames; /* sent, repeats included */
	uint64_t bytes;
	uint64_t dropped;  /* lines dropped at the outbox limit */
	uint64_t resent;   /* lines sent again */
	uint64_t pending;  /* lines in the outbox */
	uint64_t refused;  /* peers without access */
	uint64_t reopened; /* endpoints made anew because nng's had gone deaf (nngsock.h) */
};

/* access: NULL for the owner alone (access.h). epoch: see frame.h. ring may be NULL; it is borrowed
 * and gets every line. */
int pub_listen(uv_loop_t *loop, const char *path, const struct bus_access *access,
	       const char *epoch, struct ring *ring, struct pub **pub_r, struct err *err);
int pub_dial(uv_loop_t *loop, const char *path, const char *epoch, size_t outbox_bytes,
	     struct pub **pub_r, struct err *err);
/* haled after an exec of its own: the next line follows this seq of the same epoch. */
void pub_continue(struct pub *p, uint64_t head);
/* `line` is one JSON text, not empty; copied, newlines become blanks. Returns the line's seq. */
uint64_t pub_line(struct pub *p, const char *topic, const char *line, size_t len);
/* Encodes compactly and drops the reference. */
uint64_t pub_json(struct pub *p, const char *topic, json_t *object);
/* haled's "sync": not numbered, not in the ring. */
void pub_sync(struct pub *p, json_t *object);
/* Child: everything up to seq has arrived. */
void pub_acked(struct pub *p, uint64_t seq);
/* Child: takes its own acknowledgement out of haled's sync object. */
void pub_on_sync(struct pub *p, const json_t *sync);
void pub_flush(struct pub *p);          /* now, instead of at the end of the turn */
uint64_t pub_head(const struct pub *p); /* newest seq handed out; 0 none */
uint64_t pub_unacked(const struct pub *p);
const struct pub_stats *pub_stats_get(const struct pub *p);
/* Flushes, but does not wait: a child that must not lose its last lines waits for pub_unacked() to
 * be 0 first. Closes the socket and all handles, then frees and calls on_closed
 * (may be NULL). */
void pub_close(struct pub *p, void (*on_closed)(void *ctx), void *ctx);

#endif
