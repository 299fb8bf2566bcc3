/* SPDX-License-Identifier: Apache-2.0 */
/* import - rows of an export back into a store
 *
 * Blocking, on a store opened as its keeper (the recorder alone writes). A piece of rows is one
 * short transaction, so that the writer, which has a connection of its own, never waits long. Any
 * piece may be handed in again.
 *
 * A row that is there already is passed over: known by node, epoch and seq, or by its id. So is a
 * row of an epoch that is being recorded and that the writer has not come to yet: it comes from
 * the bus. last_seq of an epoch is never changed, the time it was watched only grows. Results make
 * the rollups of their buckets be computed anew.
 *
 * Errors: as of db.h; then nothing of the piece was stored. What is wrong with single rows is told
 *         in the answer and keeps the others from nothing.
 */
#ifndef HALE_STORE_IMPORT_H
#define HALE_STORE_IMPORT_H

#include "store/store.h"
#include "store/transfer.h"

#include <jansson.h>

/* Storing this many takes some 10 ms. */
#define IMPORT_ROWS_MAX 1000

struct import_live {              /* what the recorder follows */
	const char *node, *epoch; /* epoch "": nothing yet */
};

/* `rows`: an array of at most IMPORT_ROWS_MAX objects as transfer_line_read() gives them. The
 * answer: {"imported": {"results": n, …}, "present": n, "ahead": n,
 * "bad": [{"row": index, "error": text}]} */
int import_rows(struct store *s, const struct import_live *live, const json_t *rows,
		json_t **answer_r, struct err *err);

#endif
