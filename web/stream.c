/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"

#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "ws.h"

#define TICK_MS 1000

struct client {
	struct client *prev, *next;
	struct stream *stream;
	struct ws *ws; /* NULL until the upgrade is through */
	bool is_allowed;
	bool has_snapshot;
	size_t queue_max;
	int64_t auth_by_ms;
};

struct stream {
	struct web *web;
	struct client *clients;
	size_t n;
	uint64_t dropped;
	uv_timer_t tick;
	bool is_closing;
	struct str snapshot; /* frame of the revision below */
	uint64_t snapshot_revision;
	void (*on_closed)(void *ctx);
	void *closed_ctx;
};

static void finish_close(uv_handle_t *handle)
{
	struct stream *s = handle->data;
	void (*on_closed)(void *ctx) = s->on_closed;
	void *ctx = s->closed_ctx;
	str_done(&s->snapshot);
	free(s);
	if (on_closed)
		on_closed(ctx);
}

static void client_free(struct client *c)
{
	struct stream *s = c->stream;
	if (c->prev)
		c->prev->next = c->next;
	else
		s->clients = c->next;
	if (c->next)
		c->next->prev = c->prev;
	free(c);
	s->n--;
	if (s->is_closing && !s->n)
		uv_close((uv_handle_t *)&s->tick, finish_close);
}

static void drop_if_slow(struct client *c)
{
	if (ws_is_closing(c->ws) || ws_queued(c->ws) <= c->queue_max)
		return;
	c->stream->dropped++;
	log_warn("stream client dropped: reads too slowly", KV_I("queued_bytes", ws_queued(c->ws)));
	ws_close(c->ws, WS_TRY_LATER, "reading too slowly: reconnect for a snapshot");
}

static void frame(struct str *out, const char *event, uint64_t seq, const json_t *data)
{
	str_addf(out, "{\"event\":\"%s\",\"seq\":%llu,\"data\":", event, (unsigned long long)seq);
	HALE_CLEANUP(cleanup_free) char *text = json_dumps(data, REPLY_JSON_FLAGS);
	str_add(out, text ? text : "null");
	str_addc(out, '}');
}

static const struct str *snapshot_frame(struct stream *s)
{
	const struct live *live = s->web->live;
	if (s->snapshot.len && s->snapshot_revision == live_revision(live))
		return &s->snapshot;
	json_t *doc = live_document(live);
	json_object_set(doc, "recent", (json_t *)(uintptr_t)live_recent(live));
	str_clear(&s->snapshot);
	frame(&s->snapshot, "snapshot", live_seq(live), doc);
	json_decref(doc);
	s->snapshot_revision = live_revision(live);
	return &s->snapshot;
}

static void send_snapshot(struct client *c)
{
	if (!live_has_snapshot(c->stream->web->live))
		return;
	const struct str *text = snapshot_frame(c->stream);
	c->has_snapshot = true;
	c->queue_max = STREAM_QUEUE_MAX + text->len;
	ws_send(c->ws, text->data, text->len);
	drop_if_slow(c);
}

static void send_error(struct client *c, const char *text)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	json_t *data = json_pack("{s:s}", "error", text);
	frame(&out, "error", live_seq(c->stream->web->live), data);
	json_decref(data);
	ws_send(c->ws, out.data, out.len);
	drop_if_slow(c);
}

static void take_auth(struct client *c, const json_t *message)
{
	const char *token = json_string_value(json_object_get(message, "token"));
	if (c->is_allowed)
		return;
	if (auth_token(c->stream->web->options, token, NULL) < ROLE_VIEWER) {
		ws_close(c->ws, WS_POLICY, "token not accepted");
		return;
	}
	c->is_allowed = true;
	send_snapshot(c);
}

static void on_text(void *ctx, const char *text, size_t len)
{
	struct client *c = ctx;
	json_error_t unused;
	json_t *message = json_loadb(text, len, JSON_REJECT_DUPLICATES, &unused);
	const char *event = json_string_value(json_object_get(message, "event"));
	if (str_eq(event, "auth"))
		take_auth(c, message);
	else if (!c->is_allowed)
		ws_close(c->ws, WS_POLICY, "the first message must be auth");
	else
		send_error(c, event ? "unknown event; known: auth"
				    : "not a JSON object with an event");
	json_decref(message);
}

static void on_client_closed(void *ctx)
{
	client_free(ctx);
}

static void on_upgraded(void *ctx, struct upgraded *u, int fd, const void *extra, size_t len)
{
	static const struct ws_ops ops = {.on_text = on_text, .on_closed = on_client_closed};
	struct client *c = ctx;
	c->ws = ws_new(c->stream->web->loop, u, fd, extra, len, &ops, c);
	if (c->stream->is_closing)
		ws_close(c->ws, WS_GOING_AWAY, "hale-web is stopping");
	else if (c->is_allowed)
		send_snapshot(c);
}

