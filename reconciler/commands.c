/* SPDX-License-Identifier: Apache-2.0 */
/* The commands on reconciler.ipc (docs/bus.md). */
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/strlist.h"
#include "reconciler.h"

#define RUNS_DEFAULT 20
#define RUNS_MAX     1000

/* ---- finding ---- */

static struct job *find_job(struct reconciler *r, const char *name)
{
	for (size_t i = 0; i < r->jobs_n; i++) {
		if (str_eq(r->jobs[i].spec.o.name, name))
			return &r->jobs[i];
	}
	return NULL;
}

static struct action *find_action(struct reconciler *r, const char *name)
{
	for (size_t i = 0; i < r->actions_n; i++) {
		if (str_eq(r->actions[i].o.name, name))
			return &r->actions[i];
	}
	return NULL;
}

static void fail_unknown(struct command_request *rq, const char *what, const char *name,
			 const char *const *names)
{
	const char *near = suggest_nearest(name, names);

	if (near != NULL)
		command_fail(rq, COMMAND_E_NOT_FOUND, NULL, "no %s '%s', did you mean '%s'?", what,
			     name, near);
	else
		command_fail(rq, COMMAND_E_NOT_FOUND, NULL, "no %s '%s'", what, name);
}

static void fail_unknown_job(struct reconciler *r, struct command_request *rq, const char *name)
{
	const char **names = mem_array(r->jobs_n + 1, sizeof(*names));

	for (size_t i = 0; i < r->jobs_n; i++)
		names[i] = r->jobs[i].spec.o.name;
	fail_unknown(rq, "job", name, names);
	free(names);
}

static void fail_unknown_action(struct reconciler *r, struct command_request *rq, const char *name)
{
	const char **names = mem_array(r->actions_n + 1, sizeof(*names));

	for (size_t i = 0; i < r->actions_n; i++)
		names[i] = r->actions[i].o.name;
	fail_unknown(rq, "action", name, names);
	free(names);
}

/* ---- reconcile.run ---- */

static void on_run_done(void *ctx, const json_t *result)
{
	command_reply(ctx, json_deep_copy(result));
}

static void reconcile_run(void *ctx, struct command_request *rq, const json_t *params)
{
	struct reconciler *r = ctx;
	const char *name = json_string_value(json_object_get(params, "job"));
	const json_t *dry = json_object_get(params, "dry_run");
	struct job *j = name != NULL ? find_job(r, name) : NULL;
	json_t *refused;

	if (name == NULL || (dry != NULL && !json_is_boolean(dry))) {
		command_fail(rq, COMMAND_E_PARAMS, NULL,
			     "job (text) and dry_run (bool) are wanted");
		return;
	}
	if (j == NULL) {
		fail_unknown_job(r, rq, name);
		return;
	}
	refused = job_run(j, RUN_MANUAL, json_is_true(dry), on_run_done, rq);
	if (refused != NULL)
		command_fail(rq, COMMAND_E_REFUSED, refused, "%s: %s", name,
			     json_string_value(json_object_get(refused, "message")));
}

static void reconcile_jobs(void *ctx, struct command_request *rq, const json_t *params HALE_UNUSED)
{
	struct reconciler *r = ctx;
	json_t *jobs = json_array();

	for (size_t i = 0; i < r->jobs_n; i++)
		json_array_append_new(jobs, job_encode(&r->jobs[i]));
	command_reply(rq, json_pack("{s:o}", "jobs", jobs));
}

/* ---- reconcile.runs ---- */

struct runs_query {
	struct reconciler *r;
	struct command_request *rq;
	const struct job *job; /* NULL: all */
	int64_t limit;
	json_t *runs;
	struct err err;
	int rc;
};

static int read_runs(struct runs_query *q, const struct job *j)
{
	struct db_target place = spec_target_place(&j->spec, true);
	struct db *db = NULL;
	json_t *runs = NULL;
	int rc = db_open(&place, &db, &q->err);

	if (rc == 0)
		rc = audit_list(db, &j->spec, q->limit, &runs, &q->err);
	db_close(db);
	if (rc != 0)
		err_prefix(&q->err, "%s", j->spec.o.name);
	else
		json_array_extend(q->runs, runs);
	json_decref(runs);
	return rc;
}

