/* SPDX-License-Identifier: Apache-2.0 */
/* sql - connects to a database, runs statements, looks at what they give
 *
 * What can be asked stands in sql_options.h, sql_plan.h writes the statements, sql_session.h runs
 * them, sql_judge.h says what the answers mean.
 */
#include "check.h"
#include "sql_judge.h"
#include "sql_options.h"
#include "sql_plan.h"
#include "sql_session.h"

/* We end a little before the runner's deadline, because we know what was being waited for. */
#define EARLY_MS 50

/* Zeroed by the runner before each start(). */
struct sql_run {
	struct check *check;
	struct sql_plan plan;
	struct sql_session *session; /* NULL: none under way */
};

static const char *on_next(void *ctx)
{
	struct sql_run *run = ctx;

	return sql_plan_next(&run->plan);
}

static bool on_row(void *ctx, const struct db_row *row)
{
	struct sql_run *run = ctx;

	return sql_plan_row(&run->plan, row);
}

static void on_answer(void *ctx, const struct pg_answer *a)
{
	struct sql_run *run = ctx;

	sql_plan_answer(&run->plan, a);
}

static void on_end(void *ctx, enum reason reason, const char *error, double connect_ms)
{
	struct sql_run *run = ctx;
	/* The run data is the next run's once check_done() was called. */
	struct sql_plan plan = run->plan;

	run->session = NULL;
	if (reason == REASON_OK)
		sql_judge(run->check, &plan, connect_ms);
	else
		sql_judge_failed(run->check, reason, error, connect_ms);
	sql_plan_done(&plan);
}

static void sql_start(struct check *c)
{
	static const struct pg_script script = {
		.next = on_next, .on_row = on_row, .on_answer = on_answer, .on_end = on_end};
	const struct sql_opts *o = check_opts(c);
	struct sql_run *run = check_run_data(c);
	int64_t timeout_ms = HALE_MAX(check_timeout_ms(c) - EARLY_MS, EARLY_MS);

	run->check = c;
	sql_plan_init(&run->plan, o, check_is_watched(c));
	check_stage(c, REASON_TIMEOUT_READ);
	run->session = sql_session_start(c, sql_place_of(&o->sqlite, &o->postgres), &script,
					 timeout_ms, run);
}

static void sql_cancel(struct check *c)
{
	struct sql_run *run = check_run_data(c);

	sql_session_cancel(run->session);
}

static const struct metric_doc sql_metrics[] = {
	{"connect_ms", "time to connect and log in"},
	{"query_ms", "from sending `query` to its last row"},
	{"rows", "number of rows of `query`"},
	{"*", "each column of `query` that is a number, named after it: `count(*)` is `count`, "
	      "`Max Age` is `max_age`; `<name>` or `<name>_<column>`, and `<name>_query_ms`, of "
	      "`queries`; `<name>_age_seconds`, whole seconds, of `freshness`; "
	      "`<name>_last_<window>` of `activity`; `rows_<table>` of `row_counts`"},
	{"database_size_bytes", "`stats: [size]`: size of the database"},
	{"database_size_mb", "the same in MB of 1,048,576 bytes"},
	{"table_count", "`stats: [tables]`: tables, without partitions and the system's own"},
	{"connections", "`stats: [connections]`: connections of the whole server"},
	{"connections_max", "its `max_connections`"},
	{"connections_used_percent", "share of them in use"},
	{"longest_transaction_seconds",
	 "`stats: [transactions]`: age of the oldest transaction in this database; other roles' "
	 "are seen by members of `pg_monitor` alone"},
	{"waiting_for_locks", "locks somebody waits for"},
	{"is_replica", "`stats: [replication]`: 1 if this server follows another"},
	{"replicas", "servers that follow this one"},
	{"replication_lag_seconds",
	 "on a replica how far it is behind, else how far the slowest replica is"},
	{NULL, NULL},
};

static const struct metric_doc sql_details[] = {
	{"<name>_band", "of `freshness`: `FRESH`, `WARNING` or `STALE`"},
	{"<name>_last_update", "of `freshness`: the newest time"},
	{"<name>_error", "of `freshness`: why its age is not known; its band is then `STALE`"},
	{"<name>, <name>_<column>", "texts of the first row of one of `queries`"},
	{"rows", "with `keep_rows`: the first rows of `query`, up to 64 KB; texts are cut after "
		 "200 bytes"},
	{"estimated", "the metrics of `row_counts` that are estimates"},
	{"row_counts_left_out", "`row_counts: '*'` found more than 64 tables"},
	{NULL, NULL},
};

