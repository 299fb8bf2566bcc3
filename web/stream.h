/* SPDX-License-Identifier: Apache-2.0 */
/* stream - /api/v1/stream: a snapshot, then what changes, to every WebSocket client
 *
 * Server to client: {"event","seq","data"}: "snapshot" (data: the document of /api/v1/health with
 * "recent"), "health:update", "process:update", "alert:update", "event:new", "reconcile:new",
 * "action:new" (data: the bus line, docs/bus.md), "stale" (data: {"stale": bool}), "error".
 * seq is haled's; a client that sees it fall has a new haled, and gets a snapshot first.
 * Client to server: {"event":"auth","token":"…"} within STREAM_AUTH_MS where a token is needed and
 * was not sent as a header (browsers cannot).
 *
 * A client whose unsent bytes exceed STREAM_QUEUE_MAX beyond its snapshot is closed with 1013: it
 * reconnects and starts from a snapshot, which is less to send than what it missed.
 */
#ifndef HALE_WEB_STREAM_H
#define HALE_WEB_STREAM_H

#include "web.h"

#define STREAM_CLIENTS_MAX 128
/* Per client; with STREAM_CLIENTS_MAX clients 128 MiB at the very worst. */
#define STREAM_QUEUE_MAX   (1u << 20)
#define STREAM_AUTH_MS     5000

struct stream;

struct stream *stream_new(struct web *web);
/* The route's handler: checks the handshake and upgrades. */
void stream_accept(struct web *web, struct request *rq);
/* Live has a new snapshot. */
void stream_snapshot(struct stream *s);
void stream_line(struct stream *s, const char *event, uint64_t seq, const json_t *object);
void stream_stale(struct stream *s, bool is_stale);
size_t stream_clients(const struct stream *s);
uint64_t stream_dropped(const struct stream *s);
/* 1001 to all; on_closed (may be NULL) when the last has gone and s was freed. */
void stream_close(struct stream *s, void (*on_closed)(void *ctx), void *ctx);

#endif
