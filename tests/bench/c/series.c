/* SPDX-License-Identifier: Apache-2.0 */
/* series - how long questions about metrics take on a filled store
 *
 *   bench_series fill  PATH|DSN COMPONENTS METRICS DAYS DAYS_5M
 *   bench_series ask   PATH|DSN REPEATS
 *
 * Built with hale (target bench_series), for it calls series_write() as hale's programs do. Both
 * print one JSON object; `ask`: milliseconds of each question, median, least and most.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "db/db.h"
#include "store/read.h"
#include "store/series.h"
#include "store/series_plan.h"
#include "store/sketch.h"
#include "store/statement.h"
#include "store/uptime.h"

#define NOW         INT64_C(1800000000000) /* 2027-01-15T08:00:00Z */
#define DAY_MS      INT64_C(86400000)
#define REPEATS_MAX 1000

static struct err err;

static void must(int rc)
{
	if (rc == 0)
		return;
	fprintf(stderr, "bench_series: %s\n", err.text);
	exit(1);
}

static bool is_postgres(const char *where)
{
	return strchr(where, '=') != NULL || strstr(where, "://") != NULL;
}

static struct store *open_store(const char *where, enum store_role role)
{
	struct store_options o = {0};
	struct store *s = NULL;

	if (is_postgres(where))
		o.postgres.dsn = (char *)(uintptr_t)where;
	else
		o.sqlite.path = (char *)(uintptr_t)where;
	must(store_open(&o, role, &s, &err));
	return s;
}

static struct db *open_db(const char *where)
{
	HALE_CLEANUP(cleanup_free)
	char *conninfo = mem_printf("%s options='-c search_path=hale'", where);
	struct db_target target = {.engine = is_postgres(where) ? DB_POSTGRES : DB_SQLITE,
				   .where = is_postgres(where) ? conninfo : where,
				   .timeout_ms = 3600000};
	struct db *db = NULL;

	must(db_open(&target, &db, &err));
	return db;
}

/* --- filling --- */

/* Thirty samples of a time, as a check every ten seconds gives in five minutes. */
static void write_sketch(struct str *out)
{
	struct sketch sketch = {0};

	for (int i = 0; i < 30; i++)
		sketch_add(&sketch, 12.0 + 7.0 * sin(i), 1);
	sketch_write(&sketch, out);
	sketch_done(&sketch);
}

static void fill_names(struct db *db, int64_t components, int64_t metrics)
{
	struct db_value c = DB_V_INT(components), m = DB_V_INT(metrics - 1);

	must(statement_run(db,
			   "INSERT INTO epochs (id, node, epoch, last_seq, first_at, last_at)"
			   " VALUES (1, 'web1', 'e1', 0, @at{$1}, @at{$2})",
			   (struct db_value[]){DB_V_INT(NOW - 400 * DAY_MS), DB_V_INT(NOW)}, 2,
			   NULL, &err));
	must(statement_run(db,
			   "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c"
			   " WHERE n < $1) INSERT INTO components (id, node, name)"
			   " SELECT n, 'web1', 'component-' || n FROM c",
			   &c, 1, NULL, &err));
	must(statement_run(db, "INSERT INTO metrics (id, name) VALUES (1, 'took_ms')", NULL, 0,
			   NULL, &err));
	must(statement_run(db,
			   "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c"
			   " WHERE n < $1) INSERT INTO metrics (id, name)"
			   " SELECT n + 1, 'metric_' || n FROM c",
			   &m, 1, NULL, &err));
}

static void fill_day(struct db *db, enum series_source level, int64_t day, int64_t slots,
		     const char *sketch)
{
	HALE_CLEANUP(str_done) struct str sql = {0};

	str_addf(&sql,
		 "WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n + 1 < $2)"
		 " INSERT INTO %s (day, slot, metric_id, component_id, count, sum, min, max, p95,"
		 " sketch) SELECT CAST($1 AS INTEGER), s.n, m.id, c.id, 30, 30 * (c.id %% 97 + "
		 "0.1234 * s.n),"
		 " c.id %% 97 + 0.5, c.id %% 97 + 40.25, c.id %% 97 + 31.125, CAST($3 AS TEXT)"
		 " FROM s CROSS JOIN metrics m CROSS JOIN components c ORDER BY s.n, m.id, c.id",
		 series_source_table(level));
	must(statement_run(db, str_text(&sql),
			   (struct db_value[]){DB_V_INT(day), DB_V_INT(slots), db_v_text(sketch)},
			   3, NULL, &err));
}

