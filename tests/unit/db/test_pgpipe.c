/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/clock.h"
#include "base/mem.h"
#include "db/pgarray.h"
#include "db/pgpipe.h"
#include "pg_server.h"

#define TIMEOUT_MS  5000
#define DEADLINE_MS 30000

static struct pg_server server;

struct fixture {
	uv_loop_t loop;
	struct pg_pipe *pipe;
	bool is_inside; /* a call: nothing may come back yet */
	int calls, rc;
	char state[6], error[512], rows[256];
	size_t step;
	bool is_closed;
};

static void on_done(void *ctx, const struct pg_pipe_done *done)
{
	struct fixture *f = ctx;

	assert_false(f->is_inside);
	f->calls++;
	f->rc = done->rc;
	f->step = done->step;
	(void)snprintf(f->state, sizeof(f->state), "%s", done->state);
	(void)snprintf(f->error, sizeof(f->error), "%s", done->err->text);
	assert_int_equal(done->rc < 0, done->err->text[0] != '\0');
	assert_null(strstr(done->err->text, PG_SERVER_PASSWORD));
}

static void on_row(void *ctx, const struct db_row *row)
{
	struct fixture *f = ctx;
	size_t len = strlen(f->rows);

	(void)snprintf(f->rows + len, sizeof(f->rows) - len, "%s;",
		       row->values[0].type == DB_NULL ? "null" : row->values[0].text);
}

static void wait_done(struct fixture *f)
{
	int64_t deadline = clock_mono_ms() + DEADLINE_MS;

	f->is_inside = false;
	while (f->calls == 0) {
		assert_true(clock_mono_ms() < deadline);
		(void)uv_run(&f->loop, UV_RUN_ONCE);
	}
	assert_int_equal(f->calls, 1);
}

static void begin(struct fixture *f)
{
	f->calls = 0;
	f->rows[0] = '\0';
	f->is_inside = true;
}

static int open_pipe(struct fixture *f)
{
	begin(f);
	pg_pipe_open(f->pipe, on_done, f);
	wait_done(f);
	return f->rc;
}

static void start(struct fixture *f, const struct pg_step *steps, size_t n)
{
	begin(f);
	pg_pipe_run(f->pipe, steps, n, on_done, f);
	f->is_inside = false;
}

static int run(struct fixture *f, const struct pg_step *steps, size_t n)
{
	start(f, steps, n);
	wait_done(f);
	return f->rc;
}

#define RUN(f, ...)                                                                                \
	run((f), (const struct pg_step[]){__VA_ARGS__},                                            \
	    sizeof((const struct pg_step[]){__VA_ARGS__}) / sizeof(struct pg_step))
#define SQL(text) ((struct pg_step){.sql = (text), .on_row = on_row})

static void make(struct fixture *f, const char *conninfo, int64_t timeout_ms)
{
	f->pipe = pg_pipe_new(&f->loop,
			      &(struct pg_pipe_options){.conninfo = conninfo,
							.session = "SET application_name = 'piper'",
							.connect_timeout_ms = timeout_ms,
							.statement_timeout_ms = timeout_ms});
}

static void on_closed(void *ctx)
{
	((struct fixture *)ctx)->is_closed = true;
}

static void unmake(struct fixture *f)
{
	pg_pipe_close(TAKE_PTR(f->pipe), on_closed, f);
	assert_false(f->is_closed);
	while (!f->is_closed)
		(void)uv_run(&f->loop, UV_RUN_ONCE);
	f->is_closed = false;
}

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	assert_int_equal(uv_loop_init(&f->loop), 0);
	make(f, server.conninfo, TIMEOUT_MS);
	assert_int_equal(open_pipe(f), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->pipe != NULL)
		unmake(f);
	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	free(f);
	return 0;
}

/* On another connection. */
static void psql(const char *sql, char *first, size_t size)
{
	PGconn *conn = PQconnectdb(server.conninfo);
	PGresult *r = PQexec(conn, sql);

	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(conn));
	if (first != NULL)
		(void)snprintf(first, size, "%s", PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : "");
	PQclear(r);
	PQfinish(conn);
}

