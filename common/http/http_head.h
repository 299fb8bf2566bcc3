/* SPDX-License-Identifier: Apache-2.0 */
/* http_head - requests that need nothing but a connection and some text: which, and that text
 *
 * Pure. Private to common/http. Whatever is unusual about a request (another scheme, proxy, HTTP/2,
 * compression, a URL that wants interpreting, a header that frames) makes it none of these: curl
 * knows, and it is curl that says what is wrong with it.
 */
#ifndef HALE_HTTP_HTTP_HEAD_H
#define HALE_HTTP_HTTP_HEAD_H

#include "base/str.h"
#include "http/http.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define HTTP_HEAD_HOST_MAX 254 /* a name has at most 253 bytes (RFC 1035) */

union http_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct http_head {
	char host[HTTP_HEAD_HOST_MAX];
	uint16_t port;
	bool is_numeric;            /* then `address` says where to connect */
	union http_address address; /* of a name, what the cache knows; all zeroed otherwise */
	bool is_head;               /* HEAD: the answer has no body */
	bool is_safe;               /* it only looks: may be asked again by curl */
	bool is_idempotent;         /* asking twice does nothing that asking once does not */
	struct str url;             /* as curl would give it back */
	struct str text;            /* the request, its body included */
};

/* False: curl's. The caller frees with http_head_done() in either case. */
bool http_head_make(const struct http_request *rq, const char *default_agent,
		    struct http_head *head_r);
void http_head_done(struct http_head *head);

#endif
