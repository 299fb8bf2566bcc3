/* SPDX-License-Identifier: Apache-2.0 */
#include "store_postgres.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "keep_partitions.h"
#include "store_private.h"

#define SCHEMA_DEFAULT               "hale"
#define CONNECT_TIMEOUT_DEFAULT_MS   5000
#define STATEMENT_TIMEOUT_DEFAULT_MS 15000
/* Partitions with a default one, BRIN that sums up by itself, and what views use. */
#define SERVER_VERSION_MIN           120000

/* --- sessions --- */

const char *postgres_schema(const struct store_options *o)
{
	return o->postgres.schema != NULL ? o->postgres.schema : SCHEMA_DEFAULT;
}

int64_t postgres_connect_timeout_ms(const struct store_options *o)
{
	return o->postgres.connect_timeout_ms > 0 ? o->postgres.connect_timeout_ms
						  : CONNECT_TIMEOUT_DEFAULT_MS;
}

int64_t postgres_statement_timeout_ms(const struct store_options *o)
{
	return o->postgres.statement_timeout_ms > 0 ? o->postgres.statement_timeout_ms
						    : STATEMENT_TIMEOUT_DEFAULT_MS;
}

int postgres_conninfo(const struct store_options *o, const char *who, char **conninfo_r,
		      struct err *err)
{
	const char *mode = o->postgres.tls.mode;
	const struct db_setting more[] = {
		{"sslmode", mode == NULL && o->postgres.tls.ca_file != NULL ? "verify-full" : mode},
		{"sslrootcert", o->postgres.tls.ca_file},
		{"sslcert", o->postgres.tls.cert_file},
		{"sslkey", o->postgres.tls.key_file},
		{"passfile", o->postgres.passfile},
		{"fallback_application_name", who},
		{NULL, NULL},
	};

	return db_conninfo(o->postgres.dsn, more, conninfo_r, err);
}

void postgres_session(const struct store_options *o, struct str *sql)
{
	HALE_CLEANUP(cleanup_free) char *schema = db_quote_name(postgres_schema(o));

	/* Compiling a statement that touches many partitions takes longer than running it. Whoever
	 * stops in a transaction shall not hold its locks for good; nor shall a machine that went
	 * down keep its node's lock from the recorder that starts when it is up again: by default
	 * the server would believe in it for two hours. */
	str_addf(sql,
		 "SET search_path = %s; SET timezone = 'UTC'; SET jit = off;"
		 " SET idle_in_transaction_session_timeout = '60s';"
		 " SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10;"
		 " SET tcp_keepalives_count = 3",
		 schema);
	if (o->postgres.synchronous_commit != NULL)
		str_addf(sql, "; SET synchronous_commit = %s", o->postgres.synchronous_commit);
}

/* --- the schema, in the sense of PostgreSQL --- */

struct standing { /* of our role */
	int64_t version;
	bool has_schema, may_make, may_use, may_create;
	char *role, *database;
};

static bool read_standing(void *ctx, const struct db_row *row)
{
	struct standing *s = ctx;

	s->version = row->values[0].integer;
	s->has_schema = row->values[1].integer != 0;
	s->may_make = row->values[2].integer != 0;
	s->may_use = row->values[3].integer != 0;
	s->may_create = row->values[4].integer != 0;
	s->role = mem_dup(row->values[5].text);
	s->database = mem_dup(row->values[6].text);
	return false;
}

static int refuse(const struct store_options *o, const char *path, const struct standing *s,
		  struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *schema = db_quote_name(postgres_schema(o));
	HALE_CLEANUP(cleanup_free) char *role = db_quote_name(s->role);

	if (!s->has_schema)
		return err_set(
			err, -EACCES,
			"%s: role %s may not make schema %s here; run as an admin in database "
			"%s: CREATE SCHEMA %s AUTHORIZATION %s",
			path, role, schema, s->database, schema, role);
	return err_set(err, -EACCES,
		       "%s: role %s may not use schema %s; run as an admin in database %s: ALTER "
		       "SCHEMA %s OWNER TO %s, or name another in store.postgres.schema",
		       path, role, schema, s->database, schema, role);
}

/* Several recorders may come at once: the lock is the one of migrations. */
static int make_schema(const struct store_options *o, struct store *h, struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *schema = db_quote_name(postgres_schema(o));
	HALE_CLEANUP(cleanup_free) char *sql = mem_printf("CREATE SCHEMA IF NOT EXISTS %s", schema);
	int rc = db_begin(h->db, err);

	if (rc == 0)
		rc = store_lock_schema(h->db, err);
	if (rc == 0)
		rc = db_script(h->db, sql, err);
	if (rc == 0)
		rc = db_commit(h->db, err);
	if (rc != 0)
		db_rollback(h->db);
	return rc;
}

static int check_standing(const struct store_options *o, struct store *h, const struct standing *s,
			  struct err *err)
{
	if (s->version < SERVER_VERSION_MIN)
		return err_set(err, -EINVAL,
			       "%s: the server is PostgreSQL %lld; 12 or later is needed", h->path,
			       (long long)s->version / 10000);
	if (!s->has_schema && !h->is_writer)
		return err_set(err, -ENOENT, "%s: there is no store yet", h->path);
	if (!s->has_schema && s->may_make)
		return make_schema(o, h, err);
	if (!s->has_schema || !s->may_use || (h->is_writer && !s->may_create))
		return refuse(o, h->path, s, err);
	return 0;
}

static int find_schema(const struct store_options *o, struct store *h, struct err *err)
{
	struct db_value name = db_v_text(postgres_schema(o));
	struct standing s = {0};
	int rc = db_query(
		h->db,
		"SELECT current_setting('server_version_num')::int, (n.oid IS NOT NULL)::int,"
		" has_database_privilege(current_database(), 'CREATE')::int,"
		" coalesce(has_schema_privilege(n.oid, 'USAGE'), false)::int,"
		" coalesce(has_schema_privilege(n.oid, 'CREATE'), false)::int,"
		" current_user::text, current_database()::text"
		" FROM (SELECT $1::text AS name) wanted"
		" LEFT JOIN pg_namespace n ON n.nspname = wanted.name",
		&name, 1, read_standing, &s, err);

	if (rc == 0)
		rc = check_standing(o, h, &s, err);
	free(s.role);
	free(s.database);
	return rc;
}

/* --- opening --- */

static int connect_db(const struct store_options *o, struct store *h, struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *conninfo = NULL;
	HALE_CLEANUP(str_done) struct str session = {0};
	struct db_target target = {.engine = DB_POSTGRES,
				   .timeout_ms = postgres_statement_timeout_ms(o),
				   .connect_timeout_ms = postgres_connect_timeout_ms(o),
				   .is_read_only = !h->is_writer};
	int rc = postgres_conninfo(o, h->is_writer ? "hale-keeper" : "hale-reader", &conninfo, err);

	if (rc != 0)
		return rc;
	target.where = conninfo;
	rc = db_open(&target, &h->db, err);
	if (rc != 0)
		return rc;
	postgres_session(o, &session);
	return db_script(h->db, str_text(&session), err);
}

int store_postgres_open(const struct store_options *o, struct store *h, struct err *err)
{
	int rc = db_conninfo_name(o->postgres.dsn, &h->path, err);

	if (rc == 0)
		rc = connect_db(o, h, err);
	if (rc == 0)
		rc = find_schema(o, h, err);
	if (rc != 0)
		return rc;
	if (!h->is_writer)
		return store_check_version(h->db, h->path, err);
	rc = store_migrate(h->db, h->path, err);
	return rc == 0 ? partitions_make(h->db, clock_wall_ms(), err) : rc;
}