static void expect(const char *sql, const char *expected)
{
	char got[128];

	psql(sql, got, sizeof(got));
	assert_string_equal(got, expected);
}

static void kill_backend(struct fixture *f)
{
	char sql[96];

	(void)snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%d, 10000)",
		       pg_pipe_backend(f->pipe));
	psql(sql, NULL, 0);
}

/* --- */

static void a_pipeline_is_one_transaction_with_rows(void **state)
{
	struct fixture *f = *state;

	psql("DROP TABLE IF EXISTS t; CREATE TABLE t (n int PRIMARY KEY, x text)", NULL, 0);
	assert_int_equal(RUN(f, SQL("INSERT INTO t VALUES (1, 'a')"),
			     SQL("INSERT INTO t VALUES (2, NULL) RETURNING n"),
			     SQL("SELECT x FROM t ORDER BY n"),
			     SQL("SELECT count(DISTINCT xmin::text) FROM t"),
			     SQL("SELECT current_setting('application_name')")),
			 0);
	assert_string_equal(f->rows, "2;a;null;1;piper;");
	assert_true(pg_pipe_is_open(f->pipe));
}

static void a_statement_is_prepared_once(void **state)
{
	static const char insert[] = "INSERT INTO t (n) VALUES ($1)";
	struct fixture *f = *state;
	struct pg_param one = {.data = "10", .is_text = true},
			two = {.data = "11", .is_text = true};

	psql("DROP TABLE IF EXISTS t; CREATE TABLE t (n bigint PRIMARY KEY)", NULL, 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(RUN(f, {.sql = insert, .params = &one, .n = 1},
				     {.sql = insert, .params = &two, .n = 1}, SQL("DELETE FROM t"),
				     SQL("SELECT count(*) FROM pg_prepared_statements")),
				 0);
		assert_string_equal(f->rows, "3;");
	}
}

/* What was prepared before an error stays, what was not is prepared later. */
static void an_error_in_the_middle_rolls_all_back(void **state)
{
	static const char one[] = "INSERT INTO t (n) VALUES (1)",
			  two[] = "INSERT INTO t (n) VALUES (2)";
	struct fixture *f = *state;

	psql("DROP TABLE IF EXISTS t; CREATE TABLE t (n int PRIMARY KEY)", NULL, 0);
	assert_int_equal(RUN(f, SQL(one), SQL(one), SQL(two), SQL("SELECT 1")), -EEXIST);
	assert_string_equal(f->state, "23505");
	assert_int_equal(f->step, 1);
	assert_non_null(strstr(f->error, "already exists"));
	assert_string_equal(f->rows, "");
	expect("SELECT count(*) FROM t", "0");
	assert_true(pg_pipe_is_open(f->pipe));
	assert_int_equal(RUN(f, SQL(one), SQL(two), SQL("SELECT 1")), 0);
	expect("SELECT count(*) FROM t", "2");
	assert_int_equal(RUN(f, SQL("SELECT 1/0")), -EINVAL);
	assert_int_equal(RUN(f, SQL("SELEKT")), -EINVAL);
	assert_string_equal(f->state, "42601");
	assert_int_equal(RUN(f, SQL("SELECT 3")), 0);
	assert_string_equal(f->rows, "3;");
}

