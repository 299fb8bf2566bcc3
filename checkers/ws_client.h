/* SPDX-License-Identifier: Apache-2.0 */
/* ws_client - the client's side of an open WebSocket (RFC 6455), framed by wslay
 *
 * No I/O: bytes that came are fed in, bytes to be sent collect in ws_client_out(). Fragments are
 * put together, pings answered, what we send is masked. Bounded: messages of message_max bytes.
 * Extensions are none.
 *
 * Ownership: ws_client_new/_free. What on_event gets is borrowed for the call, from within which
 *            the client must not be called, nor freed.
 */
#ifndef HALE_CHECKERS_WS_CLIENT_H
#define HALE_CHECKERS_WS_CLIENT_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct ws_client;

enum ws_event { WS_EVENT_TEXT, WS_EVENT_BINARY, WS_EVENT_PONG, WS_EVENT_CLOSE };

/* code: of a close, 0 if it gave none; its data are the reason given. */
typedef void (*ws_event_fn)(void *ctx, enum ws_event event, const char *data, size_t len,
			    unsigned code);

struct ws_client *ws_client_new(size_t message_max, ws_event_fn on_event, void *ctx);
void ws_client_free(struct ws_client *w); /* takes NULL */
/* 0; -EPROTO: the peer breaks the protocol; -EMSGSIZE: a message is too large. Then the client is
 * of no use any more, but what it says about it stands in ws_client_out(). */
int ws_client_feed(struct ws_client *w, const char *data, size_t len, struct err *err);
void ws_client_send(struct ws_client *w, const char *text, size_t len);
/* data: at most 125 bytes, which the pong brings back. */
void ws_client_ping(struct ws_client *w, const char *data, size_t len);
/* We are through (1000). */
void ws_client_close(struct ws_client *w);
/* The peer has said goodbye. */
bool ws_client_is_closed(const struct ws_client *w);
/* To be sent and then cleared, after each of the calls above. */
struct str *ws_client_out(struct ws_client *w);

#endif
