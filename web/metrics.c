/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics.h"

#include "base/clock.h"
#include "model/process.h"
#include "prom.h"

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static enum status status_of(const struct live *l, const json_t *component)
{
	enum status s;
	const char *name = text_of(component, "status");
	return !live_is_stale(l) && name && status_from_name(name, &s) ? s : STATUS_UNKNOWN;
}

static void overall(struct prom *p, const struct live *l)
{
	enum status now = live_status(l);
	prom_family(
		p, "overall_status", "gauge",
		"Health of the whole: 1 healthy, 0.5 degraded, 0 critical or down, -1 unknown.");
	prom_sample(p, NULL, status_gauge(now));
	prom_family(p, "overall_state", "gauge",
		    "1 for the state the whole is in, 0 for the others.");
	for (enum status s = STATUS_HEALTHY; s < STATUS_MAX; s++)
		prom_sample(p, PROM_LABELS({"state", status_name(s)}), s == now);
	if (live_score(l) < 0)
		return;
	prom_family(p, "overall_score", "gauge", "Weighted health score, 0 to 100.");
	prom_sample(p, NULL, live_score(l));
}

static void component_status(struct prom *p, const struct live *l)
{
	const char *id;
	json_t *c;
	json_t *all = (json_t *)(uintptr_t)live_components(l);
	prom_family(p, "health_status", "gauge",
		    "Component status: 1 healthy, 0.5 degraded, 0 critical or down, -1 unknown.");
	json_object_foreach (all, id, c)
		prom_sample(p, PROM_LABELS({"component", id}), status_gauge(status_of(l, c)));
	prom_family(p, "component_state", "gauge",
		    "1 for the state the component is in, 0 for the others.");
	json_object_foreach (all, id, c) {
		enum status now = status_of(l, c);
		for (enum status s = STATUS_HEALTHY; s < STATUS_MAX; s++)
			prom_sample(p, PROM_LABELS({"component", id}, {"state", status_name(s)}),
				    s == now);
	}
	prom_family(p, "component_info", "gauge", "Labels of a component; always 1.");
	json_object_foreach (all, id, c)
		prom_sample(p,
			    PROM_LABELS({"component", id}, {"label", text_of(c, "label")},
					{"kind", text_of(c, "kind")}, {"node", text_of(c, "node")},
					{"impact", text_of(c, "impact")}),
			    1);
}

/* Seconds since 1970 of an RFC 3339 text; negative: none. */
static double stamp(const json_t *component, const char *key)
{
	int64_t ms;
	const char *text = text_of(component, key);
	return text && clock_parse(text, &ms) == 0 ? (double)ms / 1000.0 : -1;
}

static double since_s(const json_t *c)
{
	return stamp(c, "since");
}

static double last_check_s(const json_t *c)
{
	return stamp(c, "last_check");
}

static double last_success_s(const json_t *c)
{
	return stamp(c, "last_success");
}

static double took_s(const json_t *c)
{
	const json_t *took = json_object_get(c, "took_ms");
	return json_is_number(took) ? json_number_value(took) / 1000.0 : -1;
}

static double failures(const json_t *c)
{
	return json_number_value(json_object_get(c, "consecutive_failures"));
}

/* Families with one sample per component; a negative value means there is nothing to tell. */
static const struct {
	const char *family;
	const char *help;
	double (*value)(const json_t *component);
} component_families[] = {
	{"health_failures", "Consecutive checks that did not pass.", failures},
	{"component_check_duration_seconds", "How long the last check took.", took_s},
	{"component_last_check_timestamp_seconds", "When the component was last checked.",
	 last_check_s},
	{"component_last_success_timestamp_seconds", "When a check last passed.", last_success_s},
	{"component_status_since_timestamp_seconds", "When the present status began.", since_s},
};

static void component_numbers(struct prom *p, const struct live *l)
{
	const char *id;
	json_t *c;
	json_t *all = (json_t *)(uintptr_t)live_components(l);
	for (size_t i = 0; i < ARRAY_LEN(component_families); i++) {
		prom_family(p, component_families[i].family, "gauge", component_families[i].help);
		json_object_foreach (all, id, c) {
			double value = component_families[i].value(c);
			if (value >= 0)
				prom_sample(p, PROM_LABELS({"component", id}), value);
		}
	}
}

static void component_errors(struct prom *p, const struct live *l)
{
	const char *id;
	json_t *c;
	prom_family(p, "health_errors_total", "counter",
		    "Checks that were not healthy, over restarts of hale.");
	json_object_foreach ((json_t *)(uintptr_t)live_components(l), id, c)
		prom_sample(p, PROM_LABELS({"component", id}),
			    json_number_value(json_object_get(c, "error_count")));
}

