/* SPDX-License-Identifier: Apache-2.0 */
/* import_row - what a row of an export is in the tables (private to this layer)
 *
 * Pure. One table says for each kind which member goes into which column; names that have numbers
 * in the store are left open, for import.c to find those.
 *
 * Ownership: import_row_done frees what decoding made; other texts are the JSON's.
 */
#ifndef HALE_STORE_IMPORT_ROW_H
#define HALE_STORE_IMPORT_ROW_H

#include "db/db.h"
#include "store/transfer.h"

#include <jansson.h>

#define IMPORT_COLUMNS_MAX 16

enum import_type {
	/* As they are. */
	IMPORT_TEXT,
	IMPORT_ID, /* part of a cursor: as long as a name may be */
	IMPORT_INT,
	IMPORT_SEQ,   /* not below 0 */
	IMPORT_COUNT, /* not below 1 */
	IMPORT_REAL,
	IMPORT_BOOL,
	IMPORT_TIME,    /* RFC 3339 -> ms */
	IMPORT_JSON,    /* -> text; empty ones are NULL */
	IMPORT_US,      /* ms -> us */
	IMPORT_REASON,  /* NULL for "ok" */
	IMPORT_STATUS,  /* -> code */
	IMPORT_OUTCOME, /* -> code */
	IMPORT_VALUES,  /* metrics without their names */
	IMPORT_DAY,     /* of the time, in days since 1970 */
	IMPORT_SLOT,    /* number of the bucket in its day */
	IMPORT_ZERO,
	/* Numbers of names: open after decoding. */
	IMPORT_COMPONENT,
	IMPORT_EPOCH,
	IMPORT_METRIC,
	IMPORT_METRIC_SET,
};

struct import_column {
	const char *member, *name;
	enum import_type type;
	bool is_required;
};

struct import_kind {
	const char *table; /* NULL: by level */
	const struct import_column *columns;
	size_t n;
};

struct import_row {
	const struct import_kind *kind;
	const char *table;
	int what;
	size_t index; /* in the piece */
	int64_t at_ms, seq;
	int64_t epoch_id; /* results: for import.c */
	bool is_present;
	const char *node, *component, *epoch, *metric; /* NULL: the kind has none */
	struct str metric_names, metric_values;
	struct db_value v[IMPORT_COLUMNS_MAX];
	char *owned[IMPORT_COLUMNS_MAX];
};

/* 0, or -EINVAL with what is wrong; import_row_done in any case. */
int import_row_decode(const json_t *object, struct import_row *row, struct err *err);
/* The metrics become a JSON object, for which no set of names is needed. */
void import_row_join_metrics(struct import_row *row);
void import_row_done(struct import_row *row);

#endif
