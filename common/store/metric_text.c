/* SPDX-License-Identifier: Apache-2.0 */
#include "store/metric_text.h"

#include <stdlib.h>
#include <string.h>

/* A number as JSON writes it fits; nobody's metric has a longer one. */
#define NUMBER_MAX 40

/* "612.0" says no more than "612". */
static size_t length_without_point(struct jtext v)
{
	bool is_whole = v.len > 2 && memcmp(v.text + v.len - 2, ".0", 2) == 0;

	return is_whole ? v.len - 2 : v.len;
}

static bool split_members(struct jtext object, struct str *names, struct str *values)
{
	struct jtext name, value;
	size_t n = 0;

	str_addc(names, '[');
	for (size_t at = 0; jtext_next(object, &at, &name, &value); n++) {
		if (n == METRIC_TEXT_MAX || !jtext_is_number(value) || value.len >= NUMBER_MAX)
			return false;
		str_add(names, n == 0 ? "\"" : ",\"");
		str_addn(names, name.text, name.len);
		str_addc(names, '"');
		if (n > 0)
			str_addc(values, ',');
		str_addn(values, value.text, length_without_point(value));
	}
	str_addc(names, ']');
	return n > 0;
}

bool metric_text_split(struct jtext object, struct str *names, struct str *values)
{
	size_t names_len = names->len, values_len = values->len;

	if (split_members(object, names, values) && names->len - names_len <= METRIC_TEXT_NAMES_MAX)
		return true;
	str_truncate(names, names_len);
	str_truncate(values, values_len);
	return false;
}

/* The next of ["a","b"], with its quotes; text NULL at the end. cursor begins at 0. */
static struct jtext next_name(const char *names, size_t len, size_t *cursor)
{
	size_t from = *cursor + 1, end;

	if (from >= len || names[from] != '"')
		return (struct jtext){NULL, 0};
	for (end = from + 1; end < len && names[end] != '"'; end++)
		if (names[end] == '\\')
			end++;
	if (end >= len)
		return (struct jtext){NULL, 0};
	*cursor = end + 1;
	return (struct jtext){names + from, end + 1 - from};
}

/* The text of the value at cursor; false at the end. */
static bool next_value(const char *values, size_t len, size_t *cursor, struct jtext *v_r)
{
	const char *from = values + *cursor, *comma;

	if (*cursor >= len)
		return false;
	comma = memchr(from, ',', len - *cursor);
	v_r->text = from;
	v_r->len = comma != NULL ? (size_t)(comma - from) : len - *cursor;
	*cursor += v_r->len + 1;
	return true;
}

static bool join_members(const char *names, size_t names_len, const char *values, size_t values_len,
			 struct str *object)
{
	size_t at_name = 0, at_value = 0;
	struct jtext name, value;

	str_addc(object, '{');
	for (;;) {
		bool has_value = next_value(values, values_len, &at_value, &value);

		name = next_name(names, names_len, &at_name);
		if (name.text == NULL && !has_value)
			break;
		if (name.text == NULL || !has_value || !jtext_is_number(value))
			return false;
		if (object->data[object->len - 1] != '{')
			str_addc(object, ',');
		str_addn(object, name.text, name.len);
		str_addc(object, ':');
		str_addn(object, value.text, value.len);
	}
	str_addc(object, '}');
	return at_name > 0 && names[0] == '[' && at_name + 1 == names_len && names[at_name] == ']';
}

bool metric_text_join(const char *names, size_t names_len, const char *values, size_t values_len,
		      struct str *object)
{
	size_t len = object->len;

	if (join_members(names, names_len, values, values_len, object))
		return true;
	str_truncate(object, len);
	return false;
}

bool metric_text_next_name(const char *names, size_t len, size_t *cursor, struct jtext *name_r)
{
	*name_r = next_name(names, len, cursor);
	return name_r->text != NULL;
}

bool metric_text_next(const char *values, size_t len, size_t *cursor, double *value_r)
{
	struct jtext value;

	return next_value(values, len, cursor, &value) && jtext_number(value, value_r);
}
