/* SPDX-License-Identifier: Apache-2.0 */
#include "sysinfo.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define KIB 1024u

/* Columns of "cpu …" in /proc/stat. guest and guest_nice follow; they are part of user and nice. */
enum {
	CPU_USER,
	CPU_NICE,
	CPU_SYSTEM,
	CPU_IDLE,
	CPU_IOWAIT,
	CPU_IRQ,
	CPU_SOFTIRQ,
	CPU_STEAL,
	CPU_N
};

/* Columns of /proc/net/dev after the interface's name. */
enum { NET_RX_BYTES = 0, NET_TX_BYTES = 8, NET_N = 16 };

static const char *next_line(const char *text)
{
	const char *end = strchr(text, '\n');

	return end == NULL ? text + strlen(text) : end + 1;
}

/* Reads up to max numbers from one line; returns how many there were. */
static size_t read_numbers(const char *text, uint64_t *numbers, size_t max)
{
	size_t n = 0;

	while (n < max) {
		char *end;

		text += strspn(text, " \t");
		if (!isdigit((unsigned char)*text))
			break;
		numbers[n++] = strtoull(text, &end, 10);
		text = end;
	}
	return n;
}

int sysinfo_cpu_parse(const char *stat, struct sysinfo_cpu *cpu_r)
{
	struct sysinfo_cpu cpu = {0};

	for (const char *line = stat; *line != '\0'; line = next_line(line)) {
		uint64_t ticks[CPU_N] = {0};

		if (!str_starts(line, "cpu"))
			continue;
		if (isdigit((unsigned char)line[3])) {
			cpu.cores++;
			continue;
		}
		if (read_numbers(line + 3, ticks, CPU_N) <= CPU_IDLE)
			return -EINVAL;
		for (size_t i = 0; i < CPU_N; i++)
			cpu.total += ticks[i];
		cpu.busy = cpu.total - ticks[CPU_IDLE] - ticks[CPU_IOWAIT];
	}
	if (cpu.total == 0 || cpu.cores == 0)
		return -EINVAL;
	*cpu_r = cpu;
	return 0;
}

double sysinfo_cpu_percent(const struct sysinfo_cpu *before, const struct sysinfo_cpu *after)
{
	uint64_t total = after->total - before->total;
	uint64_t busy = after->busy - before->busy;

	if (after->total <= before->total || after->busy < before->busy)
		return 0;
	return busy >= total ? 100 : 100.0 * (double)busy / (double)total;
}

int sysinfo_load_parse(const char *loadavg, double load_r[3])
{
	double load[3];

	if (sscanf(loadavg, "%lf %lf %lf", &load[0], &load[1], &load[2]) != 3)
		return -EINVAL;
	memcpy(load_r, load, sizeof(load));
	return 0;
}

/* "MemTotal:       24633452 kB" */
static bool read_kib(const char *line, const char *name, uint64_t *bytes_r)
{
	uint64_t kib;

	if (!str_starts(line, name) || read_numbers(line + strlen(name), &kib, 1) != 1)
		return false;
	*bytes_r = kib * KIB;
	return true;
}

int sysinfo_memory_parse(const char *meminfo, struct sysinfo_memory *memory_r)
{
	struct sysinfo_memory memory = {0};
	uint64_t free_bytes = 0, buffers = 0, cached = 0;
	bool has_available = false;

	for (const char *line = meminfo; *line != '\0'; line = next_line(line)) {
		has_available |= read_kib(line, "MemAvailable:", &memory.available_bytes);
		(void)read_kib(line, "MemTotal:", &memory.total_bytes);
		(void)read_kib(line, "MemFree:", &free_bytes);
		(void)read_kib(line, "Buffers:", &buffers);
		(void)read_kib(line, "Cached:", &cached);
		(void)read_kib(line, "SwapTotal:", &memory.swap_total_bytes);
		(void)read_kib(line, "SwapFree:", &memory.swap_free_bytes);
	}
	/* Before Linux 3.14, and in some containers, one has to guess. */
	if (!has_available)
		memory.available_bytes = free_bytes + buffers + cached;
	if (memory.total_bytes == 0)
		return -EINVAL;
	/* Containers that fake the total do not always fake the rest. */
	memory.available_bytes = HALE_MIN(memory.available_bytes, memory.total_bytes);
	memory.swap_free_bytes = HALE_MIN(memory.swap_free_bytes, memory.swap_total_bytes);
	*memory_r = memory;
	return 0;
}

int sysinfo_uptime_parse(const char *uptime, double *seconds_r)
{
	char *end;
	double seconds = strtod(uptime, &end);

	if (end == uptime || seconds < 0)
		return -EINVAL;
	*seconds_r = seconds;
	return 0;
}

/* "allocated unused maximum"; unused is always 0 since Linux 2.6. */
int sysinfo_files_parse(const char *file_nr, uint64_t *open_r)
{
	uint64_t numbers[2];

	if (read_numbers(file_nr, numbers, 2) != 2 || numbers[1] > numbers[0])
		return -EINVAL;
	*open_r = numbers[0] - numbers[1];
	return 0;
}

int sysinfo_network_parse(const char *net_dev, struct sysinfo_network *network_r)
{
	struct sysinfo_network network = {0};

	/* Two lines of headings, which hold no ":". */
	for (const char *line = net_dev; *line != '\0'; line = next_line(line)) {
		const char *name = line + strspn(line, " \t");
		size_t len = strcspn(name, ":\n");
		uint64_t numbers[NET_N];

		if (name[len] != ':' || (len == 2 && memcmp(name, "lo", 2) == 0))
			continue;
		if (read_numbers(name + len + 1, numbers, NET_N) != NET_N)
			return -EINVAL;
		network.rx_bytes += numbers[NET_RX_BYTES];
		network.tx_bytes += numbers[NET_TX_BYTES];
	}
	*network_r = network;
	return 0;
}
