/* SPDX-License-Identifier: Apache-2.0 */
/* One suite, both engines: every test runs on SQLite and on a real PostgreSQL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "pg_server.h"
#include "db/db.h"

static struct pg_server server;
static char sqlite_dir[64];
static char sqlite_path[96];

struct fixture {
	struct db_target target;
	struct db *db;
	struct err err;
};

static struct db *open_more(const struct db_target *target)
{
	struct err err = {0};
	struct db *db = NULL;

	if (db_open(target, &db, &err) != 0)
		fail_msg("open: %s", err.text);
	return db;
}

static void must(struct fixture *f, int rc)
{
	if (rc != 0)
		fail_msg("%s (%d)", f->err.text, rc);
}

static void script(struct fixture *f, const char *sql)
{
	must(f, db_script(f->db, sql, &f->err));
}

static int setup_engine(void **state, enum db_engine engine)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	f->target.engine = engine;
	f->target.where = engine == DB_SQLITE ? sqlite_path : server.conninfo;
	f->target.timeout_ms = 2000;
	f->db = open_more(&f->target);
	script(f, "DROP TABLE IF EXISTS t; CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT,"
		  " x DOUBLE PRECISION)");
	*state = f;
	return 0;
}

static int setup_sqlite(void **state)
{
	return setup_engine(state, DB_SQLITE);
}

static int setup_postgres(void **state)
{
	return setup_engine(state, DB_POSTGRES);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	db_close(f->db);
	free(f);
	return 0;
}

/* Rows as "a|b|c\n", NULL as "~". */
static bool add_row(void *ctx, const struct db_row *row)
{
	struct str *s = ctx;

	for (size_t i = 0; i < row->columns; i++) {
		const struct db_value *v = &row->values[i];

		if (i > 0)
			str_addc(s, '|');
		if (v->type == DB_NULL)
			str_addc(s, '~');
		else if (v->type == DB_INT)
			str_addf(s, "%lld", (long long)v->integer);
		else if (v->type == DB_REAL)
			str_addf(s, "%g", v->real);
		else
			str_addn(s, v->text, v->len);
	}
	str_addc(s, '\n');
	return true;
}

static void expect_rows(struct fixture *f, const char *sql, const char *expected)
{
	struct str s = {0};

	must(f, db_query(f->db, sql, NULL, 0, add_row, &s, &f->err));
	assert_string_equal(str_text(&s), expected);
	str_done(&s);
}

static void insert(struct fixture *f, int64_t id, const char *name)
{
	struct db_value args[] = {DB_V_INT(id), db_v_text(name)};

	must(f, db_run(f->db, "INSERT INTO t (id, name) VALUES ($1, $2)", args, 2, NULL, &f->err));
}

static void values_come_back_as_they_went_in(void **state)
{
	struct fixture *f = *state;
	struct db_value args[] = {DB_V_INT(INT64_C(7)), db_v_text("it's \"so\"; $1 -- ünï"),
				  DB_V_REAL(2.5)};

	must(f, db_run(f->db, "INSERT INTO t VALUES ($1, $2, $3)", args, 3, NULL, &f->err));
	args[0] = DB_V_INT(8);
	args[1] = db_v_text(NULL);
	args[2] = DB_V_NULL;
	must(f, db_run(f->db, "INSERT INTO t VALUES ($1, $2, $3)", args, 3, NULL, &f->err));
	expect_rows(f, "SELECT id, name, x FROM t ORDER BY id",
		    "7|it's \"so\"; $1 -- ünï|2.5\n8|~|~\n");
}

static void placeholders_are_positions_in_any_order(void **state)
{
	struct fixture *f = *state;
	struct db_value args[] = {db_v_text("one"), DB_V_INT(1)};

	must(f, db_run(f->db, "INSERT INTO t (id, name) VALUES ($2, $1)", args, 2, NULL, &f->err));
	expect_rows(f, "SELECT id, name FROM t", "1|one\n");
}

static void changed_counts_rows_of_this_statement_only(void **state)
{
	struct fixture *f = *state;
	int64_t changed = -1;

	insert(f, 1, "a");
	insert(f, 2, "a");
	must(f, db_run(f->db, "UPDATE t SET name = 'b'", NULL, 0, &changed, &f->err));
	assert_int_equal(changed, 2);
	must(f, db_run(f->db, "DELETE FROM t WHERE id = 99", NULL, 0, &changed, &f->err));
	assert_int_equal(changed, 0);
	must(f, db_run(f->db, "SELECT * FROM t", NULL, 0, &changed, &f->err));
	assert_int_equal(changed, 0);
}

