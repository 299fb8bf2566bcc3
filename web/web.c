/* SPDX-License-Identifier: Apache-2.0 */
#include "web.h"

#include <sodium.h>
#include <stdlib.h>

#include "auth.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rnd.h"
#include "body.h"
#include "listener.h"
#include "recent.h"
#include "routes.h"
#include "stream.h"

/* Deferred requests end within their own time-outs; how often stopping looks whether they have. */
#define STOP_POLL_MS 20

struct web *web_new(uv_loop_t *loop, const struct web_options *options, struct live *live,
		    const struct web_backend *backend, const struct store_options *store,
		    const char *ui_dir)
{
	int rc = sodium_init();
	HALE_ASSERT(rc >= 0);
	struct web *web = mem_alloc(sizeof(*web));
	web->loop = loop;
	web->options = options;
	web->live = live;
	web->backend = *backend;
	web->store = store;
	web->reader = store ? reader_new(loop, store, backend, READER_MS) : NULL;
	struct err err = {0};
	if (!ui_dir)
		log_warn("no dashboard: its files were not found beside the program");
	else if (assets_load(ui_dir, &web->assets, &err))
		log_warn("no dashboard", KV_S("error", err.text));
	web->bodies = bodies_new(loop);
	web->stream = stream_new(web);
	web->pings = mem_alloc(sizeof(*web->pings));
	web->pings->seed = (uint64_t)rnd_u32() << 32 | rnd_u32();
	web->listeners_n = options->listen.n;
	web->listeners = mem_array(web->listeners_n, sizeof(*web->listeners));
	const struct web_listen *listen = options->listen.v;
	for (size_t i = 0; i < web->listeners_n; i++)
		web->listeners[i] = listener_new(loop, &listen[i], web_dispatch, web);
	web->open_listeners = web->listeners_n;
	uv_timer_init(loop, &web->stop_timer);
	web->stop_timer.data = web;
	return web;
}

static void log_started(const struct listener *l)
{
	HALE_CLEANUP(cleanup_free)
	char *text = mem_printf("Health check server started on %s", listener_url(l));
	log_info(text);
}

static void on_change(void *ctx, struct listener *l)
{
	struct web *web = ctx;
	log_started(l);
	web->on_listening(web->ctx);
}

void web_start(struct web *web, void (*on_listening)(void *ctx), void *ctx)
{
	web->on_listening = on_listening;
	web->ctx = ctx;
	for (size_t i = 0; i < web->listeners_n; i++) {
		struct listener *l = web->listeners[i];
		if (listener_start(l, on_change) == 0)
			log_started(l);
		else
			log_warn("cannot listen, will try again",
				 KV_S("address", listener_address(l)),
				 KV_S("error", listener_problem(l)));
	}
	on_listening(ctx);
}

/* ---- what happened before it started ---- */

/* Older is not "lately"; and a store without much in it is not searched for ever. */
#define RECALL_MS (INT64_C(7) * 24 * 3600 * 1000)

struct recall {
	struct web *web;
	char *epoch;
	uint64_t head;
};

static int ask_recent(void *arg, struct store *s, struct str *out, struct err *err)
{
	const struct recall *c = arg;
	json_t *frames = json_array();
	int rc = 0;
	for (size_t i = 0; i < recent_kinds_n && !rc; i++) {
		const struct read_query q = {.what = recent_kinds[i],
					     .from_ms = clock_wall_ms() - RECALL_MS,
					     .limit = LIVE_RECENT_MAX,
					     .has_origin = true};
		json_t *rows = NULL;
		rc = read_rows(s, &q, &rows, err);
		recent_add(frames, q.what, json_object_get(rows, "rows"), c->epoch, c->head);
		json_decref(rows);
	}
	json_t *picked = recent_pick(frames, LIVE_RECENT_MAX);
	HALE_CLEANUP(cleanup_free) char *text = json_dumps(picked, REPLY_JSON_FLAGS);
	str_add(out, text);
	json_decref(picked);
	json_decref(frames);
	return rc;
}

static void on_recent(void *arg, char *text, int rc, const struct err *err)
{
	struct recall *c = arg;
	json_t *frames = rc ? NULL : json_loads(text, 0, NULL);
	if (rc)
		log_debug("what happened lately is not known", KV_S("error", err->text));
	live_remember(c->web->live, frames);
	json_decref(frames);
	free(text);
	free(c->epoch);
	free(c);
}

void web_recall(struct web *web)
{
	if (!web->reader || web->is_stopping)
		return;
	struct recall *c = mem_alloc(sizeof(*c));
	*c = (struct recall){
		web, mem_dup(json_string_value(json_object_get(live_base(web->live), "epoch"))),
		live_seq(web->live)};
	reader_ask(web->reader, &(struct reader_question){ask_recent, on_recent, c});
}

static void on_all_closed(uv_handle_t *handle)
{
	struct web *web = handle->data;
	web->on_stopped(web->ctx);
}

static void on_listener_closed(void *ctx)
{
	struct web *web = ctx;
	if (--web->open_listeners == 0)
		uv_close((uv_handle_t *)&web->stop_timer, on_all_closed);
}

static void on_stop_poll(uv_timer_t *t)
{
	struct web *web = t->data;
	for (size_t i = 0; i < web->listeners_n; i++)
		if (listener_deferred(web->listeners[i]))
			return;
	if (web->stream || bodies_running(web->bodies) ||
	    (web->reader && !reader_is_idle(web->reader)))
		return;
	uv_timer_stop(&web->stop_timer);
	bodies_close(web->bodies);
	if (web->reader)
		reader_close(web->reader);
	for (size_t i = 0; i < web->listeners_n; i++)
		listener_close(TAKE_PTR(web->listeners[i]), on_listener_closed, web);
}

