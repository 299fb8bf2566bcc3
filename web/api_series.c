/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"

#include <errno.h>

#include "ask.h"
#include "base/clock.h"

#define RANGE "hours", "timeRange", "from", "to"
const char *const api_summary_query[] = {RANGE, "component", "node", "metric", NULL};

/* Fifty thousand points are too many for a tree. */
static int ask_series(void *arg, struct store *s, struct str *out, struct err *err)
{
	struct ask *q = arg;
	char at[CLOCK_TEXT_MAX];
	int rc = series_write(s, &q->of.series, out, err);
	if (rc)
		return rc;
	str_truncate(out, out->len - 1);
	str_addf(out, ",\"at\":\"%s\"}", clock_format(q->now_ms, at));
	return 0;
}

static int ask_summary(void *arg, struct store *s, struct str *out, struct err *err)
{
	struct ask *q = arg;
	json_t *answer;
	int rc = series_summary(s, &q->of.series, &answer, err);
	if (!rc)
		ask_put(q, answer, out);
	return rc;
}

static void answer(struct web *web, struct request *rq, ask_fn how)
{
	struct ask q = {.rq = rq, .now_ms = clock_wall_ms()};
	struct query_text text;
	struct err err;
	ask_text(rq, &text);
	if (query_series(&text, q.now_ms, &q.of.series, &err)) {
		ask_refuse(rq, -EINVAL, &err);
		return;
	}
	q.is_open = q.of.series.to_ms >= q.now_ms;
	ask_store(web, &q, how);
}

void api_series(struct web *web, struct request *rq)
{
	answer(web, rq, ask_series);
}

void api_metrics_summary(struct web *web, struct request *rq)
{
	answer(web, rq, ask_summary);
}
