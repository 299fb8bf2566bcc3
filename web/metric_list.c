/* SPDX-License-Identifier: Apache-2.0 */
#include "metric_list.h"

#include <string.h>

#include "base/str.h"
#include "model/status.h"
#include "model/threshold.h"

/* Metrics carry their unit in their name (STYLE.md). */
static const struct {
	const char *suffix;
	const char *unit;
} units[] = {
	{"_ms", "ms"},       {"_us", "us"},           {"_s", "s"},
	{"_seconds", "s"},   {"_minutes", "min"},     {"_hours", "h"},
	{"_days", "d"},      {"_percent", "%"},       {"_pct", "%"},
	{"_bytes", "bytes"}, {"_kb", "KB"},           {"_mb", "MB"},
	{"_gb", "GB"},       {"_per_s", "1/s"},       {"_per_second", "1/s"},
	{"_celsius", "C"},   {"_bytes_per_s", "B/s"},
};

const char *metric_unit(const char *name)
{
	const char *unit = NULL;
	size_t longest = 0;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		size_t len = strlen(units[i].suffix);
		if (len > longest && str_ends(name, units[i].suffix)) {
			longest = len;
			unit = units[i].unit;
		}
	}
	return unit;
}

static struct threshold limit(const json_t *thresholds, const char *name, const char *level,
			      const char **text_r)
{
	struct threshold t = {0};
	*text_r = json_string_value(json_object_get(json_object_get(thresholds, name), level));
	if (*text_r && threshold_parse(*text_r, &t, NULL))
		*text_r = NULL;
	return t;
}

static json_t *number_of(const struct threshold *t)
{
	return t->op == OP_NONE ? json_null() : json_real(t->value);
}

static void add(json_t *list, const json_t *component, const json_t *thresholds, const char *name,
		double value)
{
	const char *warning_text, *critical_text, *unit = metric_unit(name);
	struct threshold warning = limit(thresholds, name, "degraded", &warning_text);
	struct threshold critical = limit(thresholds, name, "critical", &critical_text);
	enum status status = threshold_crossed(&critical, value)  ? STATUS_CRITICAL
			     : threshold_crossed(&warning, value) ? STATUS_DEGRADED
								  : STATUS_HEALTHY;
	json_t *at = json_object_get(component, "last_check");
	json_array_append_new(
		list, json_pack("{s:s,s:f,s:s?,s:s,s:o,s:o,s:s?,s:s?,s:O?,s:n}", "name", name,
				"value", value, "unit", unit, "status", status_name(status),
				"threshold_warning", number_of(&warning), "threshold_critical",
				number_of(&critical), "condition_warning", warning_text,
				"condition_critical", critical_text, "timestamp", at, "details"));
}

json_t *metric_list(const json_t *component, const json_t *thresholds)
{
	json_t *list = json_array();
	json_t *metrics = json_object_get(component, "metrics"), *value;
	const json_t *took = json_object_get(component, "took_ms");
	const char *name;
	if (json_is_number(took) && !json_object_get(metrics, "took_ms"))
		add(list, component, thresholds, "took_ms", json_number_value(took));
	json_object_foreach (metrics, name, value)
		if (json_is_number(value))
			add(list, component, thresholds, name, json_number_value(value));
	return list;
}
