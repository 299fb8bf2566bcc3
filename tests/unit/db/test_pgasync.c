/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pg_server.h"
#include "db/pgasync.h"

#define TIMEOUT_MS 5000

static struct pg_server server;

struct seen {
	int calls;
	enum reason reason;
	char error[512];
	double connect_ms, query_ms;
	size_t rows, columns;
	char first_name[64], first_text[64];
	enum db_type first_type;
	double first_real;
	bool is_inside_start; /* called back too early */
};

static void on_done(void *ctx, const struct pg_result *r)
{
	struct seen *s = ctx;

	assert_false(s->is_inside_start);
	s->calls++;
	s->reason = r->reason;
	s->connect_ms = r->connect_ms;
	s->query_ms = r->query_ms;
	s->rows = r->rows;
	s->columns = r->first.columns;
	(void)snprintf(s->error, sizeof(s->error), "%s", r->error);
	if (r->first.columns == 0)
		return;
	s->first_type = r->first.values[0].type;
	s->first_real = r->first.values[0].real;
	(void)snprintf(s->first_name, sizeof(s->first_name), "%s", r->first.names[0]);
	if (r->first.values[0].text != NULL)
		(void)snprintf(s->first_text, sizeof(s->first_text), "%s", r->first.values[0].text);
}

static struct seen run(const char *conninfo, const char *sql, int64_t timeout_ms)
{
	struct seen s = {.is_inside_start = true};
	uv_loop_t loop;

	assert_int_equal(uv_loop_init(&loop), 0);
	(void)pg_query_start(&loop, conninfo, sql, timeout_ms, on_done, &s);
	s.is_inside_start = false;
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	/* Every handle was closed. */
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_int_equal(s.calls, 1);
	assert_null(strstr(s.error, PG_SERVER_PASSWORD));
	assert_null(strstr(s.error, "hunter2"));
	return s;
}

static void a_query_answers_with_first_row_and_count(void **state)
{
	struct seen s =
		run(server.conninfo, "SELECT n, 'x' FROM generate_series(1, 1000) n", TIMEOUT_MS);

	(void)state;
	assert_string_equal(s.error, "");
	assert_int_equal(s.reason, REASON_OK);
	assert_int_equal(s.rows, 1000);
	assert_int_equal(s.columns, 2);
	assert_string_equal(s.first_name, "n");
	assert_string_equal(s.first_text, "1");
	assert_int_equal(s.first_type, DB_INT);
	assert_true(s.connect_ms > 0);
	assert_true(s.query_ms > 0);
}

static void numeric_is_a_number_with_its_text(void **state)
{
	struct seen s = run(server.conninfo, "SELECT 1.50::numeric", TIMEOUT_MS);

	(void)state;
	assert_int_equal(s.first_type, DB_REAL);
	assert_string_equal(s.first_text, "1.50");
}

static void no_row_is_no_error(void **state)
{
	struct seen s = run(server.conninfo, "SELECT 1 WHERE false", TIMEOUT_MS);

	(void)state;
	assert_int_equal(s.reason, REASON_OK);
	assert_int_equal(s.rows, 0);
	assert_int_equal(s.columns, 0);
}

static void bad_sql_is_sql_error_in_the_servers_words(void **state)
{
	struct seen s = run(server.conninfo, "SELEKT 1", TIMEOUT_MS);

	(void)state;
	assert_int_equal(s.reason, REASON_SQL_ERROR);
	assert_non_null(strstr(s.error, "SELEKT"));
}

static void an_error_after_some_rows_is_an_error(void **state)
{
	struct seen s =
		run(server.conninfo, "SELECT 1/(3-n) FROM generate_series(1, 5) n", TIMEOUT_MS);

	(void)state;
	assert_int_equal(s.reason, REASON_SQL_ERROR);
	assert_string_equal(s.error, "division by zero");
}

static void writing_is_refused(void **state)
{
	struct seen s = run(server.conninfo, "CREATE TABLE x (id int)", TIMEOUT_MS);

	(void)state;
	assert_int_equal(s.reason, REASON_SQL_ERROR);
	assert_non_null(strstr(s.error, "read-only"));
	s = run(server.conninfo, "COMMIT; CREATE TABLE x (id int)", TIMEOUT_MS);
	assert_int_equal(s.reason, REASON_SQL_ERROR);
	assert_non_null(strstr(s.error, "multiple commands"));
}

