/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"

#include <errno.h>

#include "ask.h"
#include "base/clock.h"

#define RANGE "hours", "timeRange", "from", "to"
const char *const api_history_query[] = {RANGE,    "what",   "component", "node",   "limit",
					 "cursor", "metric", "step",      "points", NULL};
const char *const api_events_query[] = {RANGE,   "what",   "component", "node",
					"limit", "cursor", NULL};

/* Which parameters do not go together is no matter of each one's form. */
static bool has_none_of(struct request *rq, const char *const *names, const char *why)
{
	for (size_t i = 0; names[i]; i++) {
		if (!request_query(rq, names[i]))
			continue;
		request_refuse(rq, 400, "BAD_REQUEST", "%s: %s", names[i], why);
		return false;
	}
	return true;
}

static int ask_rows(void *arg, struct store *s, struct str *out, struct err *err)
{
	struct ask *q = arg;
	json_t *answer;
	int rc = read_rows(s, &q->of.rows, &answer, err);
	if (rc)
		return rc;
	bool is_empty = json_array_size(json_object_get(answer, "rows")) == 0 &&
			!json_is_true(json_object_get(answer, "truncated"));
	if (is_empty && !q->is_known && !q->of.rows.cursor) {
		json_decref(answer);
		return err_set(err, -ENOENT,
			       "no component '%s' is configured, and nothing is stored of one in "
			       "this time",
			       q->of.rows.name);
	}
	ask_put(q, answer, out);
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
	static const char *const of_rows[] = {"what", "limit", "cursor", NULL};
	static const char *const of_series[] = {"step", "points", NULL};
	if (!request_query(rq, "metric")) {
		if (has_none_of(rq, of_series, "belongs to a series, which names its metric"))
			answer_rows(web, rq, READ_RESULTS);
	} else if (has_none_of(rq, of_rows, "belongs to rows, not to the series of a metric")) {
		api_series(web, rq);
	}
}

void api_events(struct web *web, struct request *rq)
{
	answer_rows(web, rq, READ_EVENTS);
}
