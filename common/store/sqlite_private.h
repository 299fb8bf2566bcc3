/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_private - a batch on its way into SQLite (private to this layer)
 *
 * sqlite_batch.c has the transaction, sqlite_names.c the numbers of names, sqlite_rows.c the rows.
 */
#ifndef HALE_STORE_SQLITE_PRIVATE_H
#define HALE_STORE_SQLITE_PRIVATE_H

#include "base/map.h"
#include "model/frame.h"
#include "known.h"
#include "sqlite_batch.h"
#include "store/rows.h"

/* A line that was stored before: ends its reading. */
#define LINE_REPEATED   (-EALREADY)
/* Rows of one shape find their numbers here; more components than this only look them up. */
#define MEMO_SLOTS      4096
#define BUCKET_MS       300000
/* Results go into the table so many in one statement, which halves what each costs. */
#define RESULTS_AT_ONCE 20
#define RESULT_COLUMNS  12

enum sqlite_statement_id {
	SQL_RESULT,
	SQL_RESULTS, /* RESULTS_AT_ONCE of them */
	SQL_TRANSITION,
	SQL_PROCESS,
	SQL_EVENT,
	SQL_ALERT,
	SQL_DELIVERY,
	SQL_RUN,
	SQL_RECOVERY,
	SQL_STATE,
	SQL_STATE_REMOVE,
	SQL_VANISHED,
	SQL_VANISHED_REMOVE,
	SQL_ABOUT,
	SQL_PENDING,
	SQL_EPOCH,
	SQL_CURSOR,
	SQL_MAX
};

/* One start of a node's haled, as far as this batch is about it. */
struct epoch_ref {
	char node[ROW_NAME_MAX + 1];
	char epoch[FRAME_EPOCH_MAX];
	int64_t id, last_seq;
	int64_t first_ms, last_ms; /* of the lines of this batch; -1 none */
	bool is_changed;
};

struct memo { /* what was found for rows of this shape */
	uint64_t shape, generation;
	struct known_entry *entry;
	int64_t metric_set;
};

struct sqlite_batch {
	struct db *db;
	char *node;
	const atomic_bool *interrupted;
	struct db_statement *statements[SQL_MAX];
	struct rows_reader *reader;
	struct known known;
	struct map metric_sets; /* names -> id */
	struct memo memos[MEMO_SLOTS];

	/* In this batch. */
	const struct store_line *line;
	struct epoch_ref *ref; /* of the line; NULL until its first row */
	int64_t line_ms, wall_ms;
	struct epoch_ref *epochs;
	size_t epochs_n, epochs_cap;
	int64_t *buckets; /* that results were put into */
	size_t buckets_n, buckets_cap;
	struct err *err;

	/* Results that are gathered for one statement. Their texts are in `texts`, and until it is
	 * run, `text` is where each begins. */
	struct db_value results[RESULTS_AT_ONCE * RESULT_COLUMNS];
	size_t results_n;
	struct str texts;
};

extern const struct row_sink sqlite_rows;

int sqlite_run(struct sqlite_batch *b, enum sqlite_statement_id id, const struct db_value *args,
	       size_t n);
struct db_value sqlite_text(struct row_text t);

/* Those gathered go into the table. */
int sqlite_results_flush(struct sqlite_batch *b);
/* Finds or makes the line's epoch; LINE_REPEATED if the line is stored. at_ms -1: this row tells
 * of another time than the line's. */
int sqlite_epoch_of(struct sqlite_batch *b, struct row_text node, int64_t at_ms);
/* Finds or makes the component's number, and touches its entry. */
int sqlite_component_of(struct sqlite_batch *b, const struct row_component *c,
			struct known_entry **e_r);
/* 0: too many of them. `e`: whose they are. */
int sqlite_metric_set_of(struct sqlite_batch *b, struct known_entry *e, struct row_text names,
			 int64_t *id_r);
/* The first column of the first row; unchanged if there is none. */
int sqlite_number(struct sqlite_batch *b, const char *sql, const struct db_value *args, size_t n,
		  int64_t *number_r);
/* A state that waited: its line. */
int sqlite_state_of_line(struct sqlite_batch *b, struct known_entry *e,
			 const struct store_line *line);

#endif
