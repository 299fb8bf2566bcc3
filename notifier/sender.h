/* SPDX-License-Identifier: Apache-2.0 */
/* sender - takes messages from the outbox to the channels, in order, again until it works
 *
 * One message at a time per channel, oldest first, at most `rate` attempts in any minute. A failed
 * one waits (exponential backoff with jitter, or as long as the other side asked) and is tried
 * again until it is given up. When the channel is in trouble (no answer, 5xx, 429 …) the messages
 * behind it wait too; when this one message was refused only those of the same alert do.
 *
 * Loop thread only. Time comes from the clock.
 */
#ifndef HALE_NOTIFIER_SENDER_H
#define HALE_NOTIFIER_SENDER_H

#include "alerts.h"
#include "outbox.h"

struct sender;

struct sender_env {
	uv_loop_t *loop;
	const struct alerts *alerts; /* borrowed, as all */
	struct outbox *outbox;
	struct http_client *(*http)(void *ctx);
	/* An attempt ended and is recorded. */
	void (*on_attempt)(void *ctx, const struct channel *c, int64_t seq, uint32_t attempt,
			   enum outbox_verdict verdict, const struct delivery_result *r);
	/* The outbox cannot be written: nothing is sent until it can. */
	void (*on_trouble)(void *ctx, const struct err *err);
	/* A lane is free again: call sender_run. Never from within sender_run. */
	void (*on_idle)(void *ctx);
	void *ctx;
};

int sender_new(const struct sender_env *env, struct sender **s_r, struct err *err);
/* Starts whatever may start now. Returns when to call again; INT64_MAX: when something changes. */
int64_t sender_run(struct sender *s, int64_t now_ms);
/* One message outside the queue; on_done exactly once, maybe before this returns. */
void sender_test(struct sender *s, const struct channel *c, const struct message *m /* copied */,
		 void (*on_done)(void *ctx, const struct delivery_result *r), void *ctx);
size_t sender_in_flight(const struct sender *s);
/* Starts nothing any more. What is in flight goes on; on_stopped once it has ended, at the latest
 * after grace_ms, when it is cancelled: it stays in the outbox. */
void sender_stop(struct sender *s, int64_t grace_ms, void (*on_stopped)(void *ctx), void *ctx);
void sender_free(struct sender *s); /* after on_stopped and once the loop has run on, or unused */

#endif
