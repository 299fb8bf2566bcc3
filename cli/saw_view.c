/* SPDX-License-Identifier: Apache-2.0 */
#include "saw_view.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"
#include "paint.h"
#include "table.h"
#include "text.h"

/* More than a screen of one thing is read with -o json and a pager. */
#define LINES_MAX   40
#define ROWS_MAX    20
#define COLUMNS_MAX 10
/* Nobody shows more levels; what a server sends may have. */
#define DEPTH_MAX   8
#define BAR_COLUMNS 30

struct view {
	struct str *out;
	bool has_colour;
	size_t indent;
	size_t depth;
};

static bool is_flat(const json_t *v)
{
	return !json_is_object(v) && !json_is_array(v);
}

static void add_flat(struct str *out, const json_t *v)
{
	char number[UNITS_TEXT_MAX];
	char *text;

	if (json_is_string(v)) {
		str_add(out, json_string_value(v));
	} else if (json_is_number(v)) {
		str_add(out, number_format(json_number_value(v), number));
	} else {
		text = json_dumps(v, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
		str_add(out, text == NULL ? "" : text);
		free(text);
	}
}

static void add_indent(const struct view *v)
{
	for (size_t i = 0; i < v->indent; i++)
		str_addc(v->out, ' ');
}

static void add_line(const struct view *v, enum tone tone, const char *text)
{
	add_indent(v);
	paint_add(v->out, v->has_colour, tone, text);
	str_addc(v->out, '\n');
}

static void add_more(const struct view *v, size_t n, const char *what)
{
	HALE_CLEANUP(cleanup_free) char *text = mem_printf("… %zu more %s", n, what);

	add_line(v, TONE_DIM, text);
}

/* ---- Texts ---- */

static void view_lines(const struct view *v, const char *text)
{
	size_t n = 0, left = 0;

	for (const char *end; *text != '\0'; text = *end == '\0' ? end : end + 1) {
		end = text + strcspn(text, "\n");
		if (n++ < LINES_MAX) {
			HALE_CLEANUP(cleanup_free)
			char *line = mem_dupn(text, (size_t)(end - text));

			add_line(v, TONE_PLAIN, line);
		} else {
			left++;
		}
	}
	if (left > 0)
		add_more(v, left, left == 1 ? "line" : "lines");
}

/* ---- Rows ---- */

/* Objects of one level with a few names in all. */
static size_t row_names(const json_t *list, const char *names[COLUMNS_MAX])
{
	size_t n = 0, i;
	json_t *row, *value;
	const char *key;

	json_array_foreach ((json_t *)(uintptr_t)list, i, row) {
		if (!json_is_object(row))
			return 0;
		json_object_foreach (row, key, value) {
			size_t at = 0;

			while (at < n && strcmp(names[at], key) != 0)
				at++;
			if (!is_flat(value) || at == COLUMNS_MAX)
				return 0;
			names[at] = key;
			n = HALE_MAX(n, at + 1);
		}
	}
	return n;
}

static void view_rows(const struct view *v, const json_t *list, const char *const names[], size_t n)
{
	struct table_column columns[COLUMNS_MAX] = {0};
	struct table table = {.columns = columns, .columns_n = n, .indent = v->indent};
	size_t i;
	json_t *row;

	for (size_t c = 0; c < n; c++)
		columns[c] = (struct table_column){.title = names[c],
						   .is_right = json_is_number(json_object_get(
							   json_array_get(list, 0), names[c]))};
	json_array_foreach ((json_t *)(uintptr_t)list, i, row) {
		for (size_t c = 0; c < n && i < ROWS_MAX; c++) {
			HALE_CLEANUP(str_done) struct str text = {0};
			const json_t *value = json_object_get(row, names[c]);

			if (value != NULL)
				add_flat(&text, value);
			table_cell(&table, TONE_PLAIN, str_text(&text));
		}
	}
	table_format(&table, v->has_colour, 0, v->out);
	table_done(&table);
	if (json_array_size(list) > ROWS_MAX)
		add_more(v, json_array_size(list) - ROWS_MAX, "rows");
}

/* ---- Phases: one after the other, "total_ms" in all ---- */

static bool is_phases(const char *name, const json_t *object)
{
	const char *key;
	json_t *value;

	if (!str_eq(name, "phases") ||
	    !(json_number_value(json_object_get(object, "total_ms")) > 0))
		return false;
	json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
		if (!json_is_number(value) || json_number_value(value) < 0)
			return false;
	}
	return true;
}

static size_t scaled(double ms, double total_ms)
{
	return (size_t)(HALE_MIN(ms / total_ms, 1.0) * BAR_COLUMNS + 0.5);
}

