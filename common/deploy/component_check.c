/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/component_check.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- group: part of a process's name, and so of the names of its socket and logs ---- */

#define GROUP_MAX_LEN 32 /* check.<kind>.<group>.ipc must fit into a socket's address */

static void check_group(const char *id, const json_t *component, const struct place *place)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_.-";
	const char *group = json_string_value(json_object_get(component, "group"));
	HALE_CLEANUP(cleanup_free) char *pointer = NULL;

	if (group == NULL)
		return;
	pointer = mem_printf("/components/%s/group", id);
	if (*group == '\0' || strspn(group, allowed) != strlen(group))
		place_error(place, pointer, "it becomes part of a process's name",
			    "group '%s' holds other characters than a-z 0-9 _ . -", group);
	else if (strlen(group) > GROUP_MAX_LEN)
		place_error(place, pointer, NULL, "group is longer than %d characters",
			    GROUP_MAX_LEN);
}

/* ---- thresholds ---- */

/* Every check has it: the judge knows how long it took. */
#define METRIC_OF_ALL "took_ms"

/* The names of a kind's metrics, which may be patterns (`disk_*_used_percent`; `*`: those that its
 * options name). Borrowed; the caller frees the list. */
static const char **metric_names(const json_t *manifest)
{
	const json_t *metrics = json_object_get(manifest, "metrics"), *metric;
	const char **names = mem_array(json_array_size(metrics) + 2, sizeof(*names));
	size_t n = 0, i;

	json_array_foreach (metrics, i, metric) {
		const char *name = json_string_value(json_object_get(metric, "name"));

		if (name != NULL)
			names[n++] = name;
	}
	names[n] = METRIC_OF_ALL;
	return names;
}

static bool is_metric(const char *const *names, const char *metric, bool *is_open_r)
{
	bool is_known = false;

	for (*is_open_r = false; *names != NULL; names++) {
		if (str_eq(*names, "*"))
			*is_open_r = true;
		else if (fnmatch(*names, metric, 0) == 0)
			is_known = true;
	}
	return is_known;
}

/* A threshold of a metric that never comes would never be crossed, and nobody would know. Where a
 * kind's options can name metrics only what looks like a misspelt one can be told. */
static void check_thresholds(const char *id, const json_t *component,
			     const struct manifest_set *manifests, const struct place *place)
{
	const char *kind = json_string_value(json_object_get(component, "kind"));
	const char **names = metric_names(manifest_for_kind(manifests, kind));
	const char *metric;
	json_t *value;

	json_object_foreach (json_object_get(component, "thresholds"), metric, value) {
		HALE_CLEANUP(cleanup_free)
		char *pointer = mem_printf("/components/%s/thresholds/%s", id, metric);
		const char *near = suggest_nearest(metric, names);
		HALE_CLEANUP(cleanup_free)
		char *hint = near == NULL ? mem_printf("`hale kinds %s` lists its metrics", kind)
					  : mem_printf("did you mean '%s'?", near);
		bool is_open;

		/* A plugin need not say what its metrics are. */
		if (is_metric(names, metric, &is_open) || names[1] == NULL)
			continue;
		if (!is_open)
			place_error_key(place, pointer, hint, "the kind '%s' has no metric '%s'",
					kind, metric);
		else if (near != NULL)
			place_warn(place, pointer, hint,
				   "the kind '%s' has no metric '%s' of its own", kind, metric);
	}
	free(names);
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
			place_error_key(place, pointer, hint,
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
		check_group(id, component, place);
		check_thresholds(id, component, manifests, place);
		if (json_object_get(component, "messages") != NULL)
			check_messages(id, component, manifests, place);
	}
}