static void fill_level(struct db *db, enum series_source level, int64_t days, const char *sketch)
{
	int64_t today = NOW / DAY_MS, per_day = DAY_MS / series_source_ms(level);
	int64_t until_now = (NOW % DAY_MS) / series_source_ms(level);

	for (int64_t day = today - days; day <= today; day++) {
		must(db_begin(db, &err));
		fill_day(db, level, day, day < today ? per_day : HALE_MAX(until_now, 1), sketch);
		must(db_commit(db, &err));
	}
}

/* Eight changes of each component in thirty days, among them two outages. */
static void fill_transitions(struct db *db)
{
	must(statement_run(
		db,
		"WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < 7)"
		" INSERT INTO transitions (at, epoch_id, seq, component_id, to_status)"
		" SELECT @at{CAST($1 AS BIGINT) + s.n * 300000000 + c.id * 1000}, 1, c.id * 8 + "
		"s.n, c.id,"
		" CASE s.n % 4 WHEN 1 THEN 4 WHEN 3 THEN 2 ELSE 0 END"
		" FROM s CROSS JOIN components c",
		(struct db_value[]){DB_V_INT(NOW - 30 * DAY_MS)}, 1, NULL, &err));
}

/* The last two hours, each component every ten seconds. */
static void fill_results(struct db *db, int64_t components)
{
	must(statement_run(db,
			   "INSERT INTO metric_sets (id, names) VALUES (1, '[\"metric_1\",\"x\"]')",
			   NULL, 0, NULL, &err));
	for (int64_t at = NOW - 2 * 3600000; at < NOW; at += 10000)
		must(statement_run(
			db,
			"INSERT INTO results (at, epoch_id, seq, component_id, status, outcome,"
			" took_us, metric_set, metrics)"
			" SELECT @at{CAST($1 AS BIGINT) + c.id * 10000 / $2}, 1, $1 / 10 + c.id,"
			" c.id, 0, 0, 1000 + c.id, 1, c.id || ',200' FROM components c",
			(struct db_value[]){DB_V_INT(at), DB_V_INT(components)}, 2, NULL, &err));
}

static int fill(const char *where, char **argv)
{
	HALE_CLEANUP(str_done) struct str sketch = {0};
	int64_t from = clock_mono_us();
	struct db *db;

	store_close(open_store(where, STORE_KEEPER));
	db = open_db(where);
	write_sketch(&sketch);
	fill_names(db, atoll(argv[0]), atoll(argv[1]));
	fill_level(db, SERIES_1D, atoll(argv[2]), str_text(&sketch));
	fill_level(db, SERIES_1H, atoll(argv[2]), str_text(&sketch));
	fill_level(db, SERIES_5M, atoll(argv[3]), str_text(&sketch));
	fill_transitions(db);
	fill_results(db, atoll(argv[0]));
	if (is_postgres(where))
		must(db_script(db, "ANALYZE", &err));
	db_close(db);
	printf("{\"wall_s\":%.1f}\n", (double)(clock_mono_us() - from) / 1e6);
	return 0;
}

/* --- asking --- */

static const struct question {
	const char *name;
	const char *component;
	int64_t days;
	enum { SERIES, SUMMARY, UPTIME, ROWS, EACH } what;
} questions[] = {
	{"one_1d", "component-77", 1, SERIES},
	{"one_7d", "component-77", 7, SERIES},
	{"one_30d", "component-77", 30, SERIES},
	{"all_1d", NULL, 1, SERIES},
	{"all_7d", NULL, 7, SERIES},
	{"all_30d", NULL, 30, SERIES},
	{"summary_one_1d", "component-77", 1, SUMMARY},
	{"summary_all_1d", NULL, 1, SUMMARY},
	{"summary_all_30d", NULL, 30, SUMMARY},
	{"uptime_one_30d", "component-77", 30, UPTIME},
	{"uptime_all_30d", NULL, 30, UPTIME},
	{"rows_1000", NULL, 1, ROWS},
	{"rows_one_1000", "component-77", 1, ROWS},
	{"each_1d", NULL, 1, EACH},
};

