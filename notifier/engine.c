/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine_state.h"
#include "model/component.h"

/* Lines of one machine and its timers may disagree by this much; a last notice that lies further
 * in the future means that the clock was set back, and the cooldown it began is forgotten. */
#define CLOCK_SLACK_MS 60000

static const char *const rule_type_names[RULE_TYPE_MAX] = {
	[RULE_STATUS_CHANGE] = "status_change",
	[RULE_COMPONENT_FAILURES] = "component_failures",
};

static const char *const severity_names[SEVERITY_MAX] = {
	[SEVERITY_AUTO] = "auto", [SEVERITY_INFO] = "info",         [SEVERITY_WARNING] = "warning",
	[SEVERITY_HIGH] = "high", [SEVERITY_CRITICAL] = "critical",
};

static const char *const event_names[NOTICE_EVENT_MAX] = {
	[NOTICE_ALERT] = "alert",
	[NOTICE_REMINDER] = "reminder",
	[NOTICE_RECOVERY] = "recovery",
};

const char *rule_type_name(enum rule_type t)
{
	return rule_type_names[t];
}

const char *severity_name(enum severity s)
{
	return severity_names[s];
}

const char *notice_event_name(enum notice_event ev)
{
	return event_names[ev];
}

bool severity_from_name(const char *name, enum severity *s_r)
{
	for (int i = 0; i < SEVERITY_MAX; i++) {
		if (str_eq(name, severity_names[i])) {
			*s_r = (enum severity)i;
			return true;
		}
	}
	return false;
}

void effects_done(struct effects *fx)
{
	for (size_t i = 0; i < fx->n; i++) {
		json_decref(fx->v[i].alert);
		json_decref(fx->v[i].vars);
	}
	free(fx->v);
	*fx = (struct effects){0};
}

static struct effect *add(struct effects *out, enum effect_type type, const struct slot *s,
			  int64_t now_ms)
{
	struct effect *fx;

	out->v = mem_grow(out->v, out->n + 1, sizeof(*out->v));
	fx = &out->v[out->n++];
	*fx = (struct effect){
		.type = type,
		.rule = s->rule,
		.at_ms = now_ms,
		.alert = json_deep_copy(s->alert),
	};
	return fx;
}

/* ---- the alert of a slot ---- */

static bool is_open(const struct slot *s)
{
	return s->alert && str_eq(json_string_value(json_object_get(s->alert, "state")), "open");
}

static void set_text(json_t *object, const char *name, const char *text)
{
	json_object_set_new(object, name, text ? json_string(text) : json_null());
}

static void set_time(json_t *object, const char *name, int64_t at_ms)
{
	char text[CLOCK_TEXT_MAX];

	json_object_set_new(object, name, json_string(clock_format(at_ms, text)));
}

static void alert_describe(const struct engine *e, struct slot *s)
{
	char *message = view_message(e, s->subject);

	set_text(s->alert, "severity", severity_name(view_severity(e, s)));
	set_text(s->alert, "status", status_name(view_status(e, s)));
	set_text(s->alert, "message", message);
	free(message);
}

static void alert_new(const struct engine *e, struct slot *s, int64_t now_ms)
{
	char id[37];
	char *key = mem_printf("%s/%s", e->env.node, s->key);

	e->env.new_id(e->env.ctx, id);
	json_decref(s->alert);
	s->alert =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:i}", "id", id, "key", key, "rule",
			  s->rule_name, "node", e->env.node, "component", s->subject, "count", 0);
	free(key);
	set_time(s->alert, "opened", now_ms);
}

static void alert_open(const struct engine *e, struct slot *s, bool is_same, int64_t now_ms,
		       struct effects *out)
{
	json_int_t count;

	if (!is_same)
		alert_new(e, s, now_ms);
	count = json_integer_value(json_object_get(s->alert, "count"));
	json_object_set_new(s->alert, "count", json_integer(count + 1));
	set_text(s->alert, "state", "open");
	set_text(s->alert, "resolved", NULL);
	alert_describe(e, s);
	add(out, EFFECT_OPEN, s, now_ms);
}

static void alert_resolve(struct slot *s, int64_t now_ms, struct effects *out)
{
	set_text(s->alert, "state", "resolved");
	set_time(s->alert, "resolved", now_ms);
	s->is_dirty = true;
	add(out, EFFECT_RESOLVE, s, now_ms);
}

