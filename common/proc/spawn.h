/* SPDX-License-Identifier: Apache-2.0 */
/* spawn - starts a program with exactly the fds, environment and fate it should have
 *
 * vfork and exec (LIBRARIES: 0.45 ms to the child's first instruction, whatever the size of haled).
 * The child is leader of its own session, is killed when haled dies, has default signal handling,
 * /dev/null as stdin, `output_fd` as stdout and stderr, and every fd of haled's is CLOEXEC.
 */
#ifndef HALE_PROC_SPAWN_H
#define HALE_PROC_SPAWN_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Resources that can be limited: memory, cpu, nofile, core, processes, file size, and room. */
#define SPAWN_LIMITS_MAX 8

/* Where a child finds what it is to know (child_proto.h). */
#define SPAWN_SLICE_FD 3

/* What a process may be and use. Zeroed: as haled is. */
struct spawn_rights {
	bool has_user;
	char *user; /* the name of uid, for messages; or NULL */
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* supplementary; owned by whoever owns the rights */
	size_t groups_n;
	char *directory;  /* working directory; NULL: that of haled */
	char *stdin_path; /* read-only; NULL: /dev/null */
	struct spawn_limit {
		int resource; /* RLIMIT_… */
		uint64_t value;
	} limits[SPAWN_LIMITS_MAX];
	size_t limits_n;
	mode_t umask;
	bool has_umask;
};

struct spawn_plan {
	const char *program;               /* path */
	char *const *argv;                 /* NULL-terminated */
	char *const *envp;                 /* NULL-terminated */
	int output_fd;                     /* becomes fd 1 and 2 */
	int error_fd;                      /* becomes fd 2 instead, if not -1 */
	int slice_fd;                      /* becomes SPAWN_SLICE_FD; -1 none */
	const struct spawn_rights *rights; /* NULL: as haled is */
};

/* The pid, or a negative errno when the program could not be executed. */
pid_t spawn_start(const struct spawn_plan *plan, struct err *err);
/* A sealed memfd holding text (read-only offset 0); negative errno. */
int spawn_memfd(const char *name, const char *text, size_t len, struct err *err);

#endif
