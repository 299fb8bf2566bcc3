/* SPDX-License-Identifier: Apache-2.0 */
#include "keep_private.h"

#include <errno.h>

#include "base/str.h"
#include "keep_partitions.h"
#include "model/component.h"
#include "statement.h"

/* Rows stay until they are rolled up; but a keeper that has failed to do so for this long must not
 * fill the disk. */
#define FAILING_MAX_MS DAY_MS

struct purge {
	struct store *s;
	int64_t now_ms;
	int64_t before_ms; /* rows older than this go */
	struct keep_purged *purged;
	size_t deleted;
	bool has_dropped; /* a partition, perhaps an empty one */
	struct err *err;
};

/* --- sources of rollups: whole buckets of the next level --- */

struct source {
	const char *table;
	int level;       /* of what is made from it; -1 nothing */
	int64_t unit_ms; /* what goes together */
	int64_t row_ms;  /* a slot; 0: results */
};

static const struct source sources[] = {
	{"results", KEEP_5M, 5 * MINUTE_MS, 0},
	{"metric_rollups_5m", KEEP_1H, HOUR_MS, 5 * MINUTE_MS},
	{"metric_rollups_1h", KEEP_1D, DAY_MS, HOUR_MS},
	{"metric_rollups_1d", -1, DAY_MS, DAY_MS},
};

struct oldest {
	const struct source *source;
	int64_t at_ms;
	bool is_found;
};

static bool on_oldest(void *ctx, const struct db_row *row)
{
	struct oldest *o = ctx;
	const struct db_value *v = row->values;

	if (v[0].type != DB_INT)
		return false;
	o->is_found = true;
	o->at_ms = o->source->row_ms == 0
			   ? v[0].integer
			   : v[0].integer * DAY_MS + v[1].integer * o->source->row_ms;
	return false;
}

static int find_oldest(struct purge *p, struct oldest *o)
{
	HALE_CLEANUP(str_done) struct str sql = {0};
	struct db_value before = DB_V_INT(p->before_ms);

	if (o->source->row_ms == 0)
		return statement_query(p->s->db,
				       "SELECT @ms{min(at)} FROM results WHERE at < @at{$1}",
				       &before, 1, on_oldest, o, p->err);
	before = DB_V_INT(keep_floor(p->before_ms, DAY_MS) / DAY_MS);
	str_addf(&sql, "SELECT day, slot FROM %s WHERE day <= $1 ORDER BY day, slot LIMIT 1",
		 o->source->table);
	return db_query(p->s->db, str_text(&sql), &before, 1, on_oldest, o, p->err);
}

/* Whether rows older than `before_ms` are left of what the source's rows are made from. While they
 * are, none of the source's go: what is left of a bucket could not be told from what came late. */
static int has_finer(struct purge *p, const struct source *source, int64_t before_ms, bool *has_r)
{
	struct oldest finer = {.source = source - 1};
	struct db_value before = DB_V_INT(before_ms);
	int rc = 0;

	*has_r = false;
	if (source == sources)
		return 0;
	if (finer.source == sources)
		rc = statement_query(p->s->db,
				     "SELECT @ms{at} FROM results WHERE at < @at{$1} LIMIT 1",
				     &before, 1, on_oldest, &finer, p->err);
	else
		rc = find_oldest(p, &finer);
	*has_r = finer.is_found && finer.at_ms < before_ms;
	return rc;
}

static int is_pending(struct purge *p, int level, int64_t from_ms, int64_t to_ms, bool *is_r)
{
	struct db_value args[] = {DB_V_INT(level), DB_V_INT(from_ms), DB_V_INT(to_ms)};
	int64_t n = 0;
	int rc = statement_query(p->s->db,
				 "SELECT count(*) FROM rollup_pending"
				 " WHERE level = $1 AND start >= @at{$2} AND start < @at{$3}",
				 args, ARRAY_LEN(args), store_read_int, &n, p->err);

	*is_r = n > 0;
	return rc;
}

static bool on_int(void *ctx, const struct db_row *row)
{
	struct oldest *o = ctx;

	o->at_ms = row->values[0].integer;
	o->is_found = true;
	return false;
}

