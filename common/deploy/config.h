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

#include "conf/manifest.h"
#include "conf/report.h"
#include "conf/tree.h"
#include "deploy/process_spec.h"
#include "model/component.h"
#include "model/judge.h"

#include <jansson.h>
#include <stdbool.h>

/* The configuration itself: degraded while the file that was last read is refused. */
#define CONFIG_COMPONENT "hale.config"
#define CONFIG_STAMP_MAX 32

struct config {
	char *path;
	char *instance;
	char *node;
	char *timezone; /* or NULL */
	/* Whom hale's own processes run as and who owns its directories; without has_user they are
	 * haled's own, and so is everything. */
	struct spawn_rights service;
	char *user; /* `instance.user` and `group`, in force; NULL: not given, or not root */
	char *group;
	json_t *json;                  /* normalised; holds secrets. NULL once folded … */
	json_t *masked;                /* for showing */
	json_t *units;                 /* schema_units */
	char *json_text, *masked_text; /* … and kept so */
	/* Stands for all that children check: equal means found good by the same deep check. */
	char stamp[CONFIG_STAMP_MAX];
	struct process_spec *processes;
	size_t processes_n;
	/* The file's, then one for each process and CONFIG_COMPONENT. */
	struct component_spec *components;
	size_t components_n;
	struct aggregate_rule aggregate;
	size_t ring_bytes;
};

struct config_dirs {
	const char *state_dir;
	char *exe_dir; /* where siblings are */
};

#define CONFIG_STOP_STAGES 6

/* NULL if the report has errors. `is_deep`: children check what only they can (jq …), unless the
 * same content was found good before (stamp file in the state directory). */
struct config *config_load(const char *path, const struct config_dirs *dirs, bool is_deep,
			   struct report *report);
void config_free(struct config *c);
/* For the one in force, which is looked at when somebody asks: a tree is five times its text. */
void config_fold(struct config *c);
/* Folded or not; new references. */
json_t *config_whole(const struct config *c);
json_t *config_masked(const struct config *c);
/* NULL: there is none of that name. */
const struct process_spec *config_process(const struct config *c, const char *name);

#endif
