/* SPDX-License-Identifier: Apache-2.0 */
#include "value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"

enum value_compare value_compare_from_name(const char *name)
{
	static const char *const names[] = {[VALUE_AUTO] = "auto",
					    [VALUE_NUMBER] = "number",
					    [VALUE_TEXT] = "text",
					    [VALUE_TIME] = "time"};
	size_t i = 0;

	while (i < VALUE_COMPARE_MAX && !str_eq(names[i], name))
		i++;
	return (enum value_compare)i;
}

void value_text(const json_t *value, struct str *out)
{
	char buf[DECIMAL_TEXT_MAX];
	char *dump;

	if (json_is_string(value)) {
		str_addn(out, json_string_value(value), json_string_length(value));
	} else if (json_is_real(value)) {
		str_add(out, decimal_real_text(json_real_value(value), buf));
	} else {
		dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
		HALE_ASSERT(dump != NULL);
		str_add(out, dump);
		free(dump);
	}
}

/* ---- comparing ---- */

/* Databases spell a truth value in their own ways: 1, t, true. -1: none. */
static int truth_of(const json_t *value)
{
	static const char *const words[][2] = {{"f", "t"}, {"false", "true"}, {"0", "1"}};
	const char *text = json_string_value(value);

	if (json_is_boolean(value))
		return json_is_true(value);
	if (json_is_integer(value) && (json_integer_value(value) & ~(json_int_t)1) == 0)
		return (int)json_integer_value(value);
	for (size_t i = 0; text != NULL && i < ARRAY_LEN(words); i++) {
		if (strcasecmp(text, words[i][0]) == 0 || strcasecmp(text, words[i][1]) == 0)
			return strcasecmp(text, words[i][1]) == 0;
	}
	return -1;
}

/* PostgreSQL prints json in its own layout. */
static bool is_same_document(const json_t *document, const json_t *text)
{
	json_t *other = json_is_string(text)
				? json_loads(json_string_value(text), JSON_DECODE_ANY, NULL)
				: NULL;
	bool is_same = other != NULL && json_equal(document, other);

	json_decref(other);
	return is_same;
}

static bool is_same_text(const json_t *a, const json_t *b)
{
	HALE_CLEANUP(str_done) struct str x = {0};
	HALE_CLEANUP(str_done) struct str y = {0};

	value_text(a, &x);
	value_text(b, &y);
	return x.len == y.len && str_eq(str_text(&x), str_text(&y));
}

static bool is_same_auto(const json_t *source, const json_t *target)
{
	struct decimal a, b;

	if ((json_is_number(source) || json_is_number(target)) && decimal_from_json(source, &a) &&
	    decimal_from_json(target, &b))
		return decimal_is_within(a, b, (struct decimal){0});
	if (json_is_boolean(source))
		return truth_of(target) == truth_of(source);
	if (json_is_object(source) || json_is_array(source))
		return is_same_document(source, target);
	return is_same_text(source, target);
}

static int wrong(const json_t *source, const char *wanted, struct err *err)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	char shown[64];

	value_text(source, &text);
	(void)str_clean(shown, sizeof(shown), str_text(&text));
	return err_set(err, -EINVAL, "'%s' is not %s", shown, wanted);
}

static int compare_numbers(const json_t *source, const json_t *target, struct decimal tolerance,
			   struct err *err)
{
	struct decimal a, b;

	if (!decimal_from_json(source, &a))
		return wrong(source, "a number", err);
	return decimal_from_json(target, &b) && decimal_is_within(a, b, tolerance);
}

static int compare_times(const json_t *source, const json_t *target, struct err *err)
{
	int64_t a, b;

	if (!json_is_string(source) || clock_parse(json_string_value(source), &a) != 0)
		return wrong(source, "a time (RFC 3339)", err);
	return json_is_string(target) && clock_parse(json_string_value(target), &b) == 0 && a == b;
}

int value_is_equal(enum value_compare how, const json_t *source, const json_t *target,
		   struct decimal tolerance, struct err *err)
{
	if (json_is_null(source) || json_is_null(target))
		return json_is_null(source) && json_is_null(target);
	switch (how) {
	case VALUE_NUMBER:
		return compare_numbers(source, target, tolerance, err);
	case VALUE_TIME:
		return compare_times(source, target, err);
	case VALUE_TEXT:
		return is_same_text(source, target);
	default:
		return is_same_auto(source, target);
	}
}

/* ---- to and from a database ---- */

static void bind_text(const json_t *value, struct value_bound *b)
{
	struct str text = {0};

	value_text(value, &text);
	b->value = (struct db_value){.type = DB_TEXT, .len = text.len};
	b->owned = text.data != NULL ? str_take(&text) : mem_dup("");
	b->value.text = b->owned;
}

void value_bind(enum db_engine engine, const json_t *value, struct value_bound *b_r)
{
	struct value_bound b = {.value = DB_V_NULL};

	if (json_is_string(value))
		b.value = (struct db_value){.type = DB_TEXT,
					    .text = json_string_value(value),
					    .len = json_string_length(value)};
	else if (json_is_integer(value))
		b.value = DB_V_INT(json_integer_value(value));
	else if (json_is_real(value) && engine == DB_SQLITE)
		b.value = DB_V_REAL(json_real_value(value));
	else if (json_is_boolean(value) && engine == DB_SQLITE)
		b.value = DB_V_INT(json_is_true(value));
	else if (value != NULL && !json_is_null(value))
		bind_text(value, &b);
	*b_r = b;
}

static json_t *cell(const struct db_value *v)
{
	switch (v->type) {
	case DB_INT:
		return json_integer(v->integer);
	case DB_REAL:
		/* JSON has no words for infinite and not-a-number. */
		return __builtin_isfinite(v->real) ? json_real(v->real)
						   : json_string(v->real > 0   ? "Infinity"
								 : v->real < 0 ? "-Infinity"
									       : "NaN");
	case DB_TEXT:
		return json_stringn(v->text, v->len);
	case DB_NULL:
		break;
	}
	return json_null();
}

json_t *value_row(const struct db_row *row)
{
	json_t *object = json_object();

	for (size_t i = 0; i < row->columns; i++) {
		if (json_object_set_new(object, row->names[i], cell(&row->values[i])) != 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}
