/* SPDX-License-Identifier: Apache-2.0 */
/* process - is a program running, how often, since when, and what does it use?
 *
 * Found by any of pidfile, name, pattern, user, unit; several of them must all fit. Who fits is
 * looked for, and looked at more closely, in a thread; the table of processes is shared by all
 * components (proc_scan.h).
 *
 * Command lines hold passwords: nothing but the program itself is ever shown of them.
 */
#include "check.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "excerpt.h"
#include "proc_scan.h"
#include "process_judge.h"
#include "process_look.h"
#include "user_id.h"

/* That are told one by one. */
#define SHOWN_MAX 32
#define US_PER_S  1e6

/* ---- Options ---- */

struct process_opts {
	char *pidfile;
	char *name;
	char *pattern;
	char *user;
	char *unit;
	int64_t min;
	int64_t max;
	bool pss;
	char *proc;
};

static const struct conf_item process_items[] = {
	CONF_STR(struct process_opts, pidfile, .flags = CONF_F_NONEMPTY | CONF_F_READ_BESIDE,
		 .help = "File whose first line is the number of the process"),
	CONF_STR(struct process_opts, name, .flags = CONF_F_NONEMPTY,
		 .help = "Exact name of the program, as ps -o comm shows it, or the file's name"),
	CONF_STR(struct process_opts, pattern, .flags = CONF_F_NONEMPTY,
		 .help = "POSIX extended regular expression that must match in the command line, "
			 "whose "
			 "arguments are separated by blanks"),
	CONF_STR(struct process_opts, user, .flags = CONF_F_NONEMPTY,
		 .help = "Name or number of the user it runs as"),
	CONF_STR(struct process_opts, unit, .flags = CONF_F_NONEMPTY,
		 .help = "Unit (nginx.service) or path of the control group it is in"),
	CONF_INT(struct process_opts, min, .def = "1", .min = 0, .max = 1e6,
		 .help = "At least so many; 0 with max 0: there must be none"),
	CONF_INT(struct process_opts, max, .def = "-1", .min = -1, .max = 1e6,
		 .help = "At most so many; -1: any number"),
	CONF_BOOL(struct process_opts, pss, .def = "false",
		  .help = "Also its share of memory that is shared, which costs the kernel a walk "
			  "through "
			  "all of it"),
	CONF_STR(struct process_opts, proc, .def = "/proc",
		 .flags = CONF_F_NONEMPTY | CONF_F_READ_BESIDE,
		 .help = "Where the proc file system is mounted (a host's, in a container)"),
	CONF_END,
};

static const struct metric_doc process_metrics[] = {
	{"count", "processes that fit and are alive"},
	{"cpu_percent",
	 "what they used of one processor since the last check, together; not in the "
	 "first"},
	{"rss_bytes", "memory they have, together; what they share counts for each"},
	{"pss_bytes",
	 "memory they have with what is shared divided among the sharers; with pss, where "
	 "hale may look"},
	{"threads", "of all of them"},
	{"fds", "open files of all of them; where hale may look"},
	{"read_bytes_per_second", "from disks since the last check; where hale may look"},
	{"write_bytes_per_second", "to disks since the last check; where hale may look"},
	{"children", "processes they started that do not fit themselves"},
	{"uptime_seconds", "of the youngest: falls when one is started anew"},
	{"uptime_oldest_seconds", "of the oldest"},
	{"zombies", "that fit, are dead, and whose parent has not noticed"},
	{"stopped", "that do not run until somebody continues them"},
	{"blocked",
	 "that wait in the kernel and cannot be interrupted, mostly for a disk (state D)"},
	{NULL, NULL},
};

static const struct metric_doc process_details[] = {
	{"pids", "numbers of the processes, the oldest first, up to 32"},
	{"processes", "of these: pid, state, program (never its arguments), started_at, rss_bytes"},
	{"hidden", "how many of them hale may not look into (other users', without the privilege)"},
	{NULL, NULL},
};

static const struct reason_doc process_reasons[] = {
	{REASON_PROCESS_DOWN, "none is running, all are zombies, or all are stopped"},
	{REASON_PROCESS_COUNT, "fewer than min, or more than max"},
	{REASON_FILE_UNREADABLE, "the pidfile is there, but cannot be read"},
	{REASON_INTERNAL, "proc cannot be read"},
	REASON_DOC_END,
};

static const char process_about[] =
	"Looks for processes by `pidfile`, `name`, `pattern`, `user`, `unit`; of several options "
	"all "
	"must fit, so that a pidfile left behind does not take another program for its own. /proc "
	"is "
	"read once for all components that are due together.\n\n"
	"Open files, bytes read and written and `pss` the kernel shows of hale's own user's "
	"processes, and of all if hale runs as root. Command lines hold passwords: they are "
	"matched, "
	"and never shown.";

