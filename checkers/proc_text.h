/* SPDX-License-Identifier: Apache-2.0 */
/* proc_text - reads what the kernel writes about a process in /proc/PID
 *
 * Pure: text in, facts out. The formats are those of proc(5). Names and command lines are what the
 * process likes them to be.
 *
 * Errors: -EINVAL when what is needed is not in the text; the result is then untouched.
 */
#ifndef HALE_CHECKERS_PROC_TEXT_H
#define HALE_CHECKERS_PROC_TEXT_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PROC_NAME_SIZE                                                                             \
	64 /* the kernel's names have 15 bytes; those of kernel threads have more                  \
	    */

struct proc_stat {
	pid_t pid, parent;
	char name[PROC_NAME_SIZE];
	char state; /* R S D Z T t I … */
	uint64_t cpu_ticks;
	uint64_t start_ticks; /* after boot: tells a process from a later one of the same number */
	int64_t threads;
	int64_t rss_pages;
};

struct proc_io {
	uint64_t read_bytes, written_bytes; /* to and from storage */
};

int proc_stat_parse(const char *text, struct proc_stat *stat_r);
/* The effective user, of /proc/PID/status. */
int proc_uid_parse(const char *status, uid_t *uid_r);
int proc_io_parse(const char *io, struct proc_io *io_r);
/* Of smaps_rollup. */
int proc_pss_parse(const char *rollup, uint64_t *bytes_r);
/* Arguments behind one another with a NUL each become words on one line. Appends. */
void proc_command_add(const char *cmdline, size_t len, struct str *out);
/* Is one of the names in one of the paths of /proc/PID/cgroup `unit`, or begins there with the path
 * `unit` ("/system.slice/shop.slice")? */
bool proc_is_in_group(const char *cgroup, const char *unit);
/* "123\n". */
int proc_pid_parse(const char *pidfile, pid_t *pid_r);

#endif
