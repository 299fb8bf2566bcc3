/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/access.h"

#include <errno.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* The group first: never is a wider mode in force for the wrong one. */
int bus_access_apply(const struct bus_access *a, const char *path)
{
	if (a->gid != (gid_t)-1 && chown(path, (uid_t)-1, a->gid) < 0)
		return -errno;
	return chmod(path, a->mode) < 0 ? -errno : 0;
}
