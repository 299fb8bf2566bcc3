/* SPDX-License-Identifier: Apache-2.0 */
#include "db/pgpipe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "pg.h"
#include "pgdial.h"

/* The server's statement_timeout comes first, and says which statement it was. */
#define SILENCE_SLACK_MS 1000

enum state {
	PIPE_CLOSED,
	PIPE_DIALING,
	PIPE_SETUP, /* the session's statements */
	PIPE_IDLE,
	PIPE_RUNNING,
};

/* What answers are expected, in the order of sending. */
struct expected {
	size_t step;
	const char *prepares; /* NULL: it is the step itself */
};

struct pg_pipe {
	uv_loop_t *loop;
	struct pg_target target;
	char *session;
	struct pg_pipe_options o;
	int parse_rc;
	struct err parse_err;

	enum state state;
	struct pg_dial *dial;
	PGconn *conn;
	uv_poll_t *poll;
	uv_timer_t timer; /* deadline of what is under way, or 0: tell the end */
	const char *statements[PG_PIPE_STATEMENTS_MAX]; /* prepared, "h<index>" */
	size_t statements_n;

	/* The call in hand. */
	pg_pipe_fn on_done;
	void *ctx;
	const struct pg_step *steps;
	struct expected expected[2 * PG_PIPE_STEPS_MAX];
	size_t expected_n, next;
	const char **names;
	struct db_value *values;
	size_t columns;
	int rc;
	char code[6];
	size_t failed_step;
	struct err err;

	bool is_closing;
	void (*on_closed)(void *ctx);
	void *closed_ctx;
	size_t handles;
};

static void on_io(uv_poll_t *poll, int status, int events);

/* --- the end of a connection --- */

static void handle_gone(struct pg_pipe *p)
{
	void (*on_closed)(void *ctx) = p->on_closed;
	void *ctx = p->closed_ctx;

	if (--p->handles > 0)
		return;
	pg_target_done(&p->target);
	free(p->session);
	free(p->names);
	free(p->values);
	free(p);
	if (on_closed != NULL)
		on_closed(ctx);
}

static void on_poll_closed(uv_handle_t *handle)
{
	struct pg_pipe *p = handle->data;

	free(handle);
	handle_gone(p);
}

static void on_timer_closed(uv_handle_t *handle)
{
	handle_gone(handle->data);
}

static void drop(struct pg_pipe *p)
{
	bool is_busy = p->state == PIPE_SETUP || p->state == PIPE_RUNNING;

	if (p->dial != NULL)
		pg_dial_cancel(TAKE_PTR(p->dial));
	if (p->poll != NULL)
		uv_close((uv_handle_t *)TAKE_PTR(p->poll), on_poll_closed);
	if (p->conn != NULL && is_busy && pq.PQtransactionStatus(p->conn) == PQTRANS_ACTIVE)
		pg_cancel_detached(p->conn);
	if (p->conn != NULL)
		pq.PQfinish(TAKE_PTR(p->conn));
	p->statements_n = 0;
	p->state = PIPE_CLOSED;
}

/* --- the end of a call --- */

static void finish(struct pg_pipe *p)
{
	struct pg_pipe_done done = {
		.rc = p->rc, .state = p->code, .err = &p->err, .step = p->failed_step};
	pg_pipe_fn on_done = p->on_done;

	(void)uv_timer_stop(&p->timer);
	p->on_done = NULL;
	if (on_done != NULL)
		on_done(p->ctx, &done);
}

/* The first error is the one that tells something. */
static void note(struct pg_pipe *p, int rc, const char *code, const char *text)
{
	if (p->rc != 0)
		return;
	(void)snprintf(p->code, sizeof(p->code), "%s", code);
	p->rc = err_set(&p->err, rc, "%s: %s", pg_pipe_name(p), text);
}

static void fail_closed(struct pg_pipe *p, int rc, const char *text)
{
	note(p, rc, "", text);
	drop(p);
	finish(p);
}

