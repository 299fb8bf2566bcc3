/* SPDX-License-Identifier: Apache-2.0 */
/* ring - the lines published lately, bounded in bytes, for replay
 *
 * Pure memory, no loop. Lines may be of several epochs: those a former haled left in its journal
 * come first (ring_add with their own epoch), then this one's.
 */
#ifndef HALE_BUS_RING_H
#define HALE_BUS_RING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring;

struct ring *ring_new(size_t max_bytes);
void ring_free(struct ring *r);
/* Oldest lines leave when max_bytes would be exceeded. seq must rise within an epoch. */
void ring_add(struct ring *r, const char *epoch, uint64_t seq, const char *topic, const char *line,
	      size_t len);
/* Every line it holds, oldest first; all borrowed for the call, `line` is not NUL-terminated. */
void ring_each(const struct ring *r,
	       void (*on_line)(void *ctx, const char *epoch, uint64_t seq, const char *topic,
			       const char *line, size_t len),
	       void *ctx);
/* A new bound, in force at once. */
void ring_resize(struct ring *r, size_t max_bytes);
size_t ring_bytes(const struct ring *r);
uint64_t ring_evicted(const struct ring *r);

enum ring_answer {
	RING_OK,      /* frames_r holds what follows the cursor, more_r whether to ask again */
	RING_TOO_OLD, /* the ring no longer has what follows: a snapshot is needed */
};

/* What came after (epoch, after), oldest first, about max_bytes at most, as a JSON array of frame
 * texts. epoch NULL or "" means from the oldest line on (behind the last hole between epochs), if
 * nothing of the newest epoch was evicted yet. An epoch the ring has never seen is RING_TOO_OLD. */
enum ring_answer ring_replay(const struct ring *r, const char *epoch, uint64_t after,
			     size_t max_bytes, json_t **frames_r, bool *more_r);

#endif
