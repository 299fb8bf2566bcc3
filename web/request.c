/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bind.h"
#include "framing.h"
#include "listener_private.h"

struct request {
	struct listener *listener;
	struct peer *peer;
	struct MHD_Connection *conn;
	char *method;
	char *path;
	struct route_match match;
	uint64_t body_bytes;
	struct str body;    /* its first REQUEST_BODY_KEPT bytes */
	bool is_dispatched; /* on_request was called */
	bool is_deferred;   /* the handler answers later */
	bool is_suspended;
	bool is_waiting;     /* suspended within its body, until request_more() */
	unsigned status;     /* of the answer; 0: none yet */
	struct reply *reply; /* the answer; NULL for an upgrade */
	struct {
		char *accept;
		upgraded_fn on_upgraded;
		void (*on_lost)(void *ctx);
		void *ctx;
	} upgrade;
};

struct upgraded {
	struct MHD_UpgradeResponseHandle *handle;
	struct listener *listener;
};

static struct peer *peer_of(struct MHD_Connection *conn)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info ? info->socket_context : NULL;
}

static void peer_phase(struct peer *p, bool is_answering)
{
	if (!p)
		return;
	p->is_answering = is_answering;
	p->is_waiting = false;
	p->since_ms = clock_mono_ms();
}

/* Of the connection. Back to what is usual with the next request on it. */
static void set_idle(struct request *rq, unsigned seconds)
{
	if (!rq->peer || rq->peer->idle_s == seconds)
		return;
	rq->peer->idle_s = seconds;
	(void)MHD_set_connection_option(rq->conn, MHD_CONNECTION_OPTION_TIMEOUT, seconds);
}

static enum MHD_Result on_framing_header(void *cls, enum MHD_ValueKind kind, const char *key,
					 const char *value)
{
	(void)kind;
	framing_header(cls, key, value);
	return MHD_YES;
}

static void on_upgrade(void *cls, struct MHD_Connection *conn, void *con_cls, const char *extra,
		       size_t extra_len, MHD_socket fd, struct MHD_UpgradeResponseHandle *handle)
{
	(void)con_cls;
	struct request *rq = cls;
	struct upgraded *u = mem_alloc(sizeof(*u));
	u->handle = handle;
	u->listener = rq->listener;
	struct peer *p = peer_of(conn);
	if (p)
		p->is_upgraded = true;
	upgraded_fn on_upgraded = TAKE_PTR(rq->upgrade.on_upgraded);
	on_upgraded(rq->upgrade.ctx, u, fd, extra, extra_len);
}