static void copy_is_refused(void **state)
{
	struct seen s = run(server.conninfo, "COPY (SELECT 1) TO STDOUT", TIMEOUT_MS);

	(void)state;
	assert_int_equal(s.reason, REASON_SQL_ERROR);
}

static void a_long_statement_times_out(void **state)
{
	int64_t begin = clock_mono_ms();
	struct seen s = run(server.conninfo, "SELECT pg_sleep(30)", 300);

	(void)state;
	assert_int_equal(s.reason, REASON_TIMEOUT_READ);
	assert_in_range(clock_mono_ms() - begin, 200, 10000);
}

static void wrong_password_is_sql_auth(void **state)
{
	char conninfo[200];
	struct seen s;

	(void)state;
	(void)snprintf(conninfo, sizeof(conninfo),
		       "host=%s user=guest dbname=postgres password=hunter2", server.dir);
	s = run(conninfo, "SELECT 1", TIMEOUT_MS);
	assert_int_equal(s.reason, REASON_SQL_AUTH);
	assert_non_null(strstr(s.error, "password authentication failed"));
	assert_null(strstr(s.error, "28P01"));
	s = run(server.guest, "SELECT 1", TIMEOUT_MS);
	assert_int_equal(s.reason, REASON_OK);
}

static void no_password_is_sql_auth(void **state)
{
	char conninfo[200];

	(void)state;
	(void)snprintf(conninfo, sizeof(conninfo), "host=%s user=guest dbname=postgres",
		       server.dir);
	assert_int_equal(run(conninfo, "SELECT 1", TIMEOUT_MS).reason, REASON_SQL_AUTH);
}

static void no_such_database_is_sql_error(void **state)
{
	char conninfo[200];
	struct seen s;

	(void)state;
	(void)snprintf(conninfo, sizeof(conninfo), "host=%s user=postgres dbname=nix", server.dir);
	s = run(conninfo, "SELECT 1", TIMEOUT_MS);
	assert_int_equal(s.reason, REASON_SQL_ERROR);
	assert_non_null(strstr(s.error, "\"nix\" does not exist"));
}

/* A listening socket that nobody accepts from: connected, and silence. */
static int listen_silent(int *port_r)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port_r = ntohs(a.sin_port);
	return fd;
}

static void a_closed_port_is_conn_refused(void **state)
{
	char conninfo[200];
	int port, fd = listen_silent(&port);

	(void)state;
	(void)close(fd);
	(void)snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%d password=hunter2", port);
	assert_int_equal(run(conninfo, "SELECT 1", TIMEOUT_MS).reason, REASON_CONN_REFUSED);
	/* By name, all addresses of it. */
	(void)snprintf(conninfo, sizeof(conninfo), "host=localhost port=%d", port);
	assert_int_equal(run(conninfo, "SELECT 1", TIMEOUT_MS).reason, REASON_CONN_REFUSED);
	assert_int_equal(run("host=/nonexistent", "SELECT 1", TIMEOUT_MS).reason,
			 REASON_CONN_REFUSED);
}

static void a_silent_server_is_timeout_read(void **state)
{
	char conninfo[200];
	int port, fd = listen_silent(&port);
	struct seen s;

	(void)state;
	(void)snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%d", port);
	s = run(conninfo, "SELECT 1", 200);
	assert_int_equal(s.reason, REASON_TIMEOUT_READ);
	assert_true(s.connect_ms == 0);
	(void)close(fd);
}

static void a_name_that_does_not_resolve_is_dns_failed(void **state)
{
	struct seen s = run("host=no-such-host.invalid", "SELECT 1", TIMEOUT_MS);

	(void)state;
	assert_int_equal(s.reason, REASON_DNS_FAILED);
	assert_non_null(strstr(s.error, "no-such-host.invalid"));
}

