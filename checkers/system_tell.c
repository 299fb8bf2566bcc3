/* SPDX-License-Identifier: Apache-2.0 */
#include "system_tell.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/units.h"

#define US_PER_S   1e6
#define GIB        (1024.0 * 1024 * 1024)
#define WORDS_MAX  48 /* of a path or an interface, in a metric's name */
#define METRIC_MAX 96

const struct metric_doc system_metrics[] = {
	{"cpu_percent",
	 "share of time the processors were busy since the last run; of the quota, if "
	 "the control group has one"},
	{"cpu_user_percent", "of it, in programs"},
	{"cpu_system_percent", "of it, in the kernel"},
	{"cpu_iowait_percent", "share of time a processor was idle and a disk was waited for"},
	{"cpu_steal_percent", "share of time the host gave to other guests"},
	{"cpu_cores", "number of processors, or what the quota is worth"},
	{"cpu_throttled_percent",
	 "share of the quota's periods in which it was used up; only with a "
	 "quota"},
	{"load1", "load average over 1 minute"},
	{"load5", "load average over 5 minutes"},
	{"load15", "load average over 15 minutes"},
	{"load_per_core", "load1 divided by the number of processors"},
	{"memory_used_percent",
	 "memory that programs cannot get any more (what caches hold is free)"},
	{"memory_used_bytes", "the same in bytes"},
	{"memory_available_bytes", "what programs can still get"},
	{"memory_total_bytes", "size of the memory, or the control group's limit"},
	{"swap_used_percent", "used share of the swap; 0 if there is none"},
	{"swap_used_bytes", "the same in bytes"},
	{"swap_total_bytes", "size of the swap"},
	{"disk_used_percent",
	 "used share of the space, as df shows it; the fullest of several disks"},
	{"disk_used_bytes", "the same in bytes"},
	{"disk_available_bytes", "space that is left to others than root"},
	{"disk_total_bytes", "size of that file system"},
	{"inodes_used_percent", "used share of the inodes, if it has them; the fullest of several"},
	{"disk_*_used_percent",
	 "with several disks, of each: / is disk_root_used_percent, /var/lib is "
	 "disk_var_lib_used_percent"},
	{"disk_*_available_bytes", "the same: space left"},
	{"disk_*_inodes_used_percent", "the same: inodes"},
	{"processes", "number of processes"},
	{"processes_running", "those that run or could"},
	{"processes_blocked", "those that wait for a disk"},
	{"uptime_seconds", "time since the machine was started"},
	{"open_files", "open files of all processes"},
	{"open_files_percent", "their share of what the kernel allows"},
	{"network_rx_bytes_per_second", "bytes received since the last run, without lo"},
	{"network_tx_bytes_per_second", "bytes sent since the last run, without lo"},
	{"network_errors_per_second", "errors and drops of both directions, without lo"},
	{"network_*_rx_bytes_per_second",
	 "of each of `interfaces`; the same with tx_bytes and errors"},
	{"network_connections",
	 "TCP connections in any state, without listeners, both IPs; one whose "
	 "both ends are here counts twice"},
	{"tcp_established", "those that are up"},
	{"tcp_time_wait", "those that are over and kept for stray packets"},
	{"tcp_close_wait", "those whose peer has closed and whose program has not: it leaks them"},
	{"tcp_syn_recv", "half-open ones: many are an attack, or a full queue"},
	{"tcp_listen", "listening sockets"},
	{"pressure_cpu_avg*", "share of time somebody had to wait for a processor; avg10, avg60, "
			      "avg300: the last seconds it is of"},
	{"pressure_memory_avg*", "the same for memory: somebody waited for it to be freed"},
	{"pressure_memory_full_avg*", "everybody waited for memory"},
	{"pressure_io_avg*", "somebody waited for a disk"},
	{"pressure_io_full_avg*", "everybody waited for a disk"},
	{NULL, NULL},
};

const struct metric_doc system_details[] = {
	{"uptime", "for people: 12d4h"},
	{"started_at", "when the machine was"},
	{"cpu", "usage (percent) and cores"},
	{"memory", "used_gb, total_gb, percent (1 GB is 1024 MB)"},
	{"disk", "path, used_gb, total_gb, percent: of the fullest"},
	{"scope", "host, or cgroup if limits of a control group count"},
	{NULL, NULL},
};

