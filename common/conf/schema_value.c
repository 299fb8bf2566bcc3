/* SPDX-License-Identifier: Apache-2.0 */
#include "schema_value.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/strlist.h"
#include "base/units.h"
#include "model/cron.h"
#include "model/threshold.h"

#include "reader.h"
#include "schema_scalar.h"
#include "secret.h"

/* How many names "expected a mapping with …" shows. */
#define NAMES_SHOWN 4

/* ---- Complaints ---- */

void schema_problem(struct schema *s, const struct conf_mark *mark, const char *hint,
		    const char *fmt, ...)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	const char *source = NULL;
	va_list args;

	va_start(args, fmt);
	str_vaddf(&text, fmt, args);
	va_end(args);
	/* A secret written into the file itself must not come back in logs and events. */
	if (!s->is_hidden && s->report->n < REPORT_MAX)
		source = tree_source_line(s->tree, mark);
	report_add(s->report, mark, source, hint, "%s", str_text(&text));
}

char *schema_suggest(const char *word, const char *const *names)
{
	const char *near = suggest_nearest(word, names);

	return near != NULL ? mem_printf("did you mean '%s'?", near) : NULL;
}

void schema_unknown_key(struct schema *s, const struct node_pair *pair, const char *const *names)
{
	HALE_CLEANUP(cleanup_free) char *hint = schema_suggest(pair->key, names);
	HALE_CLEANUP(str_done) struct str known = {0};

	if (hint == NULL && names[0] != NULL) {
		str_add(&known, "known here: ");
		spec_list(names, 2 * (size_t)NAMES_SHOWN, &known);
	}
	schema_problem(s, &pair->key_mark, hint != NULL || known.len == 0 ? hint : str_text(&known),
		       "unknown key '%s'", pair->key);
}

/* "expected a mapping with url, method, …": required ones first. */
static void expect_mapping(struct schema *s, const struct spec_table *table, const char *what,
			   const struct node *node)
{
	HALE_CLEANUP(str_done) struct str names = {0};
	const char **order = mem_array(table->n + 1, sizeof(*order));
	size_t n = 0;

	for (size_t i = 0; i < table->n; i++) {
		if (table->v[i].is_required)
			order[n++] = table->v[i].name;
	}
	for (size_t i = 0; i < table->n; i++) {
		if (!table->v[i].is_required)
			order[n++] = table->v[i].name;
	}
	spec_list(order, NAMES_SHOWN, &names);
	free(order);
	schema_problem(s, &node->mark, NULL, "expected %s%s%s", what, names.len > 0 ? " with " : "",
		       str_text(&names));
}

/* Looks at what is written: entries that were refused have been told already. */
static json_t *must_not_be_empty(struct schema *s, const struct spec_option *o,
				 const struct node *node, const struct conf_mark *at, json_t *value)
{
	bool is_empty = node->type == NODE_SCALAR ? node_is_null(node) : node->n == 0;

	if (value == NULL || !o->is_nonempty || !is_empty)
		return value;
	schema_problem(s, at, NULL, "'%s' must not be empty", o->name);
	json_decref(value);
	return NULL;
}

/* ---- Lists and names ---- */

static void add_ref(struct schema *s, const char *where, const struct node *node)
{
	if (where == NULL || s->is_default)
		return;
	if (s->refs_n == s->refs_cap) {
		s->refs_cap = s->refs_cap == 0 ? 64 : s->refs_cap * 2;
		s->refs = mem_grow(s->refs, s->refs_cap, sizeof(*s->refs));
	}
	s->refs[s->refs_n++] = (struct schema_ref){.where = where, .node = node};
}

static json_t *scalar_value(struct schema *s, const struct spec_option *o, const struct node *node)
{
	json_t *value = schema_scalar(s, o, node);

	if (value != NULL)
		add_ref(s, o->ref, node);
	return value;
}

static bool is_listed(const json_t *list, const json_t *value)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (json_equal(json_array_get(list, i), value))
			return true;
	}
	return false;
}

