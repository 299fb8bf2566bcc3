/* SPDX-License-Identifier: Apache-2.0 */
/* keep_private - what the parts of the keeper share (private to this layer)
 *
 * Rollups have three levels, each made from the rows of the one below: 5 minutes from results,
 * hours from those, days from hours. Two rules keep them right while rows go at both ends:
 *
 * - Rows of a level go by whole buckets of the next one, oldest first, not while such a bucket is
 *   pending, nor while rows are left that they were made from. Up to where they have gone is kept
 *   with them, in `meta` (struct keep_gone).
 * - A bucket whose sources have not gone is computed from them, anew and whole. One whose sources
 *   have gone is never computed again: what comes late for it is added to what it is, and deleted
 *   at once, in the same transaction.
 */
#ifndef HALE_STORE_KEEP_PRIVATE_H
#define HALE_STORE_KEEP_PRIVATE_H

#include "keep_names.h"
#include "rollups.h"
#include "store/keep.h"
#include "store_private.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

enum { KEEP_5M, KEEP_1H, KEEP_1D, KEEP_LEVELS };

struct keep_level {
	const char *table;
	const char *source; /* of its rows */
	int64_t bucket_ms;
	int64_t source_ms;  /* a row of the source; 0: a moment */
	int64_t pending_ms; /* what a row of rollup_pending stands for */
	int64_t settle_ms;  /* how long after the beginning of that it is computed */
};
extern const struct keep_level keep_levels[KEEP_LEVELS];

/* Kept with the store. */
struct keep {
	bool is_claimed; /* PostgreSQL: no other keeper is at work */
	struct keep_names names;
	struct rollups *rollups;
	struct rollup part;   /* memory for a row that is read */
	int64_t window_ms;    /* of time whose results are read at once */
	int64_t failing_ms;   /* since when buckets cannot be computed; 0: they can */
	size_t purge_at;      /* the table that purging goes on with */
	int64_t swept_ms;     /* when names without rows were looked for; 0: never */
	int64_t optimized_ms; /* when the database looked after its statistics */
};
struct keep *keep_of(struct store *s);

/* False: another keeper does it. */
int keep_claim(struct store *s, bool *is_ours_r, struct err *err);
/* Between two transactions of many rows. */
void keep_yield(const struct db *db);

int64_t keep_floor(int64_t ms, int64_t unit_ms);

/* Up to where the rows of a level's source were deleted: a multiple of its bucket_ms; 0: nowhere.
 * is_partly: the bucket just before is still being deleted. */
struct keep_gone {
	int64_t before_ms;
	bool is_partly;
};
int keep_gone_read(struct db *db, int level, struct keep_gone *gone_r, struct err *err);
/* Within the transaction that deletes. */
int keep_gone_write(struct db *db, int level, const struct keep_gone *gone, struct err *err);

/* ---- The database, in keep_tidy.c and keep_facts.c ---- */

/* auto_vacuum's setting of SQLite files that give back room in steps. */
#define KEEP_VACUUM_INCREMENTAL 2
int keep_pragma(struct db *db, const char *name, int64_t *value_r, struct err *err);
/* In ms, or -1; with PostgreSQL to the day. */
int keep_oldest_result(struct db *db, int64_t *at_ms_r, struct err *err);

/* Once a day: components, metric sets and epochs without rows go. *more_r: there may be more. In
 * keep_sweep.c. */
struct keep_retention {
	int64_t results_ms, longest_ms; /* of all */
};
int keep_sweep(struct store *s, int64_t now_ms, const struct keep_retention *r, bool *more_r,
	       struct err *err);

/* ---- Rows of rollups, in keep_rows.c ---- */

/* `metric` is the name, or NULL if not asked for. `part` is borrowed. */
typedef void (*keep_part_fn)(void *ctx, const struct rollup *part, const char *metric);
/* One slot's rows, by metric and component. */
int keep_rows_read(struct store *s, const char *table, int64_t at_ms, int64_t bucket_ms,
		   bool with_names, keep_part_fn on_part, void *ctx, struct err *err);
/* In the transaction that is open; rows that are there are written over. */
int keep_rows_write(struct store *s, int level, int64_t at_ms, const struct rollup *v, size_t n,
		    struct err *err);

#endif
