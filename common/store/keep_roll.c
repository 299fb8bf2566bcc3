/* SPDX-License-Identifier: Apache-2.0 */
#include "keep_private.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "statement.h"
#include "store/metric_text.h"
#include "store/rows.h"

/* Rows of results that are read at once: some 20 ms. A longer read would keep SQLite's log from
 * being folded into the file. */
#define READ_ROWS     20000
#define WINDOW_MIN_MS 10
/* Rows of rollups that are written in one transaction: some 3 ms in which the writer waits. */
#define WRITE_ROWS    512

/* One bucket and what is pending of it. */
struct bucket {
	int level;
	int64_t start_ms;
	int64_t settled_ms; /* later rows of rollup_pending are not for now */
	int64_t touched;    /* of all of them */
	bool is_late;       /* its sources have gone: what there is now is added */
};

/* --- which bucket, and how --- */

struct pick {
	int64_t start_ms;
	bool is_found;
};

static bool on_pick(void *ctx, const struct db_row *row)
{
	struct pick *pick = ctx;

	pick->start_ms = row->values[0].integer;
	pick->is_found = true;
	return false;
}

static struct db_value end_of(const struct bucket *b)
{
	int64_t end_ms = b->start_ms + keep_levels[b->level].bucket_ms;

	return DB_V_INT(HALE_MIN(end_ms, b->settled_ms + 1));
}

static int read_touched(struct db *db, struct bucket *b, struct err *err)
{
	struct db_value args[] = {DB_V_INT(b->level), DB_V_INT(b->start_ms), end_of(b)};

	return statement_query(
		db,
		"SELECT CAST(coalesce(sum(touched), 0) AS bigint) FROM rollup_pending"
		" WHERE level = $1 AND start >= @at{$2} AND start < @at{$3}",
		args, ARRAY_LEN(args), store_read_int, &b->touched, err);
}

/* What has gone of a bucket's sources, and of the level's own rows. */
struct gone {
	struct keep_gone sources, own;
};

static int gone_read(struct db *db, int level, struct gone *gone, struct err *err)
{
	int rc = keep_gone_read(db, level, &gone->sources, err);

	gone->own = (struct keep_gone){.before_ms = INT64_MIN};
	if (rc == 0 && level + 1 < KEEP_LEVELS)
		rc = keep_gone_read(db, level + 1, &gone->own, err);
	return rc;
}

/* A time of which rows are just being deleted, to be waited for; or none. */
static void add_wait(const struct keep_gone *gone, int level, struct db_value args[2])
{
	bool is = gone->is_partly;

	args[0] = DB_V_INT(is ? gone->before_ms - keep_levels[level].bucket_ms : 0);
	args[1] = DB_V_INT(is ? gone->before_ms : 0);
}

/* The oldest one of the level that is settled. */
static int pick_in_level(struct db *db, int level, int64_t now_ms, struct bucket *b, bool *is_found,
			 struct err *err)
{
	const struct keep_level *l = &keep_levels[level];
	struct pick pick = {0};
	struct gone gone;
	struct db_value args[6];
	int rc = gone_read(db, level, &gone, err);

	if (rc != 0)
		return rc;
	args[0] = DB_V_INT(level);
	args[1] = DB_V_INT(now_ms - l->settle_ms);
	add_wait(&gone.sources, level, &args[2]);
	add_wait(&gone.own, HALE_MIN(level + 1, KEEP_LEVELS - 1), &args[4]);
	rc = statement_query(db,
			     "SELECT @ms{start} FROM rollup_pending"
			     " WHERE level = $1 AND start <= @at{$2}"
			     " AND (start < @at{$3} OR start >= @at{$4})"
			     " AND (start < @at{$5} OR start >= @at{$6}) ORDER BY start LIMIT 1",
			     args, ARRAY_LEN(args), on_pick, &pick, err);
	*is_found = pick.is_found;
	if (rc != 0 || !pick.is_found)
		return rc;
	*b = (struct bucket){.level = level,
			     .start_ms = keep_floor(pick.start_ms, l->bucket_ms),
			     .settled_ms = now_ms - l->settle_ms};
	b->is_late = b->start_ms < HALE_MAX(gone.sources.before_ms, gone.own.before_ms);
	return read_touched(db, b, err);
}

/* Finer levels first: a coarser bucket is computed once from many of them. */
static int pick_bucket(struct db *db, int64_t now_ms, struct bucket *b, bool *is_found,
		       struct err *err)
{
	int rc = 0;

