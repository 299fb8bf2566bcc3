/* SPDX-License-Identifier: Apache-2.0 */
#include "store_private.h"

#include <errno.h>

#include "base/clock.h"

static const char create_table[] = "CREATE TABLE IF NOT EXISTS schema_migrations ("
				   "version INTEGER PRIMARY KEY, name TEXT NOT NULL,"
				   " applied_at INTEGER NOT NULL)";

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

static int64_t newest_known(void)
{
	int64_t version = 0;

	for (const struct store_migration *m = store_migrations; m->version != 0; m++)
		version = m->version;
	return version;
}

/* 0: an empty file. -1: a database that is not ours. */
static int read_version(struct db *db, int64_t *version_r, struct err *err)
{
	int64_t has_table = 0, tables = 0;
	int rc = query_int(db,
			   "SELECT count(*) FROM sqlite_master"
			   " WHERE type = 'table' AND name = 'schema_migrations'",
			   &has_table, err);

	*version_r = 0;
	if (rc == 0 && has_table > 0)
		return query_int(db, "SELECT coalesce(max(version), 0) FROM schema_migrations",
				 version_r, err);
	if (rc == 0)
		rc = query_int(db, "SELECT count(*) FROM sqlite_master", &tables, err);
	if (rc == 0 && tables > 0)
		*version_r = -1;
	return rc;
}

static int refuse(const char *path, int64_t version, struct err *err)
{
	if (version < 0)
		return err_set(err, -EINVAL,
			       "%s: is a database of something else; name another file in "
			       "store.sqlite.path",
			       path);
	return err_set(
		err, -EINVAL,
		"%s: the store has schema version %lld, this hale knows up to %lld; run the newer "
		"hale that wrote it, or name another file in store.sqlite.path",
		path, (long long)version, (long long)newest_known());
}

/* The version is read again within the transaction: another recorder may have been faster. */
static int apply_in_transaction(struct db *db, const struct store_migration *m, struct err *err)
{
	struct db_value args[] = {DB_V_INT(m->version), db_v_text(m->name),
				  DB_V_INT(clock_wall_ms())};
	int64_t version = 0;
	int rc = db_script(db, create_table, err);

	if (rc == 0)
		rc = query_int(db, "SELECT coalesce(max(version), 0) FROM schema_migrations",
			       &version, err);
	if (rc != 0 || version >= m->version)
		return rc;
	rc = db_script(db, m->sql, err);
	if (rc == 0)
		rc = db_run(db,
			    "INSERT INTO schema_migrations (version, name, applied_at)"
			    " VALUES ($1, $2, $3)",
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
	if (version < 0 || version > newest_known())
		return refuse(path, version, err);
	for (const struct store_migration *m = store_migrations; m->version != 0; m++)
		if (m->version > version && (rc = apply(db, m, err)) != 0)
			return rc;
	return 0;
}

int store_check_version(struct db *db, const char *path, struct err *err)
{
	int64_t version = 0;
	int rc = read_version(db, &version, err);

	if (rc != 0)
		return rc;
	if (version == 0)
		return err_set(err, -ENOENT, "%s: the store is not set up yet", path);
	if (version < 0 || version > newest_known())
		return refuse(path, version, err);
	if (version < newest_known())
		return err_set(
			err, -EINVAL,
			"%s: the store has schema version %lld; the recorder has not brought it to "
			"%lld yet",
			path, (long long)version, (long long)newest_known());
	return 0;
}
