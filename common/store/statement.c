/* SPDX-License-Identifier: Apache-2.0 */
#include "statement.h"

#include "base/str.h"
#include "dialect.h"

static void write_for(const struct db *db, const char *sql, struct str *out)
{
	dialect_write(db_engine_of(db) == DB_POSTGRES ? DIALECT_POSTGRES : DIALECT_SQLITE, sql,
		      out);
}

int statement_run(struct db *db, const char *sql, const struct db_value *args, size_t n,
		  int64_t *changed_r, struct err *err)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	write_for(db, sql, &out);
	return db_run(db, str_text(&out), args, n, changed_r, err);
}

int statement_query(struct db *db, const char *sql, const struct db_value *args, size_t n,
		    db_row_fn on_row, void *ctx, struct err *err)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	write_for(db, sql, &out);
	return db_query(db, str_text(&out), args, n, on_row, ctx, err);
}
