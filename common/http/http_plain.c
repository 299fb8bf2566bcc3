/* SPDX-License-Identifier: Apache-2.0 */
#include "http_plain.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

/* Connections kept for the next request: all, and those to one address, of which a slot of checks
 * asks many at once. */
#define IDLE_MAX      512
#define IDLE_HOST_MAX 128
/* Servers close at their own time, which is seen; one that may be closing just now is not used. */
#define IDLE_US       (INT64_C(50) * 1000000)
#define BUCKETS       64 /* idle connections, by address */
/* curl keeps what a name resolves to for as long. */
#define NAME_US       (INT64_C(60) * 1000000)
#define NAMES_MAX     4096
#define AVOIDED_MAX   4096
#define AVOIDED_S     300
#define EVENTS_MAX    64
#define BUFFER_BYTES  (64 << 10)
/* So many reads from one connection; then the others have their turn. */
#define READS_MAX     4
#define US_PER_MS     1000
#define US_PER_S      1000000

struct plain_connection {
	struct plain_connection *prev, *next; /* idle ones of a bucket; closed ones by next alone */
	union http_address address;
	int fd;                   /* -1: closed, and freed when the events in hand are through */
	struct plain_request *rq; /* NULL: idle */
	int64_t idle_us;
	bool is_connecting;
};

struct name {
	union http_address address; /* its port is not looked at */
	int64_t until_us;
};

struct plain_hub {
	uv_loop_t *loop;
	struct plain_hooks hooks;
	int epoll_fd;
	uv_poll_t poll;
	uv_timer_t timer; /* the next deadline */
	int64_t timer_us; /* what it stands at; 0: nothing */
	struct plain_request *requests;
	struct plain_connection *idle[BUCKETS];
	size_t idle_n, idle_host_n[BUCKETS];
	struct plain_connection *closed;
	bool is_dispatching;
	struct map names;   /* host -> struct name */
	struct map avoided; /* url -> second until which it is */
	unsigned open_handles;
	void (*on_closed)(void *ctx);
	void *closed_ctx;
	char buffer[BUFFER_BYTES];
};

/* ---- names and URLs ---- */

static void free_names(struct map *names)
{
	struct name *name;

	for (size_t at = 0; map_each(names, &at, NULL, (void **)&name);)
		free(name);
	map_done(names);
}

bool plain_find(const struct plain_hub *hub, struct http_head *head)
{
	const struct name *name = map_get(&hub->names, head->host);

	if (head->is_numeric)
		return true;
	if (name == NULL || name->until_us < clock_mono_us())
		return false;
	head->address = name->address;
	head->address.v4.sin_port = htons(head->port);
	return true;
}

void plain_learn(struct plain_hub *hub, const char *host, const char *ip)
{
	struct name found = {.until_us = clock_mono_us() + NAME_US};
	struct name *name;

	if (inet_pton(AF_INET, ip, &found.address.v4.sin_addr) == 1)
		found.address.v4.sin_family = AF_INET;
	else if (inet_pton(AF_INET6, ip, &found.address.v6.sin6_addr) == 1)
		found.address.v6.sin6_family = AF_INET6;
	else
		return;
	if (hub->names.n >= NAMES_MAX)
		free_names(&hub->names);
	name = map_get(&hub->names, host);
	if (name == NULL) {
		name = mem_alloc(sizeof(*name));
		(void)map_put(&hub->names, host, name);
	}
	*name = found;
}

bool plain_is_avoided(const struct plain_hub *hub, const char *url)
{
	return (intptr_t)map_get(&hub->avoided, url) > clock_mono_us() / US_PER_S;
}

void plain_avoid(struct plain_hub *hub, const char *url)
{
	if (hub->avoided.n >= AVOIDED_MAX)
		map_done(&hub->avoided);
	(void)map_put(&hub->avoided, url,
		      (void *)(intptr_t)(clock_mono_us() / US_PER_S + AVOIDED_S));
}

/* ---- connections ---- */

static size_t bucket_of(const union http_address *a)
{
	const unsigned char *p = (const unsigned char *)a;
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < sizeof(*a); i++)
		h = (h ^ p[i]) * 16777619u;
	return h % BUCKETS;
}

