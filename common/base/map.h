/* SPDX-License-Identifier: Apache-2.0 */
/* map - string keys to pointers
 *
 * Open addressing, grows at three quarters full, keeps its own copy of each key, never of the
 * value. Zero-initialised is valid and empty. Iteration order is arbitrary; the map must not
 * change while it is iterated.
 */
#ifndef HALE_BASE_MAP_H
#define HALE_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_slot {
	char *key; /* NULL: free */
	void *value;
	uint32_t hash;
	bool is_dead; /* removed; probing goes on past it */
};

struct map {
	struct map_slot *slots;
	size_t cap;
	size_t used; /* live + dead */
	size_t n;    /* live */
};

void map_done(struct map *m); /* frees keys, not values */
void *map_get(const struct map *m, const char *key);
void *map_put(struct map *m, const char *key, void *value); /* returns the old value or NULL */
void *map_take(struct map *m, const char *key);             /* removes; NULL if absent */

/* for (size_t i = 0; map_each(&m, &i, &key, (void **)&value);) */
bool map_each(const struct map *m, size_t *cursor, const char **key_r, void **value_r);

#endif
