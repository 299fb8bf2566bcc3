/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/schema.h"

#include "base/units.h"
#include "spec.h"

static void read_table(json_t *object, const struct spec_table *table);

static json_t *unit_text(enum conf_type type, json_int_t n)
{
	char text[UNITS_TEXT_MAX];

	return json_string(type == CONF_T_DURATION ? duration_format(n, text)
						   : size_format(n, text));
}

/* What is no number (masked, or from another version) stays as it is. */
static void read_option(json_t *object, const struct spec_option *o)
{
	json_t *value = json_object_get(object, o->name), *entry;
	const char *key;
	size_t i;

	if ((o->type == CONF_T_DURATION || o->type == CONF_T_SIZE) && json_is_integer(value))
		json_object_set_new(object, o->name, unit_text(o->type, json_integer_value(value)));
	if (o->table == NULL)
		return;
	if (o->type == CONF_T_MAP)
		read_table(value, o->table);
	if (o->type == CONF_T_DICT) {
		json_object_foreach (value, key, entry)
			read_table(entry, o->table);
	}
	if (o->type == CONF_T_ARRAY) {
		json_array_foreach (value, i, entry)
			read_table(entry, o->table);
	}
}

static void read_table(json_t *object, const struct spec_table *table)
{
	for (size_t i = 0; json_is_object(object) && i < table->n; i++)
		read_option(object, &table->v[i]);
}

json_t *schema_readable(const json_t *normalised, const struct manifest_set *manifests,
			const json_t *core)
{
	json_t *out = json_deep_copy(normalised), *component;
	struct spec *spec = spec_new(manifests, core);
	const char *id;

	for (size_t i = 0; i < spec->sections_n; i++)
		read_option(out, &spec->sections[i]);
	json_object_foreach (json_object_get(out, "components"), id, component) {
		read_table(component, spec->component);
		for (size_t i = 0; i < spec->kinds_n; i++)
			read_option(component, &spec->kinds[i]);
		/* The mapping of that name says it, and in a file it would be an unknown key. */
		(void)json_object_del(component, "kind");
		(void)json_object_del(component, "configured");
	}
	spec_free(spec);
	return out;
}
