/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/config_diff.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"
#include "conf/schema.h"

struct diff {
	json_t *entries;
	size_t more;
	struct str path;
};

/* One place in both configurations. */
struct pair {
	struct config_side from, to;
	const json_t *units; /* NULL: nothing here has one */
};

static void compare(struct diff *d, const struct pair *p);

/* ---- values as people write them ---- */

static const json_t *units_of(const json_t *units, const char *key)
{
	const json_t *own = json_object_get(units, key);

	return own != NULL ? own : json_object_get(units, SCHEMA_UNITS_EACH);
}

static json_t *written(const json_t *value, const json_t *units)
{
	char text[UNITS_TEXT_MAX];
	const char *unit = json_string_value(units);
	const char *key;
	json_t *member, *out;
	size_t i;

	if (unit != NULL && json_is_integer(value))
		return json_string(str_eq(unit, SCHEMA_UNIT_MS)
					   ? duration_format(json_integer_value(value), text)
					   : size_format(json_integer_value(value), text));
	if (!json_is_object(units) || (!json_is_object(value) && !json_is_array(value)))
		return json_incref((json_t *)(uintptr_t)value);
	out = json_copy((json_t *)(uintptr_t)value);
	json_object_foreach ((json_t *)(uintptr_t)value, key, member)
		json_object_set_new(out, key, written(member, units_of(units, key)));
	json_array_foreach ((json_t *)(uintptr_t)value, i, member)
		json_array_set_new(out, i, written(member, units_of(units, "")));
	return out;
}

static json_t *shown(const json_t *masked, const json_t *units)
{
	size_t len = json_dumpb(masked, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);

	if (len > CONFIG_DIFF_VALUE_MAX)
		return json_sprintf("(%zu bytes)", len);
	return written(masked, units);
}

static void add(struct diff *d, const struct pair *p)
{
	const char *change = p->from.json == NULL ? "added" : "changed";
	json_t *entry;

	if (json_array_size(d->entries) >= CONFIG_DIFF_MAX) {
		d->more++;
		return;
	}
	entry = json_pack("{s:s, s:s}", "path", str_text(&d->path), "change",
			  p->to.json == NULL ? "removed" : change);
	if (p->from.json != NULL && p->to.json != NULL &&
	    json_equal(p->from.masked, p->to.masked)) {
		json_object_set_new(entry, "secret", json_true());
	} else {
		if (p->from.json != NULL)
			json_object_set_new(entry, "old", shown(p->from.masked, p->units));
		if (p->to.json != NULL)
			json_object_set_new(entry, "new", shown(p->to.masked, p->units));
	}
	json_array_append_new(d->entries, entry);
}

/* ---- places ---- */

static bool is_word(const char *key)
{
	for (const char *c = key; *c != '\0'; c++) {
		if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-')
			return false;
	}
	return key[0] != '\0';
}

/* Goes down into a member, and comes back. */
static void compare_at(struct diff *d, const struct pair *member, const char *key, bool is_name)
{
	size_t before = d->path.len;

	if (is_name && is_word(key))
		str_addf(&d->path, "%s%s", before > 0 ? "." : "", key);
	else
		str_addf(&d->path, is_name ? "[\"%s\"]" : "[%s]", key);
	compare(d, member);
	str_truncate(&d->path, before);
}

static bool are(const struct pair *p, bool (*is_type)(const json_t *))
{
	return is_type(p->from.json) && is_type(p->to.json) && is_type(p->from.masked) &&
	       is_type(p->to.masked);
}

static bool is_object(const json_t *json)
{
	return json_is_object(json);
}

static bool is_array(const json_t *json)
{
	return json_is_array(json);
}

static struct config_side member_of(const struct config_side *side, const char *key)
{
	return (struct config_side){.json = json_object_get(side->json, key),
				    .masked = json_object_get(side->masked, key)};
}

/* In the order of the new file; what left it comes last. */
static void compare_objects(struct diff *d, const struct pair *p)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)p->to.json, key, value) {
		struct pair member = {member_of(&p->from, key), member_of(&p->to, key),
				      units_of(p->units, key)};

		compare_at(d, &member, key, true);
	}
	json_object_foreach ((json_t *)(uintptr_t)p->from.json, key, value) {
		struct pair member = {.from = member_of(&p->from, key),
				      .units = units_of(p->units, key)};

		if (json_object_get(p->to.json, key) == NULL)
			compare_at(d, &member, key, true);
	}
}

/* ---- lists ---- */

/* {name: member} when all have a name of their own, which can be seen; else NULL. */
static json_t *by_name(const json_t *array, const json_t *names)
{
	json_t *out = json_object();

	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *name =
			json_string_value(json_object_get(json_array_get(names, i), "name"));

		if (name == NULL || json_object_get(out, name) != NULL) {
			json_decref(out);
			return NULL;
		}
		json_object_set(out, name, json_array_get(array, i));
	}
	return out;
}

static bool compare_named(struct diff *d, const struct pair *p)
{
	json_t *from = by_name(p->from.json, p->from.masked);
	json_t *from_masked = by_name(p->from.masked, p->from.masked);
	json_t *to = by_name(p->to.json, p->to.masked);
	json_t *to_masked = by_name(p->to.masked, p->to.masked);
	struct pair named = {{from, from_masked}, {to, to_masked}, p->units};
	size_t before = json_array_size(d->entries) + d->more;
	bool has_names = are(&named, is_object);

	if (has_names)
		compare_objects(d, &named);
	json_decref(from);
	json_decref(from_masked);
	json_decref(to);
	json_decref(to_masked);
	/* Nothing but their order differs: still a change. */
	return has_names && json_array_size(d->entries) + d->more > before;
}

static bool are_containers(const json_t *array)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (!json_is_object(json_array_get(array, i)))
			return false;
	}
	return json_array_size(array) > 0;
}

static void compare_arrays(struct diff *d, const struct pair *p)
{
	size_t n = json_array_size(p->to.json);

	if (compare_named(d, p))
		return;
	if (n != json_array_size(p->from.json) || !are_containers(p->from.json) ||
	    !are_containers(p->to.json)) {
		add(d, p);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct pair member = {
			{json_array_get(p->from.json, i), json_array_get(p->from.masked, i)},
			{json_array_get(p->to.json, i), json_array_get(p->to.masked, i)},
			units_of(p->units, "")};
		char number[24];

		(void)snprintf(number, sizeof(number), "%zu", i);
		compare_at(d, &member, number, false);
	}
}

static void compare(struct diff *d, const struct pair *p)
{
	if (p->from.json != NULL && p->to.json != NULL && json_equal(p->from.json, p->to.json))
		return;
	if (are(p, is_object))
		compare_objects(d, p);
	else if (are(p, is_array))
		compare_arrays(d, p);
	else
		add(d, p);
}

json_t *config_diff(const struct config_side *from, const struct config_side *to,
		    const json_t *units, size_t *more_r)
{
	struct diff d = {.entries = json_array()};
	struct pair root = {*from, *to, units};

	compare(&d, &root);
	str_done(&d.path);
	*more_r = d.more;
	return d.entries;
}
