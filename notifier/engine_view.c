/* SPDX-License-Identifier: Apache-2.0 */
#include "engine_state.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/component.h"

/* C-05: S2 ranks a critical component high and one that is down critical; the total of a system
 * is critical in both. */
static const struct {
	enum severity component, overall;
} severities[STATUS_MAX] = {
	[STATUS_HEALTHY] = {SEVERITY_INFO, SEVERITY_INFO},
	[STATUS_UNKNOWN] = {SEVERITY_WARNING, SEVERITY_WARNING},
	[STATUS_DEGRADED] = {SEVERITY_WARNING, SEVERITY_WARNING},
	[STATUS_CRITICAL] = {SEVERITY_HIGH, SEVERITY_CRITICAL},
	[STATUS_DOWN] = {SEVERITY_CRITICAL, SEVERITY_CRITICAL},
};

static bool is_overall(const struct slot *s)
{
	return str_eq(s->subject, COMPONENT_OVERALL);
}

enum status view_status(const struct engine *e, const struct slot *s)
{
	const struct engine_rule *rule = &e->rules[s->rule];
	struct tracked *t = state_tracked(e, s->subject);

	if (rule->type == RULE_COMPONENT_FAILURES && s->current != STATUS_HEALTHY && t &&
	    (rule->on & (1u << t->status)))
		return t->status;
	return s->current;
}

enum severity view_severity(const struct engine *e, const struct slot *s)
{
	const struct engine_rule *rule = &e->rules[s->rule];
	enum status status = view_status(e, s);

	if (status != STATUS_HEALTHY && rule->severity != SEVERITY_AUTO)
		return rule->severity;
	return is_overall(s) ? severities[status].overall : severities[status].component;
}

/* What a component can do to the total at worst. */
static enum status capped(const struct tracked *t)
{
	if (!t->is_enabled || !t->is_checked || t->impact == IMPACT_NONE)
		return STATUS_HEALTHY;
	if (t->impact == IMPACT_DEGRADED && t->status > STATUS_DEGRADED)
		return STATUS_DEGRADED;
	return t->status;
}

bool view_is_explained(const struct engine *e)
{
	for (size_t i = 0; i < e->tracked_n; i++)
		if (capped(e->tracked[i]) != STATUS_HEALTHY)
			return true;
	return false;
}

/* Unknown counts as degraded in the total; down is told as critical unless all is down. */
static bool is_culprit(enum status total, enum status s)
{
	switch (total) {
	case STATUS_DOWN:
	case STATUS_CRITICAL:
		return s == STATUS_CRITICAL || s == STATUS_DOWN;
	case STATUS_DEGRADED:
		return s == STATUS_DEGRADED || s == STATUS_UNKNOWN;
	default:
		return s == total;
	}
}

static json_t *select_views(const struct engine *e, bool only_culprits)
{
	json_t *list = json_array();

	for (size_t i = 0; i < e->tracked_n; i++) {
		const struct tracked *t = e->tracked[i];
		enum status s = capped(t);

		if (s == STATUS_HEALTHY || (only_culprits && !is_culprit(e->overall, s)))
			continue;
		if (json_array_size(list) < ENGINE_COMPONENTS_SHOWN)
			json_array_append(list, state_view(e->tracked[i]));
	}
	return list;
}

json_t *view_culprits(const struct engine *e)
{
	json_t *list = select_views(e, true);

	/* A ratio total may be degraded by components that are all critical. */
	if (json_array_size(list) > 0 || e->overall == STATUS_HEALTHY)
		return list;
	json_decref(list);
	return select_views(e, false);
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static char *overall_message(const struct engine *e)
{
	struct str text = {0};
	json_t *culprits = view_culprits(e);
	const json_t *view;
	size_t i;

	json_array_foreach (culprits, i, view)
		str_addf(&text, "%s%s: %s", i ? ", " : "", text_of(view, "label"),
			 text_of(view, "message"));
	json_decref(culprits);
	if (text.len == 0)
		str_add(&text, "All systems healthy");
	return str_take(&text);
}

char *view_message(const struct engine *e, const char *subject)
{
	struct tracked *t = state_tracked(e, subject);

	if (str_eq(subject, COMPONENT_OVERALL))
		return overall_message(e);
	return mem_dup(t ? text_of(state_view(t), "message") : "");
}

static json_t *overall_view(const struct engine *e)
{
	if (!e->has_overall)
		return json_null();
	return json_pack("{s:s, s:o}", "status", status_name(e->overall), "score",
			 isnan(e->score) ? json_null() : json_real(e->score));
}

json_t *view_vars(const struct engine *e, const struct slot *s, enum notice_event event,
		  enum status previous, int64_t now_ms)
{
	const struct engine_rule *rule = &e->rules[s->rule];
	struct tracked *t = state_tracked(e, s->subject);
	char at[CLOCK_TEXT_MAX];

	return json_pack("{s:s, s:b, s:s, s:s, s:s?, s:{s:s, s:s}, s:s, s:s, s:s, s:o, s:O?, s:o, "
			 "s:o, s:o}",
			 "event", notice_event_name(event), "recovered", event == NOTICE_RECOVERY,
			 "at", clock_format(now_ms, at), "node", e->env.node, "instance",
			 e->env.instance, "rule", "name", rule->name, "type",
			 rule_type_name(rule->type), "severity", severity_name(view_severity(e, s)),
			 "status", status_name(view_status(e, s)), "previous",
			 status_name(previous), "alert", json_deep_copy(s->alert), "component",
			 t ? state_view(t) : NULL, "overall", overall_view(e), "components",
			 select_views(e, false), "culprits", view_culprits(e));
}
