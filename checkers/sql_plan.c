/* SPDX-License-Identifier: Apache-2.0 */
#include "sql_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"
#include "sql_session.h"

/* A column without a zone is compared in the session's; no zone is further than this from UTC. */
#define ZONE_MAX_S 100000LL

/* ---- Figures of the database ---- */

struct stat_sql {
	const char *name;
	const char *sqlite; /* NULL: it has none */
	const char *postgres;
};

static const struct stat_sql stats[] = {
	{"size",
	 "SELECT page_count * page_size AS database_size_bytes,"
	 " page_count * page_size / 1048576.0 AS database_size_mb"
	 " FROM pragma_page_count(), pragma_page_size()",
	 "SELECT pg_database_size(current_database()) AS database_size_bytes,"
	 " (pg_database_size(current_database()) / 1048576.0)::float8 AS database_size_mb"},
	/* A partition is no table of its own: their number grows by the day. */
	{"tables",
	 "SELECT count(*) AS table_count FROM sqlite_master"
	 " WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
	 "SELECT count(*) AS table_count FROM pg_class c JOIN pg_namespace n"
	 " ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
	 " AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"},
	/* pg_stat_database tells everybody; pg_stat_activity hides what others are. */
	{"connections", NULL,
	 "SELECT sum(numbackends)::int8 AS connections,"
	 " current_setting('max_connections')::int8 AS connections_max,"
	 " (100.0 * sum(numbackends) / current_setting('max_connections')::int8)::float8"
	 " AS connections_used_percent FROM pg_stat_database"},
	{"transactions", NULL,
	 "SELECT coalesce(max(extract(epoch FROM now() - xact_start)), 0)::float8"
	 " AS longest_transaction_seconds,"
	 " (SELECT count(*) FROM pg_locks WHERE NOT granted) AS waiting_for_locks"
	 " FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"},
	{"replication", NULL,
	 "SELECT pg_is_in_recovery()::int AS is_replica,"
	 " (SELECT count(*) FROM pg_stat_replication) AS replicas,"
	 " (CASE WHEN NOT pg_is_in_recovery() THEN"
	 " (SELECT coalesce(max(extract(epoch FROM replay_lag)), 0) FROM pg_stat_replication)"
	 " WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0"
	 " ELSE extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END)::float8"
	 " AS replication_lag_seconds"},
};

/* One more than is counted, to know that there are more. */
#define TABLES_LIMIT "65"
_Static_assert(SQL_ROW_COUNTS_MAX == 64, "TABLES_LIMIT is one more");

static const char sqlite_tables[] = "SELECT NULL, name FROM sqlite_master WHERE type = 'table'"
				    " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
				    " ORDER BY name LIMIT " TABLES_LIMIT;
static const char postgres_tables[] =
	"SELECT nullif(n.nspname, 'public'), c.relname FROM pg_class c JOIN pg_namespace n"
	" ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
	" AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"
	" AND has_table_privilege(c.oid, 'SELECT')"
	" ORDER BY c.reltuples DESC, 1, 2 LIMIT " TABLES_LIMIT;

/* ---- Writing statements ---- */

/* "trade.orders" -> "trade"."orders" */
static void add_table(struct str *sql, const char *table)
{
	const char *end;

	for (const char *p = table; p != NULL; p = *end == '.' ? end + 1 : NULL) {
		HALE_CLEANUP(cleanup_free) char *part = NULL;
		HALE_CLEANUP(cleanup_free) char *quoted = NULL;

		end = p + strcspn(p, ".");
		part = mem_dupn(p, (size_t)(end - p));
		quoted = db_quote_name(part);
		str_add(sql, p == table ? "" : ".");
		str_add(sql, quoted);
	}
}

/* With its table in front: SQLite takes a name in quotes that it does not know for a text. */
static char *quote_column(const char *table, const char *column)
{
	const char *dot = strrchr(table, '.');
	HALE_CLEANUP(cleanup_free) char *owner = db_quote_name(dot != NULL ? dot + 1 : table);
	HALE_CLEANUP(cleanup_free) char *quoted = db_quote_name(column);

	return mem_printf("%s.%s", owner, quoted);
}

static void add_literal(struct str *sql, const char *text)
{
	str_addc(sql, '\'');
	for (; *text != '\0'; text++) {
		str_addc(sql, *text);
		if (*text == '\'')
			str_addc(sql, '\'');
	}
	str_addc(sql, '\'');
}

/* The line ends: the condition may end in a comment. */
static void add_where(struct str *sql, const char *word, const char *where)
{
	if (where != NULL)
		str_addf(sql, " %s (%s\n)", word, where);
}

static struct sql_step *add_step(struct sql_plan *plan, enum sql_use use, const char *name,
				 char *sql)
{
	struct sql_step *step;

	plan->v = mem_grow(plan->v, plan->n + 1, sizeof(*plan->v));
	step = &plan->v[plan->n++];
	*step = (struct sql_step){
		.use = use, .name = mem_dup(name), .sql = sql, .reason = REASON_OK};
	return step;
}

