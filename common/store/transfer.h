/* SPDX-License-Identifier: Apache-2.0 */
/* transfer - rows of the store as a file that leaves it, and may come back
 *
 * Pure. Three formats (docs/store.md, "Export and import"):
 *
 *   NDJSON  a first line that says what it is, one line per start of haled ("epochs") and per row,
 *           each with "what" it is, a last line of counts. A file without that one is cut off.
 *           It is what `hale import` reads.
 *   CSV     RFC 4180, one kind of row, a line of names; what is no scalar is JSON text. NULL is an
 *           empty cell, an empty text "". Text that a spreadsheet would take for a formula has an
 *           apostrophe before it.
 *   JSON    an array of one kind, an object of arrays of several.
 *
 * Nested objects have sorted members, so that both databases give the same bytes.
 *
 * Ownership: the caller owns struct transfer and the buffer; texts of a head are borrowed.
 */
#ifndef HALE_STORE_TRANSFER_H
#define HALE_STORE_TRANSFER_H

#include "store/read.h"

#include "base/str.h"

/* Of NDJSON and JSON; raised when a reader of the former could misunderstand the file. */
#define TRANSFER_VERSION  1
/* A row's longest texts are a few times ROW_DETAILS_MAX; a longer line is nobody's row. */
#define TRANSFER_LINE_MAX ((size_t)1 << 20)

enum transfer_format { TRANSFER_NDJSON, TRANSFER_CSV, TRANSFER_JSON };
/* "ndjson" …; -1: none. */
int transfer_format_of(const char *name);

/* The kinds of rows: those of read.h, and two more. */
enum {
	TRANSFER_METRICS = READ_WHAT_MAX, /* rollups, store/export.h */
	TRANSFER_EPOCHS,                  /* starts of haled; in NDJSON only */
	TRANSFER_WHAT_MAX
};
int transfer_what_of(const char *name); /* -1: none */
const char *transfer_what_name(int what);
/* The set of a list "results,events" or "all", as bits 1 << what; 0 if a name is none. */
unsigned transfer_set_of(const char *list);

struct transfer_head {
	const char *hale;             /* version that wrote it */
	const char *node, *component; /* filters; NULL: all */
	int64_t schema;               /* of the store it came from */
	int64_t from_ms, to_ms;       /* 0: open */
	unsigned what;                /* a set; CSV: of one */
};

struct transfer {
	enum transfer_format format;
	bool is_many;
	int what; /* that is being written; -1: none yet */
	uint64_t counts[TRANSFER_WHAT_MAX];
};

/* All append to out. In this order: begin, for each kind open and its rows, end. */
void transfer_begin(struct transfer *t, enum transfer_format format,
		    const struct transfer_head *head, struct str *out);
void transfer_open(struct transfer *t, int what, struct str *out);
void transfer_row(struct transfer *t, const json_t *row, struct str *out);
void transfer_end(struct transfer *t, struct str *out);

enum transfer_line { TRANSFER_LINE_HEAD, TRANSFER_LINE_ROW, TRANSFER_LINE_END };

/* Reads one line of NDJSON. -EINVAL: what is wrong with it; -EPROTONOSUPPORT: a head of another
 * version. *object_r is a new reference: a head, a row with "what", or {"counts"}. */
int transfer_line_read(const char *text, size_t len, enum transfer_line *kind_r, json_t **object_r,
		       struct err *err);

#endif
