/* SPDX-License-Identifier: Apache-2.0 */
#include "system_read.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

/* /proc/stat of a machine with a thousand processors stays below. */
#define PROC_FILE_MAX (4u << 20)
/* A table of connections is read piece by piece: a busy server has a hundred thousand. */
#define TABLE_BYTES   65536
#define NS_PER_US     1000

/* ---- Files ---- */

static int read_file(const char *folder, const char *name, struct str *text, struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(folder, name);

	return file_read(path, PROC_FILE_MAX, text, err);
}

static int not_as_documented(const char *folder, const char *name, int rc, struct err *err)
{
	return err_set(err, rc, "%s/%s: not as the kernel's documentation says", folder, name);
}

/* What parses a file; they differ in the type of their result. */
struct source {
	const char *name; /* below proc */
	int (*parse)(const char *text, void *result);
};

static int read_sources(const struct system_where *where, const struct source *s, void *result,
			struct err *err)
{
	for (; s->name != NULL; s++) {
		HALE_CLEANUP(str_done) struct str text = {0};
		int rc = read_file(where->proc, s->name, &text, err);

		if (rc == 0) {
			rc = s->parse(str_text(&text), result);
			if (rc < 0)
				(void)not_as_documented(where->proc, s->name, rc, err);
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- What all kernels have ---- */

static int parse_cpu(const char *text, void *sample)
{
	return sysinfo_cpu_parse(text, &((struct system_sample *)sample)->cpu);
}

static int parse_load(const char *text, void *reading)
{
	return sysinfo_load_parse(text, ((struct system_reading *)reading)->load);
}

static int parse_memory(const char *text, void *reading)
{
	return sysinfo_memory_parse(text, &((struct system_reading *)reading)->memory);
}

static int parse_uptime(const char *text, void *reading)
{
	return sysinfo_uptime_parse(text, &((struct system_reading *)reading)->uptime_seconds);
}

static int parse_files(const char *text, void *reading)
{
	struct system_reading *r = reading;

	return sysinfo_files_parse(text, &r->open_files, &r->open_files_max);
}

static const struct source samples[] = {
	{"stat", parse_cpu},
	{NULL, NULL},
};

static const struct source sources[] = {
	{"loadavg", parse_load},
	{"meminfo", parse_memory},
	{"uptime", parse_uptime},
	{"sys/fs/file-nr", parse_files},
	{NULL, NULL},
};

/* ---- Network ---- */

/* Another proc than ours is a host's: there it is the network of its first process that counts. */
static const char *network_folder(const struct system_where *where)
{
	HALE_CLEANUP(cleanup_free) char *first = path_join(where->proc, "1/net/dev");

	return !str_eq(where->proc, "/proc") && access(first, R_OK) == 0 ? "1/net" : "self/net";
}

static int read_network(const struct system_where *where, struct system_sample *sample,
			struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *name = path_join(network_folder(where), "dev");
	HALE_CLEANUP(str_done) struct str text = {0};
	int rc = read_file(where->proc, name, &text, err);

	if (rc < 0)
		return rc;
	rc = sysinfo_network_parse(str_text(&text), NULL, &sample->network);
	if (rc < 0)
		return not_as_documented(where->proc, name, rc, err);
	for (size_t i = 0; i < where->interfaces->n; i++) {
		rc = sysinfo_network_parse(str_text(&text), where->interfaces->v[i],
					   &sample->interfaces[i]);
		if (rc == -ENODEV)
			return err_set(err, -ENOTDIR, "there is no interface %s",
				       where->interfaces->v[i]);
	}
	return 0;
}

static bool read_table(const char *path, struct sysinfo_tcp *tcp)
{
	HALE_CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	HALE_CLEANUP(cleanup_free) char *buf = mem_alloc(TABLE_BYTES + 1);
	size_t len = 0;
	ssize_t n = fd < 0 ? -1 : 1;

	while (n > 0 && len < TABLE_BYTES) {
		n = read(fd, buf + len, TABLE_BYTES - len);
		if (n > 0) {
			size_t taken;

			len += (size_t)n;
			buf[len] = '\0';
			taken = sysinfo_tcp_add(tcp, buf);
			memmove(buf, buf + taken, len - taken);
			len -= taken;
		}
	}
	return n == 0;
}

static void read_connections(const struct system_where *where, struct system_reading *r)
{
	HALE_CLEANUP(cleanup_free) char *folder = path_join(where->proc, network_folder(where));
	HALE_CLEANUP(cleanup_free) char *four = path_join(folder, "tcp");
	HALE_CLEANUP(cleanup_free) char *six = path_join(folder, "tcp6");

	r->has_tcp = where->counts_connections && read_table(four, &r->tcp);
	/* Without IPv6 there is no such file. */
	if (r->has_tcp)
		(void)read_table(six, &r->tcp);
}

/* ---- Control group ---- */

/* Version 2 has one folder, version 1 one for each controller. */
static const struct group_names {
	const char *memory_limit, *memory_used, *memory_stat, *inactive;
	const char *swap_limit, *swap_used;
} group_names[] = {
	{"memory.max", "memory.current", "memory.stat", "inactive_file", "memory.swap.max",
	 "memory.swap.current"},
	{"memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat",
	 "total_inactive_file", NULL, NULL},
};

static bool read_limit(const struct system_where *where, const char *name, uint64_t *limit_r)
{
	HALE_CLEANUP(str_done) struct str text = {0};

	return name != NULL && read_file(where->cgroup, name, &text, NULL) == 0 &&
	       cgroup_limit_parse(str_text(&text), limit_r) == 0;
}

static void take_swap(const struct system_where *where, const struct group_names *names,
		      struct sysinfo_memory *m)
{
	uint64_t limit, used;

	if (!read_limit(where, names->swap_limit, &limit) ||
	    !read_limit(where, names->swap_used, &used))
		return;
	m->swap_total_bytes = HALE_MIN(limit, m->swap_total_bytes);
	m->swap_free_bytes = m->swap_total_bytes - HALE_MIN(used, m->swap_total_bytes);
}

/* False if there is no such group. */
static bool read_group_memory(const struct system_where *where, const struct group_names *names,
			      struct system_reading *r)
{
	HALE_CLEANUP(str_done) struct str stat = {0};
	struct sysinfo_memory *m = &r->memory;
	uint64_t limit, used, inactive = 0;

	if (!read_limit(where, names->memory_limit, &limit) ||
	    !read_limit(where, names->memory_used, &used))
		return false;
	if (limit >= m->total_bytes && where->scope == SYSTEM_AUTO)
		return true;
	if (read_file(where->cgroup, names->memory_stat, &stat, NULL) == 0)
		(void)cgroup_stat_find(str_text(&stat), names->inactive, &inactive);
	used -= HALE_MIN(inactive, used);
	r->is_memory_limited = true;
	m->total_bytes = HALE_MIN(limit, m->total_bytes);
	m->available_bytes = m->total_bytes - HALE_MIN(used, m->total_bytes);
	take_swap(where, names, m);
	return true;
}

static int read_group(const struct system_where *where, struct system_reading *r, struct err *err)
{
	if (where->scope == SYSTEM_HOST)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(group_names); i++) {
		if (read_group_memory(where, &group_names[i], r))
			return 0;
	}
	if (where->scope == SYSTEM_AUTO)
		return 0;
	return err_set(err, -ENOTDIR, "there is no control group with a memory controller at %s",
		       where->cgroup);
}

static void read_group_cpu_1(const struct system_where *where, struct system_sample *sample)
{
	HALE_CLEANUP(str_done) struct str quota = {0};
	HALE_CLEANUP(str_done) struct str period = {0};
	HALE_CLEANUP(str_done) struct str stat = {0};
	uint64_t usage_ns;

	if (!read_limit(where, "cpuacct/cpuacct.usage", &usage_ns) ||
	    read_file(where->cgroup, "cpu/cpu.cfs_quota_us", &quota, NULL) < 0 ||
	    read_file(where->cgroup, "cpu/cpu.cfs_period_us", &period, NULL) < 0 ||
	    cgroup_cfs_parse(str_text(&quota), str_text(&period), &sample->group_cores) < 0)
		return;
	sample->group.usage_us = usage_ns / NS_PER_US;
	if (read_file(where->cgroup, "cpu/cpu.stat", &stat, NULL) < 0)
		return;
	(void)cgroup_stat_find(str_text(&stat), "nr_periods", &sample->group.periods);
	(void)cgroup_stat_find(str_text(&stat), "nr_throttled", &sample->group.throttled);
}

/* Whoever asks for a group without a quota sees its share of all processors. */
static void read_group_cpu(const struct system_where *where, struct system_sample *sample)
{
	HALE_CLEANUP(str_done) struct str max = {0};
	HALE_CLEANUP(str_done) struct str stat = {0};
	bool is_there;

	if (where->scope == SYSTEM_HOST)
		return;
	is_there = read_file(where->cgroup, "cpu.stat", &stat, NULL) == 0 &&
		   cgroup_cpu_stat_parse(str_text(&stat), &sample->group) == 0;
	if (is_there && read_file(where->cgroup, "cpu.max", &max, NULL) == 0)
		(void)cgroup_cpu_max_parse(str_text(&max), &sample->group_cores);
	else if (!is_there)
		read_group_cpu_1(where, sample);
	if (sample->group_cores >= sample->cpu.cores)
		sample->group_cores = 0;
	if (sample->group_cores <= 0 && where->scope == SYSTEM_CGROUP)
		sample->group_cores = sample->cpu.cores;
}

/* ---- The rest ---- */

static void read_pressure(const struct system_where *where, struct system_reading *r)
{
	static const char *const of_machine[] = {"pressure/cpu", "pressure/memory", "pressure/io"};
	static const char *const of_group[] = {"cpu.pressure", "memory.pressure", "io.pressure"};

	for (size_t i = 0; i < PRESSURE_N; i++) {
		HALE_CLEANUP(str_done) struct str text = {0};
		int rc = r->is_memory_limited ? read_file(where->cgroup, of_group[i], &text, NULL)
					      : -ENOENT;

		if (rc < 0)
			rc = read_file(where->proc, of_machine[i], &text, NULL);
		r->has_pressure[i] =
			rc == 0 && sysinfo_pressure_parse(str_text(&text), &r->pressure[i]) == 0;
	}
}

static int count_processes(const struct system_where *where, uint64_t *n_r, struct err *err)
{
	DIR *proc = opendir(where->proc);
	const struct dirent *entry;
	uint64_t n = 0;

	if (proc == NULL)
		return err_errno(err, -errno, "%s", where->proc);
	while ((entry = readdir(proc)) != NULL)
		n += isdigit((unsigned char)entry->d_name[0]) != 0;
	closedir(proc);
	*n_r = n;
	return 0;
}

static int read_disks(const struct system_where *where, struct system_reading *r, struct err *err)
{
	for (size_t i = 0; i < where->disks->n; i++) {
		const char *path = where->disks->v[i];
		int rc = statvfs(path, &r->disks[i]) == 0 ? 0 : -errno;

		if (rc < 0)
			(void)err_errno(err, rc, "%s", path);
		if (rc == -ENOENT || rc == -EACCES)
			return -ENOTDIR;
		if (rc < 0)
			return rc;
	}
	return 0;
}

int system_read_sample(const struct system_where *where, struct system_sample *sample_r,
		       struct err *err)
{
	struct system_sample sample = {.at_us = clock_mono_us()};
	int rc = read_sources(where, samples, &sample, err);

	if (rc == 0)
		rc = read_network(where, &sample, err);
	if (rc < 0)
		return rc;
	read_group_cpu(where, &sample);
	*sample_r = sample;
	return 0;
}

int system_read(const struct system_where *where, struct system_reading *reading_r, struct err *err)
{
	struct system_reading r = {0};
	int rc = system_read_sample(where, &r.now, err);

	if (rc == 0)
		rc = read_sources(where, sources, &r, err);
	if (rc == 0)
		rc = read_group(where, &r, err);
	if (rc == 0)
		rc = count_processes(where, &r.processes, err);
	if (rc == 0)
		rc = read_disks(where, &r, err);
	if (rc < 0)
		return rc;
	read_connections(where, &r);
	read_pressure(where, &r);
	*reading_r = r;
	return 0;
}
