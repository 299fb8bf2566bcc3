/* SPDX-License-Identifier: Apache-2.0 */
#include "read_shape.h"

#include "base/clock.h"
#include "store/metric_text.h"

static json_t *text_json(const struct db_value *v)
{
	return v->type == DB_TEXT ? json_stringn_nocheck(v->text, v->len) : json_null();
}

static json_t *int_json(const struct db_value *v)
{
	return v->type == DB_INT ? json_integer(v->integer) : json_null();
}

static json_t *time_json(const struct db_value *v)
{
	char text[CLOCK_TEXT_MAX];

	return v->type == DB_INT ? json_string_nocheck(clock_format(v->integer, text))
				 : json_null();
}

/* Objects and arrays. */
static json_t *tree_json(const struct db_value *v)
{
	json_t *o = v->type == DB_TEXT ? json_loadb(v->text, v->len, 0, NULL) : NULL;

	return o != NULL ? o : json_null();
}

static json_t *tree_or(const struct db_value *v, json_t *otherwise)
{
	if (v->type == DB_NULL)
		return otherwise;
	json_decref(otherwise);
	return tree_json(v);
}

static json_t *us_json(const struct db_value *v)
{
	return v->type == DB_INT ? json_real((double)v->integer / 1000.0) : json_null();
}

static json_t *metrics_json(const struct db_value *names, const struct db_value *metrics)
{
	HALE_CLEANUP(str_done) struct str object = {0};
	json_t *out = NULL;

	if (names->type != DB_TEXT)
		return tree_or(metrics, json_object());
	if (metrics->type == DB_TEXT &&
	    metric_text_join(names->text, names->len, metrics->text, metrics->len, &object))
		out = json_loadb(str_text(&object), object.len, 0, NULL);
	return out != NULL ? out : json_object();
}

static void set(json_t *out, const char *key, json_t *value)
{
	(void)json_object_set_new_nocheck(out, key, value);
}

static void encode_result(json_t *out, const struct db_value *v)
{
	set(out, "component", text_json(&v[0]));
	set(out, "status", text_json(&v[1]));
	set(out, "outcome", text_json(&v[2]));
	set(out, "reason", text_json(&v[3]));
	set(out, "message", text_json(&v[4]));
	set(out, "took_ms", us_json(&v[5]));
	set(out, "metrics", metrics_json(&v[6], &v[7]));
	set(out, "details", tree_json(&v[8]));
}

static void encode_transition(json_t *out, const struct db_value *v)
{
	set(out, "component", text_json(&v[0]));
	set(out, "from", text_json(&v[1]));
	set(out, "to", text_json(&v[2]));
	set(out, "reason", text_json(&v[3]));
	set(out, "message", text_json(&v[4]));
}

static void encode_event(json_t *out, const struct db_value *v)
{
	set(out, "topic", text_json(&v[0]));
	set(out, "kind", text_json(&v[1]));
	set(out, "severity", text_json(&v[2]));
	set(out, "subject", text_json(&v[3]));
	set(out, "message", text_json(&v[4]));
	set(out, "details", tree_or(&v[5], json_object()));
}

static void encode_process(json_t *out, const struct db_value *v)
{
	set(out, "process", text_json(&v[0]));
	set(out, "event", text_json(&v[1]));
	set(out, "state", text_json(&v[2]));
	set(out, "pid", int_json(&v[3]));
	set(out, "generation", int_json(&v[4]));
	set(out, "restarts", int_json(&v[5]));
	set(out, "status_text", text_json(&v[6]));
	set(out, "last_exit", tree_json(&v[7]));
}

static void encode_alert(json_t *out, const struct db_value *v)
{
	set(out, "id", text_json(&v[0]));
	set(out, "key", text_json(&v[1]));
	set(out, "rule", text_json(&v[2]));
	set(out, "severity", text_json(&v[3]));
	set(out, "state", text_json(&v[4]));
	set(out, "component", text_json(&v[5]));
	set(out, "message", text_json(&v[6]));
	set(out, "resolved", time_json(&v[7]));
	set(out, "count", int_json(&v[8]));
	set(out, "updated", time_json(&v[9]));
}

static void encode_delivery(json_t *out, const struct db_value *v)
{
	set(out, "id", text_json(&v[0]));
	set(out, "alert", text_json(&v[1]));
	set(out, "channel", text_json(&v[2]));
	set(out, "state", text_json(&v[3]));
	set(out, "attempts", int_json(&v[4]));
	set(out, "error", text_json(&v[5]));
	set(out, "last", time_json(&v[6]));
}

static void encode_run(json_t *out, const struct db_value *v)
{
	set(out, "run", text_json(&v[0]));
	set(out, "job", text_json(&v[1]));
	set(out, "started", time_json(&v[2]));
	set(out, "trigger", text_json(&v[3]));
	set(out, "dry_run", json_boolean(v[4].integer != 0));
	set(out, "outcome", text_json(&v[5]));
	set(out, "inserted", int_json(&v[6]));
	set(out, "updated", int_json(&v[7]));
	set(out, "closed", int_json(&v[8]));
	set(out, "skipped", int_json(&v[9]));
	set(out, "errors", tree_or(&v[10], json_array()));
	set(out, "took_ms", us_json(&v[11]));
}

static void encode_recovery(json_t *out, const struct db_value *v)
{
	set(out, "component", text_json(&v[0]));
	set(out, "action", text_json(&v[1]));
	set(out, "trigger", text_json(&v[2]));
	set(out, "outcome", text_json(&v[3]));
	set(out, "message", text_json(&v[4]));
	set(out, "took_ms", us_json(&v[5]));
}

