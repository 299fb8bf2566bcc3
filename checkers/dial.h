/* SPDX-License-Identifier: Apache-2.0 */
/* dial - a stream to the first of some addresses that answers
 *
 * They are tried in their order, the next one as soon as one fails or is silent for CONN_NEXT_MS
 * (RFC 8305); none is given up before another has answered. The detail `ip` is the one that
 * answered, or was tried last.
 *
 * Ownership: from dial_start() to its event or dial_cancel(), whichever is first; addresses are
 *            copied, the stream is whose event gets it.
 * Errors:    libuv's number, of the last address that failed.
 * Loop:      all on the loop thread; events come from it, never from within a function here.
 */
#ifndef HALE_CHECKERS_DIAL_H
#define HALE_CHECKERS_DIAL_H

#include "check.h"
#include "resolve.h"
#include "stream.h"

#include <stddef.h>
#include <stdint.h>

struct dial;

/* Each is the end of the dial. */
struct dial_events {
	void (*on_stream)(void *ctx, struct stream *s); /* to be taken by stream_take() */
	void (*on_failed)(void *ctx, int error);
};

/* At most RESOLVE_ADDRESSES_MAX of them. events is borrowed. */
struct dial *dial_start(struct check *c, const union resolve_address *addresses, size_t n,
			uint16_t port, const struct dial_events *events, void *ctx);
/* A Unix socket. */
struct dial *dial_start_path(struct check *c, const char *path, const struct dial_events *events,
			     void *ctx);
void dial_cancel(struct dial *d); /* NULL is fine */

#endif
