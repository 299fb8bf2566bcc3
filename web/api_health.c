/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"

#include "base/clock.h"
#include "metrics.h"

/* 200 only for what may be called healthy (LEDGER (a), C-06). */
static unsigned http_status(const struct web *web, enum status s)
{
	if (s == STATUS_HEALTHY)
		return 200;
	return s == STATUS_DEGRADED && str_eq(web->options->degraded_status, "200") ? 200 : 503;
}

static json_t *brief(struct web *web)
{
	char at[CLOCK_TEXT_MAX];
	json_t *body = json_pack("{s:s,s:s}", "status", status_name(live_status(web->live)),
				 "timestamp", clock_now_text(at));
	if (!live_is_monitoring(web->live))
		json_object_set_new(body, "monitoring_active", json_false());
	return body;
}

static struct reply *render_details(struct web *web)
{
	json_t *body = brief(web);
	double score = live_score(web->live);
	json_object_set_new(body, "score", score < 0 ? json_null() : json_real(score));
	json_object_set_new(body, "components", live_component_array(web->live));
	if (live_is_stale(web->live))
		json_object_set_new(body, "stale", json_true());
	return reply_json(body);
}

void api_health(struct web *web, struct request *rq)
{
	unsigned status = http_status(web, live_status(web->live));
	if (request_has_public_details(rq))
		web_document(web, rq, status, DOCUMENT_HEALTH_DETAILS, render_details);
	else
		request_answer(rq, status, reply_json(brief(web)));
}

void api_health_component(struct web *web, struct request *rq)
{
	const json_t *component = live_component(web->live, request_param(rq, 0));
	if (!component) {
		request_answer(rq, 404,
			       reply_json(json_pack("{s:s}", "error", "Component not found")));
		return;
	}
	enum status s;
	const char *name = json_string_value(json_object_get(component, "status"));
	if (live_is_stale(web->live) || !name || !status_from_name(name, &s))
		s = STATUS_UNKNOWN;
	json_t *body = json_copy((json_t *)(uintptr_t)component);
	json_object_set_new(body, "status", json_string(status_name(s)));
	request_answer(rq, s == STATUS_HEALTHY ? 200 : http_status(web, s), reply_json(body));
}

void api_livez(struct web *web, struct request *rq)
{
	(void)web;
	request_answer(rq, 200, reply_json(json_pack("{s:s}", "status", "ok")));
}

void api_readyz(struct web *web, struct request *rq)
{
	bool has_snapshot = live_has_snapshot(web->live);
	bool is_ready = has_snapshot && !live_is_stale(web->live);
	const char *reason =
		has_snapshot ? "haled does not answer" : "waiting for haled's snapshot";
	request_answer(rq, is_ready ? 200 : 503,
		       reply_json(is_ready ? json_pack("{s:s}", "status", "ok")
					   : json_pack("{s:s,s:s}", "status", "unavailable",
						       "error", reason)));
}

static struct reply *render_metrics(struct web *web)
{
	struct str out = {0};
	struct metrics_web counters;
	api_refresh_past(web);
	web_counters(web, &counters);
	metrics_render(web->live, web->options->metrics_prefix, &counters, &out);
	size_t len = out.len;
	return reply_new(str_take(&out), len, "text/plain; version=0.0.4; charset=utf-8");
}

void api_metrics(struct web *web, struct request *rq)
{
	web_document(web, rq, 200, DOCUMENT_METRICS, render_metrics);
}
