/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/access.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Who may write to the file may connect. */
#define MODE_OTHERS (S_IWGRP | S_IWOTH)

struct bus_access bus_access_of(const struct bus_access *a)
{
	return a != NULL ? *a : BUS_ACCESS_OWNER;
}

bool bus_access_lets(const struct bus_access *a, uid_t peer, uid_t own)
{
	if (peer == 0 || peer == own || (a->mode & MODE_OTHERS) != 0)
		return true;
	return a->uid != (uid_t)-1 && peer == a->uid;
}

bool bus_access_believes(const char *path, uid_t peer, uid_t own)
{
	struct stat st;

	return peer == 0 || peer == own || (stat(path, &st) == 0 && st.st_uid == peer);
}

struct bus_access bus_access_within(const char *dir)
{
	struct bus_access a = BUS_ACCESS_OWNER;
	struct stat st;

	if (stat(dir, &st) < 0)
		return a;
	if ((st.st_mode & (S_IRGRP | S_IXGRP | S_IRWXO)) == (S_IRGRP | S_IXGRP)) {
		a.mode = BUS_ACCESS_MODE | S_IRGRP | S_IWGRP;
		a.gid = st.st_gid;
	}
	if (st.st_uid != 0 && st.st_uid != geteuid())
		a.uid = st.st_uid;
	return a;
}

struct bus_access bus_access_private(const struct bus_access *a)
{
	return (struct bus_access){.mode = BUS_ACCESS_MODE, .gid = (gid_t)-1, .uid = a->uid};
}

/* By an fd of the socket itself: as root, in a directory that is somebody else's, the name may be
 * another file by now. */
int bus_access_apply(const struct bus_access *a, const char *path)
{
	HALE_CLEANUP(cleanup_fd) int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char self[sizeof("/proc/self/fd/") + 3 * sizeof(fd)];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
		return -EPERM;
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	/* The mode last: never is a wider one in force for the wrong group. */
	if ((a->gid != (gid_t)-1 && a->gid != st.st_gid &&
	     fchownat(fd, "", (uid_t)-1, a->gid, AT_EMPTY_PATH) < 0) ||
	    chmod(self, a->mode) < 0 ||
	    (a->uid != (uid_t)-1 && fchownat(fd, "", a->uid, (gid_t)-1, AT_EMPTY_PATH) < 0))
		return -errno;
	return 0;
}
