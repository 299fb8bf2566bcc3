/* SPDX-License-Identifier: Apache-2.0 */
/* journal - what haled published and must not forget when it is killed
 *
 * An append-only file of JSON lines, one per transition, process change and event, written before
 * the frame is sent. A haled that starts after a crash reads it back: into the ring, so that
 * subscribers can fetch what they missed from the former epoch, and over the state file, so that
 * nothing is judged twice. Not fsynced: it survives kill -9, not a power cut.
 *
 * Two files of at most JOURNAL_BYTES_MAX each (journal.ndjson, journal.1.ndjson) bound it.
 *
 * Errors: a disk that is full or gone is reported once and retried with the next line; health
 * goes on being judged and told.
 */
#ifndef HALE_BUS_JOURNAL_H
#define HALE_BUS_JOURNAL_H

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Some 20,000 transitions; rewriting it is never needed. */
#define JOURNAL_BYTES_MAX (8u << 20)

struct journal;

/* save may be NULL. All borrowed for the call. */
typedef void (*journal_fn)(void *ctx, const char *epoch, uint64_t seq, const char *topic,
			   const json_t *line, const json_t *save);

/* Reads what is there through on_record, oldest first (damaged lines are passed over), then opens
 * for appending. on_record NULL: what is there is known. */
int journal_open(const char *state_dir, journal_fn on_record, void *ctx, struct journal **j_r,
		 struct err *err);
/* `line` and `save` (or NULL) are JSON texts. 0, or a negative errno the first time it fails;
 * -EALREADY while it goes on failing. */
int journal_add(struct journal *j, const char *epoch, uint64_t seq, const char *topic,
		const char *line, const char *save);
void journal_close(struct journal *j);

#endif
