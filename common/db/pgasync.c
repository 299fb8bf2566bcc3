/* SPDX-License-Identifier: Apache-2.0 */
#include "db/pgasync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/strlist.h"
#include "pg.h"

/* The server ends a statement by itself only if our own deadline, which knows what was being waited
 * for, and the cancel that goes with it did not. */
#define BACKSTOP_MS 1000

/* Addresses tried for all hosts together; libpq tries them in turn within the one timeout. */
#define ADDRESSES_MAX   16
#define PORT_DEFAULT    "5432"
/* Our own deadline comes first, and says the same each time; the server's is for the statement of
 * one who died. */
#define SERVER_LATER_MS 1000

enum stage { STAGE_RESOLVE, STAGE_CONNECT, STAGE_BEGIN, STAGE_QUERY };

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

	/* host and port as given, and per address found a host, an address and a port. */
	struct strlist hosts, ports;
	size_t next_host;
	struct str out_hosts, out_addresses, out_ports;
	size_t addresses;
	char *unresolved; /* the last host without an address */

	PGconn *conn;
	double connect_ms;
	char error[512];
	struct pg_answer answer; /* of the statement, told when all of its results are read */
	struct row row;

	uv_timer_t timer;
	uv_poll_t *poll; /* NULL: none open */
	uv_getaddrinfo_t resolver;
	bool is_resolving;
	bool is_over;
	size_t handles; /* open: the call is freed when the last has closed */
};

static void resolve_next(struct pg_call *call);
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
	strlist_done(&call->hosts);
	strlist_done(&call->ports);
	str_done(&call->out_hosts);
	str_done(&call->out_addresses);
	str_done(&call->out_ports);
	free(call->unresolved);
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

static struct db_value value_of(const PGresult *result, int column)
{
	struct db_value v = {.type = DB_TEXT};

	if (pq.PQgetisnull(result, 0, column) != 0)
		return DB_V_NULL;
	v.text = pq.PQgetvalue(result, 0, column);
	v.len = (size_t)pq.PQgetlength(result, 0, column);
	switch (pq.PQftype(result, column)) {
	case PG_INT2:
	case PG_INT4:
	case PG_INT8:
	case PG_OID:
		v.type = DB_INT;
		v.integer = strtoll(v.text, NULL, 10);
		break;
	case PG_FLOAT4:
	case PG_FLOAT8:
	case PG_NUMERIC:
		v.type = DB_REAL;
		v.real = strtod(v.text, NULL);
		break;
	default:
		break;
	}
	return v;
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
		row->values[i] = value_of(result, (int)i);
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
	/* If it is too late for that, the answer is thrown away when it comes. */
	if (call->is_resolving)
		(void)uv_cancel((uv_req_t *)&call->resolver);
	if (is_running && pq.PQtransactionStatus(call->conn) == PQTRANS_ACTIVE)
		pg_cancel_detached(call->conn);
	if (call->conn != NULL)
		pq.PQfinish(TAKE_PTR(call->conn));
	call->script.on_end(call->ctx, reason, call->error, call->connect_ms);
}

static void fail_connect(struct pg_call *call)
{
	char code[6], text[512];

	pg_connect_error(&call->target, call->conn, code, text, sizeof(text));
	finish(call, pg_connect_reason(code, text), text);
}

static void fail_lost(struct pg_call *call)
{
	const char *text = pq.PQerrorMessage(call->conn);

	finish(call, strstr(text, "reset") != NULL ? REASON_CONN_RESET : REASON_CONN_CLOSED,
	       text[0] != '\0' ? text : "connection lost");
}

/* To libpq the login is a part of connecting; a server that is connected to and then silent is
 * something else. */
static enum reason connect_timeout(const struct pg_call *call)
{
	switch (pq.PQstatus(call->conn)) {
	case CONNECTION_STARTED:
	case CONNECTION_NEEDED:
		return REASON_TIMEOUT_CONNECT;
	case CONNECTION_SSL_STARTUP:
		return pq.PQsslInUse(call->conn) != 0 ? REASON_TIMEOUT_TLS : REASON_TIMEOUT_READ;
	default:
		return REASON_TIMEOUT_READ;
	}
}

