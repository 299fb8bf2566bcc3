/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/core_options.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "conf/manifest.h"
#include "conf/schema.h"
#include "deploy/program_options.h"

const struct conf_item instance_items[] = {
	CONF_STR(struct instance_options, name, .def = "hale",
		 .help = "name of this installation, in messages and on the dashboard"),
	CONF_STR(struct instance_options, node,
		 .help = "name of this machine in all messages; the host's name if absent"),
	CONF_STR(struct instance_options, timezone,
		 .help = "time zone of schedules and texts, e.g. America/New_York; the host's if "
			 "absent"),
	CONF_STR(struct instance_options, user,
		 .help = "when haled runs as root: whom all its processes run as, and programs "
			 "without a user of their own"),
	CONF_STR(struct instance_options, group,
		 .help = "their group, and whose members may use the CLI; the user's own if "
			 "absent"),
	CONF_END,
};

const struct conf_item aggregation_items[] = {
	CONF_ENUM(struct aggregation_options, how, .def = "worst_of", .choices = "worst_of|ratio",
		  .help = "how the components make up the overall status"),
	CONF_INT(struct aggregation_options, critical_percent, .def = "30", .min = 0, .max = 100,
		 .help = "ratio: more critical components than this share make the total critical"),
	CONF_INT(struct aggregation_options, degraded_percent, .def = "50", .min = 0, .max = 100,
		 .help = "ratio: more degraded components than this share make the total degraded"),
	CONF_END,
};

const struct conf_item bus_items[] = {
	CONF_SIZE(struct bus_options, ring_bytes, .name = "ring", .def = "64MB", .min = 65536,
		  .max = 4294967296.0,
		  .help = "memory for messages that subscribers may ask for again"),
	CONF_END,
};

static const struct conf_item connectivity_items[] = {
	CONF_LIST(struct connectivity_options, targets, .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY,
		  .help = "addresses in figures with their ports, e.g. 1.1.1.1:53; when none of "
			  "them lets itself be connected to, this host has no network"),
	CONF_DURATION(struct connectivity_options, timeout_ms, .name = "timeout", .def = "2s",
		      .min = 10, .max = 60000,
		      .help = "how long they have time to answer; a failure is told so much later "
			      "if there is no network"),
	CONF_DURATION(struct connectivity_options, interval_ms, .name = "interval", .def = "5s",
		      .min = 100, .max = 3600000,
		      .help = "without a network, how often they are tried again"),
	CONF_END,
};

const struct conf_item checks_items[] = {
	CONF_INT(struct checks_options, per_host, .def = "64", .min = 1, .max = 1024,
		 .help = "of one host and port, so many checks are begun at once, and four times "
			 "as many are under way"),
	CONF_MAP(struct checks_options, connectivity, connectivity_items,
		 .help = "before others are blamed: whether this host has a network itself"),
	CONF_END,
};

const struct conf_item plugins_items[] = {
	CONF_LIST(struct plugins_options, directories,
		  .help = "folders with further programs and their manifests (NAME.json)"),
	CONF_END,
};

/* What hale's processes and the user's programs have in common. */
#define RESTART_ITEMS                                                                              \
	CONF_DURATION(struct restart_options, base_ms, .name = "base", .def = "100ms", .min = 1,   \
		      .max = 3600000,                                                              \
		      .help = "delay before the second restart in a row; the first is at once"),   \
		CONF_NUM(struct restart_options, factor, .def = "2", .min = 1, .max = 100,         \
			 .help = "each further delay is this many times longer"),                  \
		CONF_DURATION(struct restart_options, cap_ms, .name = "cap", .def = "30s",         \
			      .min = 1, .max = 86400000, .help = "longest delay"),                 \
		CONF_INT(struct restart_options, jitter_percent, .name = "jitter", .def = "20",    \
			 .min = 0, .max = 100,                                                     \
			 .help = "percent by which a delay is drawn shorter or longer"),           \
		CONF_DURATION(struct restart_options, stable_after_ms, .name = "stable_after",     \
			      .def = "60s", .min = 1, .max = 86400000,                             \
			      .help = "ready this long: earlier failures are forgotten"),          \
		CONF_INT(struct restart_options, burst, .def = "5", .min = 1,                      \
			 .max = PROCESS_BURST_MAX - 1,                                             \
			 .help = "more failures than this within window is a crash loop"),         \
		CONF_DURATION(struct restart_options, window_ms, .name = "window", .def = "60s",   \
			      .min = 1000, .max = 86400000,                                        \
			      .help = "the time burst is counted in"),                             \
		CONF_INT(struct restart_options, give_up_after, .def = "0", .min = 0,              \
			 .max = 1000000,                                                           \
			 .help = "failures in a row until it is held; 0: never give up"),          \
		CONF_DURATION(struct restart_options, delay_ms, .name = "delay", .def = "0",       \
			      .min = 0, .max = 86400000,                                           \
			      .help = "a fixed delay in place of the growing one")

static const struct conf_item restart_items[] = {
	RESTART_ITEMS,
	CONF_END,
};

