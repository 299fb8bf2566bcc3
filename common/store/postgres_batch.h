/* SPDX-License-Identifier: Apache-2.0 */
/* postgres_batch - lines become rows of PostgreSQL's tables (private to this layer)
 *
 * Pure. A batch is read; if names are in it that have no number yet, those are asked for in a
 * transaction of their own, and it is read again. Then its rows go in one transaction, which the
 * caller runs; he says whether it was committed.
 *
 * postgres_batch.c has the reading, postgres_names.c what has a number, postgres_rows.c the rows.
 */
#ifndef HALE_STORE_POSTGRES_BATCH_H
#define HALE_STORE_POSTGRES_BATCH_H

#include "base/map.h"
#include "known.h"
#include "model/frame.h"
#include "postgres_table.h"
#include "store/rows.h"

/* A line that was stored before: ends its reading. */
#define LINE_REPEATED (-EALREADY)
/* Rows of one shape find their numbers here; more components than this only look them up. */
#define MEMO_SLOTS    4096
#define BUCKET_MS     300000
/* Starts of haled kept from batch to batch; one is usual. */
#define EPOCHS_KEPT   16

/* One start of a node's haled. */
struct epoch_ref {
	char node[ROW_NAME_MAX + 1];
	char epoch[FRAME_EPOCH_MAX];
	int64_t id; /* 0: not known */
	int64_t stored_seq;
	/* Of the lines of this batch; -1 none. */
	int64_t last_seq, first_ms, last_ms;
	bool is_changed, is_asked;
};

struct memo { /* what was found for rows of this shape */
	uint64_t shape, generation;
	struct known_entry *entry;
	int64_t metric_set;
};

/* Names asked for, in the order of the rows in TABLE_NEW_… */
struct postgres_asked {
	struct epoch_ref **epochs;
	size_t epochs_n, epochs_cap;
	struct known_entry **components;
	size_t components_n, components_cap;
	char **sets;
	struct known_entry **askers; /* of sets */
	size_t sets_n, sets_cap, askers_cap;
	struct map sets_seen; /* in this batch */
};

struct postgres_batch {
	char *node;
	struct rows_reader *reader;
	struct known known;
	struct map metric_sets; /* names -> id */
	bool is_sets_full;      /* those that are not known are not asked for */
	struct memo memos[MEMO_SLOTS];
	struct epoch_ref **epochs;
	size_t epochs_n, epochs_cap;
	struct postgres_tables tables;
	struct postgres_asked asked;

	/* In this batch. */
	const struct store_line *line;
	struct epoch_ref *ref; /* of the line; NULL until its first row */
	int64_t line_ms;
	bool has_standing;
	int64_t *buckets; /* that results were put into */
	size_t buckets_n, buckets_cap;
	struct str object;
};

struct postgres_batch *postgres_batch_new(const char *node);
void postgres_batch_free(struct postgres_batch *b);
/* Of a new connection nothing is known. */
void postgres_batch_forget(struct postgres_batch *b);

/* Before lines are read: forgets what was known for long. */
void postgres_batch_age(struct postgres_batch *b, int64_t wall_ms);
/* Reads lines, at a monotonic time. True: all rows are there. False: names must be asked for first.
 */
bool postgres_batch_read(struct postgres_batch *b, const struct store_line *lines, size_t n,
			 int64_t now_ms, size_t *skipped_r, size_t *repeated_r);
/* The states that wait for their time, and nothing else. False: there are none. */
bool postgres_batch_read_states(struct postgres_batch *b);
/* The statements of either, into steps; how many. */
size_t postgres_batch_asking(struct postgres_batch *b, struct pg_step *steps);
size_t postgres_batch_steps(struct postgres_batch *b, struct pg_step *steps);
/* The names were asked for: what is not known now never will be. */
void postgres_batch_asked(struct postgres_batch *b);
void postgres_batch_commit(struct postgres_batch *b);
void postgres_batch_rollback(struct postgres_batch *b);
/* Of the first step: somebody else has written what we were about to. */
void postgres_batch_forget_epochs(struct postgres_batch *b);

/* A name's number, at connecting. */
void postgres_batch_know_set(struct postgres_batch *b, const char *names, int64_t id);

/* --- among the parts --- */

extern const struct row_sink postgres_rows;

/* Finds the line's epoch; LINE_REPEATED if the line is stored. at_ms -1: this row tells of another
 * time than the line's. */
int postgres_epoch_of(struct postgres_batch *b, struct row_text node, int64_t at_ms);
struct known_entry *postgres_component_of(struct postgres_batch *b, const struct row_component *c);
/* 0: too many of them, or not known yet. `e`: whose they are. */
int64_t postgres_metric_set_of(struct postgres_batch *b, struct known_entry *e,
			       struct row_text names);
void postgres_put_state(struct postgres_batch *b, const struct row_state *row,
			struct known_entry *e);
void postgres_names_done(struct postgres_batch *b);
void postgres_names_begin(struct postgres_batch *b);

#endif
