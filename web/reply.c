/* SPDX-License-Identifier: Apache-2.0 */
#include "reply.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "request.h"

/* What libmicrohttpd asks for at a time; it has no more room than for a few kilobytes. */
#define STREAM_BLOCK 16384

struct reply {
	struct MHD_Response *mhd;
	unsigned refs;
	struct reply_source source; /* of a stream; read is NULL once it is gone */
	struct request *rq;         /* of a stream: whose body is being sent */
	struct reply **link;        /* of a stream: how libmicrohttpd knows us */
};

static struct reply *make(struct MHD_Response *mhd, const char *content_type)
{
	struct reply *r = mem_alloc(sizeof(*r));
	if (!mhd)
		abort(); /* out of memory is fatal, as in mem.h */
	r->refs = 1;
	r->mhd = mhd;
	reply_header(r, "Content-Type", content_type);
	reply_header(r, "Cache-Control", "no-store");
	reply_header(r, "X-Content-Type-Options", "nosniff");
	return r;
}

struct reply *reply_new(char *body, size_t len, const char *content_type)
{
	return make(MHD_create_response_from_buffer(len, body ? body : mem_dup(""),
						    MHD_RESPMEM_MUST_FREE),
		    content_type);
}

static ssize_t on_read(void *cls, uint64_t pos, char *buf, size_t max)
{
	struct reply *const *link = cls;
	struct reply *r = *link;
	(void)pos;
	ssize_t n = r && r->source.read ? r->source.read(r->source.ctx, buf, max) : REPLY_BROKEN;
	if (n == REPLY_END)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (n < 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	request_body_step(r->rq, n == 0);
	return n;
}

/* libmicrohttpd may keep the response for longer than the reply lives. */
static void on_free(void *cls)
{
	struct reply **link = cls;
	if (*link)
		(*link)->link = NULL;
	free(link);
}

struct reply *reply_stream(const char *content_type, const struct reply_source *source)
{
	struct reply **link = mem_alloc(sizeof(struct reply *));
	struct reply *r = make(MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK,
								 on_read, link, on_free),
			       content_type);
	r->source = *source;
	r->link = link;
	*link = r;
	return r;
}

bool reply_begin(struct reply *r, struct request *rq)
{
	if (r->link)
		r->rq = rq;
	return r->link != NULL;
}

void reply_gone(struct reply *r)
{
	if (!r || !r->source.read)
		return;
	r->source.read = NULL;
	r->source.on_gone(r->source.ctx);
}

struct reply *reply_json(json_t *value)
{
	char *text = json_dumps(value, REPLY_JSON_FLAGS);
	HALE_ASSERT(text);
	json_decref(value);
	return reply_new(text, strlen(text), REPLY_JSON);
}

struct reply *reply_error(const char *code, const char *text, json_t *details)
{
	json_t *body = json_pack("{s:b,s:s,s:s}", "success", 0, "error", text, "errorCode", code);
	HALE_ASSERT(body);
	if (details)
		json_object_set_new(body, "details", details);
	return reply_json(body);
}

void reply_header(struct reply *r, const char *name, const char *value)
{
	const char *old = MHD_get_response_header(r->mhd, name);
	if (old)
		MHD_del_response_header(r->mhd, name, old);
	enum MHD_Result ok = MHD_add_response_header(r->mhd, name, value);
	HALE_ASSERT(ok == MHD_YES);
}

struct reply *reply_ref(struct reply *r)
{
	r->refs++;
	return r;
}

void reply_unref(struct reply *r)
{
	if (!r || --r->refs)
		return;
	if (r->link)
		*r->link = NULL;
	MHD_destroy_response(r->mhd);
	free(r);
}

struct MHD_Response *reply_mhd(struct reply *r)
{
	return r->mhd;
}
