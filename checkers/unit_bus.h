/* SPDX-License-Identifier: Apache-2.0 */
/* unit_bus - what systemd says of a unit, asked over D-Bus, on the loop
 *
 * For the kinds that look at units (systemd) and at timers (schedule). Each bus has one connection
 * in the process, made at the first question and again whenever it was lost; questions asked
 * meanwhile wait for it. sd-bus is used here and nowhere else.
 *
 *   unit_bus_ask -> on_answer            exactly once, never from within unit_bus_ask()
 *                -> unit_bus_cancel      instead of it
 *
 * systemd loads a unit's file when it is asked about the unit; there is a status for any name, and
 * `load` tells whether there is such a unit.
 *
 * Bounded: connecting and answering (UNIT_BUS_CONNECT_MS, UNIT_BUS_ANSWER_MS), what was sent to a
 * bus that does not read (UNIT_BUS_UNANSWERED_MAX). A question that a restart of the bus or of
 * systemd cut off is asked once more.
 *
 * Ownership: all arguments are copied; the status is valid during the call.
 * Errors:    a reason and a text for people: NO_BUS (nothing there, no systemd on it, access
 *            refused, broken), TIMEOUT_READ (the bus works, systemd does not answer), PROTOCOL.
 * Loop:      all on the loop thread.
 */
#ifndef HALE_CHECKERS_UNIT_BUS_H
#define HALE_CHECKERS_UNIT_BUS_H

#include "check.h"
#include "unit_status.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define UNIT_BUS_CONNECT_MS     5000
#define UNIT_BUS_ANSWER_MS      5000
/* Two calls for a unit: so many stand in the socket and in memory, some 300 bytes each. */
#define UNIT_BUS_UNANSWERED_MAX 4096

enum unit_scope { UNIT_SYSTEM, UNIT_USER };

/* Which manager: the system's, or that of a user. */
struct unit_bus_at {
	enum unit_scope scope;
	bool has_uid;
	uid_t uid;           /* UNIT_USER: whose; without has_uid, this process's own user's */
	const char *address; /* D-Bus address in place of all that ("unix:path=…"), or NULL */
};

/* status is NULL if it could not be had; then reason and text say why. */
typedef void (*unit_answer_fn)(void *ctx, const struct unit_status *status, enum reason reason,
			       const char *text);

struct unit_ask;

struct unit_ask *unit_bus_ask(struct check *c, const struct unit_bus_at *at, const char *unit,
			      unit_answer_fn on_answer, void *ctx);
/* No callback comes after this. NULL is fine. */
void unit_bus_cancel(struct unit_ask *ask);

#endif
