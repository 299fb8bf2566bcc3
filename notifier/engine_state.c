/* SPDX-License-Identifier: Apache-2.0 */
#include "engine_state.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define KEY_OVERALL   "overall"
#define KEY_COMPONENT "component/"
#define KEY_SLOT      "slot/"

/* Position of `name` in a sorted array of pointers whose first member is the name; found_r tells
 * whether it is there or would go there. */
static size_t find(void **v, size_t n, const char *name, bool *found_r)
{
	size_t low = 0, high = n;

	*found_r = false;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(*(char *const *)v[mid], name);

		if (order == 0) {
			*found_r = true;
			return mid;
		}
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void **insert_at(void **array, size_t *n, size_t at, void *entry)
{
	void **v = mem_grow(array, *n + 1, sizeof(void *));

	memmove(v + at + 1, v + at, (*n - at) * sizeof(void *));
	v[at] = entry;
	(*n)++;
	return v;
}

static void remove_at(void **v, size_t *n, size_t at)
{
	memmove(v + at, v + at + 1, (*n - at - 1) * sizeof(void *));
	(*n)--;
}

static void tracked_free(struct tracked *t)
{
	free(t->id);
	free(t->newer);
	json_decref(t->view);
	free(t);
}

static void slot_free(struct slot *s)
{
	free(s->key);
	free(s->rule_name);
	free(s->subject);
	json_decref(s->alert);
	free(s);
}

struct engine *engine_new(const struct engine_rule *rules, size_t n, const struct engine_env *env)
{
	struct engine *e = mem_alloc(sizeof(*e));

	HALE_ASSERT(env->node && env->new_id);
	e->rules = rules;
	e->rules_n = n;
	e->env = *env;
	e->score = NAN;
	return e;
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < e->tracked_n; i++)
		tracked_free(e->tracked[i]);
	for (size_t i = 0; i < e->slots_n; i++)
		slot_free(e->slots[i]);
	free(e->tracked);
	free(e->slots);
	strlist_done(&e->gone);
	free(e);
}

struct tracked *state_tracked(const struct engine *e, const char *id)
{
	bool found;
	size_t at = find(e->tracked, e->tracked_n, id, &found);

	return found ? e->tracked[at] : NULL;
}

struct tracked *state_track(struct engine *e, const char *id)
{
	bool found;
	size_t at = find(e->tracked, e->tracked_n, id, &found);
	struct tracked *t;

	if (found)
		return e->tracked[at];
	t = mem_alloc(sizeof(*t));
	t->id = mem_dup(id);
	e->tracked = insert_at(e->tracked, &e->tracked_n, at, t);
	return t;
}

static void forget(struct engine *e, const char *prefix, const char *name)
{
	char *key = mem_printf("%s%s", prefix, name);

	strlist_add(&e->gone, key);
	free(key);
}

void state_untrack(struct engine *e, struct tracked *t)
{
	bool found;
	size_t at = find(e->tracked, e->tracked_n, t->id, &found);

	HALE_ASSERT(found);
	forget(e, KEY_COMPONENT, t->id);
	remove_at(e->tracked, &e->tracked_n, at);
	tracked_free(t);
}

struct slot *state_slot(const struct engine *e, const char *rule, const char *subject)
{
	HALE_CLEANUP(cleanup_free) char *key = mem_printf("%s/%s", rule, subject);
	bool found;
	size_t at = find(e->slots, e->slots_n, key, &found);

	return found ? e->slots[at] : NULL;
}

struct slot *state_slot_make(struct engine *e, const char *rule, const char *subject)
{
	char *key = mem_printf("%s/%s", rule, subject);
	bool found;
	size_t at = find(e->slots, e->slots_n, key, &found);
	struct slot *s;

	if (found) {
		free(key);
		return e->slots[at];
	}
	s = mem_alloc(sizeof(*s));
	s->key = key;
	s->rule_name = mem_dup(rule);
	s->subject = mem_dup(subject);
	s->rule = EFFECT_NO_RULE;
	s->is_dirty = true;
	e->slots = insert_at(e->slots, &e->slots_n, at, s);
	return s;
}

void state_slot_drop(struct engine *e, struct slot *s)
{
	bool found;
	size_t at = find(e->slots, e->slots_n, s->key, &found);

	HALE_ASSERT(found);
	forget(e, KEY_SLOT, s->key);
	remove_at(e->slots, &e->slots_n, at);
	slot_free(s);
}

static void set_view(struct tracked *t, json_t *view /* taken */, char *newer /* taken */)
{
	json_decref(t->view);
	free(t->newer);
	t->view = view;
	t->newer = newer;
}

/* New reference, nothing kept. */
static json_t *view_new(const struct tracked *t)
{
	json_t *view = t->newer == NULL ? json_incref(t->view) : json_loads(t->newer, 0, NULL);

	if (t->newer != NULL)
		json_object_del(view, "details");
	return view;
}

json_t *state_view(struct tracked *t)
{
	if (t->newer != NULL)
		set_view(t, view_new(t), NULL);
	return t->view;
}

