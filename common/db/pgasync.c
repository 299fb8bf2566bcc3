/* SPDX-License-Identifier: Apache-2.0 */
#include "db/pgasync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "pg.h"
#include "pgdial.h"

/* The server ends a statement by itself only if our own deadline, which knows what was being waited
 * for, and the cancel that goes with it did not. */
#define BACKSTOP_MS 1000

/* Our own deadline comes first, and says the same each time; the server's is for the statement of
 * one who died. */
#define SERVER_LATER_MS 1000

enum stage { STAGE_CONNECT, STAGE_BEGIN, STAGE_QUERY };

/* The files of a script, and what they bring with them. */
#define SETTINGS_MAX 4

/* Where a row is laid out. */
struct row {
	const char **names;
	struct db_value *values;
	size_t columns;
};

struct pg_call {
	uv_loop_t *loop;
	struct pg_script script;
	void *ctx;
	const char *sql; /* the script's */
	struct pg_target target;
	enum stage stage;
	int64_t begin_us;
	int64_t deadline_ms; /* monotonic */
	int64_t query_us;    /* when the statement was sent */
	bool is_spoiled;     /* the last statement took the transaction with it */

	struct pg_dial *dial; /* NULL: not connecting */
	struct db_setting settings[SETTINGS_MAX + 1];
	PGconn *conn;
	double connect_ms;
	char error[512];
	struct pg_answer answer; /* of the statement, told when all of its results are read */
	struct row row;

	uv_timer_t timer;
	uv_poll_t *poll; /* NULL: none open */
	bool is_over;
	size_t handles; /* open: the call is freed when the last has closed */
};

static void on_io(uv_poll_t *poll, int status, int events);

int pg_conninfo_check(const char *conninfo, struct err *err)
{
	struct pg_target target = {0};
	int rc = pg_target_parse(conninfo, &target, err);

	pg_target_done(&target);
	return rc;
}

/* --- the end --- */

static void call_free(struct pg_call *call)
{
	free(call->row.names);
	free(call->row.values);
	pg_target_done(&call->target);
	free(call);
}

static void handle_gone(struct pg_call *call)
{
	call->handles--;
	if (call->handles == 0 && call->is_over)
		call_free(call);
}

static void on_timer_closed(uv_handle_t *handle)
{
	handle_gone(handle->data);
}

static void on_poll_closed(uv_handle_t *handle)
{
	struct pg_call *call = handle->data;

	free(handle);
	handle_gone(call);
}

static void poll_close(struct pg_call *call)
{
	if (call->poll != NULL)
		uv_close((uv_handle_t *)TAKE_PTR(call->poll), on_poll_closed);
}

static bool tell_row(struct pg_call *call, const PGresult *result)
{
	struct row *row = &call->row;
	size_t columns = (size_t)pq.PQnfields(result);

	if (columns > row->columns || row->values == NULL) {
		row->columns = columns;
		row->names = mem_grow(row->names, columns + 1, sizeof(*row->names));
		row->values = mem_grow(row->values, columns + 1, sizeof(*row->values));
	}
	for (size_t i = 0; i < columns; i++) {
		row->names[i] = pq.PQfname(result, (int)i);
		row->values[i] = pg_value(result, 0, (int)i, true);
	}
	return call->script.on_row(
		call->ctx,
		&(struct db_row){.columns = columns, .names = row->names, .values = row->values});
}

static void finish(struct pg_call *call, enum reason reason, const char *text)
{
	bool is_running = call->stage == STAGE_BEGIN || call->stage == STAGE_QUERY;

	call->is_over = true;
	if (text != NULL)
		pg_clean(&call->target, text, call->error, sizeof(call->error));
	poll_close(call);
	uv_close((uv_handle_t *)&call->timer, on_timer_closed);
	if (call->dial != NULL)
		pg_dial_cancel(TAKE_PTR(call->dial));
	if (is_running && pq.PQtransactionStatus(call->conn) == PQTRANS_ACTIVE)
		pg_cancel_detached(call->conn);
	if (call->conn != NULL)
		pq.PQfinish(TAKE_PTR(call->conn));
	call->script.on_end(call->ctx, reason, call->error, call->connect_ms);
}

static void fail_lost(struct pg_call *call)
{
	const char *text = pq.PQerrorMessage(call->conn);

	finish(call, strstr(text, "reset") != NULL ? REASON_CONN_RESET : REASON_CONN_CLOSED,
	       text[0] != '\0' ? text : "connection lost");
}

