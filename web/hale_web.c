/* SPDX-License-Identifier: Apache-2.0 */
#include "hale_web.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/manifest.h"
#include "service/confine.h"
#include "stream.h"
#include "web.h"

/* How often the feed's silence is looked at. A haled with nothing to do is silent for a minute (its
 * syncs), but the question for its counters is answered all the same. */
#define WATCH_MS         5000
/* Silent for so long, haled is asked whether it lives … */
#define WATCH_SILENT_MS  6000
/* … and if it does not answer within this, what we know is called old. */
#define WATCH_TIMEOUT_MS 4000
/* Bus counters and reload state come by no line: asked for this often. */
#define REFRESH_MS       10000

struct hale_web {
	struct service *service;
	struct web_options options;
	struct store_options store;
	struct live *live;
	struct web *web;
	uv_timer_t watch;
	bool is_watch_open;
	int64_t heard_ms;   /* monotonic: the last sign of haled */
	int64_t refresh_ms; /* monotonic: the last `status` asked for */
	bool is_asking;
	bool is_stopping;
};

static const struct conf_section sections[] = {
	{"web", web_items, CONF_T_MAP,
	 "where hale-web listens, and who may do what over HTTP; without this section it "
	 "serves 127.0.0.1:5051, readable by whoever is on the machine"},
	{0},
};

static json_t *describe(void)
{
	static const char *const reads[] = {"store", NULL};
	return manifest_service("hale-web", "web",
				"HTTP API, metrics, WebSocket stream and dashboard", "always",
				sections, reads);
}

static void check(const json_t *slice, service_problem_fn problem, void *ctx)
{
	struct web_options o;
	struct err err;
	if (web_options_load(json_object_get(slice, "web"), &o, &err))
		problem(ctx, "/web", err.text);
	else
		web_options_done(&o);
}

static void tell_status(void *ctx)
{
	struct hale_web *w = ctx;
	HALE_CLEANUP(str_done) struct str text = {0};
	web_describe(w->web, &text);
	service_status(w->service, "%s", str_text(&text));
}

static void heard(struct hale_web *w)
{
	w->heard_ms = clock_mono_ms();
	if (!live_is_stale(w->live))
		return;
	log_info("haled answers again");
	live_set_stale(w->live, false, clock_wall_ms());
	if (!w->is_stopping)
		stream_stale(w->web->stream, false);
}

/* While nobody looks on. */
static bool on_text(void *ctx, const char *topic, const char *epoch, uint64_t seq, const char *text,
		    size_t len)
{
	(void)epoch;
	struct hale_web *w = ctx;
	struct health_line line;
	if (w->is_stopping || stream_clients(w->web->stream) > 0 || !str_eq(topic, TOPIC_HEALTH) ||
	    !health_line_is_routine(text, len, &line) || !live_routine(w->live, seq, &line))
		return false;
	heard(w);
	return true;
}

static void on_line(void *ctx, const char *topic, const char *epoch, uint64_t seq,
		    const json_t *object)
{
	(void)epoch;
	struct hale_web *w = ctx;
	heard(w);
	const char *event = live_line(w->live, topic, seq, object);
	if (event && !w->is_stopping)
		stream_line(w->web->stream, event, seq, object);
}

static void on_snapshot(void *ctx, const json_t *snapshot)
{
	struct hale_web *w = ctx;
	heard(w);
	bool is_first = !live_has_snapshot(w->live);
	live_snapshot(w->live, snapshot);
	if (is_first)
		web_recall(w->web);
	if (!w->is_stopping)
		stream_snapshot(w->web->stream);
}

static void on_sync(void *ctx, const json_t *object)
{
	(void)object;
	heard(ctx);
}

static void on_status(void *ctx, const json_t *result, int code, const char *message,
		      const json_t *data)
{
	(void)data;
	struct hale_web *w = ctx;
	w->is_asking = false;
	if (!code) {
		heard(w);
		if (live_has_snapshot(w->live))
			live_refresh(w->live, result);
		return;
	}
	if (live_is_stale(w->live) || clock_mono_ms() - w->heard_ms < WATCH_SILENT_MS)
		return;
	log_warn("haled does not answer: what is shown is old", KV_S("error", message));
	live_set_stale(w->live, true, clock_wall_ms());
	if (!w->is_stopping)
		stream_stale(w->web->stream, true);
}

static void on_watch(uv_timer_t *t)
{
	struct hale_web *w = t->data;
	int64_t now = clock_mono_ms();
	bool is_due = now - w->refresh_ms >= REFRESH_MS || now - w->heard_ms >= WATCH_SILENT_MS;
	if (w->is_asking || !is_due)
		return;
	w->is_asking = true;
	w->refresh_ms = now;
	service_call(w->service, "haled", "status", json_pack("{s:b}", "brief", 1),
		     WATCH_TIMEOUT_MS, on_status, w);
}