const struct conf_item program_restart_items[] = {
	CONF_ENUM(
		struct restart_options, when, .choices = "always|on-failure|never",
		.help = "after which ends it is started again: always if absent (on-failure for a "
			"oneshot); on-failure: not after exit code 0"),
	RESTART_ITEMS,
	CONF_END,
};

const struct conf_item process_items[] = {
	CONF_BOOL(struct process_options, is_enabled, .name = "enabled", .def = "true",
		  .help = "false: not started"),
	CONF_ENUM(struct process_options, log_level, .def = "info",
		  .choices = "debug|info|warn|error", .help = "least level it logs"),
	CONF_DURATION(struct process_options, start_timeout_ms, .name = "start_timeout",
		      .def = "30s", .min = 10, .max = 3600000,
		      .help = "ready by then, or restarted"),
	CONF_DURATION(struct process_options, stop_timeout_ms, .name = "stop_timeout", .def = "10s",
		      .min = 10, .max = 3600000, .help = "gone by then after SIGTERM, or killed"),
	CONF_DURATION(struct process_options, watchdog_ms, .name = "watchdog", .def = "30s",
		      .min = 100, .max = 3600000,
		      .help = "must show progress this often, or is killed and restarted"),
	CONF_MAP(struct process_options, restart, restart_items, .def = "{}",
		 .help = "how it is restarted"),
	CONF_LIST(struct process_options, on_failing,
		  .help = "command to run when it cannot be kept running, e.g. a mail about the "
			  "notifier"),
	CONF_BOOL(
		struct process_options, is_vital, .name = "vital",
		.help = "hale is nothing without it: when it is wanted and not ready for "
			"vital_grace, haled lets init's watchdog restart it; true for recorder and "
			"notifier unless given"),
	CONF_DURATION(struct process_options, vital_grace_ms, .name = "vital_grace", .def = "5m",
		      .min = 1000, .max = 86400000,
		      .help = "how long a vital process may be missing"),
	CONF_DURATION(struct process_options, failing_after_ms, .name = "failing_after",
		      .def = "60s", .min = 1000, .max = 86400000,
		      .help = "not ready for so long is failing, too"),
	CONF_END,
};

struct threshold_options {
	char *metric; /* the key */
	char *degraded;
	char *critical;
};

struct component_options {
	char *label;
	int64_t interval_ms;
	int64_t timeout_ms;
	int64_t retry_interval_ms; /* the checker's: slice.c */
	int64_t degraded_after;
	int64_t critical_after;
	int64_t recover_after;
	char *impact;
	char *on_error;
	double weight;
	bool is_enabled;
	char *group;
	struct conf_vec thresholds;
	struct strlist depends_on;
	json_t *labels;
	json_t *messages;
};

static const struct conf_item threshold_items[] = {
	CONF_THRESHOLD(struct threshold_options, degraded,
		       .help = "degraded when the metric is, e.g., \"> 2000\""),
	CONF_THRESHOLD(struct threshold_options, critical, .help = "critical when the metric is"),
	CONF_END,
};

const struct conf_item component_items[] = {
	CONF_STR(struct component_options, label, .help = "name for people; the id if absent"),
	CONF_DURATION(struct component_options, interval_ms, .name = "interval", .def = "30s",
		      .min = 100, .max = 86400000, .help = "time between two checks"),
	CONF_DURATION(struct component_options, timeout_ms, .name = "timeout", .def = "10s",
		      .min = 10, .max = 3600000, .help = "a check that takes longer has failed"),
	CONF_DURATION(struct component_options, retry_interval_ms, .name = "retry_interval",
		      .def = "0", .min = 0, .max = 86400000,
		      .help = "a result that is not a pass is checked again after this time, until "
			      "it is confirmed; 0: at the next interval"),
	CONF_INT(struct component_options, degraded_after, .def = "1", .min = 1, .max = 1000,
		 .help = "failures in a row until degraded"),
	CONF_INT(struct component_options, critical_after, .min = 1, .max = 1000,
		 .help = "failures in a row until critical or down; as many as degraded_after "
			 "unless given"),
	CONF_INT(struct component_options, recover_after, .def = "1", .min = 1, .max = 1000,
		 .help = "passes in a row until healthy again"),
	CONF_ENUM(struct component_options, impact, .def = "critical",
		  .choices = "critical|degraded|none",
		  .help = "the worst it may do to the overall status"),
	CONF_ENUM(struct component_options, on_error, .def = "unknown",
		  .choices = "unknown|degraded|critical",
		  .help = "its status when the check itself could not run"),
	CONF_NUM(struct component_options, weight, .def = "1", .min = 0, .max = 1000,
		 .help = "its weight in the score"),
	CONF_BOOL(struct component_options, is_enabled, .name = "enabled", .def = "true",
		  .help = "false: shown, not checked, not counted"),
	CONF_STR(struct component_options, group,
		 .help = "components of one kind and group share a process of their own"),
	CONF_DICT(struct component_options, thresholds, threshold_items, struct threshold_options,
		  .help = "by metric (took_ms is one): when it counts as degraded or critical"),
	CONF_LIST(struct component_options, depends_on, .ref = "components",
		  .help = "components it cannot work without: while one is down, no alerts about "
			  "this"),
	CONF_STRMAP(struct component_options, labels, .help = "free names and values"),
	CONF_STRMAP(
		struct component_options, messages,
		.help = "what is said in place of the check's own words, by reason, by outcome, "
			"or for every failure; {name} is a metric or a detail"),
	CONF_END,
};

