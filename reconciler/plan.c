/* SPDX-License-Identifier: Apache-2.0 */
#include "plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "expr/jq.h"
#include "side.h"

/* A key and what a database says of it. */
#define ERROR_MAX 1024

struct making {
	const struct plan_spec *spec;
	json_t *vars;
	struct plan *plan;
	struct side source, target;
	bool is_source_doubtful; /* nothing may be closed */
};

const char *plan_op_name(enum plan_op op)
{
	static const char *const names[] = {
		[PLAN_INSERT] = "insert", [PLAN_UPDATE] = "update", [PLAN_CLOSE] = "close"};

	return names[op];
}

void plan_error(struct plan *plan, const char *fmt, ...)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	char clean[ERROR_MAX];
	va_list args;

	plan->errors_n++;
	if (plan->errors.n >= PLAN_ERRORS_MAX)
		return;
	va_start(args, fmt);
	str_vaddf(&text, fmt, args);
	va_end(args);
	(void)str_clean(clean, sizeof(clean), str_text(&text));
	strlist_add(&plan->errors, clean);
}

/* ---- keys ---- */

static json_t *source_key(const struct making *m, const json_t *row, struct err *err)
{
	json_t *parts = json_array();
	json_t *value;

	for (size_t i = 0; i < m->spec->keys.n; i++) {
		struct plan_column *c = &m->spec->keys.v[i];
		int rc = mapping_eval(&c->from, row, m->vars, &value, err);

		if (rc == 0 && json_is_null(value)) {
			json_decref(value);
			rc = err_set(err, -EINVAL, "it is null");
		}
		if (rc != 0) {
			err_prefix(err, "key column '%s'", c->name);
			json_decref(parts);
			return NULL;
		}
		json_array_append_new(parts, value);
	}
	return parts;
}

static void read_source(struct making *m, const json_t *rows)
{
	const json_t *row;
	size_t i;

	side_init(&m->source, json_array_size(rows));
	json_array_foreach (rows, i, row) {
		struct err err = {0};
		json_t *parts = NULL;

		if (json_is_object(row))
			parts = source_key(m, row, &err);
		else
			(void)err_set(&err, -EINVAL, "it is no object");
		if (parts != NULL) {
			side_add(&m->source, row, parts);
			continue;
		}
		m->is_source_doubtful = true;
		plan_error(m->plan, "Row %zu of the source has no key: %s", i + 1, err.text);
	}
}

static json_t *target_key(const struct making *m, const json_t *row)
{
	json_t *parts = json_array();

	for (size_t i = 0; i < m->spec->keys.n; i++) {
		json_t *value = json_object_get(row, m->spec->keys.v[i].name);

		if (value == NULL || json_is_null(value)) {
			json_decref(parts);
			return NULL;
		}
		json_array_append(parts, value);
	}
	return parts;
}

static void read_target(struct making *m, const json_t *rows)
{
	const json_t *row;
	size_t i;

	side_init(&m->target, json_array_size(rows));
	json_array_foreach (rows, i, row) {
		json_t *parts = target_key(m, row);

		if (parts != NULL)
			side_add(&m->target, row, parts);
		else
			plan_error(m->plan, "A row of the table has no key and is left alone");
	}
}

/* Each key that comes twice is told once. */
static void tell_duplicates(struct making *m)
{
	for (size_t i = 0; i < m->source.n; i++) {
		struct slot *s = &m->source.v[i];

		if (!s->is_twice || side_find(&m->source, s) != s)
			continue;
		m->is_source_doubtful = true;
		plan_error(m->plan, "Duplicate key in the source: %s", s->key);
	}
	for (size_t i = 0; i < m->target.n; i++) {
		struct slot *t = &m->target.v[i];

		if (t->is_twice && side_find(&m->target, t) == t)
			plan_error(m->plan, "Duplicate key in the table: %s, left alone", t->key);
	}
}

/* ---- rows ---- */

/* Everything there is from here on belongs to the plan. */
static void add_row(struct making *m, enum plan_op op, const struct slot *named,
		    const struct slot *target, json_t *before, json_t *after)
{
	struct plan *p = m->plan;

	/* Doubling: a plan may have as many rows as both sides together. */
	if ((p->n & (p->n - 1)) == 0)
		p->rows = mem_grow(p->rows, p->n == 0 ? 1 : p->n * 2, sizeof(*p->rows));
	p->rows[p->n++] = (struct plan_row){
		.op = op,
		.key = mem_dup(named->key),
		.identity = target == NULL ? NULL : json_incref(target->parts),
		.before = before,
		.after = after,
	};
	p->counts[op]++;
}

