/* SPDX-License-Identifier: Apache-2.0 */
/* frame - one bus message: a header line and NDJSON (DESIGN section 5)
 *
 *   "<topic> <epoch> <first-seq> <count>\n" then count lines of JSON, each ending in "\n".
 *
 * From haled: epoch names this start of haled, seq numbers all lines of all topics without gaps.
 * From a child: epoch is "<service>:<generation>", seq numbers its lines. The topic "sync" carries
 * one line, its first-seq is the newest seq published, and it is itself not numbered:
 * {"acks": {"<service>:<generation>": seq}}.
 * From a child, "sync" with count 0 is a skip marker: nothing before first-seq will come any more
 * (the outbox was full, or it was acknowledged), and the receiver goes on from there.
 *
 * Versions. A header of four words is version 1; every later version writes itself as a fifth word,
 * "v2", behind which others may follow. The first four words mean the same in all versions, so that
 * who cannot read the lines still knows which ones it has missed. What to do with what one does not
 * know: a version, the frame is counted and dropped; a topic, its lines are passed over but their
 * numbers count; a member of a line, it is ignored.
 */
#ifndef HALE_MODEL_FRAME_H
#define HALE_MODEL_FRAME_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define TOPIC_OBSERVATION "observation" /* child -> haled only */
#define TOPIC_HEALTH      "health"
#define TOPIC_PROCESS     "process"
#define TOPIC_ALERT       "alert"
#define TOPIC_RECONCILE   "reconcile"
#define TOPIC_ACTION      "action"
#define TOPIC_EVENT       "event"
#define TOPIC_SYNC        "sync"

/* How JSON is written for machines, everywhere: fifteen digits are what a double holds of a decimal
 * number, so 0.007 stays 0.007. */
#define JSON_WIRE_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(15))

#define FRAME_TOPIC_MAX   32
#define FRAME_EPOCH_MAX   64
/* A frame is flushed before it grows beyond this; a single longer line travels alone. */
#define FRAME_FLUSH_BYTES 65536
/* The newest version this code reads and writes. */
#define FRAME_VERSION     1
/* Nothing longer is accepted from the bus: a full result of the largest check is far below. */
#define FRAME_MAX_BYTES   (4u << 20)

struct frame {
	char topic[FRAME_TOPIC_MAX];
	char epoch[FRAME_EPOCH_MAX];
	uint64_t first_seq;
	uint32_t count;
	const char *lines; /* borrowed: points into the parsed bytes */
	size_t lines_len;
};

/* -EINVAL for anything that is not a frame (counts that do not match included).
 * -EPROTONOSUPPORT for a frame of a later version: f_r holds its first four words and no lines. */
int frame_parse(const char *data, size_t len, struct frame *f_r);
/* Appends header and lines to out. `lines` are count lines with their newlines. */
void frame_format(struct str *out, const char *topic, const char *epoch, uint64_t first_seq,
		  uint32_t count, const char *lines, size_t lines_len);
/* Walks the lines: false at the end. line_r is not NUL-terminated, the newline is not part. */
bool frame_line(const struct frame *f, size_t *cursor, const char **line_r, size_t *len_r);

#endif
