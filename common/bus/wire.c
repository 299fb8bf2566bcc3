/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "bus/nngsock.h"

struct write {
	uv_write_t request;
	struct wire *wire;
	size_t len;
	char text[];
};

void wire_init(struct wire *w, uv_loop_t *loop)
{
	(void)uv_pipe_init(loop, &w->pipe, 0);
	w->pipe.data = w;
	w->in = (struct str){0};
	w->scanned = 0;
	w->queued_bytes = 0;
	w->is_closing = false;
	w->is_finishing = false;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct wire *w = handle->data;

	str_done(&w->in);
	w->on_closed(w);
}

void wire_close(struct wire *w)
{
	if (w->is_closing)
		return;
	w->is_closing = true;
	uv_close((uv_handle_t *)&w->pipe, on_handle_closed);
}

static void end(struct wire *w)
{
	if (!w->is_closing)
		w->on_end(w);
}

/* ---- reading ---- */

static void alloc_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct wire *w = handle->data;

	str_reserve(&w->in, suggested);
	*buf = uv_buf_init(w->in.data + w->in.len, (unsigned)suggested);
}

static void take_lines(struct wire *w)
{
	size_t start = 0;

	while (!w->is_closing) {
		size_t from = HALE_MAX(start, w->scanned);
		char *newline = memchr(w->in.data + from, '\n', w->in.len - from);

		if (newline == NULL)
			break;
		*newline = '\0';
		w->scanned = (size_t)(newline - w->in.data) + 1;
		w->on_text(w, w->in.data + start, w->scanned - 1 - start);
		start = w->scanned;
	}
	str_drop_front(&w->in, start);
	w->scanned = w->in.len;
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
	struct wire *w = stream->data;

	(void)buf;
	if (got == 0 || w->is_closing)
		return;
	if (got < 0) {
		end(w);
		return;
	}
	w->in.len += (size_t)got;
	w->in.data[w->in.len] = '\0';
	take_lines(w);
	if (w->in.len > w->line_max)
		end(w);
}

void wire_start(struct wire *w)
{
	if (uv_read_start((uv_stream_t *)&w->pipe, alloc_buffer, on_read) < 0)
		end(w);
}

/* ---- writing ---- */

/* Ends the connection from the loop, not from within the caller: reading finds its end. */
static void break_off(struct wire *w)
{
	uv_os_fd_t fd;

	if (uv_fileno((uv_handle_t *)&w->pipe, &fd) == 0)
		(void)shutdown(fd, SHUT_RDWR);
}

static void on_written(uv_write_t *request, int status)
{
	struct write *wr = container_of(request, struct write, request);
	struct wire *w = wr->wire;

	w->queued_bytes -= wr->len;
	free(wr);
	if (w->is_finishing && (status < 0 || w->queued_bytes == 0))
		wire_close(w);
	else if (status < 0)
		end(w);
}

void wire_send(struct wire *w, const char *text, size_t len)
{
	struct write *wr;
	uv_buf_t buf;

	if (w->is_closing)
		return;
	if (w->queued_bytes + len > WIRE_QUEUE_MAX) {
		break_off(w);
		return;
	}
	wr = mem_alloc(sizeof(*wr) + len + 1);
	memcpy(wr->text, text, len);
	wr->text[len] = '\n';
	wr->wire = w;
	wr->len = len + 1;
	buf = uv_buf_init(wr->text, (unsigned)wr->len);
	w->queued_bytes += wr->len;
	if (uv_write(&wr->request, (uv_stream_t *)&w->pipe, &buf, 1, on_written) < 0) {
		w->queued_bytes -= wr->len;
		free(wr);
		break_off(w);
	}
}

void wire_finish(struct wire *w)
{
	w->is_finishing = true;
	if (w->queued_bytes == 0)
		wire_close(w);
}

/* ---- sockets ---- */

int wire_probe(const char *path)
{
	HALE_CLEANUP(cleanup_fd)
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	/* A full queue is one that somebody listens at. */
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 && errno != EAGAIN)
		return -errno;
	return 0;
}

static int clear_path(const char *path, struct err *err)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, -EEXIST, "%s: stands where a socket must be: remove it", path);
	if (wire_probe(path) != -ECONNREFUSED)
		return err_set(err, -EADDRINUSE, "%s: in use by another process", path);
	(void)unlink(path);
	return 0;
}

int wire_bind(uv_pipe_t *pipe, const char *path, const struct bus_access *access, struct err *err)
{
	int rc = nngsock_path_check(path, err);

	if (rc == 0)
		rc = clear_path(path, err);
	if (rc < 0)
		return rc;
	rc = uv_pipe_bind(pipe, path);
	/* Nobody can connect before it listens, so there is no moment with a wider mode. */
	if (rc == 0)
		rc = bus_access_apply(access, path);
	return rc < 0 ? err_errno(err, rc, "cannot listen at %s", path) : 0;
}

uid_t wire_peer(const uv_pipe_t *pipe)
{
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);
	uv_os_fd_t fd;

	if (uv_fileno((const uv_handle_t *)pipe, &fd) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return (uid_t)-1;
	return peer.uid;
}
