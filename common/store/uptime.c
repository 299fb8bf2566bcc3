/* SPDX-License-Identifier: Apache-2.0 */
#include "store/uptime.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "dialect.h"
#include "model/component.h"
#include "uptime_set.h"

static void set(json_t *out, const char *key, json_t *value)
{
	(void)json_object_set_new(out, key, value);
}

static json_t *time_json(int64_t ms)
{
	char text[CLOCK_TEXT_MAX];

	return json_string(clock_format(ms, text));
}

static json_t *ms_json(double ms)
{
	return isnan(ms) ? json_null() : json_integer((json_int_t)llround(ms));
}

static json_t *encode_ms(const struct uptime_math *m, int64_t range_ms)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", status_name(STATUS_HEALTHY),
			 (json_int_t)m->ms[STATUS_HEALTHY], status_name(STATUS_DEGRADED),
			 (json_int_t)m->ms[STATUS_DEGRADED], status_name(STATUS_CRITICAL),
			 (json_int_t)m->ms[STATUS_CRITICAL], status_name(STATUS_DOWN),
			 (json_int_t)m->ms[STATUS_DOWN], "unmonitored",
			 (json_int_t)(range_ms - uptime_monitored(m)));
}

/* The budget is what may be critical or down of the time that was monitored. */
static json_t *encode_sla(const struct uptime_math *m, double target)
{
	double monitored = (double)uptime_monitored(m), bad = (double)uptime_bad(m);
	double budget = round(monitored * (100.0 - target) / 100.0);
	json_t *is_met = monitored > 0 ? json_boolean(bad <= budget) : json_null();

	return json_pack("{s:f, s:o, s:I, s:I}", "target_percent", target, "is_met", is_met,
			 "budget_ms", (json_int_t)budget, "budget_left_ms",
			 (json_int_t)(budget - bad));
}

static json_t *encode(const struct uptime_component *c, const struct uptime_query *q)
{
	const struct uptime_math *m = &c->math;
	double percent = uptime_percent(m);
	json_t *out = json_pack("{s:s, s:s}", "component", c->name, "node", c->node);

	set(out, "uptime_percent", isnan(percent) ? json_null() : json_real(percent));
	set(out, "ms", encode_ms(m, q->to_ms - q->from_ms));
	set(out, "outages", json_integer((json_int_t)m->outages));
	set(out, "longest_outage_ms", json_integer(m->longest_ms));
	set(out, "mttr_ms", ms_json(uptime_mttr(m)));
	set(out, "mtbf_ms", ms_json(uptime_mtbf(m)));
	set(out, "sla", isnan(q->sla_percent) ? json_null() : encode_sla(m, q->sla_percent));
	return out;
}

/* The whole first, then by name. */
static int compare(const void *a, const void *b)
{
	const struct uptime_component *x = a, *y = b;
	bool is_x = strcmp(x->name, COMPONENT_OVERALL) == 0;
	bool is_y = strcmp(y->name, COMPONENT_OVERALL) == 0;
	int c = strcmp(x->name, y->name);

	if (is_x != is_y)
		return is_x ? -1 : 1;
	return c != 0 ? c : strcmp(x->node, y->node);
}

static int check(const struct uptime_query *q, struct err *err)
{
	if (q->from_ms < 0 || q->from_ms >= q->to_ms || q->to_ms > DIALECT_TIME_MAX)
		return err_set(err, -EINVAL, "the range must begin before it ends");
	if (!isnan(q->sla_percent) && (q->sla_percent < 0 || q->sla_percent > 100))
		return err_set(err, -EINVAL, "the target must be between 0 and 100 percent");
	return 0;
}

static json_t *answer(struct uptime_set *all, const struct uptime_query *q)
{
	json_t *components = json_array();

	if (all->n > 0)
		qsort(all->v, all->n, sizeof(*all->v), compare);
	for (size_t i = 0; i < all->n; i++)
		if (q->component != NULL || all->v[i].has_history)
			(void)json_array_append_new(components, encode(&all->v[i], q));
	return json_pack("{s:o, s:o, s:o}", "from", time_json(q->from_ms), "to",
			 time_json(q->to_ms), "components", components);
}

int uptime_read(struct store *s, const struct uptime_query *q, json_t **out_r, struct err *err)
{
	HALE_CLEANUP(uptime_set_done) struct uptime_set all = {0};
	int rc = check(q, err);

	if (rc == 0)
		rc = uptime_set_load(&all, s, q, err);
	if (rc == 0 && q->component != NULL && all.n == 0)
		rc = err_set(err, -ENOENT, "%s: the store knows no such component", q->component);
	if (rc == 0)
		*out_r = answer(&all, q);
	return rc;
}
