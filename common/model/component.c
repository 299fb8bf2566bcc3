/* SPDX-License-Identifier: Apache-2.0 */
#include "model/component.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"
#include "model/frame.h"
#include "model/phrase.h"
#include "model/reason.h"

/* Room for most, so that a line is not grown four times. */
#define WRITE_BYTES 1024

void component_spec_done(struct component_spec *spec)
{
	free(spec->id);
	free(spec->label);
	free(spec->kind);
	free(spec->process);
	free(spec->node);
	for (size_t i = 0; i < spec->thresholds_n; i++)
		free(spec->thresholds[i].metric);
	free(spec->thresholds);
	strlist_done(&spec->depends_on);
	json_decref(spec->labels);
	json_decref(spec->messages);
	*spec = (struct component_spec){0};
}

void component_state_done(struct component_state *state)
{
	observation_done(&state->last);
	free(state->last_error);
	*state = (struct component_state){0};
}

int64_t component_next_due(const struct component_spec *spec, int64_t now_ms)
{
	if (!spec->is_enabled || spec->interval_ms <= 0)
		return 0;
	return now_ms + COMPONENT_NO_DATA_INTERVALS * spec->interval_ms + spec->timeout_ms;
}

static void begin_with(struct component_state *state, const struct component_spec *spec,
		       enum reason reason, const char *text)
{
	const char *phrase =
		json_string_value(json_object_get(spec->messages, reason_code(reason)));

	(void)str_clean(state->message, sizeof(state->message), phrase != NULL ? phrase : text);
	(void)str_clean(state->reason, sizeof(state->reason), reason_code(reason));
}

void component_state_init(struct component_state *state, const struct component_spec *spec,
			  int64_t now_ms)
{
	*state = (struct component_state){
		.status = STATUS_UNKNOWN,
		.verdict = STATUS_UNKNOWN,
		.since_ms = now_ms,
		.due_ms = component_next_due(spec, now_ms),
		.why = REASON_OF_NO_DATA,
	};
	begin_with(state, spec, spec->is_unconfigured ? REASON_NOT_CONFIGURED : REASON_NO_DATA,
		   spec->is_unconfigured ? reason_text(REASON_NOT_CONFIGURED) : "No data yet");
}

json_t *component_time(int64_t wall_ms)
{
	char text[CLOCK_TEXT_MAX];

	return wall_ms == 0 ? json_null() : json_string(clock_format(wall_ms, text));
}

static json_t *number_or_null(bool is_known, double n)
{
	return is_known && isfinite(n) ? json_real(n) : json_null();
}

static json_t *object_or_empty(json_t *o)
{
	return o == NULL ? json_object() : json_incref(o);
}

static json_t *object_of(json_t *o, const char *text)
{
	return text == NULL ? object_or_empty(o) : json_loads(text, 0, NULL);
}

static json_t *encode_list(const struct strlist *l)
{
	json_t *list = json_array();

	for (size_t i = 0; i < l->n; i++)
		(void)json_array_append_new(list, json_string(l->v[i]));
	return list;
}

