/* SPDX-License-Identifier: Apache-2.0 */
#include "store_private.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/component.h"
#include "model/frame.h"
#include "model/health_line.h"
#include "model/reason.h"

/* A line that is not understood is not an error of the store. */
#define NOT_UNDERSTOOD    (-EBADMSG)
/* Names longer than this are nobody's; they would only fill the name tables. */
#define NAME_MAX_BYTES    255
/* Details of one row, as JSON text: enough for a crash report's last lines or a command's output,
 * little enough that a year of events stays a small file. */
#define DETAILS_MAX_BYTES 16384

/* What the store knows of a component between rows. */
struct component_ref {
	int64_t id;
	uint64_t message; /* hash of the last one stored; 0 none */
	uint64_t details;
};

/* One line on its way into a table. */
struct writing {
	struct store *h;
	const struct store_entry *line;
	const json_t *object;
	const char *node;
	int64_t at;
	int64_t epoch_id;
	struct err *err;
};

/* --- small readers --- */

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static struct db_value text_value(const json_t *object, const char *key)
{
	return db_v_text(text_of(object, key));
}

static struct db_value int_value(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);

	return json_is_integer(v) ? DB_V_INT(json_integer_value(v)) : DB_V_NULL;
}

static bool is_name(const char *text)
{
	return text != NULL && text[0] != '\0' && strlen(text) <= NAME_MAX_BYTES;
}

/* FNV-1a; never 0, which means "none". */
static uint64_t hash_of(const char *text)
{
	uint64_t h = 14695981039346656037u;

	for (const char *p = text; *p != '\0'; p++)
		h = (h ^ (uint8_t)*p) * 1099511628211u;
	return h != 0 ? h : 1;
}

/* JSON text of a non-empty object, else NULL. Too long a one is replaced by a note of its size.
 * Caller frees. */
static char *object_text(const json_t *object)
{
	char *text;
	size_t len;

	if (!json_is_object(object) || json_object_size(object) == 0)
		return NULL;
	text = json_dumps(object, JSON_WIRE_FLAGS);
	len = text != NULL ? strlen(text) : 0;
	if (len <= DETAILS_MAX_BYTES)
		return text;
	free(text);
	return mem_printf("{\"truncated\":true,\"bytes\":%zu}", len);
}

/* --- names with a number --- */

static int insert_name(struct store *h, const char *insert, const char *select, const char *node,
		       const char *name, int64_t *id_r, struct err *err)
{
	struct db_value args[] = {db_v_text(node), db_v_text(name)};
	int64_t id = 0;
	int rc = db_query(h->db, select, args, ARRAY_LEN(args), store_read_int, &id, err);

	if (rc == 0 && id == 0) {
		rc = db_run(h->db, insert, args, ARRAY_LEN(args), NULL, err);
		if (rc == 0)
			rc = db_query(h->db, select, args, ARRAY_LEN(args), store_read_int, &id,
				      err);
	}
	if (rc == 0)
		*id_r = id;
	return rc;
}

static void name_key(char *key, size_t size, const char *node, const char *name)
{
	(void)snprintf(key, size, "%s\n%s", node, name);
}

static int epoch_id_of(struct store *h, const char *node, const char *epoch, int64_t *id_r,
		       struct err *err)
{
	char key[2 * NAME_MAX_BYTES + 2];
	int64_t id;
	int rc;

	name_key(key, sizeof(key), node, epoch);
	id = (int64_t)(intptr_t)map_get(&h->epochs, key);
	if (id == 0) {
		rc = insert_name(h, "INSERT INTO epochs (node, epoch) VALUES ($1, $2)",
				 "SELECT id FROM epochs WHERE node = $1 AND epoch = $2", node,
				 epoch, &id, err);
		if (rc != 0)
			return rc;
		(void)map_put(&h->epochs, key, (void *)(intptr_t)id);
	}
	*id_r = id;
	return 0;
}

