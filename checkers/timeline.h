/* SPDX-License-Identifier: Apache-2.0 */
/* timeline - many things that are to happen at some time, for one timer
 *
 * Pure: no clock, no timer. A heap of items that stand inside of what they are for; the caller arms
 * one timer for timeline_next() and takes what is due. Times are monotonic ms.
 *
 * Ownership: items are the caller's and stay while they are in it. Zeroed structs are valid: an
 *            empty timeline, an item that is in none. timeline_done frees.
 * Errors:    none; out of memory is fatal.
 */
#ifndef HALE_CHECKERS_TIMELINE_H
#define HALE_CHECKERS_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timeline_item {
	int64_t at_ms;
	uint32_t place; /* in the heap, from 1; 0: in none */
};

struct timeline {
	struct timeline_item **heap;
	uint32_t n;
	uint32_t cap;
};

/* Puts it in, or moves it if it is in already. */
void timeline_set(struct timeline *t, struct timeline_item *item, int64_t at_ms);
/* Nothing happens if it is in none. */
void timeline_drop(struct timeline *t, struct timeline_item *item);
bool timeline_has(const struct timeline_item *item);
/* When the earliest is due; INT64_MAX if there is none. */
int64_t timeline_next(const struct timeline *t);
/* Takes out the earliest that is due by now, or NULL: call until NULL. */
struct timeline_item *timeline_take(struct timeline *t, int64_t now_ms);
void timeline_done(struct timeline *t);

#endif
