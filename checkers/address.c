/* SPDX-License-Identifier: Apache-2.0 */
#include "address.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

int address_parse(const char *text, struct address *a_r, struct err *err)
{
	struct address a = {0};
	const char *host = text;
	const char *end = strrchr(text, ':');
	size_t len;

	if (end == NULL)
		return err_set(err, -EINVAL, "expected host:port");
	len = (size_t)(end - text);
	if (*text == '[') {
		if (len < 3 || text[len - 1] != ']')
			return err_set(err, -EINVAL, "expected [IPv6 address]:port");
		host++;
		len -= 2;
	} else if (memchr(text, ':', len) != NULL) {
		return err_set(err, -EINVAL, "an IPv6 address needs brackets: [::1]:80");
	}
	if (len == 0 || len >= sizeof(a.host) || strcspn(host, " \t[]/@") < len)
		return err_set(err, -EINVAL, "'%.*s' is not a host", (int)HALE_MIN(len, 80u), host);
	memcpy(a.host, host, len);
	if (parse_port(end + 1, &a, err) != 0)
		return -EINVAL;
	*a_r = a;
	return 0;
}
