/* SPDX-License-Identifier: Apache-2.0 */
#include "model/observation.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/jtext.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/component.h"

void observation_done(struct observation *o)
{
	json_decref(o->metrics);
	json_decref(o->details);
	free(o->metrics_text);
	free(o->details_text);
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

/* ---- as text ---- */

/* More members than that are looked at one by one. */
#define SIMPLE_MEMBERS_MAX 32

/* No name twice, none that could be written in another way, nothing within that has names. */
static bool is_simple(struct jtext object)
{
	struct jtext names[SIMPLE_MEMBERS_MAX], value;
	size_t n = 0;

	for (size_t at = 0; n < SIMPLE_MEMBERS_MAX && jtext_next(object, &at, &names[n], &value);
	     n++) {
		if (memchr(value.text, '{', value.len) != NULL ||
		    memchr(names[n].text, '\\', names[n].len) != NULL)
			return false;
		for (size_t i = 0; i < n; i++) {
			if (names[i].len == names[n].len &&
			    memcmp(names[i].text, names[n].text, names[n].len) == 0)
				return false;
		}
	}
	return jtext_is_object(object) && n < SIMPLE_MEMBERS_MAX;
}

/* All of them reals, as jansson writes them: everybody after this may rely on it. */
static bool are_reals(struct jtext metrics)
{
	struct jtext name, value;
	double number;

	for (size_t at = 0; jtext_next(metrics, &at, &name, &value);) {
		if (!jtext_number(value, &number) || (memchr(value.text, '.', value.len) == NULL &&
						      memchr(value.text, 'e', value.len) == NULL))
			return false;
	}
	return true;
}

enum { W_AT, W_COMPONENT, W_OUTCOME, W_REASON, W_MESSAGE, W_TOOK, W_METRICS, W_DETAILS, W_MAX };

static bool find_words(struct jtext line, struct jtext words[W_MAX])
{
	static const char *const names[W_MAX] = {"at",      "component", "outcome", "reason",
						 "message", "took_ms",   "metrics", "details"};
	struct jtext name, value;

	for (size_t at = 0; jtext_next(line, &at, &name, &value);) {
		for (size_t i = 0; i < W_MAX; i++) {
			if (!jtext_is(name, names[i]))
				continue;
			if (words[i].text != NULL)
				return false;
			words[i] = value;
		}
	}
	return true;
}

static bool decode_plain(const struct jtext words[W_MAX], char component[OBSERVATION_ID_MAX],
			 struct observation *o)
{
	char at[CLOCK_TEXT_MAX], outcome[16], message[2 * OBSERVATION_MESSAGE_MAX];

	if (!jtext_string(words[W_AT], at, sizeof(at)) || clock_parse(at, &o->at_ms) < 0 ||
	    !jtext_string(words[W_COMPONENT], component, COMPONENT_ID_MAX) ||
	    !is_made_of(component, LETTERS DIGITS "_.-", COMPONENT_ID_MAX - 1) ||
	    !jtext_string(words[W_OUTCOME], outcome, sizeof(outcome)) ||
	    !outcome_from_name(outcome, &o->outcome) ||
	    !jtext_string(words[W_REASON], o->reason, sizeof(o->reason)) ||
	    !is_made_of(o->reason, LETTERS DIGITS "_", OBSERVATION_REASON_MAX - 1) ||
	    !jtext_string(words[W_MESSAGE], message, sizeof(message)) ||
	    !jtext_number(words[W_TOOK], &o->took_ms) || o->took_ms < 0 ||
	    !is_simple(words[W_METRICS]) || !are_reals(words[W_METRICS]) ||
	    !is_simple(words[W_DETAILS]))
		return false;
	observation_message(o, message);
	return true;
}

static char *text_unless_empty(struct jtext object)
{
	return object.len == strlen("{}") ? NULL : mem_dupn(object.text, object.len);
}

bool observation_decode_text(const char *text, size_t len, char component[OBSERVATION_ID_MAX],
			     struct observation *o_r)
{
	struct jtext line, words[W_MAX] = {{NULL, 0}};
	struct observation o = {0};

	if (!jtext_check(text, len, &line) || !jtext_is_object(line) || !find_words(line, words) ||
	    !decode_plain(words, component, &o))
		return false;
	o.metrics_text = text_unless_empty(words[W_METRICS]);
	o.details_text = text_unless_empty(words[W_DETAILS]);
	*o_r = o;
	return true;
}

static json_t *read_text(char **text)
{
	HALE_CLEANUP(cleanup_free) char *own = TAKE_PTR(*text);
	json_t *tree = own == NULL ? NULL : json_loads(own, 0, NULL);

	HALE_ASSERT(own == NULL || tree != NULL); /* it was checked */
	return tree;
}

void observation_read(struct observation *o)
{
	if (o->metrics_text != NULL)
		o->metrics = read_text(&o->metrics_text);
	if (o->details_text != NULL)
		o->details = read_text(&o->details_text);
}