static int component_ref_of(struct store *h, const char *node, const char *name,
			    struct component_ref **ref_r, struct err *err)
{
	char key[2 * NAME_MAX_BYTES + 2];
	struct component_ref *ref;
	int64_t id = 0;
	int rc;

	name_key(key, sizeof(key), node, name);
	ref = map_get(&h->components, key);
	if (ref == NULL) {
		rc = insert_name(h, "INSERT INTO components (node, name) VALUES ($1, $2)",
				 "SELECT id FROM components WHERE node = $1 AND name = $2", node,
				 name, &id, err);
		if (rc != 0)
			return rc;
		ref = mem_alloc(sizeof(*ref));
		ref->id = id;
		(void)map_put(&h->components, key, ref);
	}
	*ref_r = ref;
	return 0;
}

/* -1 if the word is none of the table's. */
static int64_t code_of(const struct map *words, const char *word)
{
	return word != NULL ? (int64_t)(intptr_t)map_get(words, word) - 1 : -1;
}

/* --- health --- */

/* Stored when it says something new: always with trouble, else when it differs from the row
 * before. */
static struct db_value if_news(const char *text, bool is_ok, uint64_t *last)
{
	uint64_t hash = text != NULL ? hash_of(text) : 0;
	bool is_news = !is_ok || hash != *last;

	*last = hash;
	return is_news ? db_v_text(text) : DB_V_NULL;
}

/* What a row of results is made of. */
struct result {
	int64_t status, outcome;
	const char *reason, *message;  /* NULL: none */
	double took_ms;                /* NAN: not known */
	const char *metrics, *details; /* JSON; NULL: none */
};

static struct db_value took_us(double ms)
{
	return isnan(ms) ? DB_V_NULL : DB_V_INT(llround(ms * 1000.0));
}

static struct db_value reason_unless_ok(const char *reason)
{
	return reason != NULL && strcmp(reason, reason_code(REASON_OK)) != 0 ? db_v_text(reason)
									     : DB_V_NULL;
}

static int write_row(struct writing *w, const struct result *r, struct component_ref *ref)
{
	bool is_ok = r->status == code_of(&w->h->statuses, status_name(STATUS_HEALTHY));
	struct db_value args[] = {
		DB_V_INT(w->at),
		DB_V_INT(w->epoch_id),
		DB_V_INT((int64_t)w->line->seq),
		DB_V_INT(ref->id),
		DB_V_INT(r->status),
		DB_V_INT(r->outcome),
		reason_unless_ok(r->reason),
		if_news(r->message, is_ok, &ref->message),
		took_us(r->took_ms),
		db_v_text(r->metrics),
		if_news(r->details, is_ok, &ref->details),
	};

	return db_run(
		w->h->db,
		"INSERT OR IGNORE INTO results (at, epoch_id, seq, component_id, status, outcome,"
		" reason, message, took_us, metrics, details)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
		args, ARRAY_LEN(args), NULL, w->err);
}

static int write_result(struct writing *w, const json_t *state, struct component_ref *ref,
			int64_t status, int64_t outcome)
{
	HALE_CLEANUP(cleanup_free) char *metrics = object_text(json_object_get(state, "metrics"));
	HALE_CLEANUP(cleanup_free) char *details = object_text(json_object_get(state, "details"));
	const json_t *took = json_object_get(state, "took_ms");
	const struct result r = {
		.status = status,
		.outcome = outcome,
		.reason = text_of(state, "reason"),
		.message = text_of(state, "message"),
		.took_ms = json_is_number(took) ? json_number_value(took) : (double)NAN,
		.metrics = metrics,
		.details = details,
	};

	return write_row(w, &r, ref);
}

/* --- a routine line, as text --- */

/* The members of a component object that a row needs, decoded. */
struct routine {
	char status[16], outcome[16];
	char reason[OBSERVATION_REASON_MAX];
	char message[OBSERVATION_MESSAGE_MAX];
	bool has_reason, has_message;
	double took_ms;
	struct str metrics, details;
};

