/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* FNV-1a, 32 bit (Fowler, Noll, Vo). Keys come from our own configuration, not from strangers. */
static uint32_t hash_of(const char *key)
{
	uint32_t h = 2166136261u;

	for (; *key != '\0'; key++) {
		h ^= (unsigned char)*key;
		h *= 16777619u;
	}
	return h;
}

void map_done(struct map *m)
{
	for (size_t i = 0; i < m->cap; i++)
		free(m->slots[i].key);
	free(m->slots);
	*m = (struct map){0};
}

static struct map_slot *find(const struct map *m, const char *key, uint32_t hash)
{
	if (m->cap == 0)
		return NULL;
	for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct map_slot *s = &m->slots[i];

		if (s->key == NULL && !s->is_dead)
			return NULL;
		if (s->key != NULL && s->hash == hash && strcmp(s->key, key) == 0)
			return s;
	}
}

static void insert(struct map *m, char *key, void *value, uint32_t hash)
{
	size_t i = hash & (m->cap - 1);

	while (m->slots[i].key != NULL || m->slots[i].is_dead)
		i = (i + 1) & (m->cap - 1);
	m->slots[i] = (struct map_slot){.key = key, .value = value, .hash = hash};
	m->used++;
	m->n++;
}

static void grow(struct map *m)
{
	struct map old = *m;

	m->cap = old.cap == 0 ? 16 : (old.n * 2 > old.cap ? old.cap * 2 : old.cap);
	m->slots = mem_array(m->cap, sizeof(*m->slots));
	m->used = 0;
	m->n = 0;
	for (size_t i = 0; i < old.cap; i++) {
		struct map_slot *s = &old.slots[i];

		if (s->key != NULL)
			insert(m, s->key, s->value, s->hash);
	}
	free(old.slots);
}

void *map_get(const struct map *m, const char *key)
{
	struct map_slot *s = find(m, key, hash_of(key));

	return s == NULL ? NULL : s->value;
}

void *map_put(struct map *m, const char *key, void *value)
{
	uint32_t hash = hash_of(key);
	struct map_slot *s = find(m, key, hash);

	if (s != NULL) {
		void *old = s->value;

		s->value = value;
		return old;
	}
	if ((m->used + 1) * 4 > m->cap * 3)
		grow(m);
	insert(m, mem_dup(key), value, hash);
	return NULL;
}

void *map_take(struct map *m, const char *key)
{
	struct map_slot *s = find(m, key, hash_of(key));
	void *value;

	if (s == NULL)
		return NULL;
	value = s->value;
	free(s->key);
	*s = (struct map_slot){.is_dead = true};
	m->n--;
	return value;
}

bool map_each(const struct map *m, size_t *cursor, const char **key_r, void **value_r)
{
	for (; *cursor < m->cap; (*cursor)++) {
		const struct map_slot *s = &m->slots[*cursor];

		if (s->key == NULL)
			continue;
		if (key_r != NULL)
			*key_r = s->key;
		if (value_r != NULL)
			*value_r = s->value;
		(*cursor)++;
		return true;
	}
	return false;
}