static void on_timeout(uv_timer_t *timer)
{
	struct pg_call *call = timer->data;
	enum reason reason =
		call->dial != NULL ? pg_dial_waits_for(call->dial) : REASON_TIMEOUT_READ;

	finish(call, reason, reason_text(reason));
}

/* --- waiting for the socket --- */

static void poll_open(struct pg_call *call)
{
	int fd = pq.PQsocket(call->conn);

	call->poll = mem_alloc(sizeof(*call->poll));
	if (fd < 0 || uv_poll_init_socket(call->loop, call->poll, fd) != 0) {
		free(TAKE_PTR(call->poll));
		finish(call, REASON_INTERNAL, "cannot watch the connection's socket");
		return;
	}
	call->poll->data = call;
	call->handles++;
	(void)uv_poll_start(call->poll, UV_READABLE, on_io);
}

static void watch_query(struct pg_call *call)
{
	int unsent = pq.PQflush(call->conn);

	if (unsent < 0)
		fail_lost(call);
	else
		(void)uv_poll_start(call->poll,
				    unsent > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE, on_io);
}

/* --- the statement --- */

static void send_begin(struct pg_call *call)
{
	int64_t left_ms = HALE_MAX(call->deadline_ms - clock_mono_ms(), 1) + SERVER_LATER_MS;
	char sql[160];

	/* What a database or a role sets for its people must not change what we read. */
	(void)snprintf(sql, sizeof(sql),
		       "%sBEGIN READ ONLY; SET LOCAL statement_timeout = %lld; "
		       "SET LOCAL datestyle = 'ISO'; SET LOCAL intervalstyle = 'postgres'",
		       call->is_spoiled ? "ROLLBACK; " : "", (long long)left_ms + BACKSTOP_MS);
	call->stage = STAGE_BEGIN;
	call->is_spoiled = false;
	call->answer = (struct pg_answer){.reason = REASON_OK, .error = ""};
	if (pq.PQsendQuery(call->conn, sql) == 0)
		fail_lost(call);
	else
		watch_query(call);
}

static void send_query(struct pg_call *call)
{
	call->stage = STAGE_QUERY;
	call->answer = (struct pg_answer){.reason = REASON_OK, .error = ""};
	call->query_us = clock_mono_us();
	/* The extended protocol takes one statement only: nothing behind a ";" leaves the read-only
	 * transaction. */
	if (pq.PQsendQueryParams(call->conn, call->sql, 0, NULL, NULL, NULL, NULL, 0) == 0) {
		fail_lost(call);
		return;
	}
	(void)pq.PQsetSingleRowMode(call->conn);
	watch_query(call);
}

static void take_error(struct pg_call *call, const PGresult *result)
{
	const char *code = pq.PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *text = pq.PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	if (call->answer.reason != REASON_OK)
		return;
	call->answer.reason = REASON_SQL_ERROR;
	if (code == NULL || pq.PQstatus(call->conn) == CONNECTION_BAD ||
	    strncmp(code, "57P", 3) == 0)
		call->answer.reason = REASON_CONN_CLOSED;
	else if (strcmp(code, "57014") == 0)
		call->answer.reason = REASON_TIMEOUT_READ;
	pg_clean(&call->target, text != NULL ? text : pq.PQerrorMessage(call->conn), call->error,
		 sizeof(call->error));
}

static void take_result(struct pg_call *call, const PGresult *result)
{
	switch (pq.PQresultStatus(result)) {
	case PGRES_SINGLE_TUPLE:
		call->answer.rows++;
		if (!tell_row(call, result))
			finish(call, REASON_TOO_LARGE, reason_text(REASON_TOO_LARGE));
		break;
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
	case PGRES_EMPTY_QUERY:
		break;
	case PGRES_COPY_IN:
	case PGRES_COPY_OUT:
	case PGRES_COPY_BOTH:
		finish(call, REASON_SQL_ERROR, "COPY cannot be used here");
		break;
	default:
		take_error(call, result);
	}
}

static void next_statement(struct pg_call *call)
{
	if (call->stage == STAGE_QUERY)
		call->sql = call->script.next(call->ctx);
	if (call->sql == NULL)
		finish(call, REASON_OK, NULL);
	else if (call->is_spoiled)
		send_begin(call);
	else
		send_query(call);
}