static void backend_work(void *ctx, void (*work)(void *arg), void (*after)(void *arg), void *arg)
{
	struct hale_web *w = ctx;
	service_work(w->service, work, after, arg);
}

static void backend_call(void *ctx, const char *process, const char *method, json_t *params,
			 uint32_t timeout_ms, command_result_fn on_result, void *arg)
{
	struct hale_web *w = ctx;
	service_call(w->service, process, method, params, timeout_ms, on_result, arg);
}

static int load(struct hale_web *w, const json_t *slice, struct err *err)
{
	int rc = web_options_load(json_object_get(slice, "web"), &w->options, err);
	const json_t *store = json_object_get(slice, "store");
	if (!rc && store) {
		rc = conf_decode(store_items, store, &w->store, err);
		if (rc)
			err_prefix(err, "store");
	}
	return rc;
}

static void done(void *state)
{
	struct hale_web *w = state;
	web_free(w->web);
	live_free(w->live);
	web_options_done(&w->options);
	conf_free(store_items, &w->store);
	free(w);
}

/* Its own section names no files. */
static void needs(const json_t *slice, struct confine_needs *n)
{
	HALE_CLEANUP(cleanup_free) char *ui = assets_dir();
	confine_needs_add(n, store_items, json_object_get(slice, "store"));
	if (ui)
		strlist_add(&n->besides, ui);
}

static int start(struct service *s, const json_t *slice, void **state_r, struct err *err)
{
	struct hale_web *w = mem_alloc(sizeof(*w));
	w->service = s;
	int rc = load(w, slice, err);
	if (rc) {
		done(w);
		return rc;
	}
	w->live = live_new();
	w->heard_ms = w->refresh_ms = clock_mono_ms();
	const struct web_backend backend = {.work = backend_work, .call = backend_call, .ctx = w};
	HALE_CLEANUP(cleanup_free) char *ui = assets_dir();
	w->web = web_new(service_loop(s), &w->options, w->live, &backend,
			 json_object_get(slice, "store") ? &w->store : NULL, ui);
	static const struct feed_ops ops = {.on_text = on_text,
					    .on_line = on_line,
					    .on_snapshot = on_snapshot,
					    .on_sync = on_sync};
	*state_r = w;
	web_start(w->web, tell_status, w);
	uv_timer_init(service_loop(s), &w->watch);
	w->watch.data = w;
	uv_timer_start(&w->watch, on_watch, WATCH_MS, WATCH_MS);
	w->is_watch_open = true;
	rc = service_feed_open(s, FEED_FROM_SNAPSHOT, NULL, &ops, w, err);
	if (rc)
		service_fail(s, 75, "cannot follow the bus: %s", err->text);
	service_ready(s);
	return 0;
}

static void on_watch_closed(uv_handle_t *handle)
{
	struct hale_web *w = handle->data;
	service_stopped(w->service);
}

static void on_web_stopped(void *ctx)
{
	struct hale_web *w = ctx;
	uv_close((uv_handle_t *)&w->watch, on_watch_closed);
}

static void stop(void *state)
{
	struct hale_web *w = state;
	w->is_stopping = true;
	web_stop(w->web, on_web_stopped);
}

static void web_status(void *ctx, struct command_request *rq, const json_t *params)
{
	(void)params;
	struct hale_web *w = ctx;
	struct metrics_web c;
	web_counters(w->web, &c);
	HALE_CLEANUP(str_done) struct str text = {0};
	web_describe(w->web, &text);
	command_reply(rq,
		      json_pack("{s:s,s:I,s:I,s:I,s:I,s:b}", "listen", str_text(&text), "requests",
				(json_int_t)c.requests, "refused", (json_int_t)c.refused,
				"stream_clients", (json_int_t)c.stream_clients, "stream_dropped",
				(json_int_t)c.stream_dropped, "stale", live_is_stale(w->live)));
}

static const struct command_method methods[] = {
	{"web.status", web_status,
	 "-> "
	 "{\"listen\",\"requests\",\"refused\",\"stream_clients\",\"stream_dropped\",\"stale\"}"},
	{0},
};

const struct service_ops hale_web_service = {
	.program = "hale-web",
	.summary = "hale's HTTP API, metrics, WebSocket stream and dashboard",
	.describe = describe,
	.check = check,
	.needs = needs,
	.start = start,
	.stop = stop,
	.done = done,
	.methods = methods,
	.has_feed = true,
	.sections = sections,
};
