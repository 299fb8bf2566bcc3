/* SPDX-License-Identifier: Apache-2.0 */
/* core_options - the options that are haled's own: instance, aggregation, processes, components
 *
 * Everything else in the file belongs to a program and comes with its manifest.
 */
#ifndef HALE_DEPLOY_CORE_OPTIONS_H
#define HALE_DEPLOY_CORE_OPTIONS_H

#include "model/process.h"
#include "base/strlist.h"
#include "conf/option.h"
#include "model/component.h"

#include <jansson.h>

struct instance_options {
	char *name;
	char *node;     /* NULL: the host's name */
	char *timezone; /* NULL: the host's */
	char *user;     /* NULL: haled's own */
	char *group;    /* NULL: the user's own */
};

struct aggregation_options {
	char *how;
	int64_t critical_percent;
	int64_t degraded_percent;
};

struct bus_options {
	int64_t ring_bytes;
};

struct connectivity_options {
	struct strlist targets;
	int64_t timeout_ms;
	int64_t interval_ms;
};

/* What all checkers have in common; handed to them as it is (slice "checks"). */
struct checks_options {
	int64_t per_host;
	struct connectivity_options connectivity;
};

struct plugins_options {
	struct strlist directories;
};

struct restart_options {
	char *when; /* NULL: always; hale's own processes cannot choose */
	int64_t base_ms;
	double factor;
	int64_t cap_ms;
	int64_t jitter_percent;
	int64_t stable_after_ms;
	int64_t burst;
	int64_t window_ms;
	int64_t give_up_after;
	int64_t delay_ms;
};

struct process_options {
	char *name;
	bool is_enabled;
	char *log_level;
	int64_t start_timeout_ms;
	int64_t stop_timeout_ms;
	int64_t watchdog_ms;
	struct restart_options restart;
	struct strlist on_failing;
	int64_t failing_after_ms;
	bool is_vital;
	int64_t vital_grace_ms;
};

extern const struct conf_item instance_items[];
extern const struct conf_item aggregation_items[];
extern const struct conf_item bus_items[];
extern const struct conf_item checks_items[];
extern const struct conf_item plugins_items[];
extern const struct conf_item process_items[];
extern const struct conf_item program_restart_items[]; /* struct restart_options with `when` */
extern const struct conf_item component_items[];

/* haled's manifest as schema_apply wants it. New reference. */
json_t *core_manifest(void);
/* Reads the common part of a normalised component. `kind` and `process` are copied. */
int core_component(const char *id, const json_t *normalised, const char *kind, const char *process,
		   const char *node, struct component_spec *spec_r, struct err *err);
/* The restarting half of a policy; the timeouts are the caller's. */
void core_restart_policy(const struct restart_options *o, struct process_policy *policy_r);

#endif
