/* SPDX-License-Identifier: Apache-2.0 */
/* spool - lines that wait on disk until the store can be used again
 *
 * Segments per class (segment.h) in one directory, bounded in bytes: when there is no room the
 * oldest segment of the least class goes first (line.h). Lines are read in the order of their
 * numbers, whatever their class.
 *
 * A note ("cursor", two slots written in turn) says which lines are all there: what a killed
 * process wrote of an append, and did not end, is cut off at the next start and comes from the bus
 * again. It also keeps up to where the store had the lines when that was last told, for a start at
 * which the store cannot be asked.
 *
 * Nothing is synced: what is written survives a kill, and after a power cut most of it does. To
 * wait for a busy disk would let more lines go by than it could save.
 *
 * Blocking: one call at a time, in worker threads; spool_facts() and spool_close() too.
 * Errors:   negative errno, text says which file. A failed append has stored nothing.
 */
#ifndef HALE_RECORDER_SPOOL_H
#define HALE_RECORDER_SPOOL_H

#include "base/err.h"
#include "base/str.h"
#include "bus/feed.h"
#include "record.h"

struct spool;

/* Records one behind the other, to be appended; they get their sums. */
struct spool_range {
	char *data;
	size_t len;
};
struct spool_ranges {
	struct spool_range *v;
	size_t n, capacity;
};
void spool_ranges_add(struct spool_ranges *r, char *data, size_t len);
void spool_ranges_done(struct spool_ranges *r);

struct spool_facts {
	size_t lines[LINE_CLASS_MAX]; /* not taken yet */
	uint64_t bytes;               /* of the files */
	uint64_t dropped[LINE_CLASS_MAX];
	size_t files_set_aside; /* found damaged or foreign, at open and since */
	uint64_t cut_bytes;     /* of an append that a kill had torn, at open */
	size_t cut_lines;
	uint64_t last; /* number of the newest line ever given, as far as is known */
	/* Where the bus is to be followed from. Epoch "": not known. */
	struct feed_cursor end;       /* the newest line here, if any waits */
	struct feed_cursor committed; /* see spool_note */
};

/* Makes the directory, reads what is there. */
int spool_open(const char *dir, uint64_t bytes_max, struct spool **s_r, struct err *err);
void spool_close(struct spool *s); /* NULL is fine */
/* `taken`: lines up to this number are in hand elsewhere, though they are appended; 0: none. */
int spool_append(struct spool *s, struct spool_ranges parts[LINE_CLASS_MAX], uint64_t taken,
		 struct err *err);
/* Appends up to lines_max records to `out`, about bytes_max bytes, in the order of their numbers,
 * and takes them. How many: 0 if all are taken. What cannot be read any more counts as dropped. */
size_t spool_take(struct spool *s, size_t lines_max, size_t bytes_max, struct str *out);
/* Lines up to this number are in the store, which stands at `cursor`: files that hold nothing else
 * go. With is_written the note is written as well. */
int spool_commit(struct spool *s, uint64_t number, const struct feed_cursor *cursor,
		 bool is_written, struct err *err);
void spool_facts(const struct spool *s, struct spool_facts *facts_r);

#endif
