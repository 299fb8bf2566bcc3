/* SPDX-License-Identifier: Apache-2.0 */
/* icmp_ping - some echo requests to one address, and what came back
 *
 * A socket for each ping, connected, so that the kernel gives it only what that address sends and
 * the errors that routers report of it: raw with CAP_NET_RAW, else a ping socket where
 * net.ipv4.ping_group_range allows them.
 *
 * A ping is of its own: icmp_ping_cancel() forgets it at once, its handles close behind it, and no
 * callback comes afterwards.
 *
 * Loop: all on the loop thread; on_done comes from it, never from within icmp_ping_start().
 */
#ifndef HALE_CHECKERS_ICMP_PING_H
#define HALE_CHECKERS_ICMP_PING_H

#include "model/reason.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#define ICMP_COUNT_MAX 100 /* more than that in one check is a flood */

struct icmp_ping;

struct icmp_plan {
	const struct sockaddr *to; /* AF_INET or AF_INET6; copied */
	int count;                 /* 1 to ICMP_COUNT_MAX */
	int64_t interval_ms;       /* between two requests */
	int64_t wait_ms;           /* for replies, after the last request */
	size_t data_len;
};

struct icmp_result {
	enum reason reason; /* OK: it was tried, whatever came back */
	char error[160];    /* else; also the last that a router reported, or "" */
	int sent, received, duplicates;
	/* Of those that came back. jitter: mean difference from one to the next. */
	double min_ms, mean_ms, max_ms, jitter_ms;
};

typedef void (*icmp_done_fn)(void *ctx, const struct icmp_result *result);

struct icmp_ping *icmp_ping_start(uv_loop_t *loop, const struct icmp_plan *plan,
				  icmp_done_fn on_done, void *ctx);
void icmp_ping_cancel(struct icmp_ping *ping); /* NULL is fine */

#endif
