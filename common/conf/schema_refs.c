/* SPDX-License-Identifier: Apache-2.0 */
#include "schema_refs.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

/* How many names of a target a hint lists. */
#define NAMES_SHOWN 8
/* How many steps of a cycle a message lists. */
#define CYCLE_SHOWN 20

/* ---- References ---- */

/* The mapping a reference points to, with its keys at hand. */
struct target {
	struct map keys;
	const char **names; /* NULL-terminated */
	size_t n;
};

static const struct node *walk(const struct node *node, const char *path)
{
	while (node != NULL && *path != '\0') {
		size_t len = strcspn(path, ".");
		HALE_CLEANUP(cleanup_free) char *word = mem_dupn(path, len);

		node = node_get(node, word);
		path += len + (path[len] == '.');
	}
	return node;
}

static struct target *target_new(const struct schema *s, const char *where)
{
	const struct node *node = walk(tree_root(s->tree), where);
	struct target *t = mem_alloc(sizeof(*t));

	if (node != NULL && node->type == NODE_MAP)
		t->n = node->n;
	t->names = mem_array(t->n + 1, sizeof(*t->names));
	for (size_t i = 0; i < t->n; i++) {
		t->names[i] = node->items[i].key;
		map_put(&t->keys, node->items[i].key, &node->items[i]);
	}
	return t;
}

static void target_free(struct target *t)
{
	map_done(&t->keys);
	free(t->names);
	free(t);
}

/* "alerts.channels" holds channels; one of them is a channel. */
static char *singular(const char *where)
{
	const char *dot = strrchr(where, '.');
	const char *word = dot != NULL ? dot + 1 : where;
	size_t len = strlen(word);

	if (len > 3 && strcmp(word + len - 3, "ies") == 0)
		return mem_printf("%.*sy", (int)(len - 3), word);
	if (len > 1 && word[len - 1] == 's')
		return mem_dupn(word, len - 1);
	return mem_dup(word);
}

static char *unknown_hint(const struct target *t, const char *where, const char *word)
{
	HALE_CLEANUP(cleanup_free) char *near = schema_suggest(word, t->names);
	HALE_CLEANUP(str_done) struct str names = {0};

	if (t->n == 0)
		return mem_printf("there is nothing in %s", where);
	if (near != NULL)
		return mem_printf("%s (a name in %s)", near, where);
	spec_list(t->names, NAMES_SHOWN, &names);
	return mem_printf("%s has %s", where, str_text(&names));
}

static void check_ref(struct schema *s, const struct schema_ref *ref, const struct target *t)
{
	HALE_CLEANUP(cleanup_free) char *what = NULL;
	HALE_CLEANUP(cleanup_free) char *hint = NULL;

	if (map_get(&t->keys, ref->node->text) != NULL)
		return;
	what = singular(ref->where);
	/* The search for a near name costs; a full report shows none. */
	if (s->report->n < REPORT_MAX)
		hint = unknown_hint(t, ref->where, ref->node->text);
	schema_problem(s, &ref->node->mark, hint, "unknown %s '%s'", what,
		       ref->node->is_secret ? "(not shown)" : ref->node->text);
}

void schema_refs_check(struct schema *s)
{
	struct map targets = {0};
	void *value;

	for (size_t i = 0; i < s->refs_n; i++) {
		struct target *t = map_get(&targets, s->refs[i].where);

		if (t == NULL) {
			t = target_new(s, s->refs[i].where);
			map_put(&targets, s->refs[i].where, t);
		}
		check_ref(s, &s->refs[i], t);
	}
	for (size_t i = 0; map_each(&targets, &i, NULL, &value);)
		target_free(value);
	map_done(&targets);
}

/* ---- Cycles ---- */

struct vertex {
	const char *id;
	const struct node *edges; /* depends_on, or NULL */
	size_t next;              /* the edge to look at next */
	bool is_on_path;
	bool is_done;
};

struct graph {
	struct vertex *v;
	size_t n;
	struct map by_id;
	struct vertex **path; /* from the first component to the one in hand */
	size_t depth;
};

static const struct node *edge(const struct vertex *v, size_t i)
{
	if (v->edges == NULL)
		return NULL;
	if (v->edges->type == NODE_SCALAR)
		return i == 0 ? v->edges : NULL;
	return v->edges->type == NODE_LIST && i < v->edges->n ? v->edges->items[i].value : NULL;
}

static void tell_cycle(struct schema *s, const struct graph *g, const struct vertex *to,
		       const struct node *at)
{
	HALE_CLEANUP(str_done) struct str path = {0};
	size_t from = 0;

	while (g->path[from] != to)
		from++;
	for (size_t i = from; i < g->depth; i++) {
		if (i - from < CYCLE_SHOWN)
			str_addf(&path, "%s -> ", g->path[i]->id);
		else if (i - from == CYCLE_SHOWN)
			str_add(&path, "… -> ");
	}
	schema_problem(s, &at->mark, "remove one of these dependencies",
		       "depends_on goes in a circle: %s%s", str_text(&path), to->id);
}

/* One edge further from the end of the path, or one vertex back. */
static void step(struct schema *s, struct graph *g)
{
	struct vertex *v = g->path[g->depth - 1];
	const struct node *at = edge(v, v->next++);
	struct vertex *to;

	if (at == NULL) {
		v->is_on_path = false;
		v->is_done = true;
		g->depth--;
		return;
	}
	to = at->type == NODE_SCALAR ? map_get(&g->by_id, at->text) : NULL;
	if (to == NULL || to->is_done)
		return;
	if (to->is_on_path) {
		tell_cycle(s, g, to, at);
		return;
	}
	to->is_on_path = true;
	g->path[g->depth++] = to;
}

/* The path is kept by hand: a chain of components may be longer than the stack is deep. */
void schema_cycles_check(struct schema *s)
{
	const struct node *components = node_get(tree_root(s->tree), "components");
	struct graph g = {0};

	if (components == NULL || components->type != NODE_MAP)
		return;
	g.v = mem_array(components->n + 1, sizeof(*g.v));
	g.path = mem_array(components->n + 1, sizeof(struct vertex *));
	for (g.n = 0; g.n < components->n; g.n++) {
		const struct node_pair *pair = &components->items[g.n];

		g.v[g.n] = (struct vertex){.id = pair->key,
					   .edges = node_get(pair->value, "depends_on")};
		map_put(&g.by_id, pair->key, &g.v[g.n]);
	}
	for (size_t i = 0; i < g.n; i++) {
		if (g.v[i].is_done)
			continue;
		g.v[i].is_on_path = true;
		g.path[0] = &g.v[i];
		for (g.depth = 1; g.depth > 0;)
			step(s, &g);
	}
	map_done(&g.by_id);
	free(g.v);
	free(g.path);
}
