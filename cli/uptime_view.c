/* SPDX-License-Identifier: Apache-2.0 */
#include "uptime_view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "field.h"
#include "model/component.h"
#include "table.h"
#include "text.h"

/* Without a target of one's own: three nines are fine, less than two are not. */
#define GOOD_PERCENT 99.9
#define FAIR_PERCENT 99.0

void uptime_percent_add(struct str *out, double percent)
{
	/* 99.9996 is not 100: down to three digits. */
	double cut = floor(percent * 1000 + 1e-6) / 1000;

	str_addf(out, "%.*f %%", cut >= 100 || cut <= 0 ? 0 : 3, cut);
}

static double target_of(const json_t *component)
{
	double target;

	return field_number(json_object_get(component, "sla"), "target_percent", &target)
		       ? target
		       : GOOD_PERCENT;
}

static void percent_cell(struct table *t, const json_t *component)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	double percent;

	if (!field_number(component, "uptime_percent", &percent)) {
		table_cell(t, TONE_DIM, "-");
		return;
	}
	uptime_percent_add(&text, percent);
	table_cell(t,
		   percent >= target_of(component) ? TONE_GOOD
		   : percent >= FAIR_PERCENT       ? TONE_WARN
						   : TONE_BAD,
		   str_text(&text));
}

/* A dash where there is nothing to tell of, as "0s" everywhere hides what is not 0. */
static void span_cell(struct table *t, enum tone tone, const json_t *object, const char *key)
{
	char span[TEXT_TIME_MAX];
	json_int_t ms = field_int(object, key, 0);

	if (ms <= 0)
		table_cell(t, TONE_DIM, "-");
	else if (ms < 1000)
		table_cell(t, tone, "<1s");
	else
		table_cell(t, tone, text_span(ms, span));
}

/* ---- order ---- */

static double rank_of(const json_t *component)
{
	double percent;

	if (str_eq(field_text(component, "component"), COMPONENT_OVERALL))
		return -1;
	return field_number(component, "uptime_percent", &percent) ? percent : 101;
}

static int worst_first(const void *a, const void *b)
{
	const json_t *x = *(const json_t *const *)a, *y = *(const json_t *const *)b;
	double p = rank_of(x), q = rank_of(y);

	if (p != q)
		return p < q ? -1 : 1;
	return strcmp(field_or(x, "component", ""), field_or(y, "component", ""));
}

/* Borrowed from the answer; caller frees the list. */
static const json_t **sorted(const json_t *answer, size_t *n_r)
{
	const json_t *list = field_array(answer, "components");
	const json_t **v;

	*n_r = json_array_size(list);
	v = mem_array(*n_r + 1, sizeof(*v));
	for (size_t i = 0; i < *n_r; i++)
		v[i] = json_array_get(list, i);
	qsort(v, *n_r, sizeof(*v), worst_first);
	return v;
}

/* Several nodes may have a component of the same name. */
static bool has_nodes(const json_t *answer)
{
	const json_t *list = field_array(answer, "components");

	for (size_t i = 1; i < json_array_size(list); i++) {
		if (!str_eq(field_text(json_array_get(list, i), "node"),
			    field_text(json_array_get(list, 0), "node")))
			return true;
	}
	return false;
}

static void name_cells(struct table *t, const json_t *component, bool with_node)
{
	const char *name = field_or(component, "component", "?");
	bool is_whole = str_eq(name, COMPONENT_OVERALL);

	table_cell(t, is_whole ? TONE_BOLD : TONE_PLAIN, name);
	table_cell(t, TONE_DIM, with_node ? field_text(component, "node") : NULL);
}

/* ---- ranges side by side ---- */

static const json_t *same_of(const json_t *answer, const json_t *component)
{
	json_t *c;
	size_t i;

	json_array_foreach (field_array(answer, "components"), i, c) {
		if (str_eq(field_text(c, "component"), field_text(component, "component")) &&
		    str_eq(field_text(c, "node"), field_text(component, "node")))
			return c;
	}
	return NULL;
}

