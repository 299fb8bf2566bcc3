/* SPDX-License-Identifier: Apache-2.0 */
#include "spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static struct spec_table *table_new(const json_t *options);
static void table_free(struct spec_table *t);

static const char **choices_new(const json_t *list)
{
	const char **choices = mem_array(json_array_size(list) + 1, sizeof(*choices));

	for (size_t i = 0; i < json_array_size(list); i++)
		choices[i] = json_string_value(json_array_get(list, i));
	return choices;
}

static void option_init(struct spec_option *o, const char *name, enum conf_type type,
			const json_t *from)
{
	const json_t *choices = json_object_get(from, "choices");
	const json_t *min = json_object_get(from, "min");
	const json_t *max = json_object_get(from, "max");

	*o = (struct spec_option){.name = name, .type = type};
	o->help = json_string_value(json_object_get(from, "help"));
	o->is_required = json_is_true(json_object_get(from, "required"));
	o->is_secret = json_is_true(json_object_get(from, "secret"));
	o->is_target = json_is_true(json_object_get(from, "target"));
	o->is_nonempty = json_is_true(json_object_get(from, "nonempty"));
	o->has_named_secrets = json_is_true(json_object_get(from, "named_secrets"));
	o->bare = json_string_value(json_object_get(from, "bare"));
	o->has_min = json_is_number(min);
	o->min = json_number_value(min);
	o->has_max = json_is_number(max);
	o->max = json_number_value(max);
	o->ref = json_string_value(json_object_get(from, "ref"));
	o->def_text = json_string_value(json_object_get(from, "default"));
	if (json_array_size(choices) > 0)
		o->choices = choices_new(choices);
	if (type == CONF_T_MAP || type == CONF_T_DICT || type == CONF_T_ARRAY)
		o->table = table_new(json_object_get(from, "options"));
}

static void option_done(struct spec_option *o)
{
	free(o->choices);
	json_decref(o->def);
	table_free(o->table);
}

static struct spec_table *table_new(const json_t *options)
{
	struct spec_table *t = mem_alloc(sizeof(*t));
	const char *name;
	json_t *option;

	t->v = mem_array(json_object_size(options) + 1, sizeof(*t->v));
	t->names = mem_array(json_object_size(options) + 1, sizeof(*t->names));
	json_object_foreach ((json_t *)options, name, option) {
		const char *type = json_string_value(json_object_get(option, "type"));

		t->names[t->n] = name;
		option_init(&t->v[t->n], name, conf_type_from_name(type != NULL ? type : ""),
			    option);
		map_put(&t->by_name, name, &t->v[t->n]);
		t->n++;
	}
	return t;
}

static void table_free(struct spec_table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n; i++)
		option_done(&t->v[i]);
	map_done(&t->by_name);
	free(t->v);
	free(t->names);
	free(t);
}

static void add_sections(struct spec *s, const json_t *sections)
{
	const char *name;
	json_t *section;

	json_object_foreach ((json_t *)sections, name, section) {
		const char *shape = json_string_value(json_object_get(section, "shape"));
		bool is_dict = str_eq(shape, "dict");

		s->sections = mem_grow(s->sections, s->sections_n + 1, sizeof(*s->sections));
		option_init(&s->sections[s->sections_n++], name, is_dict ? CONF_T_DICT : CONF_T_MAP,
			    section);
	}
}

static void add_kind(struct spec *s, const json_t *manifest)
{
	const char *kind = json_string_value(json_object_get(manifest, "kind"));
	struct spec_option *o;

	if (kind == NULL || !str_eq(json_string_value(json_object_get(manifest, "role")), "check"))
		return;
	s->kinds = mem_grow(s->kinds, s->kinds_n + 1, sizeof(*s->kinds));
	o = &s->kinds[s->kinds_n++];
	option_init(o, kind, CONF_T_MAP, manifest);
	/* The manifest's own summary says more than nothing. */
	o->help = json_string_value(json_object_get(manifest, "summary"));
}

static void collect_names(struct spec *s)
{
	size_t n = 0;

	s->section_names = mem_array(s->sections_n + 3, sizeof(*s->section_names));
	s->section_names[0] = "components";
	s->section_names[1] = "include";
	for (size_t i = 0; i < s->sections_n; i++)
		s->section_names[i + 2] = s->sections[i].name;
	s->kind_names = mem_array(s->kinds_n + 1, sizeof(*s->kind_names));
	s->component_names =
		mem_array(s->component->n + s->kinds_n + 1, sizeof(*s->component_names));
	for (size_t i = 0; i < s->component->n; i++)
		s->component_names[n++] = s->component->names[i];
	for (size_t i = 0; i < s->kinds_n; i++) {
		s->kind_names[i] = s->kinds[i].name;
		s->component_names[n++] = s->kinds[i].name;
		map_put(&s->kinds_by_name, s->kinds[i].name, &s->kinds[i]);
	}
}

struct spec *spec_new(const struct manifest_set *manifests, const json_t *core)
{
	struct spec *s = mem_alloc(sizeof(*s));

	add_sections(s, json_object_get(core, "sections"));
	s->component = table_new(json_object_get(core, "component"));
	for (size_t i = 0; i < manifests->n; i++) {
		/* The supervisor may keep its own manifest in the set as well. */
		if (manifests->v[i] == core)
			continue;
		add_sections(s, json_object_get(manifests->v[i], "sections"));
		add_kind(s, manifests->v[i]);
	}
	collect_names(s);
	return s;
}

void spec_free(struct spec *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->sections_n; i++)
		option_done(&s->sections[i]);
	for (size_t i = 0; i < s->kinds_n; i++)
		option_done(&s->kinds[i]);
	table_free(s->component);
	map_done(&s->kinds_by_name);
	free(s->sections);
	free(s->kinds);
	free(s->section_names);
	free(s->kind_names);
	free(s->component_names);
	free(s);
}

struct spec_option *spec_find(const struct spec_table *table, const char *name)
{
	return map_get(&table->by_name, name);
}

struct spec_option *spec_section(const struct spec *s, const char *name)
{
	for (size_t i = 0; i < s->sections_n; i++) {
		if (strcmp(s->sections[i].name, name) == 0)
			return &s->sections[i];
	}
	return NULL;
}

void spec_list(const char *const *names, size_t max, struct str *out)
{
	for (size_t i = 0; names[i] != NULL; i++) {
		if (i > 0)
			str_add(out, ", ");
		if (i == max) {
			str_add(out, "…");
			return;
		}
		str_add(out, names[i]);
	}
}
