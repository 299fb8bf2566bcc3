/* SPDX-License-Identifier: Apache-2.0 */
#include "store/export.h"

#include <errno.h>

#include "base/clock.h"
#include "base/mem.h"
#include "dialect.h"
#include "statement.h"
#include "store_private.h"

#define DAY_MS  INT64_C(86400000)
/* Rows of one statement: milliseconds, and what is gathered of them a few pieces at most. They are
 * handed on when it is over, for whoever takes them may be slow. */
#define PAGE    500
#define NO_DATA INT64_MIN

/* What is passed over at a damaged page to begin with, and how much that may grow to where page
 * after page is damaged. */
#define SALVAGE_LEAST_MS INT64_C(100)
#define SALVAGE_MOST_MS  DAY_MS
/* Into the past and, as clocks may have been wrong, the future: the longest retention there may be.
 */
#define SALVAGE_DAYS     3650

struct run {
	struct store *store;
	const struct export_plan *plan;
	export_write_fn write;
	void *ctx;
	struct transfer transfer;
	struct str out;
	bool is_gone;      /* the reader */
	int64_t last_ms;   /* of the row that was written last; NO_DATA: none of this kind yet */
	struct err damage; /* the first that was met */
	bool is_damaged;
};

static bool flush(struct run *r, size_t at_least)
{
	if (r->out.len >= at_least && r->out.len > 0 && !r->is_gone) {
		r->is_gone = !r->write(r->ctx, str_text(&r->out), r->out.len);
		str_clear(&r->out);
	}
	return !r->is_gone;
}

static bool on_row(void *ctx, json_t *row)
{
	const char *at = json_string_value(json_object_get(row, "at"));
	struct run *r = ctx;

	if (at != NULL)
		(void)clock_parse(at, &r->last_ms);
	transfer_row(&r->transfer, row, &r->out);
	return flush(r, EXPORT_PIECE_BYTES);
}

/* Within a statement. */
static bool put_row(struct run *r, json_t *row /* taken */)
{
	transfer_row(&r->transfer, row, &r->out);
	json_decref(row);
	return true;
}

static json_t *time_json(const struct db_value *v)
{
	char at[CLOCK_TEXT_MAX];

	return v->type == DB_INT ? json_string(clock_format(v->integer, at)) : json_null();
}

static json_t *real_json(const struct db_value *v)
{
	return json_real(v->type == DB_REAL ? v->real : (double)v->integer);
}

/* 0: go on with what is next. */
static int note_damage(struct run *r, int rc, const struct err *err)
{
	if (rc != -EUCLEAN)
		return rc;
	if (!r->is_damaged)
		r->damage = *err;
	r->is_damaged = true;
	return 0;
}

/* ---- starts of haled ---- */

struct epochs {
	struct run *run;
	int64_t id; /* behind which the next page begins */
	size_t n;   /* rows of this page */
};

static bool on_epoch(void *ctx, const struct db_row *row)
{
	struct epochs *e = ctx;
	const struct db_value *v = row->values;

	e->id = v[0].integer;
	e->n++;
	return put_row(e->run,
		       json_pack("{s:s, s:s, s:o, s:o}", "node", v[1].text, "epoch", v[2].text,
				 "first_at", time_json(&v[3]), "last_at", time_json(&v[4])));
}

static int write_epochs(struct run *r, struct err *err)
{
	struct epochs e = {.run = r};
	int rc;

	transfer_open(&r->transfer, TRANSFER_EPOCHS, &r->out);
	do {
		struct db_value args[] = {DB_V_INT(e.id), DB_V_INT(PAGE),
					  db_v_text(r->plan->node == NULL ? "" : r->plan->node)};

		e.n = 0;
		rc = statement_query(r->store->db,
				     "SELECT id, node, epoch, @ms{first_at}, @ms{last_at}"
				     " FROM epochs WHERE id > $1 AND (node = $3 OR $3 = '')"
				     " ORDER BY id LIMIT $2",
				     args, ARRAY_LEN(args), on_epoch, &e, err);
	} while (rc == 0 && flush(r, EXPORT_PIECE_BYTES) && e.n == PAGE);
	return rc;
}

/* ---- rollups ---- */

