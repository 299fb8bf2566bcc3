/* SPDX-License-Identifier: Apache-2.0 */
/* line - one line of the bus, as the recorder hands it on
 *
 * Pure. All borrowed, not copied: a batch of them points into the frames they came in.
 */
#ifndef HALE_STORE_LINE_H
#define HALE_STORE_LINE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* haled's status (the result of `status` with "epoch" and "head"), which stands in for lines that
 * were lost: what differs from the last transition known becomes one. */
#define STORE_TOPIC_SNAPSHOT "snapshot"

struct store_line {
	const char *topic; /* frame.h's, or STORE_TOPIC_SNAPSHOT */
	const char *epoch;
	uint64_t seq;
	const char *text; /* JSON object, NUL-terminated */
	size_t len;
};

/* What may be dropped first when there is no room. */
enum line_class {
	LINE_RESULT,     /* one observation; the next one tells nearly the same */
	LINE_OTHER,      /* processes, events, alerts, runs */
	LINE_TRANSITION, /* a change of status: what history is for; snapshots */
	LINE_CLASS_MAX
};
enum line_class line_classify(const struct store_line *line);

#endif