static enum MHD_Result queue_upgrade(struct request *rq)
{
	struct MHD_Response *r = MHD_create_response_for_upgrade(on_upgrade, rq);
	if (!r)
		return MHD_NO;
	(void)MHD_add_response_header(r, "Upgrade", "websocket");
	(void)MHD_add_response_header(r, "Sec-WebSocket-Accept", rq->upgrade.accept);
	enum MHD_Result rc = MHD_queue_response(rq->conn, MHD_HTTP_SWITCHING_PROTOCOLS, r);
	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result queue(struct request *rq)
{
	if (rq->upgrade.on_upgraded)
		return queue_upgrade(rq);
	if (reply_begin(rq->reply, rq))
		set_idle(rq, LISTENER_STREAM_IDLE_S);
	return MHD_queue_response(rq->conn, rq->status, reply_mhd(rq->reply));
}

/* Answers before anything of the body was read; the connection is closed after it, because where
 * the next request would begin is not certain. */
static enum MHD_Result refuse_early(struct request *rq, unsigned status, const char *code,
				    const char *text)
{
	listener_count_refused(rq->listener);
	struct reply *r = reply_error(code, text, NULL);
	reply_header(r, "Connection", "close");
	rq->is_dispatched = true;
	request_answer(rq, status, r);
	return queue(rq);
}

static enum MHD_Result begin(struct listener *l, struct MHD_Connection *conn, const char *url,
			     const char *method, void **con_cls)
{
	struct request *rq = mem_alloc(sizeof(*rq));
	rq->listener = l;
	rq->conn = conn;
	rq->peer = peer_of(conn);
	rq->method = mem_dup(method);
	rq->path = mem_dup(url);
	*con_cls = rq;
	peer_phase(rq->peer, false);
	set_idle(rq, LISTENER_IDLE_S);
	struct framing f = {0};
	MHD_get_connection_values(conn, MHD_HEADER_KIND, on_framing_header, &f);
	const char *problem = framing_problem(&f);
	if (problem)
		return refuse_early(rq, MHD_HTTP_BAD_REQUEST, "BAD_REQUEST", problem);
	if (f.lengths && f.length > REQUEST_BODY_MAX)
		return refuse_early(rq, MHD_HTTP_CONTENT_TOO_LARGE, "BODY_TOO_LARGE",
				    "the body is larger than 100 KB");
	/* Answering a sound request in this first call would close the connection (measured). */
	return MHD_YES;
}

enum MHD_Result request_access(void *cls, struct MHD_Connection *conn, const char *url,
			       const char *method, const char *version, const char *upload_data,
			       size_t *upload_len, void **con_cls)
{
	(void)version;
	struct request *rq = *con_cls;
	if (!rq)
		return begin(cls, conn, url, method, con_cls);
	if (*upload_len) {
		rq->body_bytes += *upload_len;
		str_addn(&rq->body, upload_data,
			 HALE_MIN(*upload_len, REQUEST_BODY_KEPT - rq->body.len));
		*upload_len = 0;
		return MHD_YES;
	}
	if (!rq->is_dispatched) {
		rq->is_dispatched = true;
		peer_phase(rq->peer, true);
		if (rq->body_bytes > REQUEST_BODY_MAX) {
			listener_count_refused(rq->listener);
			request_refuse(rq, MHD_HTTP_CONTENT_TOO_LARGE, "BODY_TOO_LARGE",
				       "the body is larger than 100 KB");
		} else {
			listener_dispatch(rq->listener, rq);
		}
	}
	if (rq->status)
		return queue(rq);
	/* A handler that neither answered nor deferred would leave the client waiting for ever. */
	HALE_ASSERT(rq->is_deferred);
	rq->is_suspended = true;
	MHD_suspend_connection(conn);
	return MHD_YES;
}

void request_completed(void *cls, struct MHD_Connection *conn, void **con_cls,
		       enum MHD_RequestTerminationCode code)
{
	(void)cls;
	(void)conn;
	(void)code;
	struct request *rq = TAKE_PTR(*con_cls);
	if (!rq)
		return;
	peer_phase(rq->peer, false);
	if (rq->upgrade.on_upgraded)
		rq->upgrade.on_lost(rq->upgrade.ctx);
	reply_gone(rq->reply);
	reply_unref(rq->reply);
	free(rq->upgrade.accept);
	free(rq->method);
	free(rq->path);
	str_done(&rq->body);
	free(rq);
}

const char *request_method(const struct request *rq)
{
	return rq->method;
}

const char *request_path(const struct request *rq)
{
	return rq->path;
}

const char *request_param(const struct request *rq, size_t i)
{
	HALE_ASSERT(i < ROUTE_PARAMS_MAX);
	return rq->match.params[i];
}

struct route_match *request_match(struct request *rq)
{
	return &rq->match;
}

struct query_seek {
	const char *name;
	const char *value;
};

static enum MHD_Result on_query(void *cls, enum MHD_ValueKind kind, const char *key,
				const char *value)
{
	(void)kind;
	struct query_seek *seek = cls;
	if (strcmp(key, seek->name) != 0)
		return MHD_YES;
	seek->value = value ? value : "";
	return MHD_NO;
}

const char *request_query(const struct request *rq, const char *name)
{
	struct query_seek seek = {.name = name};
	MHD_get_connection_values(rq->conn, MHD_GET_ARGUMENT_KIND, on_query, &seek);
	return seek.value;
}

const char *request_header(const struct request *rq, const char *name)
{
	return MHD_lookup_connection_value(rq->conn, MHD_HEADER_KIND, name);
}

const char *request_body(const struct request *rq, size_t *len_r)
{
	*len_r = rq->body.len;
	return str_text(&rq->body);
}

void request_address(const struct request *rq, char *buf, size_t size)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(rq->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	if (!info || !info->client_addr || uv_ip_name(info->client_addr, buf, size))
		buf[0] = '\0';
}

struct stray_seek {
	const char *const *allowed;
	uint64_t seen; /* bit per index of allowed */
	const char *stray;
};

static enum MHD_Result on_stray(void *cls, enum MHD_ValueKind kind, const char *key,
				const char *value)
{
	(void)kind;
	(void)value;
	struct stray_seek *seek = cls;
	for (size_t i = 0; seek->allowed[i]; i++) {
		if (strcmp(key, seek->allowed[i]) != 0)
			continue;
		uint64_t bit = 1ull << i;
		if (seek->seen & bit)
			break;
		seek->seen |= bit;
		return MHD_YES;
	}
	seek->stray = key;
	return MHD_NO;
}

const char *request_query_stray(const struct request *rq, const char *const *allowed)
{
	struct stray_seek seek = {.allowed = allowed};
	MHD_get_connection_values(rq->conn, MHD_GET_ARGUMENT_KIND, on_stray, &seek);
	return seek.stray;
}

bool request_has_public_details(const struct request *rq)
{
	return listener_has_public_details(rq->listener);
}

bool request_is_local(const struct request *rq)
{
	return listener_is_loopback(rq->listener) &&
	       bind_host_is_loopback(request_header(rq, "Host"));
}

void request_defer(struct request *rq)
{
	HALE_ASSERT(!rq->is_deferred && !rq->status);
	rq->is_deferred = true;
	listener_count_deferred(rq->listener, 1);
}

void request_answer(struct request *rq, unsigned status, struct reply *reply)
{
	HALE_ASSERT(!rq->status && status);
	rq->status = status;
	rq->reply = reply;
	if (rq->is_deferred)
		listener_count_deferred(rq->listener, -1);
	if (rq->is_suspended) {
		/* libmicrohttpd calls request_access again, which queues the answer. */
		MHD_resume_connection(rq->conn);
		listener_wake(rq->listener);
	}
}

void request_body_step(struct request *rq, bool must_wait)
{
	/* Each piece that is taken is progress: a long answer has as long as it goes on. */
	peer_phase(rq->peer, true);
	if (!must_wait)
		return;
	rq->is_waiting = true;
	if (rq->peer)
		rq->peer->is_waiting = true;
	MHD_suspend_connection(rq->conn);
}

void request_more(struct request *rq)
{
	if (!rq->is_waiting)
		return;
	rq->is_waiting = false;
	peer_phase(rq->peer, true);
	MHD_resume_connection(rq->conn);
	listener_wake(rq->listener);
}

void request_refuse(struct request *rq, unsigned status, const char *code, const char *fmt, ...)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	va_list args;
	va_start(args, fmt);
	str_vaddf(&text, fmt, args);
	va_end(args);
	request_answer(rq, status, reply_error(code, str_text(&text), NULL));
}

void request_upgrade(struct request *rq, const char *accept_key, upgraded_fn on_upgraded,
		     void (*on_lost)(void *ctx), void *ctx)
{
	HALE_ASSERT(!rq->is_deferred);
	rq->upgrade.accept = mem_dup(accept_key);
	rq->upgrade.on_upgraded = on_upgraded;
	rq->upgrade.on_lost = on_lost;
	rq->upgrade.ctx = ctx;
	request_answer(rq, MHD_HTTP_SWITCHING_PROTOCOLS, NULL);
}

void upgraded_close(struct upgraded *u)
{
	struct listener *l = u->listener;
	(void)MHD_upgrade_action(u->handle, MHD_UPGRADE_ACTION_CLOSE);
	free(u);
	listener_wake(l);
}
