/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ask.h"
#include "base/clock.h"
#include "base/mem.h"
#include "body.h"
#include "reader.h"
#include "store/export.h"

const char *const api_export_query[] = {"hours",  "timeRange", "from", "to", "what",
					"format", "component", "node", NULL};

/* In seconds: an export of a week takes about as long. */
#define RETRY_AFTER "10"

static const char *const types[] = {
	[TRANSFER_JSON] = REPLY_JSON,
	[TRANSFER_NDJSON] = "application/x-ndjson",
	[TRANSFER_CSV] = "text/csv; charset=utf-8; header=present",
};

/* What a thread exports. It may outlive its request, so its texts are its own. */
struct export_job {
	const struct store_options *options;
	struct export_plan plan;
	char *component, *node;
	uv_mutex_t lock;
	struct store *store; /* while it is open */
};

/* ---- in the thread ---- */

static void set_store(struct export_job *job, struct store *s)
{
	uv_mutex_lock(&job->lock);
	job->store = s;
	uv_mutex_unlock(&job->lock);
}

static bool on_text(void *ctx, const char *data, size_t len)
{
	return body_write(ctx, data, len);
}

static int produce(void *ctx, struct body *b, struct err *err)
{
	struct export_job *job = ctx;
	struct store *s = NULL;
	uint64_t counts[TRANSFER_WHAT_MAX];
	bool is_whole = false;
	int rc = reader_open(job->options, &s, err);
	if (rc)
		return rc;
	set_store(job, s);
	rc = export_run(s, &job->plan, on_text, b, counts, &is_whole, err);
	set_store(job, NULL);
	store_close(s);
	return rc || is_whole ? rc : err_set(err, -ECANCELED, "the export was broken off");
}

/* ---- on the loop ---- */

static void interrupt(void *ctx)
{
	struct export_job *job = ctx;
	uv_mutex_lock(&job->lock);
	if (job->store)
		store_interrupt(job->store);
	uv_mutex_unlock(&job->lock);
}

static void done(void *ctx)
{
	struct export_job *job = ctx;
	uv_mutex_destroy(&job->lock);
	free(job->component);
	free(job->node);
	free(job);
}

static int plan_of(const struct query_text *text, int64_t now_ms, struct export_plan *p,
		   struct err *err)
{
	struct query_range r = {0};
	int format = text->format ? transfer_format_of(text->format) : TRANSFER_JSON;
	int rc = query_range(text, now_ms, &r, err);
	if (!rc)
		rc = query_names(text, err);
	if (rc)
		return rc;
	if (format < 0)
		return err_set(err, -EINVAL, "format: one of json, csv, ndjson");
	p->format = (enum transfer_format)format;
	p->what = transfer_set_of(text->what ? text->what : "results");
	if (!p->what)
		return err_set(err, -EINVAL,
			       "what: kinds of rows with commas between them, or all: results, "
			       "transitions, events, processes, alerts, deliveries, runs, "
			       "recoveries, metrics");
	if (p->format == TRANSFER_CSV && (p->what & (p->what - 1)))
		return err_set(err, -EINVAL, "what: CSV holds rows of one kind; choose one");
	p->hale = HALE_VERSION;
	p->from_ms = r.from_ms;
	p->to_ms = r.to_ms;
	return 0;
}

static char *disposition(const struct export_plan *p, const char *what, const char *format)
{
	char at[32];
	time_t s = (time_t)(p->to_ms / 1000);
	struct tm tm;
	gmtime_r(&s, &tm);
	strftime(at, sizeof(at), "%Y%m%dT%H%M%SZ", &tm);
	bool is_one = what && !strchr(what, ',');
	return mem_printf("attachment; filename=\"hale-%s-%s.%s\"",
			  !what    ? "results"
			  : is_one ? what
				   : "export",
			  at, format ? format : "json");
}

void api_export(struct web *web, struct request *rq)
{
	static const struct body_ops ops = {produce, interrupt, ask_refuse, done};
	struct export_plan plan = {0};
	struct query_text text;
	struct err err;
	ask_text(rq, &text);
	if (plan_of(&text, clock_wall_ms(), &plan, &err)) {
		ask_refuse(rq, -EINVAL, &err);
		return;
	}
	if (!web->store) {
		request_refuse(rq, 503, "STORE_UNAVAILABLE", "no store is configured");
		return;
	}
	struct export_job *job = mem_alloc(sizeof(*job));
	job->options = web->store;
	job->plan = plan;
	job->plan.component = job->component = mem_dup(text.component);
	job->plan.node = job->node = mem_dup(text.node);
	uv_mutex_init(&job->lock);
	HALE_CLEANUP(cleanup_free) char *name = disposition(&plan, text.what, text.format);
	if (body_start(web->bodies, rq, types[plan.format], name, &ops, job))
		return;
	done(job);
	struct reply *r =
		reply_error("TOO_MANY", "too many exports are running; try again later", NULL);
	reply_header(r, "Retry-After", RETRY_AFTER);
	request_answer(rq, 429, r);
}
