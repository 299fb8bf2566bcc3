/* SPDX-License-Identifier: Apache-2.0 */
/* run_evidence - where a job leaves traces of its runs, and the newest of them
 *
 * One of: a query of a database, the time of a file, the pings of a component of kind heartbeat, a
 * timer of systemd. What blocks is done in a thread.
 *
 *   evidence_start -> on_evidence        exactly once, from the loop or from within start
 *
 * Ownership: struct evidence is the run's data and must stay until then; options are the check's.
 * Errors:    in struct evidence: `error` says why there is none.
 * Loop:      all on the loop thread.
 */
#ifndef HALE_CHECKERS_RUN_EVIDENCE_H
#define HALE_CHECKERS_RUN_EVIDENCE_H

#include "check.h"
#include "sql_options.h"
#include "unit_bus.h"

#define EVIDENCE_TEXT_MAX 512

struct evidence_opts {
	struct {
		struct sqlite_opts sqlite;
		struct postgres_opts postgres;
		char *query;
		struct strlist ok;
	} sql;
	char *file;
	char *heartbeat;
	struct {
		char *timer;
		char *scope;
		char *bus;
	} systemd;
};

extern const struct conf_item evidence_sql_items[];
extern const struct conf_item evidence_systemd_items[];
/* Exactly one of them, as it must be. */
void evidence_validate(const struct evidence_opts *o, service_problem_fn problem, void *ctx);

typedef void (*evidence_fn)(struct check *c);

struct evidence {
	/* What was found. */
	char error[EVIDENCE_TEXT_MAX];  /* "": it could be looked at */
	int64_t last_ms;                /* wall clock; -1: it never ran */
	bool is_failed;                 /* … and that run went wrong */
	char status[EVIDENCE_TEXT_MAX]; /* how it ended, in the source's words; may be "" */
	/* Its own. */
	struct check *check;
	const struct evidence_opts *opts;
	evidence_fn on_evidence;
	struct sql_session *session;
	struct unit_ask *ask;
	size_t rows;
};

void evidence_start(struct evidence *e, struct check *c, const struct evidence_opts *o,
		    int64_t timeout_ms, evidence_fn on_evidence);
/* on_evidence comes now, or soon after if a thread must come back first. */
void evidence_cancel(struct evidence *e);

#endif
