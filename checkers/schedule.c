/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"

/* There may be tens of thousands of them. */
struct entry {
	int64_t grid_ms; /* exact time of the next tick */
	int64_t due_ms;  /* end of its slot: when it is taken */
	uint32_t interval_ms;
	bool is_busy;
};

struct schedule {
	int64_t start_ms; /* slots are counted from here */
	struct entry *entries;
	size_t n;
	size_t cap;
	uint32_t *heap; /* of indexes, the earliest due first; equal ones in order of index */
	uint64_t skipped;
	int64_t late_max_ms;
};

struct schedule *schedule_new(int64_t start_ms)
{
	struct schedule *s = mem_alloc(sizeof(*s));

	s->start_ms = start_ms;
	return s;
}

void schedule_free(struct schedule *s)
{
	if (s == NULL)
		return;
	free(s->entries);
	free(s->heap);
	free(s);
}

/* ---- Heap ---- */

static bool is_before(const struct schedule *s, uint32_t a, uint32_t b)
{
	int64_t due_a = s->entries[a].due_ms;
	int64_t due_b = s->entries[b].due_ms;

	return due_a != due_b ? due_a < due_b : a < b;
}

static void heap_swap(struct schedule *s, size_t i, size_t j)
{
	uint32_t index = s->heap[i];

	s->heap[i] = s->heap[j];
	s->heap[j] = index;
}

static void heap_rise(struct schedule *s, size_t i)
{
	while (i > 0 && is_before(s, s->heap[i], s->heap[(i - 1) / 2])) {
		heap_swap(s, i, (i - 1) / 2);
		i = (i - 1) / 2;
	}
}

static void heap_sink(struct schedule *s, size_t i)
{
	for (;;) {
		size_t first = i;

		for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < s->n; child++) {
			if (is_before(s, s->heap[child], s->heap[first]))
				first = child;
		}
		if (first == i)
			return;
		heap_swap(s, i, first);
		i = first;
	}
}

/* ---- Phases ---- */

/* FNV-1a with a final mix, so that ids that differ in their last digit land far apart. Part of how
 * a restarted checker finds its old grid: it must not change with time or process. */
static uint64_t hash_id(const char *id)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *id != '\0'; id++)
		hash = (hash ^ (unsigned char)*id) * 0x100000001b3u;
	hash ^= hash >> 33;
	hash *= 0xff51afd7ed558ccdu;
	return hash ^ (hash >> 33);
}

static int64_t slot_for(int64_t interval_ms)
{
	if (interval_ms >= SCHEDULE_LONG_MS)
		return SCHEDULE_SLOT_LONG_MS;
	if (interval_ms >= SCHEDULE_MEDIUM_MS)
		return SCHEDULE_SLOT_MEDIUM_MS;
	return SCHEDULE_SLOT_FINE_MS;
}

static int64_t slot_end(const struct schedule *s, int64_t at_ms, int64_t slot_ms)
{
	int64_t since = at_ms - s->start_ms;

	return s->start_ms + (since + slot_ms - 1) / slot_ms * slot_ms;
}

static int64_t spread(uint64_t hash, int64_t range_ms, int64_t step_ms)
{
	int64_t steps = HALE_MAX(range_ms / step_ms, 1);

	return (int64_t)(hash % (uint64_t)steps) * step_ms;
}

size_t schedule_add(struct schedule *s, const char *id, int64_t interval_ms)
{
	uint64_t hash = hash_id(id);
	struct entry e = {.interval_ms = (uint32_t)interval_ms};
	int64_t slot_ms = slot_for(interval_ms);
	int64_t first_ms;

	HALE_ASSERT(interval_ms >= SCHEDULE_INTERVAL_MIN_MS);
	HALE_ASSERT(interval_ms <= SCHEDULE_INTERVAL_MAX_MS && s->n < UINT32_MAX);
	/* The first run is not on the grid of a long interval, or a restarted checker would be
	 * silent for so long. Its slot is fine enough to spread it within the first second. */
	first_ms = spread(hash, HALE_MIN(interval_ms, SCHEDULE_FIRST_MS),
			  HALE_MIN(slot_ms, SCHEDULE_SLOT_MEDIUM_MS));
	e.grid_ms = s->start_ms + first_ms;
	if (interval_ms > SCHEDULE_FIRST_MS)
		e.grid_ms = s->start_ms + spread(hash >> 20, interval_ms, slot_ms);
	e.due_ms = s->start_ms + first_ms;
	if (s->n == s->cap) {
		s->cap = HALE_MAX(s->cap * 2, (size_t)16);
		s->entries = mem_grow(s->entries, s->cap, sizeof(*s->entries));
		s->heap = mem_grow(s->heap, s->cap, sizeof(*s->heap));
	}
	/* The grid's tick nearest to the first run is the one that the first run stands for: the
	 * second then comes half an interval to one and a half after it. */
	if (e.grid_ms - e.due_ms > interval_ms / 2)
		e.grid_ms -= interval_ms;
	s->entries[s->n] = e;
	s->heap[s->n] = (uint32_t)s->n;
	heap_rise(s, s->n);
	return s->n++;
}

/* ---- Ticks ---- */

int64_t schedule_next(const struct schedule *s)
{
	return s->n > 0 ? s->entries[s->heap[0]].due_ms : INT64_MAX;
}

/* To the next tick whose slot ends after now; those in between were missed. */
static void advance(struct schedule *s, struct entry *e, int64_t now_ms)
{
	for (;;) {
		int64_t behind;

		e->grid_ms += e->interval_ms;
		e->due_ms = slot_end(s, e->grid_ms, slot_for(e->interval_ms));
		if (e->due_ms > now_ms)
			return;
		/* One fewer than what surely passed: the last slot may end a little later. */
		behind = HALE_MAX((now_ms - e->due_ms) / e->interval_ms - 1, 0);
		e->grid_ms += behind * e->interval_ms;
		s->skipped += 1 + (uint64_t)behind;
	}
}

enum schedule_tick schedule_take(struct schedule *s, int64_t now_ms, size_t *index_r)
{
	struct entry *e;
	size_t index;

	if (schedule_next(s) > now_ms)
		return SCHEDULE_NONE;
	index = s->heap[0];
	e = &s->entries[index];
	s->late_max_ms = HALE_MAX(s->late_max_ms, now_ms - e->due_ms);
	advance(s, e, now_ms);
	heap_sink(s, 0);
	*index_r = index;
	if (e->is_busy) {
		s->skipped++;
		return SCHEDULE_BUSY;
	}
	e->is_busy = true;
	return SCHEDULE_RUN;
}

void schedule_idle(struct schedule *s, size_t index)
{
	HALE_ASSERT(index < s->n && s->entries[index].is_busy);
	s->entries[index].is_busy = false;
}

uint64_t schedule_skipped(const struct schedule *s)
{
	return s->skipped;
}

int64_t schedule_late_max_ms(const struct schedule *s)
{
	return s->late_max_ms;
}
