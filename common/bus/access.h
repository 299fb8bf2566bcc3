/* SPDX-License-Identifier: Apache-2.0 */
/* access - who may connect to a listening socket of ours
 *
 * Without one (NULL) a socket has mode 0600, and root and this process's own user are welcome. A
 * mode that lets a group connect leaves the choice to the kernel: whoever it lets in is welcome.
 *
 * Ownership: plain values, copied by whoever listens.
 * Loop:      any thread.
 */
#ifndef HALE_BUS_ACCESS_H
#define HALE_BUS_ACCESS_H

#include <stdbool.h>
#include <sys/types.h>

#define BUS_ACCESS_MODE 0600

struct bus_access {
	mode_t mode; /* of the socket file */
	gid_t gid;   /* its group; (gid_t)-1: as it is created */
	uid_t uid;   /* one more user who is welcome; (uid_t)-1: none. The file must let him in. */
};

#define BUS_ACCESS_OWNER                                                                           \
	(struct bus_access)                                                                        \
	{                                                                                          \
		.mode = BUS_ACCESS_MODE, .gid = (gid_t)-1, .uid = (uid_t)-1                        \
	}

/* NULL becomes BUS_ACCESS_OWNER. */
struct bus_access bus_access_of(const struct bus_access *a);
/* Whether a peer of that user is welcome at a socket of a process that runs as `own`. Pure. */
bool bus_access_lets(const struct bus_access *a, uid_t peer, uid_t own);
/* Whether a dialer may believe the peer it found at path: root, our own user, or the owner of the
 * file, since the directory lets nobody else put one there. */
bool bus_access_believes(const char *path, uid_t peer, uid_t own);
/* To a socket in that directory: it is as open as the directory it stands in. The owner of the
 * directory is welcome, and the group if the directory is meant for it: the group may enter, others
 * may not (an ordinary 0755 is nobody's decision). */
struct bus_access bus_access_within(const char *dir);
/* The same without the group: for hale's own processes only. */
struct bus_access bus_access_private(const struct bus_access *a);
/* Mode, group and owner onto the file; 0 or negative errno. */
int bus_access_apply(const struct bus_access *a, const char *path);

#endif
