/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

/* What cannot be opened or rotated is tried again so often, not at each line of a flood. */
#define RETRY_MS       1000
#define FILE_MODE      0640
#define DIRECTORY_MODE 0750

struct logfile {
	struct logfile_spec spec;
	int fd; /* -1: not open */
	uint64_t size;
	int64_t retry_ms; /* wall; not tried before */
	int error;        /* of the last try, until it succeeds */
	uint64_t dropped;
};

struct logfile *logfile_new(const struct logfile_spec *spec)
{
	struct logfile *l = mem_alloc(sizeof(*l));

	l->spec = *spec;
	l->spec.path = mem_dup(spec->path);
	l->fd = -1;
	return l;
}

void logfile_free(struct logfile *l)
{
	if (l == NULL)
		return;
	logfile_reopen(l);
	free(l->spec.path);
	free(l);
}

void logfile_reopen(struct logfile *l)
{
	if (l->fd >= 0)
		(void)close(l->fd);
	l->fd = -1;
	l->retry_ms = 0;
}

uint64_t logfile_dropped(const struct logfile *l)
{
	return l->dropped;
}

/* ---- opening ---- */

/* Never through a link that somebody else may have put there, and never waiting for the reader of
 * a FIFO. */
static int open_path(const char *path)
{
	int fd =
		open(path,
		     O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
		     FILE_MODE);

	return fd < 0 ? -errno : fd;
}

static int make_directory(const char *path)
{
	HALE_CLEANUP(cleanup_free) char *copy = mem_dup(path);

	return dir_make(dirname(copy), DIRECTORY_MODE, NULL);
}

static int open_log(struct logfile *l)
{
	HALE_CLEANUP(cleanup_fd) int fd = open_path(l->spec.path);
	struct stat st;

	if (fd == -ENOENT) {
		int rc = make_directory(l->spec.path);

		if (rc < 0)
			return rc;
		fd = open_path(l->spec.path);
	}
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	/* The umask of haled is stricter than what a group may read. */
	if (st.st_size == 0 && fchmod(fd, FILE_MODE) < 0)
		return -errno;
	l->size = (uint64_t)st.st_size;
	l->fd = TAKE_FD(fd);
	return 0;
}

/* ---- rotating ---- */

static char *numbered(const struct logfile *l, uint32_t n)
{
	return n == 0 ? mem_dup(l->spec.path) : mem_printf("%s.%u", l->spec.path, n);
}

/* name.log.4 to name.log.5, …, name.log to name.log.1; the oldest is overwritten. */
static int shift(const struct logfile *l)
{
	for (uint32_t n = l->spec.files; n > 0; n--) {
		HALE_CLEANUP(cleanup_free) char *from = numbered(l, n - 1);
		HALE_CLEANUP(cleanup_free) char *to = numbered(l, n);

		if (rename(from, to) < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

static int rotate(struct logfile *l)
{
	struct stat st;
	int rc;

	/* Somebody else may have made room (logrotate's copytruncate). */
	if (fstat(l->fd, &st) == 0 && (uint64_t)st.st_size < l->size) {
		l->size = (uint64_t)st.st_size;
		return 0;
	}
	if (l->spec.files == 0) {
		if (ftruncate(l->fd, 0) < 0)
			return -errno;
		l->size = 0;
		return 0;
	}
	rc = shift(l);
	if (rc < 0)
		return rc;
	logfile_reopen(l);
	return open_log(l);
}

/* Open, with room for `len` more bytes. A line that is longer than a whole file gets one of its
 * own. */
static int make_room(struct logfile *l, size_t len)
{
	int rc = 0;

	if (l->fd < 0)
		rc = open_log(l);
	if (rc == 0 && l->size > 0 && l->size + len > l->spec.max_bytes)
		rc = rotate(l);
	return rc;
}

/* ---- writing ---- */

static int put(struct logfile *l, const struct iovec *parts, int n, size_t len)
{
	ssize_t done;

	do
		done = writev(l->fd, parts, n);
	while (done < 0 && errno == EINTR);
	if (done < 0)
		return -errno;
	if ((size_t)done < len) {
		/* The disk is full in the middle of a line: a part of one is worse than none. */
		if (ftruncate(l->fd, (off_t)l->size) < 0)
			l->size += (size_t)done;
		return -ENOSPC;
	}
	l->size += len;
	return 0;
}

int logfile_line(struct logfile *l, int64_t at_ms, const char *text, size_t len)
{
	char time[CLOCK_TEXT_MAX + 1] = "";
	struct iovec parts[3] = {{.iov_base = time},
				 {.iov_base = (void *)(uintptr_t)text, .iov_len = len},
				 {.iov_base = (void *)(uintptr_t) "\n", .iov_len = 1}};
	size_t total = len + 1;

	if (l->spec.has_time) {
		(void)clock_format(at_ms, time);
		parts[0].iov_len = strlen(time) + 1;
		time[parts[0].iov_len - 1] = ' ';
		total += parts[0].iov_len;
	}
	/* A clock that was set back must not make it wait for hours. */
	if (l->retry_ms - at_ms > RETRY_MS)
		l->retry_ms = 0;
	if (at_ms >= l->retry_ms) {
		l->error = make_room(l, total);
		l->retry_ms = l->error < 0 ? at_ms + RETRY_MS : 0;
		if (l->error == 0)
			l->error = put(l, parts, ARRAY_LEN(parts), total);
	}
	if (l->error < 0)
		l->dropped++;
	return l->error;
}