static const char process_example[] =
	"trader:\n"
	"  process: {pattern: 'python3? -m bot\\.trader', user: root, max: 1}\n"
	"  interval: 10s\n"
	"  timeout: 5s\n"
	"  thresholds:\n"
	"    rss_bytes: {degraded: \"> 1000000000\"}\n"
	"    cpu_percent: {degraded: \"> 90\"}\n"
	"    uptime_seconds: {degraded: \"< 60\"}\n"
	"postgres:\n"
	"  process: {pidfile: /run/postgresql/15-main.pid, name: postgres}\n"
	"no_miner:\n"
	"  process: {name: xmrig, min: 0, max: 0}\n";

static int compile(const char *pattern, regex_t *regex, char *why, size_t size)
{
	int rc = regcomp(regex, pattern, REG_EXTENDED | REG_NOSUB);

	if (rc != 0)
		(void)regerror(rc, regex, why, size);
	return rc;
}

static void process_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct process_opts *o = opts;
	char why[128];
	regex_t regex;
	uid_t uid;

	if (o->pidfile == NULL && o->name == NULL && o->pattern == NULL && o->user == NULL &&
	    o->unit == NULL)
		problem(ctx, "",
			"one of pidfile, name, pattern, user, unit must say which process");
	if (o->pidfile != NULL && *o->pidfile != '/')
		problem(ctx, "/pidfile", "expected an absolute path");
	if (o->pattern != NULL && compile(o->pattern, &regex, why, sizeof(why)) != 0)
		problem(ctx, "/pattern", why);
	else if (o->pattern != NULL)
		regfree(&regex);
	if (o->user != NULL && user_id_parse(o->user, &uid) < 0)
		problem(ctx, "/user", "there is no such user here");
	if (o->max >= 0 && o->max < o->min)
		problem(ctx, "/max", "is less than min");
	if (*o->proc != '/')
		problem(ctx, "/proc", "expected an absolute path");
}

/* ---- What is kept between runs ---- */

/* Sorted by number. */
struct former {
	pid_t pid;
	uint64_t start_ticks, cpu_ticks;
};

struct process_prep {
	bool has_pattern, has_uid;
	regex_t regex;
	uid_t uid;
	char *what;
	unsigned wanted; /* PROC_SCAN_… */

	int64_t at_us; /* 0: no run yet */
	double boot_seconds;
	struct former *former;
	size_t former_n;
	bool has_io;
	struct proc_io io;
};

static char *name_what(const struct process_opts *o)
{
	char shown[EXCERPT_SIZE];

	if (o->name != NULL)
		return mem_dup(o->name);
	if (o->unit != NULL)
		return mem_dup(o->unit);
	if (o->pidfile != NULL)
		return mem_printf("the process of %s", o->pidfile);
	if (o->pattern != NULL)
		return mem_printf("'%s'", excerpt(o->pattern, strlen(o->pattern), shown));
	return mem_printf("a program of user %s", o->user);
}

static void *process_prepare(const void *opts)
{
	const struct process_opts *o = opts;
	struct process_prep *prep = mem_alloc(sizeof(*prep));
	char why[128];

	prep->has_pattern =
		o->pattern != NULL && compile(o->pattern, &prep->regex, why, sizeof(why)) == 0;
	prep->has_uid = o->user != NULL && user_id_parse(o->user, &prep->uid) == 0;
	prep->what = name_what(o);
	prep->wanted = PROC_SCAN_COMMAND | (o->user != NULL ? PROC_SCAN_USER : 0u) |
		       (o->unit != NULL ? PROC_SCAN_GROUP : 0u);
	return prep;
}

static void process_unprepare(void *thing)
{
	struct process_prep *prep = thing;

	if (prep->has_pattern)
		regfree(&prep->regex);
	free(prep->what);
	free(prep->former);
	free(prep);
}

/* ---- One run ---- */

struct process_run {
	const struct process_opts *opts;
	struct process_prep *prep; /* its regex is only read, and by one thread at a time */
	struct proc_ask *ask;
	struct proc_table *table;
	struct process_wish wish;
	struct process_look look; /* by the thread */
	bool is_cancelled;
};

static void look(void *run_data)
{
	struct process_run *run = run_data;

	process_look(&run->look);
}

/* ---- What is told ---- */

static double age_seconds(const struct process_run *run, const struct proc_entry *e)
{
	double started = (double)e->stat.start_ticks / (double)sysconf(_SC_CLK_TCK);

	return HALE_MAX(run->table->boot_seconds - started, 0.0);
}

