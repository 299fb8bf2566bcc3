/* SPDX-License-Identifier: Apache-2.0 */
/* rows - both sides of a job, read as arrays of objects
 *
 * Thread: a worker's. Errors: -EFBIG more than PLAN_ROWS_MAX rows; -EPERM the answer of an http
 * source is not what `expect` asks for; -EBADMSG it is not JSON or a program failed; db.h's.
 */
#ifndef HALE_RECONCILER_ROWS_H
#define HALE_RECONCILER_ROWS_H

#include "control.h"
#include "spec.h"

/* All rows of a query. New reference in rows_r. */
int rows_query(struct db *db, const char *sql, json_t **rows_r, struct err *err);
/* The rows of an http source out of its answer. */
int rows_from_body(const struct job_spec *spec, const char *body, size_t len, json_t **rows_r,
		   struct err *err);
/* The rows of a sql source. */
int rows_from_sql(const struct job_spec *spec, struct control *control, json_t **rows_r,
		  struct err *err);

#endif
