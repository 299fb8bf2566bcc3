/* SPDX-License-Identifier: Apache-2.0 */
#include "pressure.h"

static bool is_in_trouble(const struct pressure_view *v)
{
	return v->has_error || v->is_spooling || v->call_ms >= PRESSURE_SLOW_MS;
}

static bool wants_pause(const struct pressure_view *v, bool is_slow)
{
	/* Without a disk a store that fails may do so for longer than the ring lasts: then what
	 * matters most is kept here. With one, memory is empty again in a moment. */
	if (!v->has_spool && v->has_error)
		return false;
	if (v->has_spool && is_slow && !is_in_trouble(v))
		return false;
	return v->memory_bytes >= (v->is_paused ? PRESSURE_GO_BYTES : PRESSURE_PAUSE_BYTES);
}

struct pressure pressure_of(const struct pressure_view *v)
{
	struct pressure p = {0};

	p.is_slow = v->call_ms >= PRESSURE_SLOW_MS ||
		    (v->is_paused && v->paused_ms >= PRESSURE_PAUSE_MS && !v->is_spooling);
	p.pauses = wants_pause(v, p.is_slow);
	if (v->has_error || p.is_slow)
		p.spills = v->memory_bytes > 0;
	else
		p.spills = v->is_spooling && v->memory_bytes >= PRESSURE_SPILL_BYTES;
	return p;
}
