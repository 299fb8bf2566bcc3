/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/schema.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"
#include "model/component.h"

#include "schema_refs.h"
#include "schema_value.h"
#include "spec.h"

#define COMPONENTS_KEY "components"
/* How many kinds "says not what to check" names. */
#define KINDS_SHOWN    12
/* Everything hale says of itself stands under this prefix. */
#define OWN_PREFIX     "hale."

/* ---- Component ids ---- */

/* Words that are paths of the API beside /health/{component}. */
static const char *const reserved_ids[] = {COMPONENT_OVERALL, "detailed", "history", NULL};

static bool is_id_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("_.-", c) != NULL;
}

static bool is_id(const char *id)
{
	for (const char *p = id; *p != '\0'; p++) {
		if (!is_id_char(*p))
			return false;
	}
	return *id != '\0';
}

/* What was meant: small letters, and one '_' for what is not allowed. */
static char *corrected_id(const char *id)
{
	struct str out = {0};

	for (const char *p = id; *p != '\0'; p++) {
		char c = (char)tolower((unsigned char)*p);

		if (is_id_char(c))
			str_addc(&out, c);
		else if (out.len > 0 && out.data[out.len - 1] != '_')
			str_addc(&out, '_');
	}
	while (out.len > 0 && out.data[out.len - 1] == '_' && !str_ends(id, "_"))
		str_truncate(&out, out.len - 1);
	if (out.len == 0)
		str_add(&out, "component");
	return str_take(&out);
}

static bool check_id(struct schema *s, const struct node_pair *pair)
{
	const char *id = pair->key;

	if (!is_id(id)) {
		HALE_CLEANUP(cleanup_free) char *right = corrected_id(id);
		HALE_CLEANUP(cleanup_free)
		char *hint = mem_printf("write '%s', and label: for the name people read", right);

		schema_problem(s, &pair->key_mark, hint,
			       "component id '%s' holds other characters than a-z 0-9 _ . -", id);
		return false;
	}
	if (strlen(id) > COMPONENT_ID_MAX) {
		schema_problem(s, &pair->key_mark, NULL,
			       "component id is longer than %d characters", COMPONENT_ID_MAX);
		return false;
	}
	if (str_starts(id, OWN_PREFIX)) {
		schema_problem(s, &pair->key_mark, "choose another id",
			       "component ids that begin with '" OWN_PREFIX
			       "' are hale's own processes");
		return false;
	}
	for (size_t i = 0; reserved_ids[i] != NULL; i++) {
		if (strcmp(id, reserved_ids[i]) == 0) {
			schema_problem(s, &pair->key_mark, "choose another id",
				       "component id '%s' is reserved", id);
			return false;
		}
	}
	return true;
}

/* ---- Components ---- */

struct component {
	struct schema *schema;
	const struct node_pair *pair;
	const struct node_pair *kind; /* the first that was met */
	bool has_misspelt_kind;
};

/* A key of a component that is no common option: its kind, or a mistake. */
static bool take_kind(void *ctx, const struct node_pair *pair)
{
	struct component *c = ctx;
	const struct spec *spec = c->schema->spec;
	const char *near;

	if (map_get(&spec->kinds_by_name, pair->key) == NULL) {
		near = suggest_nearest(pair->key, spec->component_names);
		c->has_misspelt_kind |= near != NULL && map_get(&spec->kinds_by_name, near) != NULL;
		schema_unknown_key(c->schema, pair, spec->component_names);
		return true;
	}
	if (c->kind == NULL)
		c->kind = pair;
	else
		schema_problem(c->schema, &pair->key_mark, "make a component of each",
			       "component '%s' has two kinds, '%s' and '%s'", c->pair->key,
			       c->kind->key, pair->key);
	return true;
}

static void tell_no_kind(struct schema *s, const struct node_pair *pair)
{
	HALE_CLEANUP(str_done) struct str kinds = {0};

	spec_list(s->spec->kind_names, KINDS_SHOWN, &kinds);
	if (kinds.len > 0)
		schema_problem(s, &pair->key_mark, NULL,
			       "component '%s' says not what to check: add one of %s", pair->key,
			       str_text(&kinds));
	else
		schema_problem(s, &pair->key_mark, "no check program is installed",
			       "component '%s' cannot be checked", pair->key);
}

static void check_timeout(struct schema *s, const struct node *node, const json_t *component)
{
	const struct node *timeout = node_get(node, "timeout");
	const json_t *timeout_ms = json_object_get(component, "timeout");
	const json_t *interval_ms = json_object_get(component, "interval");

	if (timeout == NULL || node_get(node, "interval") == NULL || !json_is_integer(timeout_ms) ||
	    !json_is_integer(interval_ms))
		return;
	if (json_integer_value(timeout_ms) >= json_integer_value(interval_ms)) {
		char interval[UNITS_TEXT_MAX];

		schema_problem(s, &timeout->mark, "a check must end before the next one begins",
			       "timeout must be shorter than the interval of %s",
			       duration_format(json_integer_value(interval_ms), interval));
	}
}

