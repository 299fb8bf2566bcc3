/* SPDX-License-Identifier: Apache-2.0 */
/* target - which host an option names: a URL, an address, a database's connection string
 *
 * Pure. Enough to tell hosts apart, for the limits per host; not a check of what was written.
 */
#ifndef HALE_CHECKERS_TARGET_H
#define HALE_CHECKERS_TARGET_H

#include "conf/option.h"

#include <jansson.h>
#include <stdbool.h>

/* A DNS name has 253 characters, a port five or the name of a service. */
#define TARGET_HOST_MAX 256
#define TARGET_PORT_MAX 32
#define TARGET_NAME_MAX (TARGET_HOST_MAX + TARGET_PORT_MAX)

struct target {
	char host[TARGET_HOST_MAX]; /* without brackets */
	char port[TARGET_PORT_MAX]; /* or the URL's scheme; "" if neither is there */
};

/* "https://user@host:443/path", "host:443", "[::1]:443", "host", "host=a port=5432". False: it
 * names no host (a path, nothing). */
bool target_parse(const char *text, struct target *t_r);
/* The first of the options that names a host (CONF_F_CONNECT, or CONF_F_TARGET if there is a port
 * or a scheme). False: there is none. */
bool target_of_options(const struct conf_item *items, const json_t *options, struct target *t_r);
/* "host:port" */
const char *target_name(const struct target *t, char buf[TARGET_NAME_MAX]);
/* Reached without any network: this host itself. */
bool target_is_local(const struct target *t);

#endif
