/* SPDX-License-Identifier: Apache-2.0 */
/* backlog - lines between the bus and the store: in memory, then on disk
 *
 * Lines leave in the order they came, in batches, and a batch stays in hand until it is said to be
 * stored. What is in memory goes to disk when it is told to (pressure.h says when), the batch in
 * hand first, so that after a kill what is on disk follows what is in the store without a gap.
 * Bounded in memory and on disk; what had to be dropped is counted per class.
 *
 * If the disk cannot be used lines stay in memory, and it is tried again every few seconds.
 *
 * Ownership: lines of a batch are borrowed until backlog_stored().
 * Loop:      the loop's thread; files are touched in worker threads, one job at a time.
 *            on_change comes after each of them: a batch may be ready then.
 */
#ifndef HALE_RECORDER_BACKLOG_H
#define HALE_RECORDER_BACKLOG_H

#include "service/service.h"
#include "store/line.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct backlog;

struct backlog_status {
	size_t lines;         /* that are not stored */
	size_t bytes;         /* of those in memory */
	size_t unsaved_lines; /* that are nowhere but in memory */
	size_t spool_lines;
	uint64_t spool_bytes; /* of the files */
	uint64_t dropped[LINE_CLASS_MAX];
	int64_t oldest_ms;       /* `at` of the oldest line that is known to wait; -1 none */
	const char *spool_error; /* NULL: the disk can be used */
	/* Found when the spool was opened. */
	size_t files_set_aside;
	uint64_t cut_bytes;
};

struct backlog *backlog_new(struct service *s, const char *dir, uint64_t spool_bytes_max,
			    void (*on_change)(void *ctx), void *ctx);
/* Looks at what an earlier process has left. */
void backlog_open(struct backlog *b);
bool backlog_is_open(const struct backlog *b); /* it was tried, at least */
/* Up to where the bus is known: the newest line kept on disk (*is_waiting_r), or else what the
 * store was known to have. Epoch "": not known. */
struct feed_cursor backlog_cursor(const struct backlog *b, bool *is_waiting_r);

void backlog_push(struct backlog *b, const struct store_line *line);
size_t backlog_memory(const struct backlog *b);    /* bytes that wait there */
size_t backlog_lines(const struct backlog *b);     /* without those in hand */
bool backlog_is_spooling(const struct backlog *b); /* lines wait on disk */
bool backlog_has_spool(const struct backlog *b);
/* The batch in hand, made if there is none. 0: there is nothing, or it is being read. */
size_t backlog_batch(struct backlog *b, const struct store_line **lines_r);
bool backlog_has_batch(const struct backlog *b);
/* The batch in hand is in the store. */
void backlog_stored(struct backlog *b);
/* What is in memory goes to disk, unless that failed a moment ago. */
void backlog_spill(struct backlog *b);
/* Notes on disk up to where the store has the lines. */
void backlog_note(struct backlog *b);
struct backlog_status backlog_status(const struct backlog *b);

/* Everything that waits goes to disk, then on_closed (may free). No batch may be in use. */
void backlog_close(struct backlog *b, void (*on_closed)(void *ctx));
void backlog_free(struct backlog *b);

#endif