/* The order of the keys is the order people read them in `hale status -o json`. */
json_t *component_encode(const struct component_spec *spec, const struct component_state *state,
			 const char *blocked_by)
{
	bool has = state->has_observation;
	const char *outcome = has ? outcome_name(state->last.outcome) : NULL;
	json_t *o = json_pack(
		"{s:s, s:s, s:s?, s:s?, s:s?, s:s, s:o, s:s, s:s, s:s?, s:o, s:I, s:I, s:s?,"
		" s:I, s:o, s:o, s:I, s:s, s:b, s:b, s:o, s:s?, s:o, s:o, s:o}",
		"id", spec->id, "label", spec->label == NULL ? spec->id : spec->label, "kind",
		spec->kind, "process", spec->process, "node", spec->node, "status",
		status_name(state->status), "since", component_time(state->since_ms), "message",
		state->message, "reason", state->reason, "outcome", outcome, "took_ms",
		number_or_null(has, state->last.took_ms), "consecutive_failures",
		(json_int_t)state->failures, "error_count", (json_int_t)state->error_count,
		"last_error", state->last_error, "recovery_attempts",
		(json_int_t)state->recovery_attempts, "last_check",
		component_time(state->last_check_ms), "last_success",
		component_time(state->last_success_ms), "interval_ms",
		(json_int_t)spec->interval_ms, "impact", impact_name(spec->impact), "enabled",
		(int)spec->is_enabled, "configured", (int)!spec->is_unconfigured, "depends_on",
		encode_list(&spec->depends_on), "blocked_by", blocked_by, "labels",
		object_or_empty(spec->labels), "metrics",
		object_of(has ? state->last.metrics : NULL, has ? state->last.metrics_text : NULL),
		"details",
		object_of(has ? state->last.details : NULL, has ? state->last.details_text : NULL));

	HALE_ASSERT(o != NULL);
	return o;
}

static json_t *limit_or_null(const struct threshold *t)
{
	char text[UNITS_TEXT_MAX];

	return t->op == OP_NONE ? json_null()
				: json_string(threshold_format(t, text, sizeof(text)));
}

json_t *component_thresholds(const struct component_spec *spec)
{
	json_t *o = json_object();

	for (size_t i = 0; i < spec->thresholds_n; i++) {
		const struct metric_threshold *m = &spec->thresholds[i];

		json_object_set_new(o, m->metric,
				    json_pack("{s:o, s:o}", "degraded", limit_or_null(&m->degraded),
					      "critical", limit_or_null(&m->critical)));
	}
	return o;
}

/* ---- as text ---- */

static void write_text(struct str *out, const char *key, const char *text)
{
	str_add(out, key);
	if (text == NULL)
		str_add(out, "null");
	else
		str_add_quoted(out, text);
}

static void write_time(struct str *out, const char *key, int64_t ms);