static void fail_lost(struct pg_pipe *p)
{
	char text[512];

	pg_clean(&p->target, pq.PQerrorMessage(p->conn), text, sizeof(text));
	fail_closed(p, -EIO, text[0] != '\0' ? text : "connection lost");
}

static void on_timer(uv_timer_t *timer)
{
	struct pg_pipe *p = timer->data;
	bool is_dialing = p->state == PIPE_DIALING;
	char text[96];

	if (p->state == PIPE_CLOSED || p->state == PIPE_IDLE) { /* failed before it began */
		finish(p);
		return;
	}
	(void)snprintf(
		text, sizeof(text), "no %s within %lld ms", is_dialing ? "connection" : "answer",
		(long long)(is_dialing ? p->o.connect_timeout_ms : p->o.statement_timeout_ms));
	fail_closed(p, is_dialing ? -ECONNREFUSED : -EINTR, text);
}

static void arm(struct pg_pipe *p, int64_t ms)
{
	(void)uv_timer_start(&p->timer, on_timer, (uint64_t)HALE_MAX(ms, 0), 0);
}

static void begin(struct pg_pipe *p, pg_pipe_fn on_done, void *ctx)
{
	HALE_ASSERT(p->on_done == NULL && !p->is_closing);
	p->on_done = on_done;
	p->ctx = ctx;
	p->rc = 0;
	p->code[0] = '\0';
	p->failed_step = 0;
	p->err.text[0] = '\0';
}

/* --- sending and receiving --- */

/* True if the connection still is. */
static bool watch(struct pg_pipe *p)
{
	int unsent = pq.PQflush(p->conn);

	if (unsent < 0) {
		fail_lost(p);
		return false;
	}
	(void)uv_poll_start(p->poll, unsent > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE, on_io);
	return true;
}

static void take_error(struct pg_pipe *p, const PGresult *result)
{
	const char *code = pq.PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *primary = pq.PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = pq.PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	char text[512], more[256] = "", all[800];

	if (p->rc != 0)
		return;
	pg_clean(&p->target, primary != NULL ? primary : pq.PQerrorMessage(p->conn), text,
		 sizeof(text));
	if (detail != NULL)
		pg_clean(&p->target, detail, more, sizeof(more));
	(void)snprintf(all, sizeof(all), "%s%s%s%s%s%s", text, more[0] != '\0' ? ": " : "", more,
		       code != NULL ? " (" : "", code != NULL ? code : "", code != NULL ? ")" : "");
	note(p, pg_errno(code), code != NULL ? code : "", all);
}

static void take_rows(struct pg_pipe *p, const struct pg_step *step, const PGresult *result)
{
	size_t columns = (size_t)pq.PQnfields(result);

	if (columns > p->columns || p->values == NULL) {
		p->columns = columns;
		p->names = mem_grow(p->names, columns + 1, sizeof(*p->names));
		p->values = mem_grow(p->values, columns + 1, sizeof(*p->values));
	}
	for (int row = 0; row < pq.PQntuples(result); row++) {
		for (size_t i = 0; i < columns; i++) {
			p->names[i] = pq.PQfname(result, (int)i);
			p->values[i] = pg_value(result, row, (int)i, false);
		}
		step->on_row(step->ctx != NULL ? step->ctx : p->ctx,
			     &(struct db_row){
				     .columns = columns, .names = p->names, .values = p->values});
	}
}

static void remember(struct pg_pipe *p, const char *sql)
{
	HALE_ASSERT(p->statements_n < PG_PIPE_STATEMENTS_MAX);
	p->statements[p->statements_n++] = sql;
}

