/* SPDX-License-Identifier: Apache-2.0 */
/* sub - the receiving end of a socket: frames as they come, no more
 *
 * Loop thread only. RECVFD in a uv_poll, drained with a cap so that a burst does not starve the
 * loop. Peers without access are refused as they connect. Bytes that are no frame, and frames of a
 * version we do not know, are counted and dropped.
 *
 *  sub_listen: haled on results.ipc.   sub_dial: a child or the CLI on bus.ipc (reconnects by
 *  itself, 10 ms to 100 ms).
 */
#ifndef HALE_BUS_SUB_H
#define HALE_BUS_SUB_H

#include "base/err.h"
#include "bus/access.h"
#include "model/frame.h"

#include <stdint.h>
#include <uv.h>

struct sub;

struct sub_stats {
	uint64_t frames;
	uint64_t lines;
	uint64_t garbage;  /* messages dropped because they were no frame */
	uint64_t unknown;  /* frames dropped because they are of a later version */
	uint64_t refused;  /* peers without access */
	uint64_t reopened; /* endpoints made anew because nng's had gone deaf (nngsock.h) */
};

typedef void (*sub_frame_fn)(void *ctx, const struct frame *frame);

/* access: NULL for the owner alone (access.h). */
int sub_listen(uv_loop_t *loop, const char *path, const struct bus_access *access,
	       sub_frame_fn on_frame, void *ctx, struct sub **sub_r, struct err *err);
int sub_dial(uv_loop_t *loop, const char *path, sub_frame_fn on_frame, void *ctx,
	     struct sub **sub_r, struct err *err);
/* Frames of one topic only (NULL: all), for those who need no gapless sequence: a checker waiting
 * for acknowledgements does not wake up for everything else. */
int sub_dial_topic(uv_loop_t *loop, const char *path, const char *topic, sub_frame_fn on_frame,
		   void *ctx, struct sub **sub_r, struct err *err);
/* After each connection made, on the loop: what was sent in between is missed. */
void sub_on_connect(struct sub *s, void (*on_connect)(void *ctx));
const struct sub_stats *sub_stats_get(const struct sub *s);
/* Asynchronous; may be called from on_frame. No frame comes afterwards; on_closed may be NULL. */
void sub_close(struct sub *s, void (*on_closed)(void *ctx), void *ctx);

#endif
