/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rnd.h"
#include "base/units.h"
#include "child_env.h"
#include "child_private.h"
#include "deploy/process_spec.h"
#include "proc/logfile.h"
#include "proc/notify_socket.h"
#include "proc/spawn.h"
#include "proc/tail.h"
#include "service/child_proto.h"

/* How much of a chatty child is read in one turn of the loop: each of these bytes may be a line,
 * and each line is written on. The rest waits in the pipe, and then the child does. */
#define CHILD_READ_MAX      (16u * 1024)
/* At its end all that is left: no pipe holds more (Linux: 64 KiB), unless somebody still writes. */
#define CHILD_READ_LAST_MAX (256u * 1024)
/* STATUS= is one line of a table. */
#define CHILD_STATUS_MAX    256

_Static_assert(SPAWN_SLICE_FD == CHILD_SLICE_FD, "a child looks for its slice there");

static void step(struct child *c, enum child_event ev);

/* ---- output ---- */

/* "<4>text" as sd-daemon(3) has it. */
static int take_priority(const char **text)
{
	if ((*text)[0] == '<' && (*text)[1] >= '0' && (*text)[1] <= '7' && (*text)[2] == '>') {
		int priority = (*text)[1] - '0';

		*text += 3;
		return priority;
	}
	return 6;
}

/* Trouble with the disk is told when it begins and when it ends; the lines are in the tail and in
 * haled's own log all the same. */
static void write_log(struct child *c, const char *text)
{
	int rc;

	if (c->log == NULL)
		return;
	rc = logfile_line(c->log, clock_wall_ms(), text, strlen(text));
	if (rc < 0 && !c->has_log_error)
		log_error("log file cannot be written", KV_S("process", c->spec.name),
			  KV_S("path", c->spec.log.path), KV_S("error", strerror(-rc)));
	else if (rc == 0 && c->has_log_error)
		log_info("log file is written again", KV_S("process", c->spec.name),
			 KV_I("lines_lost", logfile_dropped(c->log)));
	c->has_log_error = rc < 0;
}

static void on_line(void *ctx, const char *line, size_t len)
{
	struct child *c = ctx;
	int priority = take_priority(&line);
	char text[TAIL_LINE_MAX + 1];

	(void)len;
	/* A program may write anything; what travels as JSON must be UTF-8. */
	(void)str_clean(text, sizeof(text), line);
	tail_add(&c->tail, ++*c->home->line_counter, clock_wall_ms(), priority, text);
	c->hooks.on_line(c->hooks.ctx, c, priority, text);
	write_log(c, text);
}

/* Reads what is there, max_bytes at most. False at the end of the pipe. */
static bool drain(struct child *c, size_t max_bytes)
{
	char buf[CHILD_READ_MAX];
	size_t total = 0;

	while (total < max_bytes) {
		ssize_t got = read(c->output_fd, buf, HALE_MIN(sizeof(buf), max_bytes - total));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EAGAIN;
		if (got == 0)
			return false;
		lines_feed(&c->lines, buf, (size_t)got);
		total += (size_t)got;
	}
	return true;
}

static void on_output_closed(uv_handle_t *handle)
{
	free(handle);
}

static void close_output(struct child *c)
{
	if (c->output == NULL)
		return;
	lines_finish(&c->lines);
	(void)uv_poll_stop(c->output);
	uv_close((uv_handle_t *)c->output, on_output_closed);
	c->output = NULL;
	close(c->output_fd);
	c->output_fd = -1;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct child *c = poll->data;

	(void)events;
	if (status < 0 || !drain(c, CHILD_READ_MAX))
		close_output(c);
}

void child_open_output(struct child *c, int fd)
{
	c->output_fd = fd;
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	c->output = mem_alloc(sizeof(*c->output));
	c->output->data = c;
	if (uv_poll_init(c->loop, c->output, fd) < 0 ||
	    uv_poll_start(c->output, UV_READABLE, on_readable) < 0)
		hale_panic(__FILE__, __LINE__, "uv_poll on a fresh pipe");
}

/* ---- starting ---- */

/* A pipe for what it writes; its writing end. */
static int open_pipe(struct child *c, struct err *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(err, -errno, "cannot create a pipe");
	close_output(c); /* of a former run, kept open by one of its children */
	child_open_output(c, fds[0]);
	return fds[1];
}

