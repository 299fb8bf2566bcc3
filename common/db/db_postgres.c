/* SPDX-License-Identifier: Apache-2.0 */
#include "db_engine.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "pg.h"

/* Our own clock is the second line: the server's statement_timeout ends the statement with a
 * better text, if the server is alive. */
#define TIMEOUT_SLACK_MS 500

struct postgres_db {
	struct db db;
	struct pg_target target;
	PGconn *conn;
	int wake_fd; /* eventfd: db_interrupt() ends a wait */
	bool is_broken;
	uint64_t statements; /* names handed out */
};

static struct postgres_db *postgres_of(struct db *db)
{
	return (struct postgres_db *)db;
}

static const struct postgres_db *postgres_of_const(const struct db *db)
{
	return (const struct postgres_db *)db;
}

/* --- errors --- */

static int fail_connection(struct postgres_db *p, struct err *err)
{
	char text[512];

	p->is_broken = true;
	pg_clean(&p->target, pq.PQerrorMessage(p->conn), text, sizeof(text));
	return err_set(err, -EIO, "%s: %s", p->db.name, text[0] != '\0' ? text : "connection lost");
}

static int fail_result(struct postgres_db *p, const PGresult *result, struct err *err)
{
	const char *state = pq.PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *primary = pq.PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = pq.PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	char text[512], more[256] = "";
	int code = pg_errno(state);

	if (state == NULL || pq.PQstatus(p->conn) == CONNECTION_BAD)
		return fail_connection(p, err);
	if (code == -EIO)
		p->is_broken = true;
	pg_clean(&p->target, primary != NULL ? primary : "failed", text, sizeof(text));
	if (detail != NULL)
		pg_clean(&p->target, detail, more, sizeof(more));
	return err_set(err, code, "%s: %s%s%s (%s)", p->db.name, text, more[0] != '\0' ? ": " : "",
		       more, state);
}

/* --- waiting --- */

static void drain_wakeups(struct postgres_db *p)
{
	uint64_t n;

	if (read(p->wake_fd, &n, sizeof(n)) < 0)
		return; /* EAGAIN: there were none */
}

/* Until the connection is ready for `events`. 0, -EINTR (interrupted) or -ETIMEDOUT. */
static int wait_for(struct postgres_db *p, short events, int64_t deadline_ms)
{
	struct pollfd fds[2] = {{.fd = pq.PQsocket(p->conn), .events = events},
				{.fd = p->wake_fd, .events = POLLIN}};

	for (;;) {
		int64_t left = deadline_ms - clock_mono_ms();
		int n;

		if (atomic_load(&p->db.is_interrupted))
			return -EINTR;
		if (left <= 0)
			return -ETIMEDOUT;
		n = poll(fds, 2, (int)HALE_MIN(left, INT32_MAX));
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && fds[0].revents != 0)
			return 0;
		if (n > 0)
			drain_wakeups(p);
	}
}

/* Sends what is queued, then waits until a result can be had without blocking. */
static int await(struct postgres_db *p, int64_t deadline_ms)
{
	int rc;

	for (;;) {
		int unsent = pq.PQflush(p->conn);

		if (unsent < 0)
			return -EIO;
		if (unsent == 0 && pq.PQisBusy(p->conn) == 0)
			return 0;
		rc = wait_for(p, (short)(unsent > 0 ? POLLIN | POLLOUT : POLLIN), deadline_ms);
		if (rc != 0)
			return rc;
		if (pq.PQconsumeInput(p->conn) == 0)
			return -EIO;
	}
}

/* Interrupted, or the server is silent. The connection is given up: a cancel under way may arrive
 * late and would then hit the next statement. */
static int abandon(struct postgres_db *p, int why, struct err *err)
{
	if (why == -EIO)
		return fail_connection(p, err);
	pg_cancel_detached(p->conn);
	p->is_broken = true;
	return err_set(err, -EINTR, "%s: %s", p->db.name,
		       why == -EINTR ? "interrupted" : "no answer in time");
}

/* --- results --- */

struct row_buffer {
	const char **names;
	struct db_value *values;
	size_t columns;
};

static void buffer_done(struct row_buffer *b)
{
	free(b->names);
	free(b->values);
}

