/* SPDX-License-Identifier: Apache-2.0 */
#include "series_set.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void series_set_component(struct series_set *s, int64_t id, const char *node, const char *name)
{
	if (s->components_n == s->components_cap) {
		s->components_cap = s->components_cap > 0 ? s->components_cap * 2 : 16;
		s->components = mem_grow(s->components, s->components_cap, sizeof(*s->components));
	}
	s->components[s->components_n++] =
		(struct series_component){.id = id, .node = mem_dup(node), .name = mem_dup(name)};
}

void series_set_metric(struct series_set *s, int64_t id, const char *name)
{
	if (s->metrics_n == s->metrics_cap) {
		s->metrics_cap = s->metrics_cap > 0 ? s->metrics_cap * 2 : 16;
		s->metrics = mem_grow(s->metrics, s->metrics_cap, sizeof(*s->metrics));
	}
	s->metrics[s->metrics_n++] = (struct series_metric){.id = id, .name = mem_dup(name)};
}

int series_metric_find(const struct series_set *s, const char *name, size_t len)
{
	for (size_t i = 0; i < s->metrics_n; i++)
		if (strlen(s->metrics[i].name) == len && memcmp(s->metrics[i].name, name, len) == 0)
			return (int)i;
	return -1;
}

int series_metric_find_id(const struct series_set *s, int64_t id)
{
	for (size_t i = 0; i < s->metrics_n; i++)
		if (s->metrics[i].id == id)
			return (int)i;
	return -1;
}

static int compare_id(const void *id, const void *component)
{
	int64_t a = *(const int64_t *)id, b = ((const struct series_component *)component)->id;

	return (a > b) - (a < b);
}

struct series_line *series_line_get(struct series_set *s, int64_t component_id, size_t metric)
{
	struct series_component *c =
		bsearch(&component_id, s->components, s->components_n, sizeof(*c), compare_id);

	if (c == NULL)
		return NULL;
	if (c->lines != NULL && c->lines[metric] != NULL)
		return c->lines[metric];
	if (s->lines_n == s->lines_max) {
		s->is_truncated = true;
		return NULL;
	}
	if (c->lines == NULL)
		c->lines = mem_array(s->metrics_n, sizeof(struct series_line *));
	s->lines_n++;
	c->lines[metric] = mem_alloc(sizeof(struct series_line));
	c->lines[metric]->v = mem_array(s->steps, sizeof(struct series_point));
	return c->lines[metric];
}

/* The middle of a sketch's bucket may lie beyond what was seen. */
static void end_step(struct series_line *l)
{
	struct series_point *p = &l->v[l->last];

	if (l->sketch_count == 0)
		return;
	p->p95 = fmin(fmax(sketch_quantile(&l->sketch, 0.95), p->min), p->max);
	sketch_clear(&l->sketch);
	l->sketch_count = 0;
}

static void reach(struct series_line *l, size_t step)
{
	l->first = l->has_data ? HALE_MIN(l->first, step) : step;
	l->last = l->has_data ? HALE_MAX(l->last, step) : step;
	l->has_data = true;
}

/* The point that the next part belongs to. */
static struct series_point *point_at(struct series_line *l, size_t step)
{
	HALE_ASSERT(!l->has_data || step >= l->last);
	if (l->has_data && step != l->last)
		end_step(l);
	reach(l, step);
	return &l->v[step];
}

static void add(struct series_point *p, const struct series_point *row)
{
	p->min = p->count > 0 ? fmin(p->min, row->min) : row->min;
	p->max = p->count > 0 ? fmax(p->max, row->max) : row->max;
	p->sum = fmin(fmax(p->sum + row->sum, -DBL_MAX), DBL_MAX);
	p->count += row->count;
}

double series_point_avg(const struct series_point *p)
{
	return fmin(fmax(p->sum / (double)p->count, p->min), p->max);
}

void series_line_put(struct series_line *l, size_t step, const struct series_point *row)
{
	reach(l, step);
	l->v[step] = *row;
}

void series_line_merge(struct series_set *s, struct series_line *l, size_t step,
		       const struct series_point *row, const char *sketch, size_t sketch_len)
{
	add(point_at(l, step), row);
	if (!sketch_read(sketch, sketch_len, &s->scratch))
		return;
	sketch_merge(&l->sketch, &s->scratch);
	l->sketch_count += row->count;
}

void series_line_value(struct series_line *l, size_t step, double value)
{
	add(point_at(l, step),
	    &(struct series_point){.count = 1, .sum = value, .min = value, .max = value});
	sketch_add(&l->sketch, value, 1);
	l->sketch_count++;
}

void series_line_end(struct series_line *l)
{
	if (l->has_data)
		end_step(l);
}

static void component_done(struct series_component *c, size_t metrics_n)
{
	for (size_t i = 0; c->lines != NULL && i < metrics_n; i++) {
		if (c->lines[i] == NULL)
			continue;
		sketch_done(&c->lines[i]->sketch);
		free(c->lines[i]->v);
		free(c->lines[i]);
	}
	free(c->lines);
	free(c->node);
	free(c->name);
}

void series_set_done(struct series_set *s)
{
	for (size_t i = 0; i < s->components_n; i++)
		component_done(&s->components[i], s->metrics_n);
	for (size_t i = 0; i < s->metrics_n; i++)
		free(s->metrics[i].name);
	free(s->components);
	free(s->metrics);
	sketch_done(&s->scratch);
	*s = (struct series_set){0};
}
