/* SPDX-License-Identifier: Apache-2.0 */
/* tls_stream - TLS between two buffers: what came goes in, what is to be sent comes out
 *
 * No I/O: who has the connection (conn.c) carries the bytes. A certificate never ends the
 * handshake; tls_stream_judge() says afterwards whether it is what was asked for, and then what the
 * peer showed is there to be told.
 *
 * Ownership: tls_stream_new/_free.
 * Errors:    a reason and a text for people (struct tls_failure).
 * Loop:      all on the loop thread.
 */
#ifndef HALE_CHECKERS_TLS_STREAM_H
#define HALE_CHECKERS_TLS_STREAM_H

#include "conn.h"

#include <stddef.h>
#include <sys/types.h>

struct tls_contexts;
struct tls_stream;

struct tls_failure {
	enum reason reason;
	char text[512];
};

enum tls_step { TLS_STEP_MORE, TLS_STEP_DONE, TLS_STEP_FAILED };

/* host is what to ask for and to expect, unless tls has a server_name; a number or the path of a
 * socket is no name. NULL with the failure if the options do not work. */
struct tls_stream *tls_stream_new(struct tls_contexts *contexts, const struct conn_tls *tls,
				  const char *host, struct tls_failure *failure);
void tls_stream_free(struct tls_stream *t); /* NULL is fine */

/* What came from the peer. */
void tls_stream_feed(struct tls_stream *t, const char *data, size_t len);
/* What is to be sent to it; 0: nothing. To be asked after each of the following. */
size_t tls_stream_take(struct tls_stream *t, char *buf, size_t size);

enum tls_step tls_stream_shake(struct tls_stream *t, struct tls_failure *failure);
/* Once, after the handshake: is the peer who it should be? Always, if nothing is to be verified. */
bool tls_stream_judge(struct tls_stream *t, struct tls_failure *failure);

/* Plain bytes: how many; 0: none yet; -ESHUTDOWN: the peer said that it ends; -EPROTO: failed. */
ssize_t tls_stream_read(struct tls_stream *t, char *buf, size_t size, struct tls_failure *failure);
void tls_stream_write(struct tls_stream *t, const char *data, size_t len);
/* Says that we end. */
void tls_stream_finish(struct tls_stream *t);

/* NULL before tls_stream_judge(). */
const struct conn_peer *tls_stream_peer(const struct tls_stream *t);

#endif
