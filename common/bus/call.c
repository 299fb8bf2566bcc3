/* SPDX-License-Identifier: Apache-2.0 */
/* The callers' half of command.h. A call is never sent twice: "restart" is not a thing to do twice.
 */
#include "bus/command.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "model/frame.h"
#include "bus/nngsock.h"
#include "bus/wire.h"

/* Calls open at once in one client; more end "busy". Far more than anyone can mean to ask. */
#define CALLS_MAX    4096
/* A server that comes back is found within some 10 ms; one that stays away costs ten tries a
 * second. */
#define RETRY_MIN_MS 10
#define RETRY_MAX_MS 100

struct call {
	struct call *next, *prev;
	uint32_t id;
	int64_t deadline_ms;
	char *text; /* until sent */
	int code;   /* not 0: decided already, to be told from the loop */
	const char *message;
	command_result_fn on_result;
	void *ctx;
};

/* One try to connect, and what came of it. Freed when its handle is closed. */
struct link {
	struct wire wire;
	uv_connect_t request;
	struct command_client *client; /* NULL: the client gave it up */
	bool is_up;
};

struct command_client {
	uv_loop_t *loop;
	struct link *link; /* NULL: not connected, and not trying */
	uv_timer_t retry;
	uint32_t retry_ms;
	char *path;
	struct call *first, *last;
	size_t n;
	uint32_t last_id;
	uv_timer_t timer;
	int64_t armed_ms; /* deadline the timer runs for */
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
	return c->link != NULL && c->link->is_up;
}

static void send_call(struct command_client *c, struct call *call)
{
	HALE_CLEANUP(cleanup_free) char *text = TAKE_PTR(call->text);

	wire_send(&c->link->wire, text, strlen(text));
}

static void connect_now(struct command_client *c);

static char *request_text(uint32_t id, const char *method, json_t *params)
{
	json_t *rq = json_pack("{s:s, s:I, s:s}", "jsonrpc", "2.0", "id", (json_int_t)id, "method",
			       method);
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
	call->id = ++c->last_id;
	call->on_result = on_result;
	call->ctx = ctx;
	call->deadline_ms = clock_mono_ms() + timeout_ms;
	call->text = request_text(call->id, method, params);
	append_call(c, call);
	if (c->n > CALLS_MAX)
		decide(c, call, COMMAND_E_BUSY, "too many calls are open");
	else if (strlen(call->text) > COMMAND_MAX_BYTES)
		decide(c, call, COMMAND_E_FAILED, "the request is longer than 16 MB");
	else if (is_connected(c))
		send_call(c, call);
	else
		connect_now(c); /* then it is sent, in order */
	arm(c, call->deadline_ms);
}

/* ---- answers and connections ---- */

static struct call *find_call(const struct command_client *c, json_int_t id)
{
	struct call *call = c->first;

	while (call != NULL && (call->id != id || call->text != NULL))
		call = call->next;
	return call;
}

