/* SPDX-License-Identifier: Apache-2.0 */
/* system - how this machine is: processors, memory, swap, load, disk, processes, network
 *
 * Reports, and judges nothing: thresholds are the component's. The files of /proc and statvfs() are
 * read in a thread, because a file system that hangs (a dead NFS server) hangs its reader.
 */
#include "check.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "sysinfo.h"

/* /proc/stat of a machine with a thousand processors stays below. */
#define PROC_FILE_MAX (4u << 20)
/* Ticks come every 10 ms: a share of fewer than ten is a guess. A run that has no earlier sample,
 * or only a younger one, takes its own and waits so long. */
#define SAMPLE_MIN_MS 100

#define MS_PER_S 1000.0

/* ---- Options ---- */

struct system_opts {
	char *path;
	char *proc;
};

static const struct conf_item system_items[] = {
	CONF_STR(struct system_opts, path, .def = "/", .flags = CONF_F_NONEMPTY,
		 .help = "Any path on the file system whose space is reported"),
	CONF_STR(struct system_opts, proc, .def = "/proc",
		 .flags = CONF_F_NONEMPTY | CONF_F_READ_BESIDE,
		 .help = "Where the proc file system is mounted (a host's, in a container)"),
	CONF_END,
};

static const struct metric_doc system_metrics[] = {
	{"cpu_percent", "share of time the processors were busy since the last run"},
	{"cpu_cores", "number of processors"},
	{"load1", "load average over 1 minute"},
	{"load5", "load average over 5 minutes"},
	{"load15", "load average over 15 minutes"},
	{"load_per_core", "load1 divided by cpu_cores"},
	{"memory_used_percent", "memory that programs cannot get any more"},
	{"memory_used_bytes", "the same in bytes"},
	{"memory_total_bytes", "size of the memory"},
	{"swap_used_percent", "used share of the swap; 0 if there is none"},
	{"disk_used_percent", "used share of the space of path, as df shows it"},
	{"disk_used_bytes", "the same in bytes"},
	{"disk_total_bytes", "size of the file system of path"},
	{"inodes_used_percent", "used share of the inodes of path, if it has them"},
	{"processes", "number of processes"},
	{"uptime_seconds", "time since the machine was started"},
	{"open_files", "open files of all processes"},
	{"network_rx_bytes_per_second", "bytes received since the last run, without lo"},
	{"network_tx_bytes_per_second", "bytes sent since the last run, without lo"},
	{NULL, NULL},
};

static void system_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct system_opts *o = opts;

	if (*o->path != '/')
		problem(ctx, "/path", "expected an absolute path");
	if (*o->proc != '/')
		problem(ctx, "/proc", "expected an absolute path");
}

/* ---- What is read, in a thread ---- */

struct sample {
	int64_t at_ms; /* 0: none */
	struct sysinfo_cpu cpu;
	struct sysinfo_network network;
};

struct system_run {
	const struct system_opts *opts;
	struct sample before;
	uv_timer_t timer; /* between two samples of one run */
	bool is_waiting;
	bool is_cancelled;

	int rc;
	struct err err;
	bool is_config_error;
	struct sample now;
	double load[3];
	struct sysinfo_memory memory;
	double uptime_seconds;
	uint64_t open_files;
	uint64_t processes;
	struct statvfs disk;
};

/* What parses a file; they differ in the type of their result. */
struct source {
	const char *name; /* below opts->proc */
	int (*parse)(const char *text, struct system_run *run);
};

static int parse_cpu(const char *text, struct system_run *run)
{
	return sysinfo_cpu_parse(text, &run->now.cpu);
}

static int parse_network(const char *text, struct system_run *run)
{
	return sysinfo_network_parse(text, &run->now.network);
}

static int parse_load(const char *text, struct system_run *run)
{
	return sysinfo_load_parse(text, run->load);
}

static int parse_memory(const char *text, struct system_run *run)
{
	return sysinfo_memory_parse(text, &run->memory);
}

static int parse_uptime(const char *text, struct system_run *run)
{
	return sysinfo_uptime_parse(text, &run->uptime_seconds);
}

static int parse_files(const char *text, struct system_run *run)
{
	return sysinfo_files_parse(text, &run->open_files);
}

