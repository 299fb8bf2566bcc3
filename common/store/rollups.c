/* SPDX-License-Identifier: Apache-2.0 */
#include "store/rollups.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* A series of another slice. */
#define NONE UINT32_MAX

/* --- one series --- */

static double bounded(double sum)
{
	return isfinite(sum) ? sum : copysign(DBL_MAX, sum);
}

void rollup_add(struct rollup *r, double value)
{
	r->min = r->count == 0 || value < r->min ? value : r->min;
	r->max = r->count == 0 || value > r->max ? value : r->max;
	r->sum = bounded(r->sum + value);
	r->count++;
	sketch_add(&r->sketch, value, 1);
}

void rollup_merge(struct rollup *r, const struct rollup *other)
{
	if (other->count == 0)
		return;
	r->min = r->count == 0 || other->min < r->min ? other->min : r->min;
	r->max = r->count == 0 || other->max > r->max ? other->max : r->max;
	r->sum = bounded(r->sum + other->sum);
	r->count += other->count;
	sketch_merge(&r->sketch, &other->sketch);
}

double rollup_quantile(const struct rollup *r, double quantile)
{
	double value = sketch_quantile(&r->sketch, quantile);

	if (r->count == 0 || isnan(value))
		return NAN;
	return fmin(fmax(value, r->min), r->max);
}

void rollup_done(struct rollup *r)
{
	sketch_done(&r->sketch);
	*r = (struct rollup){0};
}

/* --- tables: (a, b) -> place --- */

struct slot {
	int64_t a, b;
	uint32_t at; /* place + 1; 0: free */
};

struct table {
	struct slot *v;
	size_t n, cap; /* a power of two, or 0 */
};

static size_t hash_of(int64_t a, int64_t b)
{
	uint64_t h = (uint64_t)a * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)b;

	h = (h ^ (h >> 29)) * UINT64_C(0xbf58476d1ce4e5b9);
	return (size_t)(h ^ (h >> 32));
}

static struct slot *slot_of(const struct table *t, int64_t a, int64_t b)
{
	size_t i = hash_of(a, b) & (t->cap - 1);

	while (t->v[i].at != 0 && (t->v[i].a != a || t->v[i].b != b))
		i = (i + 1) & (t->cap - 1);
	return &t->v[i];
}

static bool table_get(const struct table *t, int64_t a, int64_t b, uint32_t *at_r)
{
	struct slot *slot = t->cap > 0 ? slot_of(t, a, b) : NULL;

	if (slot == NULL || slot->at == 0)
		return false;
	*at_r = slot->at - 1;
	return true;
}

static void table_put(struct table *t, int64_t a, int64_t b, uint32_t at)
{
	if (2 * (t->n + 1) > t->cap) {
		struct table old = *t;

		t->cap = old.cap > 0 ? 2 * old.cap : 64;
		t->v = mem_array(t->cap, sizeof(*t->v));
		for (size_t i = 0; i < old.cap; i++)
			if (old.v[i].at != 0)
				*slot_of(t, old.v[i].a, old.v[i].b) = old.v[i];
		free(old.v);
	}
	*slot_of(t, a, b) = (struct slot){.a = a, .b = b, .at = at + 1};
	t->n++;
}

static void table_clear(struct table *t)
{
	free(t->v);
	*t = (struct table){0};
}

/* --- many series --- */

struct pair {
	int64_t component, metric;
};

struct rollups {
	size_t bytes_max;
	size_t sketch_bytes;
	struct rollup *v;
	size_t n, cap;
	struct table series; /* component, metric -> place in v */
	struct table lists;  /* component, list -> place in places */
	uint32_t *places;    /* of each list's series, in its order */
	size_t places_n, places_cap;
	struct pair from, below; /* the slice; below is only valid if is_cut */
	bool is_cut;
};

struct rollups *rollups_new(size_t bytes_max)
{
	struct rollups *r = mem_alloc(sizeof(*r));

	r->bytes_max = bytes_max;
	rollups_reset(r);
	return r;
}

static void empty(struct rollups *r)
{
	for (size_t i = 0; i < r->n; i++)
		rollup_done(&r->v[i]);
	free(r->v);
	free(r->places);
	r->v = NULL;
	r->places = NULL;
	r->n = r->cap = r->places_n = r->places_cap = r->sketch_bytes = 0;
	table_clear(&r->series);
	table_clear(&r->lists);
}

void rollups_free(struct rollups *r)
{
	if (r == NULL)
		return;
	empty(r);
	free(r);
}

void rollups_reset(struct rollups *r)
{
	empty(r);
	r->from = (struct pair){INT64_MIN, INT64_MIN};
	r->is_cut = false;
}

bool rollups_next(struct rollups *r)
{
	if (!r->is_cut)
		return false;
	empty(r);
	r->from = r->below;
	r->is_cut = false;
	return true;
}

static int compare_pairs(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	if (x->component != y->component)
		return x->component < y->component ? -1 : 1;
	return (x->metric > y->metric) - (x->metric < y->metric);
}

static bool is_in_slice(const struct rollups *r, struct pair p)
{
	return compare_pairs(&p, &r->from) >= 0 && (!r->is_cut || compare_pairs(&p, &r->below) < 0);
}

