/* SPDX-License-Identifier: Apache-2.0 */
/* unit_props - what of a unit's properties is wanted, taken from answers of systemd
 *
 * The properties are those of org.freedesktop.systemd1(5). What is missing, or of another type than
 * there, is left out: older and newer systemds have less and more.
 */
#ifndef HALE_CHECKERS_UNIT_PROPS_H
#define HALE_CHECKERS_UNIT_PROPS_H

#include "sdbus.h"
#include "unit_bus.h"

enum unit_props {
	UNIT_PROPS_UNIT,      /* of the interface all units have */
	UNIT_PROPS_TYPE,      /* of a service's, a timer's … */
	UNIT_PROPS_TRIGGERED, /* of the unit that a timer starts */
};

/* A status on its way: times as systemd tells them. */
struct unit_reading {
	struct unit_status status;
	int64_t active_mono_us; /* since when it is active; 0: never was */
	int64_t next_mono_us;   /* when a monotonic timer elapses; 0: never */
};

void unit_reading_init(struct unit_reading *r);
/* There is no such unit. */
void unit_reading_none(struct unit_reading *r);
/* From the answer to GetAll. -EBADMSG: it is none. */
int unit_reading_take(struct unit_reading *r, enum unit_props known, sd_bus_message *m);
/* Is it one that starts another, which is to be asked about? */
bool unit_reading_triggers(const struct unit_reading *r);
/* Times become those of the wall clock. */
void unit_reading_finish(struct unit_reading *r, int64_t wall_ms, int64_t mono_us);

#endif
