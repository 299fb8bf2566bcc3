/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"

#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/mem.h"

struct stream {
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} uv;
	uv_connect_t connect;
	const struct stream_events *events; /* NULL: closed */
	void *ctx;
	uv_buf_t buf;
};

struct write {
	uv_write_t uv;
	char data[];
};

static struct stream *stream_of(void *handle)
{
	return container_of(handle, struct stream, uv);
}

static struct stream *stream_new(const struct stream_events *events, void *ctx)
{
	struct stream *s = mem_alloc(sizeof(*s));

	s->events = events;
	s->ctx = ctx;
	return s;
}

static void on_connected(uv_connect_t *connect, int status)
{
	struct stream *s = stream_of(connect->handle);

	if (s->events == NULL)
		return;
	/* Questions are short and wait for their answer. */
	if (status == 0 && s->uv.handle.type == UV_TCP)
		(void)uv_tcp_nodelay(&s->uv.tcp, 1);
	s->events->on_connect(s->ctx, s, status);
}

struct stream *stream_connect(uv_loop_t *loop, const struct sockaddr *address,
			      const struct stream_events *events, void *ctx, int *rc_r)
{
	struct stream *s = stream_new(events, ctx);
	int rc = uv_tcp_init(loop, &s->uv.tcp);

	HALE_ASSERT(rc == 0); /* makes no socket yet */
	rc = uv_tcp_connect(&s->connect, &s->uv.tcp, address, on_connected);
	if (rc == 0)
		return s;
	*rc_r = rc;
	stream_close(s);
	return NULL;
}

struct stream *stream_connect_path(uv_loop_t *loop, const char *path,
				   const struct stream_events *events, void *ctx, int *rc_r)
{
	struct stream *s;
	int rc;

	/* libuv would cut it off, and connect to another. */
	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
		*rc_r = UV_ENAMETOOLONG;
		return NULL;
	}
	s = stream_new(events, ctx);
	rc = uv_pipe_init(loop, &s->uv.pipe, 0);
	HALE_ASSERT(rc == 0);
	uv_pipe_connect(&s->connect, &s->uv.pipe, path, on_connected);
	return s;
}

void stream_take(struct stream *s, const struct stream_events *events, void *ctx)
{
	s->events = events;
	s->ctx = ctx;
}

static void on_alloc(uv_handle_t *handle, size_t size HALE_UNUSED, uv_buf_t *buf)
{
	*buf = stream_of(handle)->buf;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf HALE_UNUSED)
{
	struct stream *s = stream_of(stream);

	if (s->events == NULL || n == 0)
		return;
	if (n < 0)
		(void)uv_read_stop(stream);
	s->events->on_read(s->ctx, n);
}

int stream_read(struct stream *s, uv_buf_t buf)
{
	s->buf = buf;
	return uv_read_start(&s->uv.stream, on_alloc, on_read);
}

static void on_written(uv_write_t *uv, int status)
{
	struct stream *s = stream_of(uv->handle);

	free(container_of(uv, struct write, uv));
	if (status < 0 && s->events != NULL)
		s->events->on_unsent(s->ctx, status);
}

int stream_write(struct stream *s, const char *data, size_t len)
{
	uv_buf_t buf = uv_buf_init((char *)(uintptr_t)data, (unsigned)len);
	int n = uv_try_write(&s->uv.stream, &buf, 1);
	struct write *write;
	int rc;

	if (n < 0 && n != UV_EAGAIN)
		return n;
	n = HALE_MAX(n, 0);
	if ((size_t)n == len)
		return 0;
	len -= (size_t)n;
	write = mem_alloc(sizeof(*write) + len);
	memcpy(write->data, data + n, len);
	buf = uv_buf_init(write->data, (unsigned)len);
	rc = uv_write(&write->uv, &s->uv.stream, &buf, 1, on_written);
	if (rc != 0)
		free(write);
	return rc;
}

size_t stream_unsent(const struct stream *s)
{
	return uv_stream_get_write_queue_size(&s->uv.stream);
}

static void on_closed(uv_handle_t *handle)
{
	free(stream_of(handle));
}

void stream_close(struct stream *s)
{
	if (s == NULL)
		return;
	s->events = NULL;
	uv_close(&s->uv.handle, on_closed);
}