static void nonsense_is_a_config_error_and_not_repeated(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(run("hunter2 is no dsn", "SELECT 1", TIMEOUT_MS).reason, REASON_CONFIG);
	assert_int_not_equal(pg_conninfo_check("hunter2 is no dsn", &err), 0);
	assert_null(strstr(err.text, "hunter2"));
	assert_int_equal(pg_conninfo_check("postgresql://u:p@h/d", &err), 0);
}

struct cancelling {
	struct seen seen;
	struct pg_call *call;
	uv_timer_t timer;
};

static void cancel_now(uv_timer_t *timer)
{
	struct cancelling *c = timer->data;

	uv_close((uv_handle_t *)timer, NULL);
	if (c->seen.calls > 0)
		return;
	pg_query_cancel(c->call);
	assert_int_equal(c->seen.calls, 1);
	assert_int_equal(c->seen.reason, REASON_CANCELLED);
}

static void cancel_after(const char *conninfo, const char *sql, uint64_t ms)
{
	struct cancelling c = {0};
	uv_loop_t loop;

	assert_int_equal(uv_loop_init(&loop), 0);
	c.call = pg_query_start(&loop, conninfo, sql, TIMEOUT_MS, on_done, &c.seen);
	(void)uv_timer_init(&loop, &c.timer);
	c.timer.data = &c;
	(void)uv_timer_start(&c.timer, cancel_now, ms, 0);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_int_equal(c.seen.calls, 1);
}

static void cancel_at_any_moment_calls_back_once(void **state)
{
	(void)state;
	for (uint64_t ms = 0; ms < 25; ms++) {
		cancel_after(server.conninfo, "SELECT pg_sleep(0.01)", ms);
		cancel_after("host=localhost,no-such-host.invalid", "SELECT 1", ms);
	}
}

static void a_cancelled_statement_ends_at_the_server(void **state)
{
	const char *running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND"
			      " query = 'SELECT pg_sleep(60)'";
	int64_t deadline = clock_mono_ms() + 20000;
	struct seen s;

	(void)state;
	cancel_after(server.conninfo, "SELECT pg_sleep(60)", 300);
	do {
		assert_true(clock_mono_ms() < deadline);
		s = run(server.conninfo, running, TIMEOUT_MS);
		assert_int_equal(s.reason, REASON_OK);
	} while (strcmp(s.first_text, "0") != 0);
}

static void a_stopped_server_holds_nobody(void **state)
{
	int64_t begin = clock_mono_ms();

	(void)state;
	assert_int_equal(kill(server.pid, SIGSTOP), 0);
	assert_int_equal(run(server.conninfo, "SELECT 1", 300).reason, REASON_TIMEOUT_READ);
	assert_in_range(clock_mono_ms() - begin, 300, 3000);
	assert_int_equal(kill(server.pid, SIGCONT), 0);
}

/* ---- several statements ---- */

struct script_seen {
	const char *const *statements; /* ends in NULL */
	size_t rows_max;               /* 0: all */
	size_t rows, answers, ends;
	char log[512]; /* of each answer the last value, or the reason */
	char last[64];
	enum reason reason;
	double connect_ms;
};

static const char *on_next(void *ctx)
{
	struct script_seen *s = ctx;

	return s->statements[s->answers];
}

static bool on_row(void *ctx, const struct db_row *row)
{
	struct script_seen *s = ctx;

	(void)snprintf(s->last, sizeof(s->last), "%s",
		       row->values[0].text != NULL ? row->values[0].text : "null");
	return ++s->rows != s->rows_max;
}

static void on_answer(void *ctx, const struct pg_answer *a)
{
	struct script_seen *s = ctx;
	size_t len = strlen(s->log);

	(void)snprintf(s->log + len, sizeof(s->log) - len, "%s|",
		       a->reason == REASON_OK ? s->last : reason_code(a->reason));
	assert_int_equal(a->error[0] != '\0', a->reason != REASON_OK);
	assert_true(a->query_ms > 0);
	s->answers++;
}

static void on_end(void *ctx, enum reason reason, const char *error, double connect_ms)
{
	struct script_seen *s = ctx;

	(void)error;
	s->ends++;
	s->reason = reason;
	s->connect_ms = connect_ms;
}

static struct script_seen run_script(const char *const *statements, size_t rows_max)
{
	static const struct pg_script script = {
		.next = on_next, .on_row = on_row, .on_answer = on_answer, .on_end = on_end};
	struct script_seen s = {.statements = statements, .rows_max = rows_max};
	uv_loop_t loop;

