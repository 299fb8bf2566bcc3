/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel writes in /proc and of control groups. */
#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "cgroup.h"
#include "sysinfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_machine(const char *text)
{
	struct sysinfo_memory memory;
	struct sysinfo_network network;
	struct sysinfo_cpu cpu;
	uint64_t open, max;
	double numbers[3];

	if (sysinfo_memory_parse(text, &memory) == 0 && memory.available_bytes > memory.total_bytes)
		abort();
	if (sysinfo_cpu_parse(text, &cpu) == 0 &&
	    (cpu.cores == 0 || sysinfo_cpu_percent(&(struct sysinfo_cpu){0}, &cpu) > 100))
		abort();
	(void)sysinfo_network_parse(text, NULL, &network);
	(void)sysinfo_network_parse(text, "eth0", &network);
	(void)sysinfo_load_parse(text, numbers);
	(void)sysinfo_uptime_parse(text, numbers);
	(void)sysinfo_files_parse(text, &open, &max);
}

static void try_pressure(const char *text)
{
	struct sysinfo_pressure pressure;

	if (sysinfo_pressure_parse(text, &pressure) != 0)
		return;
	for (size_t i = 0; i < 3; i++) {
		if (!(pressure.some[i] >= 0 && pressure.some[i] <= 100 && pressure.full[i] >= 0 &&
		      pressure.full[i] <= 100) &&
		    pressure.has_full)
			abort();
	}
}

static void try_group(const char *text)
{
	struct cgroup_cpu cpu;
	uint64_t limit;
	double cores;

	(void)cgroup_limit_parse(text, &limit);
	(void)cgroup_cpu_stat_parse(text, &cpu);
	(void)cgroup_stat_find(text, "inactive_file", &limit);
	if (cgroup_cpu_max_parse(text, &cores) == 0 && !(cores >= 0))
		abort();
	if (cgroup_cfs_parse(text, text, &cores) == 0 && !(cores >= 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	struct sysinfo_tcp tcp = {0};

	str_addn(&text, (const char *)data, size);
	try_machine(str_text(&text));
	try_pressure(str_text(&text));
	try_group(str_text(&text));
	if (sysinfo_tcp_add(&tcp, str_text(&text)) > text.len)
		abort();
	return 0;
}
