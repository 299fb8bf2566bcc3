/* SPDX-License-Identifier: Apache-2.0 */
/* sql_judge - what the answers of a sql check mean: metrics, details, and how it ends
 *
 * Loop thread, in the one moment when all answers are there. Ends the run.
 */
#ifndef HALE_CHECKERS_SQL_JUDGE_H
#define HALE_CHECKERS_SQL_JUDGE_H

#include "sql_plan.h"

/* All statements were answered. Calls check_done(). */
void sql_judge(struct check *c, const struct sql_plan *plan, double connect_ms);
/* They were not: what is configured as fresh cannot be shown as fresh. Calls check_done(). */
void sql_judge_failed(struct check *c, enum reason reason, const char *error, double connect_ms);

/* The bands of an age in whole seconds: younger than warn, up to stale, older. */
enum sql_band { SQL_FRESH, SQL_WARNING, SQL_STALE };
enum sql_band sql_band_of(int64_t age_seconds, int64_t warn_ms, int64_t stale_ms);
const char *sql_band_name(enum sql_band band);

#endif
