/* SPDX-License-Identifier: Apache-2.0 */
#include "ws.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <wslay/wslay.h>

#include "base/clock.h"
#include "base/mem.h"

/* Read in one loop turn, so that one client cannot keep the others waiting. */
#define WS_TURN_BYTES       65536
/* Frames waiting to be written. The owner bounds the bytes; this bounds what has none: the pongs a
 * peer may ask for without end and never read. */
#define WS_QUEUE_FRAMES_MAX 16384

struct ws {
	uv_poll_t poll;
	struct upgraded *upgraded;
	int fd;
	wslay_event_context_ptr wslay;
	struct ws_ops ops;
	void *ctx;
	char *extra; /* read ahead by the HTTP server */
	size_t extra_len, extra_at;
	size_t turn_bytes;
	int64_t heard_ms;
	int64_t pinged_ms;
	int64_t close_by_ms; /* 0: not closing */
	bool is_dead;        /* the connection is of no use any more */
	bool is_gone;        /* handles are being closed */
};

static ssize_t on_recv(wslay_event_context_ptr wslay, uint8_t *buf, size_t len, int flags,
		       void *user)
{
	(void)flags;
	struct ws *ws = user;
	if (ws->extra_at < ws->extra_len) {
		size_t n = HALE_MIN(len, ws->extra_len - ws->extra_at);
		memcpy(buf, ws->extra + ws->extra_at, n);
		ws->extra_at += n;
		return (ssize_t)n;
	}
	if (ws->turn_bytes >= WS_TURN_BYTES) {
		wslay_event_set_error(wslay, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	ssize_t n;
	do {
		n = recv(ws->fd, buf, len, 0);
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		ws->turn_bytes += (size_t)n;
		ws->heard_ms = clock_mono_ms();
		return n;
	}
	bool is_later = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
	wslay_event_set_error(wslay, is_later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
	return -1;
}

static ssize_t on_send(wslay_event_context_ptr wslay, const uint8_t *data, size_t len, int flags,
		       void *user)
{
	struct ws *ws = user;
	int send_flags = MSG_NOSIGNAL | (flags & WSLAY_MSG_MORE ? MSG_MORE : 0);
	ssize_t n;
	do {
		n = send(ws->fd, data, len, send_flags);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	bool is_later = errno == EAGAIN || errno == EWOULDBLOCK;
	wslay_event_set_error(wslay, is_later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
	return -1;
}

static void on_msg(wslay_event_context_ptr wslay, const struct wslay_event_on_msg_recv_arg *arg,
		   void *user)
{
	(void)wslay;
	struct ws *ws = user;
	if (ws->close_by_ms)
		return;
	if (arg->opcode == WSLAY_TEXT_FRAME)
		ws->ops.on_text(ws->ctx, (const char *)arg->msg, arg->msg_length);
	else if (arg->opcode == WSLAY_BINARY_FRAME)
		ws_close(ws, WS_UNSUPPORTED, "text only");
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct ws *ws = handle->data;
	upgraded_close(ws->upgraded);
	wslay_event_context_free(ws->wslay);
	void (*on_closed)(void *ctx) = ws->ops.on_closed;
	void *ctx = ws->ctx;
	free(ws->extra);
	free(ws);
	on_closed(ctx);
}

static void on_poll(uv_poll_t *poll, int status, int events);

/* After anything that may have changed what is wanted of the socket. */
static void settle(struct ws *ws)
{
	if (ws->is_gone)
		return;
	int events = 0;
	if (wslay_event_want_read(ws->wslay))
		events |= UV_READABLE;
	if (wslay_event_want_write(ws->wslay))
		events |= UV_WRITABLE;
	if (ws->is_dead || !events) {
		ws->is_gone = true;
		uv_close((uv_handle_t *)&ws->poll, on_handle_closed);
		return;
	}
	uv_poll_start(&ws->poll, events, on_poll);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct ws *ws = poll->data;
	ws->turn_bytes = 0;
	if (status < 0)
		ws->is_dead = true;
	if (!ws->is_dead && (events & UV_READABLE))
		ws->is_dead = wslay_event_recv(ws->wslay) != 0;
	if (!ws->is_dead && wslay_event_want_write(ws->wslay))
		ws->is_dead = wslay_event_send(ws->wslay) != 0;
	if (wslay_event_get_queued_msg_count(ws->wslay) > WS_QUEUE_FRAMES_MAX)
		ws->is_dead = true;
	settle(ws);
}

struct ws *ws_new(uv_loop_t *loop, struct upgraded *u, int fd, const void *extra, size_t extra_len,
		  const struct ws_ops *ops, void *ctx)
{
	static const struct wslay_event_callbacks callbacks = {
		.recv_callback = on_recv, .send_callback = on_send, .on_msg_recv_callback = on_msg};
	struct ws *ws = mem_alloc(sizeof(*ws));
	ws->upgraded = u;
	ws->fd = fd;
	ws->ops = *ops;
	ws->ctx = ctx;
	ws->heard_ms = ws->pinged_ms = clock_mono_ms();
	if (extra_len) {
		ws->extra = mem_dupn(extra, extra_len);
		ws->extra_len = extra_len;
	}
	int rc = wslay_event_context_server_init(&ws->wslay, &callbacks, ws);
	HALE_ASSERT(rc == 0);
	wslay_event_config_set_max_recv_msg_length(ws->wslay, WS_MESSAGE_MAX);
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	rc = uv_poll_init_socket(loop, &ws->poll, fd);
	HALE_ASSERT(rc == 0);
	ws->poll.data = ws;
	/* Writable at once: what was read ahead is looked at without waiting for more. */
	uv_poll_start(&ws->poll, UV_READABLE | (extra_len ? UV_WRITABLE : 0), on_poll);
	return ws;
}

void ws_send(struct ws *ws, const char *text, size_t len)
{
	if (ws->is_gone || ws->is_dead || ws->close_by_ms)
		return;
	struct wslay_event_msg msg = {
		.opcode = WSLAY_TEXT_FRAME, .msg = (const uint8_t *)text, .msg_length = len};
	if (wslay_event_queue_msg(ws->wslay, &msg))
		return; /* the peer has begun to close */
	settle(ws);
}

size_t ws_queued(const struct ws *ws)
{
	return wslay_event_get_queued_msg_length(ws->wslay);
}

void ws_close(struct ws *ws, enum ws_code code, const char *reason)
{
	if (ws->is_gone || ws->close_by_ms)
		return;
	ws->close_by_ms = clock_mono_ms() + WS_CLOSE_MS;
	(void)wslay_event_queue_close(ws->wslay, (uint16_t)code, (const uint8_t *)reason,
				      strlen(reason));
	settle(ws);
}

bool ws_is_closing(const struct ws *ws)
{
	return ws->close_by_ms || ws->is_gone || ws->is_dead;
}

void ws_tick(struct ws *ws, int64_t now)
{
	if (ws->is_gone)
		return;
	if (ws->close_by_ms ? now >= ws->close_by_ms : now - ws->heard_ms >= WS_DEAD_MS) {
		ws->is_dead = true;
	} else if (!ws->close_by_ms && now - ws->heard_ms >= WS_PING_MS &&
		   now - ws->pinged_ms >= WS_PING_MS) {
		struct wslay_event_msg ping = {.opcode = WSLAY_PING};
		ws->pinged_ms = now;
		(void)wslay_event_queue_msg(ws->wslay, &ping);
	}
	settle(ws);
}
