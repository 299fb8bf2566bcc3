/* SPDX-License-Identifier: Apache-2.0 */
#include "merge.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

/* Appending in place of a growing array: the arena never gives back, so room is made once. */
static void append(struct node *into, const struct node_pair *more, size_t n, struct arena *arena)
{
	struct node_pair *items;

	if (n == 0)
		return;
	items = arena_alloc(arena, (into->n + n) * sizeof(*items));
	if (into->n > 0)
		memcpy(items, into->items, into->n * sizeof(*items));
	memcpy(items + into->n, more, n * sizeof(*items));
	into->items = items;
	into->n += n;
}

/* Clashes are told by the whole path, since the last word alone stands in many places. */
struct merging {
	struct arena *arena;
	merge_clash_fn on_clash;
	void *ctx;
};

static void merge_maps(const struct merging *m, struct node *into, const struct node *from,
		       const char *path);

static void merge_pair(const struct merging *m, struct node_pair *first,
		       const struct node_pair *second, const char *path)
{
	HALE_CLEANUP(cleanup_free)
	char *name = mem_printf("%s%s%s", path, *path != '\0' ? "." : "", second->key);

	if (node_is_null(second->value))
		return;
	if (node_is_null(first->value))
		*first = *second;
	else if (first->value->type == NODE_MAP && second->value->type == NODE_MAP)
		merge_maps(m, first->value, second->value, name);
	else if (first->value->type == NODE_LIST && second->value->type == NODE_LIST)
		append(first->value, second->value->items, second->value->n, m->arena);
	else
		m->on_clash(m->ctx, name, &second->key_mark, &first->key_mark);
}

static void merge_maps(const struct merging *m, struct node *into, const struct node *from,
		       const char *path)
{
	struct map index = {0};
	struct node_pair *fresh = mem_array(from->n + 1, sizeof(*fresh));
	size_t n = 0;

	for (size_t i = 0; i < into->n; i++)
		map_put(&index, into->items[i].key, &into->items[i]);
	for (size_t i = 0; i < from->n; i++) {
		struct node_pair *first = map_get(&index, from->items[i].key);

		if (first != NULL)
			merge_pair(m, first, &from->items[i], path);
		else
			fresh[n++] = from->items[i];
	}
	append(into, fresh, n, m->arena);
	free(fresh);
	map_done(&index);
}

void merge_nodes(struct node *into, const struct node *from, struct arena *arena,
		 merge_clash_fn on_clash, void *ctx)
{
	struct merging m = {.arena = arena, .on_clash = on_clash, .ctx = ctx};

	merge_maps(&m, into, from, "");
}
