/* SPDX-License-Identifier: Apache-2.0 */
/* process_env - the environment a process is started with
 *
 * Nothing of haled's own goes through: a path, a language, the time zone, where to say READY, for
 * hale's own where they live (child_proto.h), and what the configuration gives.
 *
 * Ownership: the caller's until process_env_free(). Errors: none. Loop: any thread.
 */
#ifndef HALE_DEPLOY_PROCESS_ENV_H
#define HALE_DEPLOY_PROCESS_ENV_H

#include "deploy/process_spec.h"

#include <stdint.h>

/* What is the same for all; borrowed. */
struct process_home {
	const char *run_dir;
	const char *state_dir;
	const char *node;
	const char *timezone; /* or NULL */
};

/* NAME=value each, ends in NULL. */
char **process_env_new(const struct process_spec *spec, const struct process_home *home,
		       uint64_t generation, const char *notify_path);
void process_env_free(char **env);

#endif