static json_t *list_value(struct schema *s, const struct spec_option *o, const struct node *node)
{
	json_t *list;
	json_t *value;

	if (node->type == NODE_MAP) {
		schema_problem(s, &node->mark, "write [a, b], or '- ' before each entry",
			       "expected a list, found a mapping");
		return NULL;
	}
	if (node->type == NODE_SCALAR && !node_is_null(node)) {
		value = scalar_value(s, o, node);
		return value != NULL ? json_pack("[o]", value) : NULL;
	}
	list = json_array();
	for (size_t i = 0; i < node->n; i++) {
		const struct node *entry = node->items[i].value;

		value = scalar_value(s, o, entry);
		if (value == NULL)
			continue;
		/* Only lists of names: a value may well stand in other lists twice. */
		if (o->ref != NULL && is_listed(list, value)) {
			report_warn(s->report, &entry->mark,
				    tree_source_line(s->tree, &entry->mark), NULL,
				    "'%s' is listed twice", entry->text);
		}
		json_array_append_new(list, value);
	}
	return list;
}

static json_t *strmap_value(struct schema *s, const struct spec_option *option,
			    const struct node *node)
{
	bool was_hidden = s->is_hidden;
	json_t *o = json_object();

	if (node->type != NODE_MAP && !node_is_null(node)) {
		schema_problem(s, &node->mark, "write name: value",
			       "expected a mapping of names to texts");
		json_decref(o);
		return NULL;
	}
	for (size_t i = 0; i < node->n; i++) {
		const struct node *value = node->items[i].value;
		json_t *text;

		s->is_hidden = was_hidden || (option->has_named_secrets &&
					      secret_is_named(node->items[i].key, ""));
		if (value->type != NODE_SCALAR) {
			schema_problem(s, &value->mark, NULL, "expected text, found a %s",
				       value->type == NODE_LIST ? "list" : "mapping");
			continue;
		}
		text = node_is_null(value) ? json_string("") : schema_text(s, value);
		if (text != NULL)
			json_object_set_new(o, node->items[i].key, text);
	}
	s->is_hidden = was_hidden;
	return o;
}

/* ---- Mappings ---- */

static json_t *dict_value(struct schema *s, const struct spec_option *o, const struct node *node)
{
	json_t *dict = json_object();

	if (node->type != NODE_MAP && !node_is_null(node)) {
		schema_problem(s, &node->mark,
			       "write a name of your choice, and under it its options",
			       "expected a mapping of names");
		json_decref(dict);
		return NULL;
	}
	for (size_t i = 0; i < node->n; i++) {
		const struct node_pair *pair = &node->items[i];

		if (*pair->key == '\0')
			schema_problem(s, &pair->key_mark, NULL, "a name must not be empty");
		else if (pair->value->type != NODE_MAP && !node_is_null(pair->value))
			expect_mapping(s, o->table, "a mapping", pair->value);
		else
			json_object_set_new(dict, pair->key,
					    schema_table(s, o->table, pair->value, &pair->key_mark,
							 NULL, NULL));
	}
	return dict;
}

static json_t *array_value(struct schema *s, const struct spec_option *o, const struct node *node)
{
	json_t *list = json_array();

	if (node->type != NODE_LIST && !node_is_null(node)) {
		expect_mapping(s, o->table, "a list of mappings", node);
		json_decref(list);
		return NULL;
	}
	for (size_t i = 0; i < node->n; i++) {
		const struct node *entry = node->items[i].value;

		if (entry->type != NODE_MAP)
			expect_mapping(s, o->table, "a mapping", entry);
		else
			json_array_append_new(
				list, schema_table(s, o->table, entry, &entry->mark, NULL, NULL));
	}
	return list;
}

static json_t *map_value(struct schema *s, const struct spec_option *o, const struct node *node,
			 const struct conf_mark *at)
{
	struct node_pair pair;
	struct node map;

	if (node->type == NODE_MAP || node_is_null(node))
		return schema_table(s, o->table, node, at, NULL, NULL);
	if (node->type != NODE_SCALAR || o->bare == NULL) {
		expect_mapping(s, o->table, "a mapping", node);
		return NULL;
	}
	/* "restart: never" is short for "restart: {when: never}". */
	pair = (struct node_pair){.key = (char *)(uintptr_t)o->bare,
				  .key_mark = node->mark,
				  .value = (struct node *)(uintptr_t)node};
	map = (struct node){.type = NODE_MAP, .mark = node->mark, .items = &pair, .n = 1};
	return schema_table(s, o->table, &map, at, NULL, NULL);
}