static bool stop_at_two(void *ctx, const struct db_row *row)
{
	(void)row;
	return ++*(int *)ctx < 2;
}

static void a_reader_may_stop_and_the_connection_goes_on(void **state)
{
	struct fixture *f = *state;
	int seen = 0;

	for (int i = 0; i < 10; i++)
		insert(f, i, "x");
	must(f,
	     db_query(f->db, "SELECT id FROM t ORDER BY id", NULL, 0, stop_at_two, &seen, &f->err));
	assert_int_equal(seen, 2);
	expect_rows(f, "SELECT count(*) FROM t", "10\n");
}

static void unique_violation_is_eexist(void **state)
{
	struct fixture *f = *state;
	struct db_value args[] = {DB_V_INT(1)};

	insert(f, 1, "a");
	assert_int_equal(db_run(f->db, "INSERT INTO t (id) VALUES ($1)", args, 1, NULL, &f->err),
			 -EEXIST);
	expect_rows(f, "SELECT name FROM t", "a\n");
}

static void bad_sql_is_einval_with_the_engines_words(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(db_run(f->db, "SELEKT 1", NULL, 0, NULL, &f->err), -EINVAL);
	assert_non_null(strstr(f->err.text, "SELEKT"));
	assert_false(db_is_broken(f->db));
	expect_rows(f, "SELECT 1", "1\n");
}

static void second_statement_in_one_text_is_refused(void **state)
{
	struct fixture *f = *state;

	insert(f, 1, "a");
	assert_int_equal(db_run(f->db, "SELECT 1; DELETE FROM t", NULL, 0, NULL, &f->err), -EINVAL);
	expect_rows(f, "SELECT count(*) FROM t", "1\n");
}

static void wrong_number_of_values_is_einval(void **state)
{
	struct fixture *f = *state;
	struct db_value args[] = {DB_V_INT(1), DB_V_INT(2), DB_V_INT(3)};

	assert_int_not_equal(
		db_run(f->db, "INSERT INTO t (id, x) VALUES ($1, $2)", args, 3, NULL, &f->err), 0);
	assert_int_not_equal(
		db_run(f->db, "INSERT INTO t (id, x) VALUES ($1, $2)", args, 1, NULL, &f->err), 0);
	must(f, db_run(f->db, "INSERT INTO t (id, x) VALUES ($1, $2)", args, 2, NULL, &f->err));
}

static void rollback_undoes_and_commit_keeps(void **state)
{
	struct fixture *f = *state;

	must(f, db_begin(f->db, &f->err));
	insert(f, 1, "gone");
	db_rollback(f->db);
	db_rollback(f->db); /* none open: nothing happens */
	must(f, db_begin(f->db, &f->err));
	insert(f, 2, "kept");
	must(f, db_commit(f->db, &f->err));
	expect_rows(f, "SELECT id FROM t", "2\n");
}

static void savepoint_isolates_one_rows_failure(void **state)
{
	struct fixture *f = *state;
	struct db_value args[] = {DB_V_INT(1)};

	must(f, db_begin(f->db, &f->err));
	insert(f, 1, "a");
	must(f, db_savepoint(f->db, "row_x", &f->err));
	assert_int_equal(db_run(f->db, "INSERT INTO t (id) VALUES ($1)", args, 1, NULL, &f->err),
			 -EEXIST);
	must(f, db_rollback_to(f->db, "row_x", &f->err));
	must(f, db_release(f->db, "row_x", &f->err));
	insert(f, 2, "b");
	must(f, db_commit(f->db, &f->err));
	expect_rows(f, "SELECT id FROM t ORDER BY id", "1\n2\n");
}

static void close_rolls_back_an_open_transaction(void **state)
{
	struct fixture *f = *state;

	must(f, db_begin(f->db, &f->err));
	insert(f, 1, "a");
	db_close(f->db);
	f->db = open_more(&f->target);
	expect_rows(f, "SELECT count(*) FROM t", "0\n");
}

static void more_statements_than_are_kept_still_work(void **state)
{
	struct fixture *f = *state;
	char sql[64];
	struct db_value arg = DB_V_INT(1);

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < DB_STATEMENTS_MAX + 20; i++) {
			(void)snprintf(sql, sizeof(sql), "UPDATE t SET x = %d WHERE id = $1", i);
			must(f, db_run(f->db, sql, &arg, 1, NULL, &f->err));
		}
	}
}