/* False once the reader has had enough. */
static bool give_rows(const PGresult *result, const struct db_call *call, struct row_buffer *b)
{
	bool wants_more = true;

	if (b->values == NULL) {
		b->columns = (size_t)pq.PQnfields(result);
		b->names = mem_array(b->columns + 1, sizeof(*b->names));
		b->values = mem_array(b->columns + 1, sizeof(*b->values));
	}
	for (int row = 0; wants_more && row < pq.PQntuples(result); row++) {
		for (size_t i = 0; i < b->columns; i++) {
			b->names[i] = pq.PQfname(result, (int)i);
			b->values[i] = pg_value(result, row, (int)i, false);
		}
		wants_more = call->on_row(call->ctx, &(struct db_row){.columns = b->columns,
								      .names = b->names,
								      .values = b->values});
	}
	return wants_more;
}

static int64_t changed_of(PGresult *result)
{
	const char *tag = pq.PQcmdStatus(result);

	/* SELECT and FETCH count rows in their tag too; they changed none. */
	if (str_starts(tag, "SELECT") || str_starts(tag, "FETCH"))
		return 0;
	return strtoll(pq.PQcmdTuples(result), NULL, 10);
}

static bool is_good(ExecStatusType status)
{
	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ||
	       status == PGRES_SINGLE_TUPLE || status == PGRES_EMPTY_QUERY;
}

/* A COPY from within a plain call would wait for data that never comes. */
static int refuse_copy(struct postgres_db *p, struct err *err)
{
	p->is_broken = true;
	return err_set(err, -EINVAL, "%s: COPY cannot be used here", p->db.name);
}

/* Reads all results of what was sent. The first error is reported. */
static int read_results(struct postgres_db *p, const struct db_call *call, struct err *err)
{
	int64_t deadline_ms = clock_mono_ms() + p->db.timeout_ms + TIMEOUT_SLACK_MS;
	struct row_buffer buffer = {0};
	bool wants_rows = call->on_row != NULL;
	PGresult *result;
	int rc = 0, waited;

	while ((waited = await(p, deadline_ms)) == 0 &&
	       (result = pq.PQgetResult(p->conn)) != NULL) {
		ExecStatusType status = pq.PQresultStatus(result);

		if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT ||
		    status == PGRES_COPY_BOTH)
			rc = refuse_copy(p, err);
		else if (!is_good(status) && rc == 0)
			rc = fail_result(p, result, err);
		else if (wants_rows && rc == 0)
			wants_rows = give_rows(result, call, &buffer);
		if (status == PGRES_COMMAND_OK && rc == 0 && call->changed_r != NULL)
			*call->changed_r = changed_of(result);
		if (status == PGRES_TUPLES_OK && rc == 0 && call->changed_r != NULL)
			*call->changed_r = changed_of(result);
		pq.PQclear(result);
		if (p->is_broken)
			break;
	}
	buffer_done(&buffer);
	if (waited != 0)
		return abandon(p, waited, err);
	return rc;
}

static int run_text(struct postgres_db *p, const char *sql, struct err *err)
{
	struct db_call call = {.sql = sql};

	if (pq.PQsendQuery(p->conn, sql) == 0)
		return fail_connection(p, err);
	return read_results(p, &call, err);
}

/* --- statements --- */

static void statement_drop(void *handle)
{
	free(handle);
}

static void deallocate(struct postgres_db *p, char *name)
{
	char sql[64];

	if (name == NULL)
		return;
	(void)snprintf(sql, sizeof(sql), "DEALLOCATE %s", name);
	(void)run_text(p, sql, NULL);
	free(name);
}

static int prepare(struct postgres_db *p, const char *sql, const char **name_r, struct err *err)
{
	struct db_call call = {.sql = sql};
	char *name = db_cache_get(&p->db.cache, sql);
	void *evicted;
	int rc;

	if (name != NULL) {
		*name_r = name;
		return 0;
	}
	name = mem_printf("hale_%llu", (unsigned long long)++p->statements);
	if (pq.PQsendPrepare(p->conn, name, sql, 0, NULL) == 0)
		rc = fail_connection(p, err);
	else
		rc = read_results(p, &call, err);
	if (rc != 0) {
		free(name);
		return rc;
	}
	db_cache_put(&p->db.cache, sql, name, &evicted);
	deallocate(p, evicted);
	*name_r = name;
	return 0;
}

