/* SPDX-License-Identifier: Apache-2.0 */
#include "rows_private.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "model/component.h"
#include "model/frame.h"
#include "model/reason.h"
#include "store/metric_text.h"

/* --- small readers --- */

static struct row_text text_of(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);

	if (!json_is_string(v))
		return ROW_NO_TEXT;
	return (struct row_text){json_string_value(v), json_string_length(v)};
}

static bool is_text(struct row_text t, const char *text)
{
	return t.text != NULL && strcmp(t.text, text) == 0;
}

/* -1: none. */
static int64_t int_of(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);

	return json_is_integer(v) ? json_integer_value(v) : -1;
}

static int64_t count_of(const json_t *object, const char *key)
{
	return HALE_MAX(int_of(object, key), 0);
}

static int64_t us_of(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);
	double ms = json_is_number(v) ? json_number_value(v) : -1;

	return ms >= 0 && ms < (double)(INT64_MAX / 2000) ? llround(ms * 1000.0) : -1;
}

static int64_t time_of(const json_t *object, const char *key, int64_t otherwise)
{
	struct row_text text = text_of(object, key);
	int64_t ms;

	return text.text != NULL && clock_parse(text.text, &ms) == 0 ? ms : otherwise;
}

static int status_of(const json_t *object, const char *key)
{
	struct row_text name = text_of(object, key);
	enum status s;

	return name.text != NULL && status_from_name(name.text, &s) ? (int)s : -1;
}

static int outcome_of(const json_t *object, const char *key)
{
	struct row_text name = text_of(object, key);
	enum outcome o;

	return name.text != NULL && outcome_from_name(name.text, &o) ? (int)o : -1;
}

/* JSON text of a list or an object that is not empty. */
static struct row_text json_of(const json_t *value, struct str *buf)
{
	char *text;

	str_clear(buf);
	if (json_object_size(value) == 0 && json_array_size(value) == 0)
		return ROW_NO_TEXT;
	text = json_dumps(value, JSON_WIRE_FLAGS);
	if (text != NULL)
		rows_keep_object(buf, text, strlen(text));
	free(text);
	return (struct row_text){buf->data, buf->len};
}

static struct row_component component_of(const struct rows_reading *g, struct row_text name,
					 const json_t *state)
{
	return (struct row_component){
		.node = g->node,
		.name = name,
		.kind = text_of(state, "kind"),
		.label = text_of(state, "label"),
	};
}

/* --- health --- */

static int tell_result(struct rows_reading *g, const struct row_component *component,
		       const json_t *state)
{
	struct row_text reason = text_of(state, "reason");
	struct row_text object = json_of(json_object_get(state, "metrics"), &g->metric_object);
	struct row_result row = {
		.component = *component,
		.at_ms = g->at_ms,
		.status = status_of(state, "status"),
		.outcome = outcome_of(state, "outcome"),
		.reason = is_text(reason, reason_code(REASON_OK)) ? ROW_NO_TEXT : reason,
		.message = text_of(state, "message"),
		.details = json_of(json_object_get(state, "details"), &g->details),
		.took_us = us_of(state, "took_ms"),
		.metrics = object,
	};

	str_clear(&g->metric_names);
	str_clear(&g->metrics);
	if (object.text != NULL && metric_text_split((struct jtext){object.text, object.len},
						     &g->metric_names, &g->metrics)) {
		row.metric_names = (struct row_text){g->metric_names.data, g->metric_names.len};
		row.metrics = (struct row_text){g->metrics.data, g->metrics.len};
	}
	return g->sink->result(g->ctx, &row);
}

static int tell_state(struct rows_reading *g, const struct row_component *component,
		      const json_t *state, bool is_removed)
{
	const struct row_state row = {
		.component = *component,
		.at_ms = g->at_ms,
		.status = status_of(state, "status"),
		.since_ms = time_of(state, "since", -1),
		.last_check_ms = time_of(state, "last_check", -1),
		.last_success_ms = time_of(state, "last_success", -1),
		.consecutive_failures = count_of(state, "consecutive_failures"),
		.error_count = count_of(state, "error_count"),
		.recovery_attempts = count_of(state, "recovery_attempts"),
		.last_error = text_of(state, "last_error"),
		.reason = text_of(state, "reason"),
		.message = text_of(state, "message"),
		.metrics = json_of(json_object_get(state, "metrics"), &g->metric_object),
		.details = json_of(json_object_get(state, "details"), &g->details),
		.took_us = us_of(state, "took_ms"),
		.is_removed = is_removed,
	};

	return g->sink->state(g->ctx, &row);
}

