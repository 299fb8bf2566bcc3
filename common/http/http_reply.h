/* SPDX-License-Identifier: Apache-2.0 */
/* http_reply - an HTTP/1 answer, read from bytes as they come
 *
 * Pure. Private to common/http. The syntax is http_parser's (libhttp-parser), which refuses what
 * could be framed in two ways: two Content-Length, Content-Length beside Transfer-Encoding.
 */
#ifndef HALE_HTTP_HTTP_REPLY_H
#define HALE_HTTP_HTTP_REPLY_H

#include "base/str.h"

#include <http_parser.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum http_reply_state {
	HTTP_REPLY_MORE,
	HTTP_REPLY_DONE,
	HTTP_REPLY_LARGE_BODY,
	HTTP_REPLY_LARGE_HEAD,
	HTTP_REPLY_DOUBTFUL, /* where it ends depends on who reads it */
	HTTP_REPLY_ODD,      /* no answer as it should be; perhaps one to who is less strict */
	HTTP_REPLY_CUT,      /* the end came before its end */
};

struct http_reply {
	http_parser parser;
	enum http_reply_state state;
	bool has_head; /* not of an interim one */
	bool is_head;  /* the request was HEAD */
	bool is_kept;  /* the connection may be asked again */
	bool is_value; /* the field that comes is at its value */
	unsigned status;
	size_t head_bytes; /* all heads together */
	size_t body_max;
	struct str name, value; /* of the field that comes */
	struct str body;
	json_t *headers;
};

void http_reply_start(struct http_reply *r, bool is_head, size_t body_max);
void http_reply_done(struct http_reply *r);
enum http_reply_state http_reply_feed(struct http_reply *r, const char *data, size_t len);
/* The server closed. */
enum http_reply_state http_reply_end(struct http_reply *r);
const char *http_reply_problem(const struct http_reply *r);

#endif
