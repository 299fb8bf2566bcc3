/* SPDX-License-Identifier: Apache-2.0 */
/* audit - the append-only record of runs and changes, in the target's own database
 *
 * Written on the connection and in the transaction of the changes themselves: there is no change
 * without its record, and no record of a change that was not made. Nothing here is ever updated or
 * deleted; how long it is kept is the database owner's matter. Columns: docs/reconcile.md.
 *
 * Thread: a worker's. Errors: db.h's.
 */
#ifndef HALE_RECONCILER_AUDIT_H
#define HALE_RECONCILER_AUDIT_H

#include "run.h"
#include "spec.h"

/* Creates the tables if they are missing. */
int audit_prepare(struct db *db, const struct job_spec *spec, struct err *err);
/* When the last run that was carried out started, as far as the table tells; 0 never. */
int audit_last_start(struct db *db, const struct job_spec *spec, int64_t *started_ms_r,
		     struct err *err);
/* `number` counts the rows of the run from 1. */
int audit_change(struct db *db, const struct job_spec *spec, const struct run_info *info,
		 const struct plan_row *row, size_t number, struct err *err);
int audit_run(struct db *db, const struct job_spec *spec, const struct run_info *info,
	      const struct run_result *r, struct err *err);
/* The job's last runs, newest first, as an array; empty if there is no table yet. New reference. */
int audit_list(struct db *db, const struct job_spec *spec, int64_t limit, json_t **runs_r,
	       struct err *err);

#endif
