/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http.h"

#include <stdlib.h>

#include "base/mem.h"
#include "http_call.h"

/* Idle easy handles kept for reuse; more concurrent calls than that are fine and cost an init. */
#define EASY_POOL_MAX 64
/* Idle connections kept open for requests that may reuse one. */
#define CONNECTS_MAX  64

struct http_client {
	uv_loop_t *loop;
	CURLM *multi;
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

/* The call has left the list and curl before on_done may start, cancel and close what it likes. */
static void end_call(struct http_call *call, const struct http_response *r)
{
	struct http_client *c = call->client;

	unlink_call(call);
	if (call->is_added)
		(void)curl_multi_remove_handle(c->multi, call->easy);
	call->on_done(call->ctx, r);
	http_call_clear(call);
	if (c->is_closing)
		curl_easy_cleanup(call->easy);
	else
		easy_give(c, call->easy);
	free(call);
}

static void collect_ended(struct http_client *c)
{
	CURLMsg *m;
	int left;

	while (!c->is_closing && (m = curl_multi_info_read(c->multi, &left)) != NULL) {
		struct http_response r;
		char *call = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &call);
		http_call_result((struct http_call *)(void *)call, m->data.result, &r);
		end_call((struct http_call *)(void *)call, &r);
	}
}

static struct http_call *first_refused(struct http_client *c)
{
	struct http_call *call = c->calls;

	while (call != NULL && call->is_added)
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

struct http_call *http_start(struct http_client *c, const struct http_request *rq,
			     http_done_fn on_done, void *ctx)
{
	struct http_call *call = mem_alloc(sizeof(*call));

	HALE_ASSERT(!c->is_closing && rq->url != NULL && rq->timeout_ms > 0 && on_done != NULL);
	call->client = c;
	call->on_done = on_done;
	call->ctx = ctx;
	call->easy = easy_take(c);
	http_call_setup(call, rq);
	link_call(c, call);
	if (call->refused == REASON_OK) {
		call->is_added = true;
		HALE_ASSERT(curl_multi_add_handle(c->multi, call->easy) == CURLM_OK);
	} else {
		(void)uv_timer_start(&c->deferred, on_deferred, 0, 0);
	}
	return call;
}

void http_cancel(struct http_call *call)
{
	struct http_response r;

	http_call_no_result(call, REASON_CANCELLED, reason_text(REASON_CANCELLED), &r);
	end_call(call, &r);
}

/* ---- curl's multi interface on the loop ---- */

static void on_handle_closed(struct http_client *c)
{
	if (--c->open_handles > 0)
		return;
	curl_global_cleanup();
	if (c->on_closed != NULL)
		c->on_closed(c->closed_ctx);
	free(c);
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

struct http_client *http_client_new(uv_loop_t *loop)
{
	struct http_client *c = mem_alloc(sizeof(*c));

	HALE_ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
	c->loop = loop;
	c->multi = curl_multi_init();
	HALE_ASSERT(c->multi != NULL);
	(void)curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	(void)curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	(void)curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	(void)curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	(void)curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTS_MAX);
	HALE_ASSERT(uv_timer_init(loop, &c->timer) == 0);
	HALE_ASSERT(uv_timer_init(loop, &c->deferred) == 0);
	c->timer.data = c;
	c->deferred.data = c;
	c->open_handles = 2;
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
	(void)curl_multi_cleanup(c->multi);
	uv_close((uv_handle_t *)&c->timer, on_timer_closed);
	uv_close((uv_handle_t *)&c->deferred, on_timer_closed);
}
