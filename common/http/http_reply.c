/* SPDX-License-Identifier: Apache-2.0 */
#include "http_reply.h"

#include <string.h>

#include "base/cleanup.h"
#include "http/http.h"
#include "http_headers.h"

/* What a status line has at least, and the blank line. */
#define BEGIN_BYTES 16

/* 101 is no interim answer but the end of HTTP on this connection. */
static bool is_interim(const http_parser *p)
{
	return p->status_code / 100 == 1 && p->status_code != 101;
}

/* Ends parsing, with a state of ours. */
static int stop(struct http_reply *r, enum http_reply_state state)
{
	r->state = state;
	return -1;
}

/* http_parser limits one head, not how many interim ones there are. */
static int count_head(struct http_reply *r, size_t bytes)
{
	r->head_bytes += bytes;
	return r->head_bytes > HTTP_HEADERS_MAX_BYTES ? stop(r, HTTP_REPLY_LARGE_HEAD) : 0;
}

static void keep_field(struct http_reply *r)
{
	if (r->name.len > 0)
		http_headers_add(r->headers, r->name.data, r->name.len,
				 r->value.len > 0 ? r->value.data : r->name.data, r->value.len);
	str_clear(&r->name);
	str_clear(&r->value);
	r->is_value = false;
}

static int on_begin(http_parser *p)
{
	struct http_reply *r = p->data;

	(void)json_object_clear(r->headers);
	return count_head(r, BEGIN_BYTES);
}

static int on_name(http_parser *p, const char *at, size_t len)
{
	struct http_reply *r = p->data;

	if (r->is_value)
		keep_field(r);
	str_addn(&r->name, at, len);
	return count_head(r, len);
}

static int on_value(http_parser *p, const char *at, size_t len)
{
	struct http_reply *r = p->data;

	r->is_value = true;
	str_addn(&r->value, at, len);
	return count_head(r, len);
}

static int on_head(http_parser *p)
{
	struct http_reply *r = p->data;

	keep_field(r);
	if (is_interim(p))
		return 0;
	r->has_head = true;
	r->status = p->status_code;
	if (p->upgrade || p->status_code == 101)
		return stop(r, HTTP_REPLY_ODD);
	/* Any coding but chunked, or chunked below another. */
	if (p->uses_transfer_encoding && (p->flags & F_CHUNKED) == 0)
		return stop(r, HTTP_REPLY_ODD);
	return r->is_head ? 1 : 0;
}

static int on_body(http_parser *p, const char *at, size_t len)
{
	struct http_reply *r = p->data;

	if (len > r->body_max - r->body.len)
		return stop(r, HTTP_REPLY_LARGE_BODY);
	str_addn(&r->body, at, len);
	return 0;
}

static int on_complete(http_parser *p)
{
	struct http_reply *r = p->data;

	if (is_interim(p))
		return 0;
	r->is_kept = http_should_keep_alive(p) != 0;
	r->state = HTTP_REPLY_DONE;
	/* What follows it, nobody asked for. */
	http_parser_pause(p, 1);
	return 0;
}

static const http_parser_settings settings = {
	.on_message_begin = on_begin,
	.on_header_field = on_name,
	.on_header_value = on_value,
	.on_headers_complete = on_head,
	.on_body = on_body,
	.on_message_complete = on_complete,
};

void http_reply_start(struct http_reply *r, bool is_head, size_t body_max)
{
	*r = (struct http_reply){.is_head = is_head, .body_max = body_max};
	r->headers = json_object();
	http_parser_set_max_header_size(HTTP_HEADERS_MAX_BYTES);
	http_parser_init(&r->parser, HTTP_RESPONSE);
	r->parser.data = r;
}

void http_reply_done(struct http_reply *r)
{
	str_done(&r->name);
	str_done(&r->value);
	str_done(&r->body);
	json_decref(r->headers);
	r->headers = NULL;
}

static enum http_reply_state state_of(const struct http_reply *r)
{
	switch (HTTP_PARSER_ERRNO(&r->parser)) {
	case HPE_OK:
		return HTTP_REPLY_MORE;
	case HPE_HEADER_OVERFLOW:
		return HTTP_REPLY_LARGE_HEAD;
	case HPE_INVALID_EOF_STATE:
		return HTTP_REPLY_CUT;
	case HPE_UNEXPECTED_CONTENT_LENGTH:
	case HPE_INVALID_TRANSFER_ENCODING:
		return HTTP_REPLY_DOUBTFUL;
	default:
		return HTTP_REPLY_ODD;
	}
}

static enum http_reply_state feed(struct http_reply *r, const char *data, size_t len)
{
	size_t used;

	if (r->state != HTTP_REPLY_MORE)
		return r->state;
	used = http_parser_execute(&r->parser, &settings, data, len);
	if (r->state == HTTP_REPLY_MORE)
		r->state = state_of(r);
	if (r->state == HTTP_REPLY_DONE && used < len)
		r->is_kept = false;
	return r->state;
}

enum http_reply_state http_reply_feed(struct http_reply *r, const char *data, size_t len)
{
	return len == 0 ? r->state : feed(r, data, len);
}

enum http_reply_state http_reply_end(struct http_reply *r)
{
	enum http_reply_state state = feed(r, "", 0);

	r->is_kept = false;
	if (state == HTTP_REPLY_MORE)
		r->state = HTTP_REPLY_CUT;
	return r->state;
}

const char *http_reply_problem(const struct http_reply *r)
{
	return HTTP_PARSER_ERRNO(&r->parser) >= HPE_INVALID_EOF_STATE
		       ? http_errno_description(HTTP_PARSER_ERRNO(&r->parser))
		       : "the answer is not understood";
}