static void unlink_idle(struct plain_hub *hub, struct plain_connection *c)
{
	size_t bucket = bucket_of(&c->address);

	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		hub->idle[bucket] = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	hub->idle_n--;
	hub->idle_host_n[bucket]--;
}

/* Not in a list any more. Events in hand may still name it. */
static void discard(struct plain_hub *hub, struct plain_connection *c)
{
	(void)close(c->fd);
	c->fd = -1;
	c->rq = NULL;
	c->next = hub->closed;
	hub->closed = c;
}

static void free_closed(struct plain_hub *hub)
{
	while (hub->closed != NULL) {
		struct plain_connection *next = hub->closed->next;

		free(hub->closed);
		hub->closed = next;
	}
}

static void keep(struct plain_hub *hub, struct plain_connection *c)
{
	size_t bucket = bucket_of(&c->address);

	if (hub->idle_n == IDLE_MAX || hub->idle_host_n[bucket] == IDLE_HOST_MAX) {
		discard(hub, c);
		return;
	}
	c->rq = NULL;
	c->idle_us = clock_mono_us();
	c->prev = NULL;
	c->next = hub->idle[bucket];
	if (c->next != NULL)
		c->next->prev = c;
	hub->idle[bucket] = c;
	hub->idle_n++;
	hub->idle_host_n[bucket]++;
}

static struct plain_connection *take_idle(struct plain_hub *hub, const union http_address *address)
{
	struct plain_connection *c = hub->idle[bucket_of(address)], *next;
	int64_t oldest_us = clock_mono_us() - IDLE_US;

	for (; c != NULL; c = next) {
		next = c->next;
		if (memcmp(&c->address, address, sizeof(*address)) != 0)
			continue;
		unlink_idle(hub, c);
		if (c->idle_us >= oldest_us)
			return c;
		discard(hub, c);
	}
	return NULL;
}

static struct plain_connection *connect_new(struct plain_hub *hub,
					    const union http_address *address)
{
	socklen_t len =
		address->any.sa_family == AF_INET6 ? sizeof(address->v6) : sizeof(address->v4);
	struct plain_connection *c = mem_alloc(sizeof(*c));
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				    .data = {.ptr = c}};
	int one = 1;

	c->address = *address;
	c->is_connecting = true;
	c->fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		free(c);
		return NULL;
	}
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if ((connect(c->fd, &address->any, len) < 0 && errno != EINPROGRESS) ||
	    epoll_ctl(hub->epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0) {
		int saved = errno;

		(void)close(c->fd);
		free(c);
		errno = saved;
		return NULL;
	}
	return c;
}

/* ---- requests ---- */

static void enter(struct plain_request *rq, enum reason stage)
{
	rq->stage = stage;
	if (rq->on_stage != NULL)
		rq->on_stage(rq->stage_ctx, stage);
}

static void leave_list(struct plain_hub *hub, struct plain_request *rq)
{
	if (rq->prev != NULL)
		rq->prev->next = rq->next;
	else
		hub->requests = rq->next;
	if (rq->next != NULL)
		rq->next->prev = rq->prev;
	rq->prev = rq->next = NULL;
	if (hub->requests == NULL && hub->timer_us != 0) {
		hub->timer_us = 0;
		(void)uv_timer_stop(&hub->timer);
	}
}

static void let_go(struct plain_hub *hub, struct plain_request *rq, bool is_kept)
{
	struct plain_connection *c = TAKE_PTR(rq->connection);

	leave_list(hub, rq);
	if (c == NULL)
		return;
	/* What gets a connection of its own would only pile them up for others. */
	if (is_kept && !rq->is_fresh && rq->head.is_idempotent)
		keep(hub, c);
	else
		discard(hub, c);
}

HALE_PRINTF(4, 5)
static void end(struct plain_hub *hub, struct plain_request *rq, enum reason reason,
		const char *fmt, ...)
{
	char text[160];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	/* One that was answered before it was all sent would have its rest taken for the next. */
	let_go(hub, rq, reason == REASON_OK && rq->reply.is_kept && rq->sent == rq->head.text.len);
	hub->hooks.on_end(hub->hooks.ctx, rq, reason, text);
}