static const struct source samples[] = {
	{"stat", parse_cpu},
	{"self/net/dev", parse_network},
	{NULL, NULL},
};

static const struct source sources[] = {
	{"loadavg", parse_load},
	{"meminfo", parse_memory},
	{"uptime", parse_uptime},
	{"sys/fs/file-nr", parse_files},
	{NULL, NULL},
};

static void read_sources(struct system_run *run, const struct source *s)
{
	for (; s->name != NULL && run->rc == 0; s++) {
		HALE_CLEANUP(str_done) struct str text = {0};
		HALE_CLEANUP(cleanup_free) char *path = path_join(run->opts->proc, s->name);

		run->rc = file_read(path, PROC_FILE_MAX, &text, &run->err);
		if (run->rc != 0)
			return;
		run->rc = s->parse(str_text(&text), run);
		if (run->rc != 0)
			(void)err_set(&run->err, run->rc, "%s: not as proc(5) says", path);
	}
}

static void count_processes(struct system_run *run)
{
	DIR *proc = opendir(run->opts->proc);
	const struct dirent *entry;

	if (proc == NULL) {
		run->rc = err_errno(&run->err, -errno, "%s", run->opts->proc);
		return;
	}
	while ((entry = readdir(proc)) != NULL)
		run->processes += isdigit((unsigned char)entry->d_name[0]) != 0;
	closedir(proc);
}

static void read_disk(struct system_run *run)
{
	if (run->rc != 0 || statvfs(run->opts->path, &run->disk) == 0)
		return;
	run->is_config_error = errno == ENOENT || errno == EACCES;
	run->rc = err_errno(&run->err, -errno, "%s", run->opts->path);
}

static void read_sample(void *run_data)
{
	struct system_run *run = run_data;

	run->now.at_ms = clock_mono_ms();
	read_sources(run, samples);
}

static void read_all(void *run_data)
{
	struct system_run *run = run_data;

	read_sample(run);
	read_sources(run, sources);
	if (run->rc == 0)
		count_processes(run);
	read_disk(run);
}

/* ---- What is told ---- */

static double percent(double part, double whole)
{
	return whole > 0 ? 100.0 * part / whole : 0;
}

static void tell_processors(struct check *c, const struct system_run *run)
{
	unsigned cores = run->now.cpu.cores;

	check_metric(c, "cpu_percent", sysinfo_cpu_percent(&run->before.cpu, &run->now.cpu));
	check_metric(c, "cpu_cores", cores);
	check_metric(c, "load1", run->load[0]);
	check_metric(c, "load5", run->load[1]);
	check_metric(c, "load15", run->load[2]);
	check_metric(c, "load_per_core", run->load[0] / cores);
}

static double memory_used_percent(const struct system_run *run)
{
	const struct sysinfo_memory *m = &run->memory;

	return percent((double)(m->total_bytes - m->available_bytes), (double)m->total_bytes);
}

static void tell_memory(struct check *c, const struct system_run *run)
{
	const struct sysinfo_memory *m = &run->memory;

	check_metric(c, "memory_used_percent", memory_used_percent(run));
	check_metric(c, "memory_used_bytes", (double)(m->total_bytes - m->available_bytes));
	check_metric(c, "memory_total_bytes", (double)m->total_bytes);
	check_metric(c, "swap_used_percent",
		     percent((double)(m->swap_total_bytes - m->swap_free_bytes),
			     (double)m->swap_total_bytes));
}

/* As df: blocks reserved for root are neither used nor free. */
static double disk_used_percent(const struct statvfs *d)
{
	double used = (double)(d->f_blocks - d->f_bfree);

	return percent(used, used + (double)d->f_bavail);
}

static void tell_disk(struct check *c, const struct statvfs *d)
{
	check_metric(c, "disk_used_percent", disk_used_percent(d));
	check_metric(c, "disk_used_bytes",
		     (double)(d->f_blocks - d->f_bfree) * (double)d->f_frsize);
	check_metric(c, "disk_total_bytes", (double)d->f_blocks * (double)d->f_frsize);
	/* btrfs and the like make inodes as they need them. */
	if (d->f_files > 0)
		check_metric(c, "inodes_used_percent",
			     percent((double)(d->f_files - d->f_ffree), (double)d->f_files));
}

