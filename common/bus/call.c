/* SPDX-License-Identifier: Apache-2.0 */
/* The callers' half of command.h: a raw REQ socket, so that any number of calls may be open at once
 * and none is ever sent twice (a cooked REQ sends again after a reconnect, and "restart" is not a
 * thing to do twice). */
#include "bus/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "model/frame.h"
#include "bus/handshake.h"
#include "bus/nngsock.h"

/* Calls open at once in one client; more end "busy". Far more than anyone can mean to ask. */
#define CALLS_MAX 4096
#define DRAIN_MAX 64
/* nng's protocol: the id that ends the header has its highest bit set. */
#define ID_BIT    0x80000000u

struct call {
	struct call *next, *prev;
	uint32_t id;
	int64_t deadline_ms;
	char *text;            /* until sent */
	uint64_t removed_seen; /* connections lost when it was sent */
	int code;              /* not 0: decided already, to be told from the loop */
	const char *message;
	command_result_fn on_result;
	void *ctx;
};

struct command_client {
	struct nngsock sock;
	char *path;
	struct call *first, *last;
	size_t n;
	uint32_t last_id;
	uv_timer_t timer;
	int64_t armed_ms; /* deadline the timer runs for */
	bool is_up;       /* on_wake saw the connection, and has sent what waited for it */
	bool is_closing;
	unsigned open_handles;
	void (*on_closed)(void *ctx);
	void *closed_ctx;
};

static void append_call(struct command_client *c, struct call *call)
{
	call->prev = c->last;
	*(c->last == NULL ? &c->first : &c->last->next) = call;
	c->last = call;
	c->n++;
}

/* The one place where a call ends. The callback may call or close, so the list is whole before. */
static void finish(struct command_client *c, struct call *call, const json_t *result, int code,
		   const char *message, const json_t *data)
{
	*(call->prev == NULL ? &c->first : &call->prev->next) = call->next;
	*(call->next == NULL ? &c->last : &call->next->prev) = call->prev;
	c->n--;
	call->on_result(call->ctx, result, code, message, data);
	free(call->text);
	free(call);
}

static void finish_late(struct command_client *c, struct call *call)
{
	char message[256];

	if (call->code != 0)
		(void)snprintf(message, sizeof(message), "%s", call->message);
	else if (call->text != NULL)
		(void)snprintf(message, sizeof(message), "nobody listens at %s", c->path);
	else
		(void)snprintf(message, sizeof(message), "no answer in time from %s", c->path);
	if (call->code == 0)
		call->code = call->text != NULL ? COMMAND_E_NO_PEER : COMMAND_E_TIMEOUT;
	finish(c, call, NULL, call->code, message, NULL);
}

/* ---- deadlines ---- */

static void on_timer(uv_timer_t *timer);

static void arm(struct command_client *c, int64_t deadline_ms)
{
	int64_t left_ms = deadline_ms - clock_mono_ms();

	if (c->is_closing)
		return;
	if (uv_is_active((uv_handle_t *)&c->timer) && c->armed_ms <= deadline_ms)
		return;
	c->armed_ms = deadline_ms;
	uv_update_time(c->timer.loop);
	(void)uv_timer_start(&c->timer, on_timer, (uint64_t)HALE_MAX(left_ms, 0), 0);
}

static struct call *nearest(const struct command_client *c)
{
	struct call *best = c->first;

	for (struct call *call = best; call != NULL; call = call->next) {
		if (call->deadline_ms < best->deadline_ms)
			best = call;
	}
	return best;
}

static void on_timer(uv_timer_t *timer)
{
	struct command_client *c = timer->data;
	struct call *call;

	while (!c->is_closing && (call = nearest(c)) != NULL) {
		if (call->deadline_ms > clock_mono_ms()) {
			arm(c, call->deadline_ms);
			return;
		}
		finish_late(c, call);
	}
}

static void decide(struct command_client *c, struct call *call, int code, const char *message)
{
	call->code = code;
	call->message = message;
	call->deadline_ms = 0;
	arm(c, 0);
}

/* ---- sending ---- */

static bool is_connected(const struct command_client *c)
{
	return atomic_load(&c->sock.live) != 0;
}