/* ---- notices ---- */

/* A recovery of a component_failures rule waits for nothing: it follows a notice that did. */
static int64_t cooldown_left(const struct engine_rule *rule, const struct slot *s,
			     enum status target, int64_t now_ms)
{
	int64_t last = s->told_ms[target];

	if (last == 0 || last > now_ms + CLOCK_SLACK_MS)
		return 0;
	if (rule->type == RULE_COMPONENT_FAILURES && target == STATUS_HEALTHY)
		return 0;
	return HALE_MAX(0, last + rule->cooldown_ms - now_ms);
}

static bool is_held(const struct engine *e, const struct slot *s, enum status news)
{
	const struct tracked *t = state_tracked(e, s->subject);

	return t && t->is_blocked && news > s->announced;
}

static void tell(struct engine *e, struct slot *s, enum notice_event event, int64_t now_ms,
		 struct effects *out)
{
	enum status previous = s->announced;
	struct effect *fx;

	s->announced = s->current;
	s->told_ms[s->current] = now_ms;
	if (s->current != STATUS_HEALTHY)
		s->last_ms = now_ms;
	s->is_dirty = true;
	fx = add(out, EFFECT_NOTICE, s, now_ms);
	fx->event = event;
	fx->vars = view_vars(e, s, event, previous, now_ms);
}

/* When the slot has something to say, if nothing new happens; INT64_MAX: nothing. */
static int64_t slot_due(const struct engine *e, const struct slot *s, int64_t now_ms)
{
	const struct engine_rule *rule = &e->rules[s->rule];

	if (is_held(e, s, s->current))
		return INT64_MAX;
	if (s->current != s->announced)
		return now_ms + cooldown_left(rule, s, s->current, now_ms);
	if (s->current == STATUS_HEALTHY || rule->repeat_ms == 0)
		return INT64_MAX;
	return s->last_ms > now_ms + CLOCK_SLACK_MS ? now_ms : s->last_ms + rule->repeat_ms;
}

static void settle(struct engine *e, struct slot *s, int64_t now_ms, struct effects *out)
{
	const struct engine_rule *rule = &e->rules[s->rule];

	if (s->current == STATUS_HEALTHY && s->announced != STATUS_HEALTHY &&
	    !rule->tells_recovery) {
		s->announced = STATUS_HEALTHY;
		s->is_dirty = true;
	}
	if (slot_due(e, s, now_ms) > now_ms)
		return;
	if (s->current == s->announced)
		tell(e, s, NOTICE_REMINDER, now_ms, out);
	else
		tell(e, s, s->current == STATUS_HEALTHY ? NOTICE_RECOVERY : NOTICE_ALERT, now_ms,
		     out);
}

static void move(struct engine *e, struct slot *s, enum status news, int64_t now_ms,
		 struct effects *out)
{
	const struct engine_rule *rule = &e->rules[s->rule];

	if (news == s->current)
		return;
	s->current = news;
	s->is_dirty = true;
	if (news == STATUS_HEALTHY) {
		if (is_open(s))
			alert_resolve(s, now_ms, out);
	} else if (is_open(s)) {
		alert_describe(e, s);
		add(out, EFFECT_UPDATE, s, now_ms);
	} else {
		alert_open(e, s, s->alert && cooldown_left(rule, s, news, now_ms) > 0, now_ms, out);
	}
}

/* ---- rules ---- */

static bool is_overall_rule(const struct engine_rule *rule)
{
	return rule->type == RULE_STATUS_CHANGE && rule->components->n == 0;
}

static bool is_about(const struct engine_rule *rule, const char *subject)
{
	if (is_overall_rule(rule))
		return str_eq(subject, COMPONENT_OVERALL);
	return !str_eq(subject, COMPONENT_OVERALL) &&
	       (rule->components->n == 0 || strlist_matches(rule->components, subject));
}

/* What a status means to a rule; false: no news. All failing statuses are one to
 * component_failures. */
static bool news_of(const struct engine_rule *rule, enum status s, uint32_t failures,
		    enum status *news_r)
{
	if (s == STATUS_HEALTHY) {
		*news_r = s;
		return true;
	}
	if (!(rule->on & (1u << s)))
		return false;
	if (rule->type == RULE_COMPONENT_FAILURES && failures < rule->failures)
		return false;
	*news_r = rule->type == RULE_COMPONENT_FAILURES ? STATUS_CRITICAL : s;
	return true;
}

