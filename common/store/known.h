/* SPDX-License-Identifier: Apache-2.0 */
/* known - the components a writer knows: number, what was last stored, what is still to be
 * (private to this layer)
 *
 * Pure. A batch touches components; when it is committed, what it changed holds, and when it is
 * not, it never happened. A routine line's state is kept as the line itself, the newest per
 * component, and read when it is due: at once if the status differs, else every
 * KNOWN_STATE_EVERY_MS of the writer's own time, so that lines which waited cost no more.
 *
 * Ownership: caller owns struct known; zero-initialise, known_done(). Entries belong to it.
 */
#ifndef HALE_STORE_KNOWN_H
#define HALE_STORE_KNOWN_H

#include "base/map.h"
#include "base/str.h"
#include "store/rows.h"

/* A table of the present state need not be fresher, and each write costs as much as a result. */
#define KNOWN_STATE_EVERY_MS 5000
/* A message that stays as it was is stored once a day, so that it is found while results are. */
#define KNOWN_NEWS_MS        ((int64_t)86400000)
/* More components than any node has: beyond it all are forgotten, and found again in the tables. */
#define KNOWN_MAX            100000
/* After it all are forgotten, and looked up again: a name that nobody looks up for days and that
 * has no rows may go (keep_sweep.c). */
#define KNOWN_AGE_MS         ((int64_t)86400000)
/* Components have a few dozen metric sets together. A check that invents names has its metrics kept
 * as they come, instead. */
#define METRIC_SETS_MAX      4096
/* Metric sets that one component may ask for in that time. What has more makes up names, and would
 * use up those of all others. */
#define KNOWN_SETS_MAX       64

struct known_entry {
	int64_t id;     /* 0: not known */
	uint64_t about; /* kind and label, as stored; 0 not known */
	/* Of the last result stored; 0: not known. */
	uint64_t shape, message, details;
	int64_t news_day;
	int sets, sets_before; /* asked for since it is known; before this batch */

	int stored_status;  /* component_states has it; -1: nothing is known to be there */
	int64_t stored_ms;  /* of that state */
	struct str waiting; /* the newest line whose state is not stored, from batches before */

	bool is_open; /* in known.open */
	/* In this batch. */
	bool is_touched, is_stored;
	bool is_new; /* the number was given */
	const struct store_line *latest;
	int latest_status;
};

struct known {
	struct map entries; /* node LF name */
	struct known_list {
		struct known_entry **v;
		size_t n, cap;
	} touched, open;     /* in this batch; with a state to be stored */
	int64_t now_ms;      /* monotonic, of this batch; the caller sets it */
	int64_t since_ms;    /* wall: when all were forgotten last; 0: never */
	uint64_t generation; /* entries that were got in another one are gone */
};

/* Never NULL; makes it. */
struct known_entry *known_get(struct known *r, struct row_text node, struct row_text name);
/* Whether it is time to forget all, with known_done() and whatever else the writer has in mind. */
bool known_is_old(struct known *r, int64_t wall_ms);
/* Before anything of the entry changes in a batch. */
void known_touch(struct known *r, struct known_entry *e);

/* What a result's message and details say that the one before did not; remembers it. Trouble is
 * told always; a measure that differs is no news, it is among the metrics. */
struct known_news {
	bool message, details;
};
struct known_news known_tell(struct known_entry *e, const struct row_result *row);
/* The routine line that row came in; the line stays as it is until the batch ends. */
void known_note(struct known *r, struct known_entry *e, const struct row_result *row,
		const struct store_line *line);
/* Of the entries with a state to be stored, the next that is due, with its line; all, if is_all.
 * cursor begins at 0. Store it and say so with known_stored(). */
struct known_entry *known_due(struct known *r, size_t *cursor, bool is_all,
			      struct store_line *line_r);
void known_stored(struct known *r, struct known_entry *e, int status);

/* States that wait are of components that there are no more, but for those stored in this batch. */
void known_vanished(struct known *r);

void known_commit(struct known *r);
void known_rollback(struct known *r);
void known_done(struct known *r);

#endif
