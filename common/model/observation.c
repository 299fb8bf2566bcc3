/* SPDX-License-Identifier: Apache-2.0 */
#include "model/observation.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "model/component.h"

void observation_done(struct observation *o)
{
	json_decref(o->metrics);
	json_decref(o->details);
	*o = (struct observation){0};
}

void observation_message(struct observation *o, const char *text)
{
	(void)str_clean(o->message, sizeof(o->message), text);
}

static json_t *object_or_empty(json_t *o)
{
	return o == NULL ? json_object() : json_incref(o);
}

json_t *observation_encode(const struct observation *o, const char *component, const char *node)
{
	char at[CLOCK_TEXT_MAX];
	/* JSON has no NaN; a time that was not measured reads as none. */
	double took_ms = isfinite(o->took_ms) && o->took_ms > 0 ? o->took_ms : 0;
	json_t *line = json_pack(
		"{s:s, s:s?, s:s, s:s, s:s, s:s, s:f, s:o, s:o}", "at", clock_format(o->at_ms, at),
		"node", node, "component", component, "outcome", outcome_name(o->outcome), "reason",
		o->reason, "message", o->message, "took_ms", took_ms, "metrics",
		object_or_empty(o->metrics), "details", object_or_empty(o->details));

	HALE_ASSERT(line != NULL);
	return line;
}

static bool is_made_of(const char *text, const char *set, size_t max)
{
	size_t len = strlen(text);

	return len > 0 && len <= max && strspn(text, set) == len;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define DIGITS  "0123456789"

static int decode_words(const json_t *line, const char **component_r, struct observation *o,
			struct err *err)
{
	const char *at = json_string_value(json_object_get(line, "at"));
	const char *id = json_string_value(json_object_get(line, "component"));
	const char *outcome = json_string_value(json_object_get(line, "outcome"));
	const char *reason = json_string_value(json_object_get(line, "reason"));
	const json_t *message = json_object_get(line, "message");

	if (id == NULL || !is_made_of(id, LETTERS DIGITS "_.-", COMPONENT_ID_MAX - 1))
		return err_set(err, -EINVAL, "component: must be 1 to %d of a-z 0-9 _ . -",
			       COMPONENT_ID_MAX - 1);
	if (at == NULL || clock_parse(at, &o->at_ms) < 0)
		return err_set(err, -EINVAL, "at: must be an RFC 3339 time");
	if (!outcome_from_name(outcome, &o->outcome))
		return err_set(err, -EINVAL, "outcome: must be pass, warn, fail, down or error");
	if (reason == NULL || !is_made_of(reason, LETTERS DIGITS "_", OBSERVATION_REASON_MAX - 1))
		return err_set(err, -EINVAL, "reason: must be 1 to %d of a-z 0-9 _",
			       OBSERVATION_REASON_MAX - 1);
	if (message != NULL && !json_is_string(message))
		return err_set(err, -EINVAL, "message: must be text");
	memcpy(o->reason, reason, strlen(reason) + 1);
	observation_message(o, message == NULL ? "" : json_string_value(message));
	*component_r = id;
	return 0;
}

/* Everybody after this may rely on reals: an integer on the wire becomes one. */
static int decode_metrics(json_t *from, json_t **metrics_r, struct err *err)
{
	json_t *metrics;
	const char *name;
	json_t *value;

	*metrics_r = NULL;
	if (from == NULL || json_is_null(from))
		return 0;
	if (!json_is_object(from))
		return err_set(err, -EINVAL, "metrics: must be an object of numbers");
	metrics = json_object();
	json_object_foreach (from, name, value) {
		if (!json_is_number(value) || !isfinite(json_number_value(value))) {
			json_decref(metrics);
			return err_set(err, -EINVAL, "metrics.%s: must be a number", name);
		}
		(void)json_object_set_new(metrics, name, json_real(json_number_value(value)));
	}
	*metrics_r = metrics;
	return 0;
}

int observation_decode(const json_t *line, const char **component_r, struct observation *o_r,
		       struct err *err)
{
	struct observation o = {0};
	const char *component = NULL;
	json_t *took, *details;

	if (!json_is_object(line))
		return err_set(err, -EINVAL, "observation: must be an object");
	if (decode_words(line, &component, &o, err) < 0)
		return -EINVAL;
	took = json_object_get(line, "took_ms");
	details = json_object_get(line, "details");
	o.took_ms = json_number_value(took);
	if (!json_is_number(took) || !isfinite(o.took_ms) || o.took_ms < 0)
		return err_set(err, -EINVAL, "took_ms: must be a number, 0 or more");
	if (details != NULL && !json_is_null(details) && !json_is_object(details))
		return err_set(err, -EINVAL, "details: must be an object");
	if (decode_metrics(json_object_get(line, "metrics"), &o.metrics, err) < 0)
		return -EINVAL;
	o.details = json_is_object(details) ? json_incref(details) : NULL;
	*o_r = o;
	*component_r = component;
	return 0;
}
