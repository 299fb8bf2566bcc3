/* SPDX-License-Identifier: Apache-2.0 */
#include "dns_lookup.h"

#include <ares.h>
#include <ares_nameser.h>
#include <stdlib.h>

#include "base/mem.h"

/* c-ares asks over few sockets: one for each server and protocol. */
struct watch {
	uv_poll_t poll;
	struct dns_lookup *lookup;
	ares_socket_t fd;
	struct watch *next;
};

struct dns_lookup {
	uv_loop_t *loop;
	ares_channel channel;
	uv_timer_t timer; /* when c-ares wants to look at its timeouts; and the end of a start that
			     failed */
	struct watch *watches;
	dns_answer_fn on_answer; /* NULL: told, or cancelled */
	void *ctx;
	bool is_in_ares; /* a callback may come: the channel must not be destroyed under it */
	bool is_over;
	int failed; /* c-ares' status if it could not even begin */
};

/* ---- Ending ---- */

static void on_watch_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void on_timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void close_watch(struct watch *w)
{
	uv_close((uv_handle_t *)&w->poll, on_watch_closed);
}

/* Sockets are closed by c-ares, and watched no more before that. */
static void close_all(struct dns_lookup *l)
{
	if (l->is_in_ares)
		return;
	while (l->watches != NULL) {
		struct watch *w = l->watches;

		l->watches = w->next;
		(void)uv_poll_stop(&w->poll);
		close_watch(w);
	}
	if (l->channel != NULL)
		ares_destroy(l->channel);
	l->channel = NULL;
	uv_close((uv_handle_t *)&l->timer, on_timer_closed);
}

static void finish(struct dns_lookup *l)
{
	if (l->is_over)
		return;
	l->is_over = true;
	l->on_answer = NULL;
	close_all(l);
}

/* ---- c-ares on the loop ---- */

static void arm(struct dns_lookup *l);

static void leave_ares(struct dns_lookup *l)
{
	l->is_in_ares = false;
	if (l->is_over)
		close_all(l);
	else
		arm(l);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct watch *w = poll->data;
	struct dns_lookup *l = w->lookup;
	bool reads = status < 0 || (events & UV_READABLE) != 0;
	bool writes = status < 0 || (events & UV_WRITABLE) != 0;

	l->is_in_ares = true;
	ares_process_fd(l->channel, reads ? w->fd : ARES_SOCKET_BAD,
			writes ? w->fd : ARES_SOCKET_BAD);
	leave_ares(l);
}

