/* SPDX-License-Identifier: Apache-2.0 */
/* config - the YAML file turned into what haled runs: processes with slices, components to judge
 *
 * Blocking (it reads files and, for the deep check, runs the children's --check); called before
 * the loop starts, in `haled --check`, and on reload after a separate process found the file good.
 *
 * Ownership: config_load returns a struct that config_free frees; components are taken out of it
 * by the health table.
 */
#ifndef HALE_DEPLOY_CONFIG_H
#define HALE_DEPLOY_CONFIG_H

#include "base/strlist.h"
#include "model/process.h"
#include "model/status.h"
#include "proc/logfile.h"
#include "proc/spawn.h"
#include "conf/manifest.h"
#include "conf/report.h"
#include "conf/tree.h"
#include "model/component.h"
#include "model/judge.h"

#include <jansson.h>
#include <stdbool.h>

/* A checked component that fails has its program restarted. */
struct check_restart {
	struct strlist components; /* any of them; empty: never */
	enum status from;          /* this status or a worse one: degraded, critical, down */
	int64_t after_ms;          /* without a break so long */
	uint32_t limit;            /* restarts within window_ms; then it is told and left alone */
	int64_t window_ms;
};

struct process_spec {
	char *name;    /* "check.http", "notifier", or the name under `programs:` */
	char *program; /* absolute path */
	char **argv;   /* NULL-terminated, argv[0] the program */
	bool is_user;  /* the user's program, not one of hale's: no slice, no HALE_ variables */
	char **env;    /* further NAME=value, NULL-terminated; NULL: none */
	char *slice;   /* JSON text; sorted keys, so that equal means unchanged; NULL: none */
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
	int64_t failing_after_ms;   /* not ready for so long is failing, too */
	struct check_restart on_check_failure;
};

struct config {
	char *path;
	char *instance;
	char *node;
	char *timezone; /* or NULL */
	json_t *json;   /* normalised; holds secrets */
	json_t *masked; /* for showing */
	struct process_spec *processes;
	size_t processes_n;
	struct component_spec *components; /* the file's, then one "hale.<process>" each */
	size_t components_n;
	struct aggregate_rule aggregate;
	size_t ring_bytes;
};

struct config_dirs {
	const char *state_dir;
	char *exe_dir; /* where siblings are */
};

#define CONFIG_STOP_STAGES 5

/* NULL if the report has errors. `is_deep`: children check what only they can (jq …), unless the
 * same content was found good before (stamp file in the state directory). */
struct config *config_load(const char *path, const struct config_dirs *dirs, bool is_deep,
			   struct report *report);
void config_free(struct config *c);

#endif
