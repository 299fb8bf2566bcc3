/* SPDX-License-Identifier: Apache-2.0 */
#include "roll.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define ROLL_MIN 16

/* FNV-1a (Fowler, Noll, Vo): ids come from our own configuration. */
static size_t start_of(const struct roll *r, const char *id)
{
	uint32_t hash = 2166136261u;

	for (; *id != '\0'; id++)
		hash = (hash ^ (unsigned char)*id) * 16777619u;
	return hash & (r->cap - 1);
}

size_t roll_find(const struct roll *r, const char *id)
{
	if (r->cap == 0)
		return ROLL_NONE;
	for (size_t i = start_of(r, id); r->slots[i] != 0; i = (i + 1) & (r->cap - 1)) {
		if (strcmp(r->id_of(r->ctx, r->slots[i] - 1), id) == 0)
			return r->slots[i] - 1;
	}
	return ROLL_NONE;
}

static void put(struct roll *r, size_t index)
{
	size_t i = start_of(r, r->id_of(r->ctx, index));

	while (r->slots[i] != 0)
		i = (i + 1) & (r->cap - 1);
	r->slots[i] = (uint32_t)index + 1;
}

static void grow(struct roll *r)
{
	free(r->slots);
	r->cap = HALE_MAX(r->cap * 2, (size_t)ROLL_MIN);
	r->slots = mem_array(r->cap, sizeof(*r->slots));
	for (size_t i = 0; i < r->n; i++)
		put(r, i);
}

void roll_add(struct roll *r)
{
	HALE_ASSERT(r->n < UINT32_MAX - 1);
	if ((r->n + 1) * 4 > r->cap * 3)
		grow(r);
	put(r, r->n++);
}

void roll_done(struct roll *r)
{
	free(r->slots);
	*r = (struct roll){0};
}
