/* SPDX-License-Identifier: Apache-2.0 */
/* db_engine - what an engine behind db.h provides (private to this layer)
 *
 * db.c owns the common part and the guard against nested calls; an engine embeds struct db as its
 * first member. Every function runs on the caller's thread, except interrupt, which may come from
 * any thread while another function runs.
 */
#ifndef HALE_DB_DB_ENGINE_H
#define HALE_DB_DB_ENGINE_H

#include "db/db.h"

#include <stdatomic.h>

/* "timeout_ms 0" means this: as long as a person is willing to look at a silent command. */
#define DB_TIMEOUT_DEFAULT_MS 5000

struct db_call {
	const char *sql;
	const struct db_value *args;
	size_t n;
	db_row_fn on_row; /* NULL: rows are passed over */
	void *ctx;
	int64_t *changed_r; /* may be NULL */
};

struct db_ops {
	void (*close)(struct db *db);
	bool (*is_broken)(const struct db *db);
	bool (*in_transaction)(const struct db *db);
	int (*script)(struct db *db, const char *sql, struct err *err);
	int (*exec)(struct db *db, const struct db_call *call, struct err *err);
	int (*begin)(struct db *db, struct err *err);
	int (*commit)(struct db *db, struct err *err);
	void (*interrupt)(struct db *db);
	/* Statements that the caller keeps; NULL: they go through exec, by their text. */
	int (*prepare)(struct db *db, const char *sql, void **handle_r, struct err *err);
	int (*run)(struct db *db, void *handle, const struct db_value *args, size_t n,
		   struct err *err);
	void (*drop)(void *handle);
};

struct db_statement {
	struct db *db;
	char *sql;
	void *handle; /* the engine's */
};

/* A prepared statement. `handle` belongs to the engine. */
struct db_cached {
	char *sql;
	void *handle;
	uint64_t used; /* the larger, the later */
};

struct db_cache {
	struct db_cached v[DB_STATEMENTS_MAX];
	size_t n;
	uint64_t clock;
};

struct db {
	const struct db_ops *ops;
	enum db_engine engine;
	char *name; /* for error texts: path, or host and database; never a secret */
	int64_t timeout_ms;
	bool is_read_only;
	bool is_in_call;
	atomic_bool is_interrupted; /* the running call shall end; cleared when a call begins */
	struct db_cache cache;
};

int db_sqlite_open(const struct db_target *target, struct db **db_r, struct err *err);
int db_postgres_open(const struct db_target *target, struct db **db_r, struct err *err);

/* NULL if not kept. */
void *db_cache_get(struct db_cache *cache, const char *sql);
/* Keeps it; *evicted_r is the handle that had to leave, or NULL. */
void db_cache_put(struct db_cache *cache, const char *sql, void *handle, void **evicted_r);
/* Forgets a statement; returns its handle or NULL. */
void *db_cache_take(struct db_cache *cache, const char *sql);
/* Forgets all, handing each handle to `drop`. */
void db_cache_done(struct db_cache *cache, void (*drop)(void *handle));

#endif