static const struct reason_doc sql_reasons[] = {
	{REASON_CONN_REFUSED, "no server there, or it is starting or stopping; no such file"},
	{REASON_DNS_FAILED, "the host has no address"},
	{REASON_UNREACHABLE, "no way to the host"},
	{REASON_CONN_RESET, "the server reset the connection"},
	{REASON_CONN_CLOSED, "the server closed the connection"},
	{REASON_TIMEOUT_DNS, "no answer from the resolver in time"},
	{REASON_TIMEOUT_CONNECT, "no connection in time"},
	{REASON_TIMEOUT_READ, "no login or no result in time, or a locked database"},
	{REASON_SQL_AUTH, "login refused, or the file may not be read"},
	{REASON_TIMEOUT_TLS, "no TLS handshake in time"},
	{REASON_TLS_CERT,
	 "the server's certificate is not trusted, not valid now, or another host's"},
	{REASON_TLS_FAILED, "no TLS with this server"},
	{REASON_SQL_ERROR, "a statement does not work, or would write. Of `freshness` alone its "
			   "outcome is error: the age is not known"},
	{REASON_SQL_NO_ROW, "no row where one was expected"},
	{REASON_SQL_MISMATCH, "another value, or number of rows, than expected"},
	{REASON_AGING, "a source of `freshness` is in the band WARNING, or in the future by more "
		       "than `warn`"},
	{REASON_STALE, "a source of `freshness` is in the band STALE, or has no rows"},
	{REASON_CONFIG, "`metrics` names a column that is not there; what `freshness` found is "
			"no time"},
	REASON_DOC_END,
};

const struct check_ops check_ops = {
	.kind = "sql",
	.summary = "a SQLite or PostgreSQL database: queries, age of data, sizes, counts",
	.about = "Connects anew each time, because that connecting works is part of what is "
		 "checked, runs `query`, and then whatever else is configured, all over one "
		 "connection. It cannot change anything: SQLite is opened read-only (and never "
		 "created), PostgreSQL is asked in read-only transactions with a "
		 "`statement_timeout`. A role that may only read is enough, and right. At the "
		 "timeout a running statement is cancelled at the server.\n\n"
		 "**`freshness`** asks for the newest time in a table. Younger than `warn` is "
		 "`FRESH`, from `warn` to `stale` is `WARNING` (warn, `aging`), older is `STALE` "
		 "(fail, `stale`). Ages are whole seconds. A source that cannot be asked is shown "
		 "as `STALE` with its error, and the check ends as error, unless another source "
		 "is known to be stale. A time without a zone is taken for UTC; in PostgreSQL a "
		 "`query` says what it is: `SELECT max(at) AT TIME ZONE 'America/New_York' FROM "
		 "runs`.\n\n"
		 "One statement that fails does not keep the others from being asked. The check "
		 "ends as the worst of them does.",
	.items = sql_items,
	.opts_size = sizeof(struct sql_opts),
	.run_size = sizeof(struct sql_run),
	.metrics = sql_metrics,
	.details = sql_details,
	.reasons = sql_reasons,
	.example = "orders:\n"
		   "  sql:\n"
		   "    postgres: {dsn: \"${DATABASE_URL:-host=127.0.0.1 dbname=shop}\"}\n"
		   "    query: SELECT count(*) AS open FROM orders WHERE state = 'open'\n"
		   "    stats: [size, tables, connections]\n"
		   "    row_counts: [orders]\n"
		   "    activity:\n"
		   "      orders: {table: orders, column: created_at, window: 1h}\n"
		   "  interval: 1m\n"
		   "  thresholds:\n"
		   "    took_ms: {degraded: \"> 2000\"}\n"
		   "    open: {degraded: \"> 500\"}\n"
		   "    connections_used_percent: {degraded: \"> 80\", critical: \"> 95\"}\n"
		   "quotes:\n"
		   "  sql:\n"
		   "    sqlite: {path: /var/lib/shop/quotes.db}\n"
		   "    freshness:\n"
		   "      positions: {table: positions, column: updated_at}\n"
		   "      greeks: {table: option_legs, column: updated_at, warn: 5m, stale: 15m}\n"
		   "      alerts: {query: SELECT max(created) FROM alerts, bands: false}\n"
		   "  interval: 10s\n"
		   "  timeout: 5s\n",
	.validate = sql_validate,
	.start = sql_start,
	.cancel = sql_cancel,
};
