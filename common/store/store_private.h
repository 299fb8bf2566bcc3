/* SPDX-License-Identifier: Apache-2.0 */
/* store_private - what the parts of the store share (private to this layer)
 */
#ifndef HALE_STORE_STORE_PRIVATE_H
#define HALE_STORE_STORE_PRIVATE_H

#include "db/db.h"
#include "store/read.h"
#include "store/store.h"

/* How long a reader's or writer's lock may be waited for. */
#define STORE_TIMEOUT_MS 5000

struct store_migration {
	int64_t version; /* 1, 2, … without gaps; 0 ends the table */
	const char *name;
	const char *sql;
};
extern const struct store_migration store_migrations_sqlite[];
extern const struct store_migration store_migrations_postgres[];

struct keep;

struct store {
	struct db *db;
	char *path;   /* or host and database; for people */
	char *notice; /* what opening had to do; NULL: nothing */
	bool is_writer;
	struct keep *keep; /* keep_private.h; NULL until used */
};
void keep_free(struct keep *k); /* NULL is fine */

/* Connects h->db, and for a keeper brings the schema up to date; else looks that it is. h->path is
 * set also if that fails. */
int store_sqlite_open(const struct store_options *o, struct store *h, struct err *err);
int store_postgres_open(const struct store_options *o, struct store *h, struct err *err);

/* PostgreSQL: until the transaction ends nobody else makes or migrates a schema of this database.
 */
int store_lock_schema(struct db *db, struct err *err);
/* Applies what is missing, each in a transaction of its own. Several may try at once. */
int store_migrate(struct db *db, const char *path, struct err *err);
/* For readers: -ENOENT if there is nothing yet, -EINVAL if the store is older or newer than this
 * binary. */
int store_check_version(struct db *db, const char *path, struct err *err);
/* That this binary knows. */
int64_t store_newest_version(enum db_engine engine);

/* Row readers for db_query: the first column of the first row. */
bool store_read_int(void *int64_r, const struct db_row *row);

#endif
