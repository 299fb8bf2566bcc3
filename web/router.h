/* SPDX-License-Identifier: Apache-2.0 */
/* router - which row of the route table a request means
 *
 * Patterns are literal segments and {parameters}: "/api/v1/components/{id}". A literal segment wins
 * over a parameter (C-18). A parameter is one segment of [A-Za-z0-9_.-]; anything else matches
 * nothing, so handlers never see a slash, a glob or a control character in one. HEAD is answered
 * where GET is. Pure.
 */
#ifndef HALE_WEB_ROUTER_H
#define HALE_WEB_ROUTER_H

#include "auth.h"
#include "base/str.h"

#include <stddef.h>

#define ROUTE_PARAMS_MAX    2
#define ROUTE_PARAM_LEN_MAX 128

struct web;
struct request;

enum {
	ROUTE_DETAIL = 1, /* needs no token on a listener with public_details */
	ROUTE_STREAM = 2, /* asks for a viewer's token itself, after the handshake if need be */
};

struct route {
	const char *method; /* NULL ends a table */
	const char *pattern;
	enum role role;
	unsigned flags;
	/* Must lead, now or later, to exactly one answer (request.h). */
	void (*handle)(struct web *web, struct request *rq);
	const char *doc;          /* one line */
	const char *const *query; /* parameters it takes, NULL-terminated; NULL: any is ignored */
};

enum route_found { ROUTE_OK, ROUTE_NO_PATH, ROUTE_NO_METHOD };

struct route_match {
	const struct route *route; /* only with ROUTE_OK */
	char params[ROUTE_PARAMS_MAX][ROUTE_PARAM_LEN_MAX + 1];
};

enum route_found route_find(const struct route *table, const char *method, const char *path,
			    struct route_match *m_r);
/* "GET, HEAD, POST": every method the path has. */
void route_allow(const struct route *table, const char *path, struct str *out);
/* "viewer", or "public" … with what the flags add, as docs/api.md writes it. */
const char *route_access(const struct route *r);

#endif
