/* SPDX-License-Identifier: Apache-2.0 */
/* system_read - reads this machine, or the container in it, once
 *
 * Blocking: in a thread, because a file system that hangs (a dead NFS server) hangs its reader.
 * What every kernel has must be there; what some have not (pressure, IPv6, control groups) is left
 * out where it is not.
 *
 * A control group's limits count where they are less than the machine: a container that may use 2
 * of 16 GB is full at 2 GB. What page caches hold of files (inactive) is not used memory.
 */
#ifndef HALE_CHECKERS_SYSTEM_READ_H
#define HALE_CHECKERS_SYSTEM_READ_H

#include "base/err.h"
#include "base/strlist.h"
#include "cgroup.h"
#include "sysinfo.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/statvfs.h>

#define SYSTEM_DISKS_MAX      16
#define SYSTEM_INTERFACES_MAX 16

enum system_scope {
	SYSTEM_AUTO,   /* limits where there are some */
	SYSTEM_HOST,   /* none */
	SYSTEM_CGROUP, /* the group must be there */
};

struct system_where {
	const char *proc;
	const char *cgroup;
	enum system_scope scope;
	const struct strlist *disks;      /* at most SYSTEM_DISKS_MAX */
	const struct strlist *interfaces; /* at most SYSTEM_INTERFACES_MAX */
	bool counts_connections;
};

/* What counts up, and tells nothing before there are two of them. */
struct system_sample {
	int64_t at_us; /* monotonic; 0: none */
	struct sysinfo_cpu cpu;
	struct cgroup_cpu group;
	double group_cores; /* that its group may use; 0: no limit */
	struct sysinfo_network network;
	struct sysinfo_network interfaces[SYSTEM_INTERFACES_MAX];
};

enum { PRESSURE_CPU, PRESSURE_MEMORY, PRESSURE_IO, PRESSURE_N };

struct system_reading {
	struct system_sample now;
	double load[3];
	struct sysinfo_memory memory; /* of the machine, or of the group */
	bool is_memory_limited;       /* of the group */
	double uptime_seconds;
	uint64_t open_files, open_files_max;
	uint64_t processes;
	struct sysinfo_tcp tcp;
	bool has_tcp;
	struct sysinfo_pressure pressure[PRESSURE_N];
	bool has_pressure[PRESSURE_N];
	struct statvfs disks[SYSTEM_DISKS_MAX];
};

/* 0, or a negative errno; -ENOTDIR: what the options name is not there. */
int system_read_sample(const struct system_where *where, struct system_sample *sample_r,
		       struct err *err);
int system_read(const struct system_where *where, struct system_reading *reading_r,
		struct err *err);

#endif
