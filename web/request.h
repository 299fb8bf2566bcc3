/* SPDX-License-Identifier: Apache-2.0 */
/* request - one HTTP request, as the handlers see it
 *
 * A handler ends in exactly one request_answer() (or request_upgrade()). If it cannot answer at
 * once it calls request_defer() and answers later; the request stays valid until it was answered,
 * also when the client has left. Of a body the beginning is kept, the rest is read and dropped.
 *
 * Texts are borrowed and live as long as the request. Loop thread only.
 */
#ifndef HALE_WEB_REQUEST_H
#define HALE_WEB_REQUEST_H

#include "reply.h"
#include "router.h"

#include <stdbool.h>
#include <stddef.h>

/* Beyond it: 413. A job's whole output may be sent with its ping; other routes take no body. */
#define REQUEST_BODY_MAX  102400
/* So much of it is kept. */
#define REQUEST_BODY_KEPT 10240

const char *request_method(const struct request *rq);
const char *request_path(const struct request *rq);
const char *request_param(const struct request *rq, size_t i);
const char *request_query(const struct request *rq, const char *name); /* "" if it has no value */
const char *request_header(const struct request *rq, const char *name);
/* What was kept of the body; len 0: there is none. */
const char *request_body(const struct request *rq, size_t *len_r);
/* Who asks, "127.0.0.1", "fd00::1"; "" if that is not known. */
void request_address(const struct request *rq, char *buf, size_t size);
/* The first query parameter that `allowed` does not hold, or that is given twice; NULL: none. */
const char *request_query_stray(const struct request *rq, const char *const *allowed);

bool request_has_public_details(const struct request *rq); /* the listener says so */
bool request_is_local(const struct request *rq); /* loopback listener, and Host says so too */
struct route_match *request_match(struct request *rq);

void request_defer(struct request *rq);
void request_answer(struct request *rq, unsigned status, struct reply *reply /* taken */);
/* request_answer with reply_error. */
void request_refuse(struct request *rq, unsigned status, const char *code, const char *fmt, ...)
	HALE_PRINTF(4, 5);

/* Of an answer that is a stream (reply.h), in its read(): 0 is not the end, more is there now. */
void request_more(struct request *rq);
/* For reply.c alone: something of the body was taken, or has to be waited for. */
void request_body_step(struct request *rq, bool must_wait);

/* A connection taken over after 101. */
struct upgraded;
typedef void (*upgraded_fn)(void *ctx, struct upgraded *u, int fd, const void *extra, size_t len);
/* Answers 101 with Sec-WebSocket-Accept; then on_upgraded gets the socket and what was read ahead.
 * If the client has gone by then, it is never called and on_lost is. */
void request_upgrade(struct request *rq, const char *accept_key, upgraded_fn on_upgraded,
		     void (*on_lost)(void *ctx), void *ctx);
/* Close all handles on the fd first; it is closed in here. */
void upgraded_close(struct upgraded *u);

#endif
