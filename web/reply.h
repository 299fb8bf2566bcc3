/* SPDX-License-Identifier: Apache-2.0 */
/* reply - a response body with its headers, shared by every request it answers
 *
 * Counted: made once, sent many times, freed with the last sender. Every reply carries nosniff and,
 * unless told otherwise, Cache-Control: no-store, because all we say is only true now.
 */
#ifndef HALE_WEB_REPLY_H
#define HALE_WEB_REPLY_H

#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define REPLY_JSON       "application/json"
/* Fifteen digits: what a double holds for certain, so that 0.652 stays 0.652. */
#define REPLY_JSON_FLAGS (JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15))

struct reply;

/* `body` (malloc'ed, may be NULL with len 0) is taken. */
struct reply *reply_new(char *body, size_t len, const char *content_type);
struct reply *reply_json(json_t *value /* taken */);
/* {"success": false, "error": text, "errorCode": code}; details (taken, or NULL) are added. */
struct reply *reply_error(const char *code, const char *text, json_t *details);
void reply_header(struct reply *r, const char *name, const char *value); /* replaces */
struct reply *reply_ref(struct reply *r);
void reply_unref(struct reply *r); /* NULL is fine */

/* A body that comes while it is taken, of one request alone (it cannot be shared). Loop thread. */
#define REPLY_END (-1) /* that was all */
#define REPLY_BROKEN                                                                               \
	(-2) /* there will be no more: the client must see that something is missing               \
	      */
struct reply_source {
	/* Up to `max` bytes into buf. 0: none yet, request_more() says when. */
	ssize_t (*read)(void *ctx, char *buf, size_t max);
	/* The last call: all was taken, or the client has left. */
	void (*on_gone)(void *ctx);
	void *ctx;
};
struct reply *reply_stream(const char *content_type, const struct reply_source *source);

/* For request.c alone. */
struct MHD_Response;
struct request;
struct MHD_Response *reply_mhd(struct reply *r);
bool reply_begin(struct reply *r, struct request *rq); /* about to be sent: is it a stream? */
void reply_gone(struct reply *r);

#endif
