/* SPDX-License-Identifier: Apache-2.0 */
/* pgarray - a column of values as a PostgreSQL array in binary form, for unnest()
 *
 * Pure. The cheapest way of handing over many rows: one array per column, no text is parsed
 * (array_send in PostgreSQL's arrayfuncs.c describes the form). A text is made fit for the server:
 * what is not UTF-8 becomes U+FFFD, and so does NUL, which its text cannot hold; in JSON also
 * escapes that jsonb refuses, \u0000 and half a surrogate pair.
 *
 * Ownership: caller owns struct pg_array; zero-initialise, pg_array_done(). pg_array_clear() keeps
 *            the memory for the next batch.
 */
#ifndef HALE_DB_PGARRAY_H
#define HALE_DB_PGARRAY_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Types of elements, by their OID. */
enum pg_type {
	PG_TYPE_INT8 = 20,
	PG_TYPE_INT2 = 21,
	PG_TYPE_INT4 = 23,
	PG_TYPE_TEXT = 25,
	PG_TYPE_TIMESTAMPTZ = 1184,
	PG_TYPE_JSONB = 3802,
};

struct pg_array {
	enum pg_type type;
	bool has_null;
	uint32_t n;
	uint32_t said; /* elements that are not NULL */
	struct str data;
};

void pg_array_done(struct pg_array *a);
void pg_array_clear(struct pg_array *a);
void pg_array_init(struct pg_array *a, enum pg_type type);
/* As the array's type: INT2, INT4, INT8. Must fit. */
void pg_array_int(struct pg_array *a, int64_t n);
/* ms since 1970; held within what timestamptz can say. */
void pg_array_time(struct pg_array *a, int64_t ms);
/* TEXT, JSONB. */
void pg_array_text(struct pg_array *a, const char *text, size_t len);
void pg_array_null(struct pg_array *a);
/* Writes the head. The bytes are valid until the next call. Without one element that is not NULL it
 * is an empty array: unnest() fills up with NULL. */
void pg_array_bytes(struct pg_array *a, const char **data_r, size_t *len_r);

/* One value in binary form. */
void pg_put_int8(char out[8], int64_t n);
int64_t pg_time_of_ms(int64_t ms);

#endif
