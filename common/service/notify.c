/* SPDX-License-Identifier: Apache-2.0 */
#include "service/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

static uint64_t number_from_env(const char *name)
{
	const char *text = getenv(name);
	char *end = NULL;
	unsigned long long value;

	if (text == NULL || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	value = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0' ? (uint64_t)value : 0;
}

/* The watchdog variables may have been inherited by a process they were not meant for. */
static uint64_t watchdog_from_env(void)
{
	if (getenv("WATCHDOG_PID") != NULL && number_from_env("WATCHDOG_PID") != (uint64_t)getpid())
		return 0;
	return number_from_env("WATCHDOG_USEC");
}

/* "/path" or "@abstract", as sd_notify(3) says. */
static int parse_address(const char *text, struct sockaddr_un *address_r, socklen_t *len_r)
{
	size_t len = strlen(text);

	if ((text[0] != '/' && text[0] != '@') || len < 2)
		return -EINVAL;
	if (len >= sizeof(address_r->sun_path))
		return -ENAMETOOLONG;
	*address_r = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(address_r->sun_path, text, len);
	if (text[0] == '@')
		address_r->sun_path[0] = '\0';
	*len_r = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return 0;
}

int notify_open(struct notify *n)
{
	const char *text = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address;
	socklen_t len;
	int rc;

	*n = (struct notify){.fd = -1};
	if (text == NULL || *text == '\0')
		return 0;
	rc = parse_address(text, &address, &len);
	if (rc < 0)
		return rc;
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (n->fd < 0)
		return -errno;
	if (connect(n->fd, (struct sockaddr *)&address, len) < 0) {
		rc = -errno;
		notify_close(n);
		return rc;
	}
	n->watchdog_us = watchdog_from_env();
	return 0;
}

void notify_close(struct notify *n)
{
	cleanup_fd(&n->fd);
	*n = (struct notify){.fd = -1};
}

int notify_send(struct notify *n, const char *message)
{
	if (n->fd < 0)
		return 0;
	return send(n->fd, message, strlen(message), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int notify_status(struct notify *n, const char *text)
{
	char message[sizeof("STATUS=") + NOTIFY_STATUS_MAX];
	char cut[NOTIFY_STATUS_MAX];
	int rc;

	snprintf(cut, sizeof(cut), "%s", text);
	/* A newline would begin another assignment of the protocol. */
	for (char *c = cut; *c != '\0'; c++) {
		if (*c == '\n')
			*c = ' ';
	}
	if (str_eq(cut, n->status))
		return 0;
	snprintf(message, sizeof(message), "STATUS=%s", cut);
	rc = notify_send(n, message);
	if (rc == 0)
		memcpy(n->status, cut, sizeof(cut));
	return rc;
}