/* Up to a time that some KEEP_PURGE_ROWS rows are older than: a range goes quicker than a list. */
static int delete_results(struct purge *p, int64_t from_ms, int64_t to_ms, int64_t *deleted_r)
{
	struct db_value args[] = {DB_V_INT(from_ms), DB_V_INT(to_ms), DB_V_INT(KEEP_PURGE_ROWS)};
	struct oldest stop = {0};
	int rc = statement_query(p->s->db,
				 "SELECT @ms{at} FROM results WHERE at >= @at{$1} AND at < @at{$2}"
				 " ORDER BY at LIMIT 1 OFFSET $3",
				 args, ARRAY_LEN(args), on_int, &stop, p->err);

	if (rc != 0)
		return rc;
	if (stop.is_found)
		args[1] = DB_V_INT(HALE_MAX(stop.at_ms, from_ms + 1));
	return statement_run(p->s->db, "DELETE FROM results WHERE at >= @at{$1} AND at < @at{$2}",
			     args, 2, deleted_r, p->err);
}

struct key {
	int64_t v[3]; /* slot, metric_id, component_id */
};

static bool on_key(void *ctx, const struct db_row *row)
{
	struct key *key = ctx;

	for (size_t i = 0; i < ARRAY_LEN(key->v); i++)
		key->v[i] = row->values[i].integer;
	return false;
}

/* Within one day, by key. */
static int delete_slots(struct purge *p, const struct source *source, int64_t from_ms,
			int64_t *deleted_r)
{
	HALE_CLEANUP(str_done) struct str find = {0};
	HALE_CLEANUP(str_done) struct str delete = {0};
	int64_t day_ms = keep_floor(from_ms, DAY_MS);
	int64_t first = (from_ms - day_ms) / source->row_ms;
	struct key stop = {{first + source->unit_ms / source->row_ms, 0, 0}};
	struct db_value args[] = {DB_V_INT(day_ms / DAY_MS), DB_V_INT(first), DB_V_INT(stop.v[0]),
				  DB_V_INT(KEEP_PURGE_ROWS), DB_V_NULL};
	int rc;

	str_addf(&find,
		 "SELECT slot, metric_id, component_id FROM %s"
		 " WHERE day = $1 AND slot >= $2 AND slot < $3"
		 " ORDER BY slot, metric_id, component_id LIMIT 1 OFFSET $4",
		 source->table);
	rc = db_query(p->s->db, str_text(&find), args, 4, on_key, &stop, p->err);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < ARRAY_LEN(stop.v); i++)
		args[2 + i] = DB_V_INT(stop.v[i]);
	str_addf(&delete,
		 "DELETE FROM %s WHERE day = $1 AND slot >= $2"
		 " AND (slot, metric_id, component_id) < ($3, $4, $5)",
		 source->table);
	return db_run(p->s->db, str_text(&delete), args, 5, deleted_r, p->err);
}

/* What is left of a bucket must not be taken for all of it: that rows go is written down with
 * them. */
static int delete_part(struct purge *p, const struct source *source, int64_t unit_start,
		       int64_t oldest_ms, struct keep_gone *gone)
{
	int64_t unit_end = unit_start + source->unit_ms, deleted = 0;
	int rc = source->row_ms == 0 ? delete_results(p, oldest_ms, unit_end, &deleted)
				     : delete_slots(p, source, unit_start, &deleted);

	if (rc != 0)
		return rc;
	p->deleted += (size_t)deleted;
	if (source->level < 0 || unit_end < gone->before_ms)
		return 0;
	gone->before_ms = unit_end;
	gone->is_partly = deleted >= KEEP_PURGE_ROWS;
	return keep_gone_write(p->s->db, source->level, gone, p->err);
}

static bool is_failing_for_long(const struct purge *p)
{
	int64_t since_ms = keep_of(p->s)->failing_ms;

	return since_ms > 0 && p->now_ms - since_ms > FAILING_MAX_MS;
}

/* Whether the unit's rows are still needed for something. */
static int is_needed(struct purge *p, const struct source *source, int64_t start, int64_t end,
		     bool *is_r)
{
	bool is_waiting = false;
	int rc = has_finer(p, source, end, is_r);

	if (rc == 0 && !*is_r && source->level >= 0)
		rc = is_pending(p, source->level, start, end, &is_waiting);
	if (rc != 0 || !is_waiting)
		return rc;
	if (is_failing_for_long(p))
		p->purged->not_rolled_up++;
	else
		*is_r = true;
	return 0;
}