	assert_int_equal(uv_loop_init(&loop), 0);
	(void)pg_script_start(&loop, server.conninfo, &script, TIMEOUT_MS, &s);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_int_equal(s.ends, 1);
	return s;
}

static void statements_share_a_connection_and_one_may_fail(void **state)
{
	static const char *const statements[] = {"SELECT pg_backend_pid()", "SELECT 1/0",
						 "SELECT n FROM generate_series(1, 3) n",
						 "SELECT pg_backend_pid()", NULL};
	struct script_seen s = run_script(statements, 0);
	char expected[512];

	(void)state;
	assert_int_equal(s.reason, REASON_OK);
	assert_int_equal(s.answers, 4);
	assert_int_equal(s.rows, 5);
	assert_true(s.connect_ms > 0);
	(void)snprintf(expected, sizeof(expected), "%s|sql_error|3|%s|", s.last, s.last);
	assert_string_equal(s.log, expected);
}

static void no_statement_gets_out_of_the_read_only_transaction(void **state)
{
	static const char *const statements[] = {"COMMIT", "CREATE TABLE x (id int)", "ROLLBACK",
						 "CREATE TABLE x (id int)", NULL};

	(void)state;
	assert_string_equal(run_script(statements, 0).log, "|sql_error||sql_error|");
}

static void times_are_iso_whatever_the_database_sets(void **state)
{
	static const char *const statements[] = {"SELECT timestamptz '2026-11-22 08:00:00.5Z'"
						 " AT TIME ZONE 'UTC'",
						 NULL};
	PGconn *conn = PQconnectdb(server.conninfo);

	(void)state;
	PQclear(PQexec(conn, "ALTER ROLE postgres SET datestyle = 'German'"));
	assert_string_equal(run_script(statements, 0).log, "2026-11-22 08:00:00.5|");
	PQclear(PQexec(conn, "ALTER ROLE postgres RESET datestyle"));
	PQfinish(conn);
}

static void enough_rows_end_it(void **state)
{
	static const char *const statements[] = {"SELECT n FROM generate_series(1, 1000000) n",
						 "SELECT 1", NULL};
	struct script_seen s = run_script(statements, 3);

	(void)state;
	assert_int_equal(s.reason, REASON_TOO_LARGE);
	assert_int_equal(s.rows, 3);
	assert_int_equal(s.answers, 0);
}

static int setup_all(void **state)
{
	(void)state;
	pg_server_start(&server);
	return 0;
}

static int teardown_all(void **state)
{
	(void)state;
	pg_server_stop(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query_answers_with_first_row_and_count),
		cmocka_unit_test(numeric_is_a_number_with_its_text),
		cmocka_unit_test(no_row_is_no_error),
		cmocka_unit_test(bad_sql_is_sql_error_in_the_servers_words),
		cmocka_unit_test(an_error_after_some_rows_is_an_error),
		cmocka_unit_test(writing_is_refused),
		cmocka_unit_test(copy_is_refused),
		cmocka_unit_test(a_long_statement_times_out),
		cmocka_unit_test(wrong_password_is_sql_auth),
		cmocka_unit_test(no_password_is_sql_auth),
		cmocka_unit_test(no_such_database_is_sql_error),
		cmocka_unit_test(a_closed_port_is_conn_refused),
		cmocka_unit_test(a_silent_server_is_timeout_read),
		cmocka_unit_test(a_name_that_does_not_resolve_is_dns_failed),
		cmocka_unit_test(nonsense_is_a_config_error_and_not_repeated),
		cmocka_unit_test(cancel_at_any_moment_calls_back_once),
		cmocka_unit_test(a_cancelled_statement_ends_at_the_server),
		cmocka_unit_test(statements_share_a_connection_and_one_may_fail),
		cmocka_unit_test(no_statement_gets_out_of_the_read_only_transaction),
		cmocka_unit_test(times_are_iso_whatever_the_database_sets),
		cmocka_unit_test(enough_rows_end_it),
		cmocka_unit_test(a_stopped_server_holds_nobody),
	};

	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
