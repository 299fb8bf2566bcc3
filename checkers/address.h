/* SPDX-License-Identifier: Apache-2.0 */
/* address - "host:port" as people write it: names, IPv4, IPv6 in brackets, "unix:/path"
 *
 * Pure. Nothing is resolved. What comes out is what conn.h takes.
 */
#ifndef HALE_CHECKERS_ADDRESS_H
#define HALE_CHECKERS_ADDRESS_H

#include "base/err.h"

#define ADDRESS_HOST_MAX 254 /* a DNS name's 253 bytes (RFC 1035 section 2.3.4), and NUL */

struct address {
	char host[ADDRESS_HOST_MAX]; /* without brackets; of a Unix socket the path */
	char port[6];                /* "1" … "65535"; "" with a path */
};

/* -EINVAL with what is wrong. */
int address_parse(const char *text, struct address *a_r, struct err *err);
/* The same where ":port" may be left out. */
int address_parse_or(const char *text, const char *default_port, struct address *a_r,
		     struct err *err);

#endif