static void write_integer(struct str *out, const char *key, int64_t n)
{
	char digits[24], *p = digits + sizeof(digits) - 1;
	uint64_t rest = n < 0 ? -(uint64_t)n : (uint64_t)n;

	*p = '\0';
	do {
		*--p = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (n < 0)
		*--p = '-';
	str_add(out, key);
	str_add(out, p);
}

/* As jansson does: a real never looks like an integer. */
static void write_real(struct str *out, const char *key, bool is_known, double n)
{
	char text[40];

	str_add(out, key);
	if (!is_known || !isfinite(n)) {
		str_add(out, "null");
		return;
	}
	(void)snprintf(text, sizeof(text), "%.15g", n);
	/* It has its own way with exponents. */
	if (strchr(text, 'e') != NULL) {
		json_t *real = json_real(n);
		HALE_CLEANUP(cleanup_free)
		char *made = json_dumps(real, JSON_WIRE_FLAGS | JSON_ENCODE_ANY);

		json_decref(real);
		str_add(out, made);
		return;
	}
	str_add(out, text);
	if (strchr(text, '.') == NULL)
		str_add(out, ".0");
}

static void write_object(struct str *out, const char *key, const json_t *o, const char *text)
{
	HALE_CLEANUP(cleanup_free) char *made = NULL;

	if (text == NULL && o != NULL)
		text = made = json_dumps(o, JSON_WIRE_FLAGS);
	str_add(out, key);
	str_add(out, text == NULL ? "{}" : text);
}

static void write_list(struct str *out, const char *key, const struct strlist *l)
{
	str_add(out, key);
	str_addc(out, '[');
	for (size_t i = 0; i < l->n; i++)
		write_text(out, i == 0 ? "" : ",", l->v[i]);
	str_addc(out, ']');
}

void component_write(struct str *out, const struct component_spec *spec,
		     const struct component_state *state, const char *blocked_by)
{
	bool has = state->has_observation;
	const struct observation *last = &state->last;

	str_reserve(out, WRITE_BYTES);
	write_text(out, "{\"id\":", spec->id);
	write_text(out, ",\"label\":", spec->label == NULL ? spec->id : spec->label);
	write_text(out, ",\"kind\":", spec->kind);
	write_text(out, ",\"process\":", spec->process);
	write_text(out, ",\"node\":", spec->node);
	write_text(out, ",\"status\":", status_name(state->status));
	write_time(out, ",\"since\":", state->since_ms);
	write_text(out, ",\"message\":", state->message);
	write_text(out, ",\"reason\":", state->reason);
	write_text(out, ",\"outcome\":", has ? outcome_name(last->outcome) : NULL);
	write_real(out, ",\"took_ms\":", has, last->took_ms);
	write_integer(out, ",\"consecutive_failures\":", state->failures);
	write_integer(out, ",\"error_count\":", (int64_t)state->error_count);
	write_text(out, ",\"last_error\":", state->last_error);
	write_integer(out, ",\"recovery_attempts\":", state->recovery_attempts);
	write_time(out, ",\"last_check\":", state->last_check_ms);
	write_time(out, ",\"last_success\":", state->last_success_ms);
	write_integer(out, ",\"interval_ms\":", spec->interval_ms);
	write_text(out, ",\"impact\":", impact_name(spec->impact));
	str_add(out, spec->is_enabled ? ",\"enabled\":true" : ",\"enabled\":false");
	str_add(out, spec->is_unconfigured ? ",\"configured\":false" : ",\"configured\":true");
	write_list(out, ",\"depends_on\":", &spec->depends_on);
	write_text(out, ",\"blocked_by\":", blocked_by);
	write_object(out, ",\"labels\":", spec->labels, NULL);
	write_object(out, ",\"metrics\":", has ? last->metrics : NULL,
		     has ? last->metrics_text : NULL);
	write_object(out, ",\"details\":", has ? last->details : NULL,
		     has ? last->details_text : NULL);
	str_addc(out, '}');
}

/* `key` with what stands around it. */
static void write_time(struct str *out, const char *key, int64_t ms)
{
	char text[CLOCK_TEXT_MAX];

	str_add(out, key);
	if (ms == 0) {
		str_add(out, "null");
		return;
	}
	str_addc(out, '"');
	str_add(out, clock_format(ms, text));
	str_addc(out, '"');
}

/* What the last check saw. It is shown until the next one, which may be hours away. */
static void write_last(struct str *out, const struct observation *last)
{
	size_t before;

	write_text(out, ",\"outcome\":", outcome_name(last->outcome));
	write_real(out, ",\"took_ms\":", true, last->took_ms);
	write_object(out, ",\"metrics\":", last->metrics, last->metrics_text);
	before = out->len;
	write_object(out, ",\"details\":", last->details, last->details_text);
	if (out->len - before > COMPONENT_DETAILS_SAVED_MAX)
		str_truncate(out, before);
}

void component_state_write(struct str *out, const struct component_state *state)
{
	write_text(out, "{\"status\":", status_name(state->status));
	write_text(out, ",\"verdict\":", status_name(state->verdict));
	write_time(out, ",\"since\":", state->since_ms);
	write_integer(out, ",\"failures\":", state->failures);
	write_integer(out, ",\"passes\":", state->passes);
	write_time(out, ",\"last_check\":", state->last_check_ms);
	write_time(out, ",\"last_success\":", state->last_success_ms);
	write_text(out, ",\"message\":", state->message);
	write_text(out, ",\"reason\":", state->reason);
	write_integer(out, ",\"errors\":", (int64_t)state->error_count);
	write_text(out, ",\"last_error\":", state->last_error);
	write_integer(out, ",\"recoveries\":", state->recovery_attempts);
	if (state->has_observation)
		write_last(out, &state->last);
	str_addc(out, '}');
}

json_t *component_state_save(const struct component_state *state)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	json_t *o;

	component_state_write(&text, state);
	o = json_loadb(str_text(&text), text.len, 0, NULL);
	HALE_ASSERT(o != NULL);
	return o;
}