static void on_stream_closed(void *ctx)
{
	struct web *web = ctx;
	web->stream = NULL;
}

void web_stop(struct web *web, void (*on_stopped)(void *ctx))
{
	HALE_ASSERT(!web->is_stopping);
	web->is_stopping = true;
	web->on_stopped = on_stopped;
	for (size_t i = 0; i < web->listeners_n; i++)
		listener_quiesce(web->listeners[i]);
	bodies_stop(web->bodies);
	stream_close(web->stream, on_stream_closed, web);
	uv_timer_start(&web->stop_timer, on_stop_poll, 0, STOP_POLL_MS);
}

void web_free(struct web *web)
{
	if (!web)
		return;
	for (size_t i = 0; i < DOCUMENT_MAX; i++)
		reply_unref(web->documents[i].reply);
	assets_free(web->assets);
	reader_free(web->reader);
	json_decref(web->past.statistics);
	bodies_free(web->bodies);
	free(web->pings);
	free(web->listeners);
	free(web);
}

void web_describe(const struct web *web, struct str *out)
{
	for (size_t i = 0; i < web->listeners_n; i++) {
		const struct listener *l = web->listeners[i];
		const char *problem = listener_problem(l);
		if (problem)
			str_addf(out, "%s%s: %s, trying again", i ? "; " : "", listener_address(l),
				 problem);
		else
			str_addf(out, "%slistening on %s", i ? "; " : "", listener_url(l));
	}
}

void web_counters(const struct web *web, struct metrics_web *out)
{
	*out = (struct metrics_web){0};
	for (size_t i = 0; i < web->listeners_n; i++) {
		const struct listener_stats *s = listener_stats_get(web->listeners[i]);
		out->requests += s->requests;
		out->refused += s->refused;
	}
	out->stream_clients = web->stream ? stream_clients(web->stream) : 0;
	out->stream_dropped = web->stream ? stream_dropped(web->stream) : 0;
	out->past = web->past.statistics;
}

static void refuse_method(struct request *rq)
{
	HALE_CLEANUP(str_done) struct str allow = {0};
	route_allow(routes, request_path(rq), &allow);
	struct reply *r =
		reply_error("METHOD_NOT_ALLOWED", "this path does not know that method", NULL);
	reply_header(r, "Allow", str_text(&allow));
	request_answer(rq, 405, r);
}

/* The role a request without a token has: a loopback listener with public details lets whoever is
 * on the machine read. A page of another site whose name was pointed at 127.0.0.1 is not that. */
static enum role role_without_token(const struct request *rq, const struct route *route)
{
	if (!request_has_public_details(rq))
		return ROLE_PUBLIC;
	return request_is_local(rq) || (route->flags & ROUTE_DETAIL) ? ROLE_VIEWER : ROLE_PUBLIC;
}

/* True if the request may go on; else it was answered. */
static bool authorise(struct web *web, struct request *rq, const struct route *route)
{
	if (route->role == ROLE_PUBLIC)
		return true;
	const char *authorization = request_header(rq, "Authorization");
	const char *name = NULL;
	enum role role = authorization ? auth_token(web->options, auth_bearer(authorization), &name)
				       : role_without_token(rq, route);
	if (role >= route->role) {
		if (route->role >= ROLE_OPERATOR)
			log_info("operation requested", KV_S("token", name),
				 KV_S("method", request_method(rq)),
				 KV_S("path", request_path(rq)));
		return true;
	}
	if (authorization && role > ROLE_PUBLIC) {
		request_refuse(rq, 403, "FORBIDDEN", "this needs the role %s",
			       role_name(route->role));
		return false;
	}
	struct reply *r = reply_error("UNAUTHORIZED",
				      authorization ? "token not accepted"
						    : "a token is needed: Authorization: Bearer …",
				      NULL);
	reply_header(r, "WWW-Authenticate",
		     authorization ? "Bearer realm=\"hale\", error=\"invalid_token\""
				   : "Bearer realm=\"hale\"");
	request_answer(rq, 401, r);
	return false;
}

void web_dispatch(void *ctx, struct request *rq)
{
	struct web *web = ctx;
	struct route_match *match = request_match(rq);
	enum route_found found = route_find(routes, request_method(rq), request_path(rq), match);
	if (found == ROUTE_NO_PATH) {
		request_refuse(rq, 404, "NOT_FOUND", "no such path; /api/v1/routes lists them");
		return;
	}
	if (found == ROUTE_NO_METHOD) {
		refuse_method(rq);
		return;
	}
	const struct route *route = match->route;
	if (!authorise(web, rq, route))
		return;
	const char *stray = route->query ? request_query_stray(rq, route->query) : NULL;
	if (stray)
		request_refuse(rq, 400, "BAD_REQUEST", "unknown or repeated parameter '%.64s'",
			       stray);
	else if (web->is_stopping)
		request_refuse(rq, 503, "STOPPING", "hale-web is stopping");
	else
		route->handle(web, rq);
}

void web_document(struct web *web, struct request *rq, unsigned status, enum document which,
		  struct reply *(*render)(struct web *web))
{
	__typeof__(web->documents[0]) *d = &web->documents[which];
	int64_t now = clock_mono_ms();
	if (!d->reply || d->revision != live_revision(web->live) ||
	    now - d->made_ms >= DOCUMENT_AGE_MS) {
		reply_unref(d->reply);
		d->reply = render(web);
		d->revision = live_revision(web->live);
		d->made_ms = now;
	}
	request_answer(rq, status, reply_ref(d->reply));
}
