/* SPDX-License-Identifier: Apache-2.0 */
/* procinfo - what Linux says of one process, read out of its texts
 *
 * Pure: the files' contents come as arguments; formats are those of proc(5).
 *
 * Errors: -EINVAL for a text that is none of these files; then nothing is filled in.
 */
#ifndef HALE_CLI_PROCINFO_H
#define HALE_CLI_PROCINFO_H

#include <stdint.h>

struct procinfo_stat {
	uint64_t cpu_ticks;   /* user and system time used so far */
	uint64_t start_ticks; /* since boot: tells a process from a later one of the same number */
	int64_t threads;
	int64_t rss_pages;
};

/* /proc/PID/stat. The name in it may hold blanks and parentheses. */
int procinfo_stat_parse(const char *text, struct procinfo_stat *stat_r);
/* /proc/PID/smaps_rollup: its share of all memory it uses, shared pages divided among the sharers.
 */
int procinfo_pss_parse(const char *text, int64_t *bytes_r);
/* Percent of one processor between two looks; -1 if they are not of one process or no time has
 * passed. */
double procinfo_cpu_percent(const struct procinfo_stat *before, const struct procinfo_stat *now,
			    int64_t elapsed_ms, long ticks_per_second);

#endif
