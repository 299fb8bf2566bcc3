/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/schema.h"

#include "spec.h"

static json_t *table_units(const struct spec_table *table);

static json_t *option_units(const struct spec_option *o)
{
	json_t *table;

	if (o->type == CONF_T_DURATION)
		return json_string(SCHEMA_UNIT_MS);
	if (o->type == CONF_T_SIZE)
		return json_string(SCHEMA_UNIT_BYTES);
	if (o->table == NULL)
		return NULL;
	table = table_units(o->table);
	if (table == NULL || o->type == CONF_T_MAP)
		return table;
	return json_pack("{s:o}", SCHEMA_UNITS_EACH, table);
}

static json_t *add_units(json_t *out, const struct spec_option *options, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		json_t *units = option_units(&options[i]);

		if (units == NULL)
			continue;
		if (out == NULL)
			out = json_object();
		json_object_set_new(out, options[i].name, units);
	}
	return out;
}

/* NULL if nothing in it has a unit. */
static json_t *table_units(const struct spec_table *table)
{
	return add_units(NULL, table->v, table->n);
}

json_t *schema_units(const struct manifest_set *manifests, const json_t *core)
{
	struct spec *spec = spec_new(manifests, core);
	json_t *out = add_units(json_object(), spec->sections, spec->sections_n);
	json_t *component = add_units(json_object(), spec->component->v, spec->component->n);

	component = add_units(component, spec->kinds, spec->kinds_n);
	json_object_set_new(out, "components", json_pack("{s:o}", SCHEMA_UNITS_EACH, component));
	spec_free(spec);
	return out;
}