/* A target that a variable left empty, anywhere in the options. */
static bool lacks_target(const struct spec_table *table, const json_t *options)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct spec_option *o = &table->v[i];
		const json_t *value = json_object_get(options, o->name);

		if (o->is_target && json_is_string(value) && json_string_length(value) == 0)
			return true;
		if (o->type == CONF_T_MAP && value != NULL && lacks_target(o->table, value))
			return true;
	}
	return false;
}

static json_t *apply_component(struct schema *s, const struct node_pair *pair)
{
	struct component c = {.schema = s, .pair = pair};
	struct spec_option *kind;
	json_t *out;
	json_t *options;

	if (pair->value->type != NODE_MAP && !node_is_null(pair->value)) {
		HALE_CLEANUP(str_done) struct str kinds = {0};

		spec_list(s->spec->kind_names, KINDS_SHOWN, &kinds);
		schema_problem(s, &pair->value->mark, NULL, "expected a mapping with one of %s",
			       str_text(&kinds));
		return NULL;
	}
	out = schema_table(s, s->spec->component, pair->value, &pair->key_mark, take_kind, &c);
	check_timeout(s, pair->value, out);
	if (c.kind == NULL) {
		if (!c.has_misspelt_kind)
			tell_no_kind(s, pair);
		return out;
	}
	kind = map_get(&s->spec->kinds_by_name, c.kind->key);
	options = schema_value(s, kind, c.kind->value, &c.kind->key_mark);
	json_object_set_new(out, "kind", json_string(c.kind->key));
	if (options == NULL)
		return out;
	json_object_set_new(out, c.kind->key, options);
	if (lacks_target(kind->table, options))
		json_object_set_new(out, "configured", json_false());
	return out;
}

static json_t *apply_components(struct schema *s, const struct node *node)
{
	json_t *out = json_object();

	if (node != NULL && node->type != NODE_MAP && !node_is_null(node))
		schema_problem(s, &node->mark,
			       "write the id of a component, and under it its options",
			       "expected a mapping of components");
	for (size_t i = 0; node != NULL && node->type == NODE_MAP && i < node->n; i++) {
		json_t *component = apply_component(s, &node->items[i]);

		/* A wrong id does not hide what is wrong with the component. */
		if (check_id(s, &node->items[i]) && component != NULL)
			json_object_set_new(out, node->items[i].key, component);
		else
			json_decref(component);
	}
	return out;
}

/* ---- Sections ---- */

static bool has_required(const struct spec_table *table)
{
	for (size_t i = 0; i < table->n; i++) {
		if (table->v[i].is_required)
			return true;
	}
	return false;
}

/* What children get of a section nobody wrote: its defaults, unless it would not be whole. */
static json_t *absent_section(struct schema *s, const struct spec_option *section)
{
	const struct node nothing = {.type = NODE_MAP};

	if (section->type == CONF_T_DICT)
		return json_object();
	if (has_required(section->table))
		return NULL;
	return schema_table(s, section->table, &nothing, &nothing.mark, NULL, NULL);
}

static void apply_sections(struct schema *s, json_t *out)
{
	for (size_t i = 0; i < s->spec->sections_n; i++) {
		struct spec_option *section = &s->spec->sections[i];
		const struct node_pair *pair = node_pair(tree_root(s->tree), section->name);
		json_t *value = pair != NULL
					? schema_value(s, section, pair->value, &pair->key_mark)
					: absent_section(s, section);

		if (value != NULL)
			json_object_set_new(out, section->name, value);
	}
}

static void check_top_level(struct schema *s)
{
	const struct node *root = tree_root(s->tree);

	for (size_t i = 0; i < root->n; i++) {
		const char *key = root->items[i].key;

		if (strcmp(key, COMPONENTS_KEY) != 0 && spec_section(s->spec, key) == NULL)
			schema_unknown_key(s, &root->items[i], s->spec->section_names);
	}
}

json_t *schema_apply(struct tree *tree, const struct manifest_set *manifests, const json_t *core,
		     struct report *report)
{
	struct schema s = {.tree = tree, .report = report};
	const struct node *root = tree_root(tree);
	json_t *out;

	/* After a syntax error everything would be "missing". */
	if (!tree_is_complete(tree))
		return NULL;
	s.spec = spec_new(manifests, core);
	out = json_object();
	check_top_level(&s);
	apply_sections(&s, out);
	json_object_set_new(out, COMPONENTS_KEY,
			    apply_components(&s, node_get(root, COMPONENTS_KEY)));
	schema_refs_check(&s);
	schema_cycles_check(&s);
	free(s.refs);
	spec_free(s.spec);
	if (report->errors > 0) {
		json_decref(out);
		return NULL;
	}
	return out;
}