static size_t bytes_of(const struct rollups *r)
{
	return r->sketch_bytes + r->cap * sizeof(*r->v) + r->places_cap * sizeof(*r->places) +
	       (r->series.cap + r->lists.cap) * sizeof(struct slot);
}

static struct pair middle_pair(const struct rollups *r)
{
	struct pair *pairs = mem_array(r->n, sizeof(*pairs)), middle;

	for (size_t i = 0; i < r->n; i++)
		pairs[i] = (struct pair){r->v[i].component, r->v[i].metric};
	qsort(pairs, r->n, sizeof(*pairs), compare_pairs);
	middle = pairs[r->n / 2];
	free(pairs);
	return middle;
}

static size_t sketch_bytes(const struct rollup *series)
{
	return series->sketch.capacity * sizeof(*series->sketch.v);
}

/* Gives up the upper half, whose numbers so far will be added again with all others. */
static void cut(struct rollups *r)
{
	struct rollup *old = r->v;
	size_t n = r->n;

	r->below = middle_pair(r);
	r->is_cut = true;
	r->v = NULL;
	r->n = 0;
	empty(r);
	r->cap = n;
	r->v = mem_array(r->cap, sizeof(*r->v));
	for (size_t i = 0; i < n; i++) {
		if (!is_in_slice(r, (struct pair){old[i].component, old[i].metric})) {
			rollup_done(&old[i]);
			continue;
		}
		table_put(&r->series, old[i].component, old[i].metric, (uint32_t)r->n);
		r->sketch_bytes += sketch_bytes(&old[i]);
		r->v[r->n++] = old[i];
	}
	free(old);
}

/* Before a row: places of series change. */
static void make_room(struct rollups *r)
{
	while (r->n > 1 && bytes_of(r) > r->bytes_max)
		cut(r);
}

static uint32_t place_of(struct rollups *r, int64_t component, int64_t metric)
{
	uint32_t at;

	if (!is_in_slice(r, (struct pair){component, metric}))
		return NONE;
	if (table_get(&r->series, component, metric, &at))
		return at;
	if (r->n == r->cap) {
		r->cap = r->cap > 0 ? 2 * r->cap : 16;
		r->v = mem_grow(r->v, r->cap, sizeof(*r->v));
	}
	at = (uint32_t)r->n++;
	r->v[at] = (struct rollup){.component = component, .metric = metric};
	table_put(&r->series, component, metric, at);
	return at;
}

static void add_at(struct rollups *r, uint32_t at, double value)
{
	size_t before;

	if (at == NONE || !isfinite(value))
		return;
	before = sketch_bytes(&r->v[at]);
	rollup_add(&r->v[at], value);
	r->sketch_bytes += sketch_bytes(&r->v[at]) - before;
}

void rollups_add(struct rollups *r, int64_t component, int64_t metric, double value)
{
	make_room(r);
	add_at(r, place_of(r, component, metric), value);
}

void rollups_merge(struct rollups *r, const struct rollup *part)
{
	uint32_t at;
	size_t before;

	make_room(r);
	at = place_of(r, part->component, part->metric);
	if (at == NONE)
		return;
	before = sketch_bytes(&r->v[at]);
	rollup_merge(&r->v[at], part);
	r->sketch_bytes += sketch_bytes(&r->v[at]) - before;
}

static const uint32_t *places_of(struct rollups *r, int64_t component,
				 const struct rollups_list *list)
{
	uint32_t at;

	if (table_get(&r->lists, component, list->id, &at))
		return &r->places[at];
	at = (uint32_t)r->places_n;
	if (r->places_n + list->n > r->places_cap) {
		r->places_cap = HALE_MAX(2 * r->places_cap, r->places_n + list->n + 64);
		r->places = mem_grow(r->places, r->places_cap, sizeof(*r->places));
	}
	for (size_t i = 0; i < list->n; i++)
		r->places[r->places_n++] = place_of(r, component, list->metrics[i]);
	table_put(&r->lists, component, list->id, at);
	return &r->places[at];
}

void rollups_add_row(struct rollups *r, int64_t component, const struct rollups_list *list,
		     const double *values)
{
	const uint32_t *places;

	make_room(r);
	places = places_of(r, component, list);
	for (size_t i = 0; i < list->n; i++)
		add_at(r, places[i], values[i]);
}

static int by_metric(const void *a, const void *b)
{
	const struct rollup *x = a, *y = b;

	if (x->metric != y->metric)
		return x->metric < y->metric ? -1 : 1;
	return (x->component > y->component) - (x->component < y->component);
}

struct rollup *rollups_sorted(struct rollups *r, const int64_t *ids, size_t *n_r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++) {
		struct rollup *series = &r->v[i];

		if (ids != NULL)
			series->metric = ids[series->metric];
		if (series->count == 0 || (ids != NULL && series->metric == 0)) {
			rollup_done(series);
			continue;
		}
		if (n < i) {
			r->v[n] = *series;
			*series = (struct rollup){0};
		}
		n++;
	}
	r->n = n;
	if (n > 1)
		qsort(r->v, n, sizeof(*r->v), by_metric);
	*n_r = n;
	return r->v;
}
