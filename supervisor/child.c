/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rnd.h"
#include "child_private.h"
#include "deploy/process_env.h"
#include "deploy/process_spec.h"
#include "proc/logfile.h"
#include "proc/notify_socket.h"
#include "proc/spawn.h"
#include "proc/tail.h"
#include "service/child_proto.h"

/* STATUS= is one line of a table. */
#define CHILD_STATUS_MAX 256

_Static_assert(SPAWN_SLICE_FD == CHILD_SLICE_FD, "a child looks for its slice there");

static void step(struct child *c, enum child_event ev);

/* ---- output ---- */

/* Trouble with the disk; the lines are in the tail and in haled's own log all the same. */
static void on_log(void *ctx, int rc, uint64_t lost)
{
	struct child *c = ctx;

	if (rc < 0)
		log_error("log file cannot be written", KV_S("process", c->spec.name),
			  KV_S("path", c->spec.log.path), KV_S("error", strerror(-rc)));
	else
		log_info("log file is written again", KV_S("process", c->spec.name),
			 KV_I("lines_lost", lost));
}

static void on_line(void *ctx, int priority, const char *text)
{
	struct child *c = ctx;

	c->hooks.on_line(c->hooks.ctx, c, priority, text);
}

/* ---- starting ---- */

/* A pipe for what it writes; its writing end. */
static int open_pipe(struct child *c, struct err *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(err, -errno, "cannot create a pipe");
	output_open(&c->output, fds[0]);
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
	env = process_env_new(spec, &c->home->at, c->generation, notify_socket_address(c->notify));
	pid = spawn_start(&(struct spawn_plan){.program = spec->program,
					       .argv = spec->argv == NULL ? own_argv : spec->argv,
					       .envp = env,
					       .output_fd = output,
					       .error_fd = -1,
					       .slice_fd = slice,
					       .rights = &spec->rights},
			  err);
	process_env_free(env);
	if (pid < 0)
		return (int)pid;
	c->pid = pid;
	return 0;
}

static void spawn(struct child *c)
{
	struct err err = {0};

	c->restarts += c->generation++ > 0;
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
	output_add(&c->output, err.text);
	output_close(&c->output);
	exit_report_unstarted(&c->last_exit, err.text, clock_wall_ms(),
			      tail_texts(&c->output.tail, c->first_line, 1));
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
	if (c->hooks.on_crash_loop != NULL && (d.crash_loop_began || d.crash_loop_ended))
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

void child_reaped(struct child *c, int wait_status)
{
	enum child_event ev = CHILD_EV_EXIT_FAIL;

	output_finish(&c->output);
	exit_report_set(&c->last_exit, wait_status, clock_wall_ms(),
			clock_mono_ms() - c->started_ms, c->was_timed_out,
			c->machine.state == PROCESS_STOPPING && !c->was_timed_out,
			tail_texts(&c->output.tail, c->first_line, CHILD_REPORT_LINES));
	c->pid = 0;
	notify_socket_expect(c->notify, 0);
	if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == CHILD_EXIT_DONE)
		ev = CHILD_EV_EXIT_OK;
	else if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == CHILD_EXIT_CONFIG)
		ev = CHILD_EV_EXIT_CONFIG;
	step(c, ev);
}

/* ---- life ---- */

/* The log file is haled's: it changes without the process. */
static void set_spec(struct child *c, const struct process_spec *spec)
{
	const struct strlist *checked = &spec->on_check_failure.components;

	if (!strlist_equal(&c->spec.on_check_failure.components, checked))
		check_watch_init(&c->care.check, checked->n);
	process_spec_done(&c->spec);
	process_spec_copy(&c->spec, spec);
	output_log_to(&c->output, &c->spec.log);
}

static void free_child(struct child *c)
{
	process_spec_done(&c->spec);
	check_watch_done(&c->care.check);
	output_done(&c->output);
	exit_report_done(&c->last_exit);
	free(c->status_text);
	free(c);
}

int child_new(uv_loop_t *loop, const struct process_spec *spec, const struct child_home *home,
	      const struct child_hooks *hooks, const json_t *former, struct child **c_r,
	      struct err *err)
{
	struct child *c = mem_alloc(sizeof(*c));
	const struct output_hooks output_hooks = {.on_line = on_line, .on_log = on_log, .ctx = c};
	/* The user's program may run as somebody who may not enter the run directory. */
	HALE_CLEANUP(cleanup_free)
	char *notify_path = spec->is_user
				    ? mem_printf("@hale-%s", spec->name)
				    : mem_printf("%s/%s.notify", home->at.run_dir, spec->name);
	int rc = 0;

	c->home = home;
	c->hooks = *hooks;
	c->loop = loop;
	c->since_ms = clock_wall_ms();
	output_init(&c->output, loop, home->line_counter, &output_hooks);
	child_machine_init(&c->machine);
	set_spec(c, spec);
	c->notify = child_former_notify(c, former, on_notify);
	if (c->notify == NULL)
		rc = notify_socket_open(loop, notify_path, on_notify, c, &c->notify, err);
	if (rc == 0 && !spec->is_user && spec->rights.has_user)
		notify_socket_give(c->notify, spec->rights.uid);
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
	if (c->output.log != NULL)
		logfile_reopen(c->output.log);
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
	output_close(&c->output);
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
	enum process_state state = c->machine.state;

	/* What is not tried any more does not go on crashing. */
	return c->machine.is_crash_looping && state != PROCESS_STOPPED && state != PROCESS_HELD &&
	       state != PROCESS_WAITING;
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
	return c->last_exit.line;
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
	return &c->output.tail;
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
		(json_int_t)c->generation, "restarts", (json_int_t)c->restarts, "since",
		clock_format(c->since_ms, since), "status_text",
		c->status_text == NULL ? json_null() : json_string(c->status_text), "next_start",
		next_start, "crash_looping", child_is_crash_looping(c), "finished", m->is_finished,
		"enabled", c->spec.is_enabled, "stop_stage", c->spec.stop_stage, "failures",
		(json_int_t)m->failures_in_row, "last_exit", exit_report_encode(&c->last_exit));
}
