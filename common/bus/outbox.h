/* SPDX-License-Identifier: Apache-2.0 */
/* outbox - the lines a child has published and haled has not acknowledged yet (internal)
 *
 * Pure memory, no loop, no socket: what is kept, what is sent next, what is given up. Lines are
 * kept in order of seq. Beyond max_bytes the oldest observation goes first, because the next one
 * says the same; other lines go when there are no observations left.
 */
#ifndef HALE_BUS_OUTBOX_H
#define HALE_BUS_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/frame.h"

struct outbox_line {
	uint64_t seq;
	char topic[FRAME_TOPIC_MAX];
	size_t bytes;                                    /* what it counts for in the limit */
	struct outbox_line *next, *prev;                 /* all, oldest first */
	struct outbox_line *next_of_kind, *prev_of_kind; /* observations, or all others */
	size_t len;                                      /* text, newline included */
	char text[];
};

struct outbox_list {
	struct outbox_line *first, *last;
};

struct outbox {
	size_t max_bytes;
	size_t bytes;
	size_t sent_bytes; /* of the lines before `unsent` */
	size_t n;
	struct outbox_list all;
	struct outbox_list observations;
	struct outbox_list others;
	struct outbox_line *unsent; /* next to be sent; NULL: all were */
};

void outbox_init(struct outbox *o, size_t max_bytes);
void outbox_done(struct outbox *o);
/* Returns how many lines had to go for it; the new one itself if it alone is beyond the limit. */
size_t outbox_add(struct outbox *o, uint64_t seq, const char *topic, const char *line, size_t len);
/* Forgets everything up to seq. */
void outbox_ack(struct outbox *o, uint64_t seq);
/* The next line to send, NULL if all were sent; borrowed until the outbox changes. */
const struct outbox_line *outbox_peek(const struct outbox *o);
/* That line was sent. */
void outbox_step(struct outbox *o);
/* Start again with the oldest line. */
void outbox_rewind(struct outbox *o);

#endif
