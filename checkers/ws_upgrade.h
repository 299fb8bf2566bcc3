/* SPDX-License-Identifier: Apache-2.0 */
/* ws_upgrade - the opening handshake of a WebSocket, from the client's side (RFC 6455 section 4.1)
 *
 * Pure: the key is given. Bounded: an answer's head has WS_HEAD_MAX bytes.
 *
 * Ownership: ws_answer's texts are its own, bounded copies.
 */
#ifndef HALE_CHECKERS_WS_UPGRADE_H
#define HALE_CHECKERS_WS_UPGRADE_H

#include "base/err.h"
#include "base/str.h"
#include "base/strlist.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* As HTTP servers do. */
#define WS_HEAD_MAX    16384
#define WS_KEY_BYTES   16
#define WS_KEY_SIZE    25  /* in base64, and NUL */
#define WS_ACCEPT_SIZE 29  /* a SHA-1 in base64, and NUL */
#define WS_HOST_MAX    254 /* a DNS name's 253 bytes, and NUL */
#define WS_VALUE_MAX   128

struct ws_url {
	bool is_tls;
	char host[WS_HOST_MAX]; /* without brackets */
	char port[6];
	char authority[WS_HOST_MAX + 8]; /* for Host: without the scheme's own port */
	const char *path;                /* into the URL: "/path?query", or "" for "/" */
};

/* ws:// or wss://, with a host, without a login or fragment. -EINVAL with what is wrong. */
int ws_url_parse(const char *url, struct ws_url *url_r, struct err *err);

void ws_key_format(const unsigned char nonce[WS_KEY_BYTES], char key_r[WS_KEY_SIZE]);
void ws_accept_of(const char *key, char accept_r[WS_ACCEPT_SIZE]);

/* A header that the handshake makes itself, or one that would break the request. */
bool ws_header_is_good(const char *name, const char *value);
/* headers: {name: text} or NULL. Appends. */
void ws_request_format(struct str *out, const struct ws_url *url, const char *key,
		       const struct strlist *subprotocols, const json_t *headers);

struct ws_answer {
	int status;
	char reason[WS_VALUE_MAX];
	char subprotocol[WS_VALUE_MAX];
	char server[WS_VALUE_MAX];
	char location[WS_VALUE_MAX];
	char accept[WS_VALUE_MAX];
	bool has_upgrade;    /* Upgrade: websocket */
	bool has_connection; /* Connection: upgrade */
	bool has_extensions; /* though none were offered */
	bool has_subprotocol;
};

/* Reads the head of an answer from all that came so far. 0: *used_r is its length; -EAGAIN: it is
 * not complete; -EPROTO, -EMSGSIZE: it is none, or too long. */
int ws_answer_parse(const char *data, size_t len, struct ws_answer *answer_r, size_t *used_r,
		    struct err *err);
/* Of an answer with status 101: -EPROTO with what is wrong with it. */
int ws_answer_check(const struct ws_answer *answer, const char *key,
		    const struct strlist *subprotocols, struct err *err);

#endif