static json_t *any_value(struct schema *s, struct spec_option *o, const struct node *node,
			 const struct conf_mark *at)
{
	switch (o->type) {
	case CONF_T_LIST:
		return must_not_be_empty(s, o, node, at, list_value(s, o, node));
	case CONF_T_JSON:
		return schema_natural(node);
	case CONF_T_STRMAP:
		return must_not_be_empty(s, o, node, at, strmap_value(s, o, node));
	case CONF_T_DICT:
		return must_not_be_empty(s, o, node, at, dict_value(s, o, node));
	case CONF_T_ARRAY:
		return must_not_be_empty(s, o, node, at, array_value(s, o, node));
	case CONF_T_MAP:
		return map_value(s, o, node, at);
	default:
		return scalar_value(s, o, node);
	}
}

json_t *schema_value(struct schema *s, struct spec_option *option, const struct node *node,
		     const struct conf_mark *at)
{
	bool was_hidden = s->is_hidden;
	json_t *value;

	if (node->is_broken)
		return NULL;
	s->is_hidden = was_hidden || option->is_secret;
	value = any_value(s, option, node, at);
	s->is_hidden = was_hidden;
	return value;
}

json_t *schema_default(struct schema *s, struct spec_option *option)
{
	HALE_CLEANUP(arena_done) struct arena arena = {0};
	size_t nodes = 0;
	bool was_default = s->is_default;
	struct reader_job job = {.arena = &arena, .report = s->report, .nodes = &nodes};
	struct node *node;

	if (option->def == NULL && option->def_text != NULL) {
		HALE_CLEANUP(cleanup_free)
		char *name = mem_printf("default of '%s' in a manifest", option->name);

		job.source = source_new(name, option->def_text, strlen(option->def_text));
		node = reader_read(&job);
		s->is_default = true;
		if (node != NULL)
			option->def = schema_value(s, option, node, &node->mark);
		s->is_default = was_default;
		source_free(job.source);
	}
	/* Containers are copied: who gets one may change it. */
	if (json_is_object(option->def) || json_is_array(option->def))
		return json_deep_copy(option->def);
	return json_incref(option->def);
}

static void missing(struct schema *s, const struct spec_option *o, const struct conf_mark *at)
{
	HALE_CLEANUP(cleanup_free)
	char *hint = o->help != NULL ? mem_printf("%s: %s", o->name, o->help) : NULL;

	schema_problem(s, at, hint, "required option '%s' is missing", o->name);
}

static void fill_option(struct schema *s, struct spec_option *o, const struct node_pair *given,
			const struct conf_mark *at, json_t *out)
{
	json_t *value = NULL;

	if (given != NULL)
		value = schema_value(s, o, given->value, &given->key_mark);
	else if (o->is_required)
		missing(s, o, at);
	else
		value = schema_default(s, o);
	if (value != NULL)
		json_object_set_new(out, o->name, value);
}

json_t *schema_table(struct schema *s, const struct spec_table *table, const struct node *node,
		     const struct conf_mark *at, schema_extra_fn extra, void *ctx)
{
	const struct node_pair **given = mem_array(table->n + 1, sizeof(*given));
	json_t *out = json_object();

	for (size_t i = 0; i < node->n; i++) {
		const struct node_pair *pair = &node->items[i];
		const struct spec_option *o = spec_find(table, pair->key);

		if (o != NULL)
			given[o - table->v] = pair;
		else if (extra == NULL || !extra(ctx, pair))
			schema_unknown_key(s, pair, table->names);
	}
	/* In the order of the table, so that equal settings make equal text. */
	for (size_t i = 0; i < table->n; i++)
		fill_option(s, &table->v[i], given[i], at, out);
	free(given);
	return out;
}