static void add_stat(struct sql_plan *plan, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(stats); i++) {
		const char *sql = plan->is_sqlite ? stats[i].sqlite : stats[i].postgres;

		if (strcmp(stats[i].name, name) == 0 && sql != NULL)
			(void)add_step(plan, SQL_STAT, "", mem_dup(sql));
	}
}

static void add_freshness(struct sql_plan *plan, const struct freshness_opts *f)
{
	struct str sql = {0};

	if (f->query != NULL) {
		str_add(&sql, f->query);
	} else {
		HALE_CLEANUP(cleanup_free) char *column = quote_column(f->table, f->column);

		str_addf(&sql, "SELECT max(%s) FROM ", column);
		add_table(&sql, f->table);
		add_where(&sql, "WHERE", f->where);
	}
	add_step(plan, SQL_FRESHNESS, f->name, str_take(&sql))->freshness = f;
}

/* "now, less the window" against the column, in its own units. */
static void add_since(struct str *sql, const struct activity_opts *a, bool is_sqlite)
{
	HALE_CLEANUP(cleanup_free) char *column = quote_column(a->table, a->column);
	const char *now = is_sqlite ? "((julianday('now') - 2440587.5) * 86400.0)"
				    : "extract(epoch FROM now())";
	double window_s = (double)a->window / 1000.0;

	if (strcmp(a->column_type, "epoch") == 0)
		str_addf(sql, "%s > %s - %.3f", column, now, window_s);
	else if (strcmp(a->column_type, "epoch_ms") == 0)
		str_addf(sql, "%s > (%s - %.3f) * 1000", column, now, window_s);
	else if (is_sqlite)
		str_addf(sql, "julianday(%s) > julianday('now') - %.3f / 86400.0", column,
			 window_s);
	else
		/* The first half is for the index; the second reads a time without a zone as UTC,
		 * whatever the session's zone is. */
		str_addf(sql,
			 "%s > now() - make_interval(secs => %.3f) AND"
			 " extract(epoch FROM %s) > %s - %.3f",
			 column, window_s + (double)ZONE_MAX_S, column, now, window_s);
}

static void add_activity(struct sql_plan *plan, const struct activity_opts *a)
{
	char window[UNITS_TEXT_MAX];
	HALE_CLEANUP(cleanup_free) char *name = NULL;
	struct str sql = {0};

	name = a->metric != NULL
		       ? mem_dup(a->metric)
		       : mem_printf("%s_last_%s", a->name, duration_format(a->window, window));
	str_add(&sql, "SELECT count(*) FROM ");
	add_table(&sql, a->table);
	str_add(&sql, " WHERE ");
	add_since(&sql, a, plan->is_sqlite);
	add_where(&sql, "AND", a->where);
	(void)add_step(plan, SQL_ACTIVITY, name, str_take(&sql));
}

static void add_count(struct sql_plan *plan, const char *table, const char *quoted)
{
	HALE_CLEANUP(cleanup_free) char *name = mem_printf("rows_%s", table);
	struct str sql = {0};

	if (plan->is_sqlite) {
		str_addf(&sql, "SELECT count(*), 0 FROM %s", quoted);
	} else {
		/* The subquery runs only if its branch is taken. */
		str_addf(&sql,
			 "SELECT CASE WHEN c.reltuples > %lld THEN c.reltuples::int8"
			 " ELSE (SELECT count(*) FROM %s) END, (c.reltuples > %lld)::int"
			 " FROM pg_class c WHERE c.oid = ",
			 (long long)plan->estimate_above, quoted, (long long)plan->estimate_above);
		add_literal(&sql, quoted);
		str_add(&sql, "::regclass");
	}
	(void)add_step(plan, SQL_COUNT, name, str_take(&sql));
}

void sql_plan_init(struct sql_plan *plan, const struct sql_opts *o, bool is_watched)
{
	const struct freshness_opts *freshness = o->freshness.v;
	const struct activity_opts *activity = o->activity.v;
	const char *name;
	json_t *query;

	*plan = (struct sql_plan){.is_watched = is_watched,
				  .is_sqlite = o->sqlite.path != NULL,
				  .estimate_above = o->estimate_above};
	plan->keep_rows = (size_t)o->keep_rows;
	add_step(plan, SQL_MAIN, "", mem_dup(o->query))->kept =
		o->keep_rows > 0 ? json_array() : NULL;
	json_object_foreach (o->queries, name, query)
		(void)add_step(plan, SQL_NAMED, name, mem_dup(json_string_value(query)));
	for (size_t i = 0; i < o->freshness.n; i++)
		add_freshness(plan, &freshness[i]);
	for (size_t i = 0; i < o->activity.n; i++)
		add_activity(plan, &activity[i]);
	for (size_t i = 0; i < o->stats.n; i++)
		add_stat(plan, o->stats.v[i]);
	for (size_t i = 0; i < o->row_counts.n; i++) {
		HALE_CLEANUP(str_done) struct str quoted = {0};

		add_table(&quoted, o->row_counts.v[i]);
		if (strcmp(o->row_counts.v[i], "*") != 0)
			add_count(plan, o->row_counts.v[i], str_text(&quoted));
		else
			(void)add_step(plan, SQL_TABLES, "",
				       mem_dup(plan->is_sqlite ? sqlite_tables : postgres_tables));
	}
}

