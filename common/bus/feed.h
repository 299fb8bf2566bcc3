/* SPDX-License-Identifier: Apache-2.0 */
/* feed - everything haled published, in order, without gaps: sub plus replay
 *
 * Subscribes to bus.ipc, follows (epoch, seq), and closes every gap (start, loss, reconnect, a new
 * haled) by `bus.replay` over haled.ipc. Lines are handed over in order, each exactly once per
 * cursor; a subscriber that stores its cursor with what it made of the lines in one transaction
 * therefore sees each line exactly once over its own restarts too.
 *
 * bus.replay {"epoch": text or null, "after": seq, "name": who asks} ->
 *   {"frames": [text…], "more": bool, "epoch": current, "head": seq}
 *   or {"snapshot": {…hale status…}, "epoch", "head"} when the ring no longer has what followed, or
 *   when "snapshot": true was asked for. haled makes this answer with replay.h.
 *
 * It is asked at every new connection, too, because what was sent before it was made is missed.
 * While an answer is on its way, live frames are held (bounded) and handed over behind it. A lost
 * last frame shows in the next sync frame, whose first_seq is the head (pace.h).
 *
 * Frames of a version we do not know are counted, and the numbers of their lines are passed over.
 */
#ifndef HALE_BUS_FEED_H
#define HALE_BUS_FEED_H

#include "base/err.h"
#include "model/frame.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* In the run directory. */
#define FEED_BUS_SOCKET     "bus.ipc"
#define FEED_COMMAND_SOCKET "haled.ipc"

struct feed;

struct feed_cursor {
	char epoch[FRAME_EPOCH_MAX]; /* "": none yet */
	uint64_t seq;
};

struct feed_ops {
	/* One line. `object` is borrowed. */
	void (*on_line)(void *ctx, const char *topic, const char *epoch, uint64_t seq,
			const json_t *object);
	/* The lines between the cursor and now are lost to the ring; this is how things stand.
	 * The cursor has moved to (epoch, head). Counted in stats.lost if a cursor was given. */
	void (*on_snapshot)(void *ctx, const json_t *snapshot);
	/* All lines handed over in this loop turn are through: a good moment to commit. May be
	 * NULL. Not called by feed_close: who stops commits by feed_cursor_get() first. */
	void (*on_batch)(void *ctx, const struct feed_cursor *cursor);
	/* Every "sync" frame (acks). May be NULL. */
	void (*on_sync)(void *ctx, const json_t *object);
	/* One line as text, before it is read: true if that was enough, and on_line is not wanted.
	 * May be NULL. */
	bool (*on_text)(void *ctx, const char *topic, const char *epoch, uint64_t seq,
			const char *line, size_t len);
};

enum feed_start {
	FEED_FROM_CURSOR,   /* given cursor; an empty one means from the oldest line there is */
	FEED_FROM_SNAPSHOT, /* on_snapshot first, then what follows */
	FEED_FROM_NOW,      /* only what comes from now on; gaps are still closed */
};

struct feed_stats {
	uint64_t lines;
	uint64_t gaps;      /* gaps seen */
	uint64_t healed;    /* lines that came by replay */
	uint64_t snapshots; /* that had to stand in for lines */
	uint64_t lost;      /* lines they stood in for, as far as that is known: at least */
	uint64_t garbage;   /* lines that were no JSON, frames that were none: passed over */
	uint64_t unknown;   /* lines in frames of a later version: passed over */
};

struct feed_plan {
	const char *run_dir;
	const char *name; /* under which haled counts what we miss; NULL: among the others */
	enum feed_start start;
	const struct feed_cursor *cursor; /* FEED_FROM_CURSOR */
};

int feed_open(uv_loop_t *loop, const struct feed_plan *plan, const struct feed_ops *ops, void *ctx,
	      struct feed **feed_r, struct err *err);
/* For who cannot keep up: while paused no line is handed over, and what comes is let go; afterwards
 * it is asked for again, from haled's ring. Sync frames go on. May be called from a callback. */
void feed_pause(struct feed *f, bool is_paused);
const struct feed_stats *feed_stats_get(const struct feed *f);
const struct feed_cursor *feed_cursor_get(const struct feed *f);
/* Asynchronous; may be called from a callback, none but on_closed (may be NULL) comes after. */
void feed_close(struct feed *f, void (*on_closed)(void *ctx), void *ctx);

#endif
