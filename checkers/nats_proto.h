/* SPDX-License-Identifier: Apache-2.0 */
/* nats_proto - the client protocol of NATS: what a server says, put together from bytes
 *
 * Pure. Operations are lines ended by CR LF, names in any case; MSG and HMSG are followed by as
 * many bytes as their line says. Bounded: NATS_LINE_MAX, NATS_PAYLOAD_MAX.
 *
 * Ownership: zeroed is ready; nats_proto_done() at the end. What an operation holds is borrowed
 * until the next feed.
 * See also:  docs.nats.io, "Client Protocol"; ADR-4 (headers)
 */
#ifndef HALE_CHECKERS_NATS_PROTO_H
#define HALE_CHECKERS_NATS_PROTO_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* INFO of a large cluster lists all of its addresses. */
#define NATS_LINE_MAX    65536
/* A server's own default limit. */
#define NATS_PAYLOAD_MAX ((size_t)1 << 20)

enum nats_op { NATS_INFO, NATS_MSG, NATS_PING, NATS_PONG, NATS_OK, NATS_ERR };

struct nats_message {
	enum nats_op op;
	const char *text; /* INFO: JSON; ERR: without quotes; ends in NUL */
	char subject[256];
	long long sid;
	int status;          /* of a message's headers: 503 nobody answers; 0: none */
	const char *payload; /* of MSG; ends in NUL */
	size_t payload_len;
};

struct nats_proto {
	struct str line;
	struct str body;    /* headers and payload of a message, with their CR LF */
	size_t body_len;    /* how long that is to become; 0: a line is being read */
	size_t headers_len; /* of them */
	struct nats_message message;
	bool is_taken; /* the last feed gave a message: begin anew */
};

void nats_proto_done(struct nats_proto *p);
/* Takes bytes up to the end of one operation. 0: there is one in p->message, *used_r tells how many
 * bytes it took; -EAGAIN: all were taken, more must come; -EPROTO, -EMSGSIZE. */
int nats_proto_feed(struct nats_proto *p, const char *data, size_t len, size_t *used_r,
		    struct err *err);

/* May it be published to? No blanks, no wildcards, no empty tokens. */
bool nats_subject_is_good(const char *subject);

#endif
