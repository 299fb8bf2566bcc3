/* SPDX-License-Identifier: Apache-2.0 */
/* inbox - the receiving end of many outboxes: each line of each child once, in order
 *
 * Pure memory: haled hands in the frames of results.ipc and publishes inbox_acks() as its "sync".
 * Per epoch ("<service>:<generation>") it knows the next seq it expects; a new epoch begins at 1.
 *
 *  - Lines before it are repeats and ignored.
 *  - A frame that begins behind it is refused and counted: the child sends again what is missing,
 *    because it was never acknowledged.
 *  - A skip marker (frame.h) moves it forward: what lies between will never come, and is counted.
 *  - Frames of a generation that was retired are refused: what a child that is dead and forgotten
 *    sent last would otherwise be taken for a new one's first.
 *
 * Loop: any thread, one at a time. The callback must not call back into the inbox.
 */
#ifndef HALE_BUS_INBOX_H
#define HALE_BUS_INBOX_H

#include "model/frame.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Epochs at once. One per running child is needed; beyond this something is broken or hostile, and
 * new ones are refused. As many retired services are remembered. */
#define INBOX_EPOCHS_MAX 1024

struct inbox;

struct inbox_stats {
	uint64_t lines;      /* accepted */
	uint64_t duplicates; /* lines ignored, they had come before */
	uint64_t gaps;       /* frames refused, something before them is missing */
	uint64_t skipped;    /* lines which the child gave up */
	uint64_t refused;    /* frames of one epoch too many, or of none that a child may have */
	uint64_t late;       /* frames of retired generations */
};

struct inbox_ops {
	/* line is not NUL-terminated and borrowed for the call. */
	void (*on_line)(void *ctx, const char *service, uint64_t generation, const char *topic,
			uint64_t seq, const char *line, size_t len);
	/* The child gave up so many lines. May be NULL. */
	void (*on_lost)(void *ctx, const char *service, uint64_t lines);
};

struct inbox *inbox_new(void);
void inbox_free(struct inbox *i);
/* True if the acknowledgement for this epoch has changed or must be repeated (the child repeats
 * itself, so it has not heard): a sync is due (pace.h). */
bool inbox_accept(struct inbox *i, const struct frame *f, const struct inbox_ops *ops, void *ctx);
/* {"acks": {epoch: newest seq accepted}}; new reference. For pub_sync(). */
json_t *inbox_acks(const struct inbox *i);
/* What a former inbox acknowledged ("acks" as above), for children that outlived it. */
void inbox_restore(struct inbox *i, const json_t *acks);
/* The service's generations below this one have ended. A lower number than before takes back what
 * was said then: its generations begin anew. */
void inbox_retire(struct inbox *i, const char *service, uint64_t generation);
const struct inbox_stats *inbox_stats_get(const struct inbox *i);

#endif
