/* SPDX-License-Identifier: Apache-2.0 */
#include "timeline.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"

/* The first allocation holds what an idle checker needs. */
#define HEAP_MIN 16

static void put_at(struct timeline *t, uint32_t place, struct timeline_item *item)
{
	t->heap[place - 1] = item;
	item->place = place;
}

static struct timeline_item *at(const struct timeline *t, uint32_t place)
{
	return t->heap[place - 1];
}

static void rise(struct timeline *t, struct timeline_item *item)
{
	uint32_t place = item->place;

	while (place > 1 && item->at_ms < at(t, place / 2)->at_ms) {
		put_at(t, place, at(t, place / 2));
		place /= 2;
	}
	put_at(t, place, item);
}

static void sink(struct timeline *t, struct timeline_item *item)
{
	uint32_t place = item->place;

	for (;;) {
		uint32_t child = 2 * place;

		if (child < t->n && at(t, child + 1)->at_ms < at(t, child)->at_ms)
			child++;
		if (child > t->n || item->at_ms <= at(t, child)->at_ms)
			break;
		put_at(t, place, at(t, child));
		place = child;
	}
	put_at(t, place, item);
}

void timeline_set(struct timeline *t, struct timeline_item *item, int64_t at_ms)
{
	item->at_ms = at_ms;
	if (item->place == 0) {
		if (t->n == t->cap) {
			t->cap = HALE_MAX(t->cap * 2, (uint32_t)HEAP_MIN);
			t->heap = mem_grow(t->heap, t->cap, sizeof(struct timeline_item *));
		}
		put_at(t, ++t->n, item);
	}
	rise(t, item);
	sink(t, item);
}

void timeline_drop(struct timeline *t, struct timeline_item *item)
{
	struct timeline_item *last;

	if (item->place == 0)
		return;
	last = at(t, t->n--);
	if (last != item) {
		put_at(t, item->place, last);
		rise(t, last);
		sink(t, last);
	}
	item->place = 0;
}

bool timeline_has(const struct timeline_item *item)
{
	return item->place != 0;
}

int64_t timeline_next(const struct timeline *t)
{
	return t->n > 0 ? at(t, 1)->at_ms : INT64_MAX;
}

struct timeline_item *timeline_take(struct timeline *t, int64_t now_ms)
{
	struct timeline_item *item;

	if (timeline_next(t) > now_ms)
		return NULL;
	item = at(t, 1);
	timeline_drop(t, item);
	return item;
}

void timeline_done(struct timeline *t)
{
	free(t->heap);
	*t = (struct timeline){0};
}