static double percent(double part, double whole)
{
	return whole > 0 ? 100.0 * part / whole : 0;
}

/* Two decimals are enough for people. */
static json_t *rounded(double n)
{
	return json_real(round(n * 100) / 100);
}

static json_t *share(double used_bytes, double total_bytes, double used_percent)
{
	return json_pack("{s:o, s:o, s:o}", "used_gb", rounded(used_bytes / GIB), "total_gb",
			 rounded(total_bytes / GIB), "percent", rounded(used_percent));
}

/* "/var/lib" is var_lib, "/" root; what is no letter or digit is one "_". */
static void words_of(const char *text, char words[WORDS_MAX])
{
	size_t n = 0;

	for (; *text != '\0' && n + 1 < WORDS_MAX; text++) {
		if (isalnum((unsigned char)*text))
			words[n++] = (char)tolower((unsigned char)*text);
		else if (n > 0 && words[n - 1] != '_')
			words[n++] = '_';
	}
	while (n > 0 && words[n - 1] == '_')
		n--;
	words[n] = '\0';
	if (n == 0)
		(void)strcpy(words, "root");
}

static void named_metric(struct check *c, const char *what, const char *of, const char *which,
			 double value)
{
	char words[WORDS_MAX];
	char name[METRIC_MAX];

	words_of(of, words);
	(void)snprintf(name, sizeof(name), "%s_%s_%s", what, words, which);
	check_metric(c, name, value);
}

/* ---- Processors ---- */

static double cores_of(const struct system_sample *s)
{
	return s->group_cores > 0 ? s->group_cores : s->cpu.cores;
}

static double busy_percent(const struct system_sample *before, const struct system_sample *now)
{
	double spent_us = (double)now->group.usage_us - (double)before->group.usage_us;
	double us = (double)(now->at_us - before->at_us) * now->group_cores;

	if (now->group_cores <= 0)
		return sysinfo_cpu_percent(&before->cpu, &now->cpu);
	/* Time is measured a little before and after it was spent. */
	return us <= 0 || spent_us <= 0 ? 0 : HALE_MIN(percent(spent_us, us), 100.0);
}

static void tell_part(struct check *c, const char *name, uint64_t before, uint64_t after,
		      const struct sysinfo_cpu *b, const struct sysinfo_cpu *a)
{
	check_metric(c, name, sysinfo_ticks_percent(before, after, b->total, a->total));
}

static void tell_processors(struct check *c, const struct system_sample *before,
			    const struct system_reading *r)
{
	const struct system_sample *now = &r->now;
	const struct sysinfo_cpu *b = &before->cpu, *a = &now->cpu;
	double busy = busy_percent(before, now);

	check_metric(c, "cpu_percent", busy);
	tell_part(c, "cpu_user_percent", b->user, a->user, b, a);
	tell_part(c, "cpu_system_percent", b->system, a->system, b, a);
	tell_part(c, "cpu_iowait_percent", b->iowait, a->iowait, b, a);
	tell_part(c, "cpu_steal_percent", b->steal, a->steal, b, a);
	check_metric(c, "cpu_cores", cores_of(now));
	if (now->group_cores > 0)
		check_metric(c, "cpu_throttled_percent",
			     sysinfo_ticks_percent(before->group.throttled, now->group.throttled,
						   before->group.periods, now->group.periods));
	check_metric(c, "load1", r->load[0]);
	check_metric(c, "load5", r->load[1]);
	check_metric(c, "load15", r->load[2]);
	check_metric(c, "load_per_core", r->load[0] / a->cores);
	check_metric(c, "processes", (double)r->processes);
	check_metric(c, "processes_running", (double)a->running);
	check_metric(c, "processes_blocked", (double)a->blocked);
	check_detail(c, "cpu",
		     json_pack("{s:o, s:f}", "usage", rounded(busy), "cores", cores_of(now)));
}

/* ---- Memory ---- */

static double memory_used(const struct sysinfo_memory *m)
{
	return (double)(m->total_bytes - m->available_bytes);
}

static double memory_percent(const struct sysinfo_memory *m)
{
	return percent(memory_used(m), (double)m->total_bytes);
}