static void ten_thousand_rows_go_in_one_step(void **state)
{
	struct fixture *f = *state;
	struct pg_array n = {0}, x = {0}, j = {0}, at = {0};
	struct pg_param params[4] = {0};

	psql("DROP TABLE IF EXISTS t; CREATE TABLE t (n int, x text, j jsonb, at timestamptz)",
	     NULL, 0);
	pg_array_init(&n, PG_TYPE_INT4);
	pg_array_init(&x, PG_TYPE_TEXT);
	pg_array_init(&j, PG_TYPE_JSONB);
	pg_array_init(&at, PG_TYPE_TIMESTAMPTZ);
	for (int i = 0; i < 10000; i++) {
		char text[200];

		pg_array_int(&n, i);
		(void)snprintf(text, sizeof(text), "row %d %0*d", i, i % 100, 0);
		pg_array_text(&x, text, strlen(text));
		if (i % 7 == 0)
			pg_array_text(&j, "{\"a\": \"\\u0000\"}", 15);
		else
			pg_array_null(&j);
		pg_array_time(&at, INT64_C(1800000000000) + i);
	}
	pg_array_bytes(&n, &params[0].data, &params[0].len);
	pg_array_bytes(&x, &params[1].data, &params[1].len);
	pg_array_bytes(&j, &params[2].data, &params[2].len);
	pg_array_bytes(&at, &params[3].data, &params[3].len);
	assert_int_equal(RUN(f,
			     {.sql = "INSERT INTO t SELECT * FROM unnest($1::int[], $2::text[],"
				     " $3::jsonb[], $4::timestamptz[])",
			      .params = params,
			      .n = 4},
			     SQL("SELECT count(*) FROM t WHERE x LIKE 'row ' || n || ' %'"),
			     SQL("SELECT count(j) FROM t"),
			     SQL("SELECT extract(epoch FROM max(at))::numeric(20,3)::text FROM t")),
			 0);
	assert_string_equal(f->rows, "10000;1429;1800000009.999;");
	pg_array_done(&n);
	pg_array_done(&x);
	pg_array_done(&j);
	pg_array_done(&at);
}

static void an_array_of_nulls_fills_up(void **state)
{
	struct fixture *f = *state;
	struct pg_array n = {0}, x = {0};
	struct pg_param params[2] = {0};

	pg_array_init(&n, PG_TYPE_INT2);
	pg_array_init(&x, PG_TYPE_TEXT);
	for (int i = 0; i < 3; i++) {
		pg_array_int(&n, i);
		pg_array_null(&x);
	}
	pg_array_bytes(&n, &params[0].data, &params[0].len);
	pg_array_bytes(&x, &params[1].data, &params[1].len);
	assert_int_equal(RUN(f, {.sql = "SELECT x FROM unnest($1::smallint[], $2::text[]) u(n, x)",
				 .params = params,
				 .n = 2,
				 .on_row = on_row}),
			 0);
	assert_string_equal(f->rows, "null;null;null;");
	pg_array_done(&n);
	pg_array_done(&x);
}

static void a_deadlock_is_busy_and_may_be_tried_again(void **state)
{
	struct fixture *f = *state;
	PGconn *other = PQconnectdb(server.conninfo);

	psql("DROP TABLE IF EXISTS t; CREATE TABLE t (n int PRIMARY KEY, x int); INSERT INTO t "
	     "VALUES (1), (2)",
	     NULL, 0);
	PQclear(PQexec(other,
		       "BEGIN; SET LOCAL deadlock_timeout = '60s'; UPDATE t SET x = 1 WHERE n "
		       "= 2"));
	start(f,
	      /* The server looks once, so long after ours began to wait: the other must wait by
		 then. */
	      (const struct pg_step[]){SQL("SET LOCAL deadlock_timeout = '1s'"),
				       SQL("UPDATE t SET x = 2 WHERE n = 1"),
				       SQL("UPDATE t SET x = 2 WHERE n = 2")},
	      3);
	/* Sent, not awaited: ours has the first row by then or gets it after; both ways one of them
	 * waits for the other. */
	while (f->calls == 0) {
		char waiting[8];

		(void)uv_run(&f->loop, UV_RUN_NOWAIT);
		psql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
		     waiting, sizeof(waiting));
		if (strcmp(waiting, "1") == 0)
			break;
	}
	assert_int_equal(PQsendQuery(other, "UPDATE t SET x = 1 WHERE n = 1"), 1);
	wait_done(f);
	assert_int_equal(f->rc, -EBUSY);
	assert_string_equal(f->state, "40P01");
	assert_true(pg_pipe_is_open(f->pipe));
	/* It has got both rows now, and cannot stand in our way once more. */
	PQclear(PQgetResult(other));
	PQfinish(other);
	assert_int_equal(RUN(f, SQL("UPDATE t SET x = 3")), 0);
}

