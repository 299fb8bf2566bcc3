/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/strlist.h"
#include "model/frame.h"
#include "bus/wire.h"

/* More callers at once than that are not operators; the next is hung up on. */
#define CONNECTIONS_MAX 256
#define BACKLOG         128
/* How long a closing server waits until the last answers are on their way. */
#define CLOSE_MAX_MS    500
#define METHODS_MAX     256

struct connection {
	struct wire wire;
	struct command_server *server;
	struct connection *next, *prev;
};

/* Outlives connection and server, because the one who has it in hand may answer late. */
struct command_request {
	struct command_server *server; /* NULL: answered already, by command_close */
	struct connection *connection; /* NULL: the caller has gone */
	struct command_request *next, *prev;
	json_t *id;
	const char *method; /* of the server's table */
};

struct command_server {
	uv_pipe_t listener;
	uv_timer_t timer; /* the limit of closing */
	const struct command_method *methods;
	void *ctx;
	struct connection *connections;
	size_t n_connections;
	struct command_request *requests; /* open ones */
	size_t n_open;
	struct command_stats stats;
	struct bus_access access;
	bool is_closing;
	unsigned open_handles;
	void (*on_closed)(void *ctx);
	void *closed_ctx;
};

/* ---- answers ---- */

/* Takes result or error. False if the answer is too long to be sent. */
static bool send_answer(struct connection *c, const json_t *id, const char *member, json_t *value)
{
	json_t *answer = json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", id, member, value);
	char *text = json_dumps(answer, JSON_WIRE_FLAGS);
	size_t len;

	HALE_ASSERT(text != NULL);
	len = strlen(text);
	if (len <= COMMAND_MAX_BYTES)
		wire_send(&c->wire, text, len);
	free(text);
	json_decref(answer);
	return len <= COMMAND_MAX_BYTES;
}

static void send_error(struct connection *c, const json_t *id, int code, const char *message,
		       json_t *data)
{
	/* The message may quote bytes of the request. */
	json_t *text = json_string(message);
	json_t *error = json_pack("{s:i, s:o}", "code", code, "message",
				  text != NULL ? text : json_string("refused (unprintable text)"));

	if (data != NULL)
		(void)json_object_set_new(error, "data", data);
	if (!send_answer(c, id, "error", error)) {
		error = json_pack("{s:i, s:s}", "code", code, "message",
				  "failed; the details are too long to be sent");
		(void)send_answer(c, id, "error", error);
	}
}

/* The request is answered: the connection that waits for it, or NULL. */
static struct connection *end_request(struct command_request *rq)
{
	struct command_server *s = rq->server;

	if (s == NULL)
		return NULL;
	*(rq->prev == NULL ? &s->requests : &rq->prev->next) = rq->next;
	if (rq->next != NULL)
		rq->next->prev = rq->prev;
	s->n_open--;
	rq->server = NULL;
	return rq->connection;
}

static void free_request(struct command_request *rq)
{
	json_decref(rq->id);
	free(rq);
}

const char *command_request_method(const struct command_request *rq)
{
	return rq->method;
}

void command_reply(struct command_request *rq, json_t *result)
{
	struct connection *c = end_request(rq);

	HALE_ASSERT(result != NULL);
	if (c == NULL)
		json_decref(result);
	else if (!send_answer(c, rq->id, "result", result))
		send_error(c, rq->id, COMMAND_E_FAILED, "the answer is longer than 16 MB", NULL);
	free_request(rq);
}

void command_fail(struct command_request *rq, int code, json_t *data, const char *fmt, ...)
{
	HALE_CLEANUP(str_done) struct str message = {0};
	struct connection *c = end_request(rq);
	va_list args;

	va_start(args, fmt);
	str_vaddf(&message, fmt, args);
	va_end(args);
	if (c == NULL)
		json_decref(data);
	else
		send_error(c, rq->id, code, str_text(&message), data);
	free_request(rq);
}

/* ---- requests ---- */

static const struct command_method *find_method(const struct command_server *s, const char *name)
{
	for (const struct command_method *m = s->methods; m->name != NULL; m++) {
		if (strcmp(m->name, name) == 0)
			return m;
	}
	return NULL;
}

