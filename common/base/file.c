/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

int file_read_fd(int fd, size_t max_bytes, struct str *out)
{
	size_t total = 0;

	for (;;) {
		ssize_t got;

		str_reserve(out, 16384);
		got = read(fd, out->data + out->len, 16384);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		total += (size_t)got;
		if (total > max_bytes)
			return -EFBIG;
		out->len += (size_t)got;
	}
	out->data[out->len] = '\0';
	return 0;
}

/* A named pipe that nobody writes to would be waited for without end. One that a shell made for us
 * (<(…), /dev/stdin) is written to. */
static int open_to_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || (S_ISFIFO(st.st_mode) && strncmp(path, "/dev/", 5) != 0)) {
		close(fd);
		return -ESPIPE;
	}
	(void)fcntl(fd, F_SETFL, O_RDONLY);
	return fd;
}

int file_read(const char *path, size_t max_bytes, struct str *out, struct err *err)
{
	HALE_CLEANUP(cleanup_fd) int fd = open_to_read(path);
	int rc;

	if (fd == -ESPIPE)
		return err_set(err, fd, "cannot read %s: a pipe, not a file", path);
	if (fd < 0)
		return err_errno(err, fd, "cannot read %s", path);
	rc = file_read_fd(fd, max_bytes, out);
	if (rc == -EFBIG)
		return err_set(err, rc, "cannot read %s: larger than %zu bytes", path, max_bytes);
	if (rc < 0)
		return err_errno(err, rc, "cannot read %s", path);
	return 0;
}

int fd_write(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t put = write(fd, p, len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		p += put;
		len -= (size_t)put;
	}
	return 0;
}

int file_write_atomic(const char *path, const void *data, size_t len, unsigned mode,
		      struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *tmp = mem_printf("%s.new", path);
	HALE_CLEANUP(cleanup_fd) int fd = -1;
	int rc;

	/* A new file, always: in a directory that somebody else may write to, what stands there
	 * may be a link to anywhere. */
	(void)unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, (mode_t)mode);
	if (fd < 0)
		return err_errno(err, -errno, "cannot write %s", tmp);
	rc = fd_write(fd, data, len);
	if (rc == 0 && rename(tmp, path) < 0)
		rc = -errno;
	if (rc < 0) {
		(void)unlink(tmp);
		return err_errno(err, rc, "cannot write %s", path);
	}
	return 0;
}

int dir_make(const char *path, unsigned mode, struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *copy = mem_dup(path);
	struct stat st;

	for (char *p = copy + 1; *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return err_errno(err, -errno, "cannot create directory %s", copy);
		*p = '/';
	}
	if (mkdir(copy, (mode_t)mode) < 0 && errno != EEXIST)
		return err_errno(err, -errno, "cannot create directory %s", path);
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_set(err, -ENOTDIR, "%s is not a directory", path);
	return 0;
}

/* The files that were ours so far, and those in folders that were. No link is followed and no
 * second name of a file counts, so that who may write here already cannot have a file elsewhere
 * given to him. */
static int give_files(int dir_fd, uid_t uid, gid_t gid, bool (*is_kept)(const char *name),
		      bool has_folders)
{
	DIR *dir = fdopendir(dup(dir_fd));
	const struct dirent *entry;
	int rc = dir == NULL ? -errno : 0;

	while (rc == 0 && (entry = readdir(dir)) != NULL) {
		HALE_CLEANUP(cleanup_fd)
		int fd = openat(dir_fd, entry->d_name,
				O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		struct stat st;

		if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid() ||
		    is_kept(entry->d_name))
			continue;
		if (S_ISDIR(st.st_mode) && has_folders && entry->d_name[0] != '.')
			rc = give_files(fd, uid, gid, is_kept, false);
		else if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
			continue;
		if (rc == 0 && fchown(fd, uid, gid) < 0)
			rc = -errno;
	}
	if (dir != NULL)
		(void)closedir(dir);
	return rc;
}

int dir_give(const char *path, uid_t uid, gid_t gid, unsigned mode,
	     bool (*is_kept)(const char *name), struct err *err)
{
	HALE_CLEANUP(cleanup_fd)
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fchown(fd, uid, gid) < 0 || fchmod(fd, (mode_t)mode) < 0)
		return err_errno(err, -errno, "cannot hand the directory %s over", path);
	if (uid != geteuid() && is_kept != NULL) {
		int rc = give_files(fd, uid, gid, is_kept, true);

		if (rc < 0)
			return err_errno(err, rc, "cannot hand over the files in %s", path);
	}
	return 0;
}

char *path_join(const char *dir, const char *name)
{
	size_t len = strlen(dir);

	if (name[0] == '/')
		return mem_dup(name);
	return mem_printf("%s%s%s", dir, len > 0 && dir[len - 1] == '/' ? "" : "/", name);
}

char *path_exe_dir(void)
{
	char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	if (len <= 0)
		return NULL;
	path[len] = '\0';
	slash = strrchr(path, '/');
	if (slash == NULL)
		return NULL;
	*slash = '\0';
	return mem_dup(path);
}