static void tick(uv_timer_t *timer)
{
	(void)timer;
}

static void a_killed_backend_is_noticed_and_replaced(void **state)
{
	struct fixture *f = *state;
	int64_t deadline = clock_mono_ms() + DEADLINE_MS;
	uv_timer_t timer;

	/* While idle, which does not keep the loop. */
	assert_false(uv_loop_alive(&f->loop));
	(void)uv_timer_init(&f->loop, &timer);
	(void)uv_timer_start(&timer, tick, 10, 10);
	kill_backend(f);
	while (pg_pipe_is_open(f->pipe)) {
		assert_true(clock_mono_ms() < deadline);
		(void)uv_run(&f->loop, UV_RUN_ONCE);
	}
	uv_close((uv_handle_t *)&timer, NULL);
	(void)uv_run(&f->loop, UV_RUN_NOWAIT);
	assert_int_equal(RUN(f, SQL("SELECT 1")), -EIO);
	assert_int_equal(open_pipe(f), 0);
	assert_int_equal(RUN(f, SQL("SELECT 1")), 0);
	/* Idle, and not yet noticed. */
	kill_backend(f);
	assert_int_equal(RUN(f, SQL("SELECT 1")), -EIO);
	assert_int_equal(open_pipe(f), 0);
	/* At work. */
	start(f, (const struct pg_step[]){SQL("SELECT pg_sleep(60)")}, 1);
	(void)uv_run(&f->loop, UV_RUN_NOWAIT);
	kill_backend(f);
	wait_done(f);
	assert_int_equal(f->rc, -EIO);
	assert_string_equal(f->state, "57P01");
	assert_false(pg_pipe_is_open(f->pipe));
	assert_int_equal(open_pipe(f), 0);
	assert_int_equal(RUN(f, SQL("SELECT 1")), 0);
	assert_string_equal(f->rows, "1;");
}

static void a_long_statement_is_ended_by_the_server(void **state)
{
	struct fixture *f = *state;

	unmake(f);
	make(f, server.conninfo, 200);
	assert_int_equal(open_pipe(f), 0);
	assert_int_equal(RUN(f, SQL("SELECT pg_sleep(60)")), -EINTR);
	assert_string_equal(f->state, "57014");
	assert_true(pg_pipe_is_open(f->pipe));
	assert_int_equal(RUN(f, SQL("SELECT 1")), 0);
}

static void a_stopped_server_holds_nobody(void **state)
{
	struct fixture *f = *state;
	int64_t begin_ms = clock_mono_ms();
	int backend;

	unmake(f);
	make(f, server.conninfo, 300);
	assert_int_equal(open_pipe(f), 0);
	backend = pg_pipe_backend(f->pipe);
	assert_int_equal(kill(backend, SIGSTOP), 0);
	assert_int_equal(kill(server.pid, SIGSTOP), 0);
	assert_int_equal(RUN(f, SQL("SELECT 1")), -EINTR);
	assert_non_null(strstr(f->error, "no answer within 300 ms"));
	assert_int_equal(open_pipe(f), -ECONNREFUSED);
	assert_non_null(strstr(f->error, "no connection within 300 ms"));
	assert_in_range(clock_mono_ms() - begin_ms, 600, 10000);
	assert_int_equal(kill(backend, SIGCONT), 0);
	assert_int_equal(kill(server.pid, SIGCONT), 0);
	unmake(f);
	make(f, server.conninfo, TIMEOUT_MS);
	assert_int_equal(open_pipe(f), 0);
}

