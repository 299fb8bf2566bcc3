/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http_again.h"
#include "http_call.h"
#include "http_curl.h"
#include "http_plain.h"

#define US_PER_MS 1000

/* Idle easy handles kept for reuse; more concurrent calls than that are fine and cost an init. */
#define EASY_POOL_MAX 64
/* Idle connections kept open for requests that may reuse one. */
#define CONNECTS_MAX  64

struct http_client {
	uv_loop_t *loop;
	struct plain_hub *plain;
	CURLM *multi; /* NULL until a request needs it */
	bool is_curl_only;
	uv_timer_t timer;    /* curl's: when it wants to be called without an event */
	uv_timer_t deferred; /* ends calls that were refused before they began */
	unsigned open_handles;
	struct http_call *calls; /* in flight */
	CURL *pool[EASY_POOL_MAX];
	size_t pool_n;
	bool is_closing;
	void (*on_closed)(void *ctx);
	void *closed_ctx;
};

struct http_socket {
	uv_poll_t poll; /* first: the handle is the socket */
	struct http_client *client;
	curl_socket_t fd;
};

/* ---- calls ---- */

static void link_call(struct http_client *c, struct http_call *call)
{
	call->next = c->calls;
	if (call->next != NULL)
		call->next->prev = call;
	c->calls = call;
}

static void unlink_call(struct http_call *call)
{
	if (call->prev != NULL)
		call->prev->next = call->next;
	else
		call->client->calls = call->next;
	if (call->next != NULL)
		call->next->prev = call->prev;
}

static CURL *easy_take(struct http_client *c)
{
	CURL *easy = c->pool_n > 0 ? c->pool[--c->pool_n] : curl_easy_init();

	HALE_ASSERT(easy != NULL);
	return easy;
}

static void easy_give(struct http_client *c, CURL *easy)
{
	if (c->pool_n == EASY_POOL_MAX) {
		curl_easy_cleanup(easy);
		return;
	}
	curl_easy_reset(easy);
	c->pool[c->pool_n++] = easy;
}

static void free_plain(struct http_call *call)
{
	if (call->plain == NULL)
		return;
	plain_done(call->plain);
	free(TAKE_PTR(call->plain));
}

static void free_call(struct http_call *call)
{
	struct http_client *c = call->client;

	http_call_clear(call);
	free_plain(call);
	http_again_free(call->again);
	free(call->learn);
	if (call->easy != NULL && c->is_closing)
		curl_easy_cleanup(call->easy);
	else if (call->easy != NULL)
		easy_give(c, call->easy);
	free(call);
}

/* The call has left the list and curl before on_done may start, cancel and close what it likes. */
static void end_call(struct http_call *call, const struct http_response *r)
{
	struct http_client *c = call->client;

	unlink_call(call);
	if (call->is_added)
		(void)curl_multi_remove_handle(c->multi, call->easy);
	call->on_done(call->ctx, r);
	free_call(call);
}

/* What curl found out saves asking it the next time. */
static void learn(struct http_call *call, const struct http_response *r)
{
	if (call->learn == NULL || r->status == 0)
		return;
	if (r->redirects != NULL)
		plain_avoid(call->client->plain, r->url);
	else
		plain_learn(call->client->plain, call->learn, r->ip);
}

static void collect_ended(struct http_client *c)
{
	CURLMsg *m;
	int left;

	while (!c->is_closing && (m = curl_multi_info_read(c->multi, &left)) != NULL) {
		struct http_response r;
		struct http_call *call;
		char *ptr = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &ptr);
		call = (struct http_call *)(void *)ptr;
		http_call_result(call, m->data.result, &r);
		learn(call, &r);
		end_call(call, &r);
	}
}

static struct http_call *first_refused(struct http_client *c)
{
	struct http_call *call = c->calls;

	while (call != NULL && (call->is_added || call->is_plain_started))
		call = call->next;
	return call;
}

static void on_deferred(uv_timer_t *timer)
{
	struct http_client *c = timer->data;
	struct http_call *call;

	while (!c->is_closing && (call = first_refused(c)) != NULL) {
		struct http_response r;

		http_call_no_result(call, call->refused, call->refused_text, &r);
		end_call(call, &r);
	}
}

static bool open_multi(struct http_client *c, struct err *err);

