/* SPDX-License-Identifier: Apache-2.0 */
#include "import_row.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/jtext.h"
#include "base/mem.h"
#include "model/frame.h"
#include "model/reason.h"
#include "model/status.h"
#include "store/metric_text.h"
#include "store/rows.h"

#define DAY_MS INT64_C(86400000)

/* clang-format off */
static const struct import_column results[] = {
	{"at", "at", IMPORT_TIME, true}, {"epoch", "epoch_id", IMPORT_EPOCH, true},
	{"seq", "seq", IMPORT_SEQ, true}, {"component", "component_id", IMPORT_COMPONENT, true},
	{"status", "status", IMPORT_STATUS, true}, {"outcome", "outcome", IMPORT_OUTCOME, true},
	{"reason", "reason", IMPORT_REASON, false}, {"message", "message", IMPORT_TEXT, false},
	{"took_ms", "took_us", IMPORT_US, false}, {"metrics", "metric_set", IMPORT_METRIC_SET, false},
	{"metrics", "metrics", IMPORT_VALUES, false}, {"details", "details", IMPORT_JSON, false},
};
static const struct import_column transitions[] = {
	{"at", "at", IMPORT_TIME, true}, {"epoch", "epoch_id", IMPORT_EPOCH, true},
	{"seq", "seq", IMPORT_SEQ, true}, {"component", "component_id", IMPORT_COMPONENT, true},
	{"from", "from_status", IMPORT_STATUS, false}, {"to", "to_status", IMPORT_STATUS, true},
	{"reason", "reason", IMPORT_TEXT, false}, {"message", "message", IMPORT_TEXT, false},
};
static const struct import_column events[] = {
	{"at", "at", IMPORT_TIME, true}, {"epoch", "epoch_id", IMPORT_EPOCH, true},
	{"seq", "seq", IMPORT_SEQ, true}, {"topic", "topic", IMPORT_TEXT, true},
	{"kind", "kind", IMPORT_TEXT, true}, {"severity", "severity", IMPORT_TEXT, true},
	{"subject", "subject", IMPORT_TEXT, false}, {"message", "message", IMPORT_TEXT, false},
	{"details", "details", IMPORT_JSON, false},
};
static const struct import_column processes[] = {
	{"at", "at", IMPORT_TIME, true}, {"epoch", "epoch_id", IMPORT_EPOCH, true},
	{"seq", "seq", IMPORT_SEQ, true}, {"process", "process", IMPORT_TEXT, true},
	{"event", "event", IMPORT_TEXT, true}, {"state", "state", IMPORT_TEXT, true},
	{"pid", "pid", IMPORT_INT, false}, {"generation", "generation", IMPORT_INT, false},
	{"restarts", "restarts", IMPORT_INT, false},
	{"status_text", "status_text", IMPORT_TEXT, false},
	{"last_exit", "last_exit", IMPORT_JSON, false},
};
static const struct import_column alerts[] = {
	{"at", "opened_at", IMPORT_TIME, true}, {"node", "node", IMPORT_TEXT, true},
	{"id", "id", IMPORT_ID, true}, {"key", "key", IMPORT_TEXT, false},
	{"rule", "rule", IMPORT_TEXT, false}, {"severity", "severity", IMPORT_TEXT, true},
	{"state", "state", IMPORT_TEXT, true}, {"component", "component", IMPORT_TEXT, false},
	{"message", "message", IMPORT_TEXT, false}, {"resolved", "resolved_at", IMPORT_TIME, false},
	{"count", "count", IMPORT_INT, true}, {"updated", "updated_at", IMPORT_TIME, true},
};
static const struct import_column deliveries[] = {
	{"at", "first_at", IMPORT_TIME, true}, {"id", "id", IMPORT_ID, true},
	{"alert", "alert_id", IMPORT_TEXT, true}, {"channel", "channel", IMPORT_TEXT, true},
	{"state", "state", IMPORT_TEXT, true}, {"attempts", "attempts", IMPORT_INT, true},
	{"error", "error", IMPORT_TEXT, false}, {"last", "last_at", IMPORT_TIME, true},
};
static const struct import_column runs[] = {
	{"at", "ended_at", IMPORT_TIME, true}, {"node", "node", IMPORT_TEXT, true},
	{"run", "run", IMPORT_ID, true}, {"job", "job", IMPORT_TEXT, true},
	{"started", "started_at", IMPORT_TIME, false}, {"trigger", "trigger", IMPORT_TEXT, false},
	{"dry_run", "dry_run", IMPORT_BOOL, true}, {"outcome", "outcome", IMPORT_TEXT, true},
	{"inserted", "inserted", IMPORT_INT, true}, {"updated", "updated", IMPORT_INT, true},
	{"closed", "closed", IMPORT_INT, true}, {"skipped", "skipped", IMPORT_INT, true},
	{"errors", "errors", IMPORT_JSON, false}, {"took_ms", "took_us", IMPORT_US, false},
};
static const struct import_column recoveries[] = {
	{"at", "at", IMPORT_TIME, true}, {"epoch", "epoch_id", IMPORT_EPOCH, true},
	{"seq", "seq", IMPORT_SEQ, true}, {"component", "component", IMPORT_TEXT, false},
	{"action", "action", IMPORT_TEXT, true}, {"trigger", "trigger", IMPORT_TEXT, false},
	{"outcome", "outcome", IMPORT_TEXT, true}, {"message", "message", IMPORT_TEXT, false},
	{"took_ms", "took_us", IMPORT_US, false},
};
static const struct import_column metrics[] = {
	{"at", "day", IMPORT_DAY, true}, {"metric", "metric_id", IMPORT_METRIC, true},
	{"component", "component_id", IMPORT_COMPONENT, true}, {"at", "slot", IMPORT_SLOT, true},
	{"count", "count", IMPORT_COUNT, true}, {"sum", "sum", IMPORT_REAL, true},
	{"min", "min", IMPORT_REAL, true}, {"max", "max", IMPORT_REAL, true},
	{"p95", "p95", IMPORT_REAL, true}, {"sketch", "sketch", IMPORT_TEXT, true},
};
static const struct import_column epochs[] = {
	{"node", "node", IMPORT_TEXT, true}, {"epoch", "epoch", IMPORT_TEXT, true},
	{"first_at", "first_at", IMPORT_TIME, false}, {"last_at", "last_at", IMPORT_TIME, false},
	{"node", "last_seq", IMPORT_ZERO, false},
};
/* clang-format on */

