/* SPDX-License-Identifier: Apache-2.0 */
#include "sql_judge.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"
#include "timestamp.h"

#define MS_PER_S 1000

/* ---- The verdict: the worst of many ---- */

struct verdict {
	enum outcome outcome;
	enum reason reason;
	char text[400];
	size_t others; /* as bad or less, and left out of the text */
	/* What to say if all is well. */
	size_t fresh;
	int64_t oldest_s;
	const char *oldest;
};

static int rank(enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_PASS:
		return 0;
	case OUTCOME_WARN:
		return 1;
	case OUTCOME_ERROR:
		return 2; /* it may hide anything, but what is known to be wrong comes first */
	default:
		return 3;
	}
}

HALE_PRINTF(4, 5)
static void object(struct verdict *v, enum outcome outcome, enum reason reason, const char *fmt,
		   ...)
{
	bool is_first = v->outcome == OUTCOME_PASS;
	va_list args;

	if (!is_first)
		v->others++;
	if (rank(outcome) <= rank(v->outcome))
		return;
	v->outcome = outcome;
	v->reason = reason;
	va_start(args, fmt);
	(void)vsnprintf(v->text, sizeof(v->text), fmt, args);
	va_end(args);
}

static void object_failed(struct verdict *v, const struct sql_step *step)
{
	object(v, reason_outcome(step->reason), step->reason, "%s%s%s", step->name,
	       step->name[0] != '\0' ? ": " : "", step->error);
}

/* ---- The query of the component ---- */

/* A column must not take the place of the check's own figures. */
static void column_metric(struct check *c, const struct sql_column *column, double number)
{
	static const char *const own[] = {"connect_ms", "query_ms", "rows", "took_ms"};
	char name[SQL_NAME_MAX], prefixed[SQL_NAME_MAX + 8];

	sql_metric_name(column->name, name);
	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		if (strcmp(name, own[i]) == 0) {
			(void)snprintf(prefixed, sizeof(prefixed), "column_%s", name);
			check_metric(c, prefixed, number);
			return;
		}
	}
	check_metric(c, name, number);
}

/* A listed column may also hold its number as text ("numeric" of some drivers, TEXT columns). */
static bool number_of(const struct sql_column *column, double *number_r)
{
	char *end = NULL;

	*number_r = column->number;
	if (column->is_number)
		return true;
	if (column->text == NULL || column->text[0] == '\0')
		return false;
	*number_r = strtod(column->text, &end);
	return *end == '\0' && isfinite(*number_r);
}

static const struct sql_column *find_column(const struct sql_step *step, const char *name)
{
	for (size_t i = 0; i < step->columns_n; i++)
		if (strcmp(step->columns[i].name, name) == 0)
			return &step->columns[i];
	return NULL;
}

static void listed_metrics(struct check *c, const struct sql_step *step, struct verdict *v)
{
	const struct sql_opts *o = check_opts(c);
	const struct sql_column *column;
	double number;

	for (size_t i = 0; i < o->metrics.n; i++) {
		column = find_column(step, o->metrics.v[i]);
		if (column == NULL)
			object(v, OUTCOME_ERROR, REASON_CONFIG, "the answer has no column '%s'",
			       o->metrics.v[i]);
		else if (number_of(column, &number))
			column_metric(c, column, number);
		else if (column->text != NULL)
			object(v, OUTCOME_FAIL, REASON_SQL_MISMATCH,
			       "column '%s' is not a number: '%.100s'", column->name, column->text);
	}
}

static void judge_value(struct check *c, const struct sql_step *step, struct verdict *v)
{
	const struct sql_opts *o = check_opts(c);
	const char *value = step->columns_n > 0 ? step->columns[0].text : NULL;
	const char *plural = step->rows == 1 ? "" : "s";

	if (o->expect_rows != SQL_NOT_EXPECTED && step->rows != (size_t)o->expect_rows)
		object(v, OUTCOME_FAIL, step->rows == 0 ? REASON_SQL_NO_ROW : REASON_SQL_MISMATCH,
		       "%zu row%s, expected %lld", step->rows, plural, (long long)o->expect_rows);
	else if (o->expect != NULL && step->rows == 0)
		object(v, OUTCOME_FAIL, REASON_SQL_NO_ROW, "no row, expected '%.200s'", o->expect);
	else if (o->expect != NULL && value == NULL)
		object(v, OUTCOME_FAIL, REASON_SQL_MISMATCH, "NULL, expected '%.200s'", o->expect);
	else if (o->expect != NULL && strcmp(value, o->expect) != 0)
		object(v, OUTCOME_FAIL, REASON_SQL_MISMATCH, "'%.200s', expected '%.200s'", value,
		       o->expect);
}

