/* SPDX-License-Identifier: Apache-2.0 */
/* child_env - the environment a process is started with
 *
 * Nothing of haled's own goes through: a path, a language, the time zone, where to say READY, for
 * hale's own where they live (child_proto.h), and what the configuration gives.
 */
#ifndef HALE_SUPERVISOR_CHILD_ENV_H
#define HALE_SUPERVISOR_CHILD_ENV_H

#include "child.h"

/* NAME=value each, ends in NULL. */
char **child_env_new(const struct process_spec *spec, const struct child_home *home,
		     uint64_t generation, const char *notify_path);
void child_env_free(char **env);

#endif
