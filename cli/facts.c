/* SPDX-License-Identifier: Apache-2.0 */
#include "facts.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/units.h"
#include "field.h"
#include "text.h"

static const struct table_column columns[] = {TABLE_PLAIN, TABLE_PLAIN};

void facts_title(struct str *out, bool has_colour, const char *dot, enum tone tone,
		 const char *name, const char *label)
{
	paint_add(out, has_colour, tone, dot);
	str_add(out, "  ");
	paint_add(out, has_colour, TONE_BOLD, name);
	if (label != NULL && !str_eq(label, name)) {
		str_add(out, "  ");
		text_add(out, label);
	}
	str_addc(out, '\n');
}

void facts_init(struct facts *f, int64_t now_ms)
{
	*f = (struct facts){
		.table = {.columns = columns, .columns_n = ARRAY_LEN(columns), .indent = 2},
		.now_ms = now_ms,
	};
}

void facts_add(struct facts *f, const char *name, const char *value)
{
	if (value == NULL || *value == '\0')
		return;
	table_cell(&f->table, TONE_DIM, name);
	table_cell(&f->table, TONE_PLAIN, value);
}

void facts_addf(struct facts *f, const char *name, const char *fmt, ...)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	va_list args;

	va_start(args, fmt);
	str_vaddf(&text, fmt, args);
	va_end(args);
	facts_add(f, name, str_text(&text));
}

static void add_json(struct str *out, const json_t *v)
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

static bool is_flat(const json_t *array)
{
	const json_t *v;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)array, i, v) {
		if (json_is_object(v) || json_is_array(v))
			return false;
	}
	return json_is_array(array);
}

static void add_value(struct str *out, const json_t *v)
{
	const json_t *element;
	size_t i;

	if (v == NULL || json_is_null(v) || (json_is_object(v) && json_object_size(v) == 0))
		return;
	if (!is_flat(v)) {
		add_json(out, v);
		return;
	}
	json_array_foreach ((json_t *)(uintptr_t)v, i, element) {
		str_add(out, i > 0 ? ", " : "");
		add_json(out, element);
	}
}

void facts_member(struct facts *f, const char *name, const json_t *object, const char *key)
{
	HALE_CLEANUP(str_done) struct str text = {0};

	add_value(&text, json_object_get(object, key));
	facts_add(f, name, str_text(&text));
}

void facts_time(struct facts *f, const char *name, const json_t *object, const char *key)
{
	char date[TEXT_TIME_MAX], ago[TEXT_TIME_MAX];
	int64_t at_ms;

	if (field_time(object, key, &at_ms))
		facts_addf(f, name, "%s (%s)", text_date(at_ms, date),
			   text_ago(at_ms, f->now_ms, ago));
}

void facts_took(struct facts *f, const char *name, const json_t *object, const char *key)
{
	char text[TEXT_TIME_MAX];
	double ms;

	if (field_number(object, key, &ms))
		facts_add(f, name, text_took(ms, text));
}

void facts_object(struct facts *f, const char *name, const json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
		HALE_CLEANUP(str_done) struct str text = {0};

		add_value(&text, value);
		if (text.len == 0)
			continue;
		facts_addf(f, name, "%s  %s", key, str_text(&text));
		name = "";
	}
}

void facts_finish(struct facts *f, bool has_colour, struct str *out)
{
	table_format(&f->table, has_colour, 0, out);
	table_done(&f->table);
}
