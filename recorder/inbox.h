/* SPDX-License-Identifier: Apache-2.0 */
/* inbox - lines that wait in memory, as records in chunks
 *
 * Pure memory. Lines leave in the order they came, whatever their class; to make room the oldest of
 * the least class goes first (line.h). A line costs the copying of its bytes: chunks are allocated
 * by the hundred lines, and what is taken points into them.
 *
 * Ownership: chunks are counted. Who took lines lets go of their chunks by chunks_done(). Zero-
 *            initialise; inbox_done().
 * Loop:      any one thread; chunks that were moved out may be read by another meanwhile.
 */
#ifndef HALE_RECORDER_INBOX_H
#define HALE_RECORDER_INBOX_H

#include "record.h"

/* About a hundred results; a longer line has a chunk of its own. */
#define INBOX_CHUNK_BYTES ((size_t)64 << 10)

struct chunk {
	struct chunk *next; /* in its list */
	unsigned refs;
	size_t at, len, size; /* [at, len) waits; size is what there is room for */
	char data[];
};

/* Chunks somebody holds on to. */
struct chunks {
	struct chunk **v;
	size_t n, capacity;
};
void chunks_hold(struct chunks *c, struct chunk *chunk); /* once, if it was the last one held */
void chunks_done(struct chunks *c);                      /* lets go of all; keeps nothing */

struct inbox_list {
	struct chunk *first, *last;
	size_t n, bytes;
};

struct inbox {
	size_t n, bytes; /* of the lines that wait */
	uint64_t last;   /* number given last */
	struct inbox_list lists[LINE_CLASS_MAX];
	struct chunk *spare; /* of the usual size, so that a calm system allocates nothing */
};

void inbox_push(struct inbox *in, enum line_class class, const struct store_line *line);
/* The oldest line; false if there is none. Its chunk is held in *held. */
bool inbox_take(struct inbox *in, struct chunks *held, struct record *r_r);
/* The same without taking it. */
bool inbox_first(const struct inbox *in, struct record *r_r);
/* Drops the oldest line of the least class there is; LINE_CLASS_MAX if there is none. */
enum line_class inbox_drop(struct inbox *in);
/* Moves all lines out, and back in before those that have come since. */
void inbox_move(struct inbox *in, struct inbox_list lists_r[LINE_CLASS_MAX]);
void inbox_put_back(struct inbox *in, struct inbox_list lists[LINE_CLASS_MAX]);
/* Frees what was moved out. */
void inbox_list_done(struct inbox_list *list);
void inbox_done(struct inbox *in);

#endif