/* Text form of all values; `texts` point into `arena`. */
static int encode_args(struct postgres_db *p, const struct db_call *call, struct str *arena,
		       const char **texts, struct err *err)
{
	size_t *offsets = mem_array(call->n + 1, sizeof(*offsets));
	int rc = 0;

	for (size_t i = 0; i < call->n && rc == 0; i++) {
		const struct db_value *v = &call->args[i];

		offsets[i] = arena->len;
		if (v->type == DB_INT)
			str_addf(arena, "%lld", (long long)v->integer);
		else if (v->type == DB_REAL)
			str_addf(arena, "%.17g", v->real);
		else if (v->type == DB_TEXT && memchr(v->text, '\0', v->len) != NULL)
			rc = err_set(err, -EINVAL,
				     "%s: value $%zu holds a NUL byte, which PostgreSQL "
				     "text cannot",
				     p->db.name, i + 1);
		else if (v->type == DB_TEXT)
			str_addn(arena, v->text, v->len);
		str_addc(arena, '\0');
	}
	for (size_t i = 0; i < call->n && rc == 0; i++)
		texts[i] = call->args[i].type == DB_NULL ? NULL : arena->data + offsets[i];
	free(offsets);
	return rc;
}

/* A statement the server no longer has, or whose plan a change of the schema made void, is
 * prepared again by the next call. */
static void forget_stale(struct postgres_db *p, const char *sql, int rc)
{
	if (rc != 0 && rc != -EEXIST && rc != -EBUSY && rc != -EINTR && !p->is_broken &&
	    pq.PQtransactionStatus(p->conn) == PQTRANS_IDLE)
		deallocate(p, db_cache_take(&p->db.cache, sql));
}

static int send_prepared(struct postgres_db *p, const char *name, const struct db_call *call,
			 struct err *err)
{
	HALE_CLEANUP(str_done) struct str arena = {0};
	const char **texts = mem_array(call->n + 1, sizeof(*texts));
	int rc = encode_args(p, call, &arena, texts, err);

	if (rc == 0 &&
	    pq.PQsendQueryPrepared(p->conn, name, (int)call->n, texts, NULL, NULL, 0) == 0)
		rc = fail_connection(p, err);
	free(texts);
	return rc;
}

static int postgres_exec(struct db *db, const struct db_call *call, struct err *err)
{
	struct postgres_db *p = postgres_of(db);
	const char *name = NULL;
	int rc;

	if (p->is_broken)
		return fail_connection(p, err);
	rc = prepare(p, call->sql, &name, err);
	if (rc == 0)
		rc = send_prepared(p, name, call, err);
	if (rc != 0)
		return rc;
	/* Large answers arrive row by row instead of filling memory. */
	if (call->on_row != NULL)
		(void)pq.PQsetSingleRowMode(p->conn);
	rc = read_results(p, call, err);
	forget_stale(p, call->sql, rc);
	return rc;
}

static int postgres_script(struct db *db, const char *sql, struct err *err)
{
	struct postgres_db *p = postgres_of(db);

	if (p->is_broken)
		return fail_connection(p, err);
	return run_text(p, sql, err);
}

static int postgres_begin(struct db *db, struct err *err)
{
	return postgres_script(db, "BEGIN", err);
}

static int postgres_commit(struct db *db, struct err *err)
{
	struct postgres_db *p = postgres_of(db);

	/* COMMIT of a failed transaction succeeds, and rolls back. */
	if (pq.PQtransactionStatus(p->conn) == PQTRANS_INERROR) {
		(void)postgres_script(db, "ROLLBACK", NULL);
		return err_set(err, -EINVAL, "%s: the transaction had failed and was rolled back",
			       db->name);
	}
	return postgres_script(db, "COMMIT", err);
}

static bool postgres_in_transaction(const struct db *db)
{
	PGTransactionStatusType status = pq.PQtransactionStatus(postgres_of_const(db)->conn);

	return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
}

static bool postgres_is_broken(const struct db *db)
{
	const struct postgres_db *p = postgres_of_const(db);

	return p->is_broken || pq.PQstatus(p->conn) == CONNECTION_BAD;
}

static void postgres_interrupt(struct db *db)
{
	uint64_t one = 1;

	if (write(postgres_of(db)->wake_fd, &one, sizeof(one)) < 0)
		return; /* EAGAIN: more wake-ups are pending than anyone needs */
}

