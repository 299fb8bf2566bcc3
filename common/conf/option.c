/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/option.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"

/* clang-format off */
static const char *const type_names[] = {
	[CONF_T_END] = "",           [CONF_T_STR] = "string",
	[CONF_T_INT] = "int",        [CONF_T_NUM] = "number",
	[CONF_T_BOOL] = "bool",      [CONF_T_DURATION] = "duration",
	[CONF_T_SIZE] = "size",      [CONF_T_PORT] = "port",
	[CONF_T_ENUM] = "enum",      [CONF_T_CRON] = "cron",
	[CONF_T_JQ] = "jq",          [CONF_T_THRESHOLD] = "threshold",
	[CONF_T_REF] = "ref",        [CONF_T_LIST] = "list",
	[CONF_T_JSON] = "json",      [CONF_T_STRMAP] = "strmap",
	[CONF_T_MAP] = "map",        [CONF_T_DICT] = "dict",
	[CONF_T_ARRAY] = "array",
};
/* clang-format on */

const char *conf_type_name(enum conf_type type)
{
	HALE_ASSERT((size_t)type < ARRAY_LEN(type_names));
	return type_names[type];
}

enum conf_type conf_type_from_name(const char *name)
{
	for (size_t i = 1; i < ARRAY_LEN(type_names); i++) {
		if (strcmp(type_names[i], name) == 0)
			return (enum conf_type)i;
	}
	return CONF_T_END;
}

bool conf_choice_has(const char *choices, const char *word)
{
	size_t len = strlen(word);

	if (strchr(word, '|') != NULL)
		return false;
	for (const char *p = choices; p != NULL; p = strchr(p, '|')) {
		p += *p == '|';
		if (strncmp(p, word, len) == 0 && (p[len] == '|' || p[len] == '\0'))
			return true;
	}
	return false;
}

static int decode_items(const struct conf_item *items, const json_t *object, char *out,
			struct err *err);
static void free_items(const struct conf_item *items, char *out);

static const char *json_word(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "a mapping";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "text";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	case JSON_NULL:
		break;
	}
	return "nothing";
}

static int wrong_type(const char *wanted, const json_t *value, struct err *err)
{
	return err_set(err, -EINVAL, "expected %s, found %s", wanted, json_word(value));
}

/* ---- Defaults ---- */

static char *unquoted(const char *text, size_t len)
{
	while (len > 0 && isspace((unsigned char)*text)) {
		text++;
		len--;
	}
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		len--;
	if (len >= 2 && (*text == '"' || *text == '\'') && text[len - 1] == *text)
		return mem_dupn(text + 1, len - 2);
	return mem_dupn(text, len);
}

/* Defaults of lists are written "[a, b]" or "a". */
static json_t *default_list(const char *def)
{
	json_t *list = json_array();
	size_t len = strlen(def);
	bool has_brackets = len >= 2 && def[0] == '[' && def[len - 1] == ']';
	const char *p = has_brackets ? def + 1 : def;
	const char *end = has_brackets ? def + len - 1 : def + len;

	while (p < end) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		size_t n = (size_t)((comma != NULL ? comma : end) - p);
		HALE_CLEANUP(cleanup_free) char *word = unquoted(p, n);

		if (*word != '\0')
			json_array_append_new(list, json_string(word));
		p += n + 1;
	}
	return list;
}

/* A default is YAML text for people; haled reads it as YAML. Here only the forms that defaults
 * really have are read, so that children need no YAML parser. */
static json_t *default_value(const struct conf_item *item)
{
	HALE_CLEANUP(cleanup_free) char *word = unquoted(item->def, strlen(item->def));
	int64_t n = 0;

	switch (item->type) {
	case CONF_T_INT:
	case CONF_T_PORT:
		return json_integer(strtoll(word, NULL, 10));
	case CONF_T_NUM:
		return json_real(strtod(word, NULL));
	case CONF_T_BOOL:
		return json_boolean(strcmp(word, "true") == 0);
	case CONF_T_DURATION:
		HALE_ASSERT(duration_parse(word, &n) == 0);
		return json_integer(n);
	case CONF_T_SIZE:
		HALE_ASSERT(size_parse(word, &n) == 0);
		return json_integer(n);
	case CONF_T_LIST:
		return default_list(item->def);
	case CONF_T_JSON:
	case CONF_T_STRMAP:
	case CONF_T_MAP:
	case CONF_T_DICT:
	case CONF_T_ARRAY:
		return json_loads(item->def, JSON_DECODE_ANY, NULL);
	default:
		return json_string(word);
	}
}

/* ---- Decoding ---- */

