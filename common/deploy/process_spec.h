/* SPDX-License-Identifier: Apache-2.0 */
/* process_spec - all that the configuration says of one process haled runs
 *
 * Ownership: every pointer is the spec's own; process_spec_copy makes a second owner.
 * Errors: none. Loop: any thread, no callbacks.
 */
#ifndef HALE_DEPLOY_PROCESS_SPEC_H
#define HALE_DEPLOY_PROCESS_SPEC_H

#include "base/strlist.h"
#include "model/check_watch.h"
#include "model/process.h"
#include "model/status.h"
#include "proc/logfile.h"
#include "proc/spawn.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A checked component that fails has its program restarted. */
struct check_restart {
	struct strlist components;    /* any of them; empty: never */
	enum status from;             /* this status or a worse one: degraded, critical, down */
	struct check_watch_rule rule; /* after how long, and how often in what time */
};

struct process_spec {
	char *name;      /* "check.http", "notifier", or the name under `programs:` */
	char *component; /* its own: "hale.notifier", "program.trader" */
	char *program;   /* absolute path */
	char **argv;     /* NULL-terminated, argv[0] the program */
	bool is_user;    /* the user's program, not one of hale's: no slice, no HALE_ variables */
	char **env;      /* further NAME=value, NULL-terminated; NULL: none */
	char *slice;     /* JSON text; sorted keys, so that equal means unchanged; NULL: none */
	size_t slice_len;
	char *log_level;
	bool is_enabled;
	int stop_stage; /* stages stop one after another, 0 first */
	struct process_policy policy;
	struct spawn_rights rights; /* user, groups, limits, directory, stdin */
	int stop_signal;            /* SIGTERM unless told otherwise */
	struct logfile_spec log;    /* where its lines are written beside haled's own log */
	struct strlist after;       /* processes that start first, if they run at all */
	struct strlist requires;    /* and these must be ready; it stops when they are stopped */
	struct strlist forward;     /* signals ("USR1") that haled hands on to it */
	char **on_failing;          /* command, when this process cannot be kept running; or NULL */
	bool is_vital;              /* missing for vital_grace_ms: init is to restart haled */
	int64_t vital_grace_ms;
	int64_t failing_after_ms; /* not ready for so long is failing, too */
	struct check_restart on_check_failure;
};

/* `to` is zeroed or done. */
void process_spec_copy(struct process_spec *to, const struct process_spec *from);
void process_spec_done(struct process_spec *p); /* frees what it holds; zeroes */
/* Of all that a started process was given: two that differ are started anew. Comparable between
 * programs of the same version only. */
uint64_t process_spec_fingerprint(const struct process_spec *p);
/* True if a process started from one is the same as one started from the other: what a reload that
 * changes, say, only the restart policy or the log file need not restart. */
bool process_spec_runs_alike(const struct process_spec *a, const struct process_spec *b);

#endif
