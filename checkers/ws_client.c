/* SPDX-License-Identifier: Apache-2.0 */
#include "ws_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <wslay/wslay.h>

#include "base/mem.h"

struct ws_client {
	wslay_event_context_ptr wslay;
	ws_event_fn on_event;
	void *ctx;
	const char *in; /* being fed */
	size_t in_len;
	struct str out;
	bool is_closing; /* by us */
	bool is_closed;  /* by the peer */
};

static ssize_t on_recv(wslay_event_context_ptr wslay, uint8_t *buf, size_t len,
		       int flags HALE_UNUSED, void *user)
{
	struct ws_client *w = user;
	size_t n = HALE_MIN(len, w->in_len);

	if (n == 0) {
		wslay_event_set_error(wslay, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	memcpy(buf, w->in, n);
	w->in += n;
	w->in_len -= n;
	return (ssize_t)n;
}

static ssize_t on_send(wslay_event_context_ptr wslay HALE_UNUSED, const uint8_t *data, size_t len,
		       int flags HALE_UNUSED, void *user)
{
	struct ws_client *w = user;

	str_addn(&w->out, (const char *)data, len);
	return (ssize_t)len;
}

/* RFC 6455 section 10.3: not to be foreseen. */
static int on_mask(wslay_event_context_ptr wslay HALE_UNUSED, uint8_t *buf, size_t len,
		   void *user HALE_UNUSED)
{
	return getrandom(buf, len, 0) == (ssize_t)len ? 0 : -1;
}

static void on_msg(wslay_event_context_ptr wslay HALE_UNUSED,
		   const struct wslay_event_on_msg_recv_arg *arg, void *user)
{
	struct ws_client *w = user;
	const char *data = arg->msg == NULL ? "" : (const char *)arg->msg; /* an empty one */
	size_t len = arg->msg_length;

	switch (arg->opcode) {
	case WSLAY_TEXT_FRAME:
		w->on_event(w->ctx, WS_EVENT_TEXT, data, len, 0);
		break;
	case WSLAY_BINARY_FRAME:
		w->on_event(w->ctx, WS_EVENT_BINARY, data, len, 0);
		break;
	case WSLAY_PONG:
		w->on_event(w->ctx, WS_EVENT_PONG, data, len, 0);
		break;
	case WSLAY_CONNECTION_CLOSE:
		w->is_closed = true;
		/* The reason stands after the two bytes of the code. */
		w->on_event(w->ctx, WS_EVENT_CLOSE, len > 2 ? data + 2 : "", len > 2 ? len - 2 : 0,
			    arg->status_code);
		break;
	default:
		break; /* a ping: wslay has answered */
	}
}

struct ws_client *ws_client_new(size_t message_max, ws_event_fn on_event, void *ctx)
{
	static const struct wslay_event_callbacks callbacks = {
		.recv_callback = on_recv,
		.send_callback = on_send,
		.genmask_callback = on_mask,
		.on_msg_recv_callback = on_msg,
	};
	struct ws_client *w = mem_alloc(sizeof(*w));
	int rc = wslay_event_context_client_init(&w->wslay, &callbacks, w);

	HALE_ASSERT(rc == 0);
	wslay_event_config_set_max_recv_msg_length(w->wslay, message_max);
	w->on_event = on_event;
	w->ctx = ctx;
	return w;
}

void ws_client_free(struct ws_client *w)
{
	if (w == NULL)
		return;
	wslay_event_context_free(w->wslay);
	str_done(&w->out);
	free(w);
}

bool ws_client_is_closed(const struct ws_client *w)
{
	return w->is_closed;
}

struct str *ws_client_out(struct ws_client *w)
{
	while (wslay_event_want_write(w->wslay)) {
		if (wslay_event_send(w->wslay) != 0)
			break;
	}
	return &w->out;
}

/* wslay tells the peer what is wrong, by the code it closes with, and nobody else. */
static int complaint(struct ws_client *w, struct err *err)
{
	(void)ws_client_out(w);
	if (w->is_closing || w->is_closed || !wslay_event_get_close_sent(w->wslay))
		return 0;
	switch (wslay_event_get_status_code_sent(w->wslay)) {
	case WSLAY_CODE_MESSAGE_TOO_BIG:
		return err_set(err, -EMSGSIZE, "a message that is too large");
	case WSLAY_CODE_INVALID_FRAME_PAYLOAD_DATA:
		return err_set(err, -EPROTO, "a text that is not UTF-8");
	default:
		return err_set(err, -EPROTO, "frames that break the protocol");
	}
}

int ws_client_feed(struct ws_client *w, const char *data, size_t len, struct err *err)
{
	int rc;

	w->in = data;
	w->in_len = len;
	/* One call reads until nothing is left, unless the connection is closed in the middle: what
	 * comes after that is nobody's. */
	rc = wslay_event_get_read_enabled(w->wslay) ? wslay_event_recv(w->wslay) : 0;
	w->in = NULL;
	w->in_len = 0;
	if (rc != 0)
		return err_set(err, -EPROTO, "frames that break the protocol");
	return complaint(w, err);
}

static void queue(struct ws_client *w, uint8_t opcode, const char *data, size_t len)
{
	struct wslay_event_msg msg = {
		.opcode = opcode, .msg = (const uint8_t *)data, .msg_length = len};

	/* Refused once the connection is closing: then it is too late. */
	(void)wslay_event_queue_msg(w->wslay, &msg);
}

void ws_client_send(struct ws_client *w, const char *text, size_t len)
{
	queue(w, WSLAY_TEXT_FRAME, text, len);
}

void ws_client_ping(struct ws_client *w, const char *data, size_t len)
{
	queue(w, WSLAY_PING, data, len);
}

void ws_client_close(struct ws_client *w)
{
	w->is_closing = true;
	(void)wslay_event_queue_close(w->wslay, WSLAY_CODE_NORMAL_CLOSURE, NULL, 0);
}
