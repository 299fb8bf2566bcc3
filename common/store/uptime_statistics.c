/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "model/component.h"
#include "statement.h"
#include "store_private.h"
#include "uptime_set.h"

#define HOUR_MS INT64_C(3600000)
#define DAY_MS  (24 * HOUR_MS)

static const struct period {
	const char *name;
	int64_t ms;
} periods[] = {{"24h", DAY_MS}, {"7d", 7 * DAY_MS}, {"30d", 30 * DAY_MS}};

static void set(json_t *out, const char *key, json_t *value)
{
	(void)json_object_set_new(out, key, value);
}

static json_t *percent_json(double part, double whole)
{
	return whole > 0 ? json_real(100.0 * part / whole) : json_null();
}

/* --- uptime: per component, of the whole, and the score --- */

/* A component has the same name on several nodes: together they are one line. */
struct share {
	double well_ms, monitored_ms;
};

static void add_share(struct map *shares, const struct uptime_component *c)
{
	struct share *s = map_get(shares, c->name);

	if (s == NULL) {
		s = mem_alloc(sizeof(*s));
		(void)map_put(shares, c->name, s);
	}
	s->monitored_ms += (double)uptime_monitored(&c->math);
	s->well_ms += (double)(uptime_monitored(&c->math) - uptime_bad(&c->math));
}

static void put_shares(struct map *shares, const struct period *p, json_t *whole,
		       json_t *components)
{
	const char *name;
	void *value;

	for (size_t i = 0; map_each(shares, &i, &name, &value);) {
		struct share *s = value;
		json_t *percent = percent_json(s->well_ms, s->monitored_ms), *line;

		if (strcmp(name, COMPONENT_OVERALL) == 0) {
			set(whole, p->name, percent);
		} else {
			line = json_object_get(components, name);
			if (line == NULL) {
				line = json_object();
				set(components, name, line);
			}
			set(line, p->name, percent);
		}
		free(s);
	}
	map_done(shares);
}

/* The mean of C-79's score over the time, each component counting alike: weights are the
 * configuration's, and those of then are not known. One decimal. */
static json_t *score_json(const struct uptime_set *all)
{
	double points = 0, monitored = 0;

	for (size_t i = 0; i < all->n; i++) {
		const struct uptime_math *m = &all->v[i].math;

		if (strcmp(all->v[i].name, COMPONENT_OVERALL) == 0)
			continue;
		points += (double)m->ms[STATUS_HEALTHY] + 0.5 * (double)m->ms[STATUS_DEGRADED];
		monitored += (double)uptime_monitored(m);
	}
	return monitored > 0 ? json_real(round(1000.0 * points / monitored) / 10.0) : json_null();
}

static int put_uptime(json_t *out, struct store *s, int64_t now_ms, struct err *err)
{
	json_t *whole = json_object(), *components = json_object(), *score = json_object();
	int rc = 0;

	set(out, "uptime_percent", whole);
	set(out, "score", score);
	set(out, "components", components);
	for (size_t i = 0; i < ARRAY_LEN(periods) && rc == 0; i++) {
		HALE_CLEANUP(uptime_set_done) struct uptime_set all = {0};
		const struct uptime_query q = {.from_ms = HALE_MAX(now_ms - periods[i].ms, 0),
					       .to_ms = now_ms};
		struct map shares = {0};

		set(whole, periods[i].name, json_null());
		rc = uptime_set_load(&all, s, &q, err);
		for (size_t k = 0; k < all.n; k++)
			if (all.v[k].has_history)
				add_share(&shares, &all.v[k]);
		put_shares(&shares, &periods[i], whole, components);
		set(score, periods[i].name, score_json(&all));
	}
	return rc;
}

/* --- counts --- */

static bool on_pairs(void *ctx, const struct db_row *row)
{
	for (size_t i = 0; i < row->columns; i++)
		set(ctx, row->names[i], json_integer(row->values[i].integer));
	return true;
}

/* Columns are members. $1 is where the period begins. */
static int put_counts(json_t *out, const char *sql, int64_t from_ms, struct store *s,
		      struct err *err)
{
	struct db_value arg = DB_V_INT(from_ms);

	return statement_query(s->db, sql, &arg, 1, on_pairs, out, err);
}

/* One statement per period, each an object under its name. */
static int put_by_period(json_t *out, const char *sql, size_t periods_n, int64_t now_ms,
			 struct store *s, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < periods_n && rc == 0; i++) {
		json_t *counts = json_object();

		set(out, periods[i].name, counts);
		rc = put_counts(counts, sql, HALE_MAX(now_ms - periods[i].ms, 0), s, err);
	}
	return rc;
}