/* By curl. */
static void start_curl(struct http_client *c, struct http_call *call, const struct http_request *rq)
{
	struct err err = {0};

	if (!open_multi(c, &err)) {
		http_call_refuse(call, REASON_INTERNAL, "%s", err.text);
	} else {
		call->easy = easy_take(c);
		http_call_setup(call, rq);
	}
	if (call->refused == REASON_OK) {
		call->is_added = true;
		HALE_ASSERT(curl_multi_add_handle(c->multi, call->easy) == CURLM_OK);
	} else {
		(void)uv_timer_start(&c->deferred, on_deferred, 0, 0);
	}
}

/* ---- by sockets of our own ---- */

static void on_plain_end(void *ctx, struct plain_request *p, enum reason reason, const char *text)
{
	struct http_call *call = p->owner;
	struct http_response r;

	(void)ctx;
	call->is_plain_started = false;
	http_call_answer(call, reason, text, &r);
	end_call(call, &r);
}

/* curl shall ask, in the time that is left. */
static void on_plain_odd(void *ctx, struct plain_request *p, bool is_lasting)
{
	struct http_client *c = ctx;
	struct http_call *call = p->owner;
	int64_t left_ms = (p->deadline_us - clock_mono_us()) / US_PER_MS;

	call->is_plain_started = false;
	if (is_lasting)
		plain_avoid(c->plain, call->again->url);
	free_plain(call);
	call->again->timeout_ms = HALE_MAX(left_ms, INT64_C(1));
	start_curl(c, call, call->again);
}

static struct plain_request *new_plain(struct http_client *c, struct http_call *call,
				       const struct http_request *rq)
{
	struct plain_request *p = mem_alloc(sizeof(*p));

	if (http_head_make(rq, HTTP_USER_AGENT, &p->head)) {
		if (!plain_is_avoided(c->plain, rq->url) && plain_find(c->plain, &p->head))
			return p;
		call->learn = mem_dup(p->head.host);
	}
	plain_done(p);
	free(p);
	return NULL;
}

/* False: curl's. */
static bool start_plain(struct http_client *c, struct http_call *call,
			const struct http_request *rq)
{
	struct plain_request *p = c->is_curl_only ? NULL : new_plain(c, call, rq);
	int rc;

	if (p == NULL)
		return false;
	call->plain = p;
	call->again = http_again_new(rq);
	p->owner = call;
	p->follows_redirects = rq->follow_redirects;
	p->is_fresh = rq->fresh_connection;
	p->on_stage = rq->on_stage;
	p->stage_ctx = call->ctx;
	p->started_us = clock_mono_us();
	p->deadline_us = p->started_us + rq->timeout_ms * US_PER_MS;
	http_reply_start(&p->reply, p->head.is_head,
			 rq->body_max == 0 ? HTTP_BODY_MAX_DEFAULT : rq->body_max);
	rc = plain_start(c->plain, p);
	call->is_plain_started = rc == 0;
	if (rc < 0) {
		http_call_refuse(call,
				 rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM
					 ? REASON_INTERNAL
					 : REASON_UNREACHABLE,
				 "Failed to connect to %s port %u: %s", p->head.host,
				 (unsigned)p->head.port, strerror(-rc));
		(void)uv_timer_start(&c->deferred, on_deferred, 0, 0);
	}
	return true;
}

struct http_call *http_start(struct http_client *c, const struct http_request *rq,
			     http_done_fn on_done, void *ctx)
{
	struct http_call *call = mem_alloc(sizeof(*call));

	HALE_ASSERT(!c->is_closing && rq->url != NULL && rq->timeout_ms > 0 && on_done != NULL);
	call->client = c;
	call->on_done = on_done;
	call->ctx = ctx;
	link_call(c, call);
	if (!start_plain(c, call, rq))
		start_curl(c, call, rq);
	return call;
}

void http_cancel(struct http_call *call)
{
	struct http_response r;

	if (call->is_plain_started)
		plain_cancel(call->client->plain, call->plain);
	call->is_plain_started = false;
	http_call_no_result(call, REASON_CANCELLED, reason_text(REASON_CANCELLED), &r);
	end_call(call, &r);
}

void http_client_use_curl(struct http_client *c)
{
	c->is_curl_only = true;
}

/* ---- curl's multi interface on the loop ---- */

static void on_handle_closed(struct http_client *c)
{
	if (--c->open_handles > 0)
		return;
	if (c->multi != NULL)
		curl_global_cleanup();
	if (c->on_closed != NULL)
		c->on_closed(c->closed_ctx);
	free(c);
}

static void on_plain_closed(void *ctx)
{
	on_handle_closed(ctx);
}

static void on_timer_closed(uv_handle_t *handle)
{
	on_handle_closed(handle->data);
}

