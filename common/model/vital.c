/* SPDX-License-Identifier: Apache-2.0 */
#include "model/vital.h"

void vital_note(struct vital *v, enum process_state state, int64_t now_ms)
{
	if (state == PROCESS_READY || state == PROCESS_STOPPED || state == PROCESS_HELD)
		v->missing_since_ms = 0;
	else if (v->missing_since_ms == 0)
		v->missing_since_ms = now_ms;
}

bool vital_is_missed(const struct vital *v, int64_t grace_ms, int64_t now_ms)
{
	return v->missing_since_ms != 0 && now_ms - v->missing_since_ms >= grace_ms;
}
