/* SPDX-License-Identifier: Apache-2.0 */
/* vital - whether a process that hale cannot do without has been missing for too long
 *
 * When haled cannot bring it back, its own restart by init is the last resort: the watchdog is not
 * fed any more. Pure; times are monotonic ms. Zero-initialised is valid: never seen.
 */
#ifndef HALE_MODEL_VITAL_H
#define HALE_MODEL_VITAL_H

#include "model/process.h"

#include <stdbool.h>
#include <stdint.h>

struct vital {
	int64_t missing_since_ms; /* 0: it is ready, or not wanted */
};

/* What state it is in, at each change and at each look. Stopped by an operator, finished or held
 * (its configuration is wrong, or it gave up as it was told to) is not missing. */
void vital_note(struct vital *v, enum process_state state, int64_t now_ms);
bool vital_is_missed(const struct vital *v, int64_t grace_ms, int64_t now_ms);

#endif
