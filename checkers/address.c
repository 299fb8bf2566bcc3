/* SPDX-License-Identifier: Apache-2.0 */
#include "address.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define UNIX_PREFIX "unix:/"

/* sockaddr_un's sun_path of Linux, with its NUL. */
#define PATH_SIZE 108

static int parse_port(const char *text, struct address *a, struct err *err)
{
	size_t len = strlen(text);
	long port = strtol(text, NULL, 10);

	if (len == 0 || len >= sizeof(a->port) || strspn(text, "0123456789") != len || port < 1 ||
	    port > 65535)
		return err_set(err, -EINVAL, "'%s' is not a port from 1 to 65535", text);
	memcpy(a->port, text, len + 1);
	return 0;
}

static int parse_path(const char *path, struct address *a_r, struct err *err)
{
	struct address a = {0};
	size_t len = strlen(path);

	if (len >= PATH_SIZE)
		return err_set(err, -EINVAL, "the path of a Unix socket has at most %d bytes",
			       PATH_SIZE - 1);
	memcpy(a.host, path, len + 1);
	*a_r = a;
	return 0;
}

/* Where ":port" begins; at the end of the text if there is none. */
static const char *find_port(const char *text)
{
	const char *end = strrchr(text, ':');

	/* "[::1]" has no port. */
	if (end == NULL || (*text == '[' && strchr(end, ']') != NULL))
		return text + strlen(text);
	return end;
}

static int parse_host(const char *text, size_t len, struct address *a, struct err *err)
{
	const char *host = text;

	if (*text == '[') {
		if (len < 3 || text[len - 1] != ']')
			return err_set(err, -EINVAL, "expected [IPv6 address]:port");
		host++;
		len -= 2;
	} else if (memchr(text, ':', len) != NULL) {
		return err_set(err, -EINVAL, "an IPv6 address needs brackets: [::1]:80");
	}
	if (len == 0 || len >= sizeof(a->host) || strcspn(host, " \t[]/@") < len)
		return err_set(err, -EINVAL, "'%.*s' is not a host", (int)HALE_MIN(len, 80u), host);
	memcpy(a->host, host, len);
	return 0;
}

int address_parse_or(const char *text, const char *default_port, struct address *a_r,
		     struct err *err)
{
	struct address a = {0};
	const char *end;

	if (strncmp(text, UNIX_PREFIX, sizeof(UNIX_PREFIX) - 1) == 0)
		return parse_path(text + sizeof(UNIX_PREFIX) - 2, a_r, err);
	end = find_port(text);
	if (*end == '\0' && default_port == NULL)
		return err_set(err, -EINVAL, "expected host:port");
	if (parse_host(text, (size_t)(end - text), &a, err) != 0 ||
	    parse_port(*end == ':' ? end + 1 : default_port, &a, err) != 0)
		return -EINVAL;
	*a_r = a;
	return 0;
}

int address_parse(const char *text, struct address *a_r, struct err *err)
{
	return address_parse_or(text, NULL, a_r, err);
}
