/* SPDX-License-Identifier: Apache-2.0 */
/* logfile - the lines of one process in a file that is rotated by size
 *
 * name.log, name.log.1 … name.log.<files>: each at most max_bytes. Lines are written as they are,
 * with the time in front if asked. Writing never blocks longer than the disk does, and trouble with
 * the disk is told once by the caller, counted, and tried again.
 *
 * Ownership: the spec is copied. Errors: negative errno. Loop: haled's thread, no callbacks.
 */
#ifndef HALE_PROC_LOGFILE_H
#define HALE_PROC_LOGFILE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct logfile_spec {
	char *path; /* NULL: no file */
	uint64_t max_bytes;
	uint32_t files; /* kept beside the one being written */
	bool has_time;  /* RFC 3339 in front of each line */
};

struct logfile;

/* Opens at the first line, so that a program which says nothing leaves no file. */
struct logfile *logfile_new(const struct logfile_spec *spec);
/* `at_ms` wall. -errno of what failed; the line is then lost to the file and counted. */
int logfile_line(struct logfile *l, int64_t at_ms, const char *text, size_t len);
/* Somebody renamed it (logrotate): opens the path anew. */
void logfile_reopen(struct logfile *l);
uint64_t logfile_dropped(const struct logfile *l);
void logfile_free(struct logfile *l); /* NULL is fine */

#endif