/* Of a step, or of its preparation; a NULL between two of them has been passed over. */
static void take_result(struct pg_pipe *p, const PGresult *result)
{
	const struct expected *e = &p->expected[p->next];
	ExecStatusType status = pq.PQresultStatus(result);
	bool is_good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;

	if (p->next == p->expected_n) { /* the server's last word, when all was answered */
		take_error(p, result);
		return;
	}
	p->next++;
	if (!is_good && status != PGRES_PIPELINE_ABORTED && p->rc == 0) {
		p->failed_step = e->step;
		take_error(p, result);
	}
	if (is_good && e->prepares != NULL)
		remember(p, e->prepares);
	else if (status == PGRES_TUPLES_OK && p->rc == 0 && p->steps[e->step].on_row != NULL)
		take_rows(p, &p->steps[e->step], result);
}

/* After these the connection is of no use. */
static const char *const fatal_states[] = {
	"25006", /* read only: it has become a standby, or was one */
	"0A000", /* a table that a statement was prepared for has changed */
	"26000", /* somebody between us and the server has forgotten our statements */
	"42P05", /* or mixes them up with those of others */
};

static bool is_fatal(const struct pg_pipe *p)
{
	for (size_t i = 0; i < ARRAY_LEN(fatal_states); i++)
		if (strcmp(p->code, fatal_states[i]) == 0)
			return true;
	return p->rc == -EIO || pq.PQstatus(p->conn) == CONNECTION_BAD;
}

/* From now on only the end of the connection is waited for. */
static void rest(struct pg_pipe *p)
{
	p->state = PIPE_IDLE;
	(void)uv_poll_start(p->poll, UV_READABLE, on_io);
}

static void synced(struct pg_pipe *p)
{
	rest(p);
	if (p->rc != 0 && is_fatal(p))
		drop(p);
	finish(p);
}

/* False when there is nothing more to be read now, or at all. */
static bool read_one(struct pg_pipe *p)
{
	PGresult *result = pq.PQgetResult(p->conn);
	bool is_sync;

	if (result == NULL) {
		if (p->state == PIPE_RUNNING && pq.PQstatus(p->conn) == CONNECTION_BAD) {
			fail_lost(p);
			return false;
		}
		return true;
	}
	is_sync = pq.PQresultStatus(result) == PGRES_PIPELINE_SYNC;
	/* What comes after the connection broke is libpq's own word on it. */
	if (!is_sync && pq.PQstatus(p->conn) == CONNECTION_BAD)
		take_error(p, result);
	else if (!is_sync)
		take_result(p, result);
	pq.PQclear(result);
	if (is_sync)
		synced(p);
	else if (pq.PQstatus(p->conn) == CONNECTION_BAD)
		fail_closed(p, -EIO, "connection lost");
	else
		return true;
	return false;
}

static void read_run(struct pg_pipe *p)
{
	/* Whoever answers, lives. */
	arm(p, p->o.statement_timeout_ms + SILENCE_SLACK_MS);
	while (pq.PQisBusy(p->conn) == 0)
		if (!read_one(p))
			return;
	(void)watch(p);
}

/* The session's statements, in the simple protocol: answers until NULL. */
static void read_setup(struct pg_pipe *p)
{
	while (pq.PQisBusy(p->conn) == 0) {
		PGresult *result = pq.PQgetResult(p->conn);

		if (result == NULL) {
			if (p->rc == 0 && pq.PQenterPipelineMode(p->conn) != 1)
				note(p, -EIO, "", "the connection has no pipeline mode");
			rest(p);
			if (p->rc != 0)
				drop(p);
			finish(p);
			return;
		}
		if (pq.PQresultStatus(result) != PGRES_COMMAND_OK &&
		    pq.PQresultStatus(result) != PGRES_TUPLES_OK)
			take_error(p, result);
		pq.PQclear(result);
	}
	(void)watch(p);
}

