/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"

#include <errno.h>

#include "base/clock.h"
#include "query.h"

const char *const api_history_query[] = {"hours", "component", "limit", "cursor", "what", NULL};
const char *const api_events_query[] = {"hours", "limit", "cursor", "what", NULL};

static void on_rows(void *ctx, const json_t *out, int rc, const struct err *err)
{
	struct request *rq = ctx;
	if (!rc)
		request_answer(rq, 200, reply_json(json_incref((json_t *)(uintptr_t)out)));
	else if (rc == -EINVAL)
		request_refuse(rq, 400, "BAD_REQUEST", "%s", err->text);
	else if (rc == -EAGAIN)
		request_refuse(rq, 429, "BUSY", "%s", err->text);
	else
		request_refuse(rq, 503, "STORE_UNAVAILABLE", "%s", err->text);
}

static void answer_rows(struct web *web, struct request *rq, enum read_what what)
{
	struct query_text text = {
		.hours = request_query(rq, "hours"),
		.limit = request_query(rq, "limit"),
		.component = request_query(rq, "component"),
		.cursor = request_query(rq, "cursor"),
		.what = request_query(rq, "what"),
	};
	struct read_query q;
	struct err err;
	if (query_parse(&text, what, clock_wall_ms(), &q, &err)) {
		request_refuse(rq, 400, "BAD_REQUEST", "%s", err.text);
		return;
	}
	if (!web->reader) {
		request_refuse(rq, 503, "STORE_UNAVAILABLE", "no store is configured");
		return;
	}
	request_defer(rq);
	reader_query(web->reader, &q, on_rows, rq);
}

void api_history(struct web *web, struct request *rq)
{
	answer_rows(web, rq, READ_RESULTS);
}

void api_events(struct web *web, struct request *rq)
{
	answer_rows(web, rq, READ_EVENTS);
}