	*is_found = false;
	for (int level = 0; level < KEEP_LEVELS && rc == 0 && !*is_found; level++)
		rc = pick_in_level(db, level, now_ms, b, is_found, err);
	return rc;
}

/* --- sources --- */

struct adding {
	struct keep *keep;
	size_t rows;
	bool is_incomplete; /* a set of metrics was not known */
};

/* {"a":1}: as results had them before they had sets. */
static void add_object(struct adding *a, int64_t component, struct jtext object)
{
	struct jtext name, value;
	char buf[ROW_NAME_MAX + 1];
	double number;

	for (size_t at = 0; jtext_next(object, &at, &name, &value);) {
		struct jtext quoted = {name.text - 1, name.len + 2};
		int64_t place = KEEP_PLACE_TOOK;

		if (jtext_string(quoted, buf, sizeof(buf)))
			place = keep_names_place(&a->keep->names, buf);
		if (place >= KEEP_PLACE_FIRST && jtext_number(value, &number))
			rollups_add(a->keep->rollups, component, place, number);
	}
}

static size_t read_values(const struct db_value *text, double *values, size_t max)
{
	size_t n = 0;

	for (size_t at = 0; n < max && text->type == DB_TEXT &&
			    metric_text_next(text->text, text->len, &at, &values[n]);)
		n++;
	return n;
}

/* component_id, took_us, metric_set, metrics */
static bool on_result(void *ctx, const struct db_row *row)
{
	struct adding *a = ctx;
	const struct db_value *v = row->values;
	double values[METRIC_TEXT_MAX + 1];
	bool has_set = v[2].type == DB_INT;
	const struct rollups_list *list =
		keep_names_set(&a->keep->names, has_set ? v[2].integer : 0);
	size_t n = 1;

	a->rows++;
	a->is_incomplete = a->is_incomplete || list == NULL;
	if (a->is_incomplete)
		return true; /* on to the end, to see what else is wanted */
	values[0] = v[1].type == DB_INT ? (double)v[1].integer / 1000.0 : (double)NAN;
	if (has_set)
		n += read_values(&v[3], values + 1, list->n - 1);
	for (; n < list->n; n++)
		values[n] = NAN;
	rollups_add_row(a->keep->rollups, v[0].integer, list, values);
	if (!has_set && v[3].type == DB_TEXT)
		add_object(a, v[0].integer, (struct jtext){v[3].text, v[3].len});
	return true;
}

static int read_window(struct db *db, struct adding *a, int64_t from_ms, int64_t to_ms,
		       struct err *err)
{
	struct db_value args[] = {DB_V_INT(from_ms), DB_V_INT(to_ms)};

	a->rows = 0;
	return statement_query(db,
			       "SELECT component_id, took_us, metric_set, metrics FROM results"
			       " WHERE at >= @at{$1} AND at < @at{$2} ORDER BY at, epoch_id, seq",
			       args, ARRAY_LEN(args), on_result, a, err);
}

static void adapt_window(struct keep *k, size_t rows, int64_t bucket_ms)
{
	if (rows > READ_ROWS)
		k->window_ms = HALE_MAX(k->window_ms / 2, WINDOW_MIN_MS);
	else if (rows < READ_ROWS / 4)
		k->window_ms = HALE_MIN(k->window_ms * 2, bucket_ms);
}

/* -EAGAIN: again from the start, with sets of metrics that were not known. */
static int add_results(struct store *s, const struct bucket *b, struct err *err)
{
	int64_t bucket_ms = keep_levels[KEEP_5M].bucket_ms, end_ms = b->start_ms + bucket_ms;
	struct adding a = {.keep = keep_of(s)};
	int rc = 0;

	if (a.keep->window_ms == 0)
		a.keep->window_ms = bucket_ms / 64;
	for (int64_t from = b->start_ms, to; from < end_ms && rc == 0; from = to) {
		to = HALE_MIN(from + a.keep->window_ms, end_ms);
		rc = read_window(s->db, &a, from, to, err);
		if (rc == 0 && a.is_incomplete) {
			rc = keep_names_load(&a.keep->names, s->db, err);
			return rc != 0 ? rc : -EAGAIN;
		}
		adapt_window(a.keep, a.rows, bucket_ms);
	}
	return rc;
}

static void on_part(void *ctx, const struct rollup *part, const char *metric)
{
	(void)metric;
	rollups_merge(((struct keep *)ctx)->rollups, part);
}

