/* SPDX-License-Identifier: Apache-2.0 */
#include "outbox.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/frame.h"
#include "outbox_private.h"

#define BUSY_TIMEOUT_MS 2000 /* somebody looks into the file with sqlite3(1) */
#define SCHEMA_VERSION  1

struct outbox {
	struct db *db;
};

/* NORMAL: a killed process loses nothing; a power cut may take the last commits, and the bus gives
 * the lines behind them again. */
static const char pragmas[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
			      "PRAGMA journal_size_limit = 16777216;";

static const char schema[] =
	"CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE cursor (one INTEGER PRIMARY KEY CHECK (one = 1), epoch TEXT NOT NULL,"
	"  seq INTEGER NOT NULL);"
	"CREATE TABLE alerts (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
	"  state TEXT NOT NULL, changed_ms INTEGER NOT NULL, body TEXT NOT NULL);"
	"CREATE INDEX alerts_state ON alerts (state, seq);"
	"CREATE TABLE messages (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
	"  alert TEXT NOT NULL, key TEXT NOT NULL, channel TEXT NOT NULL, rule TEXT NOT NULL,"
	"  event TEXT NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL, payload TEXT NOT NULL,"
	"  status TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, created_ms INTEGER NOT NULL,"
	"  next_ms INTEGER NOT NULL, give_up_ms INTEGER NOT NULL, done_ms INTEGER, error TEXT);"
	"CREATE INDEX messages_waiting ON messages (channel, key, seq) WHERE done_ms IS NULL;"
	"CREATE INDEX messages_order ON messages (channel, seq) WHERE done_ms IS NULL;"
	"CREATE INDEX messages_all_waiting ON messages (seq) WHERE done_ms IS NULL;"
	"CREATE INDEX messages_alert ON messages (alert);"
	"CREATE INDEX messages_status ON messages (status);"
	"CREATE INDEX messages_done ON messages (done_ms) WHERE done_ms IS NOT NULL;"
	"CREATE TABLE attempts (message INTEGER NOT NULL, n INTEGER NOT NULL, channel TEXT NOT "
	"NULL,"
	"  at_ms INTEGER NOT NULL, took_ms INTEGER, outcome TEXT, http_status INTEGER, error TEXT,"
	"  PRIMARY KEY (message, n)) WITHOUT ROWID;"
	"CREATE INDEX attempts_recent ON attempts (channel, at_ms);"
	"PRAGMA user_version = 1;";

static const char *const verdict_names[] = {
	[OUTBOX_SENT] = "sent", [OUTBOX_RETRY] = "retrying", [OUTBOX_FAILED] = "failed"};

/* ---- reading ---- */

struct db *outbox_db(struct outbox *o)
{
	return o->db;
}

static bool read_number(void *ctx, const struct db_row *row)
{
	if (row->values[0].type == DB_INT)
		*(int64_t *)ctx = row->values[0].integer;
	return false;
}

static int query_number(struct outbox *o, const char *sql, const struct db_value *args, size_t n,
			int64_t *number_r, struct err *err)
{
	return db_query(o->db, sql, args, n, read_number, number_r, err);
}

static const char *text_of(const struct db_value *v)
{
	return v->type == DB_TEXT ? v->text : "";
}

static json_t *json_of(const struct db_value *v)
{
	return v->type == DB_TEXT ? json_loadb(v->text, v->len, JSON_REJECT_DUPLICATES, NULL)
				  : NULL;
}

int outbox_open(const char *path, struct outbox **o_r, struct err *err)
{
	struct db_target target = {
		.engine = DB_SQLITE, .where = path, .timeout_ms = BUSY_TIMEOUT_MS};
	struct outbox *o = mem_alloc(sizeof(*o));
	int64_t version = 0;
	int rc = db_open(&target, &o->db, err);

	if (rc == 0)
		rc = db_script(o->db, pragmas, err);
	if (rc == 0)
		rc = query_number(o, "PRAGMA user_version", NULL, 0, &version, err);
	if (rc == 0 && version > SCHEMA_VERSION)
		rc = err_set(err, -EINVAL, "%s: written by a newer hale (version %lld)", path,
			     (long long)version);
	if (rc == 0 && version == 0) {
		rc = db_begin(o->db, err);
		if (rc == 0)
			rc = db_script(o->db, schema, err);
		if (rc == 0)
			rc = db_commit(o->db, err);
	}
	if (rc < 0) {
		outbox_close(o);
		return rc;
	}
	*o_r = o;
	return 0;
}

void outbox_close(struct outbox *o)
{
	if (!o)
		return;
	db_close(o->db);
	free(o);
}

static bool load_value(void *ctx, const struct db_row *row)
{
	json_t *value = json_of(&row->values[1]);

	/* A value that this version cannot read costs one slot its memory, not the start. */
	if (value)
		(void)engine_load(ctx, text_of(&row->values[0]), value);
	json_decref(value);
	return true;
}

static bool load_cursor(void *ctx, const struct db_row *row)
{
	struct feed_cursor *cursor = ctx;

	(void)snprintf(cursor->epoch, sizeof(cursor->epoch), "%s", text_of(&row->values[0]));
	cursor->seq = (uint64_t)row->values[1].integer;
	return false;
}

int outbox_load(struct outbox *o, struct engine *e, struct feed_cursor *cursor_r, struct err *err)
{
	struct feed_cursor cursor = {0};
	int rc = db_query(o->db, "SELECT key, value FROM state", NULL, 0, load_value, e, err);

	if (rc == 0)
		rc = db_query(o->db, "SELECT epoch, seq FROM cursor", NULL, 0, load_cursor, &cursor,
			      err);
	if (rc == 0)
		*cursor_r = cursor;
	return rc;
}

/* ---- the batch ---- */

struct saving {
	struct db *db;
	struct err *err;
};

static int save_value(void *ctx, const char *key, const json_t *value)
{
	struct saving *s = ctx;
	struct db_value args[2] = {db_v_text(key)};
	char *text;
	int rc;

	if (!value)
		return db_run(s->db, "DELETE FROM state WHERE key = $1", args, 1, NULL, s->err);
	text = json_dumps(value, JSON_WIRE_FLAGS);
	args[1] = db_v_text(text);
	rc = db_run(s->db,
		    "INSERT INTO state (key, value) VALUES ($1, $2)"
		    " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
		    args, 2, NULL, s->err);
	free(text);
	return rc;
}

static int save_cursor(struct outbox *o, const struct feed_cursor *c, struct err *err)
{
	struct db_value args[] = {db_v_text(c->epoch), DB_V_INT((int64_t)c->seq)};

	return db_run(o->db,
		      "INSERT INTO cursor (one, epoch, seq) VALUES (1, $1, $2)"
		      " ON CONFLICT (one) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq",
		      args, ARRAY_LEN(args), NULL, err);
}

static int save_alert(struct outbox *o, const struct effect *fx, struct err *err)
{
	char *body = json_dumps(fx->alert, JSON_WIRE_FLAGS);
	struct db_value args[] = {db_v_text(json_string_value(json_object_get(fx->alert, "id"))),
				  db_v_text(json_string_value(json_object_get(fx->alert, "state"))),
				  DB_V_INT(fx->at_ms), db_v_text(body)};
	int rc = db_run(o->db,
			"INSERT INTO alerts (id, state, changed_ms, body) VALUES ($1, $2, $3, $4)"
			" ON CONFLICT (id) DO UPDATE SET state = excluded.state,"
			" changed_ms = excluded.changed_ms, body = excluded.body",
			args, ARRAY_LEN(args), NULL, err);

	free(body);
	return rc;
}

static int save_message(struct outbox *o, const struct outgoing *g, struct err *err)
{
	char *payload = json_dumps(g->message.payload, JSON_WIRE_FLAGS);
	struct db_value args[] = {db_v_text(g->id),
				  db_v_text(g->alert),
				  db_v_text(g->key),
				  db_v_text(g->channel),
				  db_v_text(g->rule),
				  db_v_text(g->message.event),
				  db_v_text(g->message.title),
				  db_v_text(g->message.text),
				  db_v_text(payload),
				  DB_V_INT(g->created_ms),
				  DB_V_INT(g->message.give_up_ms)};
	int rc = db_run(o->db,
			"INSERT INTO messages (id, alert, key, channel, rule, event, title, text,"
			" payload, status, created_ms, next_ms, give_up_ms)"
			" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'waiting', $10, $10, $11)",
			args, ARRAY_LEN(args), NULL, err);

	free(payload);
	return rc;
}

static int drop_excess(struct outbox *o, int64_t now_ms, int64_t *dropped_r, struct err *err)
{
	struct db_value args[] = {DB_V_INT(now_ms), DB_V_INT(OUTBOX_ROWS_MAX)};

	return db_run(o->db,
		      "UPDATE messages SET status = 'failed', done_ms = $1,"
		      " error = 'dropped: too many messages were waiting'"
		      " WHERE seq IN (SELECT seq FROM messages INDEXED BY messages_all_waiting"
		      "  WHERE done_ms IS NULL ORDER BY seq DESC LIMIT -1 OFFSET $2)",
		      args, ARRAY_LEN(args), dropped_r, err);
}

static int write_batch(struct outbox *o, const struct outbox_batch *b, int64_t now_ms,
		       int64_t *dropped_r, struct err *err)
{
	struct saving saving = {o->db, err};
	int rc = engine_changes(b->engine, save_value, &saving);

	if (rc == 0 && b->cursor)
		rc = save_cursor(o, b->cursor, err);
	for (size_t i = 0; b->effects && i < b->effects->n && rc == 0; i++)
		rc = save_alert(o, &b->effects->v[i], err);
	for (size_t i = 0; i < b->out_n && rc == 0; i++)
		rc = save_message(o, &b->out[i], err);
	if (rc == 0 && b->out_n > 0)
		rc = drop_excess(o, now_ms, dropped_r, err);
	return rc;
}

int outbox_commit(struct outbox *o, const struct outbox_batch *b, int64_t now_ms,
		  int64_t *dropped_r, struct err *err)
{
	int64_t dropped = 0;
	int rc = db_begin(o->db, err);

	if (rc < 0)
		return rc;
	rc = write_batch(o, b, now_ms, &dropped, err);
	if (rc == 0)
		rc = db_commit(o->db, err);
	if (rc < 0)
		db_rollback(o->db);
	else
		*dropped_r = dropped;
	return rc;
}

/* ---- sending ---- */

struct reading {
	struct message *m;
	bool is_found;
};

static bool read_message(void *ctx, const struct db_row *row)
{
	struct reading *r = ctx;
	const struct db_value *v = row->values;

	*r->m = (struct message){
		.seq = v[0].integer,
		.event = mem_dup(text_of(&v[2])),
		.title = mem_dup(text_of(&v[3])),
		.text = mem_dup(text_of(&v[4])),
		.payload = json_of(&v[5]),
		.attempt = (uint32_t)v[6].integer + 1,
		.give_up_ms = v[7].integer,
	};
	(void)snprintf(r->m->id, sizeof(r->m->id), "%s", text_of(&v[1]));
	r->is_found = true;
	return false;
}

int outbox_next(struct outbox *o, const char *channel, int64_t now_ms, struct message *m_r,
		struct err *err)
{
	struct db_value args[] = {db_v_text(channel), DB_V_INT(now_ms)};
	struct reading r = {.m = m_r};
	int rc = db_query(o->db,
			  "SELECT seq, id, event, title, text, payload, attempts, give_up_ms"
			  " FROM messages AS m WHERE done_ms IS NULL AND channel = $1"
			  " AND next_ms <= $2 AND NOT EXISTS (SELECT 1 FROM messages AS e"
			  "  WHERE e.done_ms IS NULL AND e.channel = m.channel AND e.key = m.key"
			  "  AND e.seq < m.seq) ORDER BY seq LIMIT 1",
			  args, ARRAY_LEN(args), read_message, &r, err);

	return rc < 0 ? rc : r.is_found;
}

int outbox_due(struct outbox *o, const char *channel, int64_t *due_r, struct err *err)
{
	struct db_value args[] = {db_v_text(channel)};
	int64_t due = INT64_MAX;
	int rc = query_number(o,
			      "SELECT min(next_ms) FROM messages AS m"
			      " WHERE done_ms IS NULL AND channel = $1"
			      " AND NOT EXISTS (SELECT 1 FROM messages AS e WHERE e.done_ms IS NULL"
			      "  AND e.channel = m.channel AND e.key = m.key AND e.seq < m.seq)",
			      args, ARRAY_LEN(args), &due, err);

	if (rc == 0)
		*due_r = due;
	return rc;
}

int outbox_attempt(struct outbox *o, int64_t seq, int64_t now_ms, struct err *err)
{
	struct db_value args[] = {DB_V_INT(seq), DB_V_INT(now_ms)};
	int rc = db_begin(o->db, err);

	if (rc < 0)
		return rc;
	rc = db_run(o->db, "UPDATE messages SET attempts = attempts + 1 WHERE seq = $1", args, 1,
		    NULL, err);
	if (rc == 0)
		rc = db_run(o->db,
			    "INSERT INTO attempts (message, n, channel, at_ms)"
			    " SELECT seq, attempts, channel, $2 FROM messages WHERE seq = $1",
			    args, 2, NULL, err);
	if (rc == 0)
		rc = db_commit(o->db, err);
	if (rc < 0)
		db_rollback(o->db);
	return rc;
}

static int write_attempted(struct outbox *o, int64_t seq, enum outbox_verdict verdict,
			   int64_t took_ms, const struct delivery_result *r, int64_t now_ms,
			   int64_t next_ms, struct err *err)
{
	struct db_value error = r->error[0] ? db_v_text(r->error) : DB_V_NULL;
	struct db_value attempt[] = {DB_V_INT(seq), DB_V_INT(took_ms),
				     db_v_text(verdict_names[verdict]),
				     r->status ? DB_V_INT(r->status) : DB_V_NULL, error};
	struct db_value message[] = {DB_V_INT(seq), db_v_text(verdict_names[verdict]),
				     verdict == OUTBOX_RETRY ? DB_V_NULL : DB_V_INT(now_ms),
				     DB_V_INT(next_ms), verdict == OUTBOX_SENT ? DB_V_NULL : error};
	int rc = db_run(o->db,
			"UPDATE attempts SET took_ms = $2, outcome = $3, http_status = $4,"
			" error = $5 WHERE message = $1 AND n ="
			" (SELECT attempts FROM messages WHERE seq = $1)",
			attempt, ARRAY_LEN(attempt), NULL, err);

	if (rc < 0)
		return rc;
	return db_run(o->db,
		      "UPDATE messages SET status = $2, done_ms = $3, next_ms = $4, error = $5"
		      " WHERE seq = $1",
		      message, ARRAY_LEN(message), NULL, err);
}

int outbox_attempted(struct outbox *o, int64_t seq, enum outbox_verdict verdict, int64_t took_ms,
		     const struct delivery_result *r, int64_t now_ms, int64_t next_ms,
		     struct err *err)
{
	int rc = db_begin(o->db, err);

	if (rc < 0)
		return rc;
	rc = write_attempted(o, seq, verdict, took_ms, r, now_ms, next_ms, err);
	if (rc == 0)
		rc = db_commit(o->db, err);
	if (rc < 0)
		db_rollback(o->db);
	return rc;
}

struct recent {
	int64_t *at;
	size_t n, cap;
};

static bool read_recent(void *ctx, const struct db_row *row)
{
	struct recent *r = ctx;

	r->at[r->n++] = row->values[0].integer;
	return r->n < r->cap;
}

int outbox_recent(struct outbox *o, const char *channel, int64_t since_ms, int64_t *at_r, size_t n,
		  struct err *err)
{
	struct db_value args[] = {db_v_text(channel), DB_V_INT(since_ms), DB_V_INT((int64_t)n)};
	struct recent r = {.at = at_r, .cap = n};
	int rc;

	if (n == 0)
		return 0;
	rc = db_query(o->db,
		      "SELECT at_ms FROM (SELECT at_ms FROM attempts WHERE channel = $1"
		      " AND at_ms > $2 ORDER BY at_ms DESC LIMIT $3) ORDER BY at_ms",
		      args, ARRAY_LEN(args), read_recent, &r, err);
	return rc < 0 ? rc : (int)r.n;
}

/* ---- housekeeping ---- */

int outbox_forget_channels(struct outbox *o, const struct strlist *configured, int64_t now_ms,
			   struct err *err)
{
	json_t *names = json_array();
	struct db_value args[2] = {DB_V_INT(now_ms)};
	char *text;
	int rc;

	for (size_t i = 0; i < configured->n; i++)
		json_array_append_new(names, json_string(configured->v[i]));
	text = json_dumps(names, JSON_WIRE_FLAGS);
	args[1] = db_v_text(text);
	rc = db_run(o->db,
		    "UPDATE messages SET status = 'failed', done_ms = $1,"
		    " error = 'the channel is no longer configured' WHERE done_ms IS NULL"
		    " AND channel NOT IN (SELECT value FROM json_each($2))",
		    args, ARRAY_LEN(args), NULL, err);
	free(text);
	json_decref(names);
	return rc;
}

int outbox_purge(struct outbox *o, int64_t before_ms, struct err *err)
{
	struct db_value args[] = {DB_V_INT(before_ms)};
	static const char *const statements[] = {
		("DELETE FROM attempts WHERE message IN"
		 " (SELECT seq FROM messages WHERE done_ms IS NOT NULL AND done_ms < $1)"),
		"DELETE FROM messages WHERE done_ms IS NOT NULL AND done_ms < $1",
		"DELETE FROM alerts WHERE state = 'resolved' AND changed_ms < $1",
	};
	int rc = db_begin(o->db, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < ARRAY_LEN(statements) && rc == 0; i++)
		rc = db_run(o->db, statements[i], args, ARRAY_LEN(args), NULL, err);
	if (rc == 0)
		rc = db_commit(o->db, err);
	if (rc < 0)
		db_rollback(o->db);
	return rc;
}

void outgoing_done(struct outgoing *g)
{
	free(g->key);
	free(g->channel);
	free(g->rule);
	message_done(&g->message);
}
