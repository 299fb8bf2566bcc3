/* SPDX-License-Identifier: Apache-2.0 */
/* Pings of jobs, handed to whichever checker process of kind heartbeat has the token: which one
 * that is web does not know, and no token is in its slice. OK is answered when that one has stored
 * it. */
#include "api.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rnd.h"

/* A checker that is restarted is back within a second or two; jobs give up after ten or so. */
#define PATIENCE_MS   5000
#define CALL_MS       2000
#define AGAIN_MS      100
#define RETRY_AFTER_S "5"
/* As the checker keeps it (checkers/ping.h). */
#define LOG_MAX       10240
#define RID_MAX       63
#define ADDRESS_MAX   64

#define PROCESS "check.heartbeat"

const char *const api_ping_query[] = {"rid", NULL};

/* One ping on its way. */
struct errand {
	struct web *web;
	struct request *rq;
	json_t *params;
	char address[ADDRESS_MAX];
	uv_timer_t again;
	int64_t until_ms; /* monotonic */
	size_t open;      /* calls not yet answered in this round */
	bool is_stored;
	bool is_unsure; /* one did not answer, or could not store it */
	bool is_bad;    /* its signal means nothing */
};

static void on_again_closed(uv_handle_t *handle)
{
	struct errand *e = handle->data;
	json_decref(e->params);
	free(e);
}

static void finish(struct errand *e)
{
	struct request *rq = e->rq;
	if (e->is_stored) {
		request_answer(rq, 200, reply_new(mem_dup("OK"), 2, "text/plain; charset=utf-8"));
	} else if (e->is_unsure) {
		struct reply *r =
			reply_error("NO_ANSWER", "the ping could not be stored now", NULL);
		reply_header(r, "Retry-After", RETRY_AFTER_S);
		request_answer(rq, 503, r);
	} else if (e->is_bad) {
		request_refuse(rq, 404, "NOT_FOUND",
			       "expected /start, /fail, /log or an exit code of 0 to 255");
	} else {
		(void)ping_limit_take(e->web->pings, "unknown", e->address, PING_RATE_UNKNOWN,
				      clock_mono_ms());
		request_refuse(rq, 404, "NOT_FOUND", "no heartbeat has this token");
	}
	uv_close((uv_handle_t *)&e->again, on_again_closed);
}

static void begin_round(struct errand *e);

static void on_again(uv_timer_t *t)
{
	begin_round(t->data);
}

static void end_round(struct errand *e)
{
	bool may_wait = !e->web->is_stopping && clock_mono_ms() < e->until_ms;
	if (e->is_stored || !e->is_unsure || !may_wait)
		finish(e);
	else
		uv_timer_start(&e->again, on_again, AGAIN_MS, 0);
}

static void on_answer(void *ctx, const json_t *result, int code, const char *message,
		      const json_t *data)
{
	(void)result;
	(void)message;
	(void)data;
	struct errand *e = ctx;
	if (code == 0)
		e->is_stored = true;
	else if (code == COMMAND_E_PARAMS)
		e->is_bad = true;
	else if (code != COMMAND_E_NOT_FOUND)
		e->is_unsure = true;
	if (--e->open == 0)
		end_round(e);
}

static bool is_heartbeat(const char *process)
{
	size_t len = strlen(PROCESS);
	return !strncmp(process, PROCESS, len) && (process[len] == '\0' || process[len] == '.');
}

static void begin_round(struct errand *e)
{
	struct web *web = e->web;
	const char *name;
	json_t *process;
	int64_t left_ms = HALE_MAX(e->until_ms - clock_mono_ms(), AGAIN_MS);
	e->is_unsure = !live_has_snapshot(web->live);
	e->is_bad = false;
	e->open = 1; /* our own, so that the last answer is the last */
	json_object_foreach ((json_t *)(uintptr_t)live_processes(web->live), name, process) {
		if (!is_heartbeat(name))
			continue;
		e->open++;
		web->backend.call(web->backend.ctx, name, "heartbeat.ping", json_incref(e->params),
				  (uint32_t)HALE_MIN(left_ms, CALL_MS), on_answer, e);
	}
	if (--e->open == 0)
		end_round(e);
}

