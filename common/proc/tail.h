/* SPDX-License-Identifier: Apache-2.0 */
/* tail - the last lines a process wrote
 *
 * Pure memory, bounded: TAIL_LINES lines of TAIL_LINE_MAX bytes. Lines are numbered across all
 * processes, so that the tails of several can be merged and followed.
 */
#ifndef HALE_PROC_TAIL_H
#define HALE_PROC_TAIL_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define TAIL_LINES    200
#define TAIL_LINE_MAX 2048

struct tail_line {
	uint64_t n;
	int64_t at_ms;
	int priority; /* syslog(3): 3 error … 7 debug */
	char *text;
};

struct tail {
	struct tail_line lines[TAIL_LINES];
	size_t next;
	size_t count;
};

void tail_done(struct tail *t);
void tail_add(struct tail *t, uint64_t n, int64_t at_ms, int priority, const char *text);
/* Appends {"n","at","process","level","text"} for each line with n > after, at most `limit` of the
 * newest, oldest first. */
void tail_encode(const struct tail *t, const char *process, uint64_t after, size_t limit,
		 json_t *out);
/* The last `limit` texts of lines with n > after, as an array of strings: for crash reports. New
 * reference. */
json_t *tail_texts(const struct tail *t, uint64_t after, size_t limit);

/* Lines of several tails (tail_encode), sorted by number, and of those the last `limit`. New
 * reference. */
json_t *tail_newest(const json_t *lines, size_t limit);
/* All of it, for another program of the same process; and back. */
json_t *tail_hand_over(const struct tail *t);
void tail_take_over(struct tail *t, const json_t *former);

#endif