static void a_change_of_schema_does_not_poison_kept_statements(void **state)
{
	struct fixture *f = *state;
	struct str s = {0};

	insert(f, 1, "a");
	expect_rows(f, "SELECT * FROM t", "1|a|~\n");
	script(f, "ALTER TABLE t ADD COLUMN more TEXT");
	/* PostgreSQL refuses the old plan once. */
	if (db_query(f->db, "SELECT * FROM t", NULL, 0, add_row, &s, &f->err) != 0)
		assert_int_equal(db_engine_of(f->db), DB_POSTGRES);
	str_done(&s);
	expect_rows(f, "SELECT * FROM t", "1|a|~|~\n");
}

static void read_only_refuses_to_write(void **state)
{
	struct fixture *f = *state;
	struct db_target target = f->target;
	struct db *reader;

	target.is_read_only = true;
	reader = open_more(&target);
	assert_int_equal(db_script(reader, "INSERT INTO t (id) VALUES (1)", &f->err), -EINVAL);
	must(f, db_begin(reader, &f->err));
	must(f, db_run(reader, "SELECT count(*) FROM t", NULL, 0, NULL, &f->err));
	must(f, db_commit(reader, &f->err));
	db_close(reader);
}

/* Some seconds of work in either engine, without a table. */
static const char *endless(const struct fixture *f)
{
	return f->target.engine == DB_SQLITE
		       ? "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c)"
			 " SELECT count(*) FROM c"
		       : "SELECT pg_sleep(30)";
}

static void statement_timeout_is_eintr(void **state)
{
	struct fixture *f = *state;
	int64_t begin = clock_mono_ms();

	db_close(f->db);
	f->target.timeout_ms = 200;
	f->db = open_more(&f->target);
	assert_int_equal(db_run(f->db, endless(f), NULL, 0, NULL, &f->err), -EINTR);
	assert_in_range(clock_mono_ms() - begin, 150, 5000);
	expect_rows(f, "SELECT 1", "1\n");
}

static void *interrupt_soon(void *db)
{
	struct timespec pause = {.tv_nsec = 5000000};

	/* Until it hits the running call: a call that has not begun yet is not interrupted. */
	for (int i = 0; i < 400; i++) {
		(void)nanosleep(&pause, NULL);
		db_interrupt(db);
	}
	return NULL;
}

static void interrupt_from_another_thread_is_eintr(void **state)
{
	struct fixture *f = *state;
	int64_t begin = clock_mono_ms();
	pthread_t thread;

	db_close(f->db);
	f->target.timeout_ms = 30000;
	f->db = open_more(&f->target);
	assert_int_equal(pthread_create(&thread, NULL, interrupt_soon, f->db), 0);
	assert_int_equal(db_run(f->db, endless(f), NULL, 0, NULL, &f->err), -EINTR);
	assert_true(clock_mono_ms() - begin < 20000);
	assert_non_null(strstr(f->err.text, "interrupted"));
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void a_lock_held_by_another_ends_in_ebusy_or_eintr(void **state)
{
	struct fixture *f = *state;
	struct db *other;
	int rc;

	insert(f, 1, "a");
	db_close(f->db);
	f->target.timeout_ms = 300;
	f->db = open_more(&f->target);
	other = open_more(&f->target);
	must(f, db_begin(other, &f->err));
	must(f, db_run(other, "UPDATE t SET name = 'b' WHERE id = 1", NULL, 0, NULL, &f->err));
	rc = db_run(f->db, "UPDATE t SET name = 'c' WHERE id = 1", NULL, 0, NULL, &f->err);
	assert_int_equal(rc, f->target.engine == DB_SQLITE ? -EBUSY : -EINTR);
	db_close(other);
	must(f, db_run(f->db, "UPDATE t SET name = 'c' WHERE id = 1", NULL, 0, NULL, &f->err));
}

static void many_rows_arrive_all(void **state)
{
	struct fixture *f = *state;
	struct str s = {0};

	must(f, db_query(f->db,
			 "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < "
			 "5000)"
			 " SELECT n FROM c",
			 NULL, 0, add_row, &s, &f->err));
	assert_true(str_starts(str_text(&s), "1\n2\n"));
	assert_true(str_ends(str_text(&s), "4999\n5000\n"));
	str_done(&s);
}

/* --- one engine only --- */

static void quote_name_doubles_quotes(void **state)
{
	char *q = db_quote_name("a\"b");

	(void)state;
	assert_string_equal(q, "\"a\"\"b\"");
	free(q);
}

static void expect_open_error(const struct db_target *target, int code, const char *part)
{
	struct err err = {0};
	struct db *db = NULL;

	assert_int_equal(db_open(target, &db, &err), code);
	assert_null(db);
	if (strstr(err.text, part) == NULL)
		fail_msg("'%s' is not in '%s'", part, err.text);
	assert_null(strstr(err.text, "hunter2"));
	assert_null(strstr(err.text, PG_SERVER_PASSWORD));
}

static void sqlite_missing_file_is_enoent(void **state)
{
	struct db_target target = {.where = "/nonexistent/x.db", .must_exist = true};

	(void)state;
	expect_open_error(&target, -ENOENT, "no such file");
	target.must_exist = false;
	expect_open_error(&target, -ECONNREFUSED, "/nonexistent/x.db");
}

static void sqlite_garbage_is_not_a_database(void **state)
{
	char path[128];
	FILE *file;
	struct db_target target = {.where = path};

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/garbage", sqlite_dir);
	file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; i < 200; i++)
		(void)fputs("this is no database\n", file);
	(void)fclose(file);
	expect_open_error(&target, -EMEDIUMTYPE, "not a database");
	(void)unlink(path);
}