static void hear(struct engine *e, size_t rule, const char *subject, enum status news,
		 int64_t now_ms, struct effects *out)
{
	struct slot *s = state_slot(e, e->rules[rule].name, subject);

	if (!s && news == STATUS_HEALTHY)
		return;
	if (!s)
		s = state_slot_make(e, e->rules[rule].name, subject);
	s->rule = rule;
	/* Held: but a fall from worse to less bad is an improvement, and let through. */
	if (is_held(e, s, news) && news > s->current)
		return;
	move(e, s, news, now_ms, out);
	settle(e, s, now_ms, out);
}

static void hear_component(struct engine *e, const struct tracked *t, int64_t now_ms,
			   struct effects *out)
{
	enum status news;

	if (t->status == STATUS_UNKNOWN && !t->is_checked)
		return;
	for (size_t i = 0; i < e->rules_n; i++) {
		const struct engine_rule *rule = &e->rules[i];

		if (!is_overall_rule(rule) && news_of(rule, t->status, t->failures, &news) &&
		    is_about(rule, t->id))
			hear(e, i, t->id, news, now_ms, out);
	}
}

/* A total that no component explains which was ever checked is a start, not trouble. */
static void hear_overall(struct engine *e, int64_t now_ms, struct effects *out)
{
	enum status news;

	if (!e->has_overall || (e->overall != STATUS_HEALTHY && !view_is_explained(e)))
		return;
	for (size_t i = 0; i < e->rules_n; i++)
		if (is_overall_rule(&e->rules[i]) && news_of(&e->rules[i], e->overall, 0, &news))
			hear(e, i, COMPONENT_OVERALL, news, now_ms, out);
}

/* Nobody was told that the subject recovered, because it did not: it is no longer watched. */
static void drop_slot(struct engine *e, struct slot *s, int64_t now_ms, struct effects *out)
{
	if (is_open(s))
		alert_resolve(s, now_ms, out);
	state_slot_drop(e, s);
}

static void drop_slots_of(struct engine *e, const char *subject, int64_t now_ms,
			  struct effects *out)
{
	for (size_t i = e->slots_n; i-- > 0;) {
		struct slot *s = e->slots[i];

		if (str_eq(s->subject, subject))
			drop_slot(e, s, now_ms, out);
	}
}

void engine_adopt(struct engine *e, int64_t now_ms, struct effects *out)
{
	for (size_t i = e->slots_n; i-- > 0;) {
		struct slot *s = e->slots[i];

		s->rule = EFFECT_NO_RULE;
		for (size_t r = 0; r < e->rules_n && s->rule == EFFECT_NO_RULE; r++)
			if (str_eq(e->rules[r].name, s->rule_name) &&
			    is_about(&e->rules[r], s->subject))
				s->rule = r;
		if (s->rule == EFFECT_NO_RULE)
			drop_slot(e, s, now_ms, out);
	}
}

/* ---- messages ---- */

static int take_component(struct engine *e, const json_t *object, struct tracked **t_r)
{
	const char *id = json_string_value(json_object_get(object, "id"));
	bool is_new;
	struct tracked *t;

	if (!id || id[0] == '\0' || str_eq(id, COMPONENT_OVERALL))
		return -EINVAL;
	is_new = !state_tracked(e, id);
	t = state_track(e, id);
	if (state_read_component(t, object) < 0) {
		if (is_new)
			state_untrack(e, t);
		return -EINVAL;
	}
	*t_r = t;
	return 0;
}

static int take_overall(struct engine *e, const json_t *object)
{
	const char *text = json_string_value(json_object_get(object, "status"));
	const json_t *score = json_object_get(object, "score");

	if (!text || !status_from_name(text, &e->overall))
		return -EINVAL;
	e->has_overall = true;
	e->score = json_is_number(score) ? json_number_value(score) : NAN;
	e->is_overall_dirty = true;
	return 0;
}

static void remove_component(struct engine *e, const char *id, int64_t now_ms, struct effects *out)
{
	struct tracked *t = state_tracked(e, id);

	drop_slots_of(e, id, now_ms, out);
	if (t)
		state_untrack(e, t);
}

static void component_changed(struct engine *e, const struct tracked *t, int64_t now_ms,
			      struct effects *out)
{
	if (t->is_enabled)
		hear_component(e, t, now_ms, out);
	else
		drop_slots_of(e, t->id, now_ms, out);
}

