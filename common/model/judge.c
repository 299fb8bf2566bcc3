/* SPDX-License-Identifier: Apache-2.0 */
#include "model/judge.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"
#include "model/phrase.h"
#include "model/reason.h"

/* Weights are added up in millionths. */
#define WEIGHT_UNIT 1e6

/* What one observation asks for (rule 1), and the threshold that made it ask for more. */
struct verdict {
	enum status asked;
	const struct metric_threshold *raised_by; /* NULL: the observation itself */
	const struct threshold *threshold;
	double value;
};

static bool metric_value(const struct observation *o, const char *name, double *value_r)
{
	const json_t *v = json_object_get(o->metrics, name);

	if (strcmp(name, "took_ms") == 0 && v == NULL) {
		*value_r = o->took_ms;
		return true;
	}
	*value_r = json_number_value(v);
	return json_is_number(v);
}

static void raise_to(struct verdict *v, enum status status, const struct metric_threshold *m,
		     const struct threshold *t, double value)
{
	if (status <= v->asked || !threshold_crossed(t, value))
		return;
	*v = (struct verdict){.asked = status, .raised_by = m, .threshold = t, .value = value};
}

static enum status outcome_status(const struct component_spec *spec, enum outcome o)
{
	switch (o) {
	case OUTCOME_PASS:
		return STATUS_HEALTHY;
	case OUTCOME_WARN:
		return STATUS_DEGRADED;
	case OUTCOME_FAIL:
		return STATUS_CRITICAL;
	case OUTCOME_DOWN:
		return STATUS_DOWN;
	case OUTCOME_ERROR:
	case OUTCOME_MAX:
		break;
	}
	return spec->on_error;
}

static struct verdict ask(const struct component_spec *spec, const struct observation *o)
{
	struct verdict v = {.asked = outcome_status(spec, o->outcome)};

	if (o->outcome != OUTCOME_PASS && o->outcome != OUTCOME_WARN)
		return v;
	for (size_t i = 0; i < spec->thresholds_n; i++) {
		const struct metric_threshold *m = &spec->thresholds[i];
		double value;

		if (!metric_value(o, m->metric, &value))
			continue;
		raise_to(&v, STATUS_CRITICAL, m, &m->critical, value);
		raise_to(&v, STATUS_DEGRADED, m, &m->degraded, value);
	}
	return v;
}

static void bump(uint32_t *n)
{
	if (*n < UINT32_MAX)
		(*n)++;
}

static enum status after_pass(const struct component_spec *spec, const struct component_state *s)
{
	if (s->verdict >= STATUS_DEGRADED && s->passes < spec->recover_after)
		return s->status;
	return STATUS_HEALTHY;
}

static enum status after_failure(const struct component_spec *spec, const struct component_state *s,
				 enum status asked)
{
	if (s->failures >= spec->critical_after)
		return asked;
	if (s->failures < spec->degraded_after)
		return s->status;
	if (asked >= STATUS_CRITICAL && s->status >= STATUS_CRITICAL)
		return s->status;
	return STATUS_DEGRADED;
}

/* Rules 2 to 4. */
static enum status next_status(const struct component_spec *spec, struct component_state *s,
			       enum status asked)
{
	if (asked == STATUS_UNKNOWN)
		return STATUS_UNKNOWN;
	if (asked == STATUS_HEALTHY) {
		s->failures = 0;
		bump(&s->passes);
		return after_pass(spec, s);
	}
	s->passes = 0;
	bump(&s->failures);
	return after_failure(spec, s, asked);
}

static const char *own_message(const struct observation *o)
{
	enum reason r;

	if (o->message[0] != '\0')
		return o->message;
	return reason_from_code(o->reason, &r) ? reason_text(r) : o->reason;
}

/* The component's own words, if it has any for this; what they replace stays as a detail. */
static void rephrase(const struct component_spec *spec, struct component_state *s,
		     enum outcome outcome)
{
	const char *phrase = phrase_for(spec->messages, s->reason, outcome);
	const char *kept = s->why == REASON_OF_THRESHOLD ? "threshold" : "error";
	HALE_CLEANUP(str_done) struct str text = {0};
	struct observation *o = &s->last;

