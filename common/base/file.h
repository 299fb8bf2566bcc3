/* SPDX-License-Identifier: Apache-2.0 */
/* file - whole files, directories and paths
 *
 * Every fd is CLOEXEC. Sizes are bounded by the caller.
 */
#ifndef HALE_BASE_FILE_H
#define HALE_BASE_FILE_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Appends the file to out. -EFBIG beyond max_bytes, else negative errno. */
int file_read(const char *path, size_t max_bytes, struct str *out, struct err *err);
int file_read_fd(int fd, size_t max_bytes, struct str *out);
/* All of it, whatever a signal or a full pipe cuts; negative errno. */
int fd_write(int fd, const void *data, size_t len);
/* Writes path.new, then renames over path: readers see the old or the new, never a part. Not
 * fsynced: it survives a killed process, not a power cut. */
int file_write_atomic(const char *path, const void *data, size_t len, unsigned mode,
		      struct err *err);
/* Creates the directory and its parents. An existing directory is fine. */
int dir_make(const char *path, unsigned mode, struct err *err);
/* Makes the directory somebody else's, and our plain files in it and in its folders but those
 * is_kept() says (NULL: none at all). */
int dir_give(const char *path, uid_t uid, gid_t gid, unsigned mode,
	     bool (*is_kept)(const char *name), struct err *err);

/* "dir/name"; caller frees. An absolute name is returned as it is. */
char *path_join(const char *dir, const char *name);
/* Directory of this executable; caller frees. NULL if /proc does not tell. */
char *path_exe_dir(void);

#endif
