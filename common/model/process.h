/* SPDX-License-Identifier: Apache-2.0 */
/* process - what all of hale says of a supervised process: its states, and how it is restarted
 *
 * Pure. See DESIGN section 4, hale.yaml(5) "processes".
 */
#ifndef HALE_MODEL_PROCESS_H
#define HALE_MODEL_PROCESS_H

#include "base/backoff.h"
#include "model/status.h"

#include <stdbool.h>
#include <stdint.h>

enum process_state {
	PROCESS_STOPPED,  /* by command, or finished */
	PROCESS_STARTING, /* spawned, not READY yet */
	PROCESS_READY,
	PROCESS_STOPPING,
	PROCESS_BACKOFF, /* waits for its next start */
	PROCESS_HELD,    /* exit 78, or gave up: waits for reload or command */
	PROCESS_WAITING, /* is wanted; what it requires or comes after is not there yet */
	PROCESS_STATE_MAX
};

/* Failures remembered for the crash-loop window; a larger burst setting counts as this. */
#define PROCESS_BURST_MAX 32

/* After which ends it is started again by itself. */
enum process_restart { RESTART_ALWAYS, RESTART_ON_FAILURE, RESTART_NEVER };

/* How one process is kept running. */
struct process_policy {
	struct backoff_policy backoff;
	int64_t fixed_delay_ms;  /* > 0: this instead of the backoff, every time (S3) */
	int64_t stable_after_ms; /* ready this long: failures forgotten */
	uint32_t burst;          /* more failures than this within window: crash-looping */
	int64_t window_ms;
	uint32_t give_up_after; /* consecutive failures until held; 0 never */
	int64_t start_timeout_ms;
	int64_t stop_timeout_ms;
	int64_t watchdog_ms; /* 0: none */
	enum process_restart when;
	/* Exit code 78 holds it until reload: the contract of hale's own, not of any program. */
	bool is_held_on_78;
	/* It does not say READY=1: it counts as ready after it has lived so long; -1: it says so.
	 */
	int64_t ready_after_ms;
};

const char *process_state_name(enum process_state s);
bool process_state_from_name(const char *name, enum process_state *s_r);
/* How a process's own component stands: ready healthy, starting, waiting and stopping degraded,
 * backoff and held down, stopped unknown (excluded by the caller). */
enum status process_state_status(enum process_state s);

#endif
