/* SPDX-License-Identifier: Apache-2.0 */
/* postgres_table - rows on their way into PostgreSQL, as columns (private to this layer)
 *
 * Pure. For each table the statement that takes arrays, and the arrays. A row is put value by
 * value, in the order of the statement's parameters; texts are copied.
 *
 * Ownership: caller owns struct postgres_tables; postgres_tables_init(), _done().
 */
#ifndef HALE_STORE_POSTGRES_TABLE_H
#define HALE_STORE_POSTGRES_TABLE_H

#include "db/pgarray.h"
#include "db/pgpipe.h"
#include "store/rows.h"

enum postgres_table {
	/* Names that have no number yet, in a transaction of their own; each gives rows. */
	TABLE_NEW_EPOCHS,
	TABLE_EPOCHS_FOUND,
	TABLE_NEW_COMPONENTS,
	TABLE_COMPONENTS_FOUND,
	TABLE_NEW_SETS,
	TABLE_SETS_FOUND,
	/* A batch, in the order of its statements. */
	TABLE_EPOCHS,
	TABLE_RESULTS,
	TABLE_TRANSITIONS,
	TABLE_STANDING, /* transitions, some of which only if they are news */
	TABLE_PROCESSES,
	TABLE_EVENTS,
	TABLE_ALERTS,
	TABLE_DELIVERIES,
	TABLE_RUNS,
	TABLE_RECOVERIES,
	TABLE_ABOUT,
	TABLE_STATES,
	TABLE_VANISHED, /* behind the states that the snapshot has */
	/* Last, because other nodes wait for these. */
	TABLE_PENDING,
	TABLE_CURSOR,
	TABLE_MAX
};

struct postgres_column_set {
	size_t rows, columns, next; /* next: of the row that is being put */
	struct pg_array column[PG_PIPE_PARAMS_MAX];
	struct pg_param params[PG_PIPE_PARAMS_MAX];
};

struct postgres_tables {
	struct postgres_column_set set[TABLE_MAX];
};

void postgres_tables_init(struct postgres_tables *t);
void postgres_tables_done(struct postgres_tables *t);
void postgres_tables_clear(struct postgres_tables *t);

/* A row's values, one after the other; the last one ends it. */
void postgres_put_int(struct postgres_tables *t, enum postgres_table table, int64_t n);
void postgres_put_time(struct postgres_tables *t, enum postgres_table table, int64_t ms);
/* NULL if negative. */
void postgres_put_int_or_null(struct postgres_tables *t, enum postgres_table table, int64_t n);
void postgres_put_time_or_null(struct postgres_tables *t, enum postgres_table table, int64_t ms);
/* NULL if there is none. */
void postgres_put_text(struct postgres_tables *t, enum postgres_table table, struct row_text text);

/* The statement with its arrays; valid until the table changes. */
struct pg_step postgres_step(struct postgres_tables *t, enum postgres_table table);

#endif
