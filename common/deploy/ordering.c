/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/ordering.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

/* How many steps of a circle a message lists. */
#define CIRCLE_SHOWN 20
/* How many names a hint lists. */
#define NAMES_SHOWN  12

struct vertex {
	const struct process_spec *spec;
	size_t next; /* the edge to look at next: those of after, then those of requires */
	enum { VERTEX_NEW, VERTEX_ON_PATH, VERTEX_DONE } state;
};

struct order {
	const struct place *place;
	struct vertex *v;
	size_t n;
	struct map by_name;
	const char **names; /* NULL-terminated */
	struct vertex **path;
	size_t depth;
};

/* The name at an edge and where it stands; NULL after the last. Caller frees *pointer_r. */
static const char *edge(const struct vertex *v, size_t i, char **pointer_r)
{
	const struct process_spec *p = v->spec;
	const char *name = NULL;

	if (i < p->after.n) {
		*pointer_r = mem_printf("/programs/%s/after/%zu", p->name, i);
		name = p->after.v[i];
	} else if (i - p->after.n < p->requires.n) {
		i -= p->after.n;
		*pointer_r = mem_printf("/programs/%s/requires/%zu", p->name, i);
		name = p->requires.v[i];
	}
	return name;
}

static void tell_unknown(const struct order *o, const char *name, const char *pointer)
{
	const char *near = suggest_nearest(name, o->names);
	HALE_CLEANUP(str_done) struct str hint = {0};

	if (near != NULL)
		str_addf(&hint, "did you mean '%s'?", near);
	else
		str_add(&hint, "known here: ");
	for (size_t i = 0; near == NULL && i < o->n && i <= NAMES_SHOWN; i++)
		str_addf(&hint, "%s%s", i > 0 ? ", " : "", i == NAMES_SHOWN ? "…" : o->names[i]);
	place_error(o->place, pointer, str_text(&hint), "no program or process is named '%s'",
		    name);
}

static void tell_circle(const struct order *o, const struct vertex *to, const char *pointer)
{
	HALE_CLEANUP(str_done) struct str path = {0};
	size_t from = 0;

	while (o->path[from] != to)
		from++;
	for (size_t i = from; i < o->depth; i++) {
		if (i - from < CIRCLE_SHOWN)
			str_addf(&path, "%s -> ", o->path[i]->spec->name);
		else if (i - from == CIRCLE_SHOWN)
			str_add(&path, "… -> ");
	}
	place_error(o->place, pointer, "remove one of these",
		    "after and requires go in a circle: %s%s", str_text(&path), to->spec->name);
}

static void warn_disabled(const struct order *o, const struct vertex *v, const struct vertex *to,
			  size_t i, const char *pointer)
{
	if (i >= v->spec->after.n && v->spec->is_enabled && !to->spec->is_enabled)
		place_warn(o->place, pointer, NULL,
			   "'%s' is not enabled, so that '%s' will not start by itself",
			   to->spec->name, v->spec->name);
}

/* One edge further from the end of the path, or one vertex back. */
static void step(struct order *o)
{
	struct vertex *v = o->path[o->depth - 1];
	HALE_CLEANUP(cleanup_free) char *pointer = NULL;
	size_t i = v->next++;
	const char *name = edge(v, i, &pointer);
	struct vertex *to;

	if (name == NULL) {
		v->state = VERTEX_DONE;
		o->depth--;
		return;
	}
	to = map_get(&o->by_name, name);
	if (to == NULL) {
		tell_unknown(o, name, pointer);
		return;
	}
	warn_disabled(o, v, to, i, pointer);
	if (to->state == VERTEX_ON_PATH) {
		tell_circle(o, to, pointer);
	} else if (to->state == VERTEX_NEW) {
		to->state = VERTEX_ON_PATH;
		o->path[o->depth++] = to;
	}
}

/* The path is kept by hand: a chain may be longer than the stack is deep. */
void ordering_check(const struct process_spec *processes, size_t n, const struct place *place)
{
	struct order o = {.place = place, .n = n};

	o.v = mem_array(n + 1, sizeof(*o.v));
	o.names = mem_array(n + 1, sizeof(*o.names));
	o.path = mem_array(n + 1, sizeof(struct vertex *));
	for (size_t i = 0; i < n; i++) {
		o.v[i].spec = &processes[i];
		o.names[i] = processes[i].name;
		map_put(&o.by_name, processes[i].name, &o.v[i]);
	}
	for (size_t i = 0; i < n; i++) {
		if (o.v[i].state != VERTEX_NEW)
			continue;
		o.v[i].state = VERTEX_ON_PATH;
		o.path[0] = &o.v[i];
		for (o.depth = 1; o.depth > 0;)
			step(&o);
	}
	map_done(&o.by_name);
	free(o.v);
	free(o.names);
	free(o.path);
}