#define WORD(table, code)  "(SELECT name FROM " table " WHERE code = " code ")"
#define COMPONENT(what, t) "(SELECT " what " FROM components WHERE id = " t ".component_id)"
#define EPOCH(what, t)     "(SELECT " what " FROM epochs WHERE id = " t ".epoch_id)"
#define OF_COMPONENT(t, column)                                                                    \
	t ".component_id IN (SELECT id FROM components WHERE " column " = ?)"
#define OF_NODE(t) t ".epoch_id IN (SELECT id FROM epochs WHERE node = ?)"

/* What belongs to a row by number is looked up in the select list, which both databases do for the
 * rows of the page only, however they find those. */
/* clang-format off */
const struct read_shape read_shapes[READ_WHAT_MAX] = {
	[READ_RESULTS] = {
		.name = "results", .letter = 'r', .is_windowed = true,
		.from = "results r", .at = "r.at", .key = {"r.epoch_id", "r.seq"},
		.node = COMPONENT("node", "r"),
		.columns = COMPONENT("name", "r") ", " WORD("statuses", "r.status") ", "
			   WORD("outcomes", "r.outcome") ", coalesce(r.reason, 'ok'), r.message,"
			   " r.took_us, (SELECT names FROM metric_sets WHERE id = r.metric_set),"
			   " r.metrics, @json{r.details}",
		.origin = EPOCH("epoch", "r") ", r.seq",
		.by_name = OF_COMPONENT("r", "name"), .by_node = OF_COMPONENT("r", "node"),
		.encode = encode_result,
	},
	[READ_TRANSITIONS] = {
		.name = "transitions", .letter = 't',
		.from = "transitions t", .at = "t.at", .key = {"t.id"},
		.node = COMPONENT("node", "t"),
		.columns = COMPONENT("name", "t") ", " WORD("statuses", "t.from_status") ", "
			   WORD("statuses", "t.to_status") ", t.reason, t.message",
		.origin = EPOCH("epoch", "t") ", t.seq",
		.by_name = OF_COMPONENT("t", "name"), .by_node = OF_COMPONENT("t", "node"),
		.encode = encode_transition,
	},
	[READ_EVENTS] = {
		.name = "events", .letter = 'e',
		.from = "events v", .at = "v.at", .key = {"v.id"}, .node = EPOCH("node", "v"),
		.columns = "v.topic, v.kind, v.severity, v.subject, v.message, @json{v.details}",
		.origin = EPOCH("epoch", "v") ", v.seq",
		.by_name = "v.subject = ?", .by_node = OF_NODE("v"),
		.encode = encode_event,
	},
	[READ_PROCESSES] = {
		.name = "processes", .letter = 'p',
		.from = "process_events p", .at = "p.at", .key = {"p.id"},
		.node = EPOCH("node", "p"),
		.columns = "p.process, p.event, p.state, p.pid, p.generation, p.restarts,"
			   " p.status_text, @json{p.last_exit}",
		.origin = EPOCH("epoch", "p") ", p.seq",
		.by_name = "p.process = ?", .by_node = OF_NODE("p"),
		.encode = encode_process,
	},
	[READ_ALERTS] = {
		.name = "alerts", .letter = 'a', .has_text_key = true,
		.from = "alerts a", .at = "a.opened_at", .key = {"a.id"}, .node = "a.node",
		.columns = "a.id, a.key, a.rule, a.severity, a.state, a.component, a.message,"
			   " @ms{a.resolved_at}, a.count, @ms{a.updated_at}",
		.by_name = "? IN (a.component, a.key, a.rule, a.id)", .by_node = "a.node = ?",
		.encode = encode_alert,
	},
	[READ_DELIVERIES] = {
		.name = "deliveries", .letter = 'd', .has_text_key = true,
		.from = "notification_deliveries d", .at = "d.first_at", .key = {"d.id"},
		.node = "(SELECT node FROM alerts WHERE id = d.alert_id)",
		.columns = "d.id, d.alert_id, d.channel, d.state, d.attempts, d.error,"
			   " @ms{d.last_at}",
		.by_name = "? IN (d.alert_id, d.channel, d.id)",
		.by_node = "d.alert_id IN (SELECT id FROM alerts WHERE node = ?)",
		.encode = encode_delivery,
	},
	[READ_RUNS] = {
		.name = "runs", .letter = 'u', .has_text_key = true,
		.from = "reconciliation_runs u", .at = "u.ended_at", .key = {"u.run"},
		.node = "u.node",
		.columns = "u.run, u.job, @ms{u.started_at}, u.trigger,"
			   " CAST(u.dry_run AS INTEGER), u.outcome, u.inserted, u.updated, u.closed,"
			   " u.skipped, @json{u.errors}, u.took_us",
		.by_name = "? IN (u.job, u.run)", .by_node = "u.node = ?",
		.encode = encode_run,
	},
	[READ_RECOVERIES] = {
		.name = "recoveries", .letter = 'c',
		.from = "recovery_attempts c", .at = "c.at", .key = {"c.id"},
		.node = EPOCH("node", "c"),
		.columns = "c.component, c.action, c.trigger, c.outcome, c.message, c.took_us",
		.origin = EPOCH("epoch", "c") ", c.seq",
		.by_name = "? IN (c.component, c.action)", .by_node = OF_NODE("c"),
		.encode = encode_recovery,
	},
};
/* clang-format on */