static void tell_memory(struct check *c, const struct sysinfo_memory *m)
{
	double swap_used = (double)(m->swap_total_bytes - m->swap_free_bytes);

	check_metric(c, "memory_used_percent", memory_percent(m));
	check_metric(c, "memory_used_bytes", memory_used(m));
	check_metric(c, "memory_available_bytes", (double)m->available_bytes);
	check_metric(c, "memory_total_bytes", (double)m->total_bytes);
	check_metric(c, "swap_used_percent", percent(swap_used, (double)m->swap_total_bytes));
	check_metric(c, "swap_used_bytes", swap_used);
	check_metric(c, "swap_total_bytes", (double)m->swap_total_bytes);
	check_detail(c, "memory", share(memory_used(m), (double)m->total_bytes, memory_percent(m)));
}

/* ---- Disks ---- */

/* As df: blocks reserved for root are neither used nor free. */
static double disk_percent(const struct statvfs *d)
{
	double used = (double)(d->f_blocks - d->f_bfree);

	return percent(used, used + (double)d->f_bavail);
}

/* btrfs and the like make inodes as they need them, and have no number of them. */
static double inodes_percent(const struct statvfs *d)
{
	return percent((double)(d->f_files - d->f_ffree), (double)d->f_files);
}

static double available_bytes(const struct statvfs *d)
{
	return (double)d->f_bavail * (double)d->f_frsize;
}

static size_t fullest(const struct system_where *where, const struct system_reading *r)
{
	size_t worst = 0;

	for (size_t i = 1; i < where->disks->n; i++) {
		if (disk_percent(&r->disks[i]) > disk_percent(&r->disks[worst]))
			worst = i;
	}
	return worst;
}

static void tell_each_disk(struct check *c, const struct system_where *where,
			   const struct system_reading *r)
{
	double inodes = -1;

	for (size_t i = 0; i < where->disks->n; i++) {
		const struct statvfs *d = &r->disks[i];
		const char *path = where->disks->v[i];

		if (d->f_files > 0)
			inodes = HALE_MAX(inodes, inodes_percent(d));
		if (where->disks->n == 1)
			continue;
		named_metric(c, "disk", path, "used_percent", disk_percent(d));
		named_metric(c, "disk", path, "available_bytes", available_bytes(d));
		if (d->f_files > 0)
			named_metric(c, "disk", path, "inodes_used_percent", inodes_percent(d));
	}
	if (inodes >= 0)
		check_metric(c, "inodes_used_percent", inodes);
}

static void tell_disks(struct check *c, const struct system_where *where,
		       const struct system_reading *r)
{
	size_t worst = fullest(where, r);
	const struct statvfs *d = &r->disks[worst];
	double used = (double)(d->f_blocks - d->f_bfree) * (double)d->f_frsize;
	double total = (double)d->f_blocks * (double)d->f_frsize;
	json_t *detail = share(used, total, disk_percent(d));

	check_metric(c, "disk_used_percent", disk_percent(d));
	check_metric(c, "disk_used_bytes", used);
	check_metric(c, "disk_available_bytes", available_bytes(d));
	check_metric(c, "disk_total_bytes", total);
	tell_each_disk(c, where, r);
	json_object_set_new(detail, "path", json_string(where->disks->v[worst]));
	check_detail(c, "disk", detail);
}

/* ---- Network ---- */

struct rates {
	double rx, tx, errors;
};

/* An interface that went away took its count along. */
static bool rates_of(const struct sysinfo_network *before, const struct sysinfo_network *now,
		     double seconds, struct rates *rates_r)
{
	if (seconds <= 0 || now->rx_bytes < before->rx_bytes || now->tx_bytes < before->tx_bytes ||
	    now->errors < before->errors)
		return false;
	rates_r->rx = (double)(now->rx_bytes - before->rx_bytes) / seconds;
	rates_r->tx = (double)(now->tx_bytes - before->tx_bytes) / seconds;
	rates_r->errors = (double)(now->errors - before->errors) / seconds;
	return true;
}