static void component_metrics(struct prom *p, const struct live *l)
{
	const char *id, *name;
	json_t *c, *value;
	prom_family(p, "component_metric", "gauge",
		    "What the last check measured; the unit is the suffix of the metric label.");
	json_object_foreach ((json_t *)(uintptr_t)live_components(l), id, c)
		json_object_foreach (json_object_get(c, "metrics"), name, value) {
			if (json_is_number(value))
				prom_sample(p, PROM_LABELS({"component", id}, {"metric", name}),
					    json_number_value(value));
		}
}

static void processes(struct prom *p, const struct live *l)
{
	const char *name;
	json_t *x;
	json_t *all = (json_t *)(uintptr_t)live_processes(l);
	prom_family(p, "process_up", "gauge", "1 while the process is ready.");
	json_object_foreach (all, name, x)
		prom_sample(p, PROM_LABELS({"process", name}),
			    !live_is_stale(l) &&
				    str_eq(text_of(x, "state"), process_state_name(PROCESS_READY)));
	prom_family(p, "process_restarts_total", "counter", "Restarts, under former haleds too.");
	json_object_foreach (all, name, x)
		prom_sample(p, PROM_LABELS({"process", name}),
			    json_number_value(json_object_get(x, "restarts")));
	prom_family(p, "process_crash_looping", "gauge", "1 while the process keeps crashing.");
	json_object_foreach (all, name, x)
		prom_sample(p, PROM_LABELS({"process", name}),
			    json_is_true(json_object_get(x, "crash_looping")));
	prom_family(p, "process_state_since_timestamp_seconds", "gauge",
		    "When the process came into its present state.");
	json_object_foreach (all, name, x) {
		if (since_s(x) >= 0)
			prom_sample(p, PROM_LABELS({"process", name}), since_s(x));
	}
}

static void uptime_samples(struct prom *p, const char *component, const json_t *ranges)
{
	const char *range;
	json_t *percent;
	json_object_foreach ((json_t *)(uintptr_t)ranges, range, percent) {
		if (!json_is_number(percent))
			continue;
		double ratio = json_number_value(percent) / 100.0;
		if (component)
			prom_sample(p, PROM_LABELS({"component", component}, {"range", range}),
				    ratio);
		else
			prom_sample(p, PROM_LABELS({"range", range}), ratio);
	}
}

/* Of components that are configured: the store also knows those that were. */
static void uptime(struct prom *p, const struct live *l, const json_t *past)
{
	const json_t *all = json_object_get(past, "components");
	const char *id;
	json_t *c;
	if (!past)
		return;
	prom_family(p, "overall_uptime_ratio", "gauge",
		    "Part of the time monitored that the whole was not critical or down.");
	uptime_samples(p, NULL, json_object_get(past, "uptime_percent"));
	prom_family(p, "component_uptime_ratio", "gauge",
		    "Part of the time monitored that the component was not critical or down.");
	json_object_foreach ((json_t *)(uintptr_t)live_components(l), id, c)
		uptime_samples(p, id, json_object_get(all, id));
}

/* Members of the snapshot's "bus" object. */
static const struct {
	const char *member;
	const char *family;
	const char *type;
	const char *help;
} bus_families[] = {
	{"published_lines", "bus_published_lines_total", "counter", "Lines published."},
	{"published_frames", "bus_published_frames_total", "counter", "Frames published."},
	{"published_bytes", "bus_published_bytes_total", "counter", "Bytes published."},
	{"received_lines", "bus_received_lines_total", "counter", "Lines received from children."},
	{"received_duplicates", "bus_received_duplicates_total", "counter",
	 "Lines received again and passed over."},
	{"received_gaps", "bus_received_gaps_total", "counter", "Gaps in what children sent."},
	{"received_late", "bus_received_late_total", "counter",
	 "Frames of processes that had ended, passed over."},
	{"garbage", "bus_garbage_total", "counter",
	 "Messages dropped because they were no frame, or no JSON."},
	{"unknown", "bus_unknown_total", "counter",
	 "Messages dropped because their version or topic is not known."},
	{"refused_peers", "bus_refused_total", "counter", "Connections of users without access."},
	{"reopened", "bus_reopened_total", "counter",
	 "Listeners made anew because none could connect."},
	{"ring_bytes", "bus_ring_bytes", "gauge", "Memory held for replay."},
	{"ring_evicted", "bus_ring_evicted_total", "counter", "Lines that left the replay ring."},
};

