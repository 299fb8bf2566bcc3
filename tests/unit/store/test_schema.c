/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of both databases, and whom PostgreSQL lets make them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "db/db.h"
#include "../db/pg_server.h"
#include "store/store.h"

static struct pg_server server;

struct fixture {
	struct store_options o;
	struct store *s;
	struct err err;
};

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	f->o.postgres.dsn = server.conninfo;
	*state = f;
	return 0;
}

static struct db *admin(void)
{
	struct db_target target = {.engine = DB_POSTGRES, .where = server.conninfo};
	struct err err = {0};
	struct db *db = NULL;

	if (db_open(&target, &db, &err) != 0)
		fail_msg("%s", err.text);
	return db;
}

static void script(const char *sql)
{
	struct db *db = admin();
	struct err err = {0};

	if (db_script(db, sql, &err) != 0)
		fail_msg("%s: %s", sql, err.text);
	db_close(db);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	store_close(f->s);
	script("DROP SCHEMA IF EXISTS hale CASCADE; DROP SCHEMA IF EXISTS other CASCADE;"
	       " REVOKE ALL ON DATABASE postgres FROM guest");
	free(f);
	return 0;
}

static bool add_row(void *ctx, const struct db_row *row)
{
	struct str *s = ctx;

	for (size_t i = 0; i < row->columns; i++)
		str_addf(s, "%s%s", i > 0 ? "." : "",
			 row->values[i].text != NULL ? row->values[i].text : "");
	str_addc(s, '\n');
	return true;
}

static char *rows_of(struct db *db, const char *sql)
{
	struct str s = {0};
	struct err err = {0};

	if (db_query(db, sql, NULL, 0, add_row, &s, &err) != 0)
		fail_msg("%s: %s", sql, err.text);
	return str_take(&s);
}

static void expect(const char *sql, const char *expected)
{
	struct db *db = admin();
	char *rows = rows_of(db, sql);

	assert_string_equal(rows, expected);
	free(rows);
	db_close(db);
}

static int open_as(struct fixture *f, enum store_role role)
{
	store_close(TAKE_PTR(f->s));
	return store_open(&f->o, role, &f->s, &f->err);
}

static void must(struct fixture *f, int rc)
{
	if (rc != 0)
		fail_msg("%s (%d)", f->err.text, rc);
}

/* --- */

static char *sqlite_columns(void)
{
	char path[] = "/tmp/hale-schema-XXXXXX";
	struct store_options o = {.sqlite.path = path};
	struct db_target target = {.where = path};
	struct store *s = NULL;
	struct db *db = NULL;
	struct err err = {0};
	char *columns;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(store_open(&o, STORE_KEEPER, &s, &err), 0);
	assert_int_equal(db_open(&target, &db, &err), 0);
	columns = rows_of(db, "SELECT m.type||' '||m.name||' '||c.name FROM sqlite_master m,"
			      " pragma_table_info(m.name) c WHERE m.type IN ('table', 'view')"
			      " AND m.name NOT LIKE 'sqlite_%' ORDER BY 1");
	db_close(db);
	store_close(s);
	(void)close(fd);
	(void)unlink(path);
	return columns;
}

static void both_databases_have_the_same_tables_views_and_columns(void **state)
{
	struct fixture *f = *state;
	char *expected = sqlite_columns(), *got;
	struct db *db;

	must(f, open_as(f, STORE_KEEPER));
	db = admin();
	got = rows_of(
		db, "SELECT concat_ws(' ', CASE c.relkind WHEN 'v' THEN 'view' ELSE 'table' END,"
		    " c.relname, a.attname) COLLATE \"C\" FROM pg_class c"
		    " JOIN pg_attribute a ON a.attrelid = c.oid"
		    " WHERE c.relnamespace = 'hale'::regnamespace AND c.relkind IN ('r', 'p', 'v')"
		    " AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped"
		    " ORDER BY 1");
	assert_string_equal(got, expected);
	free(got);
	free(expected);
	db_close(db);
}

/* Columns by falling alignment, or room is lost in every row. */
static void no_table_of_postgresql_wastes_room_between_columns(void **state)
{
	struct fixture *f = *state;

	must(f, open_as(f, STORE_KEEPER));
	expect("SELECT DISTINCT c.relname::text FROM pg_class c"
	       " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
	       " JOIN pg_attribute b ON b.attrelid = c.oid AND b.attnum = a.attnum + 1"
	       " WHERE c.relnamespace = 'hale'::regnamespace AND c.relkind IN ('r', 'p')"
	       " AND c.relname <> 'schema_migrations'"
	       " AND a.attlen > 0 AND b.attlen > 0 AND strpos('dis', a.attalign::text)"
	       " > strpos('dis', b.attalign::text)",
	       "");
}

