/* SPDX-License-Identifier: Apache-2.0 */
/* haled - the supervisor's parts held together
 *
 * roster.c runs the children, health.c judges, hub.c is the bus, commands.c answers, reload.c
 * changes the configuration, pause.c stops monitoring for a while, statefile.c remembers over
 * restarts, init.c talks to init. All on one loop thread.
 */
#ifndef HALE_SUPERVISOR_HALED_H
#define HALE_SUPERVISOR_HALED_H

#include "bus/command.h"
#include "child.h"
#include "deploy/config.h"
#include "deploy/state_file.h"
#include "model/health.h"
#include "model/pause.h"
#include "bus/hub.h"
#include "model/frame.h"
#include "upgrade.h"

#include <uv.h>

struct haled_options {
	char *config_path;
	char *run_dir;
	char *state_dir;
	bool is_check;    /* only validate */
	bool is_json;     /* with --check: the report as JSON */
	bool has_stamp;   /* with --check: config.h's stamp on the last line */
	int ready_fd;     /* told when ready; -1 none */
	int take_over_fd; /* what a former program of this process left (upgrade.h); -1 nothing */
};

struct reload; /* reload.c: a reload in progress */

struct haled {
	struct haled_options options;
	struct config_dirs dirs;
	uv_loop_t loop;
	struct config *config;
	struct child **children;
	size_t children_n;
	struct child **errands; /* on_failing commands that run */
	size_t errands_n;
	struct child_home home;
	uint64_t line_counter;
	uint64_t generation;      /* programs that this process has been, from 1 */
	struct takeover takeover; /* while starting */
	struct health *health;
	struct hub *hub;
	struct command_server *commands;
	struct reload *reload;
	struct pause pause;
	struct strlist idle; /* checkers that are not running because of the pause */
	uv_signal_t signals[9];
	uv_timer_t due_timer;    /* overdue components */
	uv_timer_t save_timer;   /* state file */
	uv_timer_t pause_timer;  /* while paused */
	uv_timer_t notify_timer; /* systemd's watchdog */
	uv_timer_t tend_timer;   /* on_failing and check restarts that are due */
	uv_idle_t tend_idle;     /* something happened to a child */
	int lock_fd, state_lock_fd;
	int64_t clock_offset_ms; /* wall less monotonic, when due times were last in step */
	int64_t started_ms;      /* wall */
	int64_t loaded_ms;       /* wall: configuration in force since */
	int64_t due_armed_ms;    /* wall: what due_timer was last set to */
	struct state_file saved; /* what it was at start */
	char told[96];           /* init's STATUS, as last told */
	char *reload_error;      /* of the last reload, NULL if it worked */
	int stop_stage;          /* -1: running; else which stage is being stopped */
	bool is_ready;           /* all children have been seen to run, or to fail */
	bool is_hup_due;         /* SIGHUP came: programs that ask for it get it after the reload */
	bool is_state_dirty;
	int64_t gave_back_ms;
	bool has_saved_error; /* the state file could not be written; said once */
};

/* haled.c */
/* Everything from lock to children; the loop is then run by haled_run, which returns the exit code
 * when all is stopped. */
int haled_open(struct haled *d, struct haled_options *options /* taken */, struct config *config,
	       struct err *err);
int haled_run(struct haled *d);
void haled_stop(struct haled *d);
void haled_event(struct haled *d, const char *kind, const char *severity, const char *subject,
		 const char *message, json_t *details /* taken, may be NULL */);
json_t *haled_status(struct haled *d, bool is_brief); /* docs/bus.md "status"; new reference */
/* {"status","score","since","monitoring_active","monitoring"}; new reference. */
json_t *haled_overall(struct haled *d);
/* The verdict on the configuration: was the file that was last read taken? */
void haled_judge_config(struct haled *d);
void haled_arm_due(struct haled *d);
void haled_tell_init(struct haled *d); /* how things are, in a line, if that is news */

/* roster.c */
int roster_boot(struct haled *d, struct err *err);
struct child *roster_find(const struct haled *d, const char *name);
/* For whom this name is unknown: the process's (or component's) that is nearest. Caller frees. */
char *roster_hint(const struct haled *d, const char *name, bool with_components);
/* Names and globs to children; -ENOENT with the name that matches nothing. */
int roster_match(const struct haled *d, const json_t *names, struct child **out, size_t *n_r,
		 struct err *err);
/* Adds the processes that only `config` has, not started. When that fails, nothing has happened. */
int roster_grow(struct haled *d, const struct config *config, struct err *err);
/* What roster_apply would do: {"changed": [names], "started", "stopped", "unchanged": n}. Asked
 * before roster_grow. New reference. */
json_t *roster_plan(const struct haled *d, const struct config *config);
/* Applies d->config to the children; those from index `before` on came by roster_grow. */
void roster_apply(struct haled *d, size_t before);
/* Stops the checkers, and starts again those that run but for the pause. */
void roster_idle(struct haled *d);
void roster_wake(struct haled *d);
void roster_reap(struct haled *d);
/* Frees the children that left the configuration and are gone. */
void roster_retire(struct haled *d);
void roster_stop_next(struct haled *d); /* the next stage, or the end of the loop */
void roster_close(struct haled *d);
/* To the programs that ask for it (`forward_signals`); log files are opened anew. */
void roster_forward(struct haled *d, int signum);
void roster_judge(struct haled *d, struct child *c);
char *roster_message(const struct child *c); /* how it stands, for people; owned by the caller */
void roster_note_started(struct haled *d);

/* tend.c */
void tend_open(struct haled *d);
void tend_close(struct haled *d);
/* What is to become of it once the order allows; takes effect with the next tend(). */
void tend_ask(struct child *c, enum child_wish wish);
void tend(struct haled *d);      /* not from a hook of a child */
void tend_soon(struct haled *d); /* in the next turn of the loop */
/* A component was judged: its state as in a health line. */
void tend_health(struct haled *d, const struct health_news *news);

/* errand.c */
void errand_start(struct haled *d, struct child *c); /* its on_failing command */
void errand_collect(struct haled *d);                /* those that have ended */

/* commands.c */
extern const struct command_method haled_methods[];

/* reload.c */
enum reload_want {
	RELOAD_APPLY,
	RELOAD_DRY,     /* only say what a reload would do */
	RELOAD_UPGRADE, /* apply, and become the binary that read it (upgrade.h) */
};
/* rq may be NULL (SIGHUP). Answers it when done: what a reload did or, if it is dry, would do.
 * While one runs, another one follows it: the file may have changed since the first one read it. */
void reload_start(struct haled *d, struct command_request *rq, enum reload_want want);
void reload_cancel(struct haled *d);
/* SIGCHLD brought this pid: true if it was the validator. */
bool reload_reaped(struct haled *d, pid_t pid, int wait_status);

/* pause.c */
/* Before health is told of anything. */
void pause_load(struct haled *d);
/* Says that monitoring is paused, if it is. */
void pause_remind(struct haled *d);
void pause_call(void *ctx, struct command_request *rq, const json_t *params);
void pause_call_resume(void *ctx, struct command_request *rq, const json_t *params);

/* statefile.c */
void statefile_load(struct haled *d);
/* Journal records of a former haled, newer than the state file. */
void statefile_record(void *ctx, const char *epoch, uint64_t seq, const char *topic,
		      const json_t *line, const json_t *save);
void statefile_save(struct haled *d);

#endif
