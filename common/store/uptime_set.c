/* SPDX-License-Identifier: Apache-2.0 */
#include "uptime_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "statement.h"
#include "store_private.h"

/* haled repeats each hour that monitoring is paused, and when it starts meanwhile. Who does not for
 * so long has lost its state, or the event of its end. */
#define PAUSE_REMINDER_MS INT64_C(7200000)

struct uptime_node {
	struct uptime_spans spans;
	bool is_paused;
	int64_t paused_ms, reminded_ms;
};

static struct uptime_node *node_get(struct uptime_set *set, const char *name)
{
	struct uptime_node *node = map_get(&set->nodes, name);

	if (node == NULL) {
		node = mem_alloc(sizeof(*node));
		(void)map_put(&set->nodes, name, node);
	}
	return node;
}

/* --- when each node was watched --- */

static bool on_epoch(void *ctx, const struct db_row *row)
{
	const struct db_value *v = row->values;

	uptime_spans_add(&node_get(ctx, v[0].text)->spans, v[1].integer, v[2].integer);
	return true;
}

static int load_epochs(struct uptime_set *set, struct store *s, struct err *err)
{
	const char *name;
	void *node;
	int rc = statement_query(s->db,
				 "SELECT node, @ms{first_at}, @ms{coalesce(last_at, first_at)}"
				 " FROM epochs WHERE first_at IS NOT NULL ORDER BY node, first_at",
				 NULL, 0, on_epoch, set, err);

	for (size_t i = 0; map_each(&set->nodes, &i, &name, &node);)
		uptime_spans_extend(&((struct uptime_node *)node)->spans);
	return rc;
}

/* Until at_ms at the latest. */
static void pause_over(struct uptime_node *node, int64_t at_ms)
{
	if (node->is_paused)
		uptime_spans_cut(&node->spans, node->paused_ms,
				 HALE_MIN(at_ms, node->reminded_ms + PAUSE_REMINDER_MS));
	node->is_paused = false;
}

static bool on_pause(void *ctx, const struct db_row *row)
{
	const struct db_value *v = row->values;
	struct uptime_node *node = node_get(ctx, v[0].text);
	int64_t at_ms = v[1].integer;
	bool is_pause = strcmp(v[2].text, "monitoring_paused") == 0;

	if (!is_pause || at_ms - node->reminded_ms > PAUSE_REMINDER_MS)
		pause_over(node, at_ms);
	if (is_pause && !node->is_paused)
		node->paused_ms = at_ms;
	node->is_paused = is_pause;
	node->reminded_ms = at_ms;
	return true;
}

static int load_pauses(struct uptime_set *set, struct store *s, const struct uptime_query *q,
		       struct err *err)
{
	struct db_value args[] = {DB_V_INT(HALE_MAX(q->from_ms - PAUSE_REMINDER_MS, 0)),
				  DB_V_INT(q->to_ms)};
	const char *name;
	void *value;
	int rc = statement_query(
		s->db,
		"SELECT (SELECT node FROM epochs WHERE id = v.epoch_id), @ms{v.at}, v.kind"
		" FROM events v WHERE v.kind IN ('monitoring_paused', 'monitoring_resumed')"
		" AND v.at >= @at{$1} AND v.at < @at{$2} ORDER BY v.at, v.id",
		args, ARRAY_LEN(args), on_pause, set, err);

	for (size_t i = 0; map_each(&set->nodes, &i, &name, &value);)
		pause_over(value, INT64_MAX);
	return rc;
}

/* --- components, and their changes --- */

struct loading {
	struct uptime_set *set;
	const struct uptime_query *q;
};

static bool is_known(int status)
{
	return status >= 0 && status != STATUS_UNKNOWN;
}

/* The codes of the table are those of the enum. */
static int status_of(const struct db_value *v)
{
	return v->type == DB_INT && v->integer >= 0 && v->integer < STATUS_MAX ? (int)v->integer
									       : -1;
}

static bool on_component(void *ctx, const struct db_row *row)
{
	struct loading *l = ctx;
	struct uptime_set *set = l->set;
	const struct db_value *v = row->values;
	struct uptime_component *c;

	if (set->n == set->cap) {
		set->cap = set->cap > 0 ? set->cap * 2 : 64;
		set->v = mem_grow(set->v, set->cap, sizeof(*set->v));
	}
	c = &set->v[set->n++];
	*c = (struct uptime_component){.id = v[0].integer,
				       .node = mem_dup(v[1].text),
				       .name = mem_dup(v[2].text),
				       .spans = &node_get(set, v[1].text)->spans,
				       .has_history = is_known(status_of(&v[3]))};
	uptime_begin(&c->math, l->q->from_ms, status_of(&v[3]));
	return true;
}

