/* SPDX-License-Identifier: Apache-2.0 */
/* feed_logic - what a frame means to one who stands at a cursor (internal)
 *
 * Pure: cursor and frame in, decision out.
 */
#ifndef HALE_BUS_FEED_LOGIC_H
#define HALE_BUS_FEED_LOGIC_H

#include "bus/feed.h"
#include "model/frame.h"

#include <stdbool.h>
#include <stdint.h>

enum feed_verdict {
	FEED_OLD,  /* nothing new in it */
	FEED_NEXT, /* what follows the cursor, after the first skip_r lines */
	FEED_GAP,  /* something before it is missing: replay */
};

/* A live frame. Sync frames carry no lines of the sequence but tell its head, so that they are
 * FEED_OLD or FEED_GAP. skip_r is set for FEED_NEXT. */
enum feed_verdict feed_judge(const struct feed_cursor *cursor, const struct frame *f,
			     uint64_t *skip_r);
/* The cursor just before the frame: where one stands who wants nothing older. */
void feed_cursor_before(const struct frame *f, struct feed_cursor *cursor_r);
/* A replayed frame: how many of its lines the cursor has already. Replay is all there is, so a hole
 * in it is no gap to be closed. */
uint64_t feed_replay_skip(const struct feed_cursor *cursor, const struct frame *f);

#endif
