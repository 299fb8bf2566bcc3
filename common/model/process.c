/* SPDX-License-Identifier: Apache-2.0 */
#include "model/process.h"

#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"

static const struct process_row {
	const char *name;
	enum status status;
} states[PROCESS_STATE_MAX] = {
	[PROCESS_STOPPED] = {"stopped", STATUS_UNKNOWN},
	[PROCESS_STARTING] = {"starting", STATUS_DEGRADED},
	[PROCESS_READY] = {"ready", STATUS_HEALTHY},
	[PROCESS_STOPPING] = {"stopping", STATUS_DEGRADED},
	[PROCESS_BACKOFF] = {"backoff", STATUS_DOWN},
	[PROCESS_HELD] = {"held", STATUS_DOWN},
	[PROCESS_WAITING] = {"waiting", STATUS_DEGRADED},
};

const char *process_state_name(enum process_state s)
{
	HALE_ASSERT((unsigned)s < PROCESS_STATE_MAX);
	return states[s].name;
}

bool process_state_from_name(const char *name, enum process_state *s_r)
{
	for (size_t i = 0; name != NULL && i < PROCESS_STATE_MAX; i++) {
		if (strcmp(states[i].name, name) == 0) {
			*s_r = (enum process_state)i;
			return true;
		}
	}
	return false;
}

enum status process_state_status(enum process_state s)
{
	HALE_ASSERT((unsigned)s < PROCESS_STATE_MAX);
	return states[s].status;
}