static void end_odd(struct plain_hub *hub, struct plain_request *rq, enum reason reason,
		    const char *text)
{
	if (!rq->head.is_safe) {
		end(hub, rq, reason, "%s", text);
		return;
	}
	let_go(hub, rq, false);
	hub->hooks.on_odd(hub->hooks.ctx, rq, true);
}

static enum reason reason_of_errno(int error, bool is_connecting)
{
	switch (error) {
	case ECONNREFUSED:
		return REASON_CONN_REFUSED;
	case ECONNRESET:
	case EPIPE:
		return REASON_CONN_RESET;
	case ETIMEDOUT:
		return is_connecting ? REASON_TIMEOUT_CONNECT : REASON_TIMEOUT_READ;
	default:
		return is_connecting ? REASON_UNREACHABLE : REASON_CONN_RESET;
	}
}

static int attach(struct plain_hub *hub, struct plain_request *rq)
{
	/* A kept connection may be closing: what was sent on it must then be sent again, and nobody
	 * knows whether the server has not taken it for good the first time. */
	bool may_reuse = !rq->is_fresh && rq->head.is_idempotent;
	struct plain_connection *c = may_reuse ? take_idle(hub, &rq->head.address) : NULL;

	rq->is_reused = c != NULL;
	if (c == NULL)
		c = connect_new(hub, &rq->head.address);
	if (c == NULL)
		return -errno;
	rq->connection = c;
	rq->sent = 0;
	c->rq = rq;
	return 0;
}

static void send_more(struct plain_hub *hub, struct plain_request *rq);

/* The server closed, or forgot, a connection that it had kept: no news about how it is. */
static bool try_anew(struct plain_hub *hub, struct plain_request *rq)
{
	if (!rq->is_reused || rq->received > 0)
		return false;
	discard(hub, rq->connection);
	rq->connection = NULL;
	/* Those beside it have probably gone with it. */
	rq->is_fresh = true;
	if (attach(hub, rq) < 0)
		return false;
	rq->is_fresh = false;
	enter(rq, REASON_TIMEOUT_CONNECT);
	send_more(hub, rq);
	return true;
}

static void fail(struct plain_hub *hub, struct plain_request *rq, int error)
{
	bool is_connecting = rq->connection->is_connecting;

	if (try_anew(hub, rq))
		return;
	/* Of a name there may be other addresses, or another by now. */
	if (is_connecting && !rq->head.is_numeric) {
		free(map_take(&hub->names, rq->head.host));
		let_go(hub, rq, false);
		hub->hooks.on_odd(hub->hooks.ctx, rq, false);
		return;
	}
	end(hub, rq, reason_of_errno(error, is_connecting), "%s %s port %u: %s",
	    is_connecting ? "Failed to connect to" : "Lost the connection to", rq->head.host,
	    (unsigned)rq->head.port, strerror(error));
}

static void send_more(struct plain_hub *hub, struct plain_request *rq)
{
	struct plain_connection *c = rq->connection;
	const struct str *text = &rq->head.text;

	while (rq->sent < text->len) {
		ssize_t n = send(c->fd, text->data + rq->sent, text->len - rq->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			fail(hub, rq, errno);
			return;
		}
		if (rq->sent == 0) {
			c->is_connecting = false;
			rq->connected_us = rq->is_reused ? 0 : clock_mono_us();
			enter(rq, REASON_TIMEOUT_READ);
		}
		rq->sent += (size_t)n;
	}
	rq->sent_us = clock_mono_us();
}

static bool leads_on(const struct plain_request *rq)
{
	return rq->follows_redirects && rq->reply.status / 100 == 3 &&
	       json_object_get(rq->reply.headers, "location") != NULL;
}

