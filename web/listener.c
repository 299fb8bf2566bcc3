/* SPDX-License-Identifier: Apache-2.0 */
#include "listener_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rnd.h"
#include "bind.h"

/* How often the deadlines are looked at: they are coarse on purpose. */
#define SWEEP_MS 1000

static const struct backoff_policy retry_policy = {
	.base_ms = 500, .factor = 2, .cap_ms = 10000, .jitter_percent = 20};

struct listener {
	uv_loop_t *loop;
	struct web_listen conf; /* own copy of the address */
	struct bind_address address;
	struct MHD_Daemon *daemon; /* NULL until bound */
	uint16_t port;
	char *url;
	bool is_quiescing;
	uv_poll_t poll; /* on the daemon's epoll fd; initialised only when bound */
	uv_timer_t pump;
	uv_timer_t aux; /* retry of the bind, later the sweep */
	unsigned open_handles;
	struct peer *peers;
	struct backoff backoff;
	struct err problem;
	size_t deferred;
	struct listener_stats stats;
	void (*on_request)(void *ctx, struct request *rq);
	void *ctx;
	void (*on_change)(void *ctx, struct listener *l);
	void (*on_closed)(void *ctx);
	void *closed_ctx;
};

static void pump_now(struct listener *l);

static void on_pump(uv_timer_t *t)
{
	pump_now(t->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	pump_now(poll->data);
}

static void pump_now(struct listener *l)
{
	if (!l->daemon)
		return;
	MHD_UNSIGNED_LONG_LONG timeout_ms;
	(void)MHD_run(l->daemon);
	if (MHD_get_timeout(l->daemon, &timeout_ms) == MHD_YES)
		uv_timer_start(&l->pump, on_pump, timeout_ms, 0);
	else
		uv_timer_stop(&l->pump);
}

void listener_wake(struct listener *l)
{
	if (!uv_is_closing((uv_handle_t *)&l->pump))
		uv_timer_start(&l->pump, on_pump, 0, 0);
}

static void on_connection(void *cls, struct MHD_Connection *conn, void **socket_ctx,
			  enum MHD_ConnectionNotificationCode code)
{
	struct listener *l = cls;
	struct peer *p = *socket_ctx;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		const union MHD_ConnectionInfo *info =
			MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
		p = mem_alloc(sizeof(*p));
		p->listener = l;
		p->fd = info ? info->connect_fd : -1;
		p->since_ms = clock_mono_ms();
		p->idle_s = LISTENER_IDLE_S;
		p->next = l->peers;
		if (p->next)
			p->next->prev = p;
		l->peers = p;
		*socket_ctx = p;
		return;
	}
	if (!p)
		return;
	if (p->prev)
		p->prev->next = p->next;
	else
		l->peers = p->next;
	if (p->next)
		p->next->prev = p->prev;
	free(p);
	*socket_ctx = NULL;
}

/* Idle time alone does not stop who sends one byte every ten seconds: each phase has a deadline. */
static void on_sweep(uv_timer_t *t)
{
	struct listener *l = t->data;
	int64_t now = clock_mono_ms();
	for (struct peer *p = l->peers; p; p = p->next) {
		int64_t limit = p->is_answering ? LISTENER_REQUEST_MS : LISTENER_RECEIVE_MS;
		if (p->is_upgraded || p->is_waiting || p->fd < 0 || now - p->since_ms < limit)
			continue;
		/* libmicrohttpd sees the end of the stream and closes; the fd stays its own. */
		shutdown(p->fd, SHUT_RDWR);
		p->since_ms = now;
		l->stats.refused++;
	}
}

static void on_mhd_log(void *cls, const char *fmt, va_list args) HALE_PRINTF(2, 0);
static void on_mhd_log(void *cls, const char *fmt, va_list args)
{
	(void)cls;
	HALE_CLEANUP(str_done) struct str text = {0};
	str_vaddf(&text, fmt, args);
	while (text.len && text.data[text.len - 1] == '\n')
		str_truncate(&text, text.len - 1);
	log_debug("libmicrohttpd", KV_S("text", str_text(&text)));
}

static struct MHD_Daemon *start_daemon(struct listener *l, int fd)
{
	return MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_UPGRADE | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
		NULL, NULL, request_access, l,
		/* First, so that nothing is logged past it. */
		MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_NOTIFY_COMPLETED, request_completed, l, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, l, MHD_OPTION_CONNECTION_LIMIT, (unsigned)LISTENER_CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)LISTENER_IDLE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)LISTENER_HEADER_MAX,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
}