static void on_timeout(uv_timer_t *timer)
{
	struct pg_call *call = timer->data;
	enum reason reason = REASON_TIMEOUT_READ;

	if (call->stage == STAGE_RESOLVE)
		reason = REASON_TIMEOUT_DNS;
	else if (call->stage == STAGE_CONNECT)
		reason = connect_timeout(call);
	finish(call, reason, reason_text(reason));
}

/* --- waiting for the socket --- */

/* libpq may change its socket, even for one with the same number: while connecting the poll handle
 * is made anew for every step. */
static void poll_open(struct pg_call *call, int events)
{
	int fd = pq.PQsocket(call->conn);

	poll_close(call);
	call->poll = mem_alloc(sizeof(*call->poll));
	if (fd < 0 || uv_poll_init_socket(call->loop, call->poll, fd) != 0) {
		free(TAKE_PTR(call->poll));
		finish(call, REASON_INTERNAL, "cannot watch the connection's socket");
		return;
	}
	call->poll->data = call;
	call->handles++;
	(void)uv_poll_start(call->poll, events, on_io);
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

static void ignore_notice(void *arg, const PGresult *result)
{
	(void)arg;
	(void)result;
}

static void connected(struct pg_call *call)
{
	call->connect_ms = (double)(clock_mono_us() - call->begin_us) / 1000.0;
	(void)pq.PQsetErrorVerbosity(call->conn, PQERRORS_DEFAULT);
	if (pq.PQsetnonblocking(call->conn, 1) != 0) {
		fail_lost(call);
		return;
	}
	poll_open(call, UV_READABLE);
	if (call->is_over)
		return;
	call->sql = call->script.next(call->ctx);
	send_begin(call);
}

static void connect_step(struct pg_call *call)
{
	/* The socket may be closed within: nobody may watch it then. */
	poll_close(call);
	switch (pq.PQconnectPoll(call->conn)) {
	case PGRES_POLLING_OK:
		connected(call);
		break;
	case PGRES_POLLING_READING:
		poll_open(call, UV_READABLE);
		break;
	case PGRES_POLLING_WRITING:
		poll_open(call, UV_WRITABLE);
		break;
	default:
		fail_connect(call);
	}
}

static void on_io(uv_poll_t *poll, int status, int events)
{
	struct pg_call *call = poll->data;

	(void)status; /* an error makes the socket readable, and libpq finds out why */
	(void)events;
	if (call->stage == STAGE_CONNECT)
		connect_step(call);
	else
		read_results(call);
}

static void add_files(const struct pg_call *call, struct pg_params *params)
{
	const struct pg_script *files = &call->script;

	if (files->ca != NULL)
		pg_params_set(params, "sslrootcert", files->ca);
	if (files->ca != NULL && pg_target_get(&call->target, "sslmode") == NULL)
		pg_params_set(params, "sslmode", "verify-full");
	if (files->cert != NULL)
		pg_params_set(params, "sslcert", files->cert);
	if (files->key != NULL)
		pg_params_set(params, "sslkey", files->key);
}

static void connect_start(struct pg_call *call)
{
	struct pg_params params;

	call->stage = STAGE_CONNECT;
	pg_params_init(&params, &call->target);
	if (call->addresses > 0) {
		pg_params_set(&params, "host", str_text(&call->out_hosts));
		pg_params_set(&params, "hostaddr", str_text(&call->out_addresses));
		pg_params_set(&params, "port", str_text(&call->out_ports));
	}
	add_files(call, &params);
	call->conn = pq.PQconnectStartParams(params.keys, params.values, 0);
	if (call->conn == NULL) {
		finish(call, REASON_INTERNAL, "out of memory");
		return;
	}
	/* Verbose texts carry the SQLSTATE of a refused login (pg_connect_error). */
	(void)pq.PQsetErrorVerbosity(call->conn, PQERRORS_VERBOSE);
	(void)pq.PQsetNoticeReceiver(call->conn, ignore_notice, NULL);
	if (pq.PQstatus(call->conn) == CONNECTION_BAD)
		fail_connect(call);
	else
		poll_open(call, UV_WRITABLE);
}

/* --- names: libpq would resolve them itself, and hold the loop --- */

static void split(const char *text, struct strlist *out)
{
	const char *end;

	for (const char *p = text; p != NULL; p = *end == ',' ? end + 1 : NULL) {
		HALE_CLEANUP(cleanup_free) char *part = NULL;

		end = p + strcspn(p, ",");
		part = mem_dupn(p, (size_t)(end - p));
		strlist_add(out, part);
	}
}

static void add_part(struct str *list, bool is_first, const char *part)
{
	if (!is_first)
		str_addc(list, ',');
	str_add(list, part);
}

/* An empty address leaves the host to libpq: a socket directory. */
static void add_address(struct pg_call *call, const char *host, const char *address)
{
	size_t i = call->next_host;
	const char *port = i < call->ports.n    ? call->ports.v[i]
			   : call->ports.n == 1 ? call->ports.v[0]
						: "";
	bool is_first = call->addresses == 0;

	if (call->addresses == ADDRESSES_MAX)
		return;
	add_part(&call->out_hosts, is_first, host);
	add_part(&call->out_addresses, is_first, address);
	add_part(&call->out_ports, is_first, port[0] != '\0' ? port : PORT_DEFAULT);
	call->addresses++;
}

static bool needs_no_resolver(const char *host)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	return host[0] == '/' || host[0] == '@' || host[0] == '\0' ||
	       uv_ip4_addr(host, 0, &v4) == 0 || uv_ip6_addr(host, 0, &v6) == 0;
}

