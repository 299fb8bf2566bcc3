/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/strlist.h"
#include "model/frame.h"
#include "bus/nngsock.h"

/* A context of the REP socket per request, not a raw socket: a raw one was measured to lose 178 of
 * 256 answers that were given at once, because each connection queues 64 and drops the rest. */
#define RECEIVERS_MIN 8
#define SLOTS_MAX     (COMMAND_OPEN_MAX + RECEIVERS_MIN)
/* How long a closing server waits until the last answers are on their way. */
#define CLOSE_MAX_MS  500
#define METHODS_MAX   256

enum slot_state { SLOT_RECEIVING, SLOT_OPEN, SLOT_SENDING };

/* One context and its asynchronous operation. */
struct slot {
	struct command_server *server;
	nng_ctx nctx;
	nng_aio *aio;
	atomic_bool is_done; /* set by nng's thread: the operation has ended */
	enum slot_state state;
	struct command_request *rq; /* while open */
};

/* Outlives the server, because the one who has it in hand may answer late. */
struct command_request {
	struct slot *slot; /* NULL: answered already, by command_close */
	json_t *id;
	const char *method; /* of the server's table */
};

struct command_server {
	struct nngsock sock;
	const struct command_method *methods;
	void *ctx;
	struct slot *slots[SLOTS_MAX];
	size_t n_slots;
	size_t n_receiving;
	size_t n_open;
	struct command_stats stats;
	bool is_closing;
	bool is_shut;     /* the socket is on its way out too */
	uv_timer_t timer; /* the limit of closing */
	unsigned open_handles;
	void (*on_closed)(void *ctx);
	void *closed_ctx;
};

/* nng's thread. */
static void on_aio(void *arg)
{
	struct slot *sl = arg;

	atomic_store(&sl->is_done, true);
	nngsock_wake(&sl->server->sock);
}

static void receive(struct slot *sl)
{
	sl->state = SLOT_RECEIVING;
	sl->server->n_receiving++;
	nng_ctx_recv(sl->nctx, sl->aio);
}

static int add_slot(struct command_server *s)
{
	struct slot *sl = mem_alloc(sizeof(*sl));
	int rv;

	sl->server = s;
	rv = nng_ctx_open(&sl->nctx, s->sock.socket);
	if (rv == 0) {
		rv = nng_aio_alloc(&sl->aio, on_aio, sl);
		if (rv != 0)
			(void)nng_ctx_close(sl->nctx);
	}
	if (rv != 0) {
		free(sl);
		return nngsock_errno(rv);
	}
	s->slots[s->n_slots++] = sl;
	receive(sl);
	return 0;
}

static void free_slot(struct slot *sl)
{
	(void)nng_ctx_close(sl->nctx);
	nng_aio_stop(sl->aio); /* waits for on_aio */
	/* Received and not looked at, or never sent: the message is still ours. */
	if ((nng_aio_result(sl->aio) == 0) == (sl->state == SLOT_RECEIVING))
		nng_msg_free(nng_aio_get_msg(sl->aio));
	nng_aio_free(sl->aio);
	free(sl);
}

/* ---- answers ---- */

static void send_text(struct slot *sl, const char *text, size_t len)
{
	nng_msg *msg;

	HALE_ASSERT(nng_msg_alloc(&msg, 0) == 0);
	HALE_ASSERT(nng_msg_append(msg, text, len) == 0);
	nng_aio_set_msg(sl->aio, msg);
	sl->state = SLOT_SENDING;
	nng_ctx_send(sl->nctx, sl->aio);
}

/* Takes result or error. False if the answer is too long to be sent. */
static bool send_answer(struct slot *sl, const json_t *id, const char *member, json_t *value)
{
	json_t *answer = json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", id, member, value);
	char *text = json_dumps(answer, JSON_WIRE_FLAGS);
	size_t len;

	HALE_ASSERT(text != NULL);
	len = strlen(text);
	if (len <= COMMAND_MAX_BYTES)
		send_text(sl, text, len);
	free(text);
	json_decref(answer);
	return len <= COMMAND_MAX_BYTES;
}

