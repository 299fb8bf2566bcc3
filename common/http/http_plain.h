/* SPDX-License-Identifier: Apache-2.0 */
/* http_plain - plain HTTP/1.1 over sockets of our own: what most checks ask, at a third of the cost
 *
 * Private to common/http. All connections are in one epoll set, which is one handle of the loop: a
 * slot of a hundred checks costs a hundred connects, sends and receives, and nothing beside them.
 * Names are not resolved here: curl does, in its threads, and what it connected to is known here
 * for a while (plain_learn). Whatever turns out unusual (a redirect to be followed, an answer that
 * is not understood, an address that does not answer any more) goes back to be asked by curl; a
 * request that may not be made twice is not taken if that could happen.
 *
 * Ownership: the hub owns connections; requests are the caller's, one at a time.
 * Loop:      hooks are called from the loop, never from within plain_start.
 */
#ifndef HALE_HTTP_HTTP_PLAIN_H
#define HALE_HTTP_HTTP_PLAIN_H

#include "http/http.h"
#include "http_head.h"
#include "http_reply.h"

#include <stdbool.h>
#include <uv.h>

struct plain_hub;
struct plain_connection;

struct plain_request {
	struct http_head head; /* by http_head_make(), with an address */
	struct http_reply reply;
	bool follows_redirects;
	bool is_fresh; /* connects anew, and closes */
	http_stage_fn on_stage;
	void *stage_ctx;
	void *owner;
	int64_t started_us, deadline_us; /* monotonic */
	/* The hub's: */
	struct plain_request *prev, *next;
	struct plain_connection *connection; /* NULL: none, any more */
	enum reason stage;
	size_t sent;
	size_t received;
	int64_t connected_us, sent_us, first_byte_us; /* 0: not so far */
	bool is_reused;
	char ip[INET6_ADDRSTRLEN];
};

struct plain_hooks {
	/* It has ended, and has no connection any more. reason OK: there is an answer. */
	void (*on_end)(void *ctx, struct plain_request *rq, enum reason reason, const char *text);
	/* Somebody who knows more must ask: curl. is_lasting: so will the next. */
	void (*on_odd)(void *ctx, struct plain_request *rq, bool is_lasting);
	void *ctx;
};

struct plain_hub *plain_new(uv_loop_t *loop, const struct plain_hooks *hooks);
/* With no request under way. */
void plain_close(struct plain_hub *hub, void (*on_closed)(void *ctx), void *ctx);

/* Where a name led to lately; false: unknown. */
bool plain_find(const struct plain_hub *hub, struct http_head *head);
void plain_learn(struct plain_hub *hub, const char *host, const char *ip);
/* A URL that is curl's for some minutes: it led elsewhere, or its answer was odd. */
bool plain_is_avoided(const struct plain_hub *hub, const char *url);
void plain_avoid(struct plain_hub *hub, const char *url);

/* head, timeout and options are set. Negative errno if it could not even begin. */
int plain_start(struct plain_hub *hub, struct plain_request *rq);
void plain_cancel(struct plain_hub *hub, struct plain_request *rq);
void plain_done(struct plain_request *rq); /* frees what it holds */

#endif