#define KIND(table, columns)                                                                       \
	{                                                                                          \
		table, columns, ARRAY_LEN(columns)                                                 \
	}
static const struct import_kind kinds[TRANSFER_WHAT_MAX] = {
	[READ_RESULTS] = KIND("results", results),
	[READ_TRANSITIONS] = KIND("transitions", transitions),
	[READ_EVENTS] = KIND("events", events),
	[READ_PROCESSES] = KIND("process_events", processes),
	[READ_ALERTS] = KIND("alerts", alerts),
	[READ_DELIVERIES] = KIND("notification_deliveries", deliveries),
	[READ_RUNS] = KIND("reconciliation_runs", runs),
	[READ_RECOVERIES] = KIND("recovery_attempts", recoveries),
	[TRANSFER_METRICS] = KIND(NULL, metrics),
	[TRANSFER_EPOCHS] = KIND("epochs", epochs),
};

static const struct level {
	const char *name, *table;
	int64_t step_ms;
} levels[] = {
	{"5m", "metric_rollups_5m", 300000},
	{"1h", "metric_rollups_1h", 3600000},
	{"1d", "metric_rollups_1d", DAY_MS},
};

/* ---- values ---- */

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static bool is_name(const char *text)
{
	return text != NULL && text[0] != '\0' && strlen(text) <= ROW_NAME_MAX;
}