int state_read_component(struct tracked *t, const json_t *object)
{
	const char *status_text = json_string_value(json_object_get(object, "status"));
	const char *impact_text = json_string_value(json_object_get(object, "impact"));
	json_int_t failures = json_integer_value(json_object_get(object, "consecutive_failures"));
	const json_t *enabled = json_object_get(object, "enabled");
	enum impact impact = IMPACT_CRITICAL;
	enum status status;
	json_t *view;

	if (!status_text || !status_from_name(status_text, &status))
		return -EINVAL;
	if (impact_text && !impact_from_name(impact_text, &impact))
		return -EINVAL;
	view = json_copy((json_t *)object);
	json_object_del(view, "details");
	/* A tree is ten times its text, and hardly ever looked at. */
	set_view(t, NULL, json_dumps(view, JSON_COMPACT | JSON_REAL_PRECISION(15)));
	json_decref(view);
	t->status = status;
	t->impact = impact;
	t->failures = failures < 0 ? 0 : (uint32_t)HALE_MIN(failures, (json_int_t)UINT32_MAX);
	t->is_enabled = !json_is_false(enabled);
	t->is_checked = json_is_string(json_object_get(object, "last_check"));
	t->is_blocked = json_is_string(json_object_get(object, "blocked_by"));
	t->is_dirty = true;
	return 0;
}

static json_t *slot_encode(const struct slot *s)
{
	json_t *told = json_object();

	for (int i = 0; i < STATUS_MAX; i++)
		if (s->told_ms[i])
			json_object_set_new(told, status_name((enum status)i),
					    json_integer(s->told_ms[i]));
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:I, s:O?}", "rule", s->rule_name, "subject",
			 s->subject, "current", status_name(s->current), "announced",
			 status_name(s->announced), "told", told, "last", (json_int_t)s->last_ms,
			 "alert", s->alert);
}

static int slot_decode(struct engine *e, const json_t *value)
{
	const char *rule, *subject, *current_text, *announced_text, *name;
	enum status current, announced, told_status;
	json_t *told, *alert = NULL, *at;
	json_int_t last;
	struct slot *s;

	if (json_unpack((json_t *)value, "{s:s, s:s, s:s, s:s, s:o, s:I, s?o}", "rule", &rule,
			"subject", &subject, "current", &current_text, "announced", &announced_text,
			"told", &told, "last", &last, "alert", &alert) != 0 ||
	    !status_from_name(current_text, &current) ||
	    !status_from_name(announced_text, &announced))
		return -EINVAL;
	s = state_slot_make(e, rule, subject);
	s->current = current;
	s->announced = announced;
	s->last_ms = last;
	json_object_foreach (told, name, at)
		if (status_from_name(name, &told_status))
			s->told_ms[told_status] = json_integer_value(at);
	if (json_is_object(alert))
		s->alert = json_deep_copy(alert);
	s->is_dirty = false;
	return 0;
}

static json_t *overall_encode(const struct engine *e)
{
	json_t *score = isnan(e->score) ? json_null() : json_real(e->score);
	json_t *out = json_pack("{s:s, s:o}", "status", status_name(e->overall), "score", score);

	if (e->is_paused)
		json_object_set_new(out, "paused", json_true());
	return out;
}

int engine_load(struct engine *e, const char *key, const json_t *value)
{
	if (str_eq(key, KEY_OVERALL)) {
		const char *text = json_string_value(json_object_get(value, "status"));
		const json_t *score = json_object_get(value, "score");

		if (!text || !status_from_name(text, &e->overall))
			return -EINVAL;
		e->has_overall = true;
		e->score = json_is_number(score) ? json_number_value(score) : NAN;
		e->is_paused = json_is_true(json_object_get(value, "paused"));
		return 0;
	}
	if (str_starts(key, KEY_COMPONENT)) {
		struct tracked *t = state_track(e, key + strlen(KEY_COMPONENT));
		int rc = state_read_component(t, value);

		if (rc < 0)
			state_untrack(e, t);
		else
			t->is_dirty = false;
		return rc;
	}
	return str_starts(key, KEY_SLOT) ? slot_decode(e, value) : -EINVAL;
}

static int give(engine_value_fn fn, void *ctx, const char *prefix, const char *name,
		json_t *value /* taken */)
{
	HALE_CLEANUP(cleanup_free) char *key = mem_printf("%s%s", prefix, name);
	int rc = fn(ctx, key, value);

	json_decref(value);
	return rc;
}

static int each(const struct engine *e, bool only_changed, engine_value_fn fn, void *ctx)
{
	int rc = 0;

	for (size_t i = 0; only_changed && i < e->gone.n && rc == 0; i++)
		rc = fn(ctx, e->gone.v[i], NULL);
	if (rc == 0 && e->has_overall && (e->is_overall_dirty || !only_changed))
		rc = give(fn, ctx, KEY_OVERALL, "", overall_encode(e));
	for (size_t i = 0; i < e->tracked_n && rc == 0; i++) {
		struct tracked *t = e->tracked[i];

		if (t->is_dirty || !only_changed)
			rc = give(fn, ctx, KEY_COMPONENT, t->id, view_new(t));
	}
	for (size_t i = 0; i < e->slots_n && rc == 0; i++) {
		const struct slot *s = e->slots[i];

		if (s->is_dirty || !only_changed)
			rc = give(fn, ctx, KEY_SLOT, s->key, slot_encode(s));
	}
	return rc;
}

int engine_changes(const struct engine *e, engine_value_fn fn, void *ctx)
{
	return each(e, true, fn, ctx);
}

void engine_saved(struct engine *e)
{
	strlist_done(&e->gone);
	e->is_overall_dirty = false;
	for (size_t i = 0; i < e->tracked_n; i++)
		((struct tracked *)e->tracked[i])->is_dirty = false;
	for (size_t i = 0; i < e->slots_n; i++)
		((struct slot *)e->slots[i])->is_dirty = false;
}

static int collect(void *ctx, const char *key, const json_t *value)
{
	return json_object_set_new(ctx, key, json_deep_copy(value));
}

json_t *engine_save(const struct engine *e)
{
	json_t *all = json_object();

	each(e, false, collect, all);
	return all;
}
