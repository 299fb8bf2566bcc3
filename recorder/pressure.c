/* SPDX-License-Identifier: Apache-2.0 */
#include "pressure.h"

static bool wants_pause(const struct pressure_view *v, bool is_slow)
{
	/* A store that fails may do so for longer than the ring lasts: then what matters most is
	 * kept here. Without a disk the ring is the last place there is. */
	if (v->has_error || (v->has_spool && (is_slow || v->is_spooling)))
		return false;
	return v->memory_bytes >= (v->is_paused ? PRESSURE_GO_BYTES : PRESSURE_PAUSE_BYTES);
}

struct pressure pressure_of(const struct pressure_view *v)
{
	struct pressure p = {0};

	p.is_slow = v->call_ms >= PRESSURE_SLOW_MS ||
		    (v->is_paused && v->paused_ms >= PRESSURE_PAUSE_MS);
	p.pauses = wants_pause(v, p.is_slow);
	if (v->has_error || p.is_slow)
		p.spills = v->memory_bytes > 0;
	else
		p.spills = v->is_spooling && v->memory_bytes >= PRESSURE_SPILL_BYTES;
	return p;
}