static void on_io(uv_poll_t *poll, int status, int events)
{
	struct pg_pipe *p = poll->data;

	(void)status; /* an error makes the socket readable, and libpq finds out why */
	(void)events;
	if (pq.PQconsumeInput(p->conn) == 0) {
		if (p->state == PIPE_IDLE)
			drop(p);
		else
			fail_lost(p);
		return;
	}
	if (p->state == PIPE_RUNNING)
		read_run(p);
	else if (p->state == PIPE_SETUP)
		read_setup(p);
	else
		/* A notice, or the end that the next reads will find. */
		(void)pq.PQisBusy(p->conn);
}

/* --- connecting --- */

static void setup(struct pg_pipe *p)
{
	HALE_CLEANUP(str_done) struct str sql = {0};

	str_addf(&sql, "SET statement_timeout = %lld; %s", (long long)p->o.statement_timeout_ms,
		 p->session != NULL ? p->session : "");
	p->state = PIPE_SETUP;
	arm(p, p->o.statement_timeout_ms + SILENCE_SLACK_MS);
	if (pq.PQsendQuery(p->conn, str_text(&sql)) == 0)
		fail_lost(p);
	else
		(void)watch(p);
}

static void on_dialed(void *ctx, const struct pg_dialed *d)
{
	struct pg_pipe *p = ctx;

	p->dial = NULL;
	if (d->conn == NULL) {
		note(p, d->reason == REASON_SQL_AUTH ? -EACCES : -ECONNREFUSED, d->code, d->text);
		drop(p);
		/* Perhaps from within pg_pipe_open(). */
		arm(p, 0);
		return;
	}
	p->conn = d->conn;
	p->poll = mem_alloc(sizeof(*p->poll));
	if (uv_poll_init_socket(p->loop, p->poll, pq.PQsocket(p->conn)) != 0) {
		free(TAKE_PTR(p->poll));
		fail_closed(p, -EIO, "cannot watch the connection's socket");
		return;
	}
	p->poll->data = p;
	/* While something is under way the timer keeps the loop; an idle connection need not. */
	uv_unref((uv_handle_t *)p->poll);
	p->handles++;
	setup(p);
}

void pg_pipe_open(struct pg_pipe *p, pg_pipe_fn on_done, void *ctx)
{
	drop(p);
	begin(p, on_done, ctx);
	if (p->parse_rc != 0) {
		p->rc = p->parse_rc;
		p->err = p->parse_err;
		arm(p, 0);
		return;
	}
	p->state = PIPE_DIALING;
	arm(p, p->o.connect_timeout_ms);
	pg_dial_start(&p->dial, p->loop, &p->target, NULL, on_dialed, p);
}

/* --- running --- */

static size_t statement_of(const struct pg_pipe *p, const char *sql)
{
	size_t i = 0;

	while (i < p->statements_n && p->statements[i] != sql)
		i++;
	return i;
}

/* It is remembered when the server has said so; until then the number is only meant. */
static bool send_prepare(struct pg_pipe *p, size_t step, const char *name)
{
	p->expected[p->expected_n++] =
		(struct expected){.step = step, .prepares = p->steps[step].sql};
	return pq.PQsendPrepare(p->conn, name, p->steps[step].sql, 0, NULL) == 1;
}

static bool send_step(struct pg_pipe *p, size_t step, const char *name)
{
	const struct pg_step *s = &p->steps[step];
	const char *values[PG_PIPE_PARAMS_MAX];
	int lengths[PG_PIPE_PARAMS_MAX], formats[PG_PIPE_PARAMS_MAX];

	HALE_ASSERT(s->n <= PG_PIPE_PARAMS_MAX);
	for (size_t i = 0; i < s->n; i++) {
		values[i] = s->params[i].data;
		lengths[i] = (int)s->params[i].len;
		formats[i] = s->params[i].is_text ? 0 : 1;
	}
	p->expected[p->expected_n++] = (struct expected){.step = step};
	return pq.PQsendQueryPrepared(p->conn, name, (int)s->n, values, lengths, formats, 0) == 1;
}