static void a_role_needs_no_more_than_a_schema(void **state)
{
	struct fixture *f = *state;

	f->o.postgres.dsn = server.guest;
	assert_int_equal(open_as(f, STORE_READER), -ENOENT);
	assert_int_equal(open_as(f, STORE_KEEPER), -EACCES);
	assert_non_null(strstr(f->err.text, "CREATE SCHEMA \"hale\" AUTHORIZATION \"guest\""));
	assert_null(strstr(f->err.text, PG_SERVER_PASSWORD));
	script("CREATE SCHEMA hale AUTHORIZATION guest");
	assert_int_equal(open_as(f, STORE_READER), -ENOENT);
	must(f, open_as(f, STORE_KEEPER));
	must(f, open_as(f, STORE_READER));
	must(f, open_as(f, STORE_KEEPER));
	expect("SELECT version::text, name FROM hale.schema_migrations WHERE version = 1",
	       "1.001_initial\n");
	expect("SELECT tableowner::text FROM pg_tables WHERE tablename = 'results'", "guest\n");
}

static void or_the_right_to_make_one(void **state)
{
	struct fixture *f = *state;

	f->o.postgres.dsn = server.guest;
	f->o.postgres.schema = (char[]){"other"};
	script("GRANT CREATE ON DATABASE postgres TO guest");
	must(f, open_as(f, STORE_KEEPER));
	expect("SELECT schemaname::text FROM pg_tables WHERE tablename = 'results'", "other\n");
}

static void a_schema_of_others_is_told_of(void **state)
{
	struct fixture *f = *state;

	f->o.postgres.dsn = server.guest;
	script("CREATE SCHEMA hale");
	assert_int_equal(open_as(f, STORE_KEEPER), -EACCES);
	assert_non_null(strstr(f->err.text, "ALTER SCHEMA \"hale\" OWNER TO \"guest\""));
	assert_int_equal(open_as(f, STORE_READER), -EACCES);
	/* Ours by right, but not by what is in it. */
	script("ALTER SCHEMA hale OWNER TO guest; CREATE TABLE hale.events (x int)");
	assert_int_equal(open_as(f, STORE_KEEPER), -EINVAL);
	assert_non_null(strstr(f->err.text, "something else"));
	assert_non_null(strstr(f->err.text, "store.postgres.schema"));
	script("DROP TABLE hale.events; CREATE TABLE hale.schema_migrations (version text)");
	assert_int_equal(open_as(f, STORE_KEEPER), -EINVAL);
	expect("SELECT count(*)::text FROM pg_class WHERE relnamespace = 'hale'::regnamespace",
	       "1\n");
}

static void a_newer_store_is_refused_and_not_touched(void **state)
{
	struct fixture *f = *state;

	must(f, open_as(f, STORE_KEEPER));
	script("INSERT INTO hale.schema_migrations VALUES (999, 'x', now())");
	assert_int_equal(open_as(f, STORE_KEEPER), -EINVAL);
	assert_non_null(strstr(f->err.text, "999"));
	assert_non_null(strstr(f->err.text, "newer hale"));
	assert_int_equal(open_as(f, STORE_READER), -EINVAL);
}

/* A migration that fails leaves nothing behind. */
static void half_a_store_is_refused_by_readers_and_finished_by_the_keeper(void **state)
{
	struct fixture *f = *state;

	must(f, open_as(f, STORE_KEEPER));
	script("DELETE FROM hale.schema_migrations WHERE version > 1");
	assert_int_equal(open_as(f, STORE_READER), -EINVAL);
	assert_non_null(strstr(f->err.text, "the recorder has not brought it to"));
	assert_int_equal(open_as(f, STORE_KEEPER), -EINVAL);
	assert_non_null(strstr(f->err.text, "migration 002_"));
	expect("SELECT max(version)::text FROM hale.schema_migrations", "1\n");
}

static void *open_in_thread(void *arg)
{
	struct fixture *f = arg;
	int rc = store_open(&f->o, STORE_KEEPER, &f->s, &f->err);

	return (void *)(intptr_t)rc;
}