static int check_range(const struct conf_item *item, double value, struct err *err)
{
	bool has_range = item->min != 0 || item->max != 0;
	bool has_max = item->max >= item->min;

	if (!has_range || (value >= item->min && (!has_max || value <= item->max)))
		return 0;
	if (!has_max)
		return err_set(err, -ERANGE, "%.15g is less than %.15g", value, item->min);
	return err_set(err, -ERANGE, "%.15g is not between %.15g and %.15g", value, item->min,
		       item->max);
}

static int decode_text(const struct conf_item *item, const json_t *value, char **field,
		       struct err *err)
{
	const char *text = json_string_value(value);

	if (text == NULL)
		return wrong_type("text", value, err);
	if (item->type == CONF_T_ENUM && !conf_choice_has(item->choices, text))
		return err_set(err, -EINVAL, "'%s' is not one of %s", text, item->choices);
	if ((item->flags & CONF_F_NONEMPTY) != 0 && *text == '\0')
		return err_set(err, -EINVAL, "must not be empty");
	*field = mem_dup(text);
	return 0;
}

static int decode_integer(const struct conf_item *item, const json_t *value, int64_t *field,
			  struct err *err)
{
	const char *wanted = item->type == CONF_T_DURATION ? "milliseconds, a whole number"
			     : item->type == CONF_T_SIZE   ? "bytes, a whole number"
							   : "a whole number";

	if (!json_is_integer(value))
		return wrong_type(wanted, value, err);
	*field = json_integer_value(value);
	return check_range(item, (double)*field, err);
}

static int decode_number(const struct conf_item *item, const json_t *value, double *field,
			 struct err *err)
{
	if (!json_is_number(value))
		return wrong_type("a number", value, err);
	*field = json_number_value(value);
	return check_range(item, *field, err);
}

static int decode_list(const struct conf_item *item, const json_t *value, struct strlist *field,
		       struct err *err)
{
	size_t i;
	json_t *entry;

	if (json_is_string(value)) {
		strlist_add(field, json_string_value(value));
		return 0;
	}
	if (!json_is_array(value))
		return wrong_type("a list", value, err);
	json_array_foreach (value, i, entry) {
		if (!json_is_string(entry)) {
			wrong_type("text", entry, err);
			err_prefix(err, "[%zu]", i);
			return -EINVAL;
		}
		if (item->choices != NULL &&
		    !conf_choice_has(item->choices, json_string_value(entry)))
			return err_set(err, -EINVAL, "'%s' is not one of %s",
				       json_string_value(entry), item->choices);
		strlist_add(field, json_string_value(entry));
	}
	if ((item->flags & CONF_F_NONEMPTY) != 0 && field->n == 0)
		return err_set(err, -EINVAL, "must not be empty");
	return 0;
}

static int decode_strmap(const json_t *value, json_t **field, struct err *err)
{
	const char *key;
	json_t *entry;

	if (!json_is_object(value))
		return wrong_type("a mapping", value, err);
	json_object_foreach ((json_t *)value, key, entry) {
		if (!json_is_string(entry)) {
			wrong_type("text", entry, err);
			err_prefix(err, "%s", key);
			return -EINVAL;
		}
	}
	*field = json_deep_copy(value);
	return 0;
}

static int decode_dict(const struct conf_item *item, const json_t *value, struct conf_vec *field,
		       struct err *err)
{
	const char *key;
	json_t *entry;

	if (!json_is_object(value))
		return wrong_type("a mapping", value, err);
	field->v = mem_array(json_object_size(value) + 1, item->item_size);
	json_object_foreach ((json_t *)value, key, entry) {
		char *element = (char *)field->v + field->n * item->item_size;
		int rc;

		/* Counted before it is filled, so that conf_free() sees a half-built one too. */
		field->n++;
		*(char **)(void *)element = mem_dup(key);
		rc = decode_items(item->items, entry, element, err);
		if (rc < 0) {
			err_prefix(err, "%s", key);
			return rc;
		}
	}
	return 0;
}

static int decode_array(const struct conf_item *item, const json_t *value, struct conf_vec *field,
			struct err *err)
{
	size_t i;
	json_t *entry;

	if (!json_is_array(value))
		return wrong_type("a list", value, err);
	field->v = mem_array(json_array_size(value) + 1, item->item_size);
	json_array_foreach (value, i, entry) {
		int rc;

		field->n++;
		rc = decode_items(item->items, entry, (char *)field->v + i * item->item_size, err);
		if (rc < 0) {
			err_prefix(err, "[%zu]", i);
			return rc;
		}
	}
	return 0;
}

static int decode_vec(const struct conf_item *item, const json_t *value, struct conf_vec *field,
		      struct err *err)
{
	int rc = item->type == CONF_T_DICT ? decode_dict(item, value, field, err)
					   : decode_array(item, value, field, err);