static int restore_time(const json_t *saved, const char *key, int64_t *ms_r)
{
	const json_t *v = json_object_get(saved, key);

	if (json_is_null(v)) {
		*ms_r = 0;
		return 0;
	}
	return json_is_string(v) ? clock_parse(json_string_value(v), ms_r) : -EINVAL;
}

static int restore_count(const json_t *saved, const char *key, uint32_t *n_r)
{
	const json_t *v = json_object_get(saved, key);
	json_int_t n = json_integer_value(v);

	if (!json_is_integer(v) || n < 0 || n > (json_int_t)UINT32_MAX)
		return -EINVAL;
	*n_r = (uint32_t)n;
	return 0;
}

static int restore_text(const json_t *saved, const char *key, char *buf, size_t size)
{
	const json_t *v = json_object_get(saved, key);

	if (!json_is_string(v))
		return -EINVAL;
	(void)str_clean(buf, size, json_string_value(v));
	return 0;
}

static int restore_status(const json_t *saved, const char *key, enum status *s_r)
{
	return status_from_name(json_string_value(json_object_get(saved, key)), s_r) ? 0 : -EINVAL;
}

static char *restore_object(const json_t *saved, const char *key)
{
	const json_t *v = json_object_get(saved, key);

	return json_is_object(v) && json_object_size(v) > 0 ? json_dumps(v, JSON_WIRE_FLAGS) : NULL;
}

/* What an older hale did not keep is not there, and nothing that judging needs. */
static void restore_more(struct component_state *s, const json_t *saved)
{
	const char *error = json_string_value(json_object_get(saved, "last_error"));
	json_int_t errors = json_integer_value(json_object_get(saved, "errors"));
	enum outcome outcome;

	s->error_count = errors > 0 ? (uint64_t)errors : 0;
	(void)restore_count(saved, "recoveries", &s->recovery_attempts);
	free(s->last_error);
	s->last_error = mem_dup(error);
	if (!outcome_from_name(json_string_value(json_object_get(saved, "outcome")), &outcome))
		return;
	observation_done(&s->last);
	s->last.at_ms = s->last_check_ms;
	s->last.outcome = outcome;
	s->last.took_ms = json_number_value(json_object_get(saved, "took_ms"));
	s->last.metrics_text = restore_object(saved, "metrics");
	s->last.details_text = restore_object(saved, "details");
	s->has_observation = true;
}

int component_state_restore(struct component_state *state, const json_t *saved)
{
	struct component_state s = *state;

	if (restore_status(saved, "status", &s.status) < 0 ||
	    restore_status(saved, "verdict", &s.verdict) < 0 ||
	    restore_time(saved, "since", &s.since_ms) < 0 ||
	    restore_count(saved, "failures", &s.failures) < 0 ||
	    restore_count(saved, "passes", &s.passes) < 0 ||
	    restore_time(saved, "last_check", &s.last_check_ms) < 0 ||
	    restore_time(saved, "last_success", &s.last_success_ms) < 0 ||
	    restore_text(saved, "message", s.message, sizeof(s.message)) < 0 ||
	    restore_text(saved, "reason", s.reason, sizeof(s.reason)) < 0)
		return -EINVAL;
	s.why = REASON_OF_OBSERVATION;
	if (str_eq(s.reason, reason_code(REASON_NO_DATA)))
		s.why = REASON_OF_NO_DATA;
	else if (str_eq(s.reason, reason_code(REASON_THRESHOLD)))
		s.why = REASON_OF_THRESHOLD;
	restore_more(&s, saved);
	*state = s;
	return 0;
}