static int run(struct child *c, struct err *err)
{
	const struct process_spec *spec = &c->spec;
	char *own_argv[] = {spec->program, NULL};
	HALE_CLEANUP(cleanup_fd) int slice = -1;
	HALE_CLEANUP(cleanup_fd) int output = -1;
	char **env;
	pid_t pid;

	if (spec->slice != NULL) {
		slice = spawn_memfd(spec->name, spec->slice, spec->slice_len, err);
		if (slice < 0)
			return slice;
	}
	output = open_pipe(c, err);
	if (output < 0)
		return output;
	env = child_env_new(spec, c->home, c->generation, notify_socket_address(c->notify));
	pid = spawn_start(&(struct spawn_plan){.program = spec->program,
					       .argv = spec->argv == NULL ? own_argv : spec->argv,
					       .envp = env,
					       .output_fd = output,
					       .error_fd = -1,
					       .slice_fd = slice,
					       .rights = &spec->rights},
			  err);
	child_env_free(env);
	if (pid < 0)
		return (int)pid;
	c->pid = pid;
	return 0;
}

static void spawn(struct child *c)
{
	struct err err = {0};

	c->generation++;
	c->starts++;
	c->was_timed_out = false;
	c->first_line = *c->home->line_counter;
	c->is_outdated = false;
	c->started_ms = clock_mono_ms();
	free(TAKE_PTR(c->status_text));
	if (run(c, &err) == 0) {
		notify_socket_expect(c->notify, c->pid);
		c->hooks.on_event(c->hooks.ctx, c, "start");
		return;
	}
	on_line(c, err.text, strlen(err.text));
	close_output(c);
	(void)snprintf(c->last_exit.text, sizeof(c->last_exit.text), "could not be started: %s",
		       err.text);
	c->last_exit.at_ms = clock_wall_ms();
	c->last_exit.code = 127;
	c->last_exit.signal = 0;
	c->last_exit.is_expected = false;
	c->last_exit.uptime_ms = 0;
	json_decref(c->last_exit.lines);
	c->last_exit.lines = tail_texts(&c->tail, c->first_line, 1);
	(void)str_clean(c->last_exit.report, sizeof(c->last_exit.report), c->last_exit.text);
	step(c, CHILD_EV_EXIT_FAIL);
}

/* ---- what the machine decides ---- */

static void on_timer(uv_timer_t *timer)
{
	struct child *c = timer->data;
	enum child_event ev = child_expired(&c->machine, clock_mono_ms());

	if (ev == CHILD_EV_MAX) { /* fed meanwhile, or early by a rounding */
		child_arm(c);
		return;
	}
	if (c->machine.state != PROCESS_STOPPING &&
	    (ev == CHILD_EV_WATCHDOG || ev == CHILD_EV_TIMEOUT)) {
		c->was_timed_out = true;
		c->hooks.on_event(c->hooks.ctx, c,
				  ev == CHILD_EV_WATCHDOG ? "watchdog" : "start_timeout");
	}
	step(c, ev);
}

void child_arm(struct child *c)
{
	int64_t due = child_due(&c->machine);
	int64_t wait;

	if (due == INT64_MAX) {
		(void)uv_timer_stop(&c->timer);
		return;
	}
	wait = due - clock_mono_ms();
	(void)uv_timer_start(&c->timer, on_timer, wait < 0 ? 0 : (uint64_t)wait, 0);
}

static void act(struct child *c, enum child_action action)
{
	switch (action) {
	case CHILD_DO_NOTHING:
		break;
	case CHILD_DO_SPAWN:
		spawn(c);
		break;
	case CHILD_DO_TERM:
		if (c->pid > 0)
			(void)kill(c->pid, c->spec.stop_signal > 0 ? c->spec.stop_signal : SIGTERM);
		break;
	case CHILD_DO_ABORT:
		/* A stopped process takes no signal but KILL and CONT. */
		if (c->pid > 0) {
			(void)kill(c->pid, SIGABRT);
			(void)kill(c->pid, SIGCONT);
		}
		break;
	case CHILD_DO_KILL:
		/* Its session, so that what it started goes too. */
		if (c->pid > 0) {
			(void)kill(-c->pid, SIGKILL);
			(void)kill(c->pid, SIGKILL);
		}
		break;
	}
}

