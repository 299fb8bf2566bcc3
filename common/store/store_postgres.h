/* SPDX-License-Identifier: Apache-2.0 */
/* store_postgres - how each of hale's connections to PostgreSQL is made (private to this layer)
 *
 * Pure, but for libpq, which takes the connection string apart.
 */
#ifndef HALE_STORE_STORE_POSTGRES_H
#define HALE_STORE_STORE_POSTGRES_H

#include "base/err.h"
#include "base/str.h"
#include "store/store.h"

#include <stdint.h>

/* Advisory locks of ours are pairs of numbers; this is the first ("hale"), the second a hash of the
 * schema, or of schema and node. */
#define POSTGRES_LOCK 1751215205

/* The DSN with what other options say. `who` stands in pg_stat_activity. Caller frees; secret. */
int postgres_conninfo(const struct store_options *o, const char *who, char **conninfo_r,
		      struct err *err);
/* SET search_path …: what each session begins with. */
void postgres_session(const struct store_options *o, struct str *sql);
const char *postgres_schema(const struct store_options *o);
int64_t postgres_connect_timeout_ms(const struct store_options *o);
int64_t postgres_statement_timeout_ms(const struct store_options *o);

#endif