static void tell_network(struct check *c, const struct system_where *where,
			 const struct system_sample *before, const struct system_sample *now)
{
	double seconds = (double)(now->at_us - before->at_us) / US_PER_S;
	struct rates rates;

	if (rates_of(&before->network, &now->network, seconds, &rates)) {
		check_metric(c, "network_rx_bytes_per_second", rates.rx);
		check_metric(c, "network_tx_bytes_per_second", rates.tx);
		check_metric(c, "network_errors_per_second", rates.errors);
	}
	for (size_t i = 0; i < where->interfaces->n; i++) {
		const char *name = where->interfaces->v[i];

		if (!rates_of(&before->interfaces[i], &now->interfaces[i], seconds, &rates))
			continue;
		named_metric(c, "network", name, "rx_bytes_per_second", rates.rx);
		named_metric(c, "network", name, "tx_bytes_per_second", rates.tx);
		named_metric(c, "network", name, "errors_per_second", rates.errors);
	}
}

static void tell_connections(struct check *c, const struct sysinfo_tcp *tcp)
{
	check_metric(c, "network_connections", (double)sysinfo_tcp_connections(tcp));
	check_metric(c, "tcp_established", (double)tcp->states[SYSINFO_TCP_ESTABLISHED]);
	check_metric(c, "tcp_time_wait", (double)tcp->states[SYSINFO_TCP_TIME_WAIT]);
	check_metric(c, "tcp_close_wait", (double)tcp->states[SYSINFO_TCP_CLOSE_WAIT]);
	check_metric(c, "tcp_syn_recv", (double)tcp->states[SYSINFO_TCP_SYN_RECV]);
	check_metric(c, "tcp_listen", (double)tcp->states[SYSINFO_TCP_LISTEN]);
}

/* ---- The rest ---- */

static void tell_averages(struct check *c, const char *name, const double averages[3])
{
	static const char *const spans[] = {"avg10", "avg60", "avg300"};

	for (size_t i = 0; i < ARRAY_LEN(spans); i++) {
		char full[METRIC_MAX];

		(void)snprintf(full, sizeof(full), "pressure_%s_%s", name, spans[i]);
		check_metric(c, full, averages[i]);
	}
}

static void tell_pressure(struct check *c, const struct system_reading *r)
{
	static const char *const names[] = {"cpu", "memory", "io"};
	static const char *const full_names[] = {NULL, "memory_full", "io_full"};

	for (size_t i = 0; i < PRESSURE_N; i++) {
		if (!r->has_pressure[i])
			continue;
		tell_averages(c, names[i], r->pressure[i].some);
		/* For processors it means nothing outside of a group. */
		if (r->pressure[i].has_full && full_names[i] != NULL)
			tell_averages(c, full_names[i], r->pressure[i].full);
	}
}

static void tell_uptime(struct check *c, double seconds)
{
	int64_t ms = seconds < (double)INT64_MAX / 1000 ? (int64_t)(seconds * 1000) : 0;
	char uptime[UNITS_TEXT_MAX];
	char started[CLOCK_TEXT_MAX];

	check_metric(c, "uptime_seconds", seconds);
	/* Whole seconds are for people, and a boot time that shivers is none. */
	check_detail(c, "uptime", json_string(duration_format_short(ms - ms % 1000, uptime)));
	ms = clock_wall_ms() - ms;
	check_detail(c, "started_at", json_string(clock_format(ms - ms % 1000, started)));
}

void system_tell(struct check *c, const struct system_where *where,
		 const struct system_sample *before, const struct system_reading *now)
{
	size_t worst = fullest(where, now);
	HALE_CLEANUP(str_done) struct str disk = {0};

	tell_processors(c, before, now);
	tell_memory(c, &now->memory);
	tell_disks(c, where, now);
	tell_network(c, where, before, &now->now);
	if (now->has_tcp)
		tell_connections(c, &now->tcp);
	tell_pressure(c, now);
	tell_uptime(c, now->uptime_seconds);
	check_metric(c, "open_files", (double)now->open_files);
	check_metric(c, "open_files_percent",
		     percent((double)now->open_files, (double)now->open_files_max));
	check_detail(c, "scope",
		     json_string(now->is_memory_limited || now->now.group_cores > 0 ? "cgroup"
										    : "host"));
	if (where->disks->n > 1)
		str_addf(&disk, " (%s)", where->disks->v[worst]);
	check_done(c, REASON_OK, "cpu %.0f %%, memory %.0f %%, disk %.0f %%%s, load %.1f",
		   busy_percent(before, &now->now), memory_percent(&now->memory),
		   disk_percent(&now->disks[worst]), str_text(&disk), now->load[0]);
}
