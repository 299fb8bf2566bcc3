/* SPDX-License-Identifier: Apache-2.0 */
/* fixture - jobs, rows and databases for the reconciler's tests
 *
 * Everything fails the running test if it cannot be had.
 */
#ifndef HALE_TESTS_RECONCILER_FIXTURE_H
#define HALE_TESTS_RECONCILER_FIXTURE_H

#include "plan.h"
#include "spec.h"

/* JSON with ' for ", so that tests read well. New reference. */
json_t *fixture_json(const char *text);
/* A job of positions: key symbol, qty exact, price within 0.01, closed by status; `more` is merged
 * over it (objects member by member). */
void fixture_spec(struct job_spec *spec, const char *more);
/* The plan of `source` against `target`, both as texts. */
void fixture_plan(const struct job_spec *spec, const char *source, const char *target,
		  struct plan *plan);
/* "insert AAPL; close TSLA" */
char *fixture_summary(const struct plan *plan);
/* The first row of that key; NULL if there is none. */
const struct plan_row *fixture_row(const struct plan *plan, const char *key);
/* Is there an error (or a refusal) that contains this? */
bool fixture_list_has(const struct strlist *list, const char *part);

/* A database file in a directory of its own. */
struct fixture_db {
	char dir[32];
	char path[64];
};

void fixture_db_make(struct fixture_db *f, const char *sql);
void fixture_db_remove(struct fixture_db *f);
void fixture_db_script(const struct fixture_db *f, const char *sql);
/* Rows as "a|b\nc|d\n", NULL as "-". Caller frees. */
char *fixture_db_text(const struct fixture_db *f, const char *sql);

#endif