	if (rc == 0 && (item->flags & CONF_F_NONEMPTY) != 0 && field->n == 0)
		return err_set(err, -EINVAL, "must not be empty");
	return rc;
}

static int decode_value(const struct conf_item *item, const json_t *value, char *out,
			struct err *err)
{
	void *field = out + item->offset;

	switch (item->type) {
	case CONF_T_INT:
	case CONF_T_PORT:
	case CONF_T_DURATION:
	case CONF_T_SIZE:
		return decode_integer(item, value, field, err);
	case CONF_T_NUM:
		return decode_number(item, value, field, err);
	case CONF_T_BOOL:
		if (!json_is_boolean(value))
			return wrong_type("true or false", value, err);
		*(bool *)field = json_is_true(value);
		return 0;
	case CONF_T_LIST:
		return decode_list(item, value, field, err);
	case CONF_T_JSON:
		*(json_t **)field = json_deep_copy(value);
		return 0;
	case CONF_T_STRMAP:
		return decode_strmap(value, field, err);
	case CONF_T_MAP:
		return decode_items(item->items, value, field, err);
	case CONF_T_DICT:
	case CONF_T_ARRAY:
		return decode_vec(item, value, field, err);
	default:
		return decode_text(item, value, field, err);
	}
}

static const struct conf_item *find_item(const struct conf_item *items, const char *name)
{
	for (; items->type != CONF_T_END; items++) {
		if (strcmp(items->name, name) == 0)
			return items;
	}
	return NULL;
}

static int decode_item(const struct conf_item *item, const json_t *object, char *out,
		       struct err *err)
{
	const json_t *value = json_object_get(object, item->name);
	json_t *def = NULL;
	int rc;

	/* JSON options may be null on purpose; for all others null says "not given". */
	if (json_is_null(value) && item->type != CONF_T_JSON)
		value = NULL;
	if (value == NULL && (item->flags & CONF_F_REQUIRED) != 0)
		return err_set(err, -EINVAL, "required option '%s' is missing", item->name);
	if (value == NULL && item->def == NULL)
		return 0;
	if (value == NULL) {
		def = default_value(item);
		HALE_ASSERT(def != NULL);
	}
	rc = decode_value(item, value != NULL ? value : def, out, err);
	json_decref(def);
	if (rc < 0)
		err_prefix(err, "%s", item->name);
	return rc;
}

static int decode_items(const struct conf_item *items, const json_t *object, char *out,
			struct err *err)
{
	const char *key;
	json_t *value;

	if (!json_is_object(object))
		return wrong_type("a mapping", object, err);
	json_object_foreach ((json_t *)object, key, value) {
		if (find_item(items, key) == NULL)
			return err_set(err, -EINVAL, "unknown option '%s'", key);
	}
	for (; items->type != CONF_T_END; items++) {
		int rc = decode_item(items, object, out, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

int conf_decode(const struct conf_item *items, const json_t *object, void *out, struct err *err)
{
	int rc = object != NULL ? decode_items(items, object, out, err)
				: err_set(err, -EINVAL, "expected a mapping, found nothing");

	if (rc < 0)
		conf_free(items, out);
	return rc;
}

/* ---- Freeing ---- */

static void free_vec(const struct conf_item *item, struct conf_vec *vec)
{
	for (size_t i = 0; i < vec->n; i++) {
		char *element = (char *)vec->v + i * item->item_size;

		free_items(item->items, element);
		if (item->type == CONF_T_DICT)
			free(*(char **)(void *)element);
	}
	free(vec->v);
}

static void free_value(const struct conf_item *item, char *out)
{
	void *field = out + item->offset;

	switch (item->type) {
	case CONF_T_INT:
	case CONF_T_PORT:
	case CONF_T_DURATION:
	case CONF_T_SIZE:
		*(int64_t *)field = 0;
		break;
	case CONF_T_NUM:
		*(double *)field = 0;
		break;
	case CONF_T_BOOL:
		*(bool *)field = false;
		break;
	case CONF_T_LIST:
		strlist_done(field);
		break;
	case CONF_T_JSON:
	case CONF_T_STRMAP:
		json_decref(*(json_t **)field);
		*(json_t **)field = NULL;
		break;
	case CONF_T_MAP:
		free_items(item->items, field);
		break;
	case CONF_T_DICT:
	case CONF_T_ARRAY:
		free_vec(item, field);
		*(struct conf_vec *)field = (struct conf_vec){0};
		break;
	default:
		free(*(char **)field);
		*(char **)field = NULL;
		break;
	}
}

static void free_items(const struct conf_item *items, char *out)
{
	for (; items->type != CONF_T_END; items++)
		free_value(items, out);
}

void conf_free(const struct conf_item *items, void *out)
{
	free_items(items, out);
}
