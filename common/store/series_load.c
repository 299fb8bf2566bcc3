/* SPDX-License-Identifier: Apache-2.0 */
#include "series_load.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "dialect.h"
#include "statement.h"
#include "store_private.h"

#define DAY_MS         INT64_C(86400000)
/* How dense raw rows are is seen in the last ones: 200,000 at 20,000 a second. */
#define RATE_SAMPLE_MS 10000
/* What is not rolled up yet is minutes; more is a keeper that is away. */
#define TAIL_MS        3600000

static int query_int(struct series_load *l, const char *sql, const struct db_value *args, size_t n,
		     int64_t otherwise, int64_t *value_r, struct err *err)
{
	*value_r = otherwise;
	return statement_query(l->s->db, sql, args, n, store_read_int, value_r, err);
}

/* --- names --- */

static bool on_component(void *ctx, const struct db_row *row)
{
	const struct db_value *v = row->values;

	series_set_component(ctx, v[0].integer, v[1].text, v[2].text);
	return true;
}

static int load_components(struct series_load *l, struct err *err)
{
	HALE_CLEANUP(str_done) struct str sql = {0};
	struct db_value args[2];
	size_t n = 0;
	int rc;

	str_add(&sql, "SELECT id, node, name FROM components WHERE id > 0");
	if (l->q->component != NULL) {
		args[n++] = db_v_text(l->q->component);
		str_addf(&sql, " AND name = $%zu", n);
	}
	if (l->q->node != NULL) {
		args[n++] = db_v_text(l->q->node);
		str_addf(&sql, " AND node = $%zu", n);
	}
	str_add(&sql, " ORDER BY id");
	rc = statement_query(l->s->db, str_text(&sql), args, n, on_component, &l->set, err);
	if (rc == 0 && l->q->component != NULL && l->set.components_n == 0)
		return err_set(err, -ENOENT, "%s: the store knows no such component",
			       l->q->component);
	return rc;
}

static bool on_metric(void *ctx, const struct db_row *row)
{
	series_set_metric(ctx, row->values[0].integer, row->values[1].text);
	return true;
}

struct name_search {
	struct series_set *set;
	const char *wanted; /* NULL: all */
};

/* Metrics that are not rolled up yet. */
static bool on_names(void *ctx, const struct db_row *row)
{
	struct name_search *search = ctx;
	json_t *names = json_loadb(row->values[0].text, row->values[0].len, 0, NULL), *value;
	size_t i;

	json_array_foreach (names, i, value) {
		const char *name = json_string_value(value);

		if (name != NULL && (search->wanted == NULL || strcmp(name, search->wanted) == 0) &&
		    series_metric_find(search->set, name, strlen(name)) < 0)
			series_set_metric(search->set, 0, name);
	}
	json_decref(names);
	return true;
}

static int load_metrics(struct series_load *l, struct err *err)
{
	struct db_value arg = db_v_text(l->q->metric);
	struct name_search search = {&l->set, l->q->metric};
	bool is_one = l->q->metric != NULL;
	int rc = statement_query(l->s->db,
				 is_one ? "SELECT id, name FROM metrics WHERE name = $1"
					: "SELECT id, name FROM metrics ORDER BY id",
				 &arg, is_one, on_metric, &l->set, err);

	if (rc != 0 || (is_one && l->set.metrics_n > 0))
		return rc;
	rc = statement_query(l->s->db, "SELECT names FROM metric_sets ORDER BY id", NULL, 0,
			     on_names, &search, err);
	if (rc == 0 && (!is_one || strcmp(l->q->metric, "took_ms") == 0) &&
	    series_metric_find(&l->set, "took_ms", 7) < 0)
		series_set_metric(&l->set, 0, "took_ms");
	if (rc == 0 && is_one && l->set.metrics_n == 0)
		return err_set(err, -ENOENT, "%s: the store knows no such metric", l->q->metric);
	return rc;
}

/* --- how much there is --- */

