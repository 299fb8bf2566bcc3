/* SPDX-License-Identifier: Apache-2.0 */
/* export - the store's rows as one of the formats of transfer.h, in constant memory
 *
 * Blocking, on a store opened for reading. Rows come kind by kind, oldest first, one at a time, in
 * short transactions: neither is the writer kept waiting, nor is there ever more than a buffer of
 * text in memory.
 */
#ifndef HALE_STORE_EXPORT_H
#define HALE_STORE_EXPORT_H

#include "store/store.h"
#include "store/transfer.h"

/* Text is handed on in pieces of about this size. */
#define EXPORT_PIECE_BYTES 65536

struct export_plan {
	enum transfer_format format;
	unsigned what;          /* transfer_set_of(); CSV: of one kind */
	const char *hale;       /* version, for the head */
	const char *component;  /* or subject, process, alert, job; NULL: all */
	const char *node;       /* NULL: all */
	int64_t from_ms, to_ms; /* [from, to); 0: open */
	int64_t step_ms;        /* metrics: of which rollups, 5 min, 1 h or 1 d; 0: all three */
};

/* False: whoever reads has gone, or wants no more. */
typedef bool (*export_write_fn)(void *ctx, const char *data, size_t len);

/* Of a damaged SQLite file all that can be read is written, then -EUCLEAN returned.
 * 0 also if `write` said false; *is_whole_r tells. What was written then has no end, which shows in
 * NDJSON and JSON. counts_r[TRANSFER_WHAT_MAX] */
int export_run(struct store *s, const struct export_plan *p, export_write_fn write, void *ctx,
	       uint64_t *counts_r, bool *is_whole_r, struct err *err);

#endif