static void tell_network(struct check *c, const struct sample *before, const struct sample *now)
{
	double seconds = (double)(now->at_ms - before->at_ms) / MS_PER_S;

	/* An interface that went away took its count along. */
	if (seconds <= 0 || now->network.rx_bytes < before->network.rx_bytes ||
	    now->network.tx_bytes < before->network.tx_bytes)
		return;
	check_metric(c, "network_rx_bytes_per_second",
		     (double)(now->network.rx_bytes - before->network.rx_bytes) / seconds);
	check_metric(c, "network_tx_bytes_per_second",
		     (double)(now->network.tx_bytes - before->network.tx_bytes) / seconds);
}

static void tell_all(struct check *c, const struct system_run *run)
{
	tell_processors(c, run);
	tell_memory(c, run);
	tell_disk(c, &run->disk);
	tell_network(c, &run->before, &run->now);
	check_metric(c, "processes", (double)run->processes);
	check_metric(c, "uptime_seconds", run->uptime_seconds);
	check_metric(c, "open_files", (double)run->open_files);
	check_done(c, REASON_OK, "cpu %.0f %%, memory %.0f %%, disk %.0f %%, load %.1f",
		   sysinfo_cpu_percent(&run->before.cpu, &run->now.cpu), memory_used_percent(run),
		   disk_used_percent(&run->disk), run->load[0]);
}

/* ---- One run ---- */

static void fail(struct check *c)
{
	const struct system_run *run = check_run_data(c);
	struct err err = run->err;

	check_done(c, run->is_config_error ? REASON_CONFIG : REASON_INTERNAL, "%s", err.text);
}

static void on_all_read(struct check *c)
{
	struct system_run *run = check_run_data(c);
	struct sample *last = check_prep(c);

	if (run->rc != 0) {
		fail(c);
		return;
	}
	*last = run->now;
	tell_all(c, run);
}

static void on_timer_closed(uv_handle_t *timer)
{
	struct check *c = timer->data;
	const struct system_run *run = check_run_data(c);

	if (run->is_cancelled)
		check_done(c, REASON_CANCELLED, NULL);
	else
		check_work(c, read_all, on_all_read);
}

static void stop_waiting(struct system_run *run)
{
	run->is_waiting = false;
	uv_close((uv_handle_t *)&run->timer, on_timer_closed);
}

static void on_timer(uv_timer_t *timer)
{
	stop_waiting(check_run_data(timer->data));
}

static void on_own_sample(struct check *c)
{
	struct system_run *run = check_run_data(c);

	if (run->is_cancelled) {
		check_done(c, REASON_CANCELLED, NULL);
		return;
	}
	if (run->rc != 0) {
		fail(c);
		return;
	}
	run->before = run->now;
	HALE_ASSERT(uv_timer_init(check_loop(c), &run->timer) == 0);
	run->timer.data = c;
	run->is_waiting = true;
	uv_update_time(check_loop(c));
	(void)uv_timer_start(&run->timer, on_timer, SAMPLE_MIN_MS, 0);
}

static void system_start(struct check *c)
{
	struct system_run *run = check_run_data(c);
	const struct sample *last = check_prep(c);

	run->opts = check_opts(c);
	run->before = *last;
	if (last->at_ms == 0 || clock_mono_ms() - last->at_ms < SAMPLE_MIN_MS)
		check_work(c, read_sample, on_own_sample);
	else
		check_work(c, read_all, on_all_read);
}

/* A thread that is out cannot be called back; its return ends the run. */
static void system_cancel(struct check *c)
{
	struct system_run *run = check_run_data(c);

	run->is_cancelled = true;
	if (run->is_waiting)
		stop_waiting(run);
}

static void *system_prepare(const void *opts HALE_UNUSED)
{
	return mem_alloc(sizeof(struct sample));
}

const struct check_ops check_ops = {
	.kind = "system",
	.summary = "reports processors, memory, swap, load, disk, processes and network",
	.items = system_items,
	.opts_size = sizeof(struct system_opts),
	.run_size = sizeof(struct system_run),
	.metrics = system_metrics,
	.validate = system_validate,
	.prepare = system_prepare,
	.unprepare = free,
	.start = system_start,
	.cancel = system_cancel,
};