/* Nothing of it moves a rule, an alert or what explains the total. */
static bool is_unmoved(const struct tracked *t, struct jtext state)
{
	struct jtext name, value;
	unsigned same = 0;

	if (t->status != STATUS_HEALTHY || t->failures > 0 || !t->is_enabled || !t->is_checked ||
	    t->is_blocked)
		return false;
	for (size_t at = 0; same < 5 && jtext_next(state, &at, &name, &value);) {
		if (jtext_is(name, "status"))
			same += jtext_eq(value, status_name(STATUS_HEALTHY));
		else if (jtext_is(name, "consecutive_failures"))
			same += jtext_is(value, "0");
		else if (jtext_is(name, "impact"))
			same += jtext_eq(value, impact_name(t->impact));
		else if (jtext_is(name, "enabled"))
			same += jtext_is(value, "true");
		else if (jtext_is(name, "blocked_by"))
			same += jtext_is(value, "null");
	}
	return same == 5;
}

bool engine_routine(struct engine *e, const struct health_line *l)
{
	char id[COMPONENT_ID_MAX];
	struct tracked *t;

	if (!jtext_string(l->component, id, sizeof(id)))
		return false;
	t = state_tracked(e, id);
	if (!t || !is_unmoved(t, l->state))
		return false;
	json_decref(TAKE_PTR(t->view));
	free(t->newer);
	t->newer = mem_dupn(l->state.text, l->state.len);
	return true;
}

int engine_health(struct engine *e, const json_t *line, int64_t now_ms, struct effects *out)
{
	const json_t *overall = json_object_get(line, "overall");
	const char *id = json_string_value(json_object_get(line, "component"));
	struct tracked *t;

	if (!id)
		return -EINVAL;
	if (json_is_true(json_object_get(line, "removed"))) {
		remove_component(e, id, now_ms, out);
		t = NULL;
	} else if (take_component(e, json_object_get(line, "state"), &t) < 0) {
		return -EINVAL;
	}
	if (json_is_object(overall))
		take_overall(e, overall);
	if (t)
		component_changed(e, t, now_ms, out);
	hear_overall(e, now_ms, out);
	return 0;
}

void engine_pause(struct engine *e, bool is_paused)
{
	e->is_paused = is_paused;
	e->is_overall_dirty = true;
}

int engine_snapshot(struct engine *e, const json_t *snapshot, int64_t now_ms, struct effects *out)
{
	const json_t *components = json_object_get(snapshot, "components");
	const json_t *object;
	struct tracked *t;
	size_t i;

	/* Its total is unknown and its components stand as they stood. */
	engine_pause(e, json_is_false(json_object_get(snapshot, "monitoring_active")));
	if (e->is_paused)
		return 0;
	if (!json_is_array(components) || take_overall(e, snapshot) < 0)
		return -EINVAL;
	for (i = 0; i < e->tracked_n; i++)
		((struct tracked *)e->tracked[i])->is_seen = false;
	json_array_foreach ((json_t *)components, i, object)
		if (take_component(e, object, &t) == 0)
			t->is_seen = true;
	for (i = e->tracked_n; i-- > 0;) {
		t = e->tracked[i];
		if (!t->is_seen)
			remove_component(e, t->id, now_ms, out);
	}
	/* After all are known, so that a total is explained by all of them. */
	for (i = 0; i < e->tracked_n; i++)
		component_changed(e, e->tracked[i], now_ms, out);
	hear_overall(e, now_ms, out);
	return 0;
}

void engine_tick(struct engine *e, int64_t now_ms, struct effects *out)
{
	for (size_t i = 0; i < e->slots_n && !e->is_paused; i++) {
		struct slot *s = e->slots[i];

		if (s->rule != EFFECT_NO_RULE)
			settle(e, s, now_ms, out);
	}
}

int64_t engine_due(const struct engine *e, int64_t now_ms)
{
	int64_t due = INT64_MAX;

	for (size_t i = 0; i < e->slots_n && !e->is_paused; i++) {
		const struct slot *s = e->slots[i];

		int64_t slot = s->rule != EFFECT_NO_RULE ? slot_due(e, s, now_ms) : INT64_MAX;

		due = HALE_MIN(due, slot);
	}
	return due;
}