static int load_oldest(struct series_load *l, struct err *err)
{
	struct db_value range[] = {DB_V_INT(l->from_ms), DB_V_INT(l->to_ms)};
	int64_t value = 0;
	int rc = 0;

	for (int s = SERIES_5M; s < SERIES_SOURCE_MAX && rc == 0; s++) {
		HALE_CLEANUP(str_done) struct str sql = {0};

		str_addf(&sql, "SELECT min(day) FROM %s",
			 series_source_table((enum series_source)s));
		rc = query_int(l, str_text(&sql), NULL, 0, -1, &value, err);
		l->scope.oldest_ms[s] = value >= 0 ? value * DAY_MS : INT64_MAX;
	}
	if (rc == 0)
		rc = query_int(l,
			       "SELECT 1 FROM results WHERE at >= @at{$1} AND at < @at{$2} LIMIT 1",
			       range, ARRAY_LEN(range), 0, &value, err);
	l->scope.oldest_ms[SERIES_RAW] = value > 0 ? l->from_ms : INT64_MAX;
	return rc;
}

static int newest_line(struct series_load *l, int64_t *at_ms_r, struct err *err)
{
	return query_int(l, "SELECT @ms{max(last_at)} FROM epochs", NULL, 0, 0, at_ms_r, err);
}

static int load_rate(struct series_load *l, struct err *err)
{
	struct db_value from;
	int64_t newest = 0, n = 0;
	int rc = newest_line(l, &newest, err);

	if (rc != 0 || newest < RATE_SAMPLE_MS)
		return rc;
	from = DB_V_INT(newest - RATE_SAMPLE_MS);
	rc = query_int(l, "SELECT count(*) FROM results WHERE at >= @at{$1}", &from, 1, 0, &n, err);
	l->scope.raw_rows_per_ms = (double)n / RATE_SAMPLE_MS;
	return rc;
}

/* How many components have the metric, or any: as many as had it on the last day. */
static int load_series_count(struct series_load *l, struct err *err)
{
	static const char sql[] =
		"SELECT count(*) FROM metric_rollups_1d WHERE slot = 0"
		" AND day = (SELECT max(day) FROM metric_rollups_1d WHERE day <= $1)";
	static const char sql_metric[] =
		"SELECT count(*) FROM metric_rollups_1d WHERE slot = 0"
		" AND day = (SELECT max(day) FROM metric_rollups_1d WHERE day <= $1)"
		" AND metric_id = $2";
	const bool is_one = l->q->metric != NULL;
	struct db_value args[] = {DB_V_INT(l->to_ms / DAY_MS),
				  DB_V_INT(l->set.metrics_n > 0 ? l->set.metrics[0].id : 0)};
	size_t all = l->set.components_n * l->set.metrics_n;
	int64_t n = 0;
	int rc = 0;

	if (l->q->component == NULL)
		rc = query_int(l, is_one ? sql_metric : sql, args, is_one ? 2 : 1, 0, &n, err);
	l->scope.series = n > 0 ? HALE_MIN((size_t)n, all) : HALE_MAX(all, 1);
	return rc;
}

/* Charts of "everything" begin where the store does, and end with its newest line or now. */
static int bound_range(struct series_load *l, struct err *err)
{
	int64_t oldest = 0, newest = 0;
	int rc = query_int(l, "SELECT @ms{min(first_at)} FROM epochs", NULL, 0, l->from_ms, &oldest,
			   err);

	if (rc == 0)
		rc = newest_line(l, &newest, err);
	for (int s = SERIES_5M; s < SERIES_SOURCE_MAX; s++)
		oldest = HALE_MIN(oldest, l->scope.oldest_ms[s]);
	newest = HALE_MAX(newest + 1, l->q->now_ms);
	l->to_ms = HALE_MAX(HALE_MIN(l->to_ms, newest), l->from_ms + 1);
	l->from_ms = HALE_MAX(l->from_ms, HALE_MIN(oldest, l->to_ms - 1));
	return rc;
}

