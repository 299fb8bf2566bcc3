/* SPDX-License-Identifier: Apache-2.0 */
/* reconciler - the service: the only process of hale that changes the outside world
 *
 * Jobs on their timers, actions on demand, commands on reconciler.ipc. Loop thread only.
 */
#ifndef HALE_RECONCILER_RECONCILER_H
#define HALE_RECONCILER_RECONCILER_H

#include "action.h"
#include "gate.h"
#include "job.h"
#include "service/service.h"

struct reconciler {
	struct service *service;
	struct gate gate;
	struct job *jobs;
	size_t jobs_n;
	struct action *actions;
	size_t actions_n;
	size_t busy; /* while stopping: jobs that still run */
};

extern const struct service_ops reconciler_service;
extern const struct command_method reconciler_methods[]; /* commands.c */

#endif