static void judge_main(struct check *c, const struct sql_step *step, struct verdict *v)
{
	const struct sql_opts *o = check_opts(c);

	check_metric(c, "query_ms", step->query_ms);
	if (step->reason != REASON_OK) {
		object_failed(v, step);
		return;
	}
	check_metric(c, "rows", (double)step->rows);
	if (step->kept != NULL)
		check_detail(c, "rows", json_incref(step->kept));
	if (step->rows > 0 && o->metrics.n > 0)
		listed_metrics(c, step, v);
	for (size_t i = 0; o->metrics.n == 0 && i < step->columns_n; i++)
		if (step->columns[i].is_number)
			column_metric(c, &step->columns[i], step->columns[i].number);
	judge_value(c, step, v);
}

/* ---- Named queries, figures, counts ---- */

static void judge_named(struct check *c, const struct sql_step *step, struct verdict *v)
{
	char full[2 * SQL_NAME_MAX], column[SQL_NAME_MAX];

	(void)snprintf(full, sizeof(full), "%.60s_query_ms", step->name);
	check_metric(c, full, step->query_ms);
	if (step->reason != REASON_OK)
		object_failed(v, step);
	for (size_t i = 0; i < step->columns_n; i++) {
		const struct sql_column *value = &step->columns[i];

		sql_metric_name(value->name, column);
		(void)snprintf(full, sizeof(full), "%.60s%s%s", step->name,
			       step->columns_n > 1 ? "_" : "", step->columns_n > 1 ? column : "");
		if (value->is_number) {
			check_metric(c, full, value->number);
		} else if (value->text != NULL) {
			char shown[256];

			(void)str_clean(shown, sizeof(shown), value->text);
			check_detail(c, full, json_string(shown));
		}
	}
}

static void judge_stat(struct check *c, const struct sql_step *step, struct verdict *v)
{
	if (step->reason != REASON_OK)
		object_failed(v, step);
	for (size_t i = 0; i < step->columns_n; i++)
		if (step->columns[i].is_number)
			check_metric(c, step->columns[i].name, step->columns[i].number);
}

static void judge_count(struct check *c, const struct sql_step *step, struct verdict *v,
			json_t *estimated)
{
	char name[SQL_NAME_MAX];

	if (step->reason != REASON_OK) {
		object_failed(v, step);
		return;
	}
	sql_metric_name(step->name, name);
	if (step->columns_n > 0 && step->columns[0].is_number)
		check_metric(c, name, step->columns[0].number);
	if (step->columns_n > 1 && step->columns[1].number > 0)
		json_array_append_new(estimated, json_string(name));
}

/* ---- Freshness ---- */

enum sql_band sql_band_of(int64_t age_seconds, int64_t warn_ms, int64_t stale_ms)
{
	int64_t age_ms = age_seconds * MS_PER_S;

	if (age_ms < warn_ms)
		return SQL_FRESH;
	return age_ms <= stale_ms ? SQL_WARNING : SQL_STALE;
}

const char *sql_band_name(enum sql_band band)
{
	static const char *const names[] = {
		[SQL_FRESH] = "FRESH", [SQL_WARNING] = "WARNING", [SQL_STALE] = "STALE"};

	return names[band];
}

static void name_detail(struct check *c, const char *name, const char *what, const char *text)
{
	HALE_CLEANUP(cleanup_free) char *full = mem_printf("%s_%s", name, what);
	char shown[256];

	(void)str_clean(shown, sizeof(shown), text);
	check_detail(c, full, json_string(shown));
}

static void band_detail(struct check *c, const struct freshness_opts *f, enum sql_band band)
{
	if (f->bands)
		name_detail(c, f->name, "band", sql_band_name(band));
}

/* Nothing is known of its age: shown as stale, with a note that says why it is. */
static void not_known(struct check *c, const struct freshness_opts *f, const char *why)
{
	band_detail(c, f, SQL_STALE);
	name_detail(c, f->name, "error", why);
}

static void judge_age(struct check *c, const struct freshness_opts *f, int64_t at_ms,
		      struct verdict *v)
{
	/* Whole seconds, as people say ages: 60.4 s is 60. */
	int64_t age_s = (int64_t)floor((double)(clock_wall_ms() - at_ms) / MS_PER_S);
	enum sql_band band = sql_band_of(age_s, f->warn, f->stale);
	HALE_CLEANUP(cleanup_free) char *metric = mem_printf("%s_age_seconds", f->name);
	char at[CLOCK_TEXT_MAX], age[UNITS_TEXT_MAX], limit[UNITS_TEXT_MAX];

	check_metric(c, metric, (double)age_s);
	name_detail(c, f->name, "last_update", clock_format(at_ms, at));
	(void)duration_format_short(llabs(age_s) * MS_PER_S, age);
	if (f->bands && -age_s * MS_PER_S > f->warn) {
		/* It would look fresh for as long as that. */
		band = SQL_WARNING;
		object(v, OUTCOME_WARN, REASON_AGING, "%s: its time is %s in the future", f->name,
		       age);
	} else if (f->bands && band == SQL_WARNING) {
		object(v, OUTCOME_WARN, REASON_AGING, "%s: %s old (WARNING from %s)", f->name, age,
		       duration_format(f->warn, limit));
	} else if (f->bands && band == SQL_STALE) {
		object(v, OUTCOME_FAIL, REASON_STALE, "%s: %s old (STALE after %s)", f->name, age,
		       duration_format(f->stale, limit));
	}
	band_detail(c, f, band);
	v->fresh++;
	if (v->oldest == NULL || age_s > v->oldest_s) {
		v->oldest = f->name;
		v->oldest_s = age_s;
	}
}