/* As store_json writes it: jsonb sorts in its own way, and the text was sorted when it left. */
static char *json_text(const json_t *value)
{
	bool is_empty = json_object_size(value) == 0 && json_array_size(value) == 0;

	return is_empty ? NULL : json_dumps(value, JSON_WIRE_FLAGS);
}

static bool is_container(const json_t *value)
{
	return json_is_object(value) || json_is_array(value);
}

static bool take_time(const json_t *value, struct db_value *v)
{
	int64_t at_ms;

	if (!json_is_string(value) || clock_parse(json_string_value(value), &at_ms) != 0)
		return false;
	*v = DB_V_INT(at_ms);
	return at_ms >= 0;
}

static bool take_integer(const json_t *value, int64_t min, struct db_value *v)
{
	*v = DB_V_INT(json_integer_value(value));
	return json_is_integer(value) && v->integer >= min;
}

static bool take_word(const json_t *value, enum import_type type, struct db_value *v)
{
	enum status status;
	enum outcome outcome;
	const char *name = json_string_value(value);

	if (name == NULL)
		return false;
	if (type == IMPORT_STATUS && status_from_name(name, &status))
		*v = DB_V_INT(status);
	else if (type == IMPORT_OUTCOME && outcome_from_name(name, &outcome))
		*v = DB_V_INT(outcome);
	else
		return false;
	return true;
}

/* Names and values apart where they read as before (an older store has 200.0, which would become
 * 200); both columns come from the same member. */
static bool take_metrics(struct import_row *row, const json_t *value, struct db_value *v)
{
	HALE_CLEANUP(cleanup_free) char *text = NULL;
	HALE_CLEANUP(str_done) struct str again = {0};

	if (!json_is_object(value))
		return false;
	text = json_text(value);
	if (text == NULL)
		return true;
	if (!metric_text_split((struct jtext){text, strlen(text)}, &row->metric_names,
			       &row->metric_values) ||
	    !metric_text_join(str_text(&row->metric_names), row->metric_names.len,
			      str_text(&row->metric_values), row->metric_values.len, &again) ||
	    !str_eq(str_text(&again), text)) {
		str_clear(&row->metric_names);
		str_clear(&row->metric_values);
		str_add(&row->metric_values, text);
	}
	*v = db_v_text(str_text(&row->metric_values));
	return true;
}

static bool take_bucket(struct import_row *row, enum import_type type, struct db_value *v)
{
	const struct level *level = NULL;

	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		if (str_eq(levels[i].table, row->table))
			level = &levels[i];
	}
	HALE_ASSERT(level != NULL);
	*v = type == IMPORT_DAY ? DB_V_INT(row->at_ms / DAY_MS)
				: DB_V_INT(row->at_ms % DAY_MS / level->step_ms);
	return row->at_ms % level->step_ms == 0;
}

static bool take_json(const json_t *value, struct db_value *v, char **owned)
{
	if (!is_container(value))
		return false;
	*owned = json_text(value);
	*v = db_v_text(*owned);
	return true;
}

/* False: the member is not what the column holds. */
static bool take(struct import_row *row, size_t i, const json_t *value)
{
	enum import_type type = row->kind->columns[i].type;
	struct db_value *v = &row->v[i];

	switch (type) {
	case IMPORT_TEXT:
	case IMPORT_REASON:
		if (type != IMPORT_REASON ||
		    !str_eq(json_string_value(value), reason_code(REASON_OK)))
			*v = db_v_text(json_string_value(value));
		return json_is_string(value);
	case IMPORT_ID:
		*v = db_v_text(json_string_value(value));
		return is_name(json_string_value(value));
	case IMPORT_INT:
		return take_integer(value, INT64_MIN, v);
	case IMPORT_SEQ:
		return take_integer(value, 0, v);
	case IMPORT_COUNT:
		return take_integer(value, 1, v);
	case IMPORT_REAL:
		*v = DB_V_REAL(json_number_value(value));
		return json_is_number(value);
	case IMPORT_US:
		*v = DB_V_INT(llround(json_number_value(value) * 1000.0));
		return json_is_number(value) && fabs(json_number_value(value)) < 1e15;
	case IMPORT_BOOL:
		*v = DB_V_INT(json_is_true(value));
		return json_is_boolean(value);
	case IMPORT_TIME:
		return take_time(value, v);
	case IMPORT_JSON:
		return take_json(value, v, &row->owned[i]);
	case IMPORT_STATUS:
	case IMPORT_OUTCOME:
		return take_word(value, type, v);
	case IMPORT_VALUES:
		return take_metrics(row, value, v);
	case IMPORT_DAY:
	case IMPORT_SLOT:
		return take_bucket(row, type, v);
	case IMPORT_ZERO:
		*v = DB_V_INT(0);
		return true;
	case IMPORT_COMPONENT:
	case IMPORT_EPOCH:
	case IMPORT_METRIC:
		return is_name(json_string_value(value));
	case IMPORT_METRIC_SET:
		return true;
	}
	return false;
}

