/* SPDX-License-Identifier: Apache-2.0 */
/* queue - lines that wait to be stored, bounded in bytes
 *
 * Pure. Lines leave in the order they came. When the limit is passed, the oldest line of the least
 * class goes first: single results before anything else, changes of status last of all. What was
 * dropped is counted per class.
 *
 * Ownership: caller owns struct queue; zero-initialise and set bytes_max. Lines are taken over and
 *            handed back (queue_line_done).
 * Loop:      any one thread.
 */
#ifndef HALE_RECORDER_QUEUE_H
#define HALE_RECORDER_QUEUE_H

#include "store/write.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum queue_class {
	QUEUE_RESULT,     /* one observation; the next one tells nearly the same */
	QUEUE_OTHER,      /* processes, events, alerts, runs */
	QUEUE_TRANSITION, /* a change of status: what history is for */
	QUEUE_CLASS_MAX
};

struct queue_item;

struct queue {
	size_t bytes_max;
	size_t bytes; /* estimate of the memory in use */
	size_t n;
	uint64_t dropped[QUEUE_CLASS_MAX];
	uint64_t pushed; /* numbers the items */
	struct queue_list {
		struct queue_item *first, *last;
	} lists[QUEUE_CLASS_MAX];
};

enum queue_class queue_classify(const char *topic, const json_t *object);
/* Takes the line's texts and its reference. */
void queue_push(struct queue *q, enum queue_class class, const struct store_entry *line);
/* The oldest line; false if there is none. The caller owns it then. */
bool queue_pop(struct queue *q, struct store_entry *line_r);
uint64_t queue_dropped(const struct queue *q);
void queue_done(struct queue *q);

void queue_line_done(struct store_entry *line);

#endif