static void judge_freshness(struct check *c, const struct sql_step *step, struct verdict *v)
{
	const struct freshness_opts *f = step->freshness;
	const struct sql_column *value = step->columns_n > 0 ? &step->columns[0] : NULL;
	int64_t at_ms;
	int rc;

	if (step->reason != REASON_OK) {
		/* Its age is not known; that is not the same as old. */
		object(v, OUTCOME_ERROR, step->reason, "%s: %s", f->name, step->error);
		not_known(c, f, step->error);
		return;
	}
	if (value == NULL || value->text == NULL) {
		if (f->bands)
			object(v, OUTCOME_FAIL, REASON_STALE, "%s: no data", f->name);
		not_known(c, f, "no data");
		return;
	}
	rc = value->is_number ? timestamp_from_number(value->number, &at_ms)
			      : timestamp_parse(value->text, &at_ms);
	if (rc == 0) {
		judge_age(c, f, at_ms, v);
		return;
	}
	object(v, OUTCOME_ERROR, REASON_CONFIG, "%s: '%.60s' is not a time", f->name, value->text);
	not_known(c, f, "not a time");
}

/* ---- All of it ---- */

static void show(struct check *c, const struct sql_step *step)
{
	json_t *seen;

	if (!check_is_watched(c))
		return;
	seen = json_pack("{s:s, s:f}", "sql", step->sql, "ms", step->query_ms);
	if (seen == NULL)
		return; /* SQL that is not UTF-8 */
	if (step->error != NULL) {
		char text[256];

		(void)str_clean(text, sizeof(text), step->error);
		json_object_set_new(seen, "error", json_string(text));
	} else {
		json_object_set_new(seen, "rows", json_integer((json_int_t)step->rows));
	}
	if (step->shown != NULL)
		json_object_set(seen, "first", step->shown);
	check_saw(c, "statement", seen);
}

static void judge_step(struct check *c, const struct sql_step *step, struct verdict *v,
		       json_t *estimated)
{
	show(c, step);
	switch (step->use) {
	case SQL_MAIN:
		judge_main(c, step, v);
		break;
	case SQL_NAMED:
		judge_named(c, step, v);
		break;
	case SQL_STAT:
		judge_stat(c, step, v);
		break;
	case SQL_FRESHNESS:
		judge_freshness(c, step, v);
		break;
	case SQL_TABLES:
		if (step->reason != REASON_OK)
			object_failed(v, step);
		break;
	case SQL_ACTIVITY:
	case SQL_COUNT:
		judge_count(c, step, v, estimated);
		break;
	}
}

static void say_well(struct check *c, const struct sql_plan *plan, const struct verdict *v,
		     double ms)
{
	char age[UNITS_TEXT_MAX];
	size_t rows = plan->v[0].rows;

	if (v->oldest != NULL)
		check_done(c, REASON_OK, "%zu source%s, oldest %s: %s", v->fresh,
			   v->fresh == 1 ? "" : "s", v->oldest,
			   duration_format_short(llabs(v->oldest_s) * MS_PER_S, age));
	else if (plan->n == 1)
		check_done(c, REASON_OK, "%zu row%s in %.0f ms", rows, rows == 1 ? "" : "s", ms);
	else
		check_done(c, REASON_OK, "%zu statements in %.0f ms", plan->n, ms);
}

void sql_judge(struct check *c, const struct sql_plan *plan, double connect_ms)
{
	struct verdict v = {.outcome = OUTCOME_PASS, .reason = REASON_OK};
	json_t *estimated = json_array();
	double ms = connect_ms;

	check_metric(c, "connect_ms", connect_ms);
	for (size_t i = 0; i < plan->n; i++) {
		judge_step(c, &plan->v[i], &v, estimated);
		ms += plan->v[i].query_ms;
	}
	if (json_array_size(estimated) > 0)
		check_detail(c, "estimated", json_incref(estimated));
	json_decref(estimated);
	if (plan->is_cut)
		check_detail(c, "row_counts_left_out", json_true());
	if (v.outcome == OUTCOME_PASS)
		say_well(c, plan, &v, ms);
	else if (v.others > 0)
		check_done_as(c, v.outcome, v.reason, "%s (and %zu more)", v.text, v.others);
	else
		check_done_as(c, v.outcome, v.reason, "%s", v.text);
}

void sql_judge_failed(struct check *c, enum reason reason, const char *error, double connect_ms)
{
	const struct sql_opts *o = check_opts(c);
	const struct freshness_opts *freshness = o->freshness.v;

	if (connect_ms > 0)
		check_metric(c, "connect_ms", connect_ms);
	for (size_t i = 0; i < o->freshness.n; i++)
		not_known(c, &freshness[i], error);
	check_done(c, reason, "%s", error);
}
