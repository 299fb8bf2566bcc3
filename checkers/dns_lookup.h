/* SPDX-License-Identifier: Apache-2.0 */
/* dns_lookup - one question to name servers, by c-ares on the loop
 *
 * A lookup is of its own: dns_lookup_cancel() forgets it at once, its handles close behind it, and
 * no callback comes afterwards.
 *
 * Ownership: the options are copied.
 * Loop:      all on the loop thread; on_answer comes from it, never from within dns_lookup_start().
 */
#ifndef HALE_CHECKERS_DNS_LOOKUP_H
#define HALE_CHECKERS_DNS_LOOKUP_H

#include "model/reason.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct dns_lookup;

struct dns_question {
	const char *name;
	int type;
	const char *servers; /* "192.0.2.1:53,[::1]"; NULL: those of resolv.conf */
	bool is_tcp;
	bool wants_recursion;
	int64_t try_ms; /* how long one server is waited for, the first time */
	int tries;      /* of each server: UDP loses packets */
};

struct dns_reply {
	enum reason reason;  /* OK: an answer came, whatever its rcode */
	const char *error;   /* else */
	const uint8_t *data; /* the message; valid during the callback */
	size_t len;
	int retries;
};

typedef void (*dns_answer_fn)(void *ctx, const struct dns_reply *reply);

struct dns_lookup *dns_lookup_start(uv_loop_t *loop, const struct dns_question *q,
				    dns_answer_fn on_answer, void *ctx);
void dns_lookup_cancel(struct dns_lookup *lookup); /* NULL is fine */

#endif
