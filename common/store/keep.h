/* SPDX-License-Identifier: Apache-2.0 */
/* keep - rollups and retention, in small steps
 *
 * Blocking, on a store opened as its keeper (store.h). Every step is one short transaction, so that
 * the writer, which has a connection of its own, never waits long. Nothing here is needed for
 * storing: a keeper that was away catches up.
 *
 * Of several keepers of one PostgreSQL database the first does the work; the others find none.
 *
 * A bucket's rollup is a function of what is stored in it and of nothing else: whether it is made
 * when it closes, again because rows came late, or by a rebuild, the row is the same.
 */
#ifndef HALE_STORE_KEEP_H
#define HALE_STORE_KEEP_H

#include "store/store.h"

#include <stddef.h>

/* Deleting this many rows takes milliseconds. */
#define KEEP_PURGE_ROWS 1000

struct keep_purged { /* rows; with PostgreSQL also whole partitions, with their rows counted */
	uint64_t results, rollups, transitions, alerts, events;
	/* Steps that deleted rows before they were rolled up, because that has failed for a day:
	 * worth a warning. */
	uint64_t not_rolled_up;
};

/* Computes one bucket that is closed at now_ms and pending; *more_r: there may be another. */
int keep_roll_up(struct store *s, int64_t now_ms, bool *more_r, struct err *err);
/* Deletes up to KEEP_PURGE_ROWS rows (or drops one partition) beyond their retention; adds to
 * *purged. */
int keep_purge(struct store *s, const struct store_options *o, int64_t now_ms,
	       struct keep_purged *purged, bool *more_r, struct err *err);
/* What the database wants now and then: partitions ahead, room given back, the log truncated. A
 * SQLite file made by an older hale does not shrink by this: see keep_compact(). */
int keep_tidy(struct store *s, int64_t now_ms, struct err *err);
/* Writes the file anew, without the room that is free in it (SQLite). Nobody else can write for as
 * long as that takes, and for that long it is there twice: for a person to ask for. */
int keep_compact(struct store *s, struct err *err);
/* Marks all buckets in [from, to) for which raw results are left, to be computed anew; 0: open. */
int keep_rebuild(struct store *s, int64_t from_ms, int64_t to_ms, uint64_t *buckets_r,
		 struct err *err);

/* Of a path that is told. */
#define KEEP_PATH_MAX 512

struct keep_facts {         /* for store.status, metrics, `hale store` */
	int64_t bytes;      /* of the database; -1 not known */
	int64_t free_bytes; /* of these; -1 not known */
	bool keeps_room;    /* free bytes are only given back by keep_compact() */
	/* A file that was damaged and set aside within the last day, and is still there; "": none
	 */
	char set_aside[KEEP_PATH_MAX];
	int64_t oldest_result_ms; /* -1 none */
	int64_t rollups_pending;  /* buckets */
	int64_t schema_version;
};
int keep_facts(struct store *s, struct keep_facts *facts_r, struct err *err);

#endif