static void what_cannot_be_connected_to_says_why(void **state)
{
	static const char *const conninfos[] = {"host=/nonexistent", "host=no-such-host.invalid"};
	struct fixture *f = *state;
	char conninfo[200];

	for (size_t i = 0; i < ARRAY_LEN(conninfos); i++) {
		unmake(f);
		make(f, conninfos[i], TIMEOUT_MS);
		assert_int_equal(open_pipe(f), -ECONNREFUSED);
		assert_int_equal(RUN(f, SQL("SELECT 1")), -EIO);
	}
	unmake(f);
	make(f, "hunter2 is no dsn", TIMEOUT_MS);
	assert_int_equal(open_pipe(f), -EINVAL);
	assert_null(strstr(f->error, "hunter2"));
	unmake(f);
	(void)snprintf(conninfo, sizeof(conninfo),
		       "host=%s user=guest dbname=postgres password=bad", server.dir);
	make(f, conninfo, TIMEOUT_MS);
	assert_int_equal(open_pipe(f), -EACCES);
	assert_string_equal(f->state, "28P01");
	assert_non_null(strstr(f->error, "password authentication failed"));
	unmake(f);
	make(f, server.guest, TIMEOUT_MS);
	assert_int_equal(open_pipe(f), 0);
}

static void interrupt_cb(uv_timer_t *timer)
{
	struct fixture *f = timer->data;

	if (f->calls == 0)
		pg_pipe_interrupt(f->pipe);
	uv_close((uv_handle_t *)timer, NULL);
}

static void an_interrupt_ends_it_at_every_step(void **state)
{
	struct fixture *f = *state;
	char running[8];
	int64_t deadline;

	for (uint64_t ms = 0; ms < 20; ms++) {
		uv_timer_t timer = {.data = f};

		(void)uv_timer_init(&f->loop, &timer);
		(void)uv_timer_start(&timer, interrupt_cb, ms, 0);
		if (ms % 2 == 0 || !pg_pipe_is_open(f->pipe)) {
			assert_true(open_pipe(f) == 0 || f->rc == -EINTR);
		} else {
			assert_int_equal(RUN(f, SQL("SELECT pg_sleep(60)")), -EINTR);
			assert_false(pg_pipe_is_open(f->pipe));
		}
		while (uv_is_active((uv_handle_t *)&timer))
			(void)uv_run(&f->loop, UV_RUN_ONCE);
		(void)uv_run(&f->loop, UV_RUN_NOWAIT);
	}
	/* The statements were cancelled at the server, too. */
	deadline = clock_mono_ms() + DEADLINE_MS;
	do {
		assert_true(clock_mono_ms() < deadline);
		psql("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND"
		     " state = 'active'",
		     running, sizeof(running));
	} while (strcmp(running, "0") != 0);
	pg_pipe_interrupt(f->pipe); /* nothing to interrupt */
	assert_int_equal(open_pipe(f), 0);
}

static void closing_ends_the_call_in_hand_first(void **state)
{
	struct fixture *f = *state;

	start(f, (const struct pg_step[]){SQL("SELECT pg_sleep(60)")}, 1);
	unmake(f);
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->rc, -EINTR);
	make(f, server.conninfo, TIMEOUT_MS);
	begin(f);
	pg_pipe_open(f->pipe, on_done, f);
	f->is_inside = false;
	unmake(f);
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->rc, -EINTR);
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
		TEST(a_pipeline_is_one_transaction_with_rows),
		TEST(a_statement_is_prepared_once),
		TEST(an_error_in_the_middle_rolls_all_back),
		TEST(ten_thousand_rows_go_in_one_step),
		TEST(an_array_of_nulls_fills_up),
		TEST(a_deadlock_is_busy_and_may_be_tried_again),
		TEST(a_killed_backend_is_noticed_and_replaced),
		TEST(a_long_statement_is_ended_by_the_server),
		TEST(what_cannot_be_connected_to_says_why),
		TEST(an_interrupt_ends_it_at_every_step),
		TEST(closing_ends_the_call_in_hand_first),
		TEST(a_stopped_server_holds_nobody),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}