/* As object_text(), of text. */
static void keep_object(struct str *out, struct jtext v)
{
	if (!jtext_is_object(v) || v.len == strlen("{}"))
		return;
	if (v.len <= DETAILS_MAX_BYTES)
		str_addn(out, v.text, v.len);
	else
		str_addf(out, "{\"truncated\":true,\"bytes\":%zu}", v.len);
}

static void read_routine(struct jtext state, struct routine *r)
{
	struct jtext name, value;

	r->took_ms = (double)NAN;
	for (size_t at = 0; jtext_next(state, &at, &name, &value);) {
		if (jtext_is(name, "status"))
			(void)jtext_string(value, r->status, sizeof(r->status));
		else if (jtext_is(name, "outcome"))
			(void)jtext_string(value, r->outcome, sizeof(r->outcome));
		else if (jtext_is(name, "reason"))
			r->has_reason = jtext_string(value, r->reason, sizeof(r->reason));
		else if (jtext_is(name, "message"))
			r->has_message = jtext_string(value, r->message, sizeof(r->message));
		else if (jtext_is(name, "took_ms"))
			(void)jtext_number(value, &r->took_ms);
		else if (jtext_is(name, "metrics"))
			keep_object(&r->metrics, value);
		else if (jtext_is(name, "details"))
			keep_object(&r->details, value);
	}
}

static int write_routine_row(struct writing *w, const char *component, const struct routine *r)
{
	const struct result row = {
		.status = code_of(&w->h->statuses, r->status),
		.outcome = code_of(&w->h->outcomes, r->outcome),
		.reason = r->has_reason ? r->reason : NULL,
		.message = r->has_message ? r->message : NULL,
		.took_ms = r->took_ms,
		.metrics = r->metrics.len > 0 ? r->metrics.data : NULL,
		.details = r->details.len > 0 ? r->details.data : NULL,
	};
	struct component_ref *ref = NULL;
	int rc;

	if (!is_name(component) || row.status < 0)
		return NOT_UNDERSTOOD;
	rc = component_ref_of(w->h, w->node, component, &ref, w->err);
	return rc == 0 && row.outcome >= 0 ? write_row(w, &row, ref) : rc;
}

static int write_routine(struct writing *w)
{
	char at[CLOCK_TEXT_MAX], node[NAME_MAX_BYTES + 1], component[NAME_MAX_BYTES + 1];
	struct routine r = {0};
	struct health_line l;
	int rc;

	if (!health_line_is_routine(w->line->text, strlen(w->line->text), &l) ||
	    !jtext_string(l.at, at, sizeof(at)) || clock_parse(at, &w->at) != 0 ||
	    !jtext_string(l.node, node, sizeof(node)) || !is_name(node) ||
	    !jtext_string(l.component, component, sizeof(component)))
		return NOT_UNDERSTOOD;
	w->node = node;
	rc = epoch_id_of(w->h, w->node, w->line->epoch, &w->epoch_id, w->err);
	read_routine(l.state, &r);
	if (rc == 0)
		rc = write_routine_row(w, component, &r);
	str_done(&r.metrics);
	str_done(&r.details);
	return rc;
}

static int write_transition(struct writing *w, int64_t component_id, int64_t from, int64_t to,
			    struct db_value reason, struct db_value message)
{
	struct db_value args[] = {
		DB_V_INT(w->at),
		DB_V_INT(w->epoch_id),
		DB_V_INT((int64_t)w->line->seq),
		DB_V_INT(component_id),
		from >= 0 ? DB_V_INT(from) : DB_V_NULL,
		DB_V_INT(to),
		reason,
		message,
	};

