/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"

/* haled answers these at once; a reload validates in a separate process first. */
#define COMMAND_TIMEOUT_MS 5000
#define RELOAD_TIMEOUT_MS  30000

/* LEDGER (b): which HTTP status a command's error is. */
static const struct {
	int code;
	unsigned status;
	const char *name;
} errors[] = {
	{COMMAND_E_PARAMS, 400, "BAD_REQUEST"}, {COMMAND_E_NOT_FOUND, 404, "NOT_FOUND"},
	{COMMAND_E_REFUSED, 409, "REFUSED"},    {COMMAND_E_FAILED, 409, "FAILED"},
	{COMMAND_E_BUSY, 429, "BUSY"},          {COMMAND_E_TIMEOUT, 503, "NO_ANSWER"},
	{COMMAND_E_NO_PEER, 503, "NO_ANSWER"},
};

static void on_result(void *ctx, const json_t *result, int code, const char *message,
		      const json_t *data)
{
	struct request *rq = ctx;
	if (!code) {
		json_t *body = json_pack("{s:b,s:O*}", "success", 1, "result", result);
		request_answer(rq, 200, reply_json(body));
		return;
	}
	unsigned status = 503;
	const char *name = "FAILED";
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		if (errors[i].code == code) {
			status = errors[i].status;
			name = errors[i].name;
		}
	}
	json_t *details = data ? json_incref((json_t *)(uintptr_t)data) : NULL;
	request_answer(rq, status, reply_error(name, message ? message : "failed", details));
}

static void forward(struct web *web, struct request *rq, const char *method, json_t *params,
		    uint32_t timeout_ms)
{
	request_defer(rq);
	web->backend.call(web->backend.ctx, "haled", method, params, timeout_ms, on_result, rq);
}

static void on_process(struct web *web, struct request *rq, const char *method)
{
	/* haled reads names as globs; here one name is one process. */
	if (!live_process(web->live, request_param(rq, 0))) {
		request_refuse(rq, 404, "NOT_FOUND", "Process not found");
		return;
	}
	forward(web, rq, method, json_pack("{s:[s]}", "names", request_param(rq, 0)),
		COMMAND_TIMEOUT_MS);
}

void api_process_restart(struct web *web, struct request *rq)
{
	on_process(web, rq, "process.restart");
}

void api_process_stop(struct web *web, struct request *rq)
{
	on_process(web, rq, "process.stop");
}

void api_process_start(struct web *web, struct request *rq)
{
	on_process(web, rq, "process.start");
}

void api_monitoring_stop(struct web *web, struct request *rq)
{
	forward(web, rq, "monitoring.pause", json_object(), COMMAND_TIMEOUT_MS);
}

void api_monitoring_start(struct web *web, struct request *rq)
{
	forward(web, rq, "monitoring.resume", json_object(), COMMAND_TIMEOUT_MS);
}

void api_reload(struct web *web, struct request *rq)
{
	forward(web, rq, "reload", json_object(), RELOAD_TIMEOUT_MS);
}