static int delete_unit(struct purge *p, const struct source *source, const struct oldest *oldest)
{
	int64_t start = keep_floor(oldest->at_ms, source->unit_ms), end = start + source->unit_ms;
	struct keep_gone gone = {0};
	bool is_kept = false;
	int rc = 0;

	if (source->level >= 0)
		rc = keep_gone_read(p->s->db, source->level, &gone, p->err);
	/* What was begun goes on: rollups wait for it. */
	if (rc == 0 && !(gone.is_partly && gone.before_ms == end))
		rc = is_needed(p, source, start, end, &is_kept);
	if (rc != 0 || is_kept)
		return rc;
	return delete_part(p, source, start, oldest->at_ms, &gone);
}

/* A partition of PostgreSQL goes as a bucket does: not while something needs a part of it. */
static int drop_in_transaction(struct purge *p, const struct source *source,
			       const struct partition *part)
{
	struct keep_gone gone = {0};
	bool is_kept = false;
	int rc = partitions_lock(p->s->db, part, p->err);

	if (rc == 0)
		rc = is_needed(p, source, part->from_ms, part->to_ms, &is_kept);
	if (rc != 0 || is_kept)
		return rc;
	rc = keep_gone_read(p->s->db, source->level, &gone, p->err);
	if (rc == 0 && part->to_ms > gone.before_ms) {
		gone = (struct keep_gone){.before_ms = part->to_ms};
		rc = keep_gone_write(p->s->db, source->level, &gone, p->err);
	}
	if (rc == 0)
		rc = partitions_drop(p->s->db, part, p->err);
	if (rc != 0)
		return rc;
	p->deleted += (size_t)part->rows;
	p->has_dropped = true;
	return 0;
}

/* *is_over_r: there is one to be dropped, now or later, so nothing is deleted row by row. */
static int drop_partition(struct purge *p, const struct source *source, bool *is_over_r)
{
	struct partition part;
	int rc = partitions_oldest(p->s->db, source->table, p->before_ms, &part, is_over_r, p->err);

	if (rc != 0 || !*is_over_r)
		return rc;
	rc = db_begin(p->s->db, p->err);
	if (rc == 0)
		rc = drop_in_transaction(p, source, &part);
	if (rc == 0)
		rc = db_commit(p->s->db, p->err);
	if (rc != 0) {
		db_rollback(p->s->db);
		p->deleted = 0;
		p->has_dropped = false;
	}
	/* Somebody reads it: the next time. */
	return rc == -EBUSY ? 0 : rc;
}

static int purge_source(struct purge *p, const struct source *source)
{
	int64_t part_ms = partitions_unit_ms(p->s->db, source->table);
	struct oldest oldest = {.source = source};
	bool is_over = false;
	int rc;

	if (part_ms > 0) {
		rc = drop_partition(p, source, &is_over);
		if (rc != 0 || is_over)
			return rc;
		/* What is left stands in the default partition, or will be dropped. */
		p->before_ms = keep_floor(p->before_ms, part_ms);
	}
	p->before_ms = keep_floor(p->before_ms, source->unit_ms);
	rc = find_oldest(p, &oldest);
	if (rc != 0 || !oldest.is_found || oldest.at_ms >= p->before_ms)
		return rc;
	rc = db_begin(p->s->db, p->err);
	if (rc == 0)
		rc = delete_unit(p, source, &oldest);
	if (rc == 0)
		rc = db_commit(p->s->db, p->err);
	if (rc != 0)
		db_rollback(p->s->db);
	return rc;
}

/* --- rows that stand alone --- */

static int purge_rows(struct purge *p, const char *sql)
{
	struct db_value args[] = {DB_V_INT(p->before_ms), DB_V_INT(KEEP_PURGE_ROWS)};
	int64_t deleted = 0;
	int rc = statement_run(p->s->db, sql, args, ARRAY_LEN(args), &deleted, p->err);

	p->deleted += (size_t)deleted;
	return rc;
}

/* What was in force when the history begins stays, and so does the last of each component that
 * there is: it may have been in its status for years. */
static const char transitions_sql[] =
	"DELETE FROM transitions WHERE id IN (SELECT t.id FROM transitions t"
	" WHERE t.at < @at{$1} AND (EXISTS (SELECT 1 FROM transitions n"
	" WHERE n.component_id = t.component_id AND n.at < @at{$1}"
	" AND (n.at > t.at OR n.at = t.at AND n.id > t.id))"
	" OR NOT EXISTS (SELECT 1 FROM component_states s WHERE s.component_id = t.component_id)"
	" AND NOT EXISTS (SELECT 1 FROM components c WHERE c.id = t.component_id"
	" AND c.name = '" COMPONENT_OVERALL "'))"
	" ORDER BY t.at LIMIT $2)";

