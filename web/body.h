/* SPDX-License-Identifier: Apache-2.0 */
/* body - an answer whose body a thread writes while the client reads
 *
 * The thread is a body's own, for it waits for its reader; the pool's few are for what ends soon.
 * Between the two is a bounded buffer: who reads slowly makes the thread wait and nobody else, who
 * leaves makes its next body_write() say so. Nothing is answered before there is something to
 * send, so that a failure at the beginning is an error with its status. A failure later ends the
 * connection without the last chunk, which every client sees.
 *
 * Loop:      all on the loop thread, but for produce() and body_write().
 * Ownership: `ctx` is the caller's until done() was called, which is on the loop thread, once.
 */
#ifndef HALE_WEB_BODY_H
#define HALE_WEB_BODY_H

#include "base/err.h"
#include "request.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/* Threads at once, and with each a connection to the store. */
#define BODIES_MAX      3
/* In memory for each, give or take a piece that is written at a time. */
#define BODY_BUFFER_MAX ((size_t)128 * 1024)
/* Of one answer as a whole. At a megabyte a second that is more than a year's history. */
#define BODY_MS_MAX     (INT64_C(3600) * 1000)

struct body;
struct bodies;

struct body_ops {
	/* In the thread. 0, or negative errno with what is wrong. */
	int (*produce)(void *ctx, struct body *b, struct err *err);
	/* produce() is to end soon; from the loop's thread, while it runs. */
	void (*interrupt)(void *ctx);
	/* Answers a request of which nothing was sent. */
	void (*refuse)(struct request *rq, int rc, const struct err *err);
	void (*done)(void *ctx);
};

struct bodies *bodies_new(uv_loop_t *loop);
/* Answers rq, later.
 * `disposition` is the Content-Disposition header, or NULL. False:
 * BODIES_MAX are running; nothing was done. */
bool body_start(struct bodies *all, struct request *rq, const char *content_type,
		const char *disposition, const struct body_ops *ops, void *ctx);
/* In the thread. False: nobody wants more, or it took too long. */
bool body_write(struct body *b, const char *data, size_t len);
size_t bodies_running(const struct bodies *all); /* threads */
/* All end now; those half sent are broken off. */
void bodies_stop(struct bodies *all);
/* With none running, before the loop ends; what is being sent to clients may still be. */
void bodies_close(struct bodies *all);
void bodies_free(struct bodies *all); /* with all requests completed; NULL is fine */

#endif
