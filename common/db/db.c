/* SPDX-License-Identifier: Apache-2.0 */
#include "db/db.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "db_engine.h"

struct db_value db_v_text(const char *text)
{
	if (text == NULL)
		return DB_V_NULL;
	return (struct db_value){.type = DB_TEXT, .text = text, .len = strlen(text)};
}

int db_open(const struct db_target *target, struct db **db_r, struct err *err)
{
	HALE_ASSERT(target != NULL && target->where != NULL);
	switch (target->engine) {
	case DB_SQLITE:
		return db_sqlite_open(target, db_r, err);
	case DB_POSTGRES:
		return db_postgres_open(target, db_r, err);
	}
	return err_set(err, -EINVAL, "database: no such engine");
}

void db_close(struct db *db)
{
	if (db == NULL)
		return;
	HALE_ASSERT(!db->is_in_call);
	db->ops->close(db);
}

enum db_engine db_engine_of(const struct db *db)
{
	return db->engine;
}

bool db_is_broken(const struct db *db)
{
	return db->ops->is_broken(db);
}

/* A row callback that uses its own connection would break PostgreSQL's protocol, and in SQLite
 * restart the statement it is reading: a bug in both. */
static void call_begin(struct db *db)
{
	HALE_ASSERT(!db->is_in_call);
	db->is_in_call = true;
	atomic_store_explicit(&db->is_interrupted, false, memory_order_relaxed);
}

static int call_end(struct db *db, int rc)
{
	db->is_in_call = false;
	return rc;
}

int db_script(struct db *db, const char *sql, struct err *err)
{
	call_begin(db);
	return call_end(db, db->ops->script(db, sql, err));
}

int db_run(struct db *db, const char *sql, const struct db_value *args, size_t n,
	   int64_t *changed_r, struct err *err)
{
	struct db_call call = {.sql = sql, .args = args, .n = n, .changed_r = changed_r};

	call_begin(db);
	return call_end(db, db->ops->exec(db, &call, err));
}

int db_query(struct db *db, const char *sql, const struct db_value *args, size_t n,
	     db_row_fn on_row, void *ctx, struct err *err)
{
	struct db_call call = {.sql = sql, .args = args, .n = n, .on_row = on_row, .ctx = ctx};

	call_begin(db);
	return call_end(db, db->ops->exec(db, &call, err));
}

int db_prepare(struct db *db, const char *sql, struct db_statement **st_r, struct err *err)
{
	struct db_statement *st = mem_alloc(sizeof(*st));
	int rc = 0;

	st->db = db;
	st->sql = mem_dup(sql);
	if (db->ops->prepare != NULL) {
		call_begin(db);
		rc = call_end(db, db->ops->prepare(db, sql, &st->handle, err));
	}
	if (rc != 0)
		db_statement_free(st);
	else
		*st_r = st;
	return rc;
}

int db_statement_run(struct db_statement *st, const struct db_value *args, size_t n,
		     struct err *err)
{
	struct db *db = st->db;

	if (st->handle == NULL)
		return db_run(db, st->sql, args, n, NULL, err);
	call_begin(db);
	return call_end(db, db->ops->run(db, st->handle, args, n, err));
}

void db_statement_free(struct db_statement *st)
{
	if (st == NULL)
		return;
	if (st->handle != NULL)
		st->db->ops->drop(st->handle);
	free(st->sql);
	free(st);
}

int db_begin(struct db *db, struct err *err)
{
	call_begin(db);
	return call_end(db, db->ops->begin(db, err));
}

int db_commit(struct db *db, struct err *err)
{
	call_begin(db);
	return call_end(db, db->ops->commit(db, err));
}

void db_rollback(struct db *db)
{
	if (!db->ops->in_transaction(db))
		return;
	/* Whatever goes wrong here ends the connection, and with it the transaction. */
	(void)db_script(db, "ROLLBACK", NULL);
}

static int savepoint_run(struct db *db, const char *verb, const char *name, struct err *err)
{
	char sql[96];

	HALE_ASSERT(name[0] != '\0' && name[strspn(name, "abcdefghijklmnopqrstuvwxyz_")] == '\0');
	HALE_ASSERT(strlen(name) < 64);
	(void)snprintf(sql, sizeof(sql), "%s %s", verb, name);
	return db_script(db, sql, err);
}

int db_savepoint(struct db *db, const char *name, struct err *err)
{
	return savepoint_run(db, "SAVEPOINT", name, err);
}

int db_release(struct db *db, const char *name, struct err *err)
{
	return savepoint_run(db, "RELEASE SAVEPOINT", name, err);
}

int db_rollback_to(struct db *db, const char *name, struct err *err)
{
	return savepoint_run(db, "ROLLBACK TO SAVEPOINT", name, err);
}

void db_interrupt(struct db *db)
{
	atomic_store(&db->is_interrupted, true);
	db->ops->interrupt(db);
}

void db_set_timeout(struct db *db, int64_t timeout_ms)
{
	db->timeout_ms = timeout_ms;
}

char *db_quote_name(const char *name)
{
	struct str out = {0};

	str_addc(&out, '"');
	for (const char *p = name; *p != '\0'; p++) {
		if (*p == '"')
			str_addc(&out, '"');
		str_addc(&out, *p);
	}
	str_addc(&out, '"');
	return str_take(&out);
}

/* --- the statement cache --- */

static struct db_cached *cache_find(struct db_cache *cache, const char *sql)
{
	for (size_t i = 0; i < cache->n; i++)
		if (strcmp(cache->v[i].sql, sql) == 0)
			return &cache->v[i];
	return NULL;
}

void *db_cache_get(struct db_cache *cache, const char *sql)
{
	struct db_cached *s = cache_find(cache, sql);

	if (s == NULL)
		return NULL;
	s->used = ++cache->clock;
	return s->handle;
}

void *db_cache_take(struct db_cache *cache, const char *sql)
{
	struct db_cached *s = cache_find(cache, sql);
	void *handle;

	if (s == NULL)
		return NULL;
	handle = s->handle;
	free(s->sql);
	*s = cache->v[--cache->n];
	return handle;
}

void db_cache_put(struct db_cache *cache, const char *sql, void *handle, void **evicted_r)
{
	*evicted_r = NULL;
	if (cache->n == DB_STATEMENTS_MAX) {
		struct db_cached *oldest = &cache->v[0];

		for (size_t i = 1; i < cache->n; i++)
			if (cache->v[i].used < oldest->used)
				oldest = &cache->v[i];
		*evicted_r = db_cache_take(cache, oldest->sql);
	}
	cache->v[cache->n++] =
		(struct db_cached){.sql = mem_dup(sql), .handle = handle, .used = ++cache->clock};
}

void db_cache_done(struct db_cache *cache, void (*drop)(void *handle))
{
	for (size_t i = 0; i < cache->n; i++) {
		drop(cache->v[i].handle);
		free(cache->v[i].sql);
	}
	cache->n = 0;
}