	if (phrase == NULL)
		return;
	phrase_fill(phrase, o, s->message, &text);
	if (outcome != OUTCOME_PASS && json_object_get(o->details, kept) == NULL) {
		/* The line that came has them too. */
		json_t *details = o->details == NULL ? json_object() : json_copy(o->details);

		json_decref(o->details);
		o->details = details;
		(void)json_object_set_new(details, kept, json_string(s->message));
	}
	(void)str_clean(s->message, sizeof(s->message), str_text(&text));
}

static void explain(struct component_state *s, const struct verdict *v)
{
	const struct observation *o = &s->last;
	char text[OBSERVATION_MESSAGE_MAX];
	char number[UNITS_TEXT_MAX], limit[UNITS_TEXT_MAX];

	if (v->raised_by == NULL) {
		s->why = REASON_OF_OBSERVATION;
		(void)str_clean(s->message, sizeof(s->message), own_message(o));
		(void)str_clean(s->reason, sizeof(s->reason), o->reason);
		return;
	}
	s->why = REASON_OF_THRESHOLD;
	(void)snprintf(text, sizeof(text), "%s %s %s", v->raised_by->metric,
		       number_format(v->value, number),
		       threshold_format(v->threshold, limit, sizeof(limit)));
	(void)str_clean(s->message, sizeof(s->message), text);
	(void)str_clean(s->reason, sizeof(s->reason), reason_code(REASON_THRESHOLD));
}

static bool change_to(struct component_state *s, enum status status, int64_t now_ms,
		      enum status *from_r)
{
	if (status != STATUS_UNKNOWN)
		s->verdict = status;
	if (status == s->status)
		return false;
	if (from_r != NULL)
		*from_r = s->status;
	if (s->status == STATUS_HEALTHY && now_ms - s->since_ms >= JUDGE_STABLE_MS)
		s->recovery_attempts = 0;
	s->status = status;
	s->since_ms = now_ms;
	return true;
}

/* Rule 6. */
static void note_error(struct component_state *s)
{
	s->error_count++;
	if (str_eq(s->last_error, s->message))
		return;
	free(s->last_error);
	s->last_error = mem_dup(s->message);
}

bool health_judge(const struct component_spec *spec, struct component_state *state,
		  struct observation *o, int64_t now_ms, enum status *from_r)
{
	struct verdict v;
	int64_t at_ms = o->at_ms == 0 ? now_ms : o->at_ms;

	/* Nobody else looks into them. */
	if (spec->thresholds_n > 0 || spec->messages != NULL)
		observation_read(o);
	v = ask(spec, o);
	observation_done(&state->last);
	state->last = *o;
	*o = (struct observation){0};
	state->has_observation = true;
	state->last_check_ms = at_ms;
	if (v.asked == STATUS_HEALTHY)
		state->last_success_ms = at_ms;
	state->due_ms = component_next_due(spec, now_ms);
	explain(state, &v);
	/* A pass that a threshold raised is none. */
	rephrase(spec, state,
		 state->why == REASON_OF_THRESHOLD ? HALE_MAX(state->last.outcome, OUTCOME_WARN)
						   : state->last.outcome);
	if (v.asked != STATUS_HEALTHY && spec->is_enabled)
		note_error(state);
	return change_to(state, next_status(spec, state, v.asked), now_ms, from_r);
}

bool health_tick(const struct component_spec *spec, struct component_state *state, int64_t now_ms,
		 enum status *from_r)
{
	char span[UNITS_TEXT_MAX];
	char text[OBSERVATION_MESSAGE_MAX];

	if (now_ms < health_due(spec, state))
		return false;
	/* Disarmed until the next observation: it is said once. */
	state->due_ms = 0;
	(void)snprintf(text, sizeof(text), "No data for %s",
		       duration_format_short(component_next_due(spec, 0), span));
	(void)str_clean(state->message, sizeof(state->message), text);
	(void)str_clean(state->reason, sizeof(state->reason), reason_code(REASON_NO_DATA));
	state->why = REASON_OF_NO_DATA;
	return change_to(state, STATUS_UNKNOWN, now_ms, from_r);
}

