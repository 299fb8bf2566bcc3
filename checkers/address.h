/* SPDX-License-Identifier: Apache-2.0 */
/* address - "host:port" as people write it: names, IPv4, and IPv6 in brackets
 *
 * Pure. Nothing is resolved.
 */
#ifndef HALE_CHECKERS_ADDRESS_H
#define HALE_CHECKERS_ADDRESS_H

#include "base/err.h"

#define ADDRESS_HOST_MAX 254 /* a DNS name's 253 bytes (RFC 1035 section 2.3.4), and NUL */

struct address {
	char host[ADDRESS_HOST_MAX]; /* without brackets */
	char port[6];                /* "1" … "65535" */
};

/* -EINVAL with what is wrong. */
int address_parse(const char *text, struct address *a_r, struct err *err);

#endif
