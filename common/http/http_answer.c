/* SPDX-License-Identifier: Apache-2.0 */
/* What the end of a plain request means, in the words of curl's. */
#include <ctype.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "http_call.h"
#include "http_plain.h"

#define MS_PER_S  1000
#define US_PER_MS 1000.0

/* Since the start; 0 for what was not reached, and never for what was. */
static double since_start_ms(const struct plain_request *p, int64_t at_us)
{
	return at_us == 0 ? 0 : (double)HALE_MAX(at_us - p->started_us, INT64_C(1)) / US_PER_MS;
}

/* RFC 9110 section 10.2.3: seconds, or a date. */
static int64_t retry_after_ms(const json_t *headers)
{
	const char *text = json_string_value(json_object_get(headers, "retry-after"));
	struct tm tm = {0};
	int64_t wait = 0;

	if (text == NULL)
		return -1;
	if (isdigit((unsigned char)*text)) {
		for (; isdigit((unsigned char)*text) && wait < INT32_MAX; text++)
			wait = wait * 10 + (*text - '0');
		return wait * MS_PER_S;
	}
	if (strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm) == NULL)
		return 0;
	wait = (int64_t)timegm(&tm) * MS_PER_S - clock_wall_ms();
	return wait < 0 ? 0 : wait;
}

void http_call_answer(struct http_call *call, enum reason reason, const char *text,
		      struct http_response *r)
{
	const struct plain_request *p = call->plain;
	const struct http_reply *reply = &p->reply;

	http_call_no_result(call, reason, text, r);
	r->headers = reply->headers;
	r->ip = p->ip;
	r->url = str_text(&p->head.url);
	r->total_ms = since_start_ms(p, clock_mono_us());
	r->dns_ms = p->is_reused ? 0 : since_start_ms(p, p->started_us + 1);
	r->connect_ms = since_start_ms(p, p->connected_us);
	r->sent_ms = since_start_ms(p, p->sent_us);
	r->first_byte_ms = since_start_ms(p, p->first_byte_us);
	r->is_reused = p->is_reused && p->received > 0;
	r->wire_bytes = p->received;
	if (!reply->has_head)
		return;
	r->status = (long)reply->status;
	r->version = reply->parser.http_minor == 0 ? "1.0" : "1.1";
	r->body = str_text(&reply->body);
	r->body_len = reply->body.len;
	r->content_type = json_string_value(json_object_get(reply->headers, "content-type"));
	r->retry_after_ms = retry_after_ms(reply->headers);
}
