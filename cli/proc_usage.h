/* SPDX-License-Identifier: Apache-2.0 */
/* proc_usage - what a process takes of the machine, read from /proc
 *
 * Times, threads and resident memory may be read by anyone; the rest only by who may trace the
 * process. What may not be read is -1.
 */
#ifndef HALE_CLI_PROC_USAGE_H
#define HALE_CLI_PROC_USAGE_H

#include "procinfo.h"

#include <sys/types.h>

struct proc_usage {
	struct procinfo_stat stat;
	int64_t rss_bytes;
	int64_t pss_bytes;
	int64_t fds;
};

/* 0, or negative errno: there is no such process. */
int proc_usage_read(pid_t pid, struct proc_usage *usage_r);

#endif
