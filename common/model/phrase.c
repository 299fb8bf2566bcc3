/* SPDX-License-Identifier: Apache-2.0 */
#include "model/phrase.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/units.h"

/* Longer than any metric's or detail's name. */
#define NAME_MAX_BYTES 128

/* A list within a sentence; details has it whole. */
#define LISTED_MAX 20

const char *phrase_for(const json_t *messages, const char *reason, enum outcome outcome)
{
	const char *text = json_string_value(json_object_get(messages, reason));

	if (text == NULL)
		text = json_string_value(json_object_get(messages, outcome_name(outcome)));
	if (text == NULL && outcome != OUTCOME_PASS)
		text = json_string_value(json_object_get(messages, PHRASE_FAILURE));
	return text;
}

int phrase_check(const char *phrase, struct err *err)
{
	for (const char *p = phrase; (p = strchr(p, '{')) != NULL; p++) {
		const char *end = strchr(p, '}');

		if (p[1] == '{') {
			p++;
			continue;
		}
		if (end == NULL)
			return err_set(err, -EINVAL, "'{' without '}'; a brace is written '{{'");
		if (end == p + 1 || end - p > NAME_MAX_BYTES)
			return err_set(err, -EINVAL, "{} must hold the name of a metric or detail");
		p = end;
	}
	return 0;
}

static void add_number(struct str *out, double n)
{
	char text[UNITS_TEXT_MAX];

	/* Two decimals are what a sentence bears. */
	str_add(out, number_format(round(n * 100) / 100, text));
}

static void add_json(struct str *out, const json_t *value)
{
	json_t *entry;
	size_t i;

	if (json_is_string(value)) {
		str_add(out, json_string_value(value));
	} else if (json_is_number(value)) {
		add_number(out, json_number_value(value));
	} else if (json_is_boolean(value)) {
		str_add(out, json_is_true(value) ? "true" : "false");
	} else if (json_is_array(value)) {
		json_array_foreach (value, i, entry) {
			if (i == LISTED_MAX) {
				str_add(out, ", …");
				break;
			}
			str_add(out, i == 0 ? "" : ", ");
			add_json(out, json_is_array(entry) ? NULL : entry);
		}
	} else {
		str_add(out, "?");
	}
}

static void add_fact(struct str *out, const char *name, const struct observation *o,
		     const char *message)
{
	const json_t *value = json_object_get(o->metrics, name);

	if (value == NULL)
		value = json_object_get(o->details, name);
	if (value != NULL)
		add_json(out, value);
	else if (strcmp(name, "took_ms") == 0)
		add_number(out, o->took_ms);
	else if (strcmp(name, "message") == 0)
		str_add(out, message);
	else if (strcmp(name, "reason") == 0)
		str_add(out, o->reason);
	else
		str_add(out, "?");
}

void phrase_fill(const char *phrase, const struct observation *o, const char *message,
		 struct str *out)
{
	const char *p = phrase, *brace, *end;
	char name[NAME_MAX_BYTES];

	while ((brace = strchr(p, '{')) != NULL) {
		str_addn(out, p, (size_t)(brace - p));
		end = strchr(brace, '}');
		if (brace[1] == '{' || end == NULL || end - brace > NAME_MAX_BYTES) {
			str_addc(out, '{');
			p = brace + (brace[1] == '{' ? 2 : 1);
			continue;
		}
		memcpy(name, brace + 1, (size_t)(end - brace - 1));
		name[end - brace - 1] = '\0';
		add_fact(out, name, o, message);
		p = end + 1;
	}
	str_add(out, p);
}
