/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/inquiry.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

struct inquiry {
	inquiry_done_fn on_done; /* NULL: told, or not to be told */
	void *ctx;
	uv_poll_t output;
	uv_timer_t timer;
	int open_handles;
	pid_t pid;
	int fd;
	struct str text;
	int wait_status;
	bool has_exited;
	bool is_at_end;
	bool is_late;
};

static void on_closed(uv_handle_t *handle)
{
	struct inquiry *q = handle->data;

	if (--q->open_handles > 0)
		return;
	close(q->fd);
	str_done(&q->text);
	free(q);
}

static void close_all(struct inquiry *q)
{
	q->on_done = NULL;
	(void)uv_poll_stop(&q->output);
	(void)uv_timer_stop(&q->timer);
	uv_close((uv_handle_t *)&q->output, on_closed);
	uv_close((uv_handle_t *)&q->timer, on_closed);
}

static void conclude(struct inquiry *q)
{
	if (!q->has_exited || !q->is_at_end || q->on_done == NULL)
		return;
	q->on_done(q->ctx, q->wait_status, q->is_late, str_text(&q->text));
	close_all(q);
}

static void on_output(uv_poll_t *poll, int status, int events)
{
	struct inquiry *q = poll->data;
	char buf[4096];
	ssize_t got = status < 0 ? 0 : read(q->fd, buf, sizeof(buf));

	(void)events;
	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got > 0 && q->text.len < INQUIRY_TEXT_MAX) {
		str_addn(&q->text, buf, (size_t)got);
		return;
	}
	q->is_at_end = true;
	(void)uv_poll_stop(poll);
	conclude(q);
}

static void on_timeout(uv_timer_t *timer)
{
	struct inquiry *q = timer->data;

	q->is_late = true;
	if (!q->has_exited) {
		(void)kill(-q->pid, SIGKILL);
		return;
	}
	/* It has ended, and somebody holds its output: there is nothing more to wait for. */
	q->is_at_end = true;
	conclude(q);
}

bool inquiry_reaped(struct inquiry *q, pid_t pid, int wait_status)
{
	if (q == NULL || q->pid != pid || q->has_exited)
		return false;
	q->has_exited = true;
	q->wait_status = wait_status;
	conclude(q);
	return true;
}

static void open_handles(struct inquiry *q, uv_loop_t *loop, uint32_t timeout_ms)
{
	q->open_handles = 2;
	q->output.data = q;
	q->timer.data = q;
	if (uv_poll_init(loop, &q->output, q->fd) < 0 ||
	    uv_poll_start(&q->output, UV_READABLE, on_output) < 0)
		hale_panic(__FILE__, __LINE__, "uv_poll on a fresh pipe");
	(void)uv_timer_init(loop, &q->timer);
	(void)uv_timer_start(&q->timer, on_timeout, timeout_ms, 0);
}

int inquiry_start(uv_loop_t *loop, const struct spawn_plan *plan, uint32_t timeout_ms,
		  inquiry_done_fn on_done, void *ctx, struct inquiry **q_r, struct err *err)
{
	struct spawn_plan own = *plan;
	HALE_CLEANUP(cleanup_fd) int output = -1;
	HALE_CLEANUP(cleanup_fd) int input = -1;
	struct inquiry *q;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(err, -errno, "cannot create a pipe");
	input = fds[0];
	output = own.output_fd = fds[1];
	(void)fcntl(input, F_SETFL, O_NONBLOCK);
	pid = spawn_start(&own, err);
	if (pid < 0)
		return (int)pid;
	q = mem_alloc(sizeof(*q));
	*q = (struct inquiry){.on_done = on_done, .ctx = ctx, .pid = pid, .fd = TAKE_FD(input)};
	open_handles(q, loop, timeout_ms);
	*q_r = q;
	return 0;
}

void inquiry_cancel(struct inquiry *q)
{
	if (q == NULL || q->on_done == NULL)
		return;
	if (!q->has_exited)
		(void)kill(-q->pid, SIGKILL);
	close_all(q);
}
