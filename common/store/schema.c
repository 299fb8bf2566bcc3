/* SPDX-License-Identifier: Apache-2.0 */
#include "store_private.h"

#include <errno.h>

#include "base/clock.h"
#include "statement.h"
#include "store_postgres.h"

/* What asks and says the same in each database. */
struct schema_dialect {
	const struct store_migration *migrations;
	const char *has_ours; /* the table that says which migrations ran */
	const char *has_any;  /* tables that may be somebody else's */
	const char *create_table;
	const char *advice; /* how to go elsewhere */
};

/* In PostgreSQL a schema may be shared, as long as nobody's names are ours. A table of migrations
 * is a common thing, and is ours if its columns are. */
static const struct schema_dialect dialects[] = {
	[DB_SQLITE] =
		{
			.migrations = store_migrations_sqlite,
			.has_ours = "SELECT count(*) FROM sqlite_master"
				    " WHERE type = 'table' AND name = 'schema_migrations'",
			.has_any = "SELECT count(*) FROM sqlite_master",
			.create_table = "CREATE TABLE IF NOT EXISTS schema_migrations ("
					"version INTEGER PRIMARY KEY, name TEXT NOT NULL,"
					" applied_at INTEGER NOT NULL)",
			.advice = "name another file in store.sqlite.path",
		},
	[DB_POSTGRES] =
		{
			.migrations = store_migrations_postgres,
			.has_ours = "SELECT count(*) FROM pg_attribute"
				    " WHERE attrelid = to_regclass('schema_migrations')"
				    " AND attname = 'applied_at' AND NOT attisdropped",
			.has_any = "SELECT count(*) FROM unnest(ARRAY['schema_migrations', 'meta',"
				   " 'statuses', 'outcomes', 'components', 'epochs', 'results',"
				   " 'transitions', 'process_events', 'events']) AS t(name)"
				   " WHERE to_regclass(t.name) IS NOT NULL",
			.create_table = "CREATE TABLE IF NOT EXISTS schema_migrations ("
					"version int PRIMARY KEY, name text NOT NULL,"
					" applied_at timestamptz NOT NULL)",
			.advice = "name another schema in store.postgres.schema",
		},
};

static const struct schema_dialect *dialect_of(const struct db *db)
{
	return &dialects[db_engine_of(db)];
}

bool store_read_int(void *int64_r, const struct db_row *row)
{
	if (row->columns > 0 && row->values[0].type == DB_INT)
		*(int64_t *)int64_r = row->values[0].integer;
	return false;
}

static int query_int(struct db *db, const char *sql, int64_t *value_r, struct err *err)
{
	return db_query(db, sql, NULL, 0, store_read_int, value_r, err);
}

static int64_t newest_known(const struct db *db)
{
	return store_newest_version(db_engine_of(db));
}

/* 0: nothing there. -1: a database that is not ours. */
static int read_version(struct db *db, int64_t *version_r, struct err *err)
{
	int64_t has_table = 0, tables = 0;
	int rc = query_int(db, dialect_of(db)->has_ours, &has_table, err);

	*version_r = 0;
	if (rc == 0 && has_table > 0)
		return query_int(db, "SELECT coalesce(max(version), 0) FROM schema_migrations",
				 version_r, err);
	if (rc == 0)
		rc = query_int(db, dialect_of(db)->has_any, &tables, err);
	if (rc == 0 && tables > 0)
		*version_r = -1;
	return rc;
}

static int refuse(const struct db *db, const char *path, int64_t version, struct err *err)
{
	const char *advice = dialect_of(db)->advice;

	if (version < 0)
		return err_set(err, -EINVAL, "%s: holds tables of something else; %s", path,
			       advice);
	return err_set(
		err, -EINVAL,
		"%s: the store has schema version %lld, this hale knows up to %lld; run the newer "
		"hale that wrote it, or %s",
		path, (long long)version, (long long)newest_known(db), advice);
}

int store_lock_schema(struct db *db, struct err *err)
{
	struct db_value lock = DB_V_INT(POSTGRES_LOCK);

	if (db_engine_of(db) == DB_SQLITE) /* BEGIN IMMEDIATE did */
		return 0;
	return db_run(db, "SELECT pg_advisory_xact_lock($1::int, 0)", &lock, 1, NULL, err);
}

/* The version is read again within the transaction: another recorder may have been faster. */
static int apply_in_transaction(struct db *db, const struct store_migration *m, struct err *err)
{
	struct db_value args[] = {DB_V_INT(m->version), db_v_text(m->name),
				  DB_V_INT(clock_wall_ms())};
	int64_t version = 0;
	int rc = store_lock_schema(db, err);

	if (rc == 0)
		rc = db_script(db, dialect_of(db)->create_table, err);
	if (rc == 0)
		rc = query_int(db, "SELECT coalesce(max(version), 0) FROM schema_migrations",
			       &version, err);
	if (rc != 0 || version >= m->version)
		return rc;
	rc = db_script(db, m->sql, err);
	if (rc == 0)
		rc = statement_run(db,
				   "INSERT INTO schema_migrations (version, name, applied_at)"
				   " VALUES ($1, $2, @at{$3})",
				   args, ARRAY_LEN(args), NULL, err);
	return rc;
}

static int apply(struct db *db, const struct store_migration *m, struct err *err)
{
	int rc = db_begin(db, err);

	if (rc == 0)
		rc = apply_in_transaction(db, m, err);
	if (rc == 0)
		rc = db_commit(db, err);
	if (rc != 0) {
		db_rollback(db);
		err_prefix(err, "migration %s", m->name);
	}
	return rc;
}

int store_migrate(struct db *db, const char *path, struct err *err)
{
	int64_t version = 0;
	int rc = read_version(db, &version, err);

	if (rc != 0)
		return rc;
	if (version < 0 || version > newest_known(db))
		return refuse(db, path, version, err);
	for (const struct store_migration *m = dialect_of(db)->migrations; m->version != 0; m++)
		if (m->version > version && (rc = apply(db, m, err)) != 0)
			return rc;
	return 0;
}

int64_t store_newest_version(enum db_engine engine)
{
	int64_t version = 0;

	for (const struct store_migration *m = dialects[engine].migrations; m->version != 0; m++)
		version = m->version;
	return version;
}

int store_check_version(struct db *db, const char *path, struct err *err)
{
	int64_t version = 0;
	int rc = read_version(db, &version, err);

	if (rc != 0)
		return rc;
	if (version == 0)
		return err_set(err, -ENOENT, "%s: the store is not set up yet", path);
	if (version < 0 || version > newest_known(db))
		return refuse(db, path, version, err);
	if (version < newest_known(db))
		return err_set(
			err, -EINVAL,
			"%s: the store has schema version %lld; the recorder has not brought it to "
			"%lld yet",
			path, (long long)version, (long long)newest_known(db));
	return 0;
}
