/* SPDX-License-Identifier: Apache-2.0 */
/* dialect - one statement for both databases (private to this layer)
 *
 * Pure. Times are integers (ms since 1970 UTC) in SQLite and timestamptz in PostgreSQL; statements
 * say which expression is a time, and get what the database needs:
 *
 *   @ms{r.at}       a column that is a time, as integer ms
 *   @at{$1}         an integer of ms, as the column's type
 *   @json{x}        a JSON column as text
 *   @jsonb{$1}      text, as a JSON column's type
 *   @greatest{a, b} the larger of several values; say coalesce() where one may be NULL, for the
 *   @least{a, b}    two disagree on what comes of it
 *
 * They nest. What stands in quotes stays as it is. For everything else write what both know:
 * CAST(x AS INTEGER) makes a number of a boolean, ON CONFLICT and RETURNING are the same.
 *
 * PostgreSQL has no time beyond the year 294276 and none before -4713: bound an open range with
 * DIALECT_TIME_MAX.
 */
#ifndef HALE_STORE_DIALECT_H
#define HALE_STORE_DIALECT_H

#include "base/str.h"

#include <stdint.h>

/* The last millisecond of the year 9999, the last that RFC 3339 can write. */
#define DIALECT_TIME_MAX INT64_C(253402300799999)

enum dialect { DIALECT_SQLITE, DIALECT_POSTGRES };

/* Appends `sql` with its @-words written out. Aborts on a word it does not know, or on a brace that
 * is not closed: a mistake of ours. */
void dialect_write(enum dialect d, const char *sql, struct str *out);

#endif