static void on_tick(uv_timer_t *t)
{
	struct stream *s = t->data;
	int64_t now = clock_mono_ms();
	for (struct client *c = s->clients; c; c = c->next) {
		if (!c->ws)
			continue;
		if (!c->is_allowed && now >= c->auth_by_ms)
			ws_close(c->ws, WS_POLICY, "no token in time");
		ws_tick(c->ws, now);
	}
}

struct stream *stream_new(struct web *web)
{
	struct stream *s = mem_alloc(sizeof(*s));
	s->web = web;
	uv_timer_init(web->loop, &s->tick);
	s->tick.data = s;
	uv_timer_start(&s->tick, on_tick, TICK_MS, TICK_MS);
	return s;
}

static void client_new(struct stream *s, struct request *rq, const char *accept, bool is_allowed)
{
	struct client *c = mem_alloc(sizeof(*c));
	c->stream = s;
	c->is_allowed = is_allowed;
	c->queue_max = STREAM_QUEUE_MAX;
	c->auth_by_ms = clock_mono_ms() + STREAM_AUTH_MS;
	c->next = s->clients;
	if (c->next)
		c->next->prev = c;
	s->clients = c;
	s->n++;
	request_upgrade(rq, accept, on_upgraded, on_client_closed, c);
}

/* Whether the request may read without saying more; a wrong token is no token at all. */
static bool is_allowed_now(struct web *web, struct request *rq)
{
	const char *authorization = request_header(rq, "Authorization");
	if (authorization)
		return auth_token(web->options, auth_bearer(authorization), NULL) >= ROLE_VIEWER;
	return request_is_local(rq) && request_has_public_details(rq);
}

static void refuse_upgrade(struct request *rq)
{
	struct reply *r =
		reply_error("UPGRADE_REQUIRED", "this is a WebSocket (RFC 6455, version 13)", NULL);
	reply_header(r, "Upgrade", "websocket");
	reply_header(r, "Sec-WebSocket-Version", "13");
	request_answer(rq, 426, r);
}

void stream_accept(struct web *web, struct request *rq)
{
	struct stream *s = web->stream;
	char accept[WS_ACCEPT_SIZE];
	const char *origin = request_header(rq, "Origin");
	const char *authorization = request_header(rq, "Authorization");
	bool is_allowed = is_allowed_now(web, rq);
	if (!str_eq(request_method(rq), "GET") ||
	    !ws_header_has(request_header(rq, "Connection"), "Upgrade") ||
	    !ws_header_has(request_header(rq, "Upgrade"), "websocket") ||
	    !str_eq(request_header(rq, "Sec-WebSocket-Version"), "13"))
		refuse_upgrade(rq);
	else if (ws_accept_key(request_header(rq, "Sec-WebSocket-Key"), accept))
		request_refuse(rq, 400, "BAD_REQUEST",
			       "Sec-WebSocket-Key is not 16 bytes in base64");
	else if (origin &&
		 !ws_origin_allowed(origin, request_header(rq, "Host"), &web->options->origins))
		request_refuse(rq, 403, "FORBIDDEN_ORIGIN",
			       "pages of %.200s may not open the stream (web.origins)", origin);
	else if (authorization && !is_allowed)
		request_refuse(rq, 401, "UNAUTHORIZED", "token not accepted");
	else if (s->is_closing || s->n >= STREAM_CLIENTS_MAX)
		request_refuse(rq, 503, "TOO_MANY_STREAMS", "all %d streams are taken",
			       STREAM_CLIENTS_MAX);
	else
		client_new(s, rq, accept, is_allowed);
}

void stream_snapshot(struct stream *s)
{
	for (struct client *c = s->clients; c; c = c->next)
		if (c->ws && c->is_allowed)
			send_snapshot(c);
}

static void broadcast(struct stream *s, const struct str *text)
{
	for (struct client *c = s->clients; c; c = c->next) {
		if (!c->ws || !c->has_snapshot)
			continue;
		ws_send(c->ws, text->data, text->len);
		drop_if_slow(c);
	}
}

void stream_line(struct stream *s, const char *event, uint64_t seq, const json_t *object)
{
	if (!s->clients)
		return;
	HALE_CLEANUP(str_done) struct str text = {0};
	frame(&text, event, seq, object);
	broadcast(s, &text);
}

void stream_stale(struct stream *s, bool is_stale)
{
	json_t *data = json_pack("{s:b}", "stale", is_stale);
	stream_line(s, "stale", live_seq(s->web->live), data);
	json_decref(data);
}

size_t stream_clients(const struct stream *s)
{
	return s->n;
}

uint64_t stream_dropped(const struct stream *s)
{
	return s->dropped;
}

void stream_close(struct stream *s, void (*on_closed)(void *ctx), void *ctx)
{
	s->is_closing = true;
	s->on_closed = on_closed;
	s->closed_ctx = ctx;
	if (!s->n) {
		uv_close((uv_handle_t *)&s->tick, finish_close);
		return;
	}
	for (struct client *c = s->clients; c; c = c->next)
		if (c->ws)
			ws_close(c->ws, WS_GOING_AWAY, "hale-web is stopping");
}
