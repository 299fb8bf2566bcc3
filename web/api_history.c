/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"

#include <errno.h>

#include "ask.h"
#include "base/clock.h"

#define RANGE "hours", "timeRange", "from", "to"
const char *const api_history_query[] = {RANGE,   "what",   "component", "node",
					 "limit", "cursor", NULL};
const char *const api_events_query[] = {RANGE,   "what",   "component", "node",
					"limit", "cursor", NULL};

static int ask_rows(void *arg, struct store *s, json_t **out_r, struct err *err)
{
	struct ask *q = arg;
	int rc = read_rows(s, &q->of.rows, out_r, err);
	if (rc)
		return rc;
	if (!q->is_known && !q->of.rows.cursor &&
	    json_array_size(json_object_get(*out_r, "rows")) == 0 &&
	    !json_is_true(json_object_get(*out_r, "truncated")))
		return err_set(err, -ENOENT,
			       "no component '%s' is configured, and nothing is stored of one in "
			       "this time",
			       q->of.rows.name);
	ask_set_at(*out_r, q->now_ms);
	return 0;
}

static void answer_rows(struct web *web, struct request *rq, enum read_what what)
{
	struct ask q = {.rq = rq, .now_ms = clock_wall_ms()};
	struct query_text text;
	struct err err;
	ask_text(rq, &text);
	if (query_rows(&text, what, q.now_ms, &q.of.rows, &err)) {
		ask_refuse(rq, -EINVAL, &err);
		return;
	}
	what = q.of.rows.what;
	q.is_open = q.of.rows.to_ms == 0;
	q.is_known = (what != READ_RESULTS && what != READ_TRANSITIONS) ||
		     ask_knows(web, q.of.rows.name);
	ask_store(web, &q, ask_rows);
}

void api_history(struct web *web, struct request *rq)
{
	answer_rows(web, rq, READ_RESULTS);
}

void api_events(struct web *web, struct request *rq)
{
	answer_rows(web, rq, READ_EVENTS);
}
