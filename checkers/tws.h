/* SPDX-License-Identifier: Apache-2.0 */
/* tws - messages of Interactive Brokers' TWS API, on the wire
 *
 * Pure. What TWS and IB Gateway speak on their API port (4001, 4002, 7496, 7497), as the broker's
 * own open client library does it (its EClient, EDecoder and Connection; API versions from 9.72
 * on):
 *
 *   client: "API\0", then a message with the range of versions it speaks, "v100..176"
 *   server: a message of two fields: the version it chose, and when the connection was made
 *   client: START_API "71", "2", client id, optional capabilities ""
 *   server: MANAGED_ACCTS "15", NEXT_VALID_ID "9", and ERR_MSG "4" for whatever there is to say
 *   client: REQ_CURRENT_TIME "49", "1"; server: CURRENT_TIME "49", "1", seconds since 1970
 *
 * A message is four bytes of length, big-endian, and so many bytes: fields, each ending in a NUL.
 */
#ifndef HALE_CHECKERS_TWS_H
#define HALE_CHECKERS_TWS_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* We ask for nothing that has changed between these. */
#define TWS_VERSION_MIN 100
#define TWS_VERSION_MAX 176

/* Nothing that is said at login is longer. */
#define TWS_MESSAGE_MAX 65536
#define TWS_FIELDS_MAX  32 /* of a message; further ones are passed over */

enum tws_incoming {
	TWS_ERR_MSG = 4,
	TWS_NEXT_VALID_ID = 9,
	TWS_MANAGED_ACCTS = 15,
	TWS_CURRENT_TIME = 49
};
enum tws_outgoing { TWS_REQ_CURRENT_TIME = 49, TWS_START_API = 71 };

/* What codes of ERR_MSG mean for us; the broker's "Message Codes" page. */
enum tws_meaning {
	TWS_NOTICE,         /* tells, and changes nothing */
	TWS_FARM_OK,        /* 2104, 2106 to 2108, 2119, 2158: a data farm is there, or on demand */
	TWS_FARM_BROKEN,    /* 2103, 2105, 2157: a data farm is not */
	TWS_BROKER_LOST,    /* 1100, 2110: no connection to the broker's servers */
	TWS_BROKER_BACK,    /* 1101, 1102 */
	TWS_CLIENT_ID_USED, /* 326 */
	TWS_REFUSED,        /* 503, 505 to 507: it does not understand us */
};

struct tws_message {
	const char *fields[TWS_FIELDS_MAX]; /* into the reader's bytes */
	size_t n;
};

/* Zero-initialise; str_done(&reader.bytes) ends it. */
struct tws_reader {
	struct str bytes;
	size_t at; /* what is before was read */
};

void tws_feed(struct tws_reader *r, const void *data, size_t len);
/* 1: a message, valid until the next call; 0: not whole yet; -EPROTO, with what is wrong: a length
 * beyond TWS_MESSAGE_MAX or 0, or fields that do not end. */
int tws_next(struct tws_reader *r, struct tws_message *m_r, struct err *err);

/* Appends what a client says first: "API\0" and the range of versions (whose text has no NUL). */
void tws_hello(struct str *out);
/* Appends a message of n fields. */
void tws_encode(struct str *out, const char *const *fields, size_t n);
/* A field that is a whole number within [min, max]; false if it is none or not there. */
bool tws_number(const struct tws_message *m, size_t field, long min, long max, long *n_r);
enum tws_meaning tws_meaning(long code);

#endif