/* The total's change, with what changed it as its message. */
static int tell_overall(struct rows_reading *g, struct row_text component, struct row_text status)
{
	const json_t *overall = json_object_get(g->object, "overall");
	char cause[ROW_NAME_MAX + 32];
	struct row_transition row = {
		.component = {.node = g->node, .name = row_text_of(COMPONENT_OVERALL)},
		.at_ms = g->at_ms,
		.from_status = status_of(overall, "previous"),
		.to_status = status_of(overall, "status"),
	};

	if (!json_is_true(json_object_get(overall, "transition")) || row.to_status < 0)
		return 0;
	(void)snprintf(cause, sizeof(cause), "%s is %s", component.text, status.text);
	row.message = row_text_of(cause);
	return g->sink->transition(g->ctx, &row);
}

static int tell_transition(struct rows_reading *g, const struct row_component *component,
			   const json_t *state)
{
	const struct row_transition row = {
		.component = *component,
		.at_ms = g->at_ms,
		.from_status = status_of(g->object, "previous"),
		.to_status = status_of(state, "status"),
		.reason = text_of(state, "reason"),
		.message = text_of(state, "message"),
	};

	return g->sink->transition(g->ctx, &row);
}

#define REMOVED "Removed from the configuration"

/* It has no status any more; without this its last one would count for ever. */
static int tell_removed(struct rows_reading *g, const struct row_component *component,
			const json_t *state)
{
	const struct row_transition row = {
		.component = *component,
		.at_ms = g->at_ms,
		.from_status = status_of(state, "status"),
		.to_status = STATUS_UNKNOWN,
		.message = row_text_of(REMOVED),
	};

	return row.from_status == STATUS_UNKNOWN ? 0 : g->sink->transition(g->ctx, &row);
}

static int read_health(struct rows_reading *g)
{
	const json_t *state = json_object_get(g->object, "state");
	struct row_component component = component_of(g, text_of(g->object, "component"), state);
	bool is_removed = json_is_true(json_object_get(g->object, "removed"));
	/* Without a new observation the state repeats the last one, which has its row already. */
	bool has_result = outcome_of(state, "outcome") >= 0 && !is_removed &&
			  !json_is_true(json_object_get(g->object, "no_data"));
	int rc = 0;

	if (!row_is_name(component.name) || status_of(state, "status") < 0)
		return ROWS_NOT_UNDERSTOOD;
	if (has_result)
		rc = tell_result(g, &component, state);
	if (rc == 0 && json_is_true(json_object_get(g->object, "transition")))
		rc = tell_transition(g, &component, state);
	if (rc == 0 && is_removed)
		rc = tell_removed(g, &component, state);
	if (rc == 0)
		rc = tell_overall(g, component.name, text_of(state, "status"));
	if (rc == 0)
		rc = tell_state(g, &component, state, is_removed);
	return rc;
}

/* --- process, events --- */

static int read_process(struct rows_reading *g)
{
	const json_t *state = json_object_get(g->object, "state");
	struct row_text event = text_of(g->object, "event");
	const struct row_process row = {
		.node = g->node,
		.process = text_of(state, "name"),
		.event = event,
		.state = text_of(state, "state"),
		.status_text = text_of(state, "status_text"),
		.last_exit = is_text(event, "exit")
				     ? json_of(json_object_get(state, "last_exit"), &g->details)
				     : ROW_NO_TEXT,
		.at_ms = g->at_ms,
		.pid = int_of(state, "pid"),
		.generation = int_of(state, "generation"),
		.restarts = int_of(state, "restarts"),
	};

	if (event.text == NULL || !row_is_name(row.process) || row.state.text == NULL)
		return ROWS_NOT_UNDERSTOOD;
	return g->sink->process(g->ctx, &row);
}

static int tell_event(struct rows_reading *g, struct row_event *row, const json_t *details)
{
	if (row->kind.text == NULL || row->severity.text == NULL)
		return ROWS_NOT_UNDERSTOOD;
	row->node = g->node;
	row->topic = row_text_of(g->line->topic);
	row->at_ms = g->at_ms;
	row->details = json_of(details, &g->details);
	return g->sink->event(g->ctx, row);
}

/* With the line as details, without what has columns of its own. */
static int tell_rest(struct rows_reading *g, struct row_event *row)
{
	json_t *rest = json_copy((json_t *)g->object);
	int rc;

	(void)json_object_del(rest, "at");
	(void)json_object_del(rest, "node");
	/* A dry run's plan may be as long as its table. */
	(void)json_object_del(rest, "plan");
	rc = tell_event(g, row, rest);
	json_decref(rest);
	return rc;
}