static double lost(const json_t *losses, const char *leg, const char *process)
{
	const json_t *one;
	size_t i;
	json_array_foreach ((json_t *)(uintptr_t)losses, i, one) {
		if (str_eq(text_of(one, "leg"), leg) && str_eq(text_of(one, "process"), process))
			return json_number_value(json_object_get(one, "lines"));
	}
	return 0;
}

/* Every process has a sample from the start, or a first loss would be no increase. */
static void losses(struct prom *p, const struct live *l)
{
	static const char *const legs[] = {"in", "out"};
	const json_t *all = json_object_get(json_object_get(live_base(l), "bus"), "losses");
	json_t *processes_known = (json_t *)(uintptr_t)live_processes(l), *one;
	const char *name;
	size_t i;
	prom_family(p, "bus_lost_total", "counter",
		    "Lines a process gave up (leg in), or missed for good (leg out).");
	for (size_t leg = 0; leg < ARRAY_LEN(legs); leg++)
		json_object_foreach (processes_known, name, one)
			prom_sample(p, PROM_LABELS({"leg", legs[leg]}, {"process", name}),
				    lost(all, legs[leg], name));
	json_array_foreach ((json_t *)(uintptr_t)all, i, one) {
		if (!json_object_get(processes_known, text_of(one, "process")))
			prom_sample(p,
				    PROM_LABELS({"leg", text_of(one, "leg")},
						{"process", text_of(one, "process")}),
				    json_number_value(json_object_get(one, "lines")));
	}
}

static void bus(struct prom *p, const struct live *l)
{
	const json_t *stats = json_object_get(live_base(l), "bus");
	for (size_t i = 0; i < ARRAY_LEN(bus_families); i++) {
		const json_t *value = json_object_get(stats, bus_families[i].member);
		if (!json_is_number(value))
			continue;
		prom_family(p, bus_families[i].family, bus_families[i].type, bus_families[i].help);
		prom_sample(p, NULL, json_number_value(value));
	}
}

static void config(struct prom *p, const struct live *l)
{
	const json_t *conf = json_object_get(live_base(l), "config");
	const json_t *ok = json_object_get(conf, "last_reload_ok");
	if (json_is_boolean(ok)) {
		prom_family(p, "config_last_reload_successful", "gauge",
			    "1 if the configuration on disk is the one in force.");
		prom_sample(p, NULL, json_is_true(ok));
	}
	if (stamp(conf, "loaded_at") >= 0) {
		prom_family(p, "config_loaded_timestamp_seconds", "gauge",
			    "When the configuration in force was loaded.");
		prom_sample(p, NULL, stamp(conf, "loaded_at"));
	}
}

static void monitoring(struct prom *p, const struct live *l)
{
	prom_family(p, "monitoring_active", "gauge", "0 while monitoring is paused.");
	prom_sample(p, NULL, live_is_monitoring(l));
}

static void own(struct prom *p, const struct live *l, const struct metrics_web *web)
{
	prom_family(p, "snapshot_stale", "gauge",
		    "1 while haled does not answer hale-web: all of the above is old then.");
	prom_sample(p, NULL, live_is_stale(l) || !live_has_snapshot(l));
	prom_family(p, "web_requests_total", "counter", "HTTP requests answered.");
	prom_sample(p, NULL, (double)web->requests);
	prom_family(p, "web_refused_total", "counter",
		    "Requests and connections refused by limits or for their framing.");
	prom_sample(p, NULL, (double)web->refused);
	prom_family(p, "web_stream_clients", "gauge", "Open WebSocket streams.");
	prom_sample(p, NULL, (double)web->stream_clients);
	prom_family(p, "web_stream_dropped_total", "counter",
		    "WebSocket clients dropped because they read too slowly.");
	prom_sample(p, NULL, (double)web->stream_dropped);
	prom_family(p, "build_info", "gauge", "Version of hale; always 1.");
	prom_sample(p,
		    PROM_LABELS({"version", HALE_VERSION}, {"node", text_of(live_base(l), "node")}),
		    1);
}

void metrics_render(const struct live *l, const char *prefix, const struct metrics_web *web,
		    struct str *out)
{
	struct prom p = {.out = *out, .prefix = prefix};
	overall(&p, l);
	component_status(&p, l);
	component_numbers(&p, l);
	component_errors(&p, l);
	component_metrics(&p, l);
	uptime(&p, l, web->past);
	processes(&p, l);
	bus(&p, l);
	losses(&p, l);
	config(&p, l);
	monitoring(&p, l);
	own(&p, l, web);
	*out = p.out;
}