static void send_error(struct slot *sl, const json_t *id, int code, const char *message,
		       json_t *data)
{
	/* The message may quote bytes of the request. */
	json_t *text = json_string(message);
	json_t *error = json_pack("{s:i, s:o}", "code", code, "message",
				  text != NULL ? text : json_string("refused (unprintable text)"));

	if (data != NULL)
		(void)json_object_set_new(error, "data", data);
	if (!send_answer(sl, id, "error", error)) {
		error = json_pack("{s:i, s:s}", "code", code, "message",
				  "failed; the details are too long to be sent");
		(void)send_answer(sl, id, "error", error);
	}
}

/* The request is answered: takes it from its slot, NULL if that has been done by command_close. */
static struct slot *end_request(struct command_request *rq)
{
	struct slot *sl = rq->slot;

	if (sl != NULL) {
		sl->rq = NULL;
		sl->server->n_open--;
	}
	return sl;
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
	struct slot *sl = end_request(rq);

	HALE_ASSERT(result != NULL);
	if (sl == NULL)
		json_decref(result);
	else if (!send_answer(sl, rq->id, "result", result))
		send_error(sl, rq->id, COMMAND_E_FAILED, "the answer is longer than 16 MB", NULL);
	free_request(rq);
}

void command_fail(struct command_request *rq, int code, json_t *data, const char *fmt, ...)
{
	HALE_CLEANUP(str_done) struct str message = {0};
	struct slot *sl = end_request(rq);
	va_list args;

	va_start(args, fmt);
	str_vaddf(&message, fmt, args);
	va_end(args);
	if (sl == NULL)
		json_decref(data);
	else
		send_error(sl, rq->id, code, str_text(&message), data);
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

static void refuse_unknown(struct command_server *s, struct slot *sl, const json_t *id,
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
	send_error(sl, id, COMMAND_E_METHOD, str_text(&message), NULL);
}

static void refuse_bad(struct slot *sl, const json_t *id, int code, const char *message)
{
	sl->server->stats.bad++;
	send_error(sl, id, code, message, NULL);
}

static void call_method(struct slot *sl, const struct command_method *m, json_t *id,
			const json_t *params)
{
	struct command_request *rq = mem_alloc(sizeof(*rq));

	rq->slot = sl;
	rq->id = json_incref(id);
	rq->method = m->name;
	sl->rq = rq;
	sl->server->n_open++;
	m->call(sl->server->ctx, rq, params);
}

static void take_request(struct slot *sl, json_t *request)
{
	struct command_server *s = sl->server;
	json_t *id = json_object_get(request, "id");
	const char *name = json_string_value(json_object_get(request, "method"));
	const char *version = json_string_value(json_object_get(request, "jsonrpc"));
	const json_t *params = json_object_get(request, "params");
	const struct command_method *m;

	/* An error is answered under the request's id if it has one of a legal kind. */
	if (id == NULL || !(json_is_number(id) || json_is_string(id)))
		id = json_null();
	if (version == NULL || strcmp(version, "2.0") != 0 || name == NULL) {
		refuse_bad(sl, id, COMMAND_E_REQUEST,
			   "not a JSON-RPC 2.0 request: {\"jsonrpc\": \"2.0\", \"id\": …, "
			   "\"method\": …, \"params\": {…}}");
		return;
	}
	if (params != NULL && !json_is_object(params) && !json_is_null(params)) {
		refuse_bad(sl, id, COMMAND_E_PARAMS, "params must be an object");
		return;
	}
	m = find_method(s, name);
	if (m == NULL) {
		refuse_unknown(s, sl, id, name);
	} else if (s->n_open >= COMMAND_OPEN_MAX) {
		s->stats.busy++;
		send_error(sl, id, COMMAND_E_BUSY, "busy: too many requests are open", NULL);
	} else {
		call_method(sl, m, id, json_is_null(params) ? NULL : params);
	}
}

static void take_message(struct slot *sl, nng_msg *msg)
{
	json_t *request;
	json_error_t error;
	char message[256];

	sl->server->stats.requests++;
	request = json_loadb(nng_msg_body(msg), nng_msg_len(msg),
			     JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	nng_msg_free(msg);
	if (request == NULL) {
		(void)snprintf(message, sizeof(message), "not JSON: line %d column %d: %.160s",
			       error.line, error.column, error.text);
		refuse_bad(sl, json_null(), COMMAND_E_PARSE, message);
		return;
	}
	take_request(sl, request);
	json_decref(request);
}

static void on_received(struct slot *sl)
{
	struct command_server *s = sl->server;

	s->n_receiving--;
	if (nng_aio_result(sl->aio) != 0) {
		receive(sl);
		return;
	}
	sl->state = SLOT_OPEN;
	if (s->n_receiving < RECEIVERS_MIN && s->n_slots < SLOTS_MAX)
		(void)add_slot(s); /* without it the next request waits for a free one */
	take_message(sl, nng_aio_get_msg(sl->aio));
}

static void on_sent(struct slot *sl)
{
	/* The peer may be gone; then nobody waits for this answer. */
	if (nng_aio_result(sl->aio) != 0)
		nng_msg_free(nng_aio_get_msg(sl->aio));
	nng_aio_set_msg(sl->aio, NULL);
	receive(sl);
}

static void shut(struct command_server *s);

static bool is_sending(const struct command_server *s)
{
	for (size_t i = 0; i < s->n_slots; i++) {
		if (s->slots[i]->state == SLOT_SENDING && !atomic_load(&s->slots[i]->is_done))
			return true;
	}
	return false;
}

static void on_wake(void *ctx)
{
	struct command_server *s = ctx;

	if (s->is_closing) {
		if (!s->is_shut && !is_sending(s))
			shut(s);
		return;
	}
	for (size_t i = 0; i < s->n_slots && !s->is_closing; i++) {
		struct slot *sl = s->slots[i];

		if (!atomic_exchange(&sl->is_done, false))
			continue;
		if (sl->state == SLOT_RECEIVING)
			on_received(sl);
		else
			on_sent(sl);
	}
}

/* ---- life ---- */

static struct command_server *server_new(const struct command_method *methods, void *ctx)
{
	struct command_server *s = mem_alloc(sizeof(*s));

	s->methods = methods;
	s->ctx = ctx;
	return s;
}

int command_listen(uv_loop_t *loop, const char *path, const struct command_method *methods,
		   void *ctx, struct command_server **server_r, struct err *err)
{
	struct command_server *s = server_new(methods, ctx);
	const struct nngsock_ops ops = {.on_wake = on_wake, .ctx = s};
	int rv;

	rv = nngsock_listen(&s->sock, loop, NNGSOCK_REP, path, COMMAND_MAX_BYTES, &ops, err);
	if (rv < 0) {
		free(s);
		return rv;
	}
	(void)uv_timer_init(loop, &s->timer);
	s->timer.data = s;
	while (s->n_slots < RECEIVERS_MIN) {
		rv = add_slot(s);
		if (rv < 0) {
			command_close(s, NULL, NULL);
			return err_errno(err, rv, "%s", path);
		}
	}
	*server_r = s;
	return 0;
}

const struct command_stats *command_stats_get(const struct command_server *s)
{
	return &s->stats;
}

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

static void on_sock_closed(void *ctx)
{
	on_part_closed(ctx);
}

static void shut(struct command_server *s)
{
	s->is_shut = true;
	for (size_t i = 0; i < s->n_slots; i++)
		free_slot(s->slots[i]);
	s->n_slots = 0;
	s->open_handles = 2;
	uv_close((uv_handle_t *)&s->timer, on_handle_closed);
	nngsock_close(&s->sock, on_sock_closed);
}

static void on_close_timeout(uv_timer_t *timer)
{
	shut(timer->data);
}

void command_close(struct command_server *s, void (*on_closed)(void *ctx), void *ctx)
{
	HALE_ASSERT(!s->is_closing);
	s->is_closing = true;
	s->on_closed = on_closed;
	s->closed_ctx = ctx;
	for (size_t i = 0; i < s->n_slots; i++) {
		struct slot *sl = s->slots[i];

		if (sl->rq == NULL)
			continue;
		sl->rq->slot = NULL;
		send_error(sl, sl->rq->id, COMMAND_E_REFUSED, "shutting down", NULL);
		sl->rq = NULL;
	}
	(void)uv_timer_start(&s->timer, on_close_timeout, CLOSE_MAX_MS, 0);
	/* From the loop, never from within a method that closes its own server. */
	nngsock_wake(&s->sock);
}
