/* SPDX-License-Identifier: Apache-2.0 */
/* stream - a TCP or Unix connection as a libuv handle that closes behind its user
 *
 * Ownership: from stream_connect() to stream_close(), which forgets the user at once; the memory
 *            goes when libuv has closed the handle.
 * Errors:    libuv's numbers.
 * Loop:      all on the loop thread; events come from it, never from within a function here.
 */
#ifndef HALE_CHECKERS_STREAM_H
#define HALE_CHECKERS_STREAM_H

#include <stddef.h>
#include <uv.h>

struct stream;

struct stream_events {
	void (*on_connect)(void *ctx, struct stream *s, int status);
	/* n bytes, or an error (UV_EOF: the peer closed). The bytes are in the buffer that was
	 * given to stream_read(). */
	void (*on_read)(void *ctx, ssize_t n);
	/* What was queued could not be sent. */
	void (*on_unsent)(void *ctx, int status);
};

/* Begins to connect. NULL with the error in *rc_r if that cannot be. events is borrowed. */
struct stream *stream_connect(uv_loop_t *loop, const struct sockaddr *address,
			      const struct stream_events *events, void *ctx, int *rc_r);
/* A Unix socket. */
struct stream *stream_connect_path(uv_loop_t *loop, const char *path,
				   const struct stream_events *events, void *ctx, int *rc_r);
/* Events go to another one from here on. */
void stream_take(struct stream *s, const struct stream_events *events, void *ctx);
/* buf is borrowed; several streams may share one, because nobody else reads before on_read has
 * returned. */
int stream_read(struct stream *s, uv_buf_t buf);
/* At once if the kernel takes it, else a copy is queued. */
int stream_write(struct stream *s, const char *data, size_t len);
/* What is queued. */
size_t stream_unsent(const struct stream *s);
void stream_close(struct stream *s); /* NULL is fine */

#endif