static void send_call(struct command_client *c, struct call *call)
{
	size_t len = strlen(call->text);
	nng_msg *msg;

	call->removed_seen = atomic_load(&c->sock.removed);
	HALE_ASSERT(nng_msg_alloc(&msg, 0) == 0);
	HALE_ASSERT(nng_msg_append(msg, call->text, len) == 0);
	HALE_ASSERT(nng_msg_header_append_u32(msg, call->id) == 0);
	if (nng_sendmsg(c->sock.socket, msg, NNG_FLAG_NONBLOCK) != 0) {
		nng_msg_free(msg);
		decide(c, call, COMMAND_E_BUSY, "too many calls are waiting to be sent");
		return;
	}
	free(TAKE_PTR(call->text));
}

static char *request_text(uint32_t id, const char *method, json_t *params)
{
	json_t *rq = json_pack("{s:s, s:I, s:s}", "jsonrpc", "2.0", "id",
			       (json_int_t)(id & ~ID_BIT), "method", method);
	char *text;

	HALE_ASSERT(rq != NULL);
	if (params != NULL)
		(void)json_object_set_new(rq, "params", params);
	text = json_dumps(rq, JSON_WIRE_FLAGS);
	HALE_ASSERT(text != NULL);
	json_decref(rq);
	return text;
}

void command_call(struct command_client *c, const char *method, json_t *params, uint32_t timeout_ms,
		  command_result_fn on_result, void *ctx)
{
	struct call *call = mem_alloc(sizeof(*call));

	HALE_ASSERT(!c->is_closing);
	c->last_id = (c->last_id + 1) | ID_BIT;
	call->id = c->last_id;
	call->on_result = on_result;
	call->ctx = ctx;
	call->deadline_ms = clock_mono_ms() + timeout_ms;
	call->text = request_text(call->id, method, params);
	append_call(c, call);
	if (c->n > CALLS_MAX)
		decide(c, call, COMMAND_E_BUSY, "too many calls are open");
	else if (strlen(call->text) > COMMAND_MAX_BYTES)
		decide(c, call, COMMAND_E_FAILED, "the request is longer than 16 MB");
	else if (c->is_up && is_connected(c))
		send_call(c, call); /* else on_wake does, in order */
	arm(c, call->deadline_ms);
}

/* ---- answers and connections ---- */

static struct call *find_call(const struct command_client *c, uint32_t id)
{
	struct call *call = c->first;

	while (call != NULL && (call->id != id || call->text != NULL))
		call = call->next;
	return call;
}

static void take_answer(struct command_client *c, nng_msg *msg)
{
	struct call *call;
	json_t *answer;
	const json_t *error, *result;
	uint32_t id;

	if (nng_msg_header_trim_u32(msg, &id) != 0)
		return;
	call = find_call(c, id);
	if (call == NULL)
		return; /* too late: the caller has been told */
	answer = json_loadb(nng_msg_body(msg), nng_msg_len(msg), JSON_REJECT_DUPLICATES, NULL);
	error = json_object_get(answer, "error");
	result = json_object_get(answer, "result");
	if (error != NULL) {
		const char *message = json_string_value(json_object_get(error, "message"));
		int code = (int)json_integer_value(json_object_get(error, "code"));

		finish(c, call, NULL, code == 0 ? COMMAND_E_FAILED : code,
		       message == NULL ? "failed" : message, json_object_get(error, "data"));
	} else if (result != NULL) {
		finish(c, call, result, 0, NULL, NULL);
	} else {
		finish(c, call, NULL, COMMAND_E_FAILED, "the answer is no JSON-RPC", NULL);
	}
	json_decref(answer);
}

static void on_readable(void *ctx)
{
	struct command_client *c = ctx;
	nng_msg *msg;

	for (int n = 0; n < DRAIN_MAX && !c->is_closing; n++) {
		if (nng_recvmsg(c->sock.socket, &msg, NNG_FLAG_NONBLOCK) != 0)
			return;
		take_answer(c, msg);
		nng_msg_free(msg);
	}
}

static struct call *find_lost(const struct command_client *c, uint64_t removed)
{
	struct call *call = c->first;

	while (call != NULL && (call->text != NULL || call->removed_seen >= removed))
		call = call->next;
	return call;
}

