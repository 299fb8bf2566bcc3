/* SPDX-License-Identifier: Apache-2.0 */
/* status - the words health is told in
 *
 * One table each: status (what haled judges), outcome (what a checker saw), process state. Names
 * are part of the wire, the store and the API; they never change meaning.
 */
#ifndef HALE_MODEL_STATUS_H
#define HALE_MODEL_STATUS_H

#include <stdbool.h>

/* Order is severity as LEDGER (a): healthy < unknown < degraded < critical < down. */
enum status {
	STATUS_HEALTHY,
	STATUS_UNKNOWN,
	STATUS_DEGRADED,
	STATUS_CRITICAL,
	STATUS_DOWN,
	STATUS_MAX
};

enum outcome {
	OUTCOME_PASS,
	OUTCOME_WARN,  /* works, but the checker itself saw something soft */
	OUTCOME_FAIL,  /* answers, wrongly */
	OUTCOME_DOWN,  /* nothing answers */
	OUTCOME_ERROR, /* the check itself could not run */
	OUTCOME_MAX
};

/* What a component may do to the overall status at worst (C-02). */
enum impact { IMPACT_CRITICAL, IMPACT_DEGRADED, IMPACT_NONE, IMPACT_MAX };

const char *status_name(enum status s);
bool status_from_name(const char *name, enum status *s_r);
const char *status_colour(enum status s); /* "green", "grey", "yellow", "red", "darkred" */
int status_exit_code(enum status s); /* Nagios: 0 healthy 1 degraded 2 critical/down 3 unknown */
double status_gauge(enum status s);  /* 1, 0.5, 0, 0, -1 (unknown) */
const char *outcome_name(enum outcome o);
bool outcome_from_name(const char *name, enum outcome *o_r);
const char *impact_name(enum impact i);
bool impact_from_name(const char *name, enum impact *i_r);

#endif
