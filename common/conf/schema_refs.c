/* SPDX-License-Identifier: Apache-2.0 */
#include "schema_refs.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/strlist.h"

#define COMPONENTS_KEY "components"
#define PROGRAMS_KEY   "programs"
#define PROGRAM_PREFIX "program."

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
	struct strlist own; /* names that stand in no file as they are */
};

/* The component that a program is. Caller frees. */
static char *program_id(const char *name)
{
	return mem_printf(PROGRAM_PREFIX "%s", name);
}

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

static size_t size_of(const struct node *node)
{
	return node != NULL && node->type == NODE_MAP ? node->n : 0;
}

static void add_name(struct target *t, const char *name, const struct node_pair *pair)
{
	t->names[t->n++] = name;
	map_put(&t->keys, name, (void *)(uintptr_t)pair);
}

static struct target *target_new(const struct schema *s, const char *where)
{
	const struct node *node = walk(tree_root(s->tree), where);
	/* Each program is a component, too. */
	const struct node *programs = strcmp(where, COMPONENTS_KEY) == 0
					      ? node_get(tree_root(s->tree), PROGRAMS_KEY)
					      : NULL;
	struct target *t = mem_alloc(sizeof(*t));

	t->names = mem_array(size_of(node) + size_of(programs) + 1, sizeof(*t->names));
	for (size_t i = 0; i < size_of(node); i++)
		add_name(t, node->items[i].key, &node->items[i]);
	for (size_t i = 0; i < size_of(programs); i++) {
		HALE_CLEANUP(cleanup_free) char *id = program_id(programs->items[i].key);

		strlist_add(&t->own, id);
		add_name(t, t->own.v[i], &programs->items[i]);
	}
	return t;
}

static void target_free(struct target *t)
{
	strlist_done(&t->own);
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
	char *id;
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

static void add_vertex(struct graph *g, char *id, const struct node *options)
{
	struct vertex *v = &g->v[g->n++];

	*v = (struct vertex){.id = id, .edges = node_get(options, "depends_on")};
	map_put(&g->by_id, id, v);
}

/* The path is kept by hand: a chain of components may be longer than the stack is deep. */
void schema_cycles_check(struct schema *s)
{
	const struct node *components = node_get(tree_root(s->tree), COMPONENTS_KEY);
	const struct node *programs = node_get(tree_root(s->tree), PROGRAMS_KEY);
	size_t n = size_of(components) + size_of(programs);
	struct graph g = {0};

	g.v = mem_array(n + 1, sizeof(*g.v));
	g.path = mem_array(n + 1, sizeof(struct vertex *));
	for (size_t i = 0; i < size_of(components); i++)
		add_vertex(&g, mem_dup(components->items[i].key), components->items[i].value);
	for (size_t i = 0; i < size_of(programs); i++)
		add_vertex(&g, program_id(programs->items[i].key), programs->items[i].value);
	for (size_t i = 0; i < g.n; i++) {
		if (g.v[i].is_done)
			continue;
		g.v[i].is_on_path = true;
		g.path[0] = &g.v[i];
		for (g.depth = 1; g.depth > 0;)
			step(s, &g);
	}
	map_done(&g.by_id);
	for (size_t i = 0; i < g.n; i++)
		free(g.v[i].id);
	free(g.v);
	free(g.path);
}
