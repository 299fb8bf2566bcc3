/* SPDX-License-Identifier: Apache-2.0 */
/* process - the states of a supervised process, as all of hale names them (DESIGN section 4)
 */
#ifndef HALE_MODEL_PROCESS_H
#define HALE_MODEL_PROCESS_H

#include "model/status.h"

#include <stdbool.h>

enum process_state {
	PROCESS_STOPPED,  /* by command, or finished */
	PROCESS_STARTING, /* spawned, not READY yet */
	PROCESS_READY,
	PROCESS_STOPPING,
	PROCESS_BACKOFF, /* waits for its next start */
	PROCESS_HELD,    /* exit 78, or gave up: waits for reload or command */
	PROCESS_STATE_MAX
};

const char *process_state_name(enum process_state s);
bool process_state_from_name(const char *name, enum process_state *s_r);
/* How a process's own component stands: ready healthy, starting degraded, backoff and held down,
 * stopping degraded, stopped unknown (excluded by the caller). */
enum status process_state_status(enum process_state s);

#endif
