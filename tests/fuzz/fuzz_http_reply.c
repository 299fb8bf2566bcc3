/* SPDX-License-Identifier: Apache-2.0 */
/* What HTTP servers answer: however it is cut into pieces, it must read the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http_reply.h"

#define BODY_MAX 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_in_pieces(struct http_reply *r, const uint8_t *data, size_t size, size_t piece)
{
	enum http_reply_state state = HTTP_REPLY_MORE;

	http_reply_start(r, false, BODY_MAX);
	for (size_t at = 0; at < size && state == HTTP_REPLY_MORE; at += piece) {
		size_t len = size - at < piece ? size - at : piece;

		state = http_reply_feed(r, (const char *)data + at, len);
	}
	if (state == HTTP_REPLY_MORE)
		state = http_reply_end(r);
	if (state == HTTP_REPLY_MORE || r->body.len > BODY_MAX)
		abort();
	if (state == HTTP_REPLY_DONE && !r->has_head)
		abort();
	if (http_reply_problem(r) == NULL)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_reply whole, pieces;

	read_in_pieces(&whole, data, size, size + 1);
	read_in_pieces(&pieces, data, size, 3);
	if (whole.state == HTTP_REPLY_DONE &&
	    (pieces.state != HTTP_REPLY_DONE || whole.status != pieces.status ||
	     whole.body.len != pieces.body.len ||
	     memcmp(str_text(&whole.body), str_text(&pieces.body), whole.body.len) != 0 ||
	     !json_equal(whole.headers, pieces.headers)))
		abort();
	http_reply_done(&whole);
	http_reply_done(&pieces);
	return 0;
}