static void sqlite_deleted_file_is_broken(void **state)
{
	char path[128];
	struct db_target target = {.where = path};
	struct err err = {0};
	struct db *db;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/deleted", sqlite_dir);
	db = open_more(&target);
	assert_int_equal(db_script(db, "CREATE TABLE t (id INTEGER)", &err), 0);
	assert_false(db_is_broken(db));
	assert_int_equal(unlink(path), 0);
	assert_true(db_is_broken(db));
	db_close(db);
}

static void postgres_nobody_listens_is_econnrefused(void **state)
{
	struct db_target target = {.engine = DB_POSTGRES,
				   .where = "host=/nonexistent dbname=x password=hunter2"};

	(void)state;
	expect_open_error(&target, -ECONNREFUSED, "/nonexistent");
}

static void postgres_wrong_password_is_eacces_and_not_told(void **state)
{
	char where[200];
	struct db_target target = {.engine = DB_POSTGRES, .where = where};

	(void)state;
	(void)snprintf(where, sizeof(where), "host=%s user=guest dbname=postgres password=hunter2",
		       server.dir);
	expect_open_error(&target, -EACCES, "password authentication failed");
	target.where = server.guest;
	db_close(open_more(&target));
}

static void postgres_bad_conninfo_is_not_repeated(void **state)
{
	struct db_target target = {.engine = DB_POSTGRES, .where = "host = x hunter2 password"};

	(void)state;
	expect_open_error(&target, -EINVAL, "connection string");
	target.where = "postgresql://user:hunter2@host:port%zz/x";
	expect_open_error(&target, -EINVAL, "connection string");
}

static void postgres_password_in_a_servers_text_is_blanked(void **state)
{
	struct db_target target = {.engine = DB_POSTGRES, .where = server.guest};
	struct db *db = open_more(&target);
	struct err err = {0};

	(void)state;
	assert_int_equal(db_script(db, "SELECT '" PG_SERVER_PASSWORD "'::int", &err), -EINVAL);
	assert_non_null(strstr(err.text, "***"));
	assert_null(strstr(err.text, PG_SERVER_PASSWORD));
	db_close(db);
}

static void postgres_types_numeric_and_bool_stay_text(void **state)
{
	struct fixture *f = *state;

	expect_rows(f, "SELECT 1.50::numeric, true, 3::int2, 0.5::float4", "1.50|t|3|0.5\n");
}

static void postgres_terminated_backend_is_broken(void **state)
{
	struct fixture *f = *state;
	struct db *other = open_more(&f->target);
	struct db_value pid;
	struct str s = {0};

	must(f, db_query(f->db, "SELECT pg_backend_pid()", NULL, 0, add_row, &s, &f->err));
	pid = DB_V_INT(atoi(str_text(&s)));
	must(f, db_run(other, "SELECT pg_terminate_backend($1)", &pid, 1, NULL, &f->err));
	assert_int_equal(db_run(f->db, "SELECT pg_sleep(1)", NULL, 0, NULL, &f->err), -EIO);
	assert_true(db_is_broken(f->db));
	db_close(other);
	str_done(&s);
}