	return db_run(
		w->h->db,
		"INSERT OR IGNORE INTO transitions (at, epoch_id, seq, component_id, from_status,"
		" to_status, reason, message) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		args, ARRAY_LEN(args), NULL, w->err);
}

/* The total's change, with what changed it as its message. */
static int write_overall(struct writing *w, const json_t *overall, const char *component,
			 const char *status)
{
	char cause[NAME_MAX_BYTES + 32];
	int64_t from = code_of(&w->h->statuses, text_of(overall, "previous"));
	int64_t to = code_of(&w->h->statuses, text_of(overall, "status"));
	struct component_ref *ref = NULL;
	int rc;

	if (!json_is_true(json_object_get(overall, "transition")) || to < 0)
		return 0;
	rc = component_ref_of(w->h, w->node, COMPONENT_OVERALL, &ref, w->err);
	if (rc != 0)
		return rc;
	(void)snprintf(cause, sizeof(cause), "%s is %s", component, status);
	return write_transition(w, ref->id, from, to, DB_V_NULL, db_v_text(cause));
}

static int write_health(struct writing *w)
{
	const json_t *state = json_object_get(w->object, "state");
	const char *component = text_of(w->object, "component");
	const char *status_text = text_of(state, "status");
	int64_t status = code_of(&w->h->statuses, status_text);
	int64_t outcome = code_of(&w->h->outcomes, text_of(state, "outcome"));
	bool is_removed = json_is_true(json_object_get(w->object, "removed"));
	/* Without a new observation the state repeats the last one, which has its row already. */
	bool has_result =
		outcome >= 0 && !is_removed && !json_is_true(json_object_get(w->object, "no_data"));
	struct component_ref *ref = NULL;
	int rc;

	if (!is_name(component) || status < 0)
		return NOT_UNDERSTOOD;
	rc = component_ref_of(w->h, w->node, component, &ref, w->err);
	if (rc == 0 && has_result)
		rc = write_result(w, state, ref, status, outcome);
	if (rc == 0 && json_is_true(json_object_get(w->object, "transition")))
		rc = write_transition(
			w, ref->id, code_of(&w->h->statuses, text_of(w->object, "previous")),
			status, text_value(state, "reason"), text_value(state, "message"));
	if (rc == 0)
		rc = write_overall(w, json_object_get(w->object, "overall"), component,
				   status_text);
	return rc;
}

/* --- process, events --- */

static int write_process(struct writing *w)
{
	const json_t *state = json_object_get(w->object, "state");
	const char *event = text_of(w->object, "event");
	bool has_exit = event != NULL && strcmp(event, "exit") == 0;
	HALE_CLEANUP(cleanup_free)
	char *last_exit = has_exit ? object_text(json_object_get(state, "last_exit")) : NULL;
	struct db_value args[] = {
		DB_V_INT(w->at),
		DB_V_INT(w->epoch_id),
		DB_V_INT((int64_t)w->line->seq),
		text_value(state, "name"),
		db_v_text(event),
		text_value(state, "state"),
		int_value(state, "pid"),
		int_value(state, "generation"),
		int_value(state, "restarts"),
		text_value(state, "status_text"),
		db_v_text(last_exit),
	};

	if (event == NULL || !is_name(text_of(state, "name")) || text_of(state, "state") == NULL)
		return NOT_UNDERSTOOD;
	return db_run(
		w->h->db,
		"INSERT OR IGNORE INTO process_events (at, epoch_id, seq, process, event, state,"
		" pid, generation, restarts, status_text, last_exit)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
		args, ARRAY_LEN(args), NULL, w->err);
}

struct event_row {
	const char *kind;
	const char *severity;
	const char *subject;
	const char *message;
};

static int write_event_row(struct writing *w, const struct event_row *row, const json_t *details)
{
	HALE_CLEANUP(cleanup_free) char *text = object_text(details);
	struct db_value args[] = {
		DB_V_INT(w->at),           DB_V_INT(w->epoch_id),   DB_V_INT((int64_t)w->line->seq),
		db_v_text(w->line->topic), db_v_text(row->kind),    db_v_text(row->severity),
		db_v_text(row->subject),   db_v_text(row->message), db_v_text(text),
	};

	if (row->kind == NULL || row->severity == NULL)
		return NOT_UNDERSTOOD;
	return db_run(
		w->h->db,
		"INSERT OR IGNORE INTO events (at, epoch_id, seq, topic, kind, severity, subject,"
		" message, details) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		args, ARRAY_LEN(args), NULL, w->err);
}

static int write_event(struct writing *w)
{
	struct event_row row = {
		.kind = text_of(w->object, "kind"),
		.severity = text_of(w->object, "severity"),
		.subject = text_of(w->object, "subject"),
		.message = text_of(w->object, "message"),
	};

	return write_event_row(w, &row, json_object_get(w->object, "details"));
}

/* The line without what has columns of its own. New reference. */
static json_t *rest_of(const json_t *object)
{
	json_t *rest = json_copy((json_t *)object);

	(void)json_object_del(rest, "at");
	(void)json_object_del(rest, "node");
	/* A dry run's plan may be as long as its table. */
	(void)json_object_del(rest, "plan");
	return rest;
}

static int write_rest(struct writing *w, const struct event_row *row)
{
	json_t *rest = rest_of(w->object);
	int rc = write_event_row(w, row, rest);

	json_decref(rest);
	return rc;
}

static int write_alert(struct writing *w)
{
	const json_t *alert = json_object_get(w->object, "alert");
	const char *component = text_of(alert, "component");
	struct event_row row = {
		.kind = text_of(w->object, "event"),
		.severity = text_of(alert, "severity"),
		.subject = component != NULL ? component : text_of(alert, "key"),
		.message = text_of(alert, "message"),
	};

	return write_rest(w, &row);
}

static const char *severity_of_outcome(const char *outcome)
{
	return outcome != NULL && strcmp(outcome, "done") == 0 ? "info" : "warning";
}

static int write_reconcile(struct writing *w)
{
	const json_t *errors = json_object_get(w->object, "errors");
	const char *first = json_string_value(json_array_get(errors, 0));
	char counts[160];
	struct event_row row = {
		.kind = text_of(w->object, "outcome"),
		.severity = severity_of_outcome(text_of(w->object, "outcome")),
		.subject = text_of(w->object, "job"),
		.message = first != NULL ? first : counts,
	};

	(void)snprintf(counts, sizeof(counts), "%lld inserted, %lld updated, %lld closed",
		       (long long)json_integer_value(json_object_get(w->object, "inserted")),
		       (long long)json_integer_value(json_object_get(w->object, "updated")),
		       (long long)json_integer_value(json_object_get(w->object, "closed")));
	return write_rest(w, &row);
}

static int write_action(struct writing *w)
{
	struct event_row row = {
		.kind = text_of(w->object, "outcome"),
		.severity = severity_of_outcome(text_of(w->object, "outcome")),
		.subject = text_of(w->object, "action"),
		.message = text_of(w->object, "message"),
	};

	return write_rest(w, &row);
}

/* --- snapshot: what stands in for lines that were lost --- */

static int last_known_status(struct writing *w, int64_t component_id, int64_t *status_r)
{
	struct db_value arg = DB_V_INT(component_id);

	*status_r = -1;
	return db_query(w->h->db,
			"SELECT to_status FROM transitions WHERE component_id = $1"
			" ORDER BY at DESC, id DESC LIMIT 1",
			&arg, 1, store_read_int, status_r, w->err);
}

static int write_difference(struct writing *w, const char *name, const json_t *state)
{
	int64_t status = code_of(&w->h->statuses, text_of(state, "status")), known = -1;
	struct component_ref *ref = NULL;
	int rc;

	if (!is_name(name) || status < 0)
		return 0;
	rc = component_ref_of(w->h, w->node, name, &ref, w->err);
	if (rc == 0)
		rc = last_known_status(w, ref->id, &known);
	if (rc != 0 || known == status)
		return rc;
	return write_transition(w, ref->id, known, status, text_value(state, "reason"),
				text_value(state, "message"));
}

static int write_snapshot(struct writing *w)
{
	const json_t *components = json_object_get(w->object, "components"), *state;
	int64_t now = w->at;
	size_t i;
	int rc = 0;

	json_array_foreach ((json_t *)components, i, state) {
		/* The change happened when the status began, not when we heard of it. */
		if (clock_parse(text_of(state, "since") != NULL ? text_of(state, "since") : "",
				&w->at) != 0)
			w->at = now;
		rc = write_difference(w, text_of(state, "id"), state);
		if (rc != 0)
			return rc;
	}
	w->at = now;
	return write_difference(w, COMPONENT_OVERALL, w->object);
}

/* --- one line, all lines --- */

static const struct {
	const char *topic;
	int (*write)(struct writing *w);
} topics[] = {
	{TOPIC_HEALTH, write_health},
	{TOPIC_PROCESS, write_process},
	{TOPIC_EVENT, write_event},
	{TOPIC_ALERT, write_alert},
	{TOPIC_RECONCILE, write_reconcile},
	{TOPIC_ACTION, write_action},
	{STORE_TOPIC_SNAPSHOT, write_snapshot},
};

static int write_line(struct store *h, const struct store_entry *line, struct err *err)
{
	struct writing w = {.h = h, .line = line, .object = line->object, .err = err};
	const char *at = text_of(line->object, "at");
	int rc;

	if (line->text != NULL)
		return is_name(line->epoch) && line->seq <= INT64_MAX ? write_routine(&w)
								      : NOT_UNDERSTOOD;
	w.node = text_of(line->object, "node");
	if (!is_name(w.node) || !is_name(line->epoch) || at == NULL ||
	    clock_parse(at, &w.at) != 0 || line->seq > INT64_MAX)
		return NOT_UNDERSTOOD;
	for (size_t i = 0; i < ARRAY_LEN(topics); i++) {
		if (strcmp(topics[i].topic, line->topic) != 0)
			continue;
		rc = epoch_id_of(h, w.node, line->epoch, &w.epoch_id, err);
		return rc != 0 ? rc : topics[i].write(&w);
	}
	return NOT_UNDERSTOOD;
}

static int write_lines(struct store *h, const struct store_entry *lines, size_t n, size_t *skipped,
		       struct err *err)
{
	int rc;

	for (size_t i = 0; i < n; i++) {
		rc = write_line(h, &lines[i], err);
		if (rc == NOT_UNDERSTOOD)
			(*skipped)++;
		else if (rc != 0)
			return rc;
	}
	return 0;
}

static const char *node_of(const struct store_entry *line, char buf[NAME_MAX_BYTES + 1])
{
	struct health_line l;

	if (line->text != NULL && health_line_is_routine(line->text, strlen(line->text), &l) &&
	    jtext_string(l.node, buf, NAME_MAX_BYTES + 1))
		return buf;
	(void)snprintf(buf, NAME_MAX_BYTES + 1, "%s",
		       text_of(line->object, "node") != NULL ? text_of(line->object, "node") : "");
	return buf;
}

int store_write(struct store *h, const struct store_entry *lines, size_t n, const char *epoch,
		uint64_t seq, size_t *skipped_r, struct err *err)
{
	char node[NAME_MAX_BYTES + 1];
	size_t skipped = 0;
	int rc;

	HALE_ASSERT(h->is_writer);
	rc = db_begin(h->db, err);
	if (rc == 0)
		rc = write_lines(h, lines, n, &skipped, err);
	if (rc == 0)
		rc = store_cursor_put(h, node_of(&lines[n - 1], node), epoch, seq, err);
	if (rc == 0)
		rc = db_commit(h->db, err);
	if (rc != 0) {
		db_rollback(h->db);
		/* Numbers given out in the transaction are gone with it. */
		store_forget(h);
		return rc;
	}
	*skipped_r = skipped;
	return 0;
}
