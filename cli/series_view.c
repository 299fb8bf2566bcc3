/* SPDX-License-Identifier: Apache-2.0 */
#include "series_view.h"

#include <math.h>
#include <stdio.h>

#include "base/units.h"
#include "field.h"
#include "table.h"
#include "text.h"

/* Below this a bar tells nothing. */
#define BAR_MIN   10
#define BAR_MAX   40
/* Columns that the numbers take when they are short. */
#define NUMBERS   58
#define BLOCK     "\xe2\x96\x88" /* █ */
#define FOUR_LONG 9999.5

void series_number(struct str *out, double n)
{
	char text[UNITS_TEXT_MAX];

	if (fabs(n) >= FOUR_LONG)
		str_add(out, number_format(round(n), text));
	else
		str_addf(out, "%.4g", n);
}

static void number_cell(struct table *t, const json_t *point, const char *key)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	double n;

	if (field_number(point, key, &n))
		series_number(&text, n);
	table_cell(t, TONE_PLAIN, str_text(&text));
}

/* ---- bars ---- */

struct scale {
	double from, to; /* of the averages */
	size_t columns;  /* 0: no bars */
};

static struct scale scale_of(const json_t *points, size_t width)
{
	struct scale s = {.from = 0, .to = 0};
	json_t *point;
	size_t i;
	double n;

	json_array_foreach ((json_t *)(uintptr_t)points, i, point) {
		if (!field_number(point, "avg", &n))
			continue;
		s.from = HALE_MIN(s.from, n);
		s.to = HALE_MAX(s.to, n);
	}
	if (width >= NUMBERS + BAR_MIN && s.to > s.from)
		s.columns = HALE_MIN(width - NUMBERS, (size_t)BAR_MAX);
	return s;
}

/* In eighths of a column. */
static void add_bar(struct str *out, const struct scale *s, double n)
{
	static const char *const parts[] = {"",
					    "\xe2\x96\x8f",
					    "\xe2\x96\x8e",
					    "\xe2\x96\x8d",
					    "\xe2\x96\x8c",
					    "\xe2\x96\x8b",
					    "\xe2\x96\x8a",
					    "\xe2\x96\x89"};
	size_t eighths;

	if (s->columns == 0)
		return;
	eighths = (size_t)lround((n - s->from) / (s->to - s->from) * (double)s->columns * 8);
	for (size_t i = 0; i < eighths / 8; i++)
		str_add(out, BLOCK);
	str_add(out, parts[eighths % 8]);
}

/* ---- one series ---- */

static const struct table_column columns[] = {
	TABLE_LEFT("AT"),   TABLE_RIGHT("COUNT"), TABLE_RIGHT("MIN"), TABLE_RIGHT("AVG"),
	TABLE_RIGHT("MAX"), TABLE_RIGHT("P95"),   TABLE_LEFT(""),
};

static void date_cell(struct table *t, const json_t *point)
{
	char date[TEXT_TIME_MAX];
	int64_t at_ms;

	table_cell(t, TONE_DIM, field_time(point, "at", &at_ms) ? text_date(at_ms, date) : "-");
}

static void add_point(struct table *t, const json_t *point, const struct scale *s)
{
	HALE_CLEANUP(str_done) struct str bar = {0};
	double avg;

	date_cell(t, point);
	table_cellf(t, TONE_PLAIN, "%lld", (long long)field_int(point, "count", 0));
	number_cell(t, point, "min");
	number_cell(t, point, "avg");
	number_cell(t, point, "max");
	number_cell(t, point, "p95");
	if (field_number(point, "avg", &avg))
		add_bar(&bar, s, avg);
	table_cell(t, TONE_GOOD, str_text(&bar));
}

/* Buckets without data, in one row. */
static void add_gap(struct table *t, const json_t *point, size_t n, int64_t step_ms)
{
	char span[TEXT_TIME_MAX];

	date_cell(t, point);
	table_cell(t, TONE_DIM, "0");
	for (size_t i = 0; i < 4; i++)
		table_cell(t, TONE_PLAIN, NULL);
	table_cellf(t, TONE_DIM, "nothing for %s", text_span((int64_t)n * step_ms, span));
}

static bool is_gap(const json_t *point)
{
	return point != NULL && field_int(point, "count", 0) == 0;
}

static void add_points(struct str *out, const json_t *points, int64_t step_ms, bool has_colour,
		       size_t width)
{
	struct table t = {.columns = columns, .columns_n = ARRAY_LEN(columns)};
	struct scale s = scale_of(points, width);

	for (size_t i = 0; i < json_array_size(points); i++) {
		const json_t *point = json_array_get(points, i);
		size_t n = 1;

		if (!is_gap(point)) {
			add_point(&t, point, &s);
			continue;
		}
		while (is_gap(json_array_get(points, i + n)))
			n++;
		add_gap(&t, point, n, step_ms);
		i += n - 1;
	}
	table_format(&t, has_colour, width, out);
	table_done(&t);
}

/* ---- what stands above it ---- */

static const json_t *summary_of(const json_t *summary, const json_t *series)
{
	json_t *m;
	size_t i;

	json_array_foreach (field_array(summary, "metrics"), i, m) {
		if (str_eq(field_text(m, "node"), field_text(series, "node")))
			return m;
	}
	return NULL;
}

static void add_summary(struct str *out, const json_t *summary)
{
	static const char *const keys[] = {"min", "avg", "max", "p95", "last"};
	bool is_first = true;
	double n;

	if (summary == NULL)
		return;
	str_addf(out, "%lld values", (long long)field_int(summary, "count", 0));
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (!field_number(summary, keys[i], &n))
			continue;
		str_addf(out, "%s%s ", is_first ? ": " : ", ", keys[i]);
		series_number(out, n);
		is_first = false;
	}
	str_addc(out, '\n');
}

static void add_title(struct str *out, const json_t *all, const json_t *series, bool has_colour)
{
	HALE_CLEANUP(str_done) struct str title = {0};
	const char *source = field_or(all, "source", "raw");
	char span[UNITS_TEXT_MAX];

	str_addf(&title, "%s of %s", field_or(all, "metric", "?"),
		 field_or(series, "component", "?"));
	if (json_array_size(field_array(all, "series")) > 1)
		str_addf(&title, " on %s", field_or(series, "node", "?"));
	paint_add(out, has_colour, TONE_BOLD, str_text(&title));
	str_addf(out, ", every %s, from ", duration_format(field_int(all, "step_ms", 0), span));
	if (str_eq(source, "raw"))
		str_add(out, "single results\n");
	else
		str_addf(out, "rollups of %s\n", source);
}

void series_view(struct str *out, const json_t *all, const json_t *summary, bool has_colour,
		 size_t width)
{
	json_t *series;
	size_t i;

	json_array_foreach (field_array(all, "series"), i, series) {
		if (i > 0)
			str_addc(out, '\n');
		add_title(out, all, series, has_colour);
		add_summary(out, summary_of(summary, series));
		add_points(out, field_array(series, "points"), field_int(all, "step_ms", 0),
			   has_colour, width);
	}
}