static void refuse_unknown(struct command_server *s, struct connection *c, const json_t *id,
			   const char *name)
{
	HALE_CLEANUP(str_done) struct str message = {0};
	const char *names[METHODS_MAX + 1] = {NULL};
	const char *near;

	for (size_t i = 0; i < METHODS_MAX && s->methods[i].name != NULL; i++)
		names[i] = s->methods[i].name;
	near = suggest_nearest(name, names);
	str_addf(&message, "unknown method \"%.64s\"", name);
	if (near != NULL)
		str_addf(&message, ": did you mean \"%s\"?", near);
	s->stats.unknown++;
	send_error(c, id, COMMAND_E_METHOD, str_text(&message), NULL);
}

static void refuse_bad(struct connection *c, const json_t *id, int code, const char *message)
{
	c->server->stats.bad++;
	send_error(c, id, code, message, NULL);
}

static void call_method(struct connection *c, const struct command_method *m, json_t *id,
			const json_t *params)
{
	struct command_request *rq = mem_alloc(sizeof(*rq));
	struct command_server *s = c->server;

	rq->server = s;
	rq->connection = c;
	rq->id = json_incref(id);
	rq->method = m->name;
	rq->next = s->requests;
	if (rq->next != NULL)
		rq->next->prev = rq;
	s->requests = rq;
	s->n_open++;
	m->call(s->ctx, rq, params);
}

static void take_request(struct connection *c, json_t *request)
{
	struct command_server *s = c->server;
	json_t *id = json_object_get(request, "id");
	const char *name = json_string_value(json_object_get(request, "method"));
	const char *version = json_string_value(json_object_get(request, "jsonrpc"));
	const json_t *params = json_object_get(request, "params");
	const struct command_method *m;

	/* An error is answered under the request's id if it has one of a legal kind. */
	if (id == NULL || !(json_is_number(id) || json_is_string(id)))
		id = json_null();
	if (version == NULL || strcmp(version, "2.0") != 0 || name == NULL) {
		refuse_bad(c, id, COMMAND_E_REQUEST,
			   "not a JSON-RPC 2.0 request: {\"jsonrpc\": \"2.0\", \"id\": …, "
			   "\"method\": …, \"params\": {…}}");
		return;
	}
	if (params != NULL && !json_is_object(params) && !json_is_null(params)) {
		refuse_bad(c, id, COMMAND_E_PARAMS, "params must be an object");
		return;
	}
	m = find_method(s, name);
	if (m == NULL) {
		refuse_unknown(s, c, id, name);
	} else if (s->n_open >= COMMAND_OPEN_MAX) {
		s->stats.busy++;
		send_error(c, id, COMMAND_E_BUSY, "busy: too many requests are open", NULL);
	} else {
		call_method(c, m, id, json_is_null(params) ? NULL : params);
	}
}

static void on_text(struct wire *w, char *text, size_t len)
{
	struct connection *c = container_of(w, struct connection, wire);
	json_t *request;
	json_error_t error;
	char message[256];

	c->server->stats.requests++;
	request = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (request == NULL) {
		(void)snprintf(message, sizeof(message), "not JSON: line %d column %d: %.160s",
			       error.line, error.column, error.text);
		refuse_bad(c, json_null(), COMMAND_E_PARSE, message);
		return;
	}
	take_request(c, request);
	json_decref(request);
}

/* ---- connections ---- */

static void on_part_closed(struct command_server *s)
{
	void (*on_closed)(void *ctx) = s->on_closed;
	void *ctx = s->closed_ctx;

	if (--s->open_handles > 0)
		return;
	free(s);
	if (on_closed != NULL)
		on_closed(ctx);
}

static void on_handle_closed(uv_handle_t *handle)
{
	on_part_closed(handle->data);
}

static void close_timer(struct command_server *s)
{
	if (!uv_is_closing((uv_handle_t *)&s->timer))
		uv_close((uv_handle_t *)&s->timer, on_handle_closed);
}

static void on_connection_closed(struct wire *w)
{
	struct connection *c = container_of(w, struct connection, wire);
	struct command_server *s = c->server;

	*(c->prev == NULL ? &s->connections : &c->prev->next) = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	s->n_connections--;
	free(c);
	/* The last of a closing server's connections: nothing is left to wait for. */
	if (s->is_closing && s->n_connections == 0)
		close_timer(s);
	on_part_closed(s);
}