/* Line by line what can be a text; NULL: nothing was sent. Caller frees. */
static char *log_of(struct request *rq)
{
	size_t len;
	const char *body = request_body(rq, &len);
	if (!len)
		return NULL;
	len = HALE_MIN(len, (size_t)LOG_MAX);
	HALE_CLEANUP(cleanup_free) char *text = mem_alloc(len + 1);
	memcpy(text, body, len);
	HALE_CLEANUP(cleanup_free) char *clean = mem_alloc(LOG_MAX + 1);
	struct str out = {0};
	char *rest = text;
	for (char *nul = memchr(text, '\0', len); nul;
	     nul = memchr(nul, '\0', len - (size_t)(nul - text)))
		*nul = '?';
	while (rest) {
		(void)str_clean(clean, LOG_MAX + 1, strsep(&rest, "\n"));
		str_addf(&out, "%s%s", clean, rest ? "\n" : "");
	}
	return str_take(&out);
}

static json_t *params_of(struct request *rq, const char *signal, const char *address)
{
	const char *rid = request_query(rq, "rid");
	HALE_CLEANUP(cleanup_free) char *log = log_of(rq);
	char key[37];
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:s*}", "token", request_param(rq, 0), "signal",
			 signal, "rid", rid ? rid : "", "source", address, "key", rnd_uuid(key),
			 "at_ms", (json_int_t)clock_wall_ms(), "log", log);
}

/* 0, or how long to wait. */
static int64_t limited_ms(struct web *web, struct request *rq, const char *address)
{
	int64_t now = clock_mono_ms();
	int64_t wait = ping_limit_peek(web->pings, "unknown", address, PING_RATE_UNKNOWN, now);
	if (!wait)
		wait = ping_limit_take(web->pings, "address", address, PING_RATE_ADDRESS, now);
	if (!wait)
		wait = ping_limit_take(web->pings, "token", request_param(rq, 0), PING_RATE_TOKEN,
				       now);
	return wait;
}

static void refuse_pace(struct request *rq, int64_t wait_ms)
{
	HALE_CLEANUP(cleanup_free)
	char *seconds = mem_printf("%lld", (long long)((wait_ms + 999) / 1000));
	struct reply *r = reply_error("TOO_MANY", "too many pings", NULL);
	reply_header(r, "Retry-After", seconds);
	request_answer(rq, 429, r);
}

static void take_ping(struct web *web, struct request *rq, const char *signal)
{
	const char *rid = request_query(rq, "rid");
	char address[ADDRESS_MAX];
	request_address(rq, address, sizeof(address));
	int64_t wait_ms = limited_ms(web, rq, address);
	if (wait_ms) {
		refuse_pace(rq, wait_ms);
		return;
	}
	if (rid && strlen(rid) > RID_MAX) {
		request_refuse(rq, 400, "BAD_REQUEST", "rid: at most %d letters", RID_MAX);
		return;
	}
	json_t *params = params_of(rq, signal, address);
	if (!params) {
		request_refuse(rq, 400, "BAD_REQUEST", "rid: must be UTF-8");
		return;
	}
	struct errand *e = mem_alloc(sizeof(*e));
	*e = (struct errand){.web = web, .rq = rq, .params = params};
	memcpy(e->address, address, sizeof(address));
	e->until_ms = clock_mono_ms() + PATIENCE_MS;
	uv_timer_init(web->loop, &e->again);
	e->again.data = e;
	request_defer(rq);
	begin_round(e);
}

void api_ping(struct web *web, struct request *rq)
{
	take_ping(web, rq, "");
}

void api_ping_signal(struct web *web, struct request *rq)
{
	take_ping(web, rq, request_param(rq, 1));
}