/* What an event of haled tells of recovery, beside itself. */
static int tell_event_recovery(struct rows_reading *g, const struct row_event *event)
{
	struct row_recovery row = {
		.node = g->node,
		.component = event->subject,
		.message = event->message,
		.at_ms = g->at_ms,
		.took_us = -1,
	};

	if (is_text(event->kind, "on_failing")) {
		row.action = event->kind;
		row.trigger = row_text_of("crash_loop");
		row.outcome = row_text_of(is_text(event->severity, "critical") ? "failed" : "done");
	} else if (str_starts(event->kind.text, "check_restart")) {
		row.component = text_of(json_object_get(g->object, "details"), "component");
		row.action = row_text_of("restart");
		row.trigger = row_text_of("check");
		row.outcome =
			row_text_of(is_text(event->kind, "check_restart") ? "done" : "refused");
	} else {
		return 0;
	}
	return g->sink->recovery(g->ctx, &row);
}

static int read_event(struct rows_reading *g)
{
	struct row_event row = {
		.kind = text_of(g->object, "kind"),
		.severity = text_of(g->object, "severity"),
		.subject = text_of(g->object, "subject"),
		.message = text_of(g->object, "message"),
	};
	int rc = tell_event(g, &row, json_object_get(g->object, "details"));

	return rc != 0 ? rc : tell_event_recovery(g, &row);
}

/* --- alerts --- */

static int tell_alert(struct rows_reading *g, const json_t *alert)
{
	const struct row_alert row = {
		.node = g->node,
		.id = text_of(alert, "id"),
		.key = text_of(alert, "key"),
		.rule = text_of(alert, "rule"),
		.severity = text_of(alert, "severity"),
		.state = text_of(alert, "state"),
		.component = text_of(alert, "component"),
		.message = text_of(alert, "message"),
		.at_ms = g->at_ms,
		.opened_ms = time_of(alert, "opened", g->at_ms),
		.resolved_ms = time_of(alert, "resolved", -1),
		.count = HALE_MAX(int_of(alert, "count"), 1),
	};

	if (!row_is_name(row.id) || row.severity.text == NULL || row.state.text == NULL)
		return 0;
	return g->sink->alert(g->ctx, &row);
}

static int tell_delivery(struct rows_reading *g, const json_t *alert, const json_t *delivery)
{
	const struct row_delivery row = {
		.id = text_of(delivery, "id"),
		.alert_id = text_of(alert, "id"),
		.channel = text_of(delivery, "channel"),
		.state = text_of(delivery, "status"),
		.error = text_of(delivery, "error"),
		.at_ms = g->at_ms,
		.attempt = HALE_MAX(int_of(delivery, "attempt"), 1),
	};

	if (!row_is_name(row.id) || !row_is_name(row.alert_id) || !row_is_name(row.channel) ||
	    row.state.text == NULL)
		return 0;
	return g->sink->delivery(g->ctx, &row);
}

static int read_alert(struct rows_reading *g)
{
	const json_t *alert = json_object_get(g->object, "alert");
	struct row_text component = text_of(alert, "component");
	struct row_event row = {
		.kind = text_of(g->object, "event"),
		.severity = text_of(alert, "severity"),
		.subject = component.text != NULL ? component : text_of(alert, "key"),
		.message = text_of(alert, "message"),
	};
	int rc = tell_rest(g, &row);

	if (rc == 0)
		rc = tell_alert(g, alert);
	if (rc == 0)
		rc = tell_delivery(g, alert, json_object_get(g->object, "delivery"));
	return rc;
}

/* --- reconcile, action --- */

static struct row_text severity_of(struct row_text outcome)
{
	return row_text_of(is_text(outcome, "done") ? "info" : "warning");
}

static int tell_run(struct rows_reading *g, struct row_text outcome)
{
	const struct row_run row = {
		.node = g->node,
		.run = text_of(g->object, "run"),
		.job = text_of(g->object, "job"),
		.trigger = text_of(g->object, "trigger"),
		.outcome = outcome,
		.errors = json_of(json_object_get(g->object, "errors"), &g->other),
		.ended_ms = g->at_ms,
		.inserted = count_of(g->object, "inserted"),
		.updated = count_of(g->object, "updated"),
		.closed = count_of(g->object, "closed"),
		.skipped = count_of(g->object, "skipped"),
		.took_us = us_of(g->object, "took_ms"),
		.started_ms = g->at_ms - HALE_MAX(us_of(g->object, "took_ms"), 0) / 1000,
		.is_dry = json_is_true(json_object_get(g->object, "dry_run")),
	};

	if (!row_is_name(row.run) || !row_is_name(row.job))
		return 0;
	return g->sink->run(g->ctx, &row);
}