static void stage_done(struct pg_call *call)
{
	bool is_error = call->answer.reason == REASON_SQL_ERROR;

	if (call->answer.reason != REASON_OK && (!is_error || call->stage == STAGE_BEGIN)) {
		finish(call, call->answer.reason, NULL);
		return;
	}
	if (call->stage == STAGE_QUERY) {
		/* Also a statement like COMMIT: the next shall be read-only too. */
		call->is_spoiled =
			is_error || pq.PQtransactionStatus(call->conn) != PQTRANS_INTRANS;
		call->answer.error = is_error ? call->error : "";
		call->script.on_answer(call->ctx, &call->answer);
		call->error[0] = '\0';
	}
	next_statement(call);
}

static void read_results(struct pg_call *call)
{
	PGresult *result;

	if (pq.PQconsumeInput(call->conn) == 0) {
		fail_lost(call);
		return;
	}
	while (!call->is_over && pq.PQisBusy(call->conn) == 0) {
		result = pq.PQgetResult(call->conn);
		if (call->stage == STAGE_QUERY)
			call->answer.query_ms = (double)(clock_mono_us() - call->query_us) / 1000.0;
		if (result == NULL) {
			stage_done(call);
			return;
		}
		take_result(call, result);
		pq.PQclear(result);
	}
	if (!call->is_over)
		watch_query(call);
}

/* --- connecting --- */

static void on_io(uv_poll_t *poll, int status, int events)
{
	(void)status; /* an error makes the socket readable, and libpq finds out why */
	(void)events;
	read_results(poll->data);
}

static void on_dialed(void *ctx, const struct pg_dialed *d)
{
	struct pg_call *call = ctx;

	call->dial = NULL;
	if (d->conn == NULL) {
		finish(call, d->reason, d->text);
		return;
	}
	call->conn = d->conn;
	call->connect_ms = (double)(clock_mono_us() - call->begin_us) / 1000.0;
	poll_open(call);
	if (call->is_over)
		return;
	call->sql = call->script.next(call->ctx);
	send_begin(call);
}

static void add_setting(struct pg_call *call, const char *key, const char *value)
{
	size_t i = 0;

	while (call->settings[i].key != NULL)
		i++;
	HALE_ASSERT(i < SETTINGS_MAX);
	if (value != NULL)
		call->settings[i] = (struct db_setting){.key = key, .value = value};
}

static void add_files(struct pg_call *call)
{
	const struct pg_script *files = &call->script;

	add_setting(call, "sslrootcert", files->ca);
	if (files->ca != NULL && pg_target_get(&call->target, "sslmode") == NULL)
		add_setting(call, "sslmode", "verify-full");
	add_setting(call, "sslcert", files->cert);
	add_setting(call, "sslkey", files->key);
}

/* --- from outside --- */

/* The first step is taken on the loop, so that nobody is called back before pg_script_start()
 * returned. */
static void on_begin(uv_timer_t *timer)
{
	struct pg_call *call = timer->data;
	int64_t left_ms = HALE_MAX(call->deadline_ms - clock_mono_ms(), 1);

	if (call->target.options == NULL) {
		finish(call, REASON_CONFIG, NULL);
		return;
	}
	(void)uv_timer_start(timer, on_timeout, (uint64_t)left_ms, 0);
	add_files(call);
	pg_dial_start(&call->dial, call->loop, &call->target, call->settings, on_dialed, call);
}

struct pg_call *pg_script_start(uv_loop_t *loop, const char *conninfo,
				const struct pg_script *script, int64_t timeout_ms, void *ctx)
{
	struct pg_call *call = mem_alloc(sizeof(*call));
	struct err err = {0};

	call->loop = loop;
	call->script = *script;
	call->ctx = ctx;
	call->begin_us = clock_mono_us();
	call->deadline_ms = clock_mono_ms() + timeout_ms;
	if (pg_target_parse(conninfo, &call->target, &err) != 0)
		(void)snprintf(call->error, sizeof(call->error), "%s", err.text);
	(void)uv_timer_init(loop, &call->timer);
	call->timer.data = call;
	call->handles = 1;
	(void)uv_timer_start(&call->timer, on_begin, 0, 0);
	return call;
}

void pg_script_cancel(struct pg_call *call)
{
	if (!call->is_over)
		finish(call, REASON_CANCELLED, reason_text(REASON_CANCELLED));
}