static void postgres_close(struct db *db)
{
	struct postgres_db *p = postgres_of(db);

	db_cache_done(&db->cache, statement_drop);
	if (p->conn != NULL)
		pq.PQfinish(p->conn);
	cleanup_fd(&p->wake_fd);
	pg_target_done(&p->target);
	free(db->name);
	free(p);
}

static const struct db_ops postgres_ops = {
	.close = postgres_close,
	.is_broken = postgres_is_broken,
	.in_transaction = postgres_in_transaction,
	.script = postgres_script,
	.exec = postgres_exec,
	.begin = postgres_begin,
	.commit = postgres_commit,
	.interrupt = postgres_interrupt,
};

/* --- opening --- */

static int fail_open(struct postgres_db *p, struct err *err)
{
	char code[6], text[512];
	enum reason reason;

	pg_connect_error(&p->target, p->conn, code, text, sizeof(text));
	reason = pg_connect_reason(code, text);
	return err_set(err, reason == REASON_SQL_AUTH ? -EACCES : -ECONNREFUSED, "%s: %s",
		       p->db.name, text);
}

static int connect_poll(struct postgres_db *p, int64_t timeout_ms, struct err *err)
{
	int64_t deadline_ms = clock_mono_ms() + timeout_ms;
	PostgresPollingStatusType state = PGRES_POLLING_WRITING;
	int rc;

	while (state != PGRES_POLLING_OK) {
		if (state == PGRES_POLLING_FAILED)
			return fail_open(p, err);
		rc = wait_for(p, (short)(state == PGRES_POLLING_READING ? POLLIN : POLLOUT),
			      deadline_ms);
		if (rc != 0)
			return err_set(err, -ECONNREFUSED, "%s: no connection within %lld ms",
				       p->db.name, (long long)timeout_ms);
		state = pq.PQconnectPoll(p->conn);
	}
	return 0;
}

static void ignore_notice(void *arg, const PGresult *result)
{
	(void)arg;
	(void)result;
}

static int connect_start(struct postgres_db *p, struct err *err)
{
	struct pg_params params;

	pg_params_init(&params, &p->target);
	p->conn = pq.PQconnectStartParams(params.keys, params.values, 0);
	if (p->conn == NULL)
		return err_set(err, -ENOMEM, "%s: out of memory", p->db.name);
	/* Verbose texts carry the SQLSTATE, which libpq keeps to itself for a refused login. */
	(void)pq.PQsetErrorVerbosity(p->conn, PQERRORS_VERBOSE);
	(void)pq.PQsetNoticeReceiver(p->conn, ignore_notice, NULL);
	return pq.PQstatus(p->conn) == CONNECTION_BAD ? fail_open(p, err) : 0;
}

static int session_setup(struct postgres_db *p, struct err *err)
{
	char sql[160];

	(void)pq.PQsetErrorVerbosity(p->conn, PQERRORS_DEFAULT);
	if (pq.PQsetnonblocking(p->conn, 1) != 0)
		return fail_connection(p, err);
	(void)snprintf(sql, sizeof(sql), "SET statement_timeout = %lld%s",
		       (long long)p->db.timeout_ms,
		       p->db.is_read_only ? "; SET default_transaction_read_only = on" : "");
	return run_text(p, sql, err);
}

int db_postgres_open(const struct db_target *target, struct db **db_r, struct err *err)
{
	struct postgres_db *p = mem_alloc(sizeof(*p));
	int rc;

	p->db.ops = &postgres_ops;
	p->db.engine = DB_POSTGRES;
	p->db.timeout_ms = target->timeout_ms > 0 ? target->timeout_ms : DB_TIMEOUT_DEFAULT_MS;
	p->db.is_read_only = target->is_read_only;
	p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = p->wake_fd < 0 ? err_errno(err, -errno, "eventfd") : 0;
	if (rc == 0)
		rc = pg_target_parse(target->where, &p->target, err);
	if (rc == 0) {
		p->db.name = mem_dup(p->target.name);
		rc = connect_start(p, err);
	}
	if (rc == 0)
		rc = connect_poll(p,
				  target->connect_timeout_ms > 0 ? target->connect_timeout_ms
								 : p->db.timeout_ms,
				  err);
	if (rc == 0)
		rc = session_setup(p, err);
	if (rc != 0) {
		postgres_close(&p->db);
		return rc;
	}
	*db_r = &p->db;
	return 0;
}
