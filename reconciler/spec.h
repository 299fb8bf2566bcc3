/* SPDX-License-Identifier: Apache-2.0 */
/* spec - one job of the configuration, made ready to run
 *
 * Ownership: the spec owns its options. Thread: built on the loop; afterwards the thread that
 * carries a run out uses the plan and the programs alone, everybody may read the rest.
 */
#ifndef HALE_RECONCILER_SPEC_H
#define HALE_RECONCILER_SPEC_H

#include "model/cron.h"
#include "options.h"
#include "plan.h"
#include "db/db.h"

struct job_spec {
	struct job_options o;
	struct plan_spec plan;
	struct jq_expr *rows, *expect; /* of an http source; expect may be NULL */
	struct cron cron;
	bool has_cron;
};

/* Collects what is wrong; `path` is a JSON pointer relative to the job. */
typedef void (*spec_problem_fn)(void *ctx, const char *path, const char *message);

/* Decodes {"positions": {…}} member by member. -EINVAL. */
int spec_decode(const char *name, const json_t *job, struct job_spec *spec, struct err *err);
/* Everything a table of options cannot see, jq programs included. */
void spec_check(struct job_spec *spec, spec_problem_fn problem, void *ctx);
void spec_done(struct job_spec *spec);

bool spec_is_http(const struct job_spec *spec);
const char *spec_source_name(const struct job_spec *spec); /* "http", "sql" */
enum db_engine spec_engine(const struct job_spec *spec);
/* Where the source (sql) and the target are. Borrowed from the spec. */
struct db_target spec_source_place(const struct job_spec *spec);
struct db_target spec_target_place(const struct job_spec *spec, bool is_read_only);

#endif