static bool send_all(struct pg_pipe *p, size_t n)
{
	const char *meant[PG_PIPE_STEPS_MAX];
	size_t meant_n = 0;
	char name[16];

	for (size_t step = 0; step < n; step++) {
		const char *sql = p->steps[step].sql;
		size_t i = statement_of(p, sql);
		bool is_known = i < p->statements_n;

		for (size_t j = 0; !is_known && j < meant_n; j++)
			if (meant[j] == sql) {
				i = p->statements_n + j;
				is_known = true;
			}
		if (!is_known) {
			i = p->statements_n + meant_n;
			meant[meant_n++] = sql;
		}
		(void)snprintf(name, sizeof(name), "h%zu", i);
		if (!is_known && !send_prepare(p, step, name))
			return false;
		if (!send_step(p, step, name))
			return false;
	}
	return pq.PQpipelineSync(p->conn) == 1;
}

void pg_pipe_run(struct pg_pipe *p, const struct pg_step *steps, size_t n, pg_pipe_fn on_done,
		 void *ctx)
{
	HALE_ASSERT(n > 0 && n <= PG_PIPE_STEPS_MAX);
	begin(p, on_done, ctx);
	p->steps = steps;
	p->expected_n = p->next = 0;
	if (p->state != PIPE_IDLE || pq.PQstatus(p->conn) == CONNECTION_BAD) {
		note(p, -EIO, "", "not connected");
	} else if (!send_all(p, n) || pq.PQflush(p->conn) < 0) {
		note(p, -EIO, "", "connection lost");
	} else {
		p->state = PIPE_RUNNING;
		arm(p, p->o.statement_timeout_ms + SILENCE_SLACK_MS);
		(void)uv_poll_start(p->poll, UV_READABLE | UV_WRITABLE, on_io);
		return;
	}
	drop(p);
	arm(p, 0);
}

/* --- from outside --- */

struct pg_pipe *pg_pipe_new(uv_loop_t *loop, const struct pg_pipe_options *o)
{
	struct pg_pipe *p = mem_alloc(sizeof(*p));

	p->loop = loop;
	p->o = *o;
	p->o.conninfo = NULL;
	p->o.session = NULL;
	p->session = mem_dup(o->session);
	p->parse_rc = pg_target_parse(o->conninfo, &p->target, &p->parse_err);
	(void)uv_timer_init(loop, &p->timer);
	p->timer.data = p;
	p->handles = 1;
	return p;
}

void pg_pipe_set_timeout(struct pg_pipe *p, int64_t timeout_ms)
{
	p->o.statement_timeout_ms = timeout_ms;
}

bool pg_pipe_is_open(const struct pg_pipe *p)
{
	return p->conn != NULL && p->state == PIPE_IDLE && pq.PQstatus(p->conn) != CONNECTION_BAD;
}

int pg_pipe_backend(const struct pg_pipe *p)
{
	return p->conn != NULL ? pq.PQbackendPID(p->conn) : 0;
}

const char *pg_pipe_name(const struct pg_pipe *p)
{
	return p->target.name != NULL ? p->target.name : "postgresql";
}

void pg_pipe_interrupt(struct pg_pipe *p)
{
	if (p->on_done == NULL)
		return;
	note(p, -EINTR, "", "interrupted");
	drop(p);
	arm(p, 0);
}

static void on_close_timer(uv_timer_t *timer)
{
	struct pg_pipe *p = timer->data;

	finish(p);
	uv_close((uv_handle_t *)&p->timer, on_timer_closed);
}

void pg_pipe_close(struct pg_pipe *p, void (*on_closed)(void *ctx), void *ctx)
{
	HALE_ASSERT(!p->is_closing);
	if (p->on_done != NULL)
		note(p, -EINTR, "", "interrupted");
	p->is_closing = true;
	p->on_closed = on_closed;
	p->closed_ctx = ctx;
	drop(p);
	(void)uv_timer_start(&p->timer, on_close_timer, 0, 0);
}
