/* SPDX-License-Identifier: Apache-2.0 */
/* framing - requests whose end two parsers could place differently
 *
 * RFC 9112 section 6: a request with two Content-Length, or Content-Length beside
 * Transfer-Encoding, is how requests are smuggled past a proxy; section 5.1: so is a blank before
 * the colon. libmicrohttpd accepts all of them (measured), so the headers are looked at here,
 * before anything else is done with the request.
 *
 * Pure: feed every header, then ask.
 */
#ifndef HALE_WEB_FRAMING_H
#define HALE_WEB_FRAMING_H

#include <stdbool.h>
#include <stdint.h>

struct framing {
	unsigned lengths, encodings, hosts;
	uint64_t length; /* of the body, if lengths == 1 and it is a number */
	bool is_bad_name;
	bool is_bad_length;
	bool is_not_chunked; /* a transfer coding other than exactly "chunked" */
};

void framing_header(struct framing *f, const char *name, const char *value);
/* What is wrong, or NULL. */
const char *framing_problem(const struct framing *f);

#endif
