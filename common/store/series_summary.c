/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/clock.h"
#include "model/component.h"
#include "series_load.h"
#include "statement.h"
#include "store_private.h"

/* The newest values of the components, by id as text. */
struct newest {
	struct series_load *load;
	json_t *by_id;
};

/* {"<metric>": value …} of a component whose state is of the range. */
static bool on_state(void *ctx, const struct db_row *row)
{
	struct newest *n = ctx;
	const struct db_value *v = row->values;
	json_t *values = v[3].type == DB_TEXT ? json_loadb(v[3].text, v[3].len, 0, NULL) : NULL;
	char id[24];

	if (!json_is_object(values)) {
		json_decref(values);
		values = json_object();
	}
	if (v[2].type == DB_INT)
		(void)json_object_set_new(values, "took_ms",
					  json_real((double)v[2].integer / 1000.0));
	(void)snprintf(id, sizeof(id), "%lld", (long long)v[0].integer);
	(void)json_object_set_new(n->by_id, id, values);
	return true;
}

static int load_newest(struct newest *n, struct err *err)
{
	struct db_value args[] = {DB_V_INT(n->load->from_ms), DB_V_INT(n->load->to_ms)};

	return statement_query(n->load->s->db,
			       "SELECT s.component_id, @ms{s.at}, s.took_us, @json{s.metrics}"
			       " FROM component_states s"
			       " WHERE s.at >= @at{$1} AND s.at < @at{$2}",
			       args, ARRAY_LEN(args), on_state, n, err);
}

static json_t *newest_json(const struct newest *n, int64_t id, const char *metric)
{
	char text[24];
	json_t *value;

	(void)snprintf(text, sizeof(text), "%lld", (long long)id);
	value = json_object_get(json_object_get(n->by_id, text), metric);
	return json_is_number(value) ? json_incref(value) : json_null();
}

static json_t *encode(const struct series_component *c, const char *metric,
		      const struct series_point *p, json_t *last)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:f, s:f, s:f, s:f, s:o}", "component", c->name,
			 "node", c->node, "metric", metric, "count", (json_int_t)p->count, "min",
			 p->min, "avg", series_point_avg(p), "max", p->max, "p95", p->p95, "last",
			 last);
}

static json_t *encode_all(const struct newest *n)
{
	const struct series_set *set = &n->load->set;
	json_t *out = json_array();

	for (size_t i = 0; i < set->components_n; i++) {
		const struct series_component *c = &set->components[i];

		for (size_t k = 0; c->lines != NULL && k < set->metrics_n; k++) {
			const char *metric = set->metrics[k].name;

			if (c->lines[k] != NULL && c->lines[k]->has_data)
				(void)json_array_append_new(out,
							    encode(c, metric, &c->lines[k]->v[0],
								   newest_json(n, c->id, metric)));
		}
	}
	return out;
}

static json_t *answer(const struct newest *n)
{
	const struct series_load *l = n->load;
	char from[CLOCK_TEXT_MAX], to[CLOCK_TEXT_MAX];

	return json_pack("{s:s, s:s, s:s, s:o, s:b}", "from", clock_format(l->plan.first_ms, from),
			 "to", clock_format(l->to_ms, to), "source",
			 series_source_name(l->plan.source), "metrics", encode_all(n), "truncated",
			 l->set.is_truncated);
}

int series_summary(struct store *s, const struct series_query *q, json_t **out_r, struct err *err)
{
	HALE_CLEANUP(series_load_done) struct series_load l = {.s = s, .q = q};
	struct newest n = {.load = &l};
	int rc = series_load_begin(&l, err);

	if (rc != 0)
		return rc;
	series_plan_whole(&l.scope, &l.plan);
	n.by_id = json_object();
	rc = series_load_rows(&l, err);
	if (rc == 0)
		rc = load_newest(&n, err);
	if (rc == 0)
		*out_r = answer(&n);
	json_decref(n.by_id);
	return rc;
}
