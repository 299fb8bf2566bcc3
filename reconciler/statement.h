/* SPDX-License-Identifier: Apache-2.0 */
/* statement - the SQL of a run, as text with placeholders
 *
 * Names come from the configuration and are quoted, values are bound. Pure; appends to out.
 */
#ifndef HALE_RECONCILER_STATEMENT_H
#define HALE_RECONCILER_STATEMENT_H

#include "spec.h"

/* "name" or "schema"."name" */
void statement_table(const char *table, struct str *out);
/* The rows in scope. is_locking: nobody else changes them until the transaction ends. */
void statement_select(const struct job_spec *spec, bool is_locking, struct str *out);
/* One planned row; placeholders are the members of `after` in order, then those of `identity`. */
void statement_change(const struct job_spec *spec, const struct plan_row *row, struct str *out);

#endif
