/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/schema.h"

#include <string.h>

#include "arena.h"
#include "reader.h"
#include "schema_value.h"
#include "spec.h"

#define DIALECT      "https://json-schema.org/draft/2020-12/schema"
/* A value of any type may be written as text with a ${…} in it. */
#define EXPANSION    "\\$\\{"
#define DURATION     "^(0|([0-9]+(w|d|h|ms|m|s))+)$|" EXPANSION
#define SIZE         "^[0-9]+ *([KMGT](i?B)?|B)?$|" EXPANSION
#define COMPONENT_ID "^[a-z0-9_.-]+$"

static json_t *table_schema(const struct spec_table *table);
static json_t *type_schema(const struct spec_option *o);

static json_t *typed(const char *type)
{
	return json_pack("{s:s}", "type", type);
}

static json_t *any_scalar(void)
{
	return json_pack("{s:[s,s,s]}", "type", "string", "number", "boolean");
}

static json_t *expansion(void)
{
	return json_pack("{s:s,s:s}", "type", "string", "pattern", EXPANSION);
}

/* The type itself, or ${…}. */
static json_t *or_expansion(json_t *schema)
{
	return json_pack("{s:[o,o]}", "anyOf", schema, expansion());
}

static json_t *number_schema(const struct spec_option *o)
{
	json_t *schema = typed(o->type == CONF_T_NUM ? "number" : "integer");

	if (o->has_min)
		json_object_set_new(schema, "minimum", json_real(o->min));
	if (o->has_max)
		json_object_set_new(schema, "maximum", json_real(o->max));
	return or_expansion(schema);
}

static json_t *choice_schema(const struct spec_option *o)
{
	json_t *list = json_array();

	for (const char **c = o->choices; *c != NULL; c++)
		json_array_append_new(list, json_string(*c));
	return or_expansion(json_pack("{s:o}", "enum", list));
}

static json_t *dict_schema(json_t *values)
{
	return json_pack("{s:[s,s],s:o}", "type", "object", "null", "additionalProperties", values);
}

static json_t *list_schema(const struct spec_option *o)
{
	json_t *one = o->choices != NULL ? choice_schema(o) : any_scalar();
	json_t *many = json_pack("{s:s,s:O}", "type", "array", "items", one);

	if (o->is_nonempty)
		json_object_set_new(many, "minItems", json_integer(1));
	return json_pack("{s:[o,o]}", "anyOf", one, many);
}

/* The mapping, or what stands for it. */
static json_t *map_schema(const struct spec_option *o)
{
	const struct spec_option *bare = o->bare != NULL ? spec_find(o->table, o->bare) : NULL;
	json_t *schema = table_schema(o->table);

	return bare == NULL ? schema : json_pack("{s:[o,o]}", "anyOf", schema, type_schema(bare));
}

static json_t *type_schema(const struct spec_option *o)
{
	switch (o->type) {
	case CONF_T_INT:
	case CONF_T_PORT:
	case CONF_T_NUM:
		return number_schema(o);
	case CONF_T_BOOL:
		return or_expansion(typed("boolean"));
	case CONF_T_DURATION:
		return json_pack("{s:[{s:s,s:s},{s:i}]}", "anyOf", "type", "string", "pattern",
				 DURATION, "const", 0);
	case CONF_T_SIZE:
		return json_pack("{s:[{s:s,s:s},{s:s}]}", "anyOf", "type", "string", "pattern",
				 SIZE, "type", "integer");
	case CONF_T_ENUM:
		return choice_schema(o);
	case CONF_T_STR:
		return any_scalar();
	case CONF_T_LIST:
		return list_schema(o);
	case CONF_T_JSON:
		return json_object();
	case CONF_T_STRMAP:
		return dict_schema(any_scalar());
	case CONF_T_MAP:
		return map_schema(o);
	case CONF_T_DICT:
		return dict_schema(table_schema(o->table));
	case CONF_T_ARRAY:
		return json_pack("{s:s,s:o}", "type", "array", "items", table_schema(o->table));
	default:
		return typed("string");
	}
}

static json_t *default_json(const char *text)
{
	HALE_CLEANUP(arena_done) struct arena arena = {0};
	struct report report = {0};
	size_t nodes = 0;
	struct reader_job job = {.arena = &arena, .report = &report, .nodes = &nodes};
	struct node *node;
	json_t *value;

	job.source = source_new("default", text, strlen(text));
	node = reader_read(&job);
	value = node != NULL ? schema_natural(node) : NULL;
	source_free(job.source);
	report_done(&report);
	return value;
}

static json_t *option_schema(const struct spec_option *o)
{
	json_t *schema = type_schema(o);
	json_t *def = o->def_text != NULL ? default_json(o->def_text) : NULL;

	if (o->help != NULL)
		json_object_set_new(schema, "description", json_string(o->help));
	if (def != NULL)
		json_object_set_new(schema, "default", def);
	return schema;
}

static json_t *table_schema(const struct spec_table *table)
{
	json_t *properties = json_object();
	json_t *required = json_array();
	json_t *schema;

	for (size_t i = 0; i < table->n; i++) {
		json_object_set_new(properties, table->v[i].name, option_schema(&table->v[i]));
		if (table->v[i].is_required)
			json_array_append_new(required, json_string(table->v[i].name));
	}
	schema = json_pack("{s:o,s:o,s:b}", "properties", properties, "required", required,
			   "additionalProperties", 0);
	/* "key:" with nothing after it is an empty mapping, where nothing is required. */
	if (json_array_size(required) > 0)
		json_object_set_new(schema, "type", json_string("object"));
	else
		json_object_set_new(schema, "type", json_pack("[s,s]", "object", "null"));
	return schema;
}

static json_t *component_schema(const struct spec *spec)
{
	json_t *schema = table_schema(spec->component);
	json_t *properties = json_object_get(schema, "properties");
	json_t *one_of = json_array();

	for (size_t i = 0; i < spec->kinds_n; i++) {
		json_object_set_new(properties, spec->kinds[i].name,
				    option_schema(&spec->kinds[i]));
		json_array_append_new(one_of,
				      json_pack("{s:[s]}", "required", spec->kinds[i].name));
	}
	json_object_set_new(schema, "type", json_string("object"));
	if (spec->kinds_n > 0)
		json_object_set_new(schema, "oneOf", one_of);
	else
		json_decref(one_of);
	return schema;
}

static json_t *components_schema(const struct spec *spec)
{
	return json_pack("{s:[s,s],s:{s:o},s:b,s:s}", "type", "object", "null", "patternProperties",
			 COMPONENT_ID, component_schema(spec), "additionalProperties", 0,
			 "description", "What is watched, by id");
}

json_t *schema_json_schema(const struct manifest_set *manifests, const json_t *core)
{
	struct spec *spec = spec_new(manifests, core);
	json_t *properties = json_object();
	json_t *include = json_pack("{s:[{s:s},{s:s,s:{s:s}}],s:s}", "anyOf", "type", "string",
				    "type", "array", "items", "type", "string", "description",
				    "Files to merge into this one, as globs");

	json_object_set_new(properties, "include", include);
	json_object_set_new(properties, "components", components_schema(spec));
	for (size_t i = 0; i < spec->sections_n; i++)
		json_object_set_new(properties, spec->sections[i].name,
				    option_schema(&spec->sections[i]));
	spec_free(spec);
	return json_pack("{s:s,s:s,s:s,s:o,s:b}", "$schema", DIALECT, "title", "hale.yaml", "type",
			 "object", "properties", properties, "additionalProperties", 0);
}
