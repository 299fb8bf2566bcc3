/* SPDX-License-Identifier: Apache-2.0 */
#include "ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "model/component.h"
#include "reader.h"

/* How long a client, or a proxy of its own, may show an answer again: one whose time ends now, and
 * one whose time is over, to which only a recorder that catches up could still add (S4-80). */
#define CACHE_OPEN   "private, max-age=5"
#define CACHE_CLOSED "private, max-age=300"

void ask_text(const struct request *rq, struct query_text *t)
{
	*t = (struct query_text){
		.hours = request_query(rq, "hours"),
		.time_range = request_query(rq, "timeRange"),
		.from = request_query(rq, "from"),
		.to = request_query(rq, "to"),
		.what = request_query(rq, "what"),
		.limit = request_query(rq, "limit"),
		.cursor = request_query(rq, "cursor"),
		.component = request_query(rq, "component"),
		.node = request_query(rq, "node"),
		.metric = request_query(rq, "metric"),
		.step = request_query(rq, "step"),
		.points = request_query(rq, "points"),
		.sla = request_query(rq, "sla"),
		.format = request_query(rq, "format"),
	};
}

void ask_refuse(struct request *rq, int rc, const struct err *err)
{
	static const struct {
		int rc;
		unsigned status;
		const char *code;
	} rows[] = {
		{-EINVAL, 400, "BAD_REQUEST"},
		{-ENOENT, 404, "NOT_FOUND"},
		{-EAGAIN, 429, "BUSY"},
		{-ETIMEDOUT, 503, "STORE_TIMEOUT"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].rc == rc) {
			request_refuse(rq, rows[i].status, rows[i].code, "%s", err->text);
			return;
		}
	request_refuse(rq, 503, "STORE_UNAVAILABLE", "%s", err->text);
}

static void on_answer(void *arg, char *text, int rc, const struct err *err)
{
	struct ask *q = arg;
	if (rc) {
		ask_refuse(q->rq, rc, err);
	} else {
		struct reply *r = reply_new(text, strlen(text), REPLY_JSON);
		reply_header(r, "Cache-Control", q->is_open ? CACHE_OPEN : CACHE_CLOSED);
		request_answer(q->rq, 200, r);
	}
	json_decref(q->counts);
	free(q);
}

void ask_store(struct web *web, const struct ask *q, ask_fn how)
{
	if (!web->reader) {
		json_decref(q->counts);
		request_refuse(q->rq, 503, "STORE_UNAVAILABLE", "no store is configured");
		return;
	}
	struct ask *own = mem_alloc(sizeof(*own));
	*own = *q;
	request_defer(q->rq);
	reader_ask(web->reader, &(struct reader_question){how, on_answer, own});
}

bool ask_knows(const struct web *web, const char *component)
{
	return !component || str_eq(component, COMPONENT_OVERALL) ||
	       live_component(web->live, component);
}

void ask_put(const struct ask *q, json_t *answer, struct str *out)
{
	char at[CLOCK_TEXT_MAX];
	json_object_set_new(answer, "at", json_string(clock_format(q->now_ms, at)));
	HALE_CLEANUP(cleanup_free) char *text = json_dumps(answer, REPLY_JSON_FLAGS);
	HALE_ASSERT(text);
	str_add(out, text);
	json_decref(answer);
}