static void step_done(struct sql_step *step)
{
	for (size_t i = 0; i < step->columns_n; i++) {
		free(step->columns[i].name);
		free(step->columns[i].text);
	}
	free(step->columns);
	free(step->name);
	free(step->sql);
	free(step->error);
	json_decref(step->shown);
	json_decref(step->kept);
}

void sql_plan_done(struct sql_plan *plan)
{
	for (size_t i = 0; i < plan->n; i++)
		step_done(&plan->v[i]);
	free(plan->v);
	*plan = (struct sql_plan){0};
}

/* ---- Taking answers ---- */

const char *sql_plan_next(void *ctx)
{
	const struct sql_plan *plan = ctx;

	return plan->at < plan->n ? plan->v[plan->at].sql : NULL;
}

static char *text_of(const struct db_value *v)
{
	if (v->type == DB_NULL)
		return NULL;
	if (v->text != NULL)
		return mem_dupn(v->text, HALE_MIN(v->len, SQL_VALUE_MAX_BYTES));
	return v->type == DB_INT ? mem_printf("%lld", (long long)v->integer)
				 : mem_printf("%.15g", v->real);
}

static void keep_row(struct sql_step *step, const struct db_row *row)
{
	size_t n = HALE_MIN(row->columns, (size_t)SQL_COLUMNS_MAX);

	step->columns = mem_array(n + 1, sizeof(*step->columns));
	for (size_t i = 0; i < n; i++) {
		const struct db_value *v = &row->values[i];

		step->columns[step->columns_n++] = (struct sql_column){
			.name = mem_dup(row->names[i]),
			.text = text_of(v),
			.is_number = v->type == DB_INT || v->type == DB_REAL,
			.number = v->type == DB_INT ? (double)v->integer : v->real,
		};
	}
}

/* Steps behind the running one; `plan->v` may move. */
static void add_found_table(struct sql_plan *plan, const struct db_row *row)
{
	HALE_CLEANUP(cleanup_free) char *schema = text_of(&row->values[0]);
	HALE_CLEANUP(cleanup_free) char *name = text_of(&row->values[1]);
	HALE_CLEANUP(cleanup_free) char *table = NULL;
	HALE_CLEANUP(cleanup_free) char *quoted = db_quote_name(name);

	if (plan->tables == SQL_ROW_COUNTS_MAX) {
		plan->is_cut = true;
		return;
	}
	plan->tables++;
	if (schema != NULL) {
		HALE_CLEANUP(cleanup_free) char *owner = db_quote_name(schema);
		HALE_CLEANUP(cleanup_free) char *whole = mem_printf("%s.%s", owner, quoted);

		table = mem_printf("%s.%s", schema, name);
		add_count(plan, table, whole);
	} else {
		add_count(plan, name, quoted);
	}
}

/* The first that does not fit is the last that is looked at. */
static void keep_json(struct sql_step *step, json_t *row)
{
	step->kept_bytes += json_dumpb(row, NULL, 0, JSON_COMPACT);
	if (step->kept_bytes <= SQL_KEPT_BYTES_MAX)
		json_array_append(step->kept, row);
	json_decref(row);
}

bool sql_plan_row(void *ctx, const struct db_row *row)
{
	struct sql_plan *plan = ctx;
	struct sql_step *step = &plan->v[plan->at];

	if (step->rows++ == 0)
		keep_row(step, row);
	if (plan->is_watched && step->rows <= SQL_SHOWN_ROWS_MAX) {
		if (step->shown == NULL)
			step->shown = json_array();
		json_array_append_new(step->shown, sql_row_json(row));
	}
	if (step->kept != NULL && step->rows <= plan->keep_rows)
		keep_json(step, sql_row_json(row));
	if (step->use == SQL_TABLES)
		add_found_table(plan, row);
	return true;
}

void sql_plan_answer(void *ctx, const struct pg_answer *a)
{
	struct sql_plan *plan = ctx;
	struct sql_step *step = &plan->v[plan->at++];

	step->is_answered = true;
	step->reason = a->reason;
	step->error = a->reason != REASON_OK ? mem_dup(a->error) : NULL;
	step->query_ms = a->query_ms;
	step->rows = a->rows;
}

void sql_metric_name(const char *column, char out[SQL_NAME_MAX])
{
	size_t n = 0;

	for (const char *p = column; *p != '\0' && n < SQL_NAME_MAX - 1; p++) {
		char c = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
		bool is_letter = c >= 'a' && c <= 'z';
		bool is_digit = c >= '0' && c <= '9';

		if (is_letter || (is_digit && n > 0))
			out[n++] = c;
		else if (n > 0 && out[n - 1] != '_')
			out[n++] = '_';
	}
	while (n > 0 && out[n - 1] == '_')
		n--;
	out[n] = '\0';
	if (n == 0)
		(void)snprintf(out, SQL_NAME_MAX, "value");
}
