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
enum {
	NET_RX_BYTES = 0,
	NET_RX_ERRORS = 2,
	NET_RX_DROPPED = 3,
	NET_TX_BYTES = 8,
	NET_TX_ERRORS = 10,
	NET_TX_DROPPED = 11,
	NET_N = 16
};

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

static bool read_number(const char *line, const char *name, uint64_t *number_r)
{
	return str_starts(line, name) && read_numbers(line + strlen(name), number_r, 1) == 1;
}

static int take_ticks(const char *numbers, struct sysinfo_cpu *cpu)
{
	uint64_t ticks[CPU_N] = {0};

	if (read_numbers(numbers, ticks, CPU_N) <= CPU_IDLE)
		return -EINVAL;
	cpu->total = 0;
	for (size_t i = 0; i < CPU_N; i++)
		cpu->total += ticks[i];
	cpu->busy = cpu->total - ticks[CPU_IDLE] - ticks[CPU_IOWAIT];
	cpu->user = ticks[CPU_USER] + ticks[CPU_NICE];
	cpu->system = ticks[CPU_SYSTEM] + ticks[CPU_IRQ] + ticks[CPU_SOFTIRQ];
	cpu->iowait = ticks[CPU_IOWAIT];
	cpu->steal = ticks[CPU_STEAL];
	return 0;
}

int sysinfo_cpu_parse(const char *stat, struct sysinfo_cpu *cpu_r)
{
	struct sysinfo_cpu cpu = {0};

	for (const char *line = stat; *line != '\0'; line = next_line(line)) {
		(void)read_number(line, "procs_running ", &cpu.running);
		(void)read_number(line, "procs_blocked ", &cpu.blocked);
		if (!str_starts(line, "cpu"))
			continue;
		if (isdigit((unsigned char)line[3]))
			cpu.cores++;
		else if (take_ticks(line + 3, &cpu) < 0)
			return -EINVAL;
	}
	if (cpu.total == 0 || cpu.cores == 0)
		return -EINVAL;
	*cpu_r = cpu;
	return 0;
}

double sysinfo_ticks_percent(uint64_t before, uint64_t after, uint64_t total_before,
			     uint64_t total_after)
{
	uint64_t total = total_after - total_before;

	if (total_after <= total_before || after < before)
		return 0;
	return after - before >= total ? 100 : 100.0 * (double)(after - before) / (double)total;
}

double sysinfo_cpu_percent(const struct sysinfo_cpu *before, const struct sysinfo_cpu *after)
{
	return sysinfo_ticks_percent(before->busy, after->busy, before->total, after->total);
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
int sysinfo_files_parse(const char *file_nr, uint64_t *open_r, uint64_t *max_r)
{
	uint64_t numbers[3];

	if (read_numbers(file_nr, numbers, 3) != 3 || numbers[1] > numbers[0])
		return -EINVAL;
	*open_r = numbers[0] - numbers[1];
	*max_r = numbers[2];
	return 0;
}

static bool is_wanted(const char *name, size_t len, const char *interface)
{
	if (interface == NULL)
		return len != 2 || memcmp(name, "lo", 2) != 0;
	return strlen(interface) == len && memcmp(name, interface, len) == 0;
}

int sysinfo_network_parse(const char *net_dev, const char *interface,
			  struct sysinfo_network *network_r)
{
	struct sysinfo_network network = {0};
	size_t found = 0;

	/* Two lines of headings, which hold no ":". */
	for (const char *line = net_dev; *line != '\0'; line = next_line(line)) {
		const char *name = line + strspn(line, " \t");
		size_t len = strcspn(name, ":\n");
		uint64_t numbers[NET_N];

		if (name[len] != ':' || !is_wanted(name, len, interface))
			continue;
		if (read_numbers(name + len + 1, numbers, NET_N) != NET_N)
			return -EINVAL;
		found++;
		network.rx_bytes += numbers[NET_RX_BYTES];
		network.tx_bytes += numbers[NET_TX_BYTES];
		network.errors += numbers[NET_RX_ERRORS] + numbers[NET_RX_DROPPED] +
				  numbers[NET_TX_ERRORS] + numbers[NET_TX_DROPPED];
	}
	if (interface != NULL && found == 0)
		return -ENODEV;
	*network_r = network;
	return 0;
}

/* " avg10=0.00 avg60=0.00 avg300=0.00 total=0" */
static bool read_averages(const char *text, double averages_r[3])
{
	static const char *const names[] = {"avg10=", "avg60=", "avg300="};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *end;

		text += strspn(text, " ");
		if (!str_starts(text, names[i]) || !isdigit((unsigned char)text[strlen(names[i])]))
			return false;
		averages_r[i] = strtod(text + strlen(names[i]), &end);
		if (!(averages_r[i] >= 0 && averages_r[i] <= 100))
			return false;
		text = end;
	}
	return true;
}

int sysinfo_pressure_parse(const char *pressure, struct sysinfo_pressure *pressure_r)
{
	struct sysinfo_pressure p = {0};
	bool has_some = false;

	for (const char *line = pressure; *line != '\0'; line = next_line(line)) {
		if (str_starts(line, "some "))
			has_some = read_averages(line + 5, p.some);
		else if (str_starts(line, "full "))
			p.has_full = read_averages(line + 5, p.full);
	}
	if (!has_some)
		return -EINVAL;
	*pressure_r = p;
	return 0;
}

/* "   0: 0100007F:1F90 00000000:0000 0A …": the state is the fourth word, hexadecimal. */
static void take_socket(struct sysinfo_tcp *tcp, const char *line)
{
	const char *end = strchr(line, '\n');

	for (int word = 0; word < 3; word++) {
		line += strspn(line, " ");
		line += strcspn(line, " \n");
	}
	line += strspn(line, " ");
	if (end - line < 2 || !isxdigit((unsigned char)line[0]) ||
	    !isxdigit((unsigned char)line[1]) || line[0] != '0')
		return; /* the heading */
	tcp->states[strtoul((const char[]){line[1], '\0'}, NULL, 16)]++;
}

size_t sysinfo_tcp_add(struct sysinfo_tcp *tcp, const char *text)
{
	const char *line = text;

	for (const char *end = strchr(line, '\n'); end != NULL; end = strchr(line, '\n')) {
		take_socket(tcp, line);
		line = end + 1;
	}
	return (size_t)(line - text);
}

uint64_t sysinfo_tcp_connections(const struct sysinfo_tcp *tcp)
{
	uint64_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(tcp->states); i++)
		n += i == SYSINFO_TCP_LISTEN ? 0 : tcp->states[i];
	return n;
}
