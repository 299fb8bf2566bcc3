/* SPDX-License-Identifier: Apache-2.0 */
#include "jq_value.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"

/* 2^63: what a json_int_t holds and a double can name exactly. */
#define INTEGER_LIMIT 9223372036854775808.0

json_t *jq_value_number(double d)
{
	if (isnan(d))
		return json_null();
	if (isinf(d))
		d = d > 0 ? DBL_MAX : -DBL_MAX;
	if (d == trunc(d) && fabs(d) < INTEGER_LIMIT)
		return json_integer((json_int_t)d);
	return json_real(d);
}

/* ---- numbers as jq prints them ---- */

static bool is_normal_number(const json_t *value)
{
	double d;

	if (json_is_integer(value)) {
		json_int_t i = json_integer_value(value);

		d = (double)i;
		return fabs(d) < INTEGER_LIMIT && (json_int_t)d == i;
	}
	d = json_real_value(value);
	return d != trunc(d) || fabs(d) >= INTEGER_LIMIT;
}

static bool is_normal(const json_t *value)
{
	const char *key;
	json_t *member;
	size_t i;

	switch (json_typeof(value)) {
	case JSON_INTEGER:
	case JSON_REAL:
		return is_normal_number(value);
	case JSON_ARRAY:
		json_array_foreach (value, i, member) {
			if (!is_normal(member))
				return false;
		}
		return true;
	case JSON_OBJECT:
		json_object_foreach ((json_t *)value, key, member) {
			if (!is_normal(member))
				return false;
		}
		return true;
	default:
		return true;
	}
}

static void normalise_members(json_t *value)
{
	const char *key;
	json_t *member;
	void *next;
	size_t i;

	if (json_is_array(value)) {
		json_array_foreach (value, i, member) {
			if (json_is_number(member))
				(void)json_array_set_new(value, i, jq_value_normal(member));
			else
				normalise_members(member);
		}
		return;
	}
	json_object_foreach_safe(value, next, key, member)
	{
		if (json_is_number(member))
			(void)json_object_iter_set_new(value, json_object_iter_at(value, key),
						       jq_value_normal(member));
		else
			normalise_members(member);
	}
}

json_t *jq_value_normal(const json_t *value)
{
	json_t *copy;

	if (json_is_number(value))
		return jq_value_number(json_number_value(value));
	if (is_normal(value))
		return json_incref((json_t *)value);
	copy = json_deep_copy(value);
	HALE_ASSERT(copy != NULL);
	normalise_members(copy);
	return copy;
}

/* ---- between the libraries ---- */

jv jq_value_to_jv(const json_t *value)
{
	jv out;

	switch (json_typeof(value)) {
	case JSON_NULL:
		return jv_null();
	case JSON_TRUE:
		return jv_true();
	case JSON_FALSE:
		return jv_false();
	case JSON_INTEGER:
	case JSON_REAL:
		return jv_number(json_number_value(value));
	case JSON_STRING:
		return jv_string_sized(json_string_value(value), (int)json_string_length(value));
	case JSON_ARRAY:
		out = jv_array_sized((int)json_array_size(value));
		for (size_t i = 0; i < json_array_size(value); i++)
			out = jv_array_append(out, jq_value_to_jv(json_array_get(value, i)));
		return out;
	case JSON_OBJECT:
		break;
	}
	out = jv_object();
	for (void *it = json_object_iter((json_t *)value); it != NULL;
	     it = json_object_iter_next((json_t *)value, it)) {
		jv key = jv_string_sized(json_object_iter_key(it),
					 (int)json_object_iter_key_len(it));

		out = jv_object_set(out, key, jq_value_to_jv(json_object_iter_value(it)));
	}
	return out;
}

static json_t *from_jv(jv value, unsigned depth);

static json_t *array_from_jv(jv value, unsigned depth)
{
	json_t *out = json_array();
	int len = jv_array_length(jv_copy(value));

	for (int i = 0; i < len && out != NULL; i++) {
		if (json_array_append_new(out, from_jv(jv_array_get(jv_copy(value), i), depth)) !=
		    0) {
			json_decref(out);
			out = NULL;
		}
	}
	jv_free(value);
	return out;
}

static json_t *object_from_jv(jv value, unsigned depth)
{
	json_t *out = json_object();

	for (int it = jv_object_iter(value); jv_object_iter_valid(value, it) && out != NULL;
	     it = jv_object_iter_next(value, it)) {
		jv key = jv_object_iter_key(value, it);
		json_t *member = from_jv(jv_object_iter_value(value, it), depth);
		size_t key_len = (size_t)jv_string_length_bytes(jv_copy(key));

		if (json_object_setn_new(out, jv_string_value(key), key_len, member) != 0) {
			json_decref(out);
			out = NULL;
		}
		jv_free(key);
	}
	jv_free(value);
	return out;
}

static json_t *from_jv(jv value, unsigned depth)
{
	json_t *out = NULL;

	if (depth > JQ_DEPTH_MAX) {
		jv_free(value);
		return NULL;
	}
	switch (jv_get_kind(value)) {
	case JV_KIND_ARRAY:
		return array_from_jv(value, depth + 1);
	case JV_KIND_OBJECT:
		return object_from_jv(value, depth + 1);
	case JV_KIND_NUMBER:
		return jq_value_number(jv_number_value(value));
	case JV_KIND_STRING:
		out = json_stringn(jv_string_value(value),
				   (size_t)jv_string_length_bytes(jv_copy(value)));
		break;
	case JV_KIND_TRUE:
		return json_true();
	case JV_KIND_FALSE:
		return json_false();
	case JV_KIND_NULL:
		return json_null();
	case JV_KIND_INVALID:
		break;
	}
	jv_free(value);
	return out;
}

json_t *jq_value_from_jv(jv value)
{
	return from_jv(value, 0);
}