static int eval_columns(struct making *m, const json_t *row, json_t *out, struct err *err)
{
	for (size_t i = 0; i < m->spec->columns.n; i++) {
		struct plan_column *c = &m->spec->columns.v[i];
		json_t *value;
		int rc = mapping_eval(&c->from, row, m->vars, &value, err);

		/* Whatever it will be held against: a column of numbers gets no "n/a". */
		if (rc == 0) {
			json_object_set_new(out, c->name, value);
			rc = value_is_equal(c->compare, value, value, c->tolerance, err);
		}
		if (rc < 0) {
			err_prefix(err, "column '%s'", c->name);
			return rc;
		}
	}
	return 0;
}

static int eval_sets(struct making *m, const struct plan_sets *sets, const json_t *row, json_t *out,
		     struct err *err)
{
	for (size_t i = 0; i < sets->n; i++) {
		json_t *value;
		int rc = mapping_eval(&sets->v[i].value, row, m->vars, &value, err);

		if (rc != 0) {
			err_prefix(err, "column '%s'", sets->v[i].name);
			return rc;
		}
		json_object_set_new(out, sets->v[i].name, value);
	}
	return 0;
}

/* Members of `row` that `after` is going to replace. */
static json_t *before_of(const json_t *row, json_t *after)
{
	json_t *before = json_object();
	const char *name;
	json_t *value;

	json_object_foreach (after, name, value) {
		json_t *old = json_object_get(row, name);

		if (old != NULL)
			json_object_set(before, name, old);
	}
	return before;
}

static void plan_insert(struct making *m, const struct slot *s)
{
	json_t *after = json_object();
	struct err err = {0};
	int rc;

	if (!m->spec->has_insert) {
		m->plan->skipped++;
		json_decref(after);
		return;
	}
	for (size_t i = 0; i < m->spec->keys.n; i++)
		json_object_set(after, m->spec->keys.v[i].name, json_array_get(s->parts, i));
	mapping_vars_target(m->vars, NULL);
	rc = eval_columns(m, s->row, after, &err);
	if (rc == 0)
		rc = eval_sets(m, &m->spec->insert, s->row, after, &err);
	if (rc == 0) {
		add_row(m, PLAN_INSERT, s, NULL, NULL, after);
		return;
	}
	plan_error(m->plan, "Failed to insert %s: %s", s->key, err.text);
	json_decref(after);
}

/* 1 different, 0 the same, negative. */
static int differs(const struct making *m, const json_t *wanted, const json_t *row, struct err *err)
{
	for (size_t i = 0; i < m->spec->columns.n; i++) {
		const struct plan_column *c = &m->spec->columns.v[i];
		int rc = value_is_equal(c->compare, json_object_get(wanted, c->name),
					json_object_get(row, c->name), c->tolerance, err);

		if (rc < 0)
			err_prefix(err, "column '%s'", c->name);
		if (rc != 1)
			return rc < 0 ? rc : 1;
	}
	return 0;
}

static void plan_update(struct making *m, const struct slot *s, const struct slot *t)
{
	json_t *after = json_object();
	struct err err = {0};
	int rc;

	mapping_vars_target(m->vars, t->row);
	rc = eval_columns(m, s->row, after, &err);
	if (rc == 0)
		rc = differs(m, after, t->row, &err);
	if (rc == 1 && !m->spec->has_update) {
		m->plan->skipped++;
	} else if (rc == 1) {
		rc = eval_sets(m, &m->spec->update, s->row, after, &err);
		if (rc == 0) {
			add_row(m, PLAN_UPDATE, s, t, before_of(t->row, after), after);
			return;
		}
	}
	if (rc < 0)
		plan_error(m->plan, "Failed to update %s: %s", s->key, err.text);
	json_decref(after);
}

static void plan_close(struct making *m, const struct slot *t)
{
	json_t *after;
	struct err err = {0};

	if (m->spec->close_mode == PLAN_CLOSE_NONE) {
		m->plan->skipped++;
		return;
	}
	if (m->spec->close_mode == PLAN_CLOSE_DELETE) {
		add_row(m, PLAN_CLOSE, t, t, json_incref((json_t *)t->row), NULL);
		return;
	}
	after = json_object();
	mapping_vars_target(m->vars, t->row);
	if (eval_sets(m, &m->spec->close, t->row, after, &err) == 0) {
		add_row(m, PLAN_CLOSE, t, t, before_of(t->row, after), after);
		return;
	}
	plan_error(m->plan, "Failed to close %s: %s", t->key, err.text);
	json_decref(after);
}

/* 1 leave alone, 0 not, negative. */
static int must_skip(const struct making *m, const struct slot *s, struct err *err)
{
	json_t *value = NULL;
	int rc;

	if (m->spec->skip == NULL)
		return 0;
	rc = jq_first(m->spec->skip, s->row, NULL, &value, err);
	if (rc == 0)
		rc = jq_is_true(value);
	json_decref(value);
	return rc;
}

