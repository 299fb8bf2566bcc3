/* SPDX-License-Identifier: Apache-2.0 */
/* What the outbox tells people: alerts, deliveries, counts. */
#include "outbox.h"

#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "outbox_private.h"

#define DELIVERY_COLUMNS                                                                           \
	"SELECT id, alert, channel, rule, event, status, attempts, created_ms, done_ms, next_ms,"  \
	" error, text FROM messages "

static json_t *text_json(const struct db_value *v)
{
	return v->type == DB_TEXT ? json_stringn(v->text, v->len) : json_null();
}

static json_t *time_json(const struct db_value *v)
{
	char text[CLOCK_TEXT_MAX];

	return v->type == DB_INT ? json_string(clock_format(v->integer, text)) : json_null();
}

static bool add_body(void *ctx, const struct db_row *row)
{
	json_t *alert =
		json_loadb(row->values[0].text, row->values[0].len, JSON_REJECT_DUPLICATES, NULL);

	if (alert)
		json_array_append_new(ctx, alert);
	return true;
}

static bool add_delivery(void *ctx, const struct db_row *row)
{
	const struct db_value *v = row->values;
	bool is_done = v[8].type == DB_INT;

	json_array_append_new(
		ctx, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o}", "id",
			       text_json(&v[0]), "alert", text_json(&v[1]), "channel",
			       text_json(&v[2]), "rule", text_json(&v[3]), "event",
			       text_json(&v[4]), "status", text_json(&v[5]), "attempts",
			       (json_int_t)v[6].integer, "created", time_json(&v[7]), "finished",
			       time_json(&v[8]), "next", is_done ? json_null() : time_json(&v[9]),
			       "error", text_json(&v[10]), "text", text_json(&v[11])));
	return true;
}

static bool add_attempt(void *ctx, const struct db_row *row)
{
	const struct db_value *v = row->values;

	json_array_append_new(
		ctx,
		json_pack("{s:o, s:I, s:o, s:o, s:o, s:o, s:o}", "delivery", text_json(&v[0]),
			  "attempt", (json_int_t)v[1].integer, "at", time_json(&v[2]), "took_ms",
			  v[3].type == DB_INT ? json_integer(v[3].integer) : json_null(), "status",
			  text_json(&v[4]), "http_status",
			  v[5].type == DB_INT ? json_integer(v[5].integer) : json_null(), "error",
			  text_json(&v[6])));
	return true;
}

static json_t *list(struct outbox *o, const char *sql, const struct db_value *args, size_t n,
		    db_row_fn add, struct err *err)
{
	json_t *rows = json_array();

	if (db_query(outbox_db(o), sql, args, n, add, rows, err) < 0) {
		json_decref(rows);
		return NULL;
	}
	return rows;
}

static int64_t bounded(int64_t limit)
{
	return limit < 1 || limit > OUTBOX_LIST_MAX ? OUTBOX_LIST_MAX : limit;
}

/* The only element, or null. Takes the list. */
static json_t *only(json_t *rows)
{
	json_t *first = json_incref(json_array_get(rows, 0));

	if (!rows)
		return NULL;
	json_decref(rows);
	return first ? first : json_null();
}

json_t *outbox_alerts(struct outbox *o, const char *state, int64_t limit, struct err *err)
{
	struct db_value args[] = {db_v_text(state), DB_V_INT(bounded(limit))};

	return list(o,
		    "SELECT body FROM alerts WHERE $1 = 'all' OR state = $1"
		    " ORDER BY seq DESC LIMIT $2",
		    args, ARRAY_LEN(args), add_body, err);
}

json_t *outbox_alert(struct outbox *o, const char *id, struct err *err)
{
	struct db_value args[] = {db_v_text(id)};
	json_t *alert =
		only(list(o, "SELECT body FROM alerts WHERE id = $1", args, 1, add_body, err));
	json_t *deliveries, *attempts;

	if (!json_is_object(alert))
		return alert;
	deliveries = list(o, DELIVERY_COLUMNS "WHERE alert = $1 ORDER BY seq", args, 1,
			  add_delivery, err);
	attempts = list(o,
			"SELECT m.id, a.n, a.at_ms, a.took_ms, a.outcome, a.http_status, a.error"
			" FROM attempts AS a JOIN messages AS m ON m.seq = a.message"
			" WHERE m.alert = $1 ORDER BY a.message, a.n LIMIT 1000",
			args, 1, add_attempt, err);
	if (!deliveries || !attempts) {
		json_decref(deliveries);
		json_decref(attempts);
		json_decref(alert);
		return NULL;
	}
	json_object_set_new(alert, "deliveries", deliveries);
	json_object_set_new(alert, "attempts", attempts);
	return alert;
}

json_t *outbox_deliveries(struct outbox *o, int64_t limit, struct err *err)
{
	struct db_value args[] = {DB_V_INT(bounded(limit))};

	return list(o, DELIVERY_COLUMNS "ORDER BY seq DESC LIMIT $1", args, 1, add_delivery, err);
}

static bool add_subject(void *ctx, const struct db_row *row)
{
	const struct db_value *v = row->values;
	json_t *alert = v[2].type == DB_TEXT
				? json_loadb(v[2].text, v[2].len, JSON_REJECT_DUPLICATES, NULL)
				: NULL;

	json_array_append_new(ctx, json_pack("{s:o, s:{s:o, s:o}}", "alert",
					     alert ? alert : json_null(), "delivery", "id",
					     text_json(&v[0]), "channel", text_json(&v[1])));
	return false;
}

json_t *outbox_subject(struct outbox *o, int64_t seq, struct err *err)
{
	struct db_value args[] = {DB_V_INT(seq)};

	return only(list(o,
			 "SELECT m.id, m.channel, a.body FROM messages AS m"
			 " LEFT JOIN alerts AS a ON a.id = m.alert WHERE m.seq = $1",
			 args, ARRAY_LEN(args), add_subject, err));
}

static bool read_counts(void *ctx, const struct db_row *row)
{
	struct outbox_counts *c = ctx;

	*c = (struct outbox_counts){row->values[0].integer, row->values[1].integer,
				    row->values[2].integer, row->values[3].integer};
	return false;
}

int outbox_count(struct outbox *o, struct outbox_counts *c_r, struct err *err)
{
	return db_query(outbox_db(o),
			"SELECT (SELECT count(*) FROM messages WHERE done_ms IS NULL),"
			" (SELECT count(*) FROM messages WHERE status = 'sent'),"
			" (SELECT count(*) FROM messages WHERE status = 'failed'),"
			" (SELECT count(*) FROM alerts WHERE state = 'open')",
			NULL, 0, read_counts, c_r, err);
}
