/* SPDX-License-Identifier: Apache-2.0 */
/* recent - stored rows as the lines of the bus that they once were
 *
 * Pure. A newly started hale-web has heard nothing yet; what happened lately is in the store. Its
 * rows (docs/store.md) become frames of the stream again, {"event","seq","data"}, with as much of
 * the line as was stored.
 */
#ifndef HALE_WEB_RECENT_H
#define HALE_WEB_RECENT_H

#include "store/read.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* The kinds of rows that tell what happened; each is read on its own. */
extern const enum read_what recent_kinds[];
extern const size_t recent_kinds_n;

/* New reference, or NULL: not worth telling, or no such row. */
json_t *recent_frame(enum read_what what, const json_t *row);
/* Adds the frames of `rows` (newest first) to `frames` but those that the line `head` of `epoch`
 * was before: they come over the bus. */
void recent_add(json_t *frames, enum read_what what, const json_t *rows, const char *epoch,
		uint64_t head);
/* The newest `max`, in order of time. New reference. */
json_t *recent_pick(const json_t *frames, size_t max);

#endif