static void add_bar(struct str *out, double begin_ms, double end_ms, double total_ms)
{
	size_t begin = HALE_MIN(scaled(begin_ms, total_ms), (size_t)BAR_COLUMNS - 1);
	size_t end = HALE_MAX(scaled(end_ms, total_ms), begin + 1);

	for (size_t i = 0; i < begin; i++)
		str_addc(out, ' ');
	for (size_t i = begin; i < end; i++)
		str_add(out, "━");
}

static void view_phases(const struct view *v, const json_t *phases)
{
	static const struct table_column columns[] = {
		TABLE_PLAIN, {.is_right = true}, {.title = NULL}};
	struct table table = {
		.columns = columns, .columns_n = ARRAY_LEN(columns), .indent = v->indent};
	double total_ms = json_number_value(json_object_get(phases, "total_ms"));
	double at_ms = 0;
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)phases, key, value) {
		HALE_CLEANUP(str_done) struct str bar = {0};
		HALE_CLEANUP(cleanup_free) char *name = mem_dup(key);
		double ms = json_number_value(value);
		char took[TEXT_TIME_MAX];

		if (strlen(name) > 3 && str_eq(name + strlen(name) - 3, "_ms"))
			name[strlen(name) - 3] = '\0';
		if (!str_eq(name, "total")) {
			add_bar(&bar, at_ms, at_ms + ms, total_ms);
			at_ms += ms;
		}
		table_cell(&table, TONE_DIM, name);
		table_cell(&table, TONE_PLAIN, text_took(ms, took));
		table_cell(&table, TONE_GOOD, str_text(&bar));
	}
	table_format(&table, v->has_colour, 0, v->out);
	table_done(&table);
}

/* ---- Anything ---- */

static void view_object(const struct view *v, const json_t *object);

static void view_compact(const struct view *v, const json_t *value)
{
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

	add_line(v, TONE_PLAIN, text == NULL ? "" : text);
	free(text);
}

static void view_list(const struct view *v, const json_t *list)
{
	const char *names[COLUMNS_MAX];
	size_t columns = row_names(list, names), n = 0, i;
	json_t *value;

	if (columns > 0) {
		view_rows(v, list, names, columns);
		return;
	}
	json_array_foreach ((json_t *)(uintptr_t)list, i, value) {
		HALE_CLEANUP(str_done) struct str text = {0};

		if (n++ >= LINES_MAX)
			continue;
		if (is_flat(value)) {
			add_flat(&text, value);
			add_line(v, TONE_PLAIN, str_text(&text));
		} else if (json_is_object(value) && v->depth < DEPTH_MAX) {
			if (i > 0)
				str_addc(v->out, '\n');
			view_object(v, value);
		} else {
			view_compact(v, value);
		}
	}
	if (n > LINES_MAX)
		add_more(v, n - LINES_MAX, "of them");
}

static bool is_long(const json_t *value)
{
	return json_is_string(value) && strchr(json_string_value(value), '\n') != NULL;
}

static void view_named(const struct view *outer, const char *name, const json_t *value)
{
	struct view v = *outer;

	add_line(outer, TONE_BOLD, name);
	v.indent += 2;
	v.depth++;
	if (json_is_string(value))
		view_lines(&v, json_string_value(value));
	else if (v.depth >= DEPTH_MAX)
		view_compact(&v, value);
	else if (json_is_array(value))
		view_list(&v, value);
	else if (is_phases(name, value))
		view_phases(&v, value);
	else
		view_object(&v, value);
}

/* Short values stand in one column, as far as none of the long ones comes between. */
static void view_object(const struct view *v, const json_t *object)
{
	static const struct table_column columns[] = {TABLE_PLAIN, TABLE_PLAIN};
	const struct table empty = {
		.columns = columns, .columns_n = ARRAY_LEN(columns), .indent = v->indent};
	struct table table = empty;
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
		HALE_CLEANUP(str_done) struct str text = {0};

		if (is_flat(value) && !is_long(value)) {
			add_flat(&text, value);
			table_cell(&table, TONE_DIM, key);
			table_cell(&table, TONE_PLAIN, str_text(&text));
			continue;
		}
		table_format(&table, v->has_colour, 0, v->out);
		table_done(&table);
		table = empty;
		view_named(v, key, value);
	}
	table_format(&table, v->has_colour, 0, v->out);
	table_done(&table);
}

void saw_view(struct str *out, const json_t *saw, bool has_colour)
{
	const struct view v = {.out = out, .has_colour = has_colour, .indent = 2};

	if (json_object_size(saw) > 0)
		view_object(&v, saw);
}