static int put_transitions(json_t *out, struct store *s, int64_t now_ms, struct err *err)
{
	static const char sql[] =
		"SELECT count(*) AS all_changes,"
		" count(CASE WHEN to_status IN (3, 4) THEN 1 END) AS to_bad FROM transitions t"
		" WHERE t.at >= @at{$1} AND t.component_id NOT IN"
		" (SELECT id FROM components WHERE name = '" COMPONENT_OVERALL "')";

	set(out, "transitions", json_object());
	return put_by_period(json_object_get(out, "transitions"), sql, 2, now_ms, s, err);
}

/* Raw results are too many to be counted; each that took a time is one of its rollup. */
static int put_results(json_t *out, struct store *s, int64_t now_ms, struct err *err)
{
	int64_t from_hour = (now_ms - DAY_MS) / HOUR_MS;
	struct db_value args[] = {DB_V_INT(from_hour / 24), DB_V_INT(from_hour % 24)};

	set(out, "results", json_object());
	return statement_query(
		s->db,
		"SELECT CAST(coalesce(sum(count), 0) AS BIGINT) AS \"24h\""
		" FROM metric_rollups_1h WHERE (day > $1 OR (day = $1 AND slot >= $2))"
		" AND day >= $1 AND metric_id IN (SELECT id FROM metrics WHERE name = 'took_ms')",
		args, ARRAY_LEN(args), on_pairs, json_object_get(out, "results"), err);
}

static bool on_mean(void *ctx, const struct db_row *row)
{
	const struct db_value *v = row->values;

	set(ctx, "mttr_ms",
	    v[0].type == DB_REAL  ? json_integer((json_int_t)llround(v[0].real))
	    : v[0].type == DB_INT ? json_integer(v[0].integer)
				  : json_null());
	return true;
}

static int put_alerts(json_t *out, struct store *s, int64_t now_ms, struct err *err)
{
	static const char opened[] = "SELECT count(*) AS opened FROM alerts a"
				     " WHERE a.opened_at >= @at{$1}";
	static const char mean[] =
		"SELECT CAST(avg(@ms{a.resolved_at} - @ms{a.opened_at}) AS DOUBLE PRECISION)"
		" FROM alerts a WHERE a.opened_at >= @at{$1} AND a.resolved_at IS NOT NULL";
	struct db_value from = DB_V_INT(HALE_MAX(now_ms - 30 * DAY_MS, 0));
	json_t *alerts = json_object();
	int rc;

	set(out, "alerts", alerts);
	rc = statement_query(s->db, "SELECT count(*) AS open FROM alerts WHERE state = 'open'",
			     NULL, 0, on_pairs, alerts, err);
	if (rc == 0)
		rc = put_by_period(alerts, opened, 2, now_ms, s, err);
	if (rc == 0)
		rc = statement_query(s->db, mean, &from, 1, on_mean, alerts, err);
	return rc;
}

static bool on_time(void *ctx, const struct db_row *row)
{
	char text[CLOCK_TEXT_MAX];

	set(ctx, row->names[0],
	    row->values[0].type == DB_INT ? json_string(clock_format(row->values[0].integer, text))
					  : json_null());
	return true;
}

static int put_runs(json_t *out, struct store *s, int64_t now_ms, struct err *err)
{
	static const char sql[] =
		"SELECT count(*) AS runs,"
		" count(CASE WHEN outcome <> 'done' THEN 1 END) AS failed FROM reconciliation_runs"
		" WHERE ended_at >= @at{$1}";
	static const char last[] = "SELECT @ms{max(ended_at)} AS last_done FROM reconciliation_runs"
				   " WHERE outcome = 'done' AND CAST(dry_run AS INTEGER) = 0";
	json_t *runs = json_object();
	int rc;

	set(out, "runs", runs);
	rc = put_by_period(runs, sql, 2, now_ms, s, err);
	if (rc == 0)
		rc = statement_query(s->db, last, NULL, 0, on_time, runs, err);
	return rc;
}

int uptime_statistics(struct store *s, int64_t now_ms, json_t **out_r, struct err *err)
{
	json_t *out = json_object();
	char text[CLOCK_TEXT_MAX];
	int rc;

	set(out, "at", json_string(clock_format(now_ms, text)));
	rc = put_uptime(out, s, now_ms, err);
	if (rc == 0)
		rc = put_transitions(out, s, now_ms, err);
	if (rc == 0)
		rc = put_results(out, s, now_ms, err);
	if (rc == 0)
		rc = put_alerts(out, s, now_ms, err);
	if (rc == 0)
		rc = put_runs(out, s, now_ms, err);
	if (rc == 0)
		rc = statement_query(s->db, "SELECT @ms{min(first_at)} AS oldest FROM epochs", NULL,
				     0, on_time, out, err);
	if (rc == 0)
		*out_r = TAKE_PTR(out);
	json_decref(out);
	return rc;
}
