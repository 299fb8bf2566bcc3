/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroup.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* v1 says "no limit" by the greatest number of whole pages. No machine has half of that. */
#define NO_LIMIT_FROM (UINT64_C(1) << 62)

static bool read_number(const char **text, uint64_t *number_r)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	*number_r = strtoull(*text, &end, 10);
	*text = end;
	return true;
}

static bool is_end(const char *text)
{
	return text[strspn(text, " \n")] == '\0';
}

int cgroup_limit_parse(const char *text, uint64_t *limit_r)
{
	uint64_t limit;

	if (str_starts(text, "max") || str_starts(text, "-1")) {
		*limit_r = CGROUP_NO_LIMIT;
		return 0;
	}
	if (!read_number(&text, &limit) || !is_end(text))
		return -EINVAL;
	*limit_r = limit >= NO_LIMIT_FROM ? CGROUP_NO_LIMIT : limit;
	return 0;
}

static int divide(uint64_t quota, const char *period_text, double *cores_r)
{
	uint64_t period;

	if (!read_number(&period_text, &period) || !is_end(period_text) || period == 0)
		return -EINVAL;
	*cores_r = quota == CGROUP_NO_LIMIT ? 0 : (double)quota / (double)period;
	return 0;
}

int cgroup_cpu_max_parse(const char *text, double *cores_r)
{
	uint64_t quota = CGROUP_NO_LIMIT;

	if (str_starts(text, "max"))
		text += 3;
	else if (!read_number(&text, &quota))
		return -EINVAL;
	return divide(quota, text + strspn(text, " "), cores_r);
}

int cgroup_cfs_parse(const char *quota, const char *period, double *cores_r)
{
	uint64_t limit;

	if (cgroup_limit_parse(quota, &limit) < 0)
		return -EINVAL;
	return divide(limit, period, cores_r);
}

bool cgroup_stat_find(const char *text, const char *name, uint64_t *number_r)
{
	size_t len = strlen(name);

	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, len) == 0 && line[len] == ' ') {
			line += len + 1;
			return read_number(&line, number_r);
		}
	}
	return false;
}

int cgroup_cpu_stat_parse(const char *text, struct cgroup_cpu *cpu_r)
{
	struct cgroup_cpu cpu = {0};

	if (!cgroup_stat_find(text, "usage_usec", &cpu.usage_us))
		return -EINVAL;
	(void)cgroup_stat_find(text, "nr_periods", &cpu.periods);
	(void)cgroup_stat_find(text, "nr_throttled", &cpu.throttled);
	*cpu_r = cpu;
	return 0;
}