#define BY_AT(table, key, at)                                                                      \
	"DELETE FROM " table " WHERE " key " IN (SELECT " key " FROM " table " WHERE " at          \
	" < @at{$1} ORDER BY " at " LIMIT $2)"

/* --- all of them --- */

#define RETENTION(member) offsetof(struct store_options, retention.member)
#define COUNT(member)     offsetof(struct keep_purged, member)

static const struct job {
	size_t retention;
	int64_t default_ms; /* as in store_items: for who was given no options */
	size_t count;
	const struct source *source; /* or */
	const char *sql;
} jobs[] = {
	{RETENTION(results_ms), 7 * DAY_MS + HOUR_MS, COUNT(results), &sources[0], NULL},
	{RETENTION(rollups_5m_ms), 90 * DAY_MS, COUNT(rollups), &sources[1], NULL},
	{RETENTION(rollups_1h_ms), 400 * DAY_MS, COUNT(rollups), &sources[2], NULL},
	{RETENTION(rollups_1d_ms), 400 * DAY_MS, COUNT(rollups), &sources[3], NULL},
	{RETENTION(transitions_ms), 400 * DAY_MS, COUNT(transitions), NULL, transitions_sql},
	{RETENTION(events_ms), 400 * DAY_MS, COUNT(events), NULL, BY_AT("events", "id", "at")},
	{RETENTION(events_ms), 400 * DAY_MS, COUNT(events), NULL,
	 BY_AT("process_events", "id", "at")},
	{RETENTION(events_ms), 400 * DAY_MS, COUNT(events), NULL,
	 BY_AT("recovery_attempts", "id", "at")},
	{RETENTION(alerts_ms), 400 * DAY_MS, COUNT(alerts), NULL,
	 "DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE opened_at < @at{$1}"
	 " AND resolved_at < @at{$1} ORDER BY opened_at LIMIT $2)"},
	{RETENTION(alerts_ms), 400 * DAY_MS, COUNT(alerts), NULL,
	 BY_AT("notification_deliveries", "id", "last_at")},
	{RETENTION(alerts_ms), 400 * DAY_MS, COUNT(alerts), NULL,
	 BY_AT("reconciliation_runs", "run", "ended_at")},
};

static int64_t retention_of(const struct store_options *o, const struct job *job)
{
	int64_t ms = *(const int64_t *)(const void *)((const char *)o + job->retention);

	return ms > 0 ? ms : job->default_ms;
}

static struct keep_retention retention_for_sweep(const struct store_options *o)
{
	struct keep_retention r = {.results_ms = retention_of(o, &jobs[0])};

	for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
		r.longest_ms = HALE_MAX(r.longest_ms, retention_of(o, &jobs[i]));
	return r;
}

static int run_job(struct purge *p, const struct job *job)
{
	uint64_t *count = (uint64_t *)(void *)((char *)p->purged + job->count);
	int rc;

	p->deleted = 0;
	p->has_dropped = false;
	rc = job->source != NULL ? purge_source(p, job->source) : purge_rows(p, job->sql);
	*count += p->deleted;
	return rc;
}

/* A step deletes from one table, so that its transaction is short. */
int keep_purge(struct store *s, const struct store_options *o, int64_t now_ms,
	       struct keep_purged *purged, bool *more_r, struct err *err)
{
	struct purge p = {.s = s, .now_ms = now_ms, .purged = purged, .err = err};
	size_t *at = &keep_of(s)->purge_at;
	struct keep_retention retention;
	bool is_ours = false;
	int claimed = keep_claim(s, &is_ours, err);

	*more_r = false;
	if (claimed != 0 || !is_ours)
		return claimed;
	for (size_t tried = 0; tried < ARRAY_LEN(jobs); tried++) {
		int rc;

		p.before_ms = now_ms - retention_of(o, &jobs[*at]);
		rc = run_job(&p, &jobs[*at]);
		if (rc != 0)
			return rc;
		if (p.deleted >= KEEP_PURGE_ROWS)
			keep_yield(s->db);
		*more_r = p.deleted > 0 || p.has_dropped;
		if (*more_r)
			return 0;
		*at = (*at + 1) % ARRAY_LEN(jobs);
	}
	retention = retention_for_sweep(o);
	return keep_sweep(s, now_ms, &retention, more_r, err);
}