/* Slot after slot, so that sums are always added up in order of time. */
static int add_slots(struct store *s, const struct bucket *b, struct err *err)
{
	const struct keep_level *l = &keep_levels[b->level];
	int rc = 0;

	for (int64_t at = b->start_ms; at < b->start_ms + l->bucket_ms && rc == 0;
	     at += l->source_ms)
		rc = keep_rows_read(s, l->source, at, l->source_ms, false, on_part, keep_of(s),
				    err);
	return rc;
}

static int add_sources(struct store *s, const struct bucket *b, struct err *err)
{
	return b->level == KEEP_5M ? add_results(s, b, err) : add_slots(s, b, err);
}

/* Results say their metrics by name; rollups' rows by id. */
static struct rollup *sorted(struct store *s, const struct bucket *b, size_t *n_r)
{
	struct keep *k = keep_of(s);

	return rollups_sorted(k->rollups, b->level == KEEP_5M ? k->names.ids : NULL, n_r);
}

/* --- done with a bucket --- */

struct taken {
	int64_t touched;
};

static bool on_taken(void *ctx, const struct db_row *row)
{
	((struct taken *)ctx)->touched += row->values[0].integer;
	return true;
}

/* -EAGAIN: more came since it was picked. */
static int take_pending(struct db *db, const struct bucket *b, struct err *err)
{
	struct db_value args[] = {DB_V_INT(b->level), DB_V_INT(b->start_ms), end_of(b)};
	struct taken taken = {0};
	int rc = statement_query(db,
				 "DELETE FROM rollup_pending"
				 " WHERE level = $1 AND start >= @at{$2} AND start < @at{$3}"
				 " RETURNING touched",
				 args, ARRAY_LEN(args), on_taken, &taken, err);

	if (rc == 0 && taken.touched != b->touched)
		return -EAGAIN;
	return rc;
}

/* The next level must learn of it. */
static int tell_next(struct db *db, const struct bucket *b, struct err *err)
{
	struct db_value args[] = {DB_V_INT(b->level + 1),
				  DB_V_INT(keep_floor(b->start_ms, HOUR_MS))};

	if (b->level + 1 == KEEP_LEVELS)
		return 0;
	return statement_run(db,
			     "INSERT INTO rollup_pending (level, start) VALUES ($1, @at{$2})"
			     " ON CONFLICT (level, start)"
			     " DO UPDATE SET touched = rollup_pending.touched + 1",
			     args, ARRAY_LEN(args), NULL, err);
}

static int finish(struct db *db, const struct bucket *b, struct err *err)
{
	int rc = take_pending(db, b, err);

	return rc == 0 ? tell_next(db, b, err) : rc;
}

static int end_transaction(struct store *s, int rc, struct err *err)
{
	if (rc == 0)
		rc = db_commit(s->db, err);
	if (rc != 0)
		db_rollback(s->db);
	return rc;
}

/* --- the two ways --- */

static int resolve(struct store *s, const struct bucket *b, struct err *err)
{
	struct keep_names *names = &keep_of(s)->names;
	int rc;

	if (b->level != KEEP_5M || names->resolved == names->n)
		return 0;
	rc = db_begin(s->db, err);
	if (rc == 0)
		rc = keep_names_resolve(names, s->db, err);
	rc = end_transaction(s, rc, err);
	if (rc != 0)
		keep_names_clear(names);
	return rc;
}

static int write_rows(struct store *s, const struct bucket *b, struct err *err)
{
	size_t n, step;
	const struct rollup *v;
	int rc = resolve(s, b, err);

	if (rc != 0)
		return rc;
	v = sorted(s, b, &n);
	for (size_t i = 0; i < n && rc == 0; i += step) {
		step = HALE_MIN(n - i, (size_t)WRITE_ROWS);
		rc = db_begin(s->db, err);
		if (rc == 0)
			rc = keep_rows_write(s, b->level, b->start_ms, v + i, step, err);
		rc = end_transaction(s, rc, err);
		if (i + step < n)
			keep_yield(s->db);
	}
	return rc;
}

/* Rows first, in several transactions; done only then. Whatever ends it in between, the bucket is
 * still pending and is computed again. */
static int compute(struct store *s, const struct bucket *b, struct err *err)
{
	struct keep *k = keep_of(s);
	int rc;

	rollups_reset(k->rollups);
	do {
		rc = add_sources(s, b, err);
		if (rc == 0)
			rc = write_rows(s, b, err);
	} while (rc == 0 && rollups_next(k->rollups));
	if (rc == 0)
		rc = db_begin(s->db, err);
	if (rc == 0)
		rc = end_transaction(s, finish(s->db, b, err), err);
	return rc;
}