static void postgres_stopped_server_does_not_hold_the_thread(void **state)
{
	struct fixture *f = *state;
	struct str s = {0};
	int64_t begin;
	pid_t backend;

	db_close(f->db);
	f->target.timeout_ms = 300;
	f->db = open_more(&f->target);
	must(f, db_query(f->db, "SELECT pg_backend_pid()", NULL, 0, add_row, &s, &f->err));
	backend = atoi(str_text(&s));
	assert_int_equal(kill(backend, SIGSTOP), 0);
	begin = clock_mono_ms();
	assert_int_equal(db_run(f->db, "SELECT 2", NULL, 0, NULL, &f->err), -EINTR);
	assert_in_range(clock_mono_ms() - begin, 300, 10000);
	assert_true(db_is_broken(f->db));
	assert_int_equal(kill(backend, SIGCONT), 0);
	str_done(&s);
}

static void postgres_commit_of_a_failed_transaction_fails(void **state)
{
	struct fixture *f = *state;

	must(f, db_begin(f->db, &f->err));
	insert(f, 1, "a");
	assert_int_equal(db_run(f->db, "SELECT 1/0", NULL, 0, NULL, &f->err), -EINVAL);
	assert_int_equal(db_commit(f->db, &f->err), -EINVAL);
	expect_rows(f, "SELECT count(*) FROM t", "0\n");
}

static int setup_all(void **state)
{
	(void)state;
	(void)snprintf(sqlite_dir, sizeof(sqlite_dir), "/tmp/hale-db-XXXXXX");
	assert_non_null(mkdtemp(sqlite_dir));
	(void)snprintf(sqlite_path, sizeof(sqlite_path), "%s/t.db", sqlite_dir);
	pg_server_start(&server);
	return 0;
}

static int teardown_all(void **state)
{
	(void)state;
	pg_server_stop(&server);
	(void)unlink(sqlite_path);
	(void)rmdir(sqlite_dir);
	return 0;
}

#define BOTH(test)                                                                                 \
	{#test " (sqlite)", test, setup_sqlite, teardown, NULL},                                   \
	{                                                                                          \
#test " (postgres)", test, setup_postgres, teardown, NULL                          \
	}
#define POSTGRES(test) cmocka_unit_test_setup_teardown(test, setup_postgres, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(values_come_back_as_they_went_in),
		BOTH(placeholders_are_positions_in_any_order),
		BOTH(changed_counts_rows_of_this_statement_only),
		BOTH(a_reader_may_stop_and_the_connection_goes_on),
		BOTH(unique_violation_is_eexist),
		BOTH(bad_sql_is_einval_with_the_engines_words),
		BOTH(second_statement_in_one_text_is_refused),
		BOTH(wrong_number_of_values_is_einval),
		BOTH(rollback_undoes_and_commit_keeps),
		BOTH(savepoint_isolates_one_rows_failure),
		BOTH(close_rolls_back_an_open_transaction),
		BOTH(more_statements_than_are_kept_still_work),
		BOTH(a_change_of_schema_does_not_poison_kept_statements),
		BOTH(read_only_refuses_to_write),
		BOTH(statement_timeout_is_eintr),
		BOTH(interrupt_from_another_thread_is_eintr),
		BOTH(a_lock_held_by_another_ends_in_ebusy_or_eintr),
		BOTH(many_rows_arrive_all),
		cmocka_unit_test(quote_name_doubles_quotes),
		cmocka_unit_test(sqlite_missing_file_is_enoent),
		cmocka_unit_test(sqlite_garbage_is_not_a_database),
		cmocka_unit_test(sqlite_deleted_file_is_broken),
		cmocka_unit_test(postgres_nobody_listens_is_econnrefused),
		cmocka_unit_test(postgres_wrong_password_is_eacces_and_not_told),
		cmocka_unit_test(postgres_bad_conninfo_is_not_repeated),
		cmocka_unit_test(postgres_password_in_a_servers_text_is_blanked),
		POSTGRES(postgres_types_numeric_and_bool_stay_text),
		POSTGRES(postgres_terminated_backend_is_broken),
		POSTGRES(postgres_stopped_server_does_not_hold_the_thread),
		POSTGRES(postgres_commit_of_a_failed_transaction_fails),
	};

	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
