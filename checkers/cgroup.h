/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup - reads what the kernel writes about a control group: limits and what is used of them
 *
 * Pure: text in, numbers out. The formats are those of the kernel's admin-guide, cgroup-v2 and
 * cgroup-v1.
 *
 * Errors: -EINVAL when what is needed is not in the text; the result is then untouched.
 */
#ifndef HALE_CHECKERS_CGROUP_H
#define HALE_CHECKERS_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#define CGROUP_NO_LIMIT UINT64_MAX

struct cgroup_cpu {
	uint64_t usage_us;
	uint64_t periods, throttled; /* of the quota, since the group was made */
};

/* "max", "-1", a number; v1 has a number so great that it means none. */
int cgroup_limit_parse(const char *text, uint64_t *limit_r);
/* v2's cpu.max, "200000 100000" or "max 100000": processors' worth of time; 0: no limit. */
int cgroup_cpu_max_parse(const char *text, double *cores_r);
/* v1's cpu.cfs_quota_us and cpu.cfs_period_us. */
int cgroup_cfs_parse(const char *quota, const char *period, double *cores_r);
/* v2's cpu.stat. */
int cgroup_cpu_stat_parse(const char *text, struct cgroup_cpu *cpu_r);
/* One "name number" of memory.stat or cpu.stat. */
bool cgroup_stat_find(const char *text, const char *name, uint64_t *number_r);

#endif
