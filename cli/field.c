/* SPDX-License-Identifier: Apache-2.0 */
#include "field.h"

#include "base/clock.h"
#include "base/str.h"

const char *field_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

const char *field_or(const json_t *object, const char *key, const char *otherwise)
{
	const char *text = field_text(object, key);

	return text != NULL ? text : otherwise;
}

json_int_t field_int(const json_t *object, const char *key, json_int_t otherwise)
{
	const json_t *v = json_object_get(object, key);

	return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

bool field_number(const json_t *object, const char *key, double *n_r)
{
	const json_t *v = json_object_get(object, key);

	if (!json_is_number(v))
		return false;
	*n_r = json_number_value(v);
	return true;
}

bool field_time(const json_t *object, const char *key, int64_t *wall_ms_r)
{
	const char *text = field_text(object, key);

	return text != NULL && clock_parse(text, wall_ms_r) == 0;
}

bool field_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

json_t *field_array(const json_t *object, const char *key)
{
	json_t *v = json_object_get(object, key);

	return json_is_array(v) ? v : NULL;
}

json_t *field_find(const json_t *array, const char *key, const char *text)
{
	json_t *element;
	size_t i;

	json_array_foreach (array, i, element) {
		if (text != NULL && str_eq(field_text(element, key), text))
			return element;
	}
	return NULL;
}
