/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "metric_list.h"

static struct reply *render_state(struct web *web)
{
	return reply_json(live_document(web->live));
}

static struct reply *render_components(struct web *web)
{
	return reply_json(json_pack("{s:o}", "components", live_component_array(web->live)));
}

static struct reply *render_processes(struct web *web)
{
	return reply_json(json_pack("{s:o}", "processes", live_process_array(web->live)));
}

/* An empty list would read as "nothing is watched": say that nothing is known yet instead. */
static bool refuse_without_snapshot(struct web *web, struct request *rq)
{
	if (live_has_snapshot(web->live))
		return false;
	request_refuse(rq, 503, "NOT_READY", "waiting for haled's snapshot");
	return true;
}

void api_state(struct web *web, struct request *rq)
{
	if (!refuse_without_snapshot(web, rq))
		web_document(web, rq, 200, DOCUMENT_HEALTH, render_state);
}

void api_components(struct web *web, struct request *rq)
{
	if (!refuse_without_snapshot(web, rq))
		web_document(web, rq, 200, DOCUMENT_COMPONENTS, render_components);
}

void api_processes(struct web *web, struct request *rq)
{
	if (!refuse_without_snapshot(web, rq))
		web_document(web, rq, 200, DOCUMENT_PROCESSES, render_processes);
}

static void answer_one(struct request *rq, const json_t *object, const char *what)
{
	if (object)
		request_answer(rq, 200, reply_json(json_incref((json_t *)(uintptr_t)object)));
	else
		request_refuse(rq, 404, "NOT_FOUND", "%s not found", what);
}

void api_component(struct web *web, struct request *rq)
{
	answer_one(rq, live_component(web->live, request_param(rq, 0)), "Component");
}

void api_process(struct web *web, struct request *rq)
{
	answer_one(rq, live_process(web->live, request_param(rq, 0)), "Process");
}

/* ---- what it measured ---- */

/* haled alone knows the thresholds, and answers at once. */
#define SHOW_TIMEOUT_MS 2000

struct metrics_question {
	struct web *web;
	struct request *rq;
};

static void on_shown(void *ctx, const json_t *result, int code, const char *message,
		     const json_t *data)
{
	struct metrics_question *q = ctx;
	(void)message;
	(void)data;
	const char *id = request_param(q->rq, 0);
	/* Without haled the numbers are those that were heard last. */
	const json_t *component =
		code ? live_component(q->web->live, id) : json_object_get(result, "component");
	if (!component) {
		request_refuse(q->rq, 404, "NOT_FOUND", "Component not found");
	} else {
		char at[CLOCK_TEXT_MAX];
		json_t *list = metric_list(component, json_object_get(result, "thresholds"));
		request_answer(q->rq, 200,
			       reply_json(json_pack("{s:s,s:s,s:b,s:o}", "component", id, "at",
						    clock_now_text(at), "stale", code != 0,
						    "metrics", list)));
	}
	free(q);
}

void api_component_metrics(struct web *web, struct request *rq)
{
	if (!live_component(web->live, request_param(rq, 0))) {
		request_refuse(rq, 404, "NOT_FOUND", "Component not found");
		return;
	}
	struct metrics_question *q = mem_alloc(sizeof(*q));
	*q = (struct metrics_question){web, rq};
	request_defer(rq);
	web->backend.call(web->backend.ctx, "haled", "show",
			  json_pack("{s:s}", "name", request_param(rq, 0)), SHOW_TIMEOUT_MS,
			  on_shown, q);
}
