/* SPDX-License-Identifier: Apache-2.0 */
/* execute - the blocking part of a run: read both sides, plan, change, record
 *
 * One transaction on the target: audit tables, minimum interval, reading with the rows locked,
 * planning, the changes (each in a savepoint with its audit row, so that one that fails is undone
 * alone), the run's own row, commit. Killed anywhere, the database is as it was before. In
 * PostgreSQL an advisory lock keeps the same job on two machines apart; SQLite's write lock does.
 *
 * A dry run reads on a read-only connection and writes nothing at all.
 *
 * Thread: a worker's, one run per spec at a time.
 */
#ifndef HALE_RECONCILER_EXECUTE_H
#define HALE_RECONCILER_EXECUTE_H

#include "control.h"
#include "run.h"
#include "spec.h"

struct execution {
	const struct job_spec *spec;
	const struct run_info *info;
	const char *body; /* answer of an http source; unused for sql */
	size_t body_len;
	struct control *control;
};

/* The text of a run that came too early; wall times. NULL if it did not. Caller frees. */
char *execute_too_early(const struct job_spec *spec, const struct run_info *info,
			int64_t last_start_ms);
void execute_run(const struct execution *x, struct run_result *r);

#endif