static int read_reconcile(struct rows_reading *g)
{
	struct row_text outcome = text_of(g->object, "outcome");
	const json_t *errors = json_object_get(g->object, "errors");
	const char *first = json_string_value(json_array_get(errors, 0));
	char counts[160];
	struct row_event row = {
		.kind = outcome,
		.severity = severity_of(outcome),
		.subject = text_of(g->object, "job"),
		.message = row_text_of(first),
	};
	int rc;

	if (first == NULL) {
		(void)snprintf(counts, sizeof(counts),
			       "%" PRId64 " inserted, %" PRId64 " updated, %" PRId64 " closed",
			       count_of(g->object, "inserted"), count_of(g->object, "updated"),
			       count_of(g->object, "closed"));
		row.message = row_text_of(counts);
	}
	rc = tell_rest(g, &row);
	return rc != 0 ? rc : tell_run(g, outcome);
}

static int read_action(struct rows_reading *g)
{
	struct row_text outcome = text_of(g->object, "outcome");
	struct row_event row = {
		.kind = outcome,
		.severity = severity_of(outcome),
		.subject = text_of(g->object, "action"),
		.message = text_of(g->object, "message"),
	};
	const struct row_recovery recovery = {
		.node = g->node,
		.action = row.subject,
		.trigger = text_of(g->object, "trigger"),
		.outcome = outcome,
		.message = row.message,
		.at_ms = g->at_ms,
		.took_us = us_of(g->object, "took_ms"),
	};
	int rc = tell_rest(g, &row);

	return rc != 0 || !row_is_name(recovery.action) ? rc : g->sink->recovery(g->ctx, &recovery);
}

/* --- snapshot: what stands in for lines that were lost --- */

static int tell_standing(struct rows_reading *g, const struct row_component *component,
			 const json_t *state)
{
	const struct row_transition row = {
		.component = *component,
		/* The change happened when the status began, not when we heard of it. */
		.at_ms = time_of(state, "since", g->at_ms),
		.from_status = -1,
		.to_status = status_of(state, "status"),
		.reason = text_of(state, "reason"),
		.message = text_of(state, "message"),
	};

	if (!row_is_name(component->name) || row.to_status < 0)
		return 0;
	return g->sink->standing(g->ctx, &row);
}

/* That they were removed was among the lines that were lost. */
static int tell_vanished(struct rows_reading *g)
{
	const struct row_transition row = {
		.component = {.node = g->node},
		.at_ms = g->at_ms,
		.from_status = -1,
		.to_status = STATUS_UNKNOWN,
		.message = row_text_of(REMOVED),
	};

	return g->sink->vanished(g->ctx, &row);
}

static int read_snapshot(struct rows_reading *g)
{
	const json_t *components = json_object_get(g->object, "components"), *state;
	struct row_component overall = component_of(g, row_text_of(COMPONENT_OVERALL), NULL);
	size_t i;
	int rc;

	json_array_foreach ((json_t *)components, i, state) {
		struct row_component component = component_of(g, text_of(state, "id"), state);

		rc = tell_standing(g, &component, state);
		if (rc == 0 && row_is_name(component.name) && status_of(state, "status") >= 0)
			rc = tell_state(g, &component, state, false);
		if (rc != 0)
			return rc;
	}
	rc = json_is_array(components) ? tell_vanished(g) : 0;
	return rc != 0 ? rc : tell_standing(g, &overall, g->object);
}

static const struct {
	const char *topic;
	int (*read)(struct rows_reading *g);
} topics[] = {
	{TOPIC_HEALTH, read_health},
	{TOPIC_PROCESS, read_process},
	{TOPIC_EVENT, read_event},
	{TOPIC_ALERT, read_alert},
	{TOPIC_RECONCILE, read_reconcile},
	{TOPIC_ACTION, read_action},
	{STORE_TOPIC_SNAPSHOT, read_snapshot},
};

int rows_read_tree(struct rows_reading *g)
{
	struct row_text at = text_of(g->object, "at");

	g->node = text_of(g->object, "node");
	if (!row_is_name(g->node) || at.text == NULL || clock_parse(at.text, &g->at_ms) != 0)
		return ROWS_NOT_UNDERSTOOD;
	for (size_t i = 0; i < ARRAY_LEN(topics); i++)
		if (strcmp(topics[i].topic, g->line->topic) == 0)
			return topics[i].read(g);
	return ROWS_NOT_UNDERSTOOD;
}