static const struct conf_section core_sections[] = {
	{"instance", instance_items, CONF_T_MAP, "this installation"},
	{"aggregation", aggregation_items, CONF_T_MAP, "the overall status"},
	{"bus", bus_items, CONF_T_MAP, "the message bus"},
	{"checks", checks_items, CONF_T_MAP, "what all checks have in common"},
	{"plugins", plugins_items, CONF_T_MAP, "programs that did not come with hale"},
	{"processes", process_items, CONF_T_DICT, "how each of hale's processes is supervised"},
	{"programs", program_items, CONF_T_DICT, "your own programs, supervised like hale's"},
	{NULL, NULL, CONF_T_END, NULL},
};

json_t *core_manifest(void)
{
	json_t *m =
		json_pack("{s:i, s:s, s:s, s:{}, s:o}", "manifest", 1, "program", "haled", "role",
			  "core", "sections", "component", manifest_options(component_items));
	json_t *sections = json_object_get(m, "sections");

	for (const struct conf_section *s = core_sections; s->name != NULL; s++)
		json_object_set_new(sections, s->name, manifest_section(s));
	return m;
}

static void take_thresholds(const struct component_options *o, struct component_spec *spec)
{
	const struct threshold_options *v = o->thresholds.v;

	spec->thresholds = mem_array(o->thresholds.n, sizeof(*spec->thresholds));
	spec->thresholds_n = o->thresholds.n;
	for (size_t i = 0; i < o->thresholds.n; i++) {
		struct metric_threshold *t = &spec->thresholds[i];

		t->metric = mem_dup(v[i].metric);
		/* The schema has parsed both before; what is absent stays "not set". */
		if (v[i].degraded != NULL)
			(void)threshold_parse(v[i].degraded, &t->degraded, NULL);
		if (v[i].critical != NULL)
			(void)threshold_parse(v[i].critical, &t->critical, NULL);
	}
}

/* The options every component has, without "kind" and the kind's own mapping. */
static json_t *common_part(const json_t *normalised)
{
	json_t *part = json_object();

	for (const struct conf_item *item = component_items; item->type != CONF_T_END; item++) {
		json_t *value = json_object_get(normalised, item->name);

		if (value != NULL)
			json_object_set(part, item->name, value);
	}
	return part;
}

int core_component(const char *id, const json_t *normalised, const char *kind, const char *process,
		   const char *node, struct component_spec *spec_r, struct err *err)
{
	bool is_configured = !json_is_false(json_object_get(normalised, "configured"));
	struct component_options o = {0};
	json_t *part = common_part(normalised);
	int rc = conf_decode(component_items, part, &o, err);

	json_decref(part);
	if (rc < 0) {
		err_prefix(err, "component %s", id);
		return rc;
	}
	*spec_r = (struct component_spec){
		.id = mem_dup(id),
		.label = mem_dup(o.label == NULL ? id : o.label),
		.kind = mem_dup(kind),
		.process = mem_dup(process),
		.node = mem_dup(node),
		.interval_ms = o.interval_ms,
		.timeout_ms = o.timeout_ms,
		.degraded_after = (uint32_t)o.degraded_after,
		.critical_after = (uint32_t)HALE_MAX(o.degraded_after, o.critical_after),
		.recover_after = (uint32_t)o.recover_after,
		.weight = o.weight,
		.is_enabled = o.is_enabled && is_configured,
		.is_unconfigured = !is_configured,
		.messages = TAKE_PTR(o.messages),
		.depends_on = o.depends_on,
		.labels = TAKE_PTR(o.labels),
	};
	o.depends_on = (struct strlist){0};
	(void)impact_from_name(o.impact, &spec_r->impact);
	(void)status_from_name(o.on_error, &spec_r->on_error);
	take_thresholds(&o, spec_r);
	conf_free(component_items, &o);
	return 0;
}

static enum process_restart restart_from_name(const char *name)
{
	if (str_eq(name, "never"))
		return RESTART_NEVER;
	return str_eq(name, "on-failure") ? RESTART_ON_FAILURE : RESTART_ALWAYS;
}

void core_restart_policy(const struct restart_options *o, struct process_policy *policy_r)
{
	*policy_r = (struct process_policy){
		.backoff = {.base_ms = (uint32_t)o->base_ms,
			    .factor = o->factor,
			    .cap_ms = (uint32_t)HALE_MAX(o->cap_ms, o->base_ms),
			    .jitter_percent = (uint32_t)o->jitter_percent,
			    .is_first_at_once = true},
		.fixed_delay_ms = o->delay_ms,
		.stable_after_ms = o->stable_after_ms,
		.burst = (uint32_t)o->burst,
		.window_ms = o->window_ms,
		.give_up_after = (uint32_t)o->give_up_after,
		.when = restart_from_name(o->when),
	};
}