static const struct level {
	const char *name;
	int64_t step_ms;
	const char *days; /* first and last */
	const char *page;
} levels[] = {
#define ROLLUPS(table)                                                                             \
	"SELECT min(day), max(day) FROM " table,                                                   \
		"SELECT r.slot, r.metric_id, r.component_id,"                                      \
		" (SELECT name FROM metrics WHERE id = r.metric_id), c.node, c.name, r.count,"     \
		" r.sum, r.min, r.max, r.p95, r.sketch FROM " table " r"                           \
		" JOIN components c ON c.id = r.component_id WHERE r.day = $1"                     \
		" AND (r.slot, r.metric_id, r.component_id) > ($2, $3, $4)"                        \
		" AND (c.name = $6 OR $6 = '') AND (c.node = $7 OR $7 = '')"                       \
		" ORDER BY r.slot, r.metric_id, r.component_id LIMIT $5"
	{"5m", 300000, ROLLUPS("metric_rollups_5m")},
	{"1h", 3600000, ROLLUPS("metric_rollups_1h")},
	{"1d", DAY_MS, ROLLUPS("metric_rollups_1d")},
};

struct walk {
	struct run *run;
	const struct level *level;
	int64_t first, last; /* days */
	int64_t day;
	int64_t slot, metric, component; /* behind which the next page begins */
	size_t n;                        /* rows of this page */
};

static bool on_days(void *ctx, const struct db_row *row)
{
	struct walk *w = ctx;

	w->first = row->values[0].type == DB_INT ? row->values[0].integer : NO_DATA;
	w->last = row->values[1].integer;
	return false;
}

static bool on_rollup(void *ctx, const struct db_row *row)
{
	struct walk *w = ctx;
	const struct db_value *v = row->values;
	const struct export_plan *p = w->run->plan;
	int64_t at = w->day * DAY_MS + v[0].integer * w->level->step_ms;
	char text[CLOCK_TEXT_MAX];

	w->slot = v[0].integer;
	w->metric = v[1].integer;
	w->component = v[2].integer;
	w->n++;
	if (at < p->from_ms || (p->to_ms > 0 && at >= p->to_ms))
		return true;
	return put_row(w->run,
		       json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:s}", "at",
				 clock_format(at, text), "level", w->level->name, "node", v[4].text,
				 "component", v[5].text, "metric", v[3].text, "count",
				 (json_int_t)v[6].integer, "sum", real_json(&v[7]), "min",
				 real_json(&v[8]), "max", real_json(&v[9]), "p95",
				 real_json(&v[10]), "sketch", v[11].text));
}

static int write_day(struct walk *w, struct err *err)
{
	const struct export_plan *p = w->run->plan;
	int rc;

	w->slot = w->metric = w->component = -1;
	do {
		struct db_value args[] = {
			DB_V_INT(w->day),
			DB_V_INT(w->slot),
			DB_V_INT(w->metric),
			DB_V_INT(w->component),
			DB_V_INT(PAGE),
			db_v_text(p->component == NULL ? "" : p->component),
			db_v_text(p->node == NULL ? "" : p->node),
		};

		w->n = 0;
		rc = statement_query(w->run->store->db, w->level->page, args, ARRAY_LEN(args),
				     on_rollup, w, err);
	} while (rc == 0 && flush(w->run, EXPORT_PIECE_BYTES) && w->n == PAGE);
	return rc;
}

static int write_level(struct run *r, const struct level *level, struct err *err)
{
	struct walk w = {.run = r, .level = level};
	int rc = statement_query(r->store->db, level->days, NULL, 0, on_days, &w, err);

	if (rc != 0 || w.first == NO_DATA)
		return rc;
	w.first = HALE_MAX(w.first, r->plan->from_ms / DAY_MS);
	if (r->plan->to_ms > 0)
		w.last = HALE_MIN(w.last, (r->plan->to_ms - 1) / DAY_MS);
	for (w.day = w.first; w.day <= w.last && rc == 0 && !r->is_gone; w.day++)
		rc = note_damage(r, write_day(&w, err), err);
	return rc;
}

static int write_metrics(struct run *r, struct err *err)
{
	int rc = 0;

	transfer_open(&r->transfer, TRANSFER_METRICS, &r->out);
	for (size_t i = 0; i < ARRAY_LEN(levels) && rc == 0 && !r->is_gone; i++) {
		if (r->plan->step_ms == 0 || r->plan->step_ms == levels[i].step_ms)
			rc = note_damage(r, write_level(r, &levels[i], err), err);
	}
	return rc;
}

/* ---- what a damaged file still holds ---- */