void uptime_view_ranges(struct str *out, const json_t *const *answers, const char *const *names,
			size_t n, const struct uptime_look *look)
{
	struct table_column columns[UPTIME_RANGES + 6] = {TABLE_FLEXIBLE("COMPONENT"),
							  TABLE_LEFT("NODE")};
	struct table t = {.columns = columns, .columns_n = n + 6};
	bool with_node = has_nodes(answers[n - 1]);
	const json_t **v;
	size_t all;

	HALE_ASSERT(n > 0 && n <= UPTIME_RANGES);
	for (size_t i = 0; i < n; i++)
		columns[2 + i] = (struct table_column)TABLE_RIGHT(names[i]);
	columns[n + 2] = (struct table_column)TABLE_RIGHT("OUTAGES");
	columns[n + 3] = (struct table_column)TABLE_RIGHT("LONGEST");
	columns[n + 4] =
		(struct table_column){.title = "DOWN", .is_right = true, .is_optional = true};
	columns[n + 5] = (struct table_column)TABLE_RIGHT("UNMONITORED");
	v = sorted(answers[n - 1], &all);
	for (size_t i = 0; i < all; i++) {
		const json_t *ms = json_object_get(v[i], "ms");
		char span[TEXT_TIME_MAX];
		json_int_t out_ms = field_int(ms, "critical", 0) + field_int(ms, "down", 0);

		name_cells(&t, v[i], with_node);
		for (size_t r = 0; r < n; r++)
			percent_cell(&t, same_of(answers[r], v[i]));
		table_cellf(&t, TONE_PLAIN, "%lld", (long long)field_int(v[i], "outages", 0));
		span_cell(&t, TONE_PLAIN, v[i], "longest_outage_ms");
		table_cell(&t, TONE_PLAIN, out_ms < 1000 ? "-" : text_span(out_ms, span));
		span_cell(&t, TONE_DIM, ms, "unmonitored");
	}
	table_format(&t, look->has_colour, look->width, out);
	table_done(&t);
	free(v);
}

/* ---- one range ---- */

static const struct table_column range_columns[] = {
	TABLE_FLEXIBLE("COMPONENT"),
	TABLE_LEFT("NODE"),
	TABLE_RIGHT("UPTIME"),
	{.title = "HEALTHY", .is_right = true, .is_optional = true},
	{.title = "DEGRADED", .is_right = true, .is_optional = true},
	TABLE_RIGHT("CRITICAL"),
	TABLE_RIGHT("DOWN"),
	{.title = "UNMONITORED", .is_right = true, .is_optional = true},
	TABLE_RIGHT("OUTAGES"),
	TABLE_RIGHT("LONGEST"),
	{.title = "MTTR", .is_right = true, .is_optional = true},
	{.title = "MTBF", .is_right = true, .is_optional = true},
	TABLE_LEFT("TARGET"),
	TABLE_RIGHT("LEFT"),
};

/* The target, met or not, and what is left of the time that may be lost. What was not monitored has
 * done neither. */
static void sla_cells(struct table *t, const json_t *component)
{
	const json_t *sla = json_object_get(component, "sla");
	bool is_met = field_true(sla, "is_met");
	json_int_t left_ms = field_int(sla, "budget_left_ms", 0);
	char span[TEXT_TIME_MAX];
	double percent;

	if (!json_is_object(sla) || !field_number(component, "uptime_percent", &percent)) {
		table_cell(t, TONE_DIM, json_is_object(sla) ? "-" : NULL);
		table_cell(t, TONE_PLAIN, NULL);
		return;
	}
	table_cell(t, is_met ? TONE_GOOD : TONE_BAD, is_met ? "met" : "missed");
	if (left_ms > -1000 && left_ms < 1000)
		table_cell(t, TONE_WARN, "0s");
	else
		table_cellf(t, left_ms < 0 ? TONE_BAD : TONE_PLAIN, "%s%s", left_ms < 0 ? "-" : "",
			    text_span(left_ms < 0 ? -left_ms : left_ms, span));
}

void uptime_view_range(struct str *out, const json_t *answer, const struct uptime_look *look)
{
	struct table t = {.columns = range_columns, .columns_n = ARRAY_LEN(range_columns)};
	bool with_node = has_nodes(answer);
	size_t n;
	const json_t **v = sorted(answer, &n);

	for (size_t i = 0; i < n; i++) {
		const json_t *ms = json_object_get(v[i], "ms");

		name_cells(&t, v[i], with_node);
		percent_cell(&t, v[i]);
		span_cell(&t, TONE_PLAIN, ms, "healthy");
		span_cell(&t, TONE_WARN, ms, "degraded");
		span_cell(&t, TONE_BAD, ms, "critical");
		span_cell(&t, TONE_WORST, ms, "down");
		span_cell(&t, TONE_DIM, ms, "unmonitored");
		table_cellf(&t, TONE_PLAIN, "%lld", (long long)field_int(v[i], "outages", 0));
		span_cell(&t, TONE_PLAIN, v[i], "longest_outage_ms");
		span_cell(&t, TONE_PLAIN, v[i], "mttr_ms");
		span_cell(&t, TONE_PLAIN, v[i], "mtbf_ms");
		sla_cells(&t, v[i]);
	}
	table_format(&t, look->has_colour, look->width, out);
	table_done(&t);
	free(v);
}