static void several_nodes_may_start_at_once(void **state)
{
	struct fixture nodes[6] = {0};
	pthread_t threads[6];
	void *rc;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
		nodes[i].o.postgres.dsn = server.conninfo;
		assert_int_equal(pthread_create(&threads[i], NULL, open_in_thread, &nodes[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
		assert_int_equal(pthread_join(threads[i], &rc), 0);
		must(&nodes[i], (int)(intptr_t)rc);
		store_close(nodes[i].s);
	}
	expect("SELECT version::text FROM hale.schema_migrations WHERE version = 1", "1\n");
}

static void sessions_are_set_up(void **state)
{
	struct fixture *f = *state;

	f->o.postgres.statement_timeout_ms = 7000;
	f->o.postgres.synchronous_commit = (char[]){"local"};
	must(f, open_as(f, STORE_KEEPER));
	expect("SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'hale-%'",
	       "hale-keeper\n");
	assert_string_equal(store_backend(&f->o), "postgresql");
	assert_non_null(strstr(store_where(f->s), "/postgres"));
	must(f, open_as(f, STORE_READER));
	expect("SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'hale-%'",
	       "hale-reader\n");
}

static void a_wrong_password_or_database_says_so_without_the_password(void **state)
{
	static const struct {
		const char *rest, *expected;
		int rc;
	} cases[] = {
		{"user=guest dbname=postgres password=hunter2hunter2", "password authentication",
		 -EACCES},
		{"user=postgres dbname=nix password=hunter2hunter2", "\"nix\" does not exist",
		 -ECONNREFUSED},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char dsn[200];

		(void)snprintf(dsn, sizeof(dsn), "host=%s %s", server.dir, cases[i].rest);
		f->o.postgres.dsn = dsn;
		assert_int_equal(open_as(f, STORE_KEEPER), cases[i].rc);
		assert_non_null(strstr(f->err.text, cases[i].expected));
		assert_null(strstr(f->err.text, "hunter2"));
		assert_int_equal(open_as(f, STORE_READER), cases[i].rc);
	}
}

static void a_password_may_stand_in_a_file(void **state)
{
	struct fixture *f = *state;
	char dsn[160], path[] = "/tmp/hale-pass-XXXXXX";
	int fd = mkstemp(path);
	static const char line[] = "*:*:*:guest:" PG_SERVER_PASSWORD "\n";

	script("CREATE SCHEMA hale AUTHORIZATION guest");
	assert_int_equal(write(fd, line, sizeof(line) - 1), (ssize_t)(sizeof(line) - 1));
	(void)close(fd);
	(void)snprintf(dsn, sizeof(dsn), "host=%s user=guest dbname=postgres", server.dir);
	f->o.postgres.dsn = dsn;
	assert_int_equal(open_as(f, STORE_KEEPER), -EACCES);
	f->o.postgres.passfile = path;
	must(f, open_as(f, STORE_KEEPER));
	(void)unlink(path);
}

static void note_problem(void *ctx, const char *path, const char *message)
{
	str_addf(ctx, "%s: %s|", path, message);
}

static void options_that_contradict_are_told_of(void **state)
{
	struct store_options o = {.sqlite.path = (char[]){"/x"}};
	struct str s = {0};

	(void)state;
	store_options_check(&o, note_problem, &s);
	assert_string_equal(str_text(&s), "");
	o.postgres.dsn = (char[]){"host=x"};
	store_options_check(&o, note_problem, &s);
	assert_string_equal(str_text(&s), "/sqlite: history is kept in one database: take out "
					  "'sqlite', or 'postgres'|");
	str_clear(&s);
	o = (struct store_options){.postgres.dsn = (char[]){"hunter2 is none"}};
	o.postgres.tls.cert_file = (char[]){"/c"};
	store_options_check(&o, note_problem, &s);
	assert_true(str_starts(str_text(&s), "/postgres/dsn: "));
	assert_null(strstr(str_text(&s), "hunter2"));
	assert_non_null(strstr(str_text(&s), "/postgres/tls: cert_file and key_file"));
	str_done(&s);
}

static int start_server(void **state)
{
	(void)state;
	pg_server_start(&server);
	return 0;
}

static int stop_server(void **state)
{
	(void)state;
	pg_server_stop(&server);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_databases_have_the_same_tables_views_and_columns),
		TEST(no_table_of_postgresql_wastes_room_between_columns),
		TEST(a_role_needs_no_more_than_a_schema),
		TEST(or_the_right_to_make_one),
		TEST(a_schema_of_others_is_told_of),
		TEST(a_newer_store_is_refused_and_not_touched),
		TEST(half_a_store_is_refused_by_readers_and_finished_by_the_keeper),
		TEST(several_nodes_may_start_at_once),
		TEST(sessions_are_set_up),
		TEST(a_wrong_password_or_database_says_so_without_the_password),
		TEST(a_password_may_stand_in_a_file),
		TEST(options_that_contradict_are_told_of),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}