static int check(struct series_load *l, struct err *err)
{
	const struct series_query *q = l->q;

	l->from_ms = q->from_ms;
	l->to_ms = q->to_ms > 0 ? q->to_ms : q->now_ms;
	if (l->from_ms < 0 || l->from_ms >= l->to_ms || l->to_ms > DIALECT_TIME_MAX)
		return err_set(err, -EINVAL, "the range must begin before it ends");
	if (q->step_ms < 0)
		return err_set(err, -EINVAL, "the step must not be below 0");
	return 0;
}

int series_load_begin(struct series_load *l, struct err *err)
{
	size_t points = l->q->points_max > 0 ? l->q->points_max : SERIES_POINTS_DEFAULT;
	int rc = check(l, err);

	if (rc == 0)
		rc = load_components(l, err);
	if (rc == 0)
		rc = load_metrics(l, err);
	if (rc == 0)
		rc = load_oldest(l, err);
	if (rc == 0)
		rc = bound_range(l, err);
	if (rc == 0)
		rc = load_rate(l, err);
	if (rc == 0)
		rc = load_series_count(l, err);
	l->scope.from_ms = l->from_ms;
	l->scope.to_ms = l->to_ms;
	l->scope.step_ms = l->q->step_ms;
	l->scope.points_max = HALE_MIN(points, SERIES_POINTS_MAX);
	l->scope.all_max = SERIES_ALL_MAX;
	return rc;
}

/* --- rollups --- */

struct rollup_load {
	struct series_load *load;
	int64_t level_ms, slots; /* of a bucket; of a day */
	bool is_merged;
};

static double real_of(const struct db_value *v)
{
	return v->type == DB_INT ? (double)v->integer : v->real;
}

static bool on_rollup(void *ctx, const struct db_row *row)
{
	struct rollup_load *r = ctx;
	struct series_load *l = r->load;
	const struct db_value *v = row->values;
	int64_t at = v[0].integer * r->level_ms;
	int metric = l->q->metric != NULL ? 0 : series_metric_find_id(&l->set, v[7].integer);
	const struct series_point point = {.count = (uint64_t)v[2].integer,
					   .sum = real_of(&v[3]),
					   .min = real_of(&v[4]),
					   .max = real_of(&v[5]),
					   .p95 = r->is_merged ? 0 : real_of(&v[6])};
	struct series_line *line;
	size_t step;

	if (metric < 0 || at < l->plan.first_ms || at >= l->to_ms || point.count == 0)
		return true;
	line = series_line_get(&l->set, v[1].integer, (size_t)metric);
	if (line == NULL)
		return true;
	step = series_plan_step(&l->plan, at);
	if (r->is_merged)
		series_line_merge(&l->set, line, step, &point, v[6].text, v[6].len);
	else
		series_line_put(line, step, &point);
	return true;
}

static void add_number(struct str *sql, int64_t n, bool *is_first)
{
	str_addf(sql, *is_first ? "%lld" : ",%lld", (long long)n);
	*is_first = false;
}

/* The key begins with day and slot: each is named, so that nothing between is read. Of a day at the
 * range's ends that is more than wanted; on_rollup() passes over it. */
static void add_buckets(const struct rollup_load *r, struct str *sql)
{
	int64_t first = r->load->plan.first_ms / r->level_ms;
	int64_t last = (r->load->to_ms - 1) / r->level_ms;
	bool is_first = true;

	str_add(sql, " WHERE r.day IN (");
	for (int64_t day = first / r->slots; day <= last / r->slots; day++)
		add_number(sql, day, &is_first);
	is_first = true;
	str_add(sql, ") AND r.slot IN (");
	for (int64_t n = first; n <= last && n < first + r->slots; n++)
		add_number(sql, n % r->slots, &is_first);
	str_addc(sql, ')');
}

