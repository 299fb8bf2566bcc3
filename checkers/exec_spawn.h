/* SPDX-License-Identifier: Apache-2.0 */
/* exec_spawn - a command as a process: found, limited, as another user, with a clean environment
 *
 * Ownership: struct exec_spawn is made for each component; strings of the options are borrowed.
 * Loop:      loop thread. exec_spawn_new() may block (user database), exec_spawn_start() does not.
 */
#ifndef HALE_CHECKERS_EXEC_SPAWN_H
#define HALE_CHECKERS_EXEC_SPAWN_H

#include "base/err.h"
#include "base/strlist.h"

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

/* Where a program is looked for that is not in PATH: distributions keep plugins there. */
#define EXEC_PLUGIN_PLACES                                                                         \
	"/usr/lib/nagios/plugins:/usr/lib64/nagios/plugins:/usr/lib/monitoring-plugins:"           \
	"/usr/local/nagios/libexec:/usr/local/libexec/nagios"

/* Variable by which what it started is known; the value is one run's. */
#define EXEC_MARK "HALE_CHECK"

/* 0: not limited here. */
struct exec_limits {
	int64_t output; /* bytes kept of each stream */
	int64_t cpu;    /* ms */
	int64_t memory;
	int64_t processes;
	int64_t nofile;
	int64_t file_size;
};

struct exec_command {
	const struct strlist *argv;
	const json_t *environment; /* name: text */
	const char *directory;
	const char *user; /* or NULL: ours */
	const struct exec_limits *limits;
};

struct exec_spawn;

/* NULL with the reason: there is no such user, or it cannot be changed to. */
struct exec_spawn *exec_spawn_new(const struct exec_command *command, struct err *err);
void exec_spawn_free(struct exec_spawn *s);
/* The pid, leader of a session of its own; or a negative errno. The ends of pipes stay the
 * caller's. `mark` is NAME=value. */
pid_t exec_spawn_start(const struct exec_spawn *s, int out_fd, int err_fd, const char *mark,
		       struct err *err);

#endif