/* True if it has ended. */
static bool conclude(struct plain_hub *hub, struct plain_request *rq, enum http_reply_state state)
{
	switch (state) {
	case HTTP_REPLY_MORE:
		return false;
	case HTTP_REPLY_DONE:
		if (leads_on(rq))
			end_odd(hub, rq, REASON_PROTOCOL, "a redirect");
		else
			end(hub, rq, REASON_OK, "%s", "");
		return true;
	case HTTP_REPLY_LARGE_BODY:
		end(hub, rq, REASON_TOO_LARGE, "the answer is larger than %zu bytes",
		    rq->reply.body_max);
		return true;
	case HTTP_REPLY_LARGE_HEAD:
		end(hub, rq, REASON_TOO_LARGE, "the answer's headers are larger than %u bytes",
		    HTTP_HEADERS_MAX_BYTES);
		return true;
	case HTTP_REPLY_DOUBTFUL:
		end(hub, rq, REASON_PROTOCOL, "%s", http_reply_problem(&rq->reply));
		return true;
	case HTTP_REPLY_ODD:
		end_odd(hub, rq, REASON_PROTOCOL, http_reply_problem(&rq->reply));
		return true;
	case HTTP_REPLY_CUT:
		end(hub, rq, REASON_PROTOCOL, "the answer ended before its end");
		return true;
	}
	return true;
}

static void take_end(struct plain_hub *hub, struct plain_request *rq)
{
	if (try_anew(hub, rq))
		return;
	if (rq->received == 0)
		end(hub, rq, REASON_CONN_CLOSED, "Empty reply from server");
	else
		(void)conclude(hub, rq, http_reply_end(&rq->reply));
}

/* Once more, though nothing new may come: an edge tells only that. */
static void come_back(struct plain_hub *hub, struct plain_connection *c)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				    .data = {.ptr = c}};

	HALE_ASSERT(epoll_ctl(hub->epoll_fd, EPOLL_CTL_MOD, c->fd, &event) == 0);
}

static void receive(struct plain_hub *hub, struct plain_request *rq)
{
	for (unsigned reads = 0; reads < READS_MAX; reads++) {
		ssize_t n = recv(rq->connection->fd, hub->buffer, sizeof(hub->buffer), 0);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			fail(hub, rq, errno);
			return;
		}
		if (n == 0) {
			take_end(hub, rq);
			return;
		}
		if (rq->received == 0)
			rq->first_byte_us = clock_mono_us();
		rq->received += (size_t)n;
		if (conclude(hub, rq, http_reply_feed(&rq->reply, hub->buffer, (size_t)n)))
			return;
	}
	come_back(hub, rq->connection);
}

/* ---- events ---- */