static void add_metrics(const struct series_set *set, struct str *sql)
{
	bool is_first = true;

	str_add(sql, " AND r.metric_id IN (");
	for (size_t i = 0; i < set->metrics_n; i++)
		add_number(sql, set->metrics[i].id, &is_first);
	str_addc(sql, ')');
}

static int load_rollups_of(struct rollup_load *r, int64_t component_id, struct err *err)
{
	HALE_CLEANUP(str_done) struct str sql = {0};
	const struct series_load *l = r->load;
	struct db_value args[2];
	size_t n = 0;

	str_addf(&sql,
		 "SELECT CAST(r.day AS BIGINT) * %lld + r.slot, r.component_id, r.count, r.sum,"
		 " r.min, r.max, %s%s FROM %s r",
		 (long long)r->slots, r->is_merged ? "r.sketch" : "r.p95",
		 l->q->metric == NULL ? ", r.metric_id" : "", series_source_table(l->plan.source));
	add_buckets(r, &sql);
	if (l->q->metric != NULL) {
		args[n++] = DB_V_INT(l->set.metrics[0].id);
		str_addf(&sql, " AND r.metric_id = $%zu", n);
	} else if (component_id > 0) {
		add_metrics(&l->set, &sql);
	}
	if (component_id > 0) {
		args[n++] = DB_V_INT(component_id);
		str_addf(&sql, " AND r.component_id = $%zu", n);
	}
	if (r->is_merged)
		str_add(&sql, " ORDER BY r.day, r.slot");
	return statement_query(l->s->db, str_text(&sql), args, n, on_rollup, r, err);
}

static int load_rollups(struct series_load *l, struct err *err)
{
	struct rollup_load r = {.load = l, .level_ms = series_source_ms(l->plan.source)};
	int rc = 0;

	if (l->set.metrics_n == 0)
		return 0;
	r.slots = DAY_MS / r.level_ms;
	r.is_merged = r.level_ms != l->plan.step_ms;
	if (l->q->component == NULL)
		return load_rollups_of(&r, 0, err);
	for (size_t i = 0; i < l->set.components_n && rc == 0; i++)
		rc = load_rollups_of(&r, l->set.components[i].id, err);
	return rc;
}

/* What came since the last bucket was closed. */
static int load_tail(struct series_load *l, struct err *err)
{
	int64_t level_ms = series_source_ms(SERIES_5M), next = 0, from;
	int rc = query_int(l,
			   "SELECT day * 288 + slot + 1 FROM metric_rollups_5m"
			   " ORDER BY day DESC, slot DESC LIMIT 1",
			   NULL, 0, 0, &next, err);

	from = HALE_MAX(next * level_ms, l->plan.first_ms);
	if (rc != 0 || from >= l->to_ms || l->to_ms - from > TAIL_MS ||
	    l->scope.raw_rows_per_ms * (double)(l->to_ms - from) > SERIES_RAW_ROWS_MAX)
		return rc;
	return series_raw_load(l, from, l->to_ms, err);
}

static void end_lines(struct series_load *l)
{
	for (size_t i = 0; i < l->set.components_n; i++) {
		struct series_component *c = &l->set.components[i];

		for (size_t k = 0; c->lines != NULL && k < l->set.metrics_n; k++)
			if (c->lines[k] != NULL)
				series_line_end(c->lines[k]);
	}
}

int series_load_rows(struct series_load *l, struct err *err)
{
	int rc;

	l->set.steps = l->plan.steps;
	l->set.lines_max = HALE_MAX(SERIES_ALL_MAX / l->plan.steps, 1);
	if (l->plan.source == SERIES_RAW)
		rc = series_raw_load(l, l->plan.first_ms, l->to_ms, err);
	else
		rc = load_rollups(l, err);
	if (rc == 0 && l->plan.source == SERIES_5M)
		rc = load_tail(l, err);
	end_lines(l);
	return rc;
}

void series_load_done(struct series_load *l)
{
	series_set_done(&l->set);
}