static const char *event_of(const struct child *c, enum child_event ev,
			    const struct child_machine *before, const struct child_decision *d)
{
	bool is_exit =
		ev == CHILD_EV_EXIT_OK || ev == CHILD_EV_EXIT_CONFIG || ev == CHILD_EV_EXIT_FAIL;
	enum process_state now = c->machine.state;

	if (d->has_finished)
		return "finish";
	if (now == PROCESS_HELD && before->state != PROCESS_HELD)
		return "held";
	if (is_exit && !c->last_exit.is_expected)
		return "exit";
	if (now == before->state) /* what had finished may be stopped for good */
		return before->is_finished && !c->machine.is_finished ? "stop" : NULL;
	if (now == PROCESS_READY)
		return "ready";
	if (now == PROCESS_WAITING)
		return "wait";
	if (now == PROCESS_STOPPING || now == PROCESS_STOPPED)
		return "stop";
	return NULL; /* starting tells of itself, with its pid */
}

static void step(struct child *c, enum child_event ev)
{
	struct child_machine before = c->machine;
	struct child_decision d =
		child_step(&c->machine, &c->spec.policy, ev, clock_mono_ms(), rnd_u32());
	const char *event;

	if (c->machine.state != before.state)
		c->since_ms = clock_wall_ms();
	if (c->machine.state == PROCESS_READY && before.state != PROCESS_READY)
		c->ready_ms = clock_mono_ms();
	c->last_exit.is_expected = c->last_exit.is_expected || d.has_finished;
	if (d.crash_loop_began || d.crash_loop_ended)
		c->hooks.on_crash_loop(c->hooks.ctx, c, d.crash_loop_began);
	event = event_of(c, ev, &before, &d);
	if (event != NULL)
		c->hooks.on_event(c->hooks.ctx, c, event);
	act(c, d.action);
	child_arm(c);
}

void child_event(struct child *c, enum child_event ev)
{
	step(c, ev);
}

void child_signal(struct child *c, int signum)
{
	if (c->pid > 0)
		(void)kill(c->pid, signum);
}

void child_say(struct child *c, const char *text)
{
	free(c->status_text);
	c->status_text = mem_dup(text);
}

/* ---- what the child says ---- */

static void on_notify(void *ctx, const char *key, const char *value)
{
	struct child *c = ctx;

	if (str_eq(key, "READY") && str_eq(value, "1")) {
		step(c, CHILD_EV_READY);
	} else if (str_eq(key, "WATCHDOG") && str_eq(value, "1")) {
		/* The timer is not moved: it finds the new due time when it rings. */
		child_watchdog_fed(&c->machine, &c->spec.policy, clock_mono_ms());
		if (!uv_is_active((uv_handle_t *)&c->timer))
			child_arm(c);
	} else if (str_eq(key, "STATUS")) {
		char text[CHILD_STATUS_MAX];

		(void)str_clean(text, sizeof(text), value);
		child_say(c, text);
	}
}

/* ---- the end ---- */

static const char *signal_name(int sig, char buf[24])
{
	const char *abbrev = sigabbrev_np(sig);

	if (abbrev != NULL)
		(void)snprintf(buf, 24, "SIG%s", abbrev);
	else
		(void)snprintf(buf, 24, "signal %d", sig);
	return buf;
}

/* "exit code 1 after 5 ms: cannot bind to port 80" */
static void sum_up(struct exit_report *r)
{
	size_t n = json_array_size(r->lines);
	const char *last = n == 0 ? NULL : json_string_value(json_array_get(r->lines, n - 1));

	char line[CHILD_REPORT_MAX - sizeof(r->text) - 2];

	(void)str_clean(line, sizeof(line), last == NULL ? "" : last);
	(void)snprintf(r->report, sizeof(r->report), last == NULL ? "%s" : "%s: %s", r->text, line);
}