static void on_event(struct plain_hub *hub, struct plain_connection *c, uint32_t events)
{
	struct plain_request *rq = c->rq;

	if (c->fd < 0)
		return;
	if (rq == NULL) {
		/* An idle one has nothing to say but goodbye; that it can be written to is none. */
		if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
			unlink_idle(hub, c);
			discard(hub, c);
		}
		return;
	}
	if (rq->sent < rq->head.text.len)
		send_more(hub, rq);
	/* That may have ended it, or given it another connection. */
	if (c->fd >= 0 && c->rq == rq && !c->is_connecting &&
	    (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
		receive(hub, rq);
}

static void on_poll(uv_poll_t *poll, int status, int loop_events)
{
	struct plain_hub *hub = poll->data;
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(hub->epoll_fd, events, EVENTS_MAX, 0);

	(void)status;
	(void)loop_events;
	/* Whoever is told of an end may close all this. */
	hub->is_dispatching = true;
	for (int i = 0; i < n; i++)
		on_event(hub, events[i].data.ptr, events[i].events);
	hub->is_dispatching = false;
	free_closed(hub);
}

static void arm(struct plain_hub *hub, int64_t deadline_us);

static void on_timer(uv_timer_t *timer)
{
	struct plain_hub *hub = timer->data;
	int64_t now_us = clock_mono_us(), next_us = INT64_MAX;
	struct plain_request *rq, *next;

	hub->timer_us = 0;
	for (rq = hub->requests; rq != NULL; rq = next) {
		next = rq->next;
		if (rq->deadline_us > now_us) {
			next_us = HALE_MIN(next_us, rq->deadline_us);
			continue;
		}
		/* It may have moved. */
		if (rq->stage == REASON_TIMEOUT_CONNECT && !rq->head.is_numeric)
			free(map_take(&hub->names, rq->head.host));
		end(hub, rq, rq->stage, "Operation timed out after %lld milliseconds",
		    (long long)((now_us - rq->started_us) / US_PER_MS));
		/* Who was told may have ended others. */
		next = hub->requests;
		next_us = INT64_MAX;
	}
	free_closed(hub);
	if (next_us != INT64_MAX)
		arm(hub, next_us);
}

static void arm(struct plain_hub *hub, int64_t deadline_us)
{
	int64_t wait_us = deadline_us - clock_mono_us();

	if (hub->timer_us != 0 && hub->timer_us <= deadline_us)
		return;
	hub->timer_us = deadline_us;
	uv_update_time(hub->loop);
	(void)uv_timer_start(&hub->timer, on_timer,
			     wait_us < 0 ? 0 : (uint64_t)(wait_us / US_PER_MS) + 1, 0);
}

/* ---- from outside ---- */

int plain_start(struct plain_hub *hub, struct plain_request *rq)
{
	const union http_address *a = &rq->head.address;
	int rc;

	enter(rq, REASON_TIMEOUT_DNS);
	(void)inet_ntop(a->any.sa_family,
			a->any.sa_family == AF_INET6 ? (const void *)&a->v6.sin6_addr
						     : (const void *)&a->v4.sin_addr,
			rq->ip, sizeof(rq->ip));
	rc = attach(hub, rq);
	if (rc < 0)
		return rc;
	rq->next = hub->requests;
	if (rq->next != NULL)
		rq->next->prev = rq;
	hub->requests = rq;
	arm(hub, rq->deadline_us);
	if (!rq->is_reused)
		enter(rq, REASON_TIMEOUT_CONNECT);
	/* The rest follows when the socket says that it can be written to; what fails is told then,
	 * not from here. A kept one says so only if it is asked. */
	if (rq->is_reused)
		come_back(hub, rq->connection);
	return 0;
}

void plain_cancel(struct plain_hub *hub, struct plain_request *rq)
{
	if (rq->connection == NULL)
		return;
	let_go(hub, rq, false);
	if (!hub->is_dispatching)
		free_closed(hub);
}

void plain_done(struct plain_request *rq)
{
	http_head_done(&rq->head);
	http_reply_done(&rq->reply);
}

struct plain_hub *plain_new(uv_loop_t *loop, const struct plain_hooks *hooks)
{
	struct plain_hub *hub = mem_alloc(sizeof(*hub));

	hub->loop = loop;
	hub->hooks = *hooks;
	hub->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	HALE_ASSERT(hub->epoll_fd >= 0);
	HALE_ASSERT(uv_poll_init(loop, &hub->poll, hub->epoll_fd) == 0);
	HALE_ASSERT(uv_timer_init(loop, &hub->timer) == 0);
	HALE_ASSERT(uv_poll_start(&hub->poll, UV_READABLE, on_poll) == 0);
	hub->poll.data = hub->timer.data = hub;
	/* It waits for others, and keeps no loop alive. */
	uv_unref((uv_handle_t *)&hub->poll);
	hub->open_handles = 2;
	return hub;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct plain_hub *hub = handle->data;
	void (*on_closed)(void *ctx) = hub->on_closed;
	void *ctx = hub->closed_ctx;

	if (--hub->open_handles > 0)
		return;
	free_closed(hub);
	free_names(&hub->names);
	map_done(&hub->avoided);
	free(hub);
	on_closed(ctx);
}

void plain_close(struct plain_hub *hub, void (*on_closed)(void *ctx), void *ctx)
{
	HALE_ASSERT(hub->requests == NULL);
	hub->on_closed = on_closed;
	hub->closed_ctx = ctx;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (hub->idle[i] != NULL) {
			struct plain_connection *c = hub->idle[i];

			unlink_idle(hub, c);
			discard(hub, c);
		}
	}
	(void)uv_poll_stop(&hub->poll);
	(void)close(hub->epoll_fd);
	uv_close((uv_handle_t *)&hub->poll, on_handle_closed);
	uv_close((uv_handle_t *)&hub->timer, on_handle_closed);
}