/* Whoever asked does not hear the answers any more. */
static void forget_caller(struct connection *c)
{
	for (struct command_request *rq = c->server->requests; rq != NULL; rq = rq->next) {
		if (rq->connection == c)
			rq->connection = NULL;
	}
}

static void on_end(struct wire *w)
{
	struct connection *c = container_of(w, struct connection, wire);

	c->server->stats.endless += w->in.len > w->line_max;
	forget_caller(c);
	wire_close(w);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct command_server *s = listener->data;
	struct connection *c;

	if (status < 0 || s->is_closing)
		return;
	c = mem_alloc(sizeof(*c));
	c->server = s;
	c->wire.line_max = COMMAND_MAX_BYTES;
	c->wire.on_text = on_text;
	c->wire.on_end = on_end;
	c->wire.on_closed = on_connection_closed;
	wire_init(&c->wire, listener->loop);
	c->next = s->connections;
	if (c->next != NULL)
		c->next->prev = c;
	s->connections = c;
	s->n_connections++;
	s->open_handles++;
	if (uv_accept(listener, (uv_stream_t *)&c->wire.pipe) < 0 ||
	    s->n_connections > CONNECTIONS_MAX ||
	    !bus_access_lets(&s->access, wire_peer(&c->wire.pipe), geteuid())) {
		s->stats.refused++;
		wire_close(&c->wire);
		return;
	}
	wire_start(&c->wire);
}

/* ---- life ---- */

int command_listen(uv_loop_t *loop, const char *path, const struct bus_access *access,
		   const struct command_method *methods, void *ctx,
		   struct command_server **server_r, struct err *err)
{
	struct command_server *s = mem_alloc(sizeof(*s));
	int rc;

	s->methods = methods;
	s->ctx = ctx;
	s->open_handles = 2;
	(void)uv_pipe_init(loop, &s->listener, 0);
	(void)uv_timer_init(loop, &s->timer);
	s->listener.data = s->timer.data = s;
	s->access = bus_access_of(access);
	rc = wire_bind(&s->listener, path, &s->access, err);
	if (rc == 0) {
		rc = uv_listen((uv_stream_t *)&s->listener, BACKLOG, on_connection);
		if (rc < 0)
			(void)err_errno(err, rc, "cannot listen at %s", path);
	}
	if (rc < 0) {
		command_close(s, NULL, NULL);
		return rc;
	}
	*server_r = s;
	return 0;
}

const struct command_stats *command_stats_get(const struct command_server *s)
{
	return &s->stats;
}

json_t *command_stats_encode(const struct command_server *s)
{
	const struct command_stats *c = &s->stats;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "requests", (json_int_t)c->requests,
			 "bad", (json_int_t)c->bad, "unknown", (json_int_t)c->unknown, "busy",
			 (json_int_t)c->busy, "refused", (json_int_t)c->refused, "endless",
			 (json_int_t)c->endless);
}

static void on_close_timeout(uv_timer_t *timer)
{
	struct command_server *s = timer->data;

	for (struct connection *c = s->connections; c != NULL; c = c->next)
		wire_close(&c->wire);
	close_timer(s);
}

void command_close(struct command_server *s, void (*on_closed)(void *ctx), void *ctx)
{
	HALE_ASSERT(!s->is_closing);
	s->is_closing = true;
	s->on_closed = on_closed;
	s->closed_ctx = ctx;
	while (s->requests != NULL) {
		struct command_request *rq = s->requests;
		struct connection *c = end_request(rq);

		if (c != NULL)
			send_error(c, rq->id, COMMAND_E_REFUSED, "shutting down", NULL);
	}
	uv_close((uv_handle_t *)&s->listener, on_handle_closed);
	for (struct connection *c = s->connections; c != NULL; c = c->next)
		wire_finish(&c->wire);
	if (s->n_connections > 0)
		(void)uv_timer_start(&s->timer, on_close_timeout, CLOSE_MAX_MS, 0);
	else
		close_timer(s);
}