static void write_report(struct child *c, int wait_status, bool is_expected)
{
	struct exit_report *r = &c->last_exit;
	char uptime[UNITS_TEXT_MAX], sig[24];

	json_decref(r->lines);
	*r = (struct exit_report){
		.at_ms = clock_wall_ms(),
		.code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1,
		.signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0,
		.has_core = WIFSIGNALED(wait_status) && WCOREDUMP(wait_status),
		.is_expected = is_expected,
		.uptime_ms = clock_mono_ms() - c->started_ms,
		.lines = tail_texts(&c->tail, c->first_line, CHILD_REPORT_LINES),
	};
	(void)duration_format_short(r->uptime_ms, uptime);
	if (r->signal != 0)
		(void)snprintf(r->text, sizeof(r->text), "killed by %s%s after %s%s",
			       signal_name(r->signal, sig), r->has_core ? " (core dumped)" : "",
			       uptime, c->was_timed_out ? ": it did not respond" : "");
	else
		(void)snprintf(r->text, sizeof(r->text), "exit code %d after %s", r->code, uptime);
	sum_up(r);
}

void child_reaped(struct child *c, int wait_status)
{
	bool is_expected = c->machine.state == PROCESS_STOPPING && !c->was_timed_out;
	enum child_event ev = CHILD_EV_EXIT_FAIL;

	if (c->output != NULL && !drain(c, CHILD_READ_LAST_MAX))
		close_output(c);
	write_report(c, wait_status, is_expected);
	c->pid = 0;
	notify_socket_expect(c->notify, 0);
	if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == CHILD_EXIT_DONE)
		ev = CHILD_EV_EXIT_OK;
	else if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == CHILD_EXIT_CONFIG)
		ev = CHILD_EV_EXIT_CONFIG;
	step(c, ev);
}

/* ---- life ---- */

static bool is_same_list(const struct strlist *a, const struct strlist *b)
{
	size_t i = 0;

	while (i < a->n && i < b->n && str_eq(a->v[i], b->v[i]))
		i++;
	return i == a->n && i == b->n;
}

/* The log file is haled's: it changes without the process. */
static void set_spec(struct child *c, const struct process_spec *spec)
{
	const struct strlist *checked = &spec->on_check_failure.components;

	if (!is_same_list(&c->spec.on_check_failure.components, checked))
		check_watch_init(&c->care.check, checked->n);
	process_spec_done(&c->spec);
	process_spec_copy(&c->spec, spec);
	logfile_free(c->log);
	c->log = spec->log.path == NULL ? NULL : logfile_new(&c->spec.log);
	c->has_log_error = false;
}

static void free_child(struct child *c)
{
	process_spec_done(&c->spec);
	logfile_free(c->log);
	check_watch_done(&c->care.check);
	tail_done(&c->tail);
	lines_done(&c->lines);
	json_decref(c->last_exit.lines);
	free(c->status_text);
	free(c);
}

int child_new(uv_loop_t *loop, const struct process_spec *spec, const struct child_home *home,
	      const struct child_hooks *hooks, const json_t *former, struct child **c_r,
	      struct err *err)
{
	struct child *c = mem_alloc(sizeof(*c));
	/* The user's program may run as somebody who may not enter the run directory. */
	HALE_CLEANUP(cleanup_free)
	char *notify_path = spec->is_user ? mem_printf("@hale-%s", spec->name)
					  : mem_printf("%s/%s.notify", home->run_dir, spec->name);
	int rc = 0;

	c->home = home;
	c->hooks = *hooks;
	c->loop = loop;
	c->output_fd = -1;
	c->since_ms = clock_wall_ms();
	c->lines = (struct lines){.max = TAIL_LINE_MAX, .on_line = on_line, .ctx = c};
	child_machine_init(&c->machine);
	set_spec(c, spec);
	c->notify = child_former_notify(c, former, on_notify);
	if (c->notify == NULL)
		rc = notify_socket_open(loop, notify_path, on_notify, c, &c->notify, err);
	if (rc < 0) {
		free_child(c);
		return rc;
	}
	(void)uv_timer_init(loop, &c->timer);
	c->timer.data = c;
	if (former != NULL)
		child_take_over(c, former);
	*c_r = c;
	return 0;
}

void child_update(struct child *c, const struct process_spec *spec)
{
	set_spec(c, spec);
}

void child_reopen_log(struct child *c)
{
	if (c->log != NULL)
		logfile_reopen(c->log);
}

void child_disable(struct child *c)
{
	c->spec.is_enabled = false;
}

bool child_differs(const struct child *c, const struct process_spec *spec)
{
	return c->is_outdated || !process_spec_runs_alike(&c->spec, spec);
}

