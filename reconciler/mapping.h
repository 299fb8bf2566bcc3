/* SPDX-License-Identifier: Apache-2.0 */
/* mapping - where the value of one column comes from
 *
 * A text of the configuration, read in one of two ways. Text that begins with "=" is a formula: a
 * jq program on the row. Other text is, for a column that is compared, the name of a member of the
 * source row; for a column that is only set, the value itself.
 *
 * Inside a formula: $now (RFC 3339), $run (id of the run), $job, $target (the row of the table as
 * it is, null for an insert).
 *
 * Ownership: mapping_done frees. Thread: one at a time, as jq.h says.
 */
#ifndef HALE_RECONCILER_MAPPING_H
#define HALE_RECONCILER_MAPPING_H

#include "base/err.h"

#include <jansson.h>

struct jq_expr;

enum mapping_kind { MAPPING_FIELD, MAPPING_CONSTANT };

struct mapping {
	char *text;             /* field name or constant; NULL for a formula */
	enum mapping_kind kind; /* of text */
	struct jq_expr *formula;
};

void mapping_init(struct mapping *m, const char *text, enum mapping_kind plain);
void mapping_done(struct mapping *m);
/* Does the formula compile? -EINVAL with jq's words. */
int mapping_check(struct mapping *m, struct err *err);
/* New reference in value_r. -ENOENT: the row has no such member; -EBADMSG: the formula failed. */
int mapping_eval(struct mapping *m, const json_t *row, const json_t *vars, json_t **value_r,
		 struct err *err);

/* The variables of formulas, without $target. New reference. */
json_t *mapping_vars(const char *now, const char *run, const char *job);
void mapping_vars_target(json_t *vars, const json_t *target);

#endif
