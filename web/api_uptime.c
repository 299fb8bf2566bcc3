/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"

#include <errno.h>
#include <stdlib.h>

#include "ask.h"
#include "base/clock.h"

#define RANGE "hours", "timeRange", "from", "to"
const char *const api_uptime_query[] = {RANGE, "component", "node", "sla", NULL};
const char *const api_statistics_query[] = {NULL};

static int ask_uptime(void *arg, struct store *s, struct str *out, struct err *err)
{
	struct ask *q = arg;
	json_t *answer;
	int rc = uptime_read(s, &q->of.uptime, &answer, err);
	if (!rc)
		ask_put(q, answer, out);
	return rc;
}

void api_uptime(struct web *web, struct request *rq)
{
	struct ask q = {.rq = rq, .now_ms = clock_wall_ms()};
	struct query_text text;
	struct err err;
	ask_text(rq, &text);
	if (query_uptime(&text, q.now_ms, &q.of.uptime, &err)) {
		ask_refuse(rq, -EINVAL, &err);
		return;
	}
	q.is_open = q.of.uptime.to_ms >= q.now_ms;
	ask_store(web, &q, ask_uptime);
}

/* What the store knows of the past, with how many components stand how (S2-73). */
static int ask_statistics(void *arg, struct store *s, struct str *out, struct err *err)
{
	static const char *const names[][2] = {
		{"total", "total_components"},      {"healthy", "healthy_components"},
		{"degraded", "warning_components"}, {"critical", "critical_components"},
		{"down", "down_components"},        {"unknown", "unknown_components"},
	};
	struct ask *q = arg;
	json_t *past = NULL;
	int rc = uptime_statistics(s, q->now_ms, &past, err);
	if (rc)
		return rc;
	json_t *answer = json_object();
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		json_object_set(answer, names[i][1], json_object_get(q->counts, names[i][0]));
	json_t *day = json_object_get(json_object_get(past, "uptime_percent"), "24h");
	json_object_set_new(answer, "uptime_percentage_24h", day ? json_incref(day) : json_null());
	json_object_update(answer, past);
	json_decref(past);
	ask_put(q, answer, out);
	return 0;
}

void api_statistics(struct web *web, struct request *rq)
{
	const struct ask q = {.rq = rq,
			      .now_ms = clock_wall_ms(),
			      .is_open = true,
			      .counts = live_counts(web->live)};
	ask_store(web, &q, ask_statistics);
}

/* ---- for /metrics ---- */

/* Uptime of 24 hours changes by a third of a percent in this time, at most. */
#define PAST_MS 300000

static int ask_past(void *arg, struct store *s, struct str *out, struct err *err)
{
	(void)arg;
	json_t *past = NULL;
	int rc = uptime_statistics(s, clock_wall_ms(), &past, err);
	if (rc)
		return rc;
	HALE_CLEANUP(cleanup_free) char *text = json_dumps(past, REPLY_JSON_FLAGS);
	str_add(out, text);
	json_decref(past);
	return 0;
}

static void on_past(void *arg, char *text, int rc, const struct err *err)
{
	struct web *web = arg;
	(void)err;
	web->past.is_asked = false;
	json_t *past = rc ? NULL : json_loads(text, 0, NULL);
	free(text);
	/* A store that is away says nothing about the past: what was known holds for a while. */
	if (!past)
		return;
	json_decref(web->past.statistics);
	web->past.statistics = past;
}

void api_refresh_past(struct web *web)
{
	int64_t now = clock_mono_ms();
	bool is_new = web->past.asked_ms && now - web->past.asked_ms < PAST_MS;
	if (!web->reader || web->is_stopping || web->past.is_asked || is_new)
		return;
	web->past.is_asked = true;
	web->past.asked_ms = now;
	reader_ask(web->reader, &(struct reader_question){ask_past, on_past, web});
}
