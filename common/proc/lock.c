/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"

static bool is_same_file(int a, int b)
{
	struct stat of_a, of_b;

	return a >= 0 && fstat(a, &of_a) == 0 && fstat(b, &of_b) == 0 &&
	       of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

int lock_dir(const char *dir, const char *name, int held, struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(dir, name);
	HALE_CLEANUP(cleanup_fd)
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_errno(err, -errno, "cannot open %s", path);
	if (is_same_file(held, fd))
		return LOCK_IS_HELD;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(err, -EBUSY, "%s is locked by another process", path);
	return TAKE_FD(fd);
}
