/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/sub.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bus/nngsock.h"

/* Messages taken in one loop turn; the rest wait for the next, so that a burst starves nobody. */
#define SUB_DRAIN_MAX 64

struct sub {
	struct nngsock sock;
	sub_frame_fn on_frame;
	void *ctx;
	void (*on_connect)(void *ctx);
	uint64_t added_seen; /* connections known */
	struct sub_stats stats;
	bool is_closing;
	void (*on_closed)(void *ctx);
	void *closed_ctx;
};

static void take_message(struct sub *s, nng_msg *msg)
{
	struct frame frame;
	int rc = frame_parse(nng_msg_body(msg), nng_msg_len(msg), &frame);

	if (rc < 0) {
		s->stats.unknown += rc == -EPROTONOSUPPORT;
		s->stats.garbage += rc != -EPROTONOSUPPORT;
		return;
	}
	s->stats.frames++;
	s->stats.lines += frame.count;
	s->on_frame(s->ctx, &frame);
}

static void on_readable(void *ctx)
{
	struct sub *s = ctx;
	nng_msg *msg;

	/* on_frame may close the sub; it is freed only after this callback. */
	for (int n = 0; n < SUB_DRAIN_MAX && !s->is_closing; n++) {
		if (nng_recvmsg(s->sock.socket, &msg, NNG_FLAG_NONBLOCK) != 0)
			return;
		take_message(s, msg);
		nng_msg_free(msg);
	}
}

static void on_wake(void *ctx)
{
	struct sub *s = ctx;
	uint64_t added = atomic_load(&s->sock.added);

	if (added == s->added_seen || s->is_closing)
		return;
	s->added_seen = added;
	if (s->on_connect != NULL)
		s->on_connect(s->ctx);
}

void sub_on_connect(struct sub *s, void (*on_connect)(void *ctx))
{
	s->on_connect = on_connect;
}

static struct sub *sub_new(sub_frame_fn on_frame, void *ctx)
{
	struct sub *s = mem_alloc(sizeof(*s));

	s->on_frame = on_frame;
	s->ctx = ctx;
	return s;
}

int sub_listen(uv_loop_t *loop, const char *path, const struct bus_access *access,
	       sub_frame_fn on_frame, void *ctx, struct sub **sub_r, struct err *err)
{
	struct sub *s = sub_new(on_frame, ctx);
	const struct nngsock_ops ops = {.on_readable = on_readable, .ctx = s};
	int rv;

	rv = nngsock_listen(&s->sock, loop, NNGSOCK_SUB, path, access, FRAME_MAX_BYTES, &ops, err);
	if (rv < 0) {
		free(s);
		return rv;
	}
	*sub_r = s;
	return 0;
}

int sub_dial_topic(uv_loop_t *loop, const char *path, const char *topic, sub_frame_fn on_frame,
		   void *ctx, struct sub **sub_r, struct err *err)
{
	struct sub *s = sub_new(on_frame, ctx);
	char prefix[FRAME_TOPIC_MAX + 1];
	const struct nngsock_ops ops = {.on_readable = on_readable,
					.on_wake = on_wake,
					.ctx = s,
					.prefix = topic == NULL ? NULL : prefix};
	int rv;

	/* With the blank, because "health" alone would also be the beginning of "healthy". */
	(void)snprintf(prefix, sizeof(prefix), "%s ", topic == NULL ? "" : topic);
	rv = nngsock_dial(&s->sock, loop, NNGSOCK_SUB, path, FRAME_MAX_BYTES, &ops, err);
	if (rv < 0) {
		free(s);
		return rv;
	}
	*sub_r = s;
	return 0;
}

int sub_dial(uv_loop_t *loop, const char *path, sub_frame_fn on_frame, void *ctx,
	     struct sub **sub_r, struct err *err)
{
	return sub_dial_topic(loop, path, NULL, on_frame, ctx, sub_r, err);
}

const struct sub_stats *sub_stats_get(const struct sub *s)
{
	struct sub *own = (struct sub *)(uintptr_t)s;

	own->stats.refused = atomic_load(&own->sock.refused);
	own->stats.reopened = s->sock.reopened;
	return &s->stats;
}

static void on_sock_closed(void *ctx)
{
	struct sub *s = ctx;
	void (*on_closed)(void *ctx) = s->on_closed;
	void *closed_ctx = s->closed_ctx;

	free(s);
	if (on_closed != NULL)
		on_closed(closed_ctx);
}

void sub_close(struct sub *s, void (*on_closed)(void *ctx), void *ctx)
{
	HALE_ASSERT(!s->is_closing);
	s->is_closing = true;
	s->on_closed = on_closed;
	s->closed_ctx = ctx;
	nngsock_close(&s->sock, on_sock_closed);
}
