/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/component_check.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/strlist.h"
#include "model/phrase.h"
#include "model/reason.h"

/* `degraded_after: 3, critical_after: 1` has no meaning, so it must not be taken for one. */
static void check_limits(const char *id, const json_t *component, const struct place *place)
{
	json_int_t degraded = json_integer_value(json_object_get(component, "degraded_after"));
	const json_t *critical = json_object_get(component, "critical_after");
	HALE_CLEANUP(cleanup_free) char *pointer = NULL;

	if (critical == NULL || json_integer_value(critical) >= degraded)
		return;
	pointer = mem_printf("/components/%s/critical_after", id);
	place_error(place, pointer, "make it as many or more",
		    "critical_after is less than degraded_after (%lld)", (long long)degraded);
}

/* ---- messages ---- */

/* All that may stand before a message: outcomes, reasons, those of the kind. Borrowed; the caller
 * frees the list. */
static const char **message_keys(const json_t *manifest)
{
	const json_t *reasons = json_object_get(manifest, "reasons"), *reason;
	size_t n = 0, i;
	const char **keys =
		mem_array(OUTCOME_MAX + REASON_MAX + json_array_size(reasons) + 2, sizeof(*keys));

	for (int outcome = 0; outcome < OUTCOME_MAX; outcome++)
		keys[n++] = outcome_name((enum outcome)outcome);
	for (int r = 0; r < REASON_MAX; r++)
		keys[n++] = reason_code((enum reason)r);
	json_array_foreach (reasons, i, reason) {
		const char *code = json_string_value(json_object_get(reason, "code"));

		if (code != NULL)
			keys[n++] = code;
	}
	keys[n] = PHRASE_FAILURE;
	return keys;
}

static bool is_listed(const char *const *keys, const char *key)
{
	for (; *keys != NULL; keys++) {
		if (str_eq(*keys, key))
			return true;
	}
	return false;
}

static void check_messages(const char *id, const json_t *component,
			   const struct manifest_set *manifests, const struct place *place)
{
	const char *kind = json_string_value(json_object_get(component, "kind"));
	const char **keys = message_keys(manifest_for_kind(manifests, kind));
	const char *key;
	json_t *phrase;

	json_object_foreach (json_object_get(component, "messages"), key, phrase) {
		HALE_CLEANUP(cleanup_free)
		char *pointer = mem_printf("/components/%s/messages/%s", id, key);
		const char *near = suggest_nearest(key, keys);
		HALE_CLEANUP(cleanup_free)
		char *hint = near == NULL ? mem_dup("docs/checks.md lists them for each kind")
					  : mem_printf("did you mean '%s'?", near);
		struct err err = {0};

		if (!is_listed(keys, key))
			place_error(place, pointer, hint,
				    "'%s' is no outcome, and no reason of the kind '%s'", key,
				    kind);
		else if (phrase_check(json_string_value(phrase), &err) < 0)
			place_error(place, pointer, NULL, "messages: %s", err.text);
	}
	free(keys);
}

void component_check(const json_t *components, const struct manifest_set *manifests,
		     const struct place *place)
{
	const char *id;
	json_t *component;

	json_object_foreach ((json_t *)components, id, component) {
		check_limits(id, component, place);
		if (json_object_get(component, "messages") != NULL)
			check_messages(id, component, manifests, place);
	}
}
