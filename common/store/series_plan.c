/* SPDX-License-Identifier: Apache-2.0 */
#include "series_plan.h"

#include "base/cleanup.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define WEEK   (7 * DAY)
/* 1970 began on a Thursday. */
#define MONDAY (4 * DAY)

static const struct {
	const char *name, *table;
	int64_t ms;
} sources[SERIES_SOURCE_MAX] = {
	[SERIES_RAW] = {"raw", "results", 0},
	[SERIES_5M] = {"5m", "metric_rollups_5m", 5 * MINUTE},
	[SERIES_1H] = {"1h", "metric_rollups_1h", HOUR},
	[SERIES_1D] = {"1d", "metric_rollups_1d", DAY},
};

static const int64_t steps[] = {10 * SECOND, 30 * SECOND, MINUTE, 5 * MINUTE,
				15 * MINUTE, 30 * MINUTE, HOUR,   3 * HOUR,
				6 * HOUR,    12 * HOUR,   DAY,    WEEK};

const char *series_source_name(enum series_source s)
{
	return sources[s].name;
}

const char *series_source_table(enum series_source s)
{
	return sources[s].table;
}

int64_t series_source_ms(enum series_source s)
{
	return sources[s].ms;
}

/* The coarsest of which a step is made. */
static enum series_source source_of(int64_t step_ms)
{
	enum series_source s = SERIES_1D;

	while (s > SERIES_RAW && sources[s].ms > step_ms)
		s--;
	return s;
}

static double raw_rows(const struct series_scope *c)
{
	return c->raw_rows_per_ms * (double)(c->to_ms - c->from_ms);
}

static bool is_raw_quick(const struct series_scope *c)
{
	return c->to_ms - c->from_ms <= SERIES_RAW_RANGE_MS && raw_rows(c) <= SERIES_RAW_ROWS_MAX;
}

/* Does it reach as far back as is asked, or at least as any coarser one? */
static bool reaches_back(const struct series_scope *c, enum series_source s)
{
	if (c->oldest_ms[s] <= c->from_ms)
		return true;
	for (enum series_source k = s + 1; k < SERIES_SOURCE_MAX; k++)
		if (c->oldest_ms[k] / DAY < c->oldest_ms[s] / DAY)
			return false;
	return c->oldest_ms[s] != INT64_MAX;
}

static bool is_usable(const struct series_scope *c, enum series_source s)
{
	bool has_rollups = c->oldest_ms[SERIES_5M] != INT64_MAX ||
			   c->oldest_ms[SERIES_1H] != INT64_MAX ||
			   c->oldest_ms[SERIES_1D] != INT64_MAX;

	if (s == SERIES_RAW)
		return reaches_back(c, s) &&
		       (is_raw_quick(c) || (!has_rollups && raw_rows(c) <= SERIES_RAW_ROWS_MAX));
	return reaches_back(c, s);
}

static int64_t align(int64_t ms, int64_t step_ms)
{
	return step_ms == WEEK ? (ms + WEEK - MONDAY) / WEEK * WEEK + MONDAY - WEEK
			       : ms / step_ms * step_ms;
}

static bool fits(const struct series_scope *c, int64_t step_ms, enum series_source s)
{
	size_t range = (size_t)(c->to_ms - align(c->from_ms, step_ms));
	size_t points = range / (size_t)step_ms + 1;
	size_t rows = s == SERIES_RAW ? 0 : range / (size_t)sources[s].ms + 1;

	/* A range that ends with a step has no part of another one. */
	if (range % (size_t)step_ms == 0)
		points--;
	return points <= c->points_max && points * c->series <= c->all_max &&
	       rows * c->series <= SERIES_ROWS_MAX;
}

static void plan_set(const struct series_scope *c, int64_t step_ms, enum series_source s,
		     struct series_plan *plan_r)
{
	int64_t first_ms = align(c->from_ms, step_ms);

	*plan_r = (struct series_plan){
		.source = s,
		.step_ms = step_ms,
		.first_ms = first_ms,
		.steps = (size_t)((c->to_ms - first_ms + step_ms - 1) / step_ms),
	};
}

/* Nothing fits: the coarsest that there is. */
static enum series_source last_resort(const struct series_scope *c)
{
	enum series_source s = SERIES_1D;

	while (s > SERIES_RAW && c->oldest_ms[s] == INT64_MAX)
		s--;
	return s == SERIES_RAW && raw_rows(c) > SERIES_RAW_ROWS_MAX ? SERIES_1D : s;
}

void series_plan_make(const struct series_scope *scope, struct series_plan *plan_r)
{
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		enum series_source s = source_of(steps[i]);

		if (steps[i] < scope->step_ms || !fits(scope, steps[i], s))
			continue;
		/* A store that is too young for this has the coarse steps from finer rows. */
		while (s > SERIES_RAW && scope->oldest_ms[s] == INT64_MAX)
			s--;
		if (!is_usable(scope, s))
			continue;
		plan_set(scope, steps[i], s, plan_r);
		return;
	}
	plan_set(scope, WEEK, last_resort(scope), plan_r);
}

void series_plan_whole(const struct series_scope *scope, struct series_plan *plan_r)
{
	int64_t range = scope->to_ms - scope->from_ms;
	enum series_source s = SERIES_RAW;

	/* Rows are of 5 minutes at least, unless there are none yet. */
	if (!is_usable(scope, s) || scope->oldest_ms[SERIES_5M] != INT64_MAX)
		s = SERIES_5M;
	while (s > SERIES_RAW && s < SERIES_1D &&
	       (!is_usable(scope, s) ||
		(size_t)(range / sources[s].ms + 1) * scope->series > SERIES_ROWS_MAX))
		s++;
	plan_set(scope, s == SERIES_RAW ? 1 : sources[s].ms, s, plan_r);
	plan_r->step_ms = HALE_MAX(scope->to_ms - plan_r->first_ms, 1);
	plan_r->steps = 1;
}

size_t series_plan_step(const struct series_plan *plan, int64_t at_ms)
{
	HALE_ASSERT(at_ms >= plan->first_ms);
	return (size_t)((at_ms - plan->first_ms) / plan->step_ms);
}
