/* SPDX-License-Identifier: Apache-2.0 */
/* ws - one WebSocket connection after its handshake (RFC 6455), framed by wslay
 *
 * Pings are answered by wslay. The owner calls ws_tick() about once a second: it pings an idle
 * peer, ends one that no longer answers, and one that does not complete its close in time.
 * Everything queued is counted, so that the owner can drop who reads too slowly.
 *
 * Ownership: ws_new takes the upgraded connection; on_closed is called exactly once, after which
 *            the ws is gone. Loop thread only; on_text and on_closed are never called from within
 *            ws_send() or ws_close().
 */
#ifndef HALE_WEB_WS_H
#define HALE_WEB_WS_H

#include "request.h"

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* What a client has to say is a token or a subscription. Longer: closed with 1009. */
#define WS_MESSAGE_MAX 8192
#define WS_PING_MS     25000
/* Two pings without a sign of life. */
#define WS_DEAD_MS     55000
#define WS_CLOSE_MS    3000

enum ws_code {
	WS_NORMAL = 1000,
	WS_GOING_AWAY = 1001,
	WS_UNSUPPORTED = 1003,
	WS_POLICY = 1008,
	WS_TRY_LATER = 1013, /* IANA WebSocket close codes */
};

struct ws;
struct ws_ops {
	void (*on_text)(void *ctx, const char *text, size_t len);
	void (*on_closed)(void *ctx);
};

struct ws *ws_new(uv_loop_t *loop, struct upgraded *u, int fd, const void *extra, size_t extra_len,
		  const struct ws_ops *ops, void *ctx);
/* Queues; written when the loop finds the socket writable. Nothing after ws_close. */
void ws_send(struct ws *ws, const char *text, size_t len);
size_t ws_queued(const struct ws *ws); /* bytes */
void ws_close(struct ws *ws, enum ws_code code, const char *reason);
bool ws_is_closing(const struct ws *ws);
void ws_tick(struct ws *ws, int64_t now_mono_ms);

/* Sec-WebSocket-Accept of a Sec-WebSocket-Key (section 4.2.2); -EINVAL unless the key is the
 * base64 of 16 bytes. */
#define WS_ACCEPT_SIZE 32
int ws_accept_key(const char *key, char out[WS_ACCEPT_SIZE]);
/* True if the comma-separated header value holds the token, whatever its case. */
bool ws_header_has(const char *value, const char *token);
/* True if a page of this Origin may open a stream: its host and port are ours (the Host header), or
 * it is one of `origins`. */
bool ws_origin_allowed(const char *origin, const char *host, const struct strlist *origins);

#endif