static void on_text(struct wire *w, char *text, size_t len)
{
	struct command_client *c = container_of(w, struct link, wire)->client;
	json_t *answer = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	struct call *call = find_call(c, json_integer_value(json_object_get(answer, "id")));
	const json_t *error, *result;

	/* Too late: the caller has been told. */
	if (call == NULL) {
		json_decref(answer);
		return;
	}
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

static struct call *find_sent(const struct command_client *c)
{
	struct call *call = c->first;

	while (call != NULL && (call->text != NULL || call->code != 0))
		call = call->next;
	return call;
}

static struct call *find_unsent(const struct command_client *c)
{
	struct call *call = c->first;

	while (call != NULL && (call->text == NULL || call->code != 0))
		call = call->next;
	return call;
}

static void on_link_closed(struct wire *w)
{
	free(container_of(w, struct link, wire));
}

static void drop_link(struct command_client *c)
{
	struct link *l = TAKE_PTR(c->link);

	if (l == NULL)
		return;
	l->client = NULL;
	wire_close(&l->wire);
}

static void on_retry(uv_timer_t *timer)
{
	struct command_client *c = timer->data;

	if (find_unsent(c) != NULL)
		connect_now(c);
}

/* Nobody there, or no longer: what was sent is lost, what was not waits. */
static void on_link_end(struct wire *w)
{
	struct command_client *c = container_of(w, struct link, wire)->client;
	struct call *call;

	drop_link(c);
	while (!c->is_closing && (call = find_sent(c)) != NULL)
		finish(c, call, NULL, COMMAND_E_NO_PEER,
		       "the connection was lost before the answer came; it may have been done",
		       NULL);
	if (c->is_closing || c->link != NULL || find_unsent(c) == NULL)
		return;
	c->retry_ms = HALE_MIN(HALE_MAX(c->retry_ms * 2, RETRY_MIN_MS), RETRY_MAX_MS);
	(void)uv_timer_start(&c->retry, on_retry, c->retry_ms, 0);
}

static void on_connected(uv_connect_t *request, int status)
{
	struct link *l = container_of(request, struct link, request);
	struct command_client *c = l->client;
	struct call *call;

	if (c == NULL)
		return;
	if (status < 0 || !bus_access_believes(c->path, wire_peer(&l->wire.pipe), geteuid())) {
		on_link_end(&l->wire);
		return;
	}
	l->is_up = true;
	c->retry_ms = 0;
	wire_start(&l->wire);
	while ((call = find_unsent(c)) != NULL)
		send_call(c, call);
}

static void connect_now(struct command_client *c)
{
	struct link *l;

	if (c->link != NULL)
		return;
	l = mem_alloc(sizeof(*l));
	l->client = c;
	l->wire.line_max = COMMAND_MAX_BYTES;
	l->wire.on_text = on_text;
	l->wire.on_end = on_link_end;
	l->wire.on_closed = on_link_closed;
	wire_init(&l->wire, c->loop);
	c->link = l;
	uv_pipe_connect(&l->request, &l->wire.pipe, c->path, on_connected);
}

/* ---- life ---- */

int call_open(uv_loop_t *loop, const char *path, struct command_client **client_r, struct err *err)
{
	struct command_client *c;
	int rc = nngsock_path_check(path, err);

	if (rc < 0)
		return rc;
	c = mem_alloc(sizeof(*c));
	c->loop = loop;
	c->path = mem_dup(path);
	(void)uv_timer_init(loop, &c->timer);
	(void)uv_timer_init(loop, &c->retry);
	c->timer.data = c->retry.data = c;
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

void call_close(struct command_client *c, void (*on_closed)(void *ctx), void *ctx)
{
	HALE_ASSERT(!c->is_closing);
	c->is_closing = true;
	c->on_closed = on_closed;
	c->closed_ctx = ctx;
	while (c->first != NULL)
		finish(c, c->first, NULL, COMMAND_E_NO_PEER, "the caller hung up", NULL);
	c->open_handles = 2;
	drop_link(c);
	uv_close((uv_handle_t *)&c->timer, on_handle_closed);
	uv_close((uv_handle_t *)&c->retry, on_handle_closed);
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

/* Tells at once what the client would only try again and again. */
static int probe(const char *path, struct err *err)
{
	int rc;

	if (nngsock_path_check(path, err) < 0)
		return COMMAND_E_NO_PEER;
	rc = wire_probe(path);
	if (rc == 0)
		return 0;
	if (rc == -ENOENT || rc == -ECONNREFUSED)
		return err_set(err, COMMAND_E_NO_PEER, "no hale is running at %s", path);
	(void)err_errno(err, rc, "%s", path);
	return COMMAND_E_NO_PEER;
}

int command_call_sync(const char *path, const char *method, json_t *params, uint32_t timeout_ms,
		      json_t **result_r, json_t **data_r, struct err *err)
{
	struct sync_call sc = {.err = err};
	void (*former)(int);
	uv_loop_t loop;
	int rv;

	rv = probe(path, err);
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
	/* A server that dies while it is asked is an answer too. */
	former = signal(SIGPIPE, SIG_IGN);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	(void)signal(SIGPIPE, former);
	HALE_ASSERT(uv_loop_close(&loop) == 0);
	if (sc.code == 0)
		*result_r = TAKE_PTR(sc.result);
	else if (data_r != NULL)
		*data_r = TAKE_PTR(sc.data);
	json_decref(sc.data);
	return sc.code;
}