static void on_closed(uv_handle_t *handle)
{
	free_child(handle->data);
}

void child_close(struct child *c)
{
	HALE_ASSERT(c->pid == 0);
	close_output(c);
	notify_socket_close(c->notify);
	(void)uv_timer_stop(&c->timer);
	uv_close((uv_handle_t *)&c->timer, on_closed);
}

/* ---- looking at it ---- */

const char *child_name(const struct child *c)
{
	return c->spec.name;
}

pid_t child_pid(const struct child *c)
{
	return c->pid;
}

const struct process_spec *child_spec(const struct child *c)
{
	return &c->spec;
}

struct child_care *child_care(struct child *c)
{
	return &c->care;
}

bool child_is_finished(const struct child *c)
{
	return c->machine.is_finished;
}

uint64_t child_generation(const struct child *c)
{
	return c->generation;
}

enum process_state child_state_of(const struct child *c)
{
	return c->machine.state;
}

bool child_is_crash_looping(const struct child *c)
{
	return c->machine.is_crash_looping && c->machine.state != PROCESS_STOPPED;
}

bool child_is_enabled(const struct child *c)
{
	return c->spec.is_enabled;
}

int child_stop_stage(const struct child *c)
{
	return c->spec.stop_stage;
}

uint32_t child_failures(const struct child *c)
{
	return c->machine.failures_in_row;
}

int64_t child_ready_since(const struct child *c)
{
	return c->machine.state == PROCESS_READY ? c->ready_ms : 0;
}

bool child_is_leaving(const struct child *c)
{
	return c->machine.state == PROCESS_STOPPING &&
	       (c->machine.after == CHILD_AFTER_STOPPED || c->machine.after == CHILD_AFTER_WAITING);
}

const char *child_report(const struct child *c)
{
	return c->last_exit.report;
}

const char *child_status_text(const struct child *c)
{
	return c->status_text == NULL ? "" : c->status_text;
}

const char *child_last_exit(const struct child *c)
{
	return c->last_exit.text;
}

const struct tail *child_tail(const struct child *c)
{
	return &c->tail;
}

static json_t *encode_exit(const struct exit_report *r)
{
	char at[CLOCK_TEXT_MAX], sig[24];

	if (r->at_ms == 0)
		return json_null();
	return json_pack("{s:s, s:s, s:o, s:o, s:I, s:b, s:b, s:O}", "at",
			 clock_format(r->at_ms, at), "text", r->text, "code",
			 r->code < 0 ? json_null() : json_integer(r->code), "signal",
			 r->signal == 0 ? json_null() : json_string(signal_name(r->signal, sig)),
			 "uptime_ms", (json_int_t)r->uptime_ms, "expected", r->is_expected, "core",
			 r->has_core, "last_lines", r->lines);
}

json_t *child_encode(const struct child *c)
{
	const struct child_machine *m = &c->machine;
	const char *slash = strrchr(c->spec.program, '/');
	char since[CLOCK_TEXT_MAX], next[CLOCK_TEXT_MAX];
	json_t *next_start = json_null();

	if (m->state == PROCESS_BACKOFF)
		next_start = json_string(
			clock_format(clock_wall_ms() + (m->deadline_ms - clock_mono_ms()), next));
	return json_pack(
		"{s:s, s:s, s:s, s:o, s:I, s:I, s:s, s:o, s:o, s:b, s:b, s:b, s:i, s:I, s:o}",
		"name", c->spec.name, "program", slash == NULL ? c->spec.program : slash + 1,
		"state", process_state_name(m->state), "pid",
		c->pid == 0 ? json_null() : json_integer(c->pid), "generation",
		(json_int_t)c->generation, "restarts",
		(json_int_t)(c->starts == 0 ? 0 : c->starts - 1), "since",
		clock_format(c->since_ms, since), "status_text",
		c->status_text == NULL ? json_null() : json_string(c->status_text), "next_start",
		next_start, "crash_looping", child_is_crash_looping(c), "finished", m->is_finished,
		"enabled", c->spec.is_enabled, "stop_stage", c->spec.stop_stage, "failures",
		(json_int_t)m->failures_in_row, "last_exit", encode_exit(&c->last_exit));
}