static void runs_work(void *ctx)
{
	struct runs_query *q = ctx;

	for (size_t i = 0; i < q->r->jobs_n && q->rc == 0; i++) {
		if (q->job == NULL || q->job == &q->r->jobs[i])
			q->rc = read_runs(q, &q->r->jobs[i]);
	}
}

static int compare_newest_first(const void *a, const void *b)
{
	const char *x = json_string_value(json_object_get(*(json_t *const *)a, "started"));
	const char *y = json_string_value(json_object_get(*(json_t *const *)b, "started"));

	return strcmp(y != NULL ? y : "", x != NULL ? x : "");
}

static json_t *newest(json_t *runs, int64_t limit)
{
	size_t n = json_array_size(runs);
	json_t **sorted = mem_array(n + 1, sizeof(*sorted));
	json_t *out = json_array();

	for (size_t i = 0; i < n; i++)
		sorted[i] = json_array_get(runs, i);
	qsort(sorted, n, sizeof(*sorted), compare_newest_first);
	for (size_t i = 0; i < n && (int64_t)i < limit; i++)
		json_array_append(out, sorted[i]);
	free(sorted);
	return out;
}

static void runs_after(void *ctx)
{
	struct runs_query *q = ctx;

	if (q->rc != 0)
		command_fail(q->rq, COMMAND_E_FAILED, NULL, "%s", q->err.text);
	else
		command_reply(q->rq, json_pack("{s:o}", "runs", newest(q->runs, q->limit)));
	json_decref(q->runs);
	free(q);
}

static void reconcile_runs(void *ctx, struct command_request *rq, const json_t *params)
{
	struct reconciler *r = ctx;
	const char *name = json_string_value(json_object_get(params, "job"));
	const json_t *limit = json_object_get(params, "limit");
	int64_t n = json_is_integer(limit) ? json_integer_value(limit) : RUNS_DEFAULT;
	struct job *j = name != NULL ? find_job(r, name) : NULL;
	struct runs_query *q;

	if (name != NULL && j == NULL) {
		fail_unknown_job(r, rq, name);
		return;
	}
	q = mem_alloc(sizeof(*q));
	*q = (struct runs_query){.r = r,
				 .rq = rq,
				 .job = j,
				 .limit = HALE_MIN(HALE_MAX(n, 1), RUNS_MAX),
				 .runs = json_array()};
	service_work(r->service, runs_work, runs_after, q);
}

/* ---- actions ---- */

static void action_run_command(void *ctx, struct command_request *rq, const json_t *params)
{
	struct reconciler *r = ctx;
	const char *name = json_string_value(json_object_get(params, "action"));
	struct action *a = name != NULL ? find_action(r, name) : NULL;

	if (name == NULL)
		command_fail(rq, COMMAND_E_PARAMS, NULL, "action (text) is wanted");
	else if (a == NULL)
		fail_unknown_action(r, rq, name);
	else if (r->busy > 0)
		command_fail(rq, COMMAND_E_REFUSED, NULL, "%s: stopping", name);
	else if (!action_run(a, on_run_done, rq))
		command_fail(rq, COMMAND_E_REFUSED, NULL, "%s: already running", name);
}

static void action_list(void *ctx, struct command_request *rq, const json_t *params HALE_UNUSED)
{
	struct reconciler *r = ctx;
	json_t *actions = json_array();

	for (size_t i = 0; i < r->actions_n; i++)
		json_array_append_new(actions, action_encode(&r->actions[i]));
	command_reply(rq, json_pack("{s:o}", "actions", actions));
}

/* clang-format off */
const struct command_method reconciler_methods[] = {
	{"reconcile.run", reconcile_run,
	 "{\"job\", \"dry_run\": bool} -> the run with its plan, once it has ended"},
	{"reconcile.jobs", reconcile_jobs,
	 "{} -> {\"jobs\": [{name, schedule, next_run, running, last_run …}]}"},
	{"reconcile.runs", reconcile_runs,
	 "{\"job\", \"limit\"} -> {\"runs\": […]} of the audit tables, newest first"},
	{"action.run", action_run_command, "{\"action\"} -> {outcome, message, took_ms}"},
	{"action.list", action_list, "{} -> {\"actions\": […]}"},
	{0},
};
/* clang-format on */
