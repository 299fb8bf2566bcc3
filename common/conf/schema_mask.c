/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/schema.h"

#include <string.h>

#include "secret.h"
#include "spec.h"

#define MASK "********"

/* Every leaf; keys stay, so that people see what is set. */
static void mask_leaves(json_t *container)
{
	const char *key;
	json_t *value;
	void *next;
	size_t i;

	json_object_foreach_safe(container, next, key, value)
	{
		if (json_is_object(value) || json_is_array(value))
			mask_leaves(value);
		else
			json_object_set_new(container, key, json_string(MASK));
	}
	for (i = 0; i < json_array_size(container); i++) {
		value = json_array_get(container, i);
		if (json_is_object(value) || json_is_array(value))
			mask_leaves(value);
		else
			json_array_set_new(container, i, json_string(MASK));
	}
}

static void mask_key(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	if (json_is_object(value) || json_is_array(value))
		mask_leaves(value);
	else if (value != NULL)
		json_object_set_new(object, key, json_string(MASK));
}

/* ---- What the manifests call secret ---- */

static void mask_table(json_t *object, const struct spec_table *table);

static void mask_option(json_t *object, const struct spec_option *o)
{
	json_t *value = json_object_get(object, o->name);
	const char *key;
	json_t *entry;
	size_t i;

	if (o->is_secret) {
		mask_key(object, o->name);
		return;
	}
	if (o->has_named_secrets) {
		json_object_foreach (value, key, entry) {
			if (secret_is_named(key, json_string_value(entry)))
				json_object_set_new(value, key, json_string(MASK));
		}
	}
	if (o->table == NULL)
		return;
	if (o->type == CONF_T_MAP)
		mask_table(value, o->table);
	if (o->type == CONF_T_DICT) {
		json_object_foreach (value, key, entry)
			mask_table(entry, o->table);
	}
	if (o->type == CONF_T_ARRAY) {
		json_array_foreach (value, i, entry)
			mask_table(entry, o->table);
	}
}

static void mask_table(json_t *object, const struct spec_table *table)
{
	for (size_t i = 0; json_is_object(object) && i < table->n; i++)
		mask_option(object, &table->v[i]);
}

static void mask_spec(json_t *out, const struct spec *spec)
{
	const char *id;
	json_t *component;

	for (size_t i = 0; i < spec->sections_n; i++)
		mask_option(out, &spec->sections[i]);
	json_object_foreach (json_object_get(out, "components"), id, component) {
		mask_table(component, spec->component);
		for (size_t i = 0; i < spec->kinds_n; i++)
			mask_option(component, &spec->kinds[i]);
	}
}

/* ---- What came from ${…} ---- */

static void mask_node(json_t *container, const struct node *node);

/* A scalar may stand for a list of one, so a whole list is masked for it. */
static void mask_child(json_t *container, const char *key, size_t i, const struct node *child)
{
	json_t *value =
		key != NULL ? json_object_get(container, key) : json_array_get(container, i);

	if (value == NULL)
		return;
	if (child->type != NODE_SCALAR)
		mask_node(value, child);
	else if (child->is_secret && key != NULL)
		mask_key(container, key);
	else if (child->is_secret)
		json_array_set_new(container, i, json_string(MASK));
}

static void mask_node(json_t *container, const struct node *node)
{
	for (size_t i = 0; i < node->n; i++)
		mask_child(container, node->items[i].key, i, node->items[i].value);
}

json_t *schema_mask(const json_t *normalised, struct tree *tree,
		    const struct manifest_set *manifests, const json_t *core)
{
	json_t *out = json_deep_copy(normalised);
	struct spec *spec = spec_new(manifests, core);

	mask_spec(out, spec);
	mask_node(out, tree_root(tree));
	spec_free(spec);
	return out;
}
