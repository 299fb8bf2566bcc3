/* SPDX-License-Identifier: Apache-2.0 */
#include "procinfo.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KIBIBYTE 1024

int procinfo_stat_parse(const char *text, struct procinfo_stat *stat_r)
{
	/* The name is the second field and may hold anything, also ") R 1 2". */
	const char *behind = strrchr(text, ')');
	struct procinfo_stat s = {0};
	uint64_t user, system;

	/* Fields 3 to 24: state, 10 more, utime, stime, 4 more, threads, one more, start, one more,
	 * rss. */
	if (behind == NULL ||
	    sscanf(behind + 1,
		   " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64 " %" SCNu64
		   " %*s %*s %*s %*s %" SCNd64 " %*s %" SCNu64 " %*s %" SCNd64,
		   &user, &system, &s.threads, &s.start_ticks, &s.rss_pages) != 5)
		return -EINVAL;
	s.cpu_ticks = user + system;
	*stat_r = s;
	return 0;
}

int procinfo_pss_parse(const char *text, int64_t *bytes_r)
{
	const char *line = strstr(text, "\nPss:");
	int64_t kibibytes;

	if (line == NULL || sscanf(line + 1, "Pss: %" SCNd64 " kB", &kibibytes) != 1 ||
	    kibibytes < 0 || kibibytes > INT64_MAX / KIBIBYTE)
		return -EINVAL;
	*bytes_r = kibibytes * KIBIBYTE;
	return 0;
}

double procinfo_cpu_percent(const struct procinfo_stat *before, const struct procinfo_stat *now,
			    int64_t elapsed_ms, long ticks_per_second)
{
	double seconds = (double)elapsed_ms / 1000;

	if (before->start_ticks != now->start_ticks || now->cpu_ticks < before->cpu_ticks ||
	    elapsed_ms <= 0 || ticks_per_second <= 0)
		return -1;
	return 100 * (double)(now->cpu_ticks - before->cpu_ticks) / (double)ticks_per_second /
	       seconds;
}