static bool count_row(void *ctx, json_t *row)
{
	(void)row;
	++*(size_t *)ctx;
	return true;
}

static size_t ask_rows(struct store *s, const struct question *q)
{
	const struct read_query rows = {.what = READ_RESULTS,
					.name = q->component,
					.from_ms = NOW - q->days * DAY_MS,
					.is_oldest_first = q->what == EACH};
	json_t *out = NULL;
	size_t n = 0;

	if (q->what == EACH) {
		must(read_each(s, &rows, count_row, &n, &err));
		return n;
	}
	must(read_rows(s, &rows, &out, &err));
	n = json_array_size(json_object_get(out, "rows"));
	json_decref(out);
	return n;
}

static size_t ask_once(struct store *s, const struct question *q)
{
	const struct series_query series = {.metric = q->what == SERIES ? "metric_1" : NULL,
					    .component = q->component,
					    .from_ms = NOW - q->days * DAY_MS,
					    .to_ms = NOW,
					    .now_ms = NOW};
	const struct uptime_query uptime = {.component = q->component,
					    .from_ms = NOW - q->days * DAY_MS,
					    .to_ms = NOW,
					    .sla_percent = 99.9};
	HALE_CLEANUP(str_done) struct str text = {0};
	json_t *out = NULL;
	size_t n;

	if (q->what == ROWS || q->what == EACH)
		return ask_rows(s, q);
	if (q->what == SERIES) {
		must(series_write(s, &series, &text, &err));
		return text.len;
	}
	if (q->what == SUMMARY)
		must(series_summary(s, &series, &out, &err));
	else
		must(uptime_read(s, &uptime, &out, &err));
	n = json_array_size(json_object_get(out, q->what == SUMMARY ? "metrics" : "components"));
	json_decref(out);
	return n;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Of this process; on a machine that does other things the wall's says little. */
static int64_t cpu_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static double median_ms(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare);
	return v[n / 2];
}

static int ask(const char *where, size_t repeats)
{
	struct store *s = open_store(where, STORE_READER);
	double ms[REPEATS_MAX], cpu_ms[REPEATS_MAX], median;
	size_t size = 0;

	printf("{");
	for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
		(void)ask_once(s, &questions[i]); /* prepared, and read once */
		for (size_t k = 0; k < repeats; k++) {
			int64_t from = clock_mono_us(), cpu_from = cpu_us();

			size = ask_once(s, &questions[i]);
			ms[k] = (double)(clock_mono_us() - from) / 1000.0;
			cpu_ms[k] = (double)(cpu_us() - cpu_from) / 1000.0;
		}
		median = median_ms(ms, repeats);
		printf("%s\"%s\":{\"median_ms\":%.2f,\"min_ms\":%.2f,\"max_ms\":%.2f,"
		       "\"client_cpu_ms\":%.2f,\"size\":%zu}",
		       i > 0 ? "," : "", questions[i].name, median, ms[0], ms[repeats - 1],
		       median_ms(cpu_ms, repeats), size);
	}
	printf("}\n");
	store_close(s);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 7 && strcmp(argv[1], "fill") == 0)
		return fill(argv[2], argv + 3);
	if (argc == 4 && strcmp(argv[1], "ask") == 0 && atoi(argv[3]) > 0 &&
	    atoi(argv[3]) <= REPEATS_MAX)
		return ask(argv[2], (size_t)atoi(argv[3]));
	fprintf(stderr, "usage: bench_series fill PATH|DSN COMPONENTS METRICS DAYS DAYS_5M\n"
			"       bench_series ask PATH|DSN REPEATS\n");
	return 2;
}
