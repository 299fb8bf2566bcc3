/* SPDX-License-Identifier: Apache-2.0 */
#include "bind.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

/* Connections the kernel may hold for us between two turns of the loop. */
#define BIND_BACKLOG 512

/* Cuts "host:port" or "[v6]:port". */
static int split(const char *text, char host[64], long *port_r)
{
	const char *colon = strrchr(text, ':');
	if (!colon || colon == text)
		return -EINVAL;
	const char *from = text;
	size_t len = (size_t)(colon - text);
	if (*text == '[') {
		if (colon[-1] != ']')
			return -EINVAL;
		from++;
		len -= 2;
	} else if (memchr(text, ':', len)) {
		return -EINVAL;
	}
	if (len == 0 || len >= 64)
		return -EINVAL;
	char *end;
	errno = 0;
	long port = strtol(colon + 1, &end, 10);
	if (colon[1] < '0' || colon[1] > '9' || *end || errno || port > 65535)
		return -EINVAL;
	memcpy(host, from, len);
	host[len] = '\0';
	*port_r = port;
	return 0;
}

int bind_parse(const char *text, struct bind_address *a_r, struct err *err)
{
	char host[64];
	long port;
	if (split(text, host, &port))
		return err_set(err, -EINVAL, "'%s' is no address:port, such as 127.0.0.1:5051",
			       text);
	struct bind_address a = {0};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&a.sa;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a.sa;
	const char *literal = str_eq(host, "localhost") ? "127.0.0.1" : host;
	if (inet_pton(AF_INET, literal, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		a.len = sizeof(*v4);
		a.is_loopback = (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
	} else if (str_eq(host, "*") || inet_pton(AF_INET6, literal, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		a.len = sizeof(*v6);
		a.is_loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
	} else {
		return err_set(err, -EINVAL,
			       "'%s' is no IP address (names are not looked up; * means all)",
			       host);
	}
	*a_r = a;
	return 0;
}

int bind_listen(const struct bind_address *a, struct err *err)
{
	int family = a->sa.ss_family;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_errno(err, -errno, "no socket");
	int on = 1, both = 0;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->sa;
		int only = IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr) ? both : on;
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
	}
	if (bind(fd, (const struct sockaddr *)&a->sa, a->len) || listen(fd, BIND_BACKLOG)) {
		int rc = err_errno(err, -errno, "cannot listen");
		close(fd);
		return rc;
	}
	return fd;
}

uint16_t bind_port(int fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	if (getsockname(fd, (struct sockaddr *)&sa, &len))
		return 0;
	if (sa.ss_family == AF_INET)
		return ntohs(((struct sockaddr_in *)&sa)->sin_port);
	return ntohs(((struct sockaddr_in6 *)&sa)->sin6_port);
}

bool bind_host_is_loopback(const char *host)
{
	if (!host)
		return false;
	char name[64];
	const char *end = *host == '[' ? strchr(host, ']') : NULL;
	end = end ? end + 1 : host + strcspn(host, ":");
	size_t len = (size_t)(end - host);
	if ((*end && *end != ':') || len >= sizeof(name))
		return false;
	memcpy(name, host, len);
	name[len] = '\0';
	struct in_addr v4;
	if (inet_pton(AF_INET, name, &v4) == 1)
		return (ntohl(v4.s_addr) >> 24) == 127;
	return str_eq(name, "localhost") || str_eq(name, "[::1]");
}
