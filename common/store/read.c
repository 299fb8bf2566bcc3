/* SPDX-License-Identifier: Apache-2.0 */
#include "store_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

/* Every statement begins with the three columns of the key. */
#define KEY_COLUMNS 3

/* Where the next page begins: rows strictly before this key, newest first. */
struct key {
	int64_t at, a, b;
};

/* One kind of row: where it is read from, and how it is told. */
struct shape {
	char letter; /* of its cursors */
	const char *sql;
	const char *by_name; /* filter on component, process or subject ($7) */
	const char *order;
	void (*encode)(json_t *out, const struct db_value *v);
};

static json_t *text_json(const struct db_value *v)
{
	return v->type == DB_TEXT ? json_stringn_nocheck(v->text, v->len) : json_null();
}

static json_t *int_json(const struct db_value *v)
{
	return v->type == DB_INT ? json_integer(v->integer) : json_null();
}

static json_t *object_json(const struct db_value *v)
{
	json_t *o = v->type == DB_TEXT ? json_loadb(v->text, v->len, 0, NULL) : NULL;

	return o != NULL ? o : json_null();
}

static json_t *us_json(const struct db_value *v)
{
	return v->type == DB_INT ? json_real((double)v->integer / 1000.0) : json_null();
}

static void set(json_t *out, const char *key, json_t *value)
{
	(void)json_object_set_new(out, key, value);
}

static void encode_result(json_t *out, const struct db_value *v)
{
	set(out, "component", text_json(&v[0]));
	set(out, "status", text_json(&v[1]));
	set(out, "outcome", text_json(&v[2]));
	set(out, "reason", text_json(&v[3]));
	set(out, "message", text_json(&v[4]));
	set(out, "took_ms", us_json(&v[5]));
	set(out, "metrics", v[6].type == DB_NULL ? json_object() : object_json(&v[6]));
	set(out, "details", object_json(&v[7]));
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
	set(out, "details", v[5].type == DB_NULL ? json_object() : object_json(&v[5]));
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
	set(out, "last_exit", object_json(&v[7]));
}

/* $1 and $2 bound the time on both sides, so that a page begins with a look-up and not with a scan
 * of all pages before it; the key's tuple then cuts exactly. */
#define WHERE(t, key)     " WHERE " t ".at >= $1 AND " t ".at <= $2 AND (" key ") < ($3, $4, $5)"
#define WORD(table, code) "(SELECT name FROM " table " WHERE code = " code ")"

/* clang-format off */
static const struct shape shapes[] = {
	[READ_RESULTS] = {
		.letter = 'r',
		.sql = "SELECT r.at, r.epoch_id, r.seq,"
		       " (SELECT node FROM components WHERE id = r.component_id),"
		       " (SELECT name FROM components WHERE id = r.component_id), "
		       WORD("statuses", "r.status") ", " WORD("outcomes", "r.outcome") ","
		       " coalesce(r.reason, 'ok'), r.message, r.took_us, r.metrics, r.details"
		       " FROM results r" WHERE("r", "r.at, r.epoch_id, r.seq"),
		.by_name = " AND r.component_id IN (SELECT id FROM components WHERE name = $7)",
		.order = " ORDER BY r.at DESC, r.epoch_id DESC, r.seq DESC LIMIT $6",
		.encode = encode_result,
	},
	[READ_TRANSITIONS] = {
		.letter = 't',
		.sql = "SELECT t.at, t.id, 0,"
		       " (SELECT node FROM components WHERE id = t.component_id),"
		       " (SELECT name FROM components WHERE id = t.component_id), "
		       WORD("statuses", "t.from_status") ", " WORD("statuses", "t.to_status") ","
		       " t.reason, t.message"
		       " FROM transitions t" WHERE("t", "t.at, t.id, 0"),
		.by_name = " AND t.component_id IN (SELECT id FROM components WHERE name = $7)",
		.order = " ORDER BY t.at DESC, t.id DESC LIMIT $6",
		.encode = encode_transition,
	},
	[READ_EVENTS] = {
		.letter = 'e',
		.sql = "SELECT v.at, v.id, 0, (SELECT node FROM epochs WHERE id = v.epoch_id),"
		       " v.topic, v.kind, v.severity, v.subject, v.message, v.details"
		       " FROM events v" WHERE("v", "v.at, v.id, 0"),
		.by_name = " AND v.subject = $7",
		.order = " ORDER BY v.at DESC, v.id DESC LIMIT $6",
		.encode = encode_event,
	},
	[READ_PROCESSES] = {
		.letter = 'p',
		.sql = "SELECT p.at, p.id, 0, (SELECT node FROM epochs WHERE id = p.epoch_id),"
		       " p.process, p.event, p.state, p.pid, p.generation, p.restarts,"
		       " p.status_text, p.last_exit"
		       " FROM process_events p" WHERE("p", "p.at, p.id, 0"),
		.by_name = " AND p.process = $7",
		.order = " ORDER BY p.at DESC, p.id DESC LIMIT $6",
		.encode = encode_process,
	},
};
/* clang-format on */

