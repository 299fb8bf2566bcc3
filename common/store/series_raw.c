/* SPDX-License-Identifier: Apache-2.0 */
#include "series_load.h"

#include <math.h>
#include <stdlib.h>

#include "base/jtext.h"
#include "base/mem.h"
#include "base/str.h"
#include "statement.h"
#include "store/metric_text.h"
#include "store_private.h"

/* Where the metrics of a set stand among those of the question; -1: not asked for. */
struct name_set {
	int64_t id;
	int *metrics;
	size_t n;
};

struct raw_load {
	struct series_load *load;
	struct name_set *sets; /* ascending by id */
	size_t sets_n, sets_cap;
	int took; /* number of took_ms among the metrics; -1 */
};

static bool on_set(void *ctx, const struct db_row *row)
{
	struct raw_load *r = ctx;
	const struct db_value *v = row->values;
	json_t *names = json_loadb(v[1].text, v[1].len, 0, NULL), *name;
	struct name_set *set;
	size_t i;

	if (r->sets_n == r->sets_cap) {
		r->sets_cap = r->sets_cap > 0 ? r->sets_cap * 2 : 16;
		r->sets = mem_grow(r->sets, r->sets_cap, sizeof(*r->sets));
	}
	set = &r->sets[r->sets_n++];
	*set = (struct name_set){.id = v[0].integer, .n = json_array_size(names)};
	set->metrics = mem_array(set->n + 1, sizeof(*set->metrics));
	json_array_foreach (names, i, name)
		set->metrics[i] =
			json_is_string(name)
				? series_metric_find(&r->load->set, json_string_value(name),
						     json_string_length(name))
				: -1;
	json_decref(names);
	return true;
}

static int compare_set(const void *id, const void *set)
{
	int64_t a = *(const int64_t *)id, b = ((const struct name_set *)set)->id;

	return (a > b) - (a < b);
}

static void put(struct raw_load *r, const struct db_value *v, int metric, double value)
{
	struct series_load *l = r->load;
	struct series_line *line;

	if (metric < 0 || !isfinite(value))
		return;
	line = series_line_get(&l->set, v[0].integer, (size_t)metric);
	if (line != NULL)
		series_line_value(line, series_plan_step(&l->plan, v[1].integer), value);
}

static void put_set(struct raw_load *r, const struct db_value *v)
{
	const struct name_set *set =
		bsearch(&v[3].integer, r->sets, r->sets_n, sizeof(*set), compare_set);
	size_t cursor = 0;
	double value;

	for (size_t i = 0;
	     set != NULL && i < set->n && metric_text_next(v[4].text, v[4].len, &cursor, &value);
	     i++)
		put(r, v, set->metrics[i], value);
}

static void put_object(struct raw_load *r, const struct db_value *v)
{
	const struct jtext object = {v[4].text, v[4].len};
	struct jtext name, value;
	double number;

	for (size_t at = 0; jtext_next(object, &at, &name, &value);)
		if (jtext_number(value, &number))
			put(r, v, series_metric_find(&r->load->set, name.text, name.len), number);
}

static bool on_result(void *ctx, const struct db_row *row)
{
	struct raw_load *r = ctx;
	const struct db_value *v = row->values;

	if (v[2].type == DB_INT)
		put(r, v, r->took, (double)v[2].integer / 1000.0);
	if (v[4].type != DB_TEXT)
		return true;
	if (v[3].type == DB_INT)
		put_set(r, v);
	else
		put_object(r, v);
	return true;
}

static int load_results(struct raw_load *r, int64_t from_ms, int64_t to_ms, struct err *err)
{
	HALE_CLEANUP(str_done) struct str sql = {0};
	const struct series_set *set = &r->load->set;
	bool is_one = set->components_n == 1;
	bool is_took_only = set->metrics_n == 1 && r->took == 0;
	struct db_value args[] = {DB_V_INT(from_ms), DB_V_INT(to_ms),
				  DB_V_INT(is_one ? set->components[0].id : 0)};

	str_addf(&sql,
		 "SELECT r.component_id, @ms{r.at}, r.took_us, r.metric_set, %s FROM results r"
		 " WHERE r.at >= @at{$1} AND r.at < @at{$2}%s ORDER BY r.at",
		 is_took_only ? "NULL" : "r.metrics", is_one ? " AND r.component_id = $3" : "");
	return statement_query(r->load->s->db, str_text(&sql), args, is_one ? 3 : 2, on_result, r,
			       err);
}

int series_raw_load(struct series_load *l, int64_t from_ms, int64_t to_ms, struct err *err)
{
	struct raw_load r = {.load = l, .took = series_metric_find(&l->set, "took_ms", 7)};
	int rc = statement_query(l->s->db, "SELECT id, names FROM metric_sets ORDER BY id", NULL, 0,
				 on_set, &r, err);

	if (rc == 0)
		rc = load_results(&r, from_ms, to_ms, err);
	for (size_t i = 0; i < r.sets_n; i++)
		free(r.sets[i].metrics);
	free(r.sets);
	return rc;
}