struct seeding {
	struct keep *keep;
	bool has_places;
};

static void on_seed(void *ctx, const struct rollup *part, const char *metric)
{
	struct seeding *seeding = ctx;
	struct rollup own = *part; /* borrows the sketch */

	if (seeding->has_places)
		own.metric = keep_names_place(&seeding->keep->names, metric);
	rollups_merge(seeding->keep->rollups, &own);
}

/* What the bucket is so far. */
static int add_own(struct store *s, const struct bucket *b, struct err *err)
{
	const struct keep_level *l = &keep_levels[b->level];
	struct seeding seeding = {.keep = keep_of(s), .has_places = b->level == KEEP_5M};

	return keep_rows_read(s, l->table, b->start_ms, l->bucket_ms, seeding.has_places, on_seed,
			      &seeding, err);
}

static int delete_sources(struct store *s, const struct bucket *b, struct err *err)
{
	const struct keep_level *l = &keep_levels[b->level];
	HALE_CLEANUP(str_done) struct str sql = {0};
	int64_t day = keep_floor(b->start_ms, DAY_MS), first;

	if (b->level == KEEP_5M)
		return statement_run(s->db,
				     "DELETE FROM results WHERE at >= @at{$1} AND at < @at{$2}",
				     (struct db_value[]){DB_V_INT(b->start_ms),
							 DB_V_INT(b->start_ms + l->bucket_ms)},
				     2, NULL, err);
	first = (b->start_ms - day) / l->source_ms;
	str_addf(&sql, "DELETE FROM %s WHERE day = $1 AND slot >= $2 AND slot < $3", l->source);
	return db_run(s->db, str_text(&sql),
		      (struct db_value[]){DB_V_INT(day / DAY_MS), DB_V_INT(first),
					  DB_V_INT(first + l->bucket_ms / l->source_ms)},
		      3, NULL, err);
}

static int add_in_transaction(struct store *s, const struct bucket *b, struct err *err)
{
	struct keep *k = keep_of(s);
	int rc = finish(s->db, b, err);

	rollups_reset(k->rollups);
	do {
		size_t n;
		const struct rollup *v;

		if (rc == 0)
			rc = add_own(s, b, err);
		if (rc == 0)
			rc = add_sources(s, b, err);
		if (rc == 0 && b->level == KEEP_5M)
			rc = keep_names_resolve(&k->names, s->db, err);
		if (rc != 0)
			return rc;
		v = sorted(s, b, &n);
		rc = keep_rows_write(s, b->level, b->start_ms, v, n, err);
	} while (rc == 0 && rollups_next(k->rollups));
	return rc == 0 ? delete_sources(s, b, err) : rc;
}

/* All at once: what was added must not be added again. It is what came days late, and little. */
static int add_late(struct store *s, const struct bucket *b, struct err *err)
{
	struct keep_names *names = &keep_of(s)->names;
	size_t resolved = names->resolved;
	int rc = db_begin(s->db, err);

	if (rc != 0)
		return rc;
	rc = end_transaction(s, add_in_transaction(s, b, err), err);
	if (rc != 0 && names->resolved != resolved)
		keep_names_clear(names);
	return rc;
}

static int roll_up(struct store *s, int64_t now_ms, bool *is_found, struct err *err)
{
	struct bucket b;
	int rc = keep_names_begin(&keep_of(s)->names, s->db, err);

	if (rc == 0)
		rc = pick_bucket(s->db, now_ms, &b, is_found, err);
	if (rc != 0 || !*is_found)
		return rc;
	rc = b.is_late ? add_late(s, &b, err) : compute(s, &b, err);
	return rc == -EAGAIN ? 0 : rc;
}

int keep_roll_up(struct store *s, int64_t now_ms, bool *more_r, struct err *err)
{
	struct keep *k = keep_of(s);
	bool is_found = false, is_ours = false;
	int rc = keep_claim(s, &is_ours, err);

	if (rc == 0 && is_ours)
		rc = roll_up(s, now_ms, &is_found, err);
	rollups_reset(k->rollups);
	if (rc == 0)
		k->failing_ms = 0;
	else if (k->failing_ms == 0)
		k->failing_ms = now_ms;
	if (rc == 0)
		*more_r = is_found;
	return rc;
}
