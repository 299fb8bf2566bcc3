/* SPDX-License-Identifier: Apache-2.0 */
/* system - how this machine is, or the container in it: processors, memory, disks, network,
 * pressure
 *
 * Reports, and judges nothing: thresholds are the component's. What is read, and how, is in
 * system_read.h; what is made of it in system_tell.h.
 */
#include "check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "system_read.h"
#include "system_tell.h"

/* Ticks come every 10 ms: a share of fewer than ten is a guess. A run that has no earlier sample,
 * or only a younger one, takes its own and waits so long. */
#define SAMPLE_MIN_MS 100

#define US_PER_MS 1000

/* ---- Options ---- */

struct system_opts {
	struct strlist disks;
	struct strlist interfaces;
	bool connections;
	char *scope;
	char *proc;
	char *cgroup;
};

static const struct conf_item system_items[] = {
	CONF_LIST(struct system_opts, disks, .def = "[/]", .flags = CONF_F_NONEMPTY,
		  .help = "Any path on each file system whose space is reported"),
	CONF_LIST(struct system_opts, interfaces,
		  .help = "Network interfaces to report one by one, beside all together"),
	CONF_BOOL(struct system_opts, connections, .def = "true",
		  .help = "Count TCP connections by state"),
	CONF_ENUM(struct system_opts, scope, .def = "auto", .choices = "auto|host|cgroup",
		  .help = "Against what memory and processors are measured: the machine, the "
			  "limits of "
			  "a control group, or these only where there are some (a container)"),
	CONF_STR(struct system_opts, proc, .def = "/proc",
		 .flags = CONF_F_NONEMPTY | CONF_F_READ_BESIDE,
		 .help = "Where the proc file system is mounted (a host's, in a container)"),
	CONF_STR(
		struct system_opts, cgroup, .def = "/sys/fs/cgroup",
		.flags = CONF_F_NONEMPTY | CONF_F_READ_BESIDE,
		.help = "Folder of the control group whose limits count; in a container its own is "
			"here"),
	CONF_END,
};

static const struct reason_doc system_reasons[] = {
	{REASON_CONFIG,
	 "a disk, an interface, or with scope cgroup the control group is not there"},
	{REASON_TIMEOUT, "a file system hangs"},
	{REASON_INTERNAL, "proc is not there, or not as it should be"},
	REASON_DOC_END,
};

static const char system_about[] =
	"Reports, and judges nothing: thresholds do. Shares of time and rates are of the time "
	"since "
	"the last check; the first one takes a tenth of a second to have two samples.\n\n"
	"In a container that has limits, memory and processors are measured against these: 1 of 2 "
	"GB that it may use is 50 %, whatever the host has. `scope: host` does without; "
	"`cgroup: /sys/fs/cgroup/system.slice/shop.service` with `scope: cgroup` looks at a "
	"service "
	"of the host.";

static const char system_example[] =
	"system:\n"
	"  label: This machine\n"
	"  system: {disks: [/, /data]}\n"
	"  interval: 30s\n"
	"  impact: degraded\n"
	"  thresholds:\n"
	"    cpu_percent: {degraded: \"> 80\", critical: \"> 90\"}\n"
	"    memory_used_percent: {degraded: \"> 80\", critical: \"> 90\"}\n"
	"    disk_used_percent: {degraded: \"> 80\", critical: \"> 90\"}\n"
	"    inodes_used_percent: {degraded: \"> 80\", critical: \"> 90\"}\n"
	"    load_per_core: {degraded: \"> 4\"}\n"
	"    pressure_memory_full_avg60: {degraded: \"> 10\"}\n";

static void check_paths(const struct strlist *paths, const char *where, service_problem_fn problem,
			void *ctx)
{
	for (size_t i = 0; i < paths->n; i++) {
		if (*paths->v[i] != '/')
			problem(ctx, where, "expected an absolute path");
	}
}

static void system_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct system_opts *o = opts;

	check_paths(&o->disks, "/disks", problem, ctx);
	if (o->disks.n > SYSTEM_DISKS_MAX)
		problem(ctx, "/disks", "more than 16: make several components of them");
	if (o->interfaces.n > SYSTEM_INTERFACES_MAX)
		problem(ctx, "/interfaces", "more than 16: make several components of them");
	if (*o->proc != '/')
		problem(ctx, "/proc", "expected an absolute path");
	if (*o->cgroup != '/')
		problem(ctx, "/cgroup", "expected an absolute path");
}

static enum system_scope scope_of(const struct system_opts *o)
{
	if (str_eq(o->scope, "host"))
		return SYSTEM_HOST;
	return str_eq(o->scope, "cgroup") ? SYSTEM_CGROUP : SYSTEM_AUTO;
}

/* ---- One run ---- */

struct system_run {
	struct system_where where;
	struct system_sample before;
	uv_timer_t timer; /* between two samples of one run */
	bool is_waiting;
	bool is_cancelled;

	/* By the thread. */
	int rc;
	struct err err;
	struct system_reading reading;
};

static void read_sample(void *run_data)
{
	struct system_run *run = run_data;

	run->rc = system_read_sample(&run->where, &run->before, &run->err);
}

static void read_all(void *run_data)
{
	struct system_run *run = run_data;

	run->rc = system_read(&run->where, &run->reading, &run->err);
}

static void fail(struct check *c)
{
	const struct system_run *run = check_run_data(c);
	struct err err = run->err;

	check_done(c, run->rc == -ENOTDIR ? REASON_CONFIG : REASON_INTERNAL, "%s", err.text);
}

static void on_all_read(struct check *c)
{
	struct system_run *run = check_run_data(c);
	struct system_sample *last = check_prep(c);

	if (run->rc != 0) {
		fail(c);
		return;
	}
	*last = run->reading.now;
	system_tell(c, &run->where, &run->before, &run->reading);
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
	HALE_ASSERT(uv_timer_init(check_loop(c), &run->timer) == 0);
	run->timer.data = c;
	run->is_waiting = true;
	uv_update_time(check_loop(c));
	(void)uv_timer_start(&run->timer, on_timer, SAMPLE_MIN_MS, 0);
}

static void system_start(struct check *c)
{
	const struct system_opts *o = check_opts(c);
	struct system_run *run = check_run_data(c);
	const struct system_sample *last = check_prep(c);
	int64_t age_ms = (clock_mono_us() - last->at_us) / US_PER_MS;

	run->where = (struct system_where){
		.proc = o->proc,
		.cgroup = o->cgroup,
		.scope = scope_of(o),
		.disks = &o->disks,
		.interfaces = &o->interfaces,
		.counts_connections = o->connections,
	};
	run->before = *last;
	if (last->at_us == 0 || age_ms < SAMPLE_MIN_MS)
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
	return mem_alloc(sizeof(struct system_sample));
}

const struct check_ops check_ops = {
	.kind = "system",
	.summary = "reports this machine: processors, memory, disks, network, processes, pressure",
	.about = system_about,
	.items = system_items,
	.opts_size = sizeof(struct system_opts),
	.run_size = sizeof(struct system_run),
	.metrics = system_metrics,
	.details = system_details,
	.reasons = system_reasons,
	.example = system_example,
	.validate = system_validate,
	.prepare = system_prepare,
	.unprepare = free,
	.start = system_start,
	.cancel = system_cancel,
};
