/* SPDX-License-Identifier: Apache-2.0 */
/* listener - one listening address: a libmicrohttpd daemon on our loop
 *
 * libmicrohttpd runs with its own epoll set, whose fd is polled by the loop; after each event it
 * is pumped, and a timer is armed from MHD_get_timeout. A bind that fails is tried again with
 * backoff for as long as the process lives.
 *
 * Limits: connections, memory (headers) per connection, idle time, and a deadline on the whole of
 * a request that also stops those who send one byte now and then.
 */
#ifndef HALE_WEB_LISTENER_H
#define HALE_WEB_LISTENER_H

#include "base/err.h"
#include "options.h"
#include "request.h"

#include <stdint.h>
#include <uv.h>

/* Per listener: a descriptor each, below the process's RLIMIT_NOFILE with room to spare. */
#define LISTENER_CONNECTIONS_MAX 512
/* Request line and headers; browsers send some 2 KiB. Beyond it: 431. */
#define LISTENER_HEADER_MAX      16384
/* Without a byte in either direction. */
#define LISTENER_IDLE_S          15
/* The same while an export is read: whoever pages through it may think for a while. */
#define LISTENER_STREAM_IDLE_S   60
/* From the first byte awaited to the last byte of headers and body. */
#define LISTENER_RECEIVE_MS      20000
/* From the headers to the last byte of the answer; of an export, from one piece to the next. */
#define LISTENER_REQUEST_MS      60000

struct listener;

struct listener_stats {
	uint64_t requests;
	uint64_t refused; /* framing, size, deadline */
};

/* on_request is called for each request with sound framing, its match not yet looked up. */
struct listener *listener_new(uv_loop_t *loop, const struct web_listen *conf,
			      void (*on_request)(void *ctx, struct request *rq), void *ctx);
/* Tries to bind now; returns 0 or what went wrong (it will be tried again by itself). on_change is
 * called whenever that changes later. */
int listener_start(struct listener *l, void (*on_change)(void *ctx, struct listener *l));
/* No more connections; those open may finish. */
void listener_quiesce(struct listener *l);
/* Requests that were deferred and not answered yet. */
size_t listener_deferred(const struct listener *l);
/* Only with nothing deferred and no upgraded connection left. Frees; then on_closed. */
void listener_close(struct listener *l, void (*on_closed)(void *ctx), void *ctx);

const char *listener_address(const struct listener *l); /* as configured */
const char *
listener_url(const struct listener *l); /* "http://127.0.0.1:5051", with the real port */
const char *listener_problem(const struct listener *l); /* NULL while it listens */
uint16_t listener_port(const struct listener *l);       /* the real one if 0 was asked for */
const struct listener_stats *listener_stats_get(const struct listener *l);

#endif
