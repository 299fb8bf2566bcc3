/* SPDX-License-Identifier: Apache-2.0 */
/* bind - "127.0.0.1:5051" as a listening socket
 *
 * Addresses are literals ("[::1]:80", "0.0.0.0:80"), "localhost" (127.0.0.1) or "*" (every address
 * of both families). Names are not resolved: where a server listens must not depend on DNS.
 */
#ifndef HALE_WEB_BIND_H
#define HALE_WEB_BIND_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct bind_address {
	struct sockaddr_storage sa;
	socklen_t len;
	bool is_loopback;
};

int bind_parse(const char *text, struct bind_address *a_r, struct err *err);
/* A listening, non-blocking socket, or negative errno. */
int bind_listen(const struct bind_address *a, struct err *err);
uint16_t bind_port(int fd); /* 0 if unknown */

/* True if the Host header names this machine to itself: localhost, 127.0.0.0/8, [::1], with or
 * without a port. A page of another site that was re-pointed at us by DNS fails this. */
bool bind_host_is_loopback(const char *host);

#endif