static void on_timer(uv_timer_t *timer)
{
	struct dns_lookup *l = timer->data;

	l->is_in_ares = true;
	ares_process_fd(l->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	leave_ares(l);
}

static void arm(struct dns_lookup *l)
{
	struct timeval tv, *wait = ares_timeout(l->channel, NULL, &tv);

	if (wait == NULL)
		return;
	uv_timer_start(&l->timer, on_timer,
		       (uint64_t)wait->tv_sec * 1000 + (uint64_t)wait->tv_usec / 1000 + 1, 0);
}

static struct watch *watch_of(struct dns_lookup *l, ares_socket_t fd)
{
	struct watch *w = l->watches;

	while (w != NULL && w->fd != fd)
		w = w->next;
	return w;
}

static void unwatch(struct dns_lookup *l, struct watch *w)
{
	struct watch **at = &l->watches;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	(void)uv_poll_stop(&w->poll);
	close_watch(w);
}

/* c-ares wants a socket watched, otherwise, or no more: it is about to close it. */
static void on_socket(void *data, ares_socket_t fd, int readable, int writable)
{
	struct dns_lookup *l = data;
	struct watch *w = watch_of(l, fd);

	if (readable == 0 && writable == 0) {
		if (w != NULL)
			unwatch(l, w);
		return;
	}
	if (w == NULL) {
		w = mem_alloc(sizeof(*w));
		w->lookup = l;
		w->fd = fd;
		HALE_ASSERT(uv_poll_init(l->loop, &w->poll, fd) == 0);
		w->poll.data = w;
		w->next = l->watches;
		l->watches = w;
	}
	HALE_ASSERT(uv_poll_start(&w->poll,
				  (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0),
				  on_ready) == 0);
}

/* ---- The answer ---- */

static enum reason reason_of(int status)
{
	switch (status) {
	case ARES_ECONNREFUSED:
		return REASON_CONN_REFUSED;
	case ARES_ETIMEOUT:
		return REASON_TIMEOUT_DNS;
	case ARES_ENOMEM:
		return REASON_INTERNAL;
	case ARES_EBADNAME:
	case ARES_EBADQUERY:
	case ARES_EBADSTR:
	case ARES_EFORMERR:
		return REASON_CONFIG;
	default:
		return REASON_PROTOCOL;
	}
}

static void tell(struct dns_lookup *l, const struct dns_reply *reply)
{
	dns_answer_fn on_answer = l->on_answer;

	l->on_answer = NULL;
	if (on_answer != NULL)
		on_answer(l->ctx, reply);
	finish(l);
}

static void on_reply(void *arg, int status, int timeouts, unsigned char *data, int len)
{
	struct dns_lookup *l = arg;
	struct dns_reply reply = {.reason = REASON_OK, .retries = timeouts};

	if (l->on_answer == NULL) /* cancelled */
		return;
	if (!l->is_in_ares) { /* within ares_query(): told by the loop */
		l->failed = status;
		return;
	}
	if (data != NULL) {
		reply.data = data;
		reply.len = (size_t)len;
	} else {
		reply.reason = reason_of(status);
		reply.error = ares_strerror(status);
	}
	tell(l, &reply);
}

static void on_failed_start(uv_timer_t *timer)
{
	struct dns_lookup *l = timer->data;

	tell(l, &(struct dns_reply){.reason = reason_of(l->failed),
				    .error = ares_strerror(l->failed)});
}

static int ask(struct dns_lookup *l, const struct dns_question *q)
{
	struct ares_options o = {
		/* The answer as it is, whatever its rcode; large ones by EDNS, or again by TCP. */
		.flags = ARES_FLAG_NOCHECKRESP | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS |
			 (q->is_tcp ? ARES_FLAG_USEVC : 0) |
			 (q->wants_recursion ? 0 : ARES_FLAG_NORECURSE),
		.timeout = (int)q->try_ms,
		.tries = q->tries,
		.ednspsz = 1232, /* DNS flag day 2020: fits any path */
		.sock_state_cb = on_socket,
		.sock_state_cb_data = l,
	};
	int status = ares_init_options(&l->channel, &o,
				       ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
					       ARES_OPT_EDNSPSZ | ARES_OPT_SOCK_STATE_CB);

	if (status != ARES_SUCCESS) {
		l->channel = NULL;
		return status;
	}
	if (q->servers != NULL)
		status = ares_set_servers_ports_csv(l->channel, q->servers);
	if (status != ARES_SUCCESS)
		return status;
	ares_query(l->channel, q->name, C_IN, q->type, on_reply, l);
	return l->failed;
}

struct dns_lookup *dns_lookup_start(uv_loop_t *loop, const struct dns_question *q,
				    dns_answer_fn on_answer, void *ctx)
{
	struct dns_lookup *l = mem_alloc(sizeof(*l));

	l->loop = loop;
	l->on_answer = on_answer;
	l->ctx = ctx;
	uv_timer_init(loop, &l->timer);
	l->timer.data = l;
	l->failed = ask(l, q);
	if (l->failed != ARES_SUCCESS)
		uv_timer_start(&l->timer, on_failed_start, 0, 0);
	else
		arm(l);
	return l;
}

void dns_lookup_cancel(struct dns_lookup *l)
{
	if (l != NULL)
		finish(l);
}
