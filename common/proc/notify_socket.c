/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/notify_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rnd.h"

struct notify_socket {
	uv_poll_t poll;
	char *path;
	int fd;
	pid_t session;
	notify_fn on_notify;
	void *ctx;
};

static void dispatch(struct notify_socket *s, char *text)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		char *equals = strchr(line, '=');

		if (equals == NULL)
			continue;
		*equals = '\0';
		s->on_notify(s->ctx, line, equals + 1);
	}
}

/* The sender's pid as the kernel saw it; 0 if it did not say. */
static pid_t sender_of(struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		struct ucred cred;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&cred, CMSG_DATA(c), sizeof(cred));
		return cred.pid;
	}
	return 0;
}

static bool receive(struct notify_socket *s)
{
	char text[NOTIFY_MESSAGE_MAX + 1];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control = {0};
	struct iovec iov = {.iov_base = text, .iov_len = NOTIFY_MESSAGE_MAX};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	ssize_t got = recvmsg(s->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	pid_t sender;

	if (got < 0)
		return errno == EINTR;
	text[got] = '\0';
	sender = sender_of(&msg);
	/* The session outlives the sender: a helper that said READY=1 and ended still counts only
	 * while the kernel can tell, so a vanished sender is not believed. */
	if (s->session != 0 && (sender == s->session || getsid(sender) == s->session))
		dispatch(s, text);
	return true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct notify_socket *s = poll->data;

	(void)events;
	/* Capped, so that a child that floods cannot hold the loop. */
	for (int i = 0; status == 0 && i < 64; i++) {
		if (!receive(s))
			break;
	}
}

static bool is_abstract(const char *path)
{
	return path[0] == '@';
}

static int bind_socket(const char *path, struct err *err)
{
	HALE_CLEANUP(cleanup_fd)
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(addr);
	int on = 1;

	if (fd < 0)
		return err_errno(err, -errno, "cannot create a socket");
	if (strlen(path) >= sizeof(addr.sun_path))
		return err_set(
			err, -ENAMETOOLONG,
			"socket path %s is longer than %zu bytes: choose a shorter --run-dir", path,
			sizeof(addr.sun_path) - 1);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	if (is_abstract(path)) {
		/* Such a name begins with NUL and is as long as the address says. */
		addr.sun_path[0] = '\0';
		len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	} else {
		(void)unlink(path);
	}
	if (bind(fd, (struct sockaddr *)&addr, len) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return err_errno(err, -errno, "cannot bind %s", path);
	return TAKE_FD(fd);
}

int notify_socket_open(uv_loop_t *loop, const char *path, notify_fn on_notify, void *ctx,
		       struct notify_socket **s_r, struct err *err)
{
	HALE_CLEANUP(cleanup_free)
	char *address = is_abstract(path) ? mem_printf("%s-%08x%08x", path, rnd_u32(), rnd_u32())
					  : mem_dup(path);
	int fd = bind_socket(address, err);

	if (fd < 0)
		return fd;
	*s_r = notify_socket_adopt(loop, address, fd, on_notify, ctx);
	return 0;
}

struct notify_socket *notify_socket_adopt(uv_loop_t *loop, const char *address, int fd,
					  notify_fn on_notify, void *ctx)
{
	struct notify_socket *s = mem_alloc(sizeof(*s));

	*s = (struct notify_socket){
		.path = mem_dup(address), .fd = fd, .on_notify = on_notify, .ctx = ctx};
	s->poll.data = s;
	if (uv_poll_init(loop, &s->poll, fd) < 0 ||
	    uv_poll_start(&s->poll, UV_READABLE, on_readable) < 0)
		hale_panic(__FILE__, __LINE__, "uv_poll on a socket of ours");
	return s;
}

int notify_socket_fd(const struct notify_socket *s)
{
	return s->fd;
}

const char *notify_socket_address(const struct notify_socket *s)
{
	return s->path;
}

void notify_socket_give(const struct notify_socket *s, uid_t uid)
{
	HALE_CLEANUP(cleanup_fd)
	int fd = is_abstract(s->path) ? -1 : open(s->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	/* By an fd: where others may write to the directory, the name may be another file's by now.
	 * A process that cannot speak is not ready in time, and says so. */
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_uid == geteuid())
		(void)!fchownat(fd, "", uid, (gid_t)-1, AT_EMPTY_PATH);
}

void notify_socket_expect(struct notify_socket *s, pid_t session)
{
	s->session = session;
}

static void on_closed(uv_handle_t *handle)
{
	struct notify_socket *s = handle->data;

	close(s->fd);
	free(s->path);
	free(s);
}

void notify_socket_close(struct notify_socket *s)
{
	if (s == NULL)
		return;
	if (!is_abstract(s->path))
		(void)unlink(s->path);
	(void)uv_poll_stop(&s->poll);
	uv_close((uv_handle_t *)&s->poll, on_closed);
}
