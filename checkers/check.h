/* SPDX-License-Identifier: Apache-2.0 */
/* check - what a kind of check is: a table of options and three functions
 *
 * A kind is one file checkers/check_<kind>.c that ends in `const struct check_ops check_ops`, and
 * one line in checkers/CMakeLists.txt. The runner (runner.h) owns slice, schedule, deadline,
 * concurrency and publishing; a kind knows nothing of intervals, thresholds or other checks.
 *
 * All functions run on the loop thread and must not block. Work that must block goes to
 * check_work(). For each start() there is exactly one check_done(), also after cancel().
 */
#ifndef HALE_CHECKERS_CHECK_H
#define HALE_CHECKERS_CHECK_H

#include "conf/manifest.h"
#include "conf/option.h"
#include "http/http.h"
#include "model/observation.h"
#include "model/reason.h"
#include "service/service.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct check; /* one component being checked by this process */
struct threads;

struct check_ops {
	const char *kind;
	const char *summary;           /* one sentence: what it looks at */
	const char *about;             /* Markdown for docs/checks.md, or NULL */
	const struct conf_item *items; /* options under components.<id>.<kind> */
	size_t opts_size;              /* sizeof the struct the items decode into */
	size_t run_size; /* of check_run_data(): zeroed before start(), gone with check_done() */
	const struct metric_doc *metrics; /* ends in NULL name; "*" stands for names of options */
	const struct metric_doc *details; /* ends in NULL name; or NULL */
	/* Each reason that the kind itself gives, ends in REASON_DOC_END. Those of the runner
	 * (timeout, no_data, config_error, internal_error, cancelled) may be left out. */
	const struct reason_doc *reasons;
	const char *example; /* YAML of one or more components, for docs/checks.md */
	/* Deeper validation of decoded options at --check and start (jq programs, paths); path is
	 * relative to the options ("/expect/jq"). May be NULL. */
	void (*validate)(const void *opts, service_problem_fn problem, void *ctx);
	/* Per-component setup that outlives runs (compiled expressions); returned by check_prep().
	 * May be NULL, and may return NULL if there is nothing to keep: what can be wrong with the
	 * options is for validate to say. */
	void *(*prepare)(const void *opts);
	void (*unprepare)(void *prep);
	/* The host that these options make it ask, "name:port", for the limit of checks per host;
	 * false: none. NULL: the first option that names one tells it (target_of_options). */
	bool (*host_of)(const void *opts, char *host, size_t size);
	/* Begins one run. Must not block. Ends in exactly one check_done(), never before start()
	 * returned unless nothing was begun. */
	void (*start)(struct check *c);
	/* The deadline passed or the process stops: end it now. check_done() is called by the kind
	 * before cancel returns, or soon after if a thread must come back first; the runner ignores
	 * what the kind then says and reports REASON_TIMEOUT (or what check_stage() named last). */
	void (*cancel)(struct check *c);
	/* Commands of the kind's own on the process's socket, beside those of every checker; ctx is
	 * for check_nth(). Ends in a row without a name; at most CHECK_METHODS_MAX. May be NULL. */
	const struct command_method *methods;
};

#define CHECK_METHODS_MAX 8

extern const struct check_ops check_ops; /* each executable has one */

/* For kinds. */
const char *check_id(const struct check *c);
const void *check_opts(const struct check *c);
void *check_prep(const struct check *c);
void *check_run_data(struct check *c);
uv_loop_t *check_loop(const struct check *c);
struct http_client *
check_http(const struct check *c); /* shared by the process, made at first use */
int64_t check_timeout_ms(const struct check *c);
struct service *check_service(const struct check *c);
/* For work that outlives the run (a resolver's thread): jobs with memory of their own. */
struct threads *check_threads(const struct check *c);
/* What all runs of this process have in common (a cache): made by the first that asks, known by who
 * makes it, freed with the runner, after the loop has ended. Holds no handles. */
void *check_shared(const struct check *c, void *(*make)(const struct check *c),
		   void (*free_it)(void *thing));
/* The same for a thing with handles (a connection): close, when the process stops and no check runs
 * any more, closes them; the loop turns after that. */
void *check_shared_open(const struct check *c, void *(*make)(const struct check *c),
			void (*close)(void *thing), void (*free_it)(void *thing));

/* What a timeout now would mean: REASON_TIMEOUT_CONNECT, REASON_TIMEOUT_READ … */
void check_stage(struct check *c, enum reason timeout_reason);
/* Collected until check_done(). Names as documented; a non-finite value is left out. */
void check_metric(struct check *c, const char *name, double value);
/* NULL takes back what was told. */
void check_detail(struct check *c, const char *name, json_t *value /* taken */);
/* Somebody asked for this run by hand and looks on (`hale check NAME`): only then is it worth
 * collecting what the observation does not carry. */
bool check_is_watched(const struct check *c);
/* For who looks on: headers, rows, what an expression gave, lines of a dialogue, by name; said
 * twice under one name it becomes a list. Dropped if nobody does. Never a secret. */
void check_saw(struct check *c, const char *name, json_t *value /* taken */);
/* Ends the run. The outcome is the reason's; text may be NULL for the reason's own. took_ms is
 * measured by the runner from start(). */
void check_done(struct check *c, enum reason reason, const char *fmt, ...) HALE_PRINTF(3, 4);
/* The same with an outcome other than the reason's. */
void check_done_as(struct check *c, enum outcome outcome, enum reason reason, const char *fmt, ...)
	HALE_PRINTF(4, 5);

/* Blocking work off the loop: work() in a thread on the run data, after() back on the loop. While
 * it runs the run data stays valid even if the deadline passed. One at a time per check. */
void check_work(struct check *c, void (*work)(void *run_data), void (*after)(struct check *c));

/* For commands of the kind (check_ops.methods), whose ctx it is: the components of this process one
 * by one; NULL beyond the last. */
struct check *check_nth(void *ctx, size_t i);
/* Something happened that the next check will see: it comes now, off the grid, and is published.
 * One that is under way already is. */
void check_due_now(struct check *c);

#endif