/* --- cursors: "<letter><at>-<a>-<b>" --- */

static char *cursor_format(char letter, const struct key *key)
{
	return mem_printf("%c%lld-%lld-%lld", letter, (long long)key->at, (long long)key->a,
			  (long long)key->b);
}

static int cursor_parse(const char *text, char letter, struct key *key_r, struct err *err)
{
	int64_t parts[3];
	const char *p = text;
	char *end = NULL;

	if (*p++ != letter)
		return err_set(err, -EINVAL, "cursor '%s': is not one of this list", text);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++, p = end + 1) {
		errno = 0;
		parts[i] = *p >= '0' && *p <= '9' ? strtoll(p, &end, 10) : -1;
		if (parts[i] < 0 || errno != 0 || *end != (i < 2 ? '-' : '\0'))
			return err_set(err, -EINVAL, "cursor '%s': was not given out by us", text);
	}
	*key_r = (struct key){parts[0], parts[1], parts[2]};
	return 0;
}

/* --- reading --- */

struct reader {
	const struct shape *shape;
	size_t limit;
	json_t *rows;
	struct key last;
	bool has_more;
};

static bool on_row(void *ctx, const struct db_row *row)
{
	struct reader *r = ctx;
	const struct db_value *v = row->values;
	char text[CLOCK_TEXT_MAX];
	json_t *out;

	if (json_array_size(r->rows) == r->limit) {
		r->has_more = true;
		return false;
	}
	r->last = (struct key){v[0].integer, v[1].integer, v[2].integer};
	out = json_object();
	set(out, "at", json_string(clock_format(v[0].integer, text)));
	set(out, "node", text_json(&v[KEY_COLUMNS]));
	r->shape->encode(out, v + KEY_COLUMNS + 1);
	(void)json_array_append_new(r->rows, out);
	return true;
}

static int run(struct store *h, const struct read_query *q, struct reader *r,
	       const struct key *before, struct err *err)
{
	HALE_CLEANUP(str_done) struct str sql = {0};
	int64_t to = q->to_ms > 0 ? q->to_ms - 1 : INT64_MAX;
	struct db_value args[] = {
		DB_V_INT(q->from_ms), DB_V_INT(HALE_MIN(to, before->at)),
		DB_V_INT(before->at), DB_V_INT(before->a),
		DB_V_INT(before->b),  DB_V_INT((int64_t)r->limit + 1),
		db_v_text(q->name),
	};

	str_add(&sql, r->shape->sql);
	if (q->name != NULL)
		str_add(&sql, r->shape->by_name);
	str_add(&sql, r->shape->order);
	return db_query(h->db, str_text(&sql), args, ARRAY_LEN(args) - (q->name == NULL), on_row, r,
			err);
}

static json_t *answer(struct reader *r)
{
	HALE_CLEANUP(cleanup_free)
	char *cursor = r->has_more ? cursor_format(r->shape->letter, &r->last) : NULL;
	json_t *out = json_object();

	set(out, "rows", TAKE_PTR(r->rows));
	set(out, "truncated", json_boolean(r->has_more));
	set(out, "cursor", cursor != NULL ? json_string(cursor) : json_null());
	return out;
}

int read_rows(struct store *h, const struct read_query *q, json_t **out_r, struct err *err)
{
	size_t limit = q->limit > 0 ? q->limit : READ_ROWS_DEFAULT;
	struct key before = {INT64_MAX, INT64_MAX, INT64_MAX};
	struct reader r = {.shape = &shapes[q->what], .limit = HALE_MIN(limit, READ_ROWS_MAX)};
	int rc = 0;

	HALE_ASSERT((size_t)q->what < ARRAY_LEN(shapes));
	if (q->cursor != NULL)
		rc = cursor_parse(q->cursor, r.shape->letter, &before, err);
	if (rc != 0)
		return rc;
	r.rows = json_array();
	rc = run(h, q, &r, &before, err);
	if (rc == 0)
		*out_r = answer(&r);
	json_decref(r.rows);
	return rc;
}
