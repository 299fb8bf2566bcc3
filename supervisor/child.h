/* SPDX-License-Identifier: Apache-2.0 */
/* child - one supervised process: does what model/child_state.c decides
 *
 * Owns the process's pid, its notify socket, the pipe its output comes through, its tail of lines
 * and one timer. Everything on the loop thread.
 *
 * Ownership: the spec is copied. child_close() needs a process that is stopped (or never ran).
 */
#ifndef HALE_SUPERVISOR_CHILD_H
#define HALE_SUPERVISOR_CHILD_H

#include "model/child_state.h"
#include "deploy/config.h"
#include "deploy/process_env.h"
#include "model/check_watch.h"
#include "model/failing.h"
#include "model/vital.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

/* Lines of a crash report. */
#define CHILD_REPORT_LINES 20

struct child;

/* What the roster keeps of a child (tend.c). */
struct child_care {
	struct vital vital;
	/* What it was asked, and is told as soon as the order of processes allows. */
	enum child_wish { WISH_NONE, WISH_START, WISH_STOP, WISH_RESTART, WISH_WAIT } wish;
	bool is_stuck; /* waits for what will not come by itself */
	struct failing failing;
	struct check_watch check;
};

/* What every child is told about where it lives; borrowed for the child's life. */
struct child_home {
	struct process_home at;
	uint64_t *line_counter; /* numbers lines across all children, so that tails can be merged */
};

/* Who is told. All on the loop thread; a hook may call child_event on any child. */
struct child_hooks {
	/* Its state changed or something happened to it: "start", "ready", "exit", "finish",
	 * "stop", "wait", "held", "watchdog", "start_timeout". */
	void (*on_event)(void *ctx, struct child *c, const char *event);
	void (*on_line)(void *ctx, struct child *c, int priority, const char *text);
	void (*on_crash_loop)(void *ctx, struct child *c, bool began); /* or NULL */
	void *ctx;
};

/* `former` is what child_hand_over() said before an exec; NULL: a child that was never started. */
int child_new(uv_loop_t *loop, const struct process_spec *spec, const struct child_home *home,
	      const struct child_hooks *hooks, const json_t *former, struct child **c_r,
	      struct err *err);
/* A new slice or policy; what runs is not touched until child_event(CHILD_EV_RESTART). */
void child_update(struct child *c, const struct process_spec *spec);
/* It left the configuration: not wanted any more. */
void child_disable(struct child *c);
/* True if a process started from spec would differ from this one. */
bool child_differs(const struct child *c, const struct process_spec *spec);
void child_event(struct child *c, enum child_event ev);
/* What haled has to say of it where its own STATUS= would stand: "waits for db". */
void child_say(struct child *c, const char *text);
/* Its log file was renamed by somebody. */
void child_reopen_log(struct child *c);
void child_signal(struct child *c, int signum);
/* waitpid(2) returned this for our pid. What is left of its session is the caller's to kill before.
 */
void child_reaped(struct child *c, int wait_status);
void child_close(struct child *c);

const char *child_name(const struct child *c);
const struct process_spec *child_spec(const struct child *c);
struct child_care *child_care(struct child *c);
pid_t child_pid(const struct child *c); /* 0: none */
uint64_t child_generation(const struct child *c);
enum process_state child_state_of(const struct child *c);
int64_t child_ready_since(const struct child *c); /* mono ms; 0: it is not ready */
/* It is being stopped to stay down, for good or until what it requires is back. */
bool child_is_leaving(const struct child *c);
/* How it last failed, and the last line before that; "" if it never exited. Borrowed. */
const char *child_report(const struct child *c);
const char *child_status_text(const struct child *c); /* "" if it said nothing */
/* Stopped because it ended well and is not to run again. */
bool child_is_finished(const struct child *c);
bool child_is_crash_looping(const struct child *c);
bool child_is_enabled(const struct child *c);
int child_stop_stage(const struct child *c);
/* Failures since it last ran stably. */
uint32_t child_failures(const struct child *c);
/* What the last exit was, in words: "killed by SIGKILL after 5.1s"; "" if it never exited. */
const char *child_last_exit(const struct child *c);
const struct tail *child_tail(const struct child *c);
/* child_handover.c: what a new program of haled's needs to go on with it. New reference. */
json_t *child_hand_over(const struct child *c);
/* The same for the state file: what outlives the process, too. */
json_t *child_remember(const struct child *c);
void child_recall(struct child *c, const json_t *former);
/* Whether the fds it told of stay open over an exec. */
void child_keep_open(struct child *c, bool over_exec);
/* The process object of docs/bus.md. New reference. */
json_t *child_encode(const struct child *c);

#endif