int64_t health_due(const struct component_spec *spec, const struct component_state *state)
{
	return spec->is_enabled && state->due_ms != 0 ? state->due_ms : INT64_MAX;
}

static enum status capped(enum status s, enum impact impact)
{
	if (s == STATUS_HEALTHY || impact == IMPACT_CRITICAL)
		return s;
	if (impact == IMPACT_NONE)
		return STATUS_HEALTHY;
	return s == STATUS_UNKNOWN ? s : STATUS_DEGRADED;
}

static enum status worst_of(const size_t capped_counts[STATUS_MAX])
{
	if (capped_counts[STATUS_CRITICAL] + capped_counts[STATUS_DOWN] > 0)
		return STATUS_CRITICAL;
	if (capped_counts[STATUS_DEGRADED] + capped_counts[STATUS_UNKNOWN] > 0)
		return STATUS_DEGRADED;
	return STATUS_HEALTHY;
}

static enum status ratio(const struct aggregate_rule *rule, const size_t capped_counts[STATUS_MAX],
			 size_t total)
{
	size_t critical = capped_counts[STATUS_CRITICAL] + capped_counts[STATUS_DOWN];
	size_t soft = capped_counts[STATUS_DEGRADED] + capped_counts[STATUS_UNKNOWN];

	if (capped_counts[STATUS_DOWN] > 0 || critical * 100 > total * rule->critical_percent)
		return STATUS_CRITICAL;
	if (critical > 0 || soft * 100 > total * rule->degraded_percent)
		return STATUS_DEGRADED;
	return STATUS_HEALTHY;
}

/* C-79: healthy 1, degraded 0.5, critical and down 0, unknown left out; one decimal. */
static double score_of(const struct aggregate_tally *t)
{
	double sum = 0, weights = 0;

	for (enum status s = STATUS_HEALTHY; s < STATUS_MAX; s++) {
		if (s == STATUS_UNKNOWN)
			continue;
		weights += (double)t->weights[s];
		sum += (double)t->weights[s] * status_gauge(s);
	}
	return weights > 0 ? round(1000.0 * sum / weights) / 10.0 : (double)NAN;
}

static void count(struct aggregate_tally *t, const struct aggregate_member *m, int by)
{
	if (!m->is_counted)
		return;
	t->counts[m->status] += (size_t)by;
	t->capped_counts[capped(m->status, m->impact)] += (size_t)by;
	if (m->weight > 0)
		t->weights[m->status] += by * (int64_t)llround(m->weight * WEIGHT_UNIT);
}

void aggregate_add(struct aggregate_tally *t, const struct aggregate_member *member)
{
	count(t, member, 1);
}

void aggregate_drop(struct aggregate_tally *t, const struct aggregate_member *member)
{
	count(t, member, -1);
}

struct aggregate aggregate_of(const struct aggregate_rule *rule, const struct aggregate_tally *t)
{
	struct aggregate a = {.status = STATUS_UNKNOWN, .score = score_of(t)};

	for (size_t s = 0; s < STATUS_MAX; s++) {
		a.counts[s] = t->counts[s];
		a.total += t->counts[s];
	}
	if (a.counts[STATUS_UNKNOWN] == a.total)
		return a;
	a.status = rule->how == AGGREGATE_RATIO ? ratio(rule, t->capped_counts, a.total)
						: worst_of(t->capped_counts);
	if (a.status == STATUS_CRITICAL && a.counts[STATUS_DOWN] == a.total)
		a.status = STATUS_DOWN;
	return a;
}

struct aggregate health_aggregate(const struct aggregate_rule *rule,
				  const struct aggregate_member *members, size_t n)
{
	struct aggregate_tally t = {0};

	for (size_t i = 0; i < n; i++)
		aggregate_add(&t, &members[i]);
	return aggregate_of(rule, &t);
}