static void plan_source_row(struct making *m, const struct slot *s)
{
	struct slot *t = side_find(&m->target, s);
	struct err err = {0};
	int rc;

	if (t != NULL)
		t->is_held = true;
	if (s->is_twice || (t != NULL && t->is_twice))
		return;
	rc = must_skip(m, s, &err);
	if (rc < 0)
		plan_error(m->plan, "Failed to judge %s: skip: %s", s->key, err.text);
	else if (rc == 1)
		m->plan->skipped++;
	else if (t == NULL)
		plan_insert(m, s);
	else
		plan_update(m, s, t);
}

static void plan_closes(struct making *m)
{
	size_t absent = 0;

	for (size_t i = 0; i < m->target.n; i++) {
		struct slot *t = &m->target.v[i];

		if (t->is_held || t->is_twice)
			continue;
		absent++;
		if (!m->is_source_doubtful)
			plan_close(m, t);
	}
	if (m->is_source_doubtful && absent > 0 && m->spec->close_mode != PLAN_CLOSE_NONE)
		plan_error(m->plan,
			   "%zu rows are absent from the source and not closed, because not every "
			   "row of"
			   " the source could be read",
			   absent);
}

/* ---- guards ---- */

static void refuse(struct plan *plan, const char *fmt, ...) HALE_PRINTF(2, 3);
static void refuse(struct plan *plan, const char *fmt, ...)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	va_list args;

	va_start(args, fmt);
	str_vaddf(&text, fmt, args);
	va_end(args);
	strlist_add(&plan->refusals, str_text(&text));
}

static void ask_guards(const struct plan_spec *spec, struct plan *p)
{
	size_t existing = p->counts[PLAN_UPDATE] + p->counts[PLAN_CLOSE];

	if (p->source_n == 0 && p->target_n > 0 && !spec->allow_empty)
		refuse(p, "allow_empty: the source has no rows, the table has %zu", p->target_n);
	if (p->n > spec->max_changes)
		refuse(p, "max_changes: %zu rows would change, %zu may", p->n, spec->max_changes);
	if (existing > PLAN_PERCENT_FREE &&
	    (double)existing * 100 > spec->max_change_percent * (double)p->target_n)
		refuse(p,
		       "max_change_percent: %zu of %zu rows would change, which is more than %g %%",
		       existing, p->target_n, spec->max_change_percent);
}

void plan_make(const struct plan_spec *spec, const json_t *source, const json_t *target,
	       json_t *vars, struct plan *plan)
{
	struct making m = {.spec = spec, .vars = vars, .plan = plan};

	plan->source_n = json_array_size(source);
	plan->target_n = json_array_size(target);
	mapping_vars_target(vars, NULL);
	read_source(&m, source);
	read_target(&m, target);
	tell_duplicates(&m);
	for (size_t i = 0; i < m.source.n; i++)
		plan_source_row(&m, &m.source.v[i]);
	plan_closes(&m);
	ask_guards(spec, plan);
	mapping_vars_target(vars, NULL);
	side_done(&m.source);
	side_done(&m.target);
}

/* ---- the rest ---- */

json_t *plan_rows_json(const struct plan *plan, size_t max)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < plan->n && i < max; i++) {
		const struct plan_row *r = &plan->rows[i];

		json_t *row = json_pack("{s:s, s:s, s:O?, s:O?}", "op", plan_op_name(r->op), "key",
					r->key, "before", r->before, "after", r->after);

		if (r->error != NULL)
			json_object_set_new(row, "error", json_string(r->error));
		json_array_append_new(rows, row);
	}
	return rows;
}

void plan_done(struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		free(plan->rows[i].key);
		json_decref(plan->rows[i].identity);
		json_decref(plan->rows[i].before);
		json_decref(plan->rows[i].after);
		free(plan->rows[i].error);
	}
	free(plan->rows);
	strlist_done(&plan->errors);
	strlist_done(&plan->refusals);
	*plan = (struct plan){0};
}

static void columns_done(struct plan_columns *columns)
{
	for (size_t i = 0; i < columns->n; i++) {
		free(columns->v[i].name);
		mapping_done(&columns->v[i].from);
	}
	free(columns->v);
}

static void sets_done(struct plan_sets *sets)
{
	for (size_t i = 0; i < sets->n; i++) {
		free(sets->v[i].name);
		mapping_done(&sets->v[i].value);
	}
	free(sets->v);
}

void plan_spec_done(struct plan_spec *spec)
{
	columns_done(&spec->keys);
	columns_done(&spec->columns);
	sets_done(&spec->insert);
	sets_done(&spec->update);
	sets_done(&spec->close);
	jq_free(spec->skip);
	*spec = (struct plan_spec){0};
}
