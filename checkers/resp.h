/* SPDX-License-Identifier: Apache-2.0 */
/* resp - the protocol of Redis (RESP2): requests written, replies read by hiredis's reader
 *
 * Pure. Bounded: a reply of more bytes than RESP_REPLY_MAX, more elements than RESP_ELEMENTS_MAX,
 * or nested deeper than hiredis reads (7) is an error, before memory is taken for it. RESP3 is not
 * read, because nobody here says HELLO.
 *
 * Ownership: resp_next() hands values over; resp_free() takes NULL.
 * See also:  redis.io, "Redis serialization protocol specification"
 */
#ifndef HALE_CHECKERS_RESP_H
#define HALE_CHECKERS_RESP_H

#include "base/err.h"
#include "base/str.h"
#include "base/strlist.h"

#include <stdbool.h>
#include <stddef.h>

/* INFO is 6 KiB; a value that is looked at is no archive. */
#define RESP_REPLY_MAX    ((size_t)1 << 20)
/* Declared before they come, so they bound the memory too. */
#define RESP_ELEMENTS_MAX 16384

enum resp_type {
	RESP_STATUS, /* "+OK" */
	RESP_ERROR,  /* "-ERR …" */
	RESP_INTEGER,
	RESP_STRING,
	RESP_NIL,
	RESP_ARRAY,
};

struct resp_value {
	enum resp_type type;
	long long integer;
	char *text; /* STATUS, ERROR, STRING: may hold NUL, and ends in one */
	size_t len;
	struct resp_value **elements; /* ARRAY */
	size_t elements_n;
};

struct resp_reader;

struct resp_reader *resp_new(void);
void resp_delete(struct resp_reader *r); /* takes NULL */
/* 0, or as resp_next(). */
int resp_feed(struct resp_reader *r, const char *data, size_t len, struct err *err);
/* The next whole reply. -EAGAIN: more must come; -EPROTO: this is not RESP; -EMSGSIZE: too large.
 * After the latter two the reader is of no use any more. */
int resp_next(struct resp_reader *r, struct resp_value **value_r, struct err *err);
/* Bytes came that belong to no reply taken so far. */
bool resp_has_more(const struct resp_reader *r);
void resp_free(struct resp_value *v);

/* For people: 3, "text", (nil), [1, 2]; bounded. Appends. */
void resp_describe(const struct resp_value *v, struct str *out);
/* An integer, or a text that is a finite number. */
bool resp_number(const struct resp_value *v, double *number_r);

/* A request: an array of the arguments. Appends. */
void resp_request(struct str *out, const char *const *args, size_t n);

#endif