static int try_bind(struct listener *l)
{
	int fd = bind_listen(&l->address, &l->problem);
	if (fd < 0)
		return fd;
	l->daemon = start_daemon(l, fd);
	if (!l->daemon) {
		close(fd);
		return err_set(&l->problem, -EIO, "cannot start the HTTP server");
	}
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	HALE_ASSERT(info);
	int rc = uv_poll_init(l->loop, &l->poll, info->epoll_fd);
	HALE_ASSERT(rc == 0);
	l->poll.data = l;
	l->open_handles++;
	uv_poll_start(&l->poll, UV_READABLE, on_poll);
	uv_timer_start(&l->aux, on_sweep, SWEEP_MS, SWEEP_MS);
	l->port = bind_port(fd);
	free(l->url);
	l->url =
		mem_printf("http://%.*s:%u", (int)(strrchr(l->conf.address, ':') - l->conf.address),
			   l->conf.address, (unsigned)l->port);
	l->problem.text[0] = '\0';
	backoff_ok(&l->backoff);
	pump_now(l);
	return 0;
}

static void on_retry(uv_timer_t *t)
{
	struct listener *l = t->data;
	if (try_bind(l))
		uv_timer_start(&l->aux, on_retry,
			       backoff_next(&l->backoff, &retry_policy, rnd_u32()), 0);
	else
		l->on_change(l->ctx, l);
}

struct listener *listener_new(uv_loop_t *loop, const struct web_listen *conf,
			      void (*on_request)(void *ctx, struct request *rq), void *ctx)
{
	struct listener *l = mem_alloc(sizeof(*l));
	int rc = bind_parse(conf->address, &l->address, NULL);
	HALE_ASSERT(rc == 0); /* web_options_load has seen to it */
	l->loop = loop;
	l->conf = (struct web_listen){mem_dup(conf->address), conf->public_details};
	l->on_request = on_request;
	l->ctx = ctx;
	uv_timer_init(loop, &l->pump);
	uv_timer_init(loop, &l->aux);
	l->pump.data = l->aux.data = l;
	l->open_handles = 2;
	return l;
}

int listener_start(struct listener *l, void (*on_change)(void *ctx, struct listener *l))
{
	l->on_change = on_change;
	int rc = try_bind(l);
	if (rc)
		uv_timer_start(&l->aux, on_retry,
			       backoff_next(&l->backoff, &retry_policy, rnd_u32()), 0);
	return rc;
}

void listener_quiesce(struct listener *l)
{
	if (l->is_quiescing)
		return;
	l->is_quiescing = true;
	if (!l->daemon) {
		uv_timer_stop(&l->aux);
		return;
	}
	int fd = MHD_quiesce_daemon(l->daemon);
	if (fd >= 0)
		close(fd);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct listener *l = handle->data;
	if (--l->open_handles)
		return;
	if (l->daemon)
		MHD_stop_daemon(l->daemon);
	void (*on_closed)(void *ctx) = l->on_closed;
	void *ctx = l->closed_ctx;
	free(l->conf.address);
	free(l->url);
	free(l);
	if (on_closed)
		on_closed(ctx);
}

void listener_close(struct listener *l, void (*on_closed)(void *ctx), void *ctx)
{
	HALE_ASSERT(l->deferred == 0);
	listener_quiesce(l);
	/* What was answered in this very turn still has to be written. */
	if (l->daemon)
		(void)MHD_run(l->daemon);
	l->on_closed = on_closed;
	l->closed_ctx = ctx;
	if (l->daemon)
		uv_close((uv_handle_t *)&l->poll, on_handle_closed);
	uv_close((uv_handle_t *)&l->pump, on_handle_closed);
	uv_close((uv_handle_t *)&l->aux, on_handle_closed);
}

void listener_dispatch(struct listener *l, struct request *rq)
{
	l->stats.requests++;
	l->on_request(l->ctx, rq);
}

void listener_count_refused(struct listener *l)
{
	l->stats.refused++;
}

void listener_count_deferred(struct listener *l, int by)
{
	l->deferred = (size_t)((long)l->deferred + by);
}

size_t listener_deferred(const struct listener *l)
{
	return l->deferred;
}

struct listener *peer_listener(const struct peer *p)
{
	return p->listener;
}

bool listener_is_loopback(const struct listener *l)
{
	return l->address.is_loopback;
}

bool listener_is_quiescing(const struct listener *l)
{
	return l->is_quiescing;
}

bool listener_has_public_details(const struct listener *l)
{
	return l->conf.public_details;
}

const char *listener_address(const struct listener *l)
{
	return l->conf.address;
}

const char *listener_url(const struct listener *l)
{
	return l->url ? l->url : l->conf.address;
}

const char *listener_problem(const struct listener *l)
{
	return l->problem.text[0] ? l->problem.text : NULL;
}

uint16_t listener_port(const struct listener *l)
{
	return l->port;
}

const struct listener_stats *listener_stats_get(const struct listener *l)
{
	return &l->stats;
}