/* A damaged page is in the way of all that is asked for together with it: the time is cut in halves
 * until what can be read is apart from what cannot. Behind a stretch that cannot be read, longer
 * and longer ones are passed over, so that it ends. */
static int write_rest(struct run *r, struct read_query *q, struct err *err)
{
	int64_t now_ms = clock_wall_ms(), least_ms = SALVAGE_LEAST_MS, width_ms;
	int64_t end_ms = q->to_ms > 0 ? q->to_ms : now_ms + SALVAGE_DAYS * DAY_MS;
	int64_t at_ms = q->from_ms > 0 ? q->from_ms : now_ms - SALVAGE_DAYS * DAY_MS;
	int rc;

	at_ms = HALE_MAX(at_ms, r->last_ms == NO_DATA ? at_ms : r->last_ms + 1);
	for (width_ms = end_ms - at_ms; at_ms < end_ms && !r->is_gone;) {
		width_ms = HALE_MIN(HALE_MAX(width_ms, least_ms), end_ms - at_ms);
		q->from_ms = at_ms;
		q->to_ms = at_ms + width_ms;
		rc = read_each(r->store, q, on_row, r, err);
		if (rc != 0 && rc != -EUCLEAN)
			return rc;
		if (rc != 0 && r->last_ms >= at_ms) {
			at_ms = r->last_ms + 1;
		} else if (rc != 0 && width_ms > least_ms) {
			width_ms /= 2;
		} else {
			at_ms += width_ms;
			least_ms = rc == 0 ? SALVAGE_LEAST_MS
					   : HALE_MIN(least_ms + least_ms / 4, SALVAGE_MOST_MS);
			width_ms *= 2;
		}
	}
	return -EUCLEAN;
}

/* ---- all of it ---- */

static int write_kind(struct run *r, int what, struct err *err)
{
	struct read_query q = {
		.what = (enum read_what)what,
		.name = r->plan->component,
		.node = r->plan->node,
		.from_ms = r->plan->from_ms,
		.to_ms = r->plan->to_ms,
		.is_oldest_first = true,
		.has_origin = true,
	};
	int rc;

	if (what == TRANSFER_METRICS)
		return write_metrics(r, err);
	transfer_open(&r->transfer, what, &r->out);
	r->last_ms = NO_DATA;
	rc = read_each(r->store, &q, on_row, r, err);
	return rc == -EUCLEAN ? write_rest(r, &q, err) : rc;
}

static int write_all(struct run *r, struct err *err)
{
	int rc = 0;

	/* Who reads it back needs to know from when to when somebody watched, and the order in
	 * which the starts came. */
	if (r->plan->format == TRANSFER_NDJSON)
		rc = note_damage(r, write_epochs(r, err), err);
	for (int what = 0; what < TRANSFER_EPOCHS && rc == 0 && !r->is_gone; what++) {
		if ((r->plan->what & 1u << what) != 0)
			rc = note_damage(r, write_kind(r, what, err), err);
	}
	if (rc == 0 && r->is_damaged) {
		*err = r->damage;
		rc = -EUCLEAN;
		(void)flush(r, 0);
	}
	if (rc != 0)
		return rc;
	transfer_end(&r->transfer, &r->out);
	(void)flush(r, 0);
	return 0;
}

int export_run(struct store *s, const struct export_plan *p, export_write_fn write, void *ctx,
	       uint64_t *counts_r, bool *is_whole_r, struct err *err)
{
	struct run r = {.store = s, .plan = p, .write = write, .ctx = ctx};
	struct transfer_head head = {.hale = p->hale,
				     .node = p->node,
				     .component = p->component,
				     .from_ms = p->from_ms,
				     .to_ms = p->to_ms,
				     .what = p->what};
	int rc;

	if (p->format == TRANSFER_CSV && (p->what & (p->what - 1)) != 0)
		return err_set(err, -EINVAL, "CSV holds rows of one kind; choose one");
	rc = statement_query(s->db, "SELECT max(version) FROM schema_migrations", NULL, 0,
			     store_read_int, &head.schema, err);
	if (rc != 0)
		return rc;
	transfer_begin(&r.transfer, p->format, &head, &r.out);
	rc = write_all(&r, err);
	str_done(&r.out);
	for (int what = 0; what < TRANSFER_WHAT_MAX; what++)
		counts_r[what] = r.transfer.counts[what];
	*is_whole_r = rc == 0 && !r.is_gone;
	return rc;
}