/* ---- a row ---- */

static int decode_columns(const json_t *object, struct import_row *row, struct err *err)
{
	for (size_t i = 0; i < row->kind->n; i++) {
		const struct import_column *c = &row->kind->columns[i];
		const json_t *value = json_object_get(object, c->member);

		row->v[i] = DB_V_NULL;
		if (value == NULL || json_is_null(value)) {
			if (c->is_required)
				return err_set(err, -EINVAL, "%s: is missing", c->member);
			continue;
		}
		if (!take(row, i, value))
			return err_set(err, -EINVAL, "%s: is not what %s have there", c->member,
				       transfer_what_name(row->what));
	}
	return 0;
}

static int read_table(const json_t *object, struct import_row *row, struct err *err)
{
	const char *level = text_of(object, "level");

	row->table = row->kind->table;
	for (size_t i = 0; i < ARRAY_LEN(levels) && row->table == NULL; i++) {
		if (str_eq(level, levels[i].name))
			row->table = levels[i].table;
	}
	return row->table != NULL ? 0 : err_set(err, -EINVAL, "level: is none of 5m, 1h, 1d");
}

int import_row_decode(const json_t *object, struct import_row *row, struct err *err)
{
	const char *what = text_of(object, "what"), *at = text_of(object, "at");
	int rc;

	row->what = what == NULL ? -1 : transfer_what_of(what);
	if (row->what < 0)
		return err_set(err, -EINVAL, "what: there are no such rows");
	row->kind = &kinds[row->what];
	rc = read_table(object, row, err);
	if (rc != 0)
		return rc;
	if (row->what != TRANSFER_EPOCHS &&
	    (at == NULL || clock_parse(at, &row->at_ms) != 0 || row->at_ms < 0))
		return err_set(err, -EINVAL, "at: is no time");
	row->node = text_of(object, "node");
	row->component = text_of(object, "component");
	row->epoch = text_of(object, "epoch");
	row->metric = text_of(object, "metric");
	row->seq = json_integer_value(json_object_get(object, "seq"));
	/* Whose delivery it is says its alert. */
	if (row->what != READ_DELIVERIES && !is_name(row->node))
		return err_set(err, -EINVAL, "node: is missing");
	return decode_columns(object, row, err);
}

void import_row_join_metrics(struct import_row *row)
{
	HALE_CLEANUP(str_done) struct str object = {0};

	(void)metric_text_join(str_text(&row->metric_names), row->metric_names.len,
			       str_text(&row->metric_values), row->metric_values.len, &object);
	str_clear(&row->metric_values);
	str_addn(&row->metric_values, str_text(&object), object.len);
	for (size_t i = 0; i < row->kind->n; i++)
		if (row->kind->columns[i].type == IMPORT_VALUES)
			row->v[i] = db_v_text(str_text(&row->metric_values));
}

void import_row_done(struct import_row *row)
{
	for (size_t i = 0; i < ARRAY_LEN(row->owned); i++)
		free(row->owned[i]);
	str_done(&row->metric_names);
	str_done(&row->metric_values);
}