static int former_by_pid(const void *a, const void *b)
{
	pid_t x = ((const struct former *)a)->pid, y = ((const struct former *)b)->pid;

	return x < y ? -1 : x > y;
}

/* One that is new since the last run has used what it used since then. */
static uint64_t ticks_since(const struct process_prep *prep, const struct proc_stat *now)
{
	const struct former key = {.pid = now->pid};
	const struct former *before =
		prep->former_n == 0
			? NULL
			: bsearch(&key, prep->former, prep->former_n, sizeof(key), former_by_pid);

	if (before == NULL || before->start_ticks != now->start_ticks)
		return (double)now->start_ticks / (double)sysconf(_SC_CLK_TCK) >= prep->boot_seconds
			       ? now->cpu_ticks
			       : 0;
	return now->cpu_ticks >= before->cpu_ticks ? now->cpu_ticks - before->cpu_ticks : 0;
}

static void tell_rates(struct check *c, const struct process_run *run, double seconds)
{
	const struct process_prep *prep = run->prep;
	uint64_t ticks = 0;

	for (size_t i = 0; i < run->look.n && i < PROCESS_LOOKED_MAX; i++)
		ticks += ticks_since(prep, &run->look.matches[i]->stat);
	check_metric(c, "cpu_percent",
		     100.0 * (double)ticks / (double)sysconf(_SC_CLK_TCK) / seconds);
	/* One that ended took its sum along. */
	if (run->look.hidden > 0 || !prep->has_io ||
	    run->look.io.read_bytes < prep->io.read_bytes ||
	    run->look.io.written_bytes < prep->io.written_bytes)
		return;
	check_metric(c, "read_bytes_per_second",
		     (double)(run->look.io.read_bytes - prep->io.read_bytes) / seconds);
	check_metric(c, "write_bytes_per_second",
		     (double)(run->look.io.written_bytes - prep->io.written_bytes) / seconds);
}

static void keep(struct process_run *run)
{
	struct process_prep *prep = run->prep;
	size_t n = HALE_MIN(run->look.n, (size_t)PROCESS_LOOKED_MAX);

	free(prep->former);
	prep->former = mem_array(n + 1, sizeof(*prep->former));
	prep->former_n = n;
	for (size_t i = 0; i < n; i++) {
		const struct proc_stat *s = &run->look.matches[i]->stat;

		prep->former[i] = (struct former){s->pid, s->start_ticks, s->cpu_ticks};
	}
	qsort(prep->former, n, sizeof(*prep->former), former_by_pid);
	prep->at_us = run->table->at_us;
	prep->boot_seconds = run->table->boot_seconds;
	prep->has_io = run->look.hidden == 0;
	prep->io = run->look.io;
}

static json_t *one_process(const struct process_run *run, const struct proc_entry *e)
{
	char started[CLOCK_TEXT_MAX], program[EXCERPT_SIZE];
	int64_t at_ms = clock_wall_ms() - (int64_t)(age_seconds(run, e) * 1000);

	return json_pack("{s:i, s:s#, s:s, s:s, s:I}", "pid", (int)e->stat.pid, "state",
			 &e->stat.state, 1, "program",
			 *e->program == '\0'
				 ? excerpt(e->stat.name, strlen(e->stat.name), program)
				 : excerpt(e->program, strcspn(e->program, " "), program),
			 "started_at", clock_format(at_ms - at_ms % 1000, started), "rss_bytes",
			 (json_int_t)(e->stat.rss_pages * sysconf(_SC_PAGESIZE)));
}

static void tell_processes(struct check *c, const struct process_run *run)
{
	json_t *pids = json_array(), *processes = json_array();

	for (size_t i = 0; i < run->look.n && i < SHOWN_MAX; i++) {
		json_array_append_new(pids, json_integer(run->look.matches[i]->stat.pid));
		json_array_append_new(processes, one_process(run, run->look.matches[i]));
	}
	check_detail(c, "pids", pids);
	check_detail(c, "processes", processes);
	if (run->look.hidden > 0)
		check_detail(c, "hidden", json_integer((json_int_t)run->look.hidden));
}

static struct process_tally tally_of(const struct process_run *run)
{
	struct process_tally t = {
		.what = run->prep->what,
		.min = run->opts->min,
		.max = run->opts->max,
		.missing = *run->look.missing != '\0' ? run->look.missing : NULL,
		.is_unreadable = run->look.is_unreadable,
	};

