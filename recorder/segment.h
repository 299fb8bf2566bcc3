/* SPDX-License-Identifier: Apache-2.0 */
/* segment - a file of the spool: lines of one class, in the order they came
 *
 * Named "<r|o|t>-<number of its first line, 16 hex digits>.lines". A head of 32 bytes
 * ("halespool", a NUL, version u16, class u32, number u64, zero u32, CRC u32 of what stands before
 * it), then records (record.h).
 *
 * Blocking: worker threads.
 * Errors:   negative errno, text says which file.
 */
#ifndef HALE_RECORDER_SEGMENT_H
#define HALE_RECORDER_SEGMENT_H

#include "base/err.h"
#include "record.h"

#define SEGMENT_VERSION    1
#define SEGMENT_HEAD_BYTES 32
#define SEGMENT_NAME_MAX   40

struct segment {
	enum line_class class;
	uint64_t first;   /* number of its first line */
	uint64_t size;    /* bytes that are good */
	uint64_t read_at; /* the lines before it have been taken */
	size_t lines;     /* that have not */
	uint64_t last;    /* number of its last line */
	bool is_damaged;  /* the rest of it could not be read */
};

void segment_name(const struct segment *s, char name_r[SEGMENT_NAME_MAX]);
/* False for a name that is none of ours. */
bool segment_from_name(const char *name, struct segment *s_r);

/* Makes the file, with its head. *fd_r is for writing. */
int segment_create(int dir, struct segment *s, int *fd_r, struct err *err);
/* Appends whole records. What a full disk lets in of them stays behind the good bytes, for the
 * caller to cut off. */
int segment_append(struct segment *s, int fd, const char *records, size_t len, struct err *err);

struct segment_found {
	uint64_t after;          /* lines up to this number are not wanted any more */
	uint64_t until;          /* lines above this number were not all written */
	size_t cut_lines;        /* whole ones of these, at least */
	uint64_t cut_bytes;      /* and what was torn */
	uint64_t last, last_seq; /* of the newest line that is good; 0 none */
	char epoch[256];         /* its epoch */
};
/* Goes through the file: which lines are good, which are wanted. What a kill has torn is cut off;
 * that can only be at the end of the newest file of a class. Anything else is damage, and stays.
 * -EBADMSG: not a segment; -EPROTONOSUPPORT: of a later version. */
int segment_scan(int dir, struct segment *s, bool is_newest, struct segment_found *found,
		 struct err *err);
/* Up to len bytes from read_at on; *len_r < len at the end of what is good. */
int segment_read(int dir, const struct segment *s, char *to, size_t len, size_t *len_r,
		 struct err *err);

#endif
