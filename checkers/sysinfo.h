/* SPDX-License-Identifier: Apache-2.0 */
/* sysinfo - reads what the kernel writes about this machine in /proc
 *
 * Pure: text in, numbers out. The formats are those of proc(5).
 *
 * Errors: -EINVAL when what is needed is not in the text; the result is then untouched.
 */
#ifndef HALE_CHECKERS_SYSINFO_H
#define HALE_CHECKERS_SYSINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ticks since boot, all processors together. */
struct sysinfo_cpu {
	uint64_t busy;
	uint64_t total;
	uint64_t user, system; /* parts of busy; user with nice */
	uint64_t iowait;       /* idle, while a disk was waited for */
	uint64_t steal;        /* part of busy: another guest of the host had the processor */
	unsigned cores;
	uint64_t running, blocked; /* processes now */
};

struct sysinfo_memory {
	uint64_t total_bytes;
	uint64_t available_bytes; /* what programs can get without swapping */
	uint64_t swap_total_bytes;
	uint64_t swap_free_bytes;
};

/* All interfaces but lo, or one. */
struct sysinfo_network {
	uint64_t rx_bytes;
	uint64_t tx_bytes;
	uint64_t errors; /* both ways, with what was dropped */
};

/* Share of time in which some, or all, of those who could have run waited for the resource; % over
 * the last 10 s, minute, 5 minutes. */
struct sysinfo_pressure {
	double some[3];
	double full[3];
	bool has_full; /* not for processors, on older kernels */
};

/* TCP connections, both IPs, by state as in the kernel's include/net/tcp_states.h. */
struct sysinfo_tcp {
	uint64_t states[16];
};

enum {
	SYSINFO_TCP_ESTABLISHED = 1,
	SYSINFO_TCP_SYN_SENT = 2,
	SYSINFO_TCP_SYN_RECV = 3,
	SYSINFO_TCP_TIME_WAIT = 6,
	SYSINFO_TCP_CLOSE_WAIT = 8,
	SYSINFO_TCP_LISTEN = 10,
};

int sysinfo_cpu_parse(const char *stat, struct sysinfo_cpu *cpu_r);
int sysinfo_load_parse(const char *loadavg, double load_r[3]);
int sysinfo_memory_parse(const char *meminfo, struct sysinfo_memory *memory_r);
int sysinfo_uptime_parse(const char *uptime, double *seconds_r);
int sysinfo_files_parse(const char *file_nr, uint64_t *open_r, uint64_t *max_r);
/* interface: NULL for all but lo. -ENODEV: it is not there. */
int sysinfo_network_parse(const char *net_dev, const char *interface,
			  struct sysinfo_network *network_r);
int sysinfo_pressure_parse(const char *pressure, struct sysinfo_pressure *pressure_r);
/* Adds what is in one piece of /proc/net/tcp or tcp6. Only whole lines are read: returns how many
 * bytes these were, the rest is to come again with what follows it. */
size_t sysinfo_tcp_add(struct sysinfo_tcp *tcp, const char *text);
/* All that are no listeners. */
uint64_t sysinfo_tcp_connections(const struct sysinfo_tcp *tcp);

/* Share of busy ticks between two samples; 0 if no tick has passed. Counters of a processor that
 * went offline may run backwards; that reads as nothing. */
double sysinfo_cpu_percent(const struct sysinfo_cpu *before, const struct sysinfo_cpu *after);
/* The same for a part of the ticks: user, system, iowait, steal. */
double sysinfo_ticks_percent(uint64_t before, uint64_t after, uint64_t total_before,
			     uint64_t total_after);

#endif
