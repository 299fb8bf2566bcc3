/* SPDX-License-Identifier: Apache-2.0 */
/* sysinfo - reads what the kernel writes about this machine in /proc
 *
 * Pure: text in, numbers out. The formats are those of proc(5).
 *
 * Errors: -EINVAL when what is needed is not in the text; the result is then untouched.
 */
#ifndef HALE_CHECKERS_SYSINFO_H
#define HALE_CHECKERS_SYSINFO_H

#include <stdint.h>

/* Ticks since boot, all processors together. */
struct sysinfo_cpu {
	uint64_t busy;
	uint64_t total;
	unsigned cores;
};

struct sysinfo_memory {
	uint64_t total_bytes;
	uint64_t available_bytes; /* what programs can get without swapping */
	uint64_t swap_total_bytes;
	uint64_t swap_free_bytes;
};

/* All interfaces but lo. */
struct sysinfo_network {
	uint64_t rx_bytes;
	uint64_t tx_bytes;
};

int sysinfo_cpu_parse(const char *stat, struct sysinfo_cpu *cpu_r);
int sysinfo_load_parse(const char *loadavg, double load_r[3]);
int sysinfo_memory_parse(const char *meminfo, struct sysinfo_memory *memory_r);
int sysinfo_uptime_parse(const char *uptime, double *seconds_r);
int sysinfo_files_parse(const char *file_nr, uint64_t *open_r);
int sysinfo_network_parse(const char *net_dev, struct sysinfo_network *network_r);

/* Share of busy ticks between two samples; 0 if no tick has passed. Counters of a processor that
 * went offline may run backwards; that reads as nothing. */
double sysinfo_cpu_percent(const struct sysinfo_cpu *before, const struct sysinfo_cpu *after);

#endif
