/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/handshake.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define HEADER_BYTES 8
/* How long nng's threads may take to close what they refused. A deaf listener never does. */
#define END_MS       500

/* What every header begins with. */
#define MAGIC_BYTES 4

static const char header[HEADER_BYTES] = {0, 'S', 'P', 0, 0, 0x10, 0, 0};

/* ---- for nng: a peer that broke off ---- */

typedef ssize_t sendmsg_fn(int fd, const struct msghdr *msg, int flags);

static sendmsg_fn *system_sendmsg;

/* Before there are threads and forks; dlsym() takes a lock. */
__attribute__((constructor)) static void find_sendmsg(void)
{
	system_sendmsg = (sendmsg_fn *)dlsym(RTLD_NEXT, "sendmsg");
}

static bool is_header(const struct msghdr *msg)
{
	return msg->msg_iovlen == 1 && msg->msg_iov[0].iov_len == HEADER_BYTES &&
	       memcmp(msg->msg_iov[0].iov_base, header, MAGIC_BYTES) == 0;
}

/* Stands in for the C library's, in nng too. nng 1.5.2 takes EPIPE for its own closing, and then
 * takes no connection ever again; what waited to be taken is never freed, fds and all. It goes on
 * after ECONNRESET, which is just as true. Nothing but its eight bytes is answered differently. */
__attribute__((visibility("default"), used)) ssize_t sendmsg(int fd, const struct msghdr *msg,
							     int flags)
{
	ssize_t n;

	if (system_sendmsg == NULL)
		find_sendmsg();
	n = system_sendmsg(fd, msg, flags);
	if (n < 0 && errno == EPIPE && is_header(msg))
		errno = ECONNRESET;
	return n;
}

/* ---- ours ---- */

int handshake_start(const char *path, int *fd_r)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	HALE_CLEANUP(cleanup_fd) int fd = -1;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	/* Eight bytes always fit into a fresh socket. */
	if (send(fd, header, sizeof(header), MSG_NOSIGNAL) != HEADER_BYTES)
		return -ECONNRESET;
	*fd_r = fd;
	fd = -1;
	return 0;
}

int handshake_answered(int fd)
{
	char answer[HEADER_BYTES];
	ssize_t n = recv(fd, answer, sizeof(answer), MSG_DONTWAIT | MSG_PEEK);

	if (n < 0)
		return -errno;
	if (n == 0)
		return -ECONNRESET;
	if (memcmp(answer, header, (size_t)HALE_MIN(n, MAGIC_BYTES)) != 0)
		return -EPROTO;
	if (n < HEADER_BYTES)
		return -EAGAIN;
	/* Bytes left unread would make our close a reset. */
	(void)!recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
	return 0;
}

static void wait_readable(int fd, int64_t ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	(void)poll(&p, 1, (int)ms);
}

/* nng answers before it has read what we said, and a peer that has left by then is one that broke
 * off. So the other side ends it. */
static void await_end(int fd)
{
	int64_t deadline_ms = clock_mono_ms() + END_MS;
	int64_t left_ms;
	char rest;

	while (recv(fd, &rest, 1, MSG_DONTWAIT) != 0) {
		left_ms = deadline_ms - clock_mono_ms();
		if (left_ms <= 0 || (errno != EAGAIN && errno != EINTR))
			return;
		wait_readable(fd, left_ms);
	}
}

int handshake_probe(const char *path, uint32_t timeout_ms)
{
	int64_t deadline_ms = clock_mono_ms() + timeout_ms;
	HALE_CLEANUP(cleanup_fd) int fd = -1;
	int rv;

	rv = handshake_start(path, &fd);
	if (rv < 0)
		return rv;
	while ((rv = handshake_answered(fd)) == -EAGAIN) {
		int64_t left_ms = deadline_ms - clock_mono_ms();

		if (left_ms <= 0)
			return -ETIMEDOUT;
		wait_readable(fd, left_ms);
	}
	if (rv == 0)
		await_end(fd);
	return rv;
}