static void add_found(struct pg_call *call, const char *host, const struct addrinfo *found)
{
	char address[INET6_ADDRSTRLEN];

	for (const struct addrinfo *a = found; a != NULL; a = a->ai_next) {
		int rc = a->ai_family == AF_INET6
				 ? uv_ip6_name((const struct sockaddr_in6 *)(void *)a->ai_addr,
					       address, sizeof(address))
				 : uv_ip4_name((const struct sockaddr_in *)(void *)a->ai_addr,
					       address, sizeof(address));

		if (rc == 0)
			add_address(call, host, address);
	}
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
	struct pg_call *call = request->data;
	const char *host = call->hosts.v[call->next_host];

	call->is_resolving = false;
	if (!call->is_over && status == 0) {
		add_found(call, host, found);
	} else if (!call->is_over) {
		free(call->unresolved);
		call->unresolved = mem_printf("%s: %s", host, uv_strerror(status));
	}
	uv_freeaddrinfo(found);
	if (!call->is_over) {
		call->next_host++;
		resolve_next(call);
	}
	handle_gone(call);
}

static void resolve_next(struct pg_call *call)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};

	for (; call->next_host < call->hosts.n; call->next_host++) {
		const char *host = call->hosts.v[call->next_host];

		if (needs_no_resolver(host)) {
			add_address(call, host, host[0] == '/' || host[0] == '@' ? "" : host);
			continue;
		}
		call->resolver.data = call;
		if (uv_getaddrinfo(call->loop, &call->resolver, on_resolved, host, NULL, &hints) ==
		    0) {
			call->is_resolving = true;
			call->handles++;
			return;
		}
	}
	if (call->hosts.n > 0 && call->addresses == 0)
		finish(call, REASON_DNS_FAILED,
		       call->unresolved != NULL ? call->unresolved : "the host has no address");
	else
		connect_start(call);
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
	resolve_next(call);
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
	else if (pg_target_get(&call->target, "hostaddr") == NULL) {
		split(pg_target_get(&call->target, "host"), &call->hosts);
		split(pg_target_get(&call->target, "port"), &call->ports);
	}
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