static void on_wake(void *ctx)
{
	struct command_client *c = ctx;
	uint64_t removed = atomic_load(&c->sock.removed);
	struct call *call;

	/* Answers that came before the connection went are still answers. */
	on_readable(c);
	while (!c->is_closing && (call = find_lost(c, removed)) != NULL)
		finish(c, call, NULL, COMMAND_E_NO_PEER,
		       "the connection was lost before the answer came; it may have been done",
		       NULL);
	if (c->is_closing)
		return;
	c->is_up = is_connected(c);
	for (call = c->first; c->is_up && call != NULL; call = call->next) {
		if (call->text != NULL && call->code == 0)
			send_call(c, call);
	}
}

/* ---- life ---- */

int call_open(uv_loop_t *loop, const char *path, struct command_client **client_r, struct err *err)
{
	struct command_client *c = mem_alloc(sizeof(*c));
	const struct nngsock_ops ops = {.on_readable = on_readable, .on_wake = on_wake, .ctx = c};
	int rv;

	rv = nngsock_dial(&c->sock, loop, NNGSOCK_REQ_RAW, path, COMMAND_MAX_BYTES, &ops, err);
	if (rv < 0) {
		free(c);
		return rv;
	}
	c->path = mem_dup(path);
	(void)uv_timer_init(loop, &c->timer);
	c->timer.data = c;
	*client_r = c;
	return 0;
}

static void on_part_closed(struct command_client *c)
{
	void (*on_closed)(void *ctx) = c->on_closed;
	void *ctx = c->closed_ctx;

	if (--c->open_handles > 0)
		return;
	free(c->path);
	free(c);
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

void call_close(struct command_client *c, void (*on_closed)(void *ctx), void *ctx)
{
	HALE_ASSERT(!c->is_closing);
	c->is_closing = true;
	c->on_closed = on_closed;
	c->closed_ctx = ctx;
	while (c->first != NULL)
		finish(c, c->first, NULL, COMMAND_E_NO_PEER, "the caller hung up", NULL);
	c->open_handles = 2;
	uv_close((uv_handle_t *)&c->timer, on_handle_closed);
	nngsock_close(&c->sock, on_sock_closed);
}

/* ---- without a loop ---- */

struct sync_call {
	struct command_client *client;
	json_t *result, *data;
	int code;
	struct err *err;
};

static void on_sync_result(void *ctx, const json_t *result, int code, const char *message,
			   const json_t *data)
{
	struct sync_call *sc = ctx;

	sc->result = json_incref((json_t *)result);
	sc->data = json_incref((json_t *)data);
	sc->code = code;
	if (code != 0)
		(void)err_set(sc->err, code, "%s", message);
	call_close(sc->client, NULL, NULL);
}

/* Tells at once what nng would only try again and again. */
static int probe(const char *path, uint32_t timeout_ms, struct err *err)
{
	int rv;

	if (nngsock_path_check(path, err) < 0)
		return COMMAND_E_NO_PEER;
	rv = handshake_probe(path, timeout_ms);
	switch (rv) {
	case 0:
	case -EAGAIN: /* its queue is full, so somebody listens */
		return 0;
	case -ETIMEDOUT:
		return err_set(err, COMMAND_E_TIMEOUT,
			       "hale at %s does not answer; is it stopped, or very busy?", path);
	case -ENOENT:
	case -ECONNREFUSED:
		return err_set(err, COMMAND_E_NO_PEER, "no hale is running at %s", path);
	default:
		return err_errno(err, rv, "%s", path), COMMAND_E_NO_PEER;
	}
}

int command_call_sync(const char *path, const char *method, json_t *params, uint32_t timeout_ms,
		      json_t **result_r, json_t **data_r, struct err *err)
{
	struct sync_call sc = {.err = err};
	uv_loop_t loop;
	int rv;

	rv = probe(path, timeout_ms, err);
	if (rv != 0 || uv_loop_init(&loop) < 0) {
		json_decref(params);
		return rv != 0 ? rv : err_set(err, COMMAND_E_FAILED, "%s: no event loop", path);
	}
	if (call_open(&loop, path, &sc.client, err) < 0) {
		json_decref(params);
		sc.code = COMMAND_E_NO_PEER;
	} else {
		command_call(sc.client, method, params, timeout_ms, on_sync_result, &sc);
	}
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	HALE_ASSERT(uv_loop_close(&loop) == 0);
	if (sc.code == 0)
		*result_r = TAKE_PTR(sc.result);
	else if (data_r != NULL)
		*data_r = TAKE_PTR(sc.data);
	json_decref(sc.data);
	return sc.code;
}
