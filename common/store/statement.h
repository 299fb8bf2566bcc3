/* SPDX-License-Identifier: Apache-2.0 */
/* statement - db_run() and db_query() of statements written once for both databases (dialect.h)
 */
#ifndef HALE_STORE_STATEMENT_H
#define HALE_STORE_STATEMENT_H

#include "db/db.h"

int statement_run(struct db *db, const char *sql, const struct db_value *args, size_t n,
		  int64_t *changed_r, struct err *err);
int statement_query(struct db *db, const char *sql, const struct db_value *args, size_t n,
		    db_row_fn on_row, void *ctx, struct err *err);

#endif
