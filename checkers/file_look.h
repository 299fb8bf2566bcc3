/* SPDX-License-Identifier: Apache-2.0 */
/* file_look - what is there at a path: one file, a directory's files, or what a pattern matches
 *
 * Blocks, on servers that are gone for ever: for threads only. Bounded in entries, depth and bytes.
 * Of several files it keeps their number and size, the newest and the oldest; "the file" below is
 * the one there is, or the newest.
 *
 * Ownership: struct file_plan is borrowed; file_look_done() frees what was found.
 * Errors:    in `error`: what could not be read, and why.
 * Loop:      file_look() in a thread; is_cancelled may be set from another one.
 */
#ifndef HALE_CHECKERS_FILE_LOOK_H
#define HALE_CHECKERS_FILE_LOOK_H

#include "base/strlist.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A queue of more is looked at in another way. Some ten microseconds each. */
#define FILE_ENTRIES_MAX 100000
/* Folders in folders, and parts of a pattern. */
#define FILE_DEPTH_MAX   16
/* A checksum of this takes a second. */
#define FILE_HASH_MAX    (INT64_C(256) << 20)
/* So many names are shown to who looks on. */
#define FILE_SHOWN_MAX   50
#define FILE_SHA256_SIZE 65

struct file_plan {
	const char *path;   /* may be a pattern: * ? [...] */
	const char *match;  /* of a directory: only files of such names; NULL: all */
	bool is_deep;       /* of a directory: also files in its folders */
	bool is_itself;     /* a directory is looked at itself, and not into */
	int64_t read_bytes; /* of the file's content; 0: none */
	bool is_end;        /* its last ones, not its first */
	bool wants_sha256;
	bool wants_names;
};

struct file_seen {
	char *path; /* NULL: there is none */
	int64_t size_bytes;
	int64_t modified_ms; /* wall clock */
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

struct file_look {
	const struct file_plan *plan;
	atomic_bool is_cancelled;
	char error[512]; /* "": all could be read */
	bool is_set;     /* a directory, or a pattern */
	bool is_there;   /* the path, or at least one match */
	size_t files;    /* regular files, and what else was named itself */
	int64_t total_bytes;
	struct file_seen newest, oldest;
	char *content; /* read_bytes of it at most, and a NUL */
	size_t content_len;
	char sha256[FILE_SHA256_SIZE]; /* "": not wanted, or too large (error says so) */
	struct strlist names;
	size_t entries; /* looked at */
};

bool file_is_pattern(const char *path);
void file_look(struct file_look *l);
void file_look_done(struct file_look *l);

#endif