static int compare_id(const void *id, const void *component)
{
	int64_t a = *(const int64_t *)id, b = ((const struct uptime_component *)component)->id;

	return (a > b) - (a < b);
}

static bool on_transition(void *ctx, const struct db_row *row)
{
	struct loading *l = ctx;
	const struct db_value *v = row->values;
	int status = status_of(&v[2]);
	struct uptime_component *c =
		bsearch(&v[0].integer, l->set->v, l->set->n, sizeof(*c), compare_id);

	/* One that came since the components were read is told next time. */
	if (c == NULL || status < 0)
		return true;
	c->has_history |= is_known(status);
	uptime_change(&c->math, c->spans, v[1].integer, status);
	return true;
}

/* " AND <name column> = $2 AND <node column> = $3", as far as they are wanted. */
static void add_filters(struct str *sql, const struct uptime_query *q, struct db_value *args,
			size_t *n)
{
	if (q->component != NULL) {
		args[(*n)++] = db_v_text(q->component);
		str_addf(sql, " AND c.name = $%zu", *n);
	}
	if (q->node != NULL) {
		args[(*n)++] = db_v_text(q->node);
		str_addf(sql, " AND c.node = $%zu", *n);
	}
}

static int load_components(struct loading *l, struct store *s, struct err *err)
{
	HALE_CLEANUP(str_done) struct str sql = {0};
	struct db_value args[3] = {DB_V_INT(l->q->from_ms)};
	size_t n = 1;

	str_add(&sql, "SELECT c.id, c.node, c.name, (SELECT t.to_status FROM transitions t"
		      " WHERE t.component_id = c.id AND t.at < @at{$1}"
		      " ORDER BY t.at DESC, t.id DESC LIMIT 1)"
		      " FROM components c WHERE c.id > 0");
	add_filters(&sql, l->q, args, &n);
	str_add(&sql, " ORDER BY c.id");
	return statement_query(s->db, str_text(&sql), args, n, on_component, l, err);
}

static int load_transitions(struct loading *l, struct store *s, struct err *err)
{
	HALE_CLEANUP(str_done) struct str sql = {0};
	struct db_value args[4] = {DB_V_INT(l->q->from_ms), DB_V_INT(l->q->to_ms)};
	size_t n = 2;

	str_add(&sql, "SELECT t.component_id, @ms{t.at}, t.to_status FROM transitions t"
		      " WHERE t.at >= @at{$1} AND t.at < @at{$2}");
	if (l->q->component != NULL || l->q->node != NULL) {
		str_add(&sql,
			" AND t.component_id IN (SELECT c.id FROM components c WHERE c.id > 0");
		add_filters(&sql, l->q, args, &n);
		str_addc(&sql, ')');
	}
	str_add(&sql, " ORDER BY t.at, t.id");
	return statement_query(s->db, str_text(&sql), args, n, on_transition, l, err);
}

int uptime_set_load(struct uptime_set *set, struct store *s, const struct uptime_query *q,
		    struct err *err)
{
	struct loading l = {.set = set, .q = q};
	int rc = load_epochs(set, s, err);

	if (rc == 0)
		rc = load_pauses(set, s, q, err);
	if (rc == 0)
		rc = load_components(&l, s, err);
	if (rc == 0)
		rc = load_transitions(&l, s, err);
	for (size_t i = 0; i < set->n && rc == 0; i++)
		uptime_end(&set->v[i].math, set->v[i].spans, q->to_ms);
	return rc;
}

void uptime_set_done(struct uptime_set *set)
{
	const char *name;
	void *value;

	for (size_t i = 0; i < set->n; i++) {
		free(set->v[i].node);
		free(set->v[i].name);
	}
	free(set->v);
	for (size_t i = 0; map_each(&set->nodes, &i, &name, &value);) {
		uptime_spans_done(&((struct uptime_node *)value)->spans);
		free(value);
	}
	map_done(&set->nodes);
	*set = (struct uptime_set){0};
}
