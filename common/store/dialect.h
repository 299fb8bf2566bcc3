/* SPDX-License-Identifier: Apache-2.0 */
/* dialect - one statement for both databases (private to this layer)
 *
 * Pure. Times are integers (ms since 1970 UTC) in SQLite and timestamptz in PostgreSQL; statements
 * say which expression is a time, and get what the database needs:
 *
 *   @ms{r.at}   a column that is a time, as integer ms
 *   @at{$1}     an integer of ms, as the column's type
 *   @json{x}    a JSON column as text
 *   @now_ms     …and what else turns out to be needed: say it here
 */
#ifndef HALE_STORE_DIALECT_H
#define HALE_STORE_DIALECT_H

#include "base/str.h"

#include <stdbool.h>

enum dialect { DIALECT_SQLITE, DIALECT_POSTGRES };

/* Appends `sql` with its @-words written out. Aborts on a word it does not know: a mistake of ours.
 */
void dialect_write(enum dialect d, const char *sql, struct str *out);

#endif
