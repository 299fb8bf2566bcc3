/* SPDX-License-Identifier: Apache-2.0 */
#include "reply.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct reply {
	struct MHD_Response *mhd;
	unsigned refs;
};

struct reply *reply_new(char *body, size_t len, const char *content_type)
{
	struct reply *r = mem_alloc(sizeof(*r));
	r->refs = 1;
	r->mhd = MHD_create_response_from_buffer(len, body ? body : mem_dup(""),
						 MHD_RESPMEM_MUST_FREE);
	if (!r->mhd)
		abort(); /* out of memory is fatal, as in mem.h */
	reply_header(r, "Content-Type", content_type);
	reply_header(r, "Cache-Control", "no-store");
	reply_header(r, "X-Content-Type-Options", "nosniff");
	return r;
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
	MHD_destroy_response(r->mhd);
	free(r);
}

struct MHD_Response *reply_mhd(struct reply *r)
{
	return r->mhd;
}