static void on_socket_closed(uv_handle_t *handle)
{
	struct http_socket *s = container_of((uv_poll_t *)handle, struct http_socket, poll);
	struct http_client *c = s->client;

	free(s);
	on_handle_closed(c);
}

static void on_socket_event(uv_poll_t *poll, int status, int events)
{
	struct http_socket *s = container_of(poll, struct http_socket, poll);
	struct http_client *c = s->client;
	/* An error is for curl to read from the socket: told of it as one it gives up at once,
	 * where a reset of a connection that was used before has it try a new one. */
	int flags = status < 0 ? CURL_CSELECT_IN | CURL_CSELECT_OUT : 0;
	int running;

	if ((events & UV_READABLE) != 0)
		flags |= CURL_CSELECT_IN;
	if ((events & UV_WRITABLE) != 0)
		flags |= CURL_CSELECT_OUT;
	(void)curl_multi_socket_action(c->multi, s->fd, flags, &running);
	collect_ended(c);
}

static void on_timeout(uv_timer_t *timer)
{
	struct http_client *c = timer->data;
	int running;

	(void)curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect_ended(c);
}

/* The loop's time stands still during a callback; curl counts from now. */
static int want_timer(CURLM *multi HALE_UNUSED, long timeout_ms, void *ctx)
{
	struct http_client *c = ctx;

	if (timeout_ms < 0)
		return uv_timer_stop(&c->timer);
	uv_update_time(c->loop);
	return uv_timer_start(&c->timer, on_timeout, (uint64_t)timeout_ms, 0);
}

static struct http_socket *socket_new(struct http_client *c, curl_socket_t fd)
{
	struct http_socket *s = mem_alloc(sizeof(*s));

	s->client = c;
	s->fd = fd;
	if (uv_poll_init(c->loop, &s->poll, fd) != 0) {
		free(s);
		return NULL;
	}
	c->open_handles++;
	(void)curl_multi_assign(c->multi, fd, s);
	return s;
}

static int want_socket(CURL *easy HALE_UNUSED, curl_socket_t fd, int what, void *ctx, void *socket)
{
	struct http_socket *s = socket;
	int events = 0;

	if (what == CURL_POLL_REMOVE) {
		if (s != NULL)
			uv_close((uv_handle_t *)&s->poll, on_socket_closed);
		return 0;
	}
	if (s == NULL)
		s = socket_new(ctx, fd);
	if (s == NULL)
		return -1;
	if (what != CURL_POLL_IN)
		events |= UV_WRITABLE;
	if (what != CURL_POLL_OUT)
		events |= UV_READABLE;
	return uv_poll_start(&s->poll, events, on_socket_event);
}

static bool open_multi(struct http_client *c, struct err *err)
{
	if (c->multi != NULL)
		return true;
	if (http_curl_load(err) < 0)
		return false;
	HALE_ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
	c->multi = curl_multi_init();
	HALE_ASSERT(c->multi != NULL);
	(void)curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	(void)curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	(void)curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	(void)curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	(void)curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTS_MAX);
	return true;
}

struct http_client *http_client_new(uv_loop_t *loop)
{
	struct http_client *c = mem_alloc(sizeof(*c));
	const struct plain_hooks hooks = {.on_end = on_plain_end, .on_odd = on_plain_odd, .ctx = c};

	c->loop = loop;
	c->plain = plain_new(loop, &hooks);
	HALE_ASSERT(uv_timer_init(loop, &c->timer) == 0);
	HALE_ASSERT(uv_timer_init(loop, &c->deferred) == 0);
	c->timer.data = c;
	c->deferred.data = c;
	c->open_handles = 3; /* the plain hub is one */
	return c;
}

void http_client_close(struct http_client *c, void (*on_closed)(void *ctx), void *ctx)
{
	HALE_ASSERT(!c->is_closing);
	c->is_closing = true;
	c->on_closed = on_closed;
	c->closed_ctx = ctx;
	while (c->calls != NULL)
		http_cancel(c->calls);
	while (c->pool_n > 0)
		curl_easy_cleanup(c->pool[--c->pool_n]);
	/* Closes idle connections too, and says so through want_socket. */
	if (c->multi != NULL)
		(void)curl_multi_cleanup(c->multi);
	plain_close(c->plain, on_plain_closed, c);
	uv_close((uv_handle_t *)&c->timer, on_timer_closed);
	uv_close((uv_handle_t *)&c->deferred, on_timer_closed);
}
