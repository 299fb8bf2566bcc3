/* SPDX-License-Identifier: Apache-2.0 */
/* programs - `programs:` of the configuration: the user's own programs as processes to run
 *
 * Blocking (it looks for programs, users, directories); only while the configuration is loaded.
 */
#ifndef HALE_DEPLOY_PROGRAMS_H
#define HALE_DEPLOY_PROGRAMS_H

#include "deploy/config.h"
#include "deploy/place.h"

/* Appends one process for each program in c->json to c->processes. c->node, c->instance and hale's
 * own processes must be there already. What is wrong is in the place's report; negative errno only
 * for what cannot be told there. */
int programs_read(struct config *c, const struct config_dirs *dirs,
		  const struct manifest_set *manifests, const struct place *place, struct err *err);
/* The component that the program is. */
int programs_component(const struct config *c, const struct process_spec *p,
		       struct component_spec *spec_r, struct err *err);

#endif