	for (size_t i = 0; i < run->look.n; i++) {
		const struct proc_entry *e = run->look.matches[i];

		if (process_is_zombie(e)) {
			t.zombies++;
			continue;
		}
		if (t.count++ == 0)
			t.first_pid = e->stat.pid;
		t.stopped += e->stat.state == 'T' || e->stat.state == 't';
		t.blocked += e->stat.state == 'D';
		t.uptime_seconds = age_seconds(run, e);
	}
	return t;
}

static void tell_use(struct check *c, const struct process_run *run)
{
	double rss = 0, threads = 0, oldest = 0;

	for (size_t i = 0; i < run->look.n; i++) {
		const struct proc_entry *e = run->look.matches[i];

		if (process_is_zombie(e))
			continue;
		rss += (double)e->stat.rss_pages * (double)sysconf(_SC_PAGESIZE);
		threads += (double)e->stat.threads;
		oldest = HALE_MAX(oldest, age_seconds(run, e));
	}
	check_metric(c, "rss_bytes", rss);
	check_metric(c, "threads", threads);
	check_metric(c, "uptime_oldest_seconds", oldest);
	check_metric(c, "children", (double)run->look.children);
	if (run->look.hidden > 0)
		return;
	check_metric(c, "fds", (double)run->look.fds);
	if (run->opts->pss)
		check_metric(c, "pss_bytes", (double)run->look.pss_bytes);
}

static void forget(struct process_run *run)
{
	process_look_done(&run->look);
	proc_table_unref(TAKE_PTR(run->table));
}

static void on_looked(struct check *c)
{
	struct process_run *run = check_run_data(c);
	HALE_CLEANUP(str_done) struct str message = {0};
	struct process_tally tally;
	enum reason reason;

	if (run->is_cancelled) {
		forget(run);
		check_done(c, REASON_CANCELLED, NULL);
		return;
	}
	tally = tally_of(run);
	check_metric(c, "count", (double)tally.count);
	check_metric(c, "zombies", (double)tally.zombies);
	check_metric(c, "stopped", (double)tally.stopped);
	check_metric(c, "blocked", (double)tally.blocked);
	if (tally.count > 0) {
		check_metric(c, "uptime_seconds", tally.uptime_seconds);
		tell_use(c, run);
	}
	if (run->prep->at_us != 0 && run->table->at_us > run->prep->at_us && tally.count > 0)
		tell_rates(c, run, (double)(run->table->at_us - run->prep->at_us) / US_PER_S);
	tell_processes(c, run);
	if (run->table->at_us > run->prep->at_us)
		keep(run);
	reason = process_judge(&tally, &message);
	forget(run);
	check_done(c, reason, "%s", str_text(&message));
}

static void on_table(void *ctx, struct proc_table *table)
{
	struct check *c = ctx;
	struct process_run *run = check_run_data(c);

	run->ask = NULL;
	run->table = table;
	run->look = (struct process_look){.wish = &run->wish, .table = table};
	if (table->rc < 0) {
		struct err err = table->err;

		forget(run);
		check_done(c, REASON_INTERNAL, "%s", err.text);
		return;
	}
	check_work(c, look, on_looked);
}

static void process_start(struct check *c)
{
	struct process_run *run = check_run_data(c);

	run->opts = check_opts(c);
	run->prep = check_prep(c);
	run->wish = (struct process_wish){
		.pidfile = run->opts->pidfile,
		.name = run->opts->name,
		.unit = run->opts->unit,
		.regex = run->prep->has_pattern ? &run->prep->regex : NULL,
		.uid = run->prep->has_uid ? &run->prep->uid : NULL,
		.proc = run->opts->proc,
		.pss = run->opts->pss,
	};
	run->ask = proc_scan_ask(c, run->opts->proc, run->prep->wanted, on_table, c);
}

/* A thread that is out cannot be called back; its return ends the run. */
static void process_cancel(struct check *c)
{
	struct process_run *run = check_run_data(c);

	run->is_cancelled = true;
	if (run->ask == NULL)
		return;
	proc_scan_cancel(TAKE_PTR(run->ask));
	check_done(c, REASON_CANCELLED, NULL);
}

const struct check_ops check_ops = {
	.kind = "process",
	.summary = "looks for processes: whether they run, how many, since when, what they use",
	.about = process_about,
	.items = process_items,
	.opts_size = sizeof(struct process_opts),
	.run_size = sizeof(struct process_run),
	.metrics = process_metrics,
	.details = process_details,
	.reasons = process_reasons,
	.example = process_example,
	.validate = process_validate,
	.prepare = process_prepare,
	.unprepare = process_unprepare,
	.start = process_start,
	.cancel = process_cancel,
};
