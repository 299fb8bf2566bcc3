/* SPDX-License-Identifier: Apache-2.0 */
/* outlook - what the recorder says of itself: hale.recorder
 *
 * Pure. Degraded while the store cannot be used or does not keep up, for a while after lines had to
 * be dropped, and for a day after a damaged file was set aside, or until it is moved away. A single
 * try that failed is not worth a word.
 */
#ifndef HALE_RECORDER_OUTLOOK_H
#define HALE_RECORDER_OUTLOOK_H

#include "base/str.h"
#include "model/reason.h"
#include "store/line.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "Within seconds", and longer than a restart of the database's server. */
#define OUTLOOK_GRACE_MS   2000
/* Long enough to be seen, and to go out as an alert. */
#define OUTLOOK_DROPPED_MS 60000

struct outlook_view {
	const char *error;         /* of the store; NULL: it works */
	bool is_slow;              /* it does not answer in time */
	int64_t trouble_ms;        /* for how long that, or that lines wait on disk; -1: neither */
	int64_t trouble_since_ms;  /* wall */
	size_t lines, spool_lines; /* that wait in all; on disk */
	uint64_t spool_bytes;
	const char *spool_path;
	const char *spool_error; /* NULL: the disk can be used */
	const char *set_aside;   /* a damaged store; NULL: none */
	uint64_t dropped[LINE_CLASS_MAX];
	int64_t dropped_ms; /* since lines were dropped last; -1: none were */
};

struct outlook {
	enum outcome outcome;
	enum reason reason;
};

/* Sets *message. */
struct outlook outlook_of(const struct outlook_view *v, struct str *message);
/* "12 results, 3 others, 1 transition": what of it is not zero. */
void outlook_counts(const uint64_t counts[LINE_CLASS_MAX], struct str *out);

#endif
