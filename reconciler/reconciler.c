/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/frame.h"

/* ---- the bus ---- */

static void on_line(void *ctx, const char *topic, const char *epoch HALE_UNUSED,
		    uint64_t seq HALE_UNUSED, const json_t *object)
{
	struct reconciler *r = ctx;

	if (str_eq(topic, TOPIC_HEALTH))
		gate_line(&r->gate, object);
}

static void on_snapshot(void *ctx, const json_t *snapshot)
{
	gate_snapshot(&((struct reconciler *)ctx)->gate, snapshot);
}

static const struct feed_ops feed_ops = {.on_line = on_line, .on_snapshot = on_snapshot};

/* ---- building ---- */

/* Schedules mean the configured zone, also when the program is run by hand. */
static void set_timezone(const json_t *slice)
{
	const char *zone =
		json_string_value(json_object_get(json_object_get(slice, "instance"), "timezone"));

	if (zone != NULL && zone[0] != '\0')
		(void)setenv("TZ", zone, 1);
	tzset();
}

static int build_jobs(struct reconciler *r, const json_t *section, struct err *err)
{
	const char *name;
	json_t *options;

	r->jobs = mem_array(json_object_size(section) + 1, sizeof(*r->jobs));
	json_object_foreach ((json_t *)section, name, options) {
		struct job_spec spec;
		int rc = spec_decode(name, options, &spec, err);

		if (rc < 0)
			return rc;
		job_init(&r->jobs[r->jobs_n++], r->service, &r->gate, &spec);
	}
	return 0;
}

static int build_actions(struct reconciler *r, const json_t *section, struct err *err)
{
	const char *name;
	json_t *options;

	r->actions = mem_array(json_object_size(section) + 1, sizeof(*r->actions));
	json_object_foreach ((json_t *)section, name, options) {
		int rc = action_init(&r->actions[r->actions_n], r->service, name, options, err);

		if (rc < 0)
			return rc;
		r->actions_n++;
	}
	return 0;
}

static void on_problem(void *ctx, const char *path, const char *message)
{
	struct err *err = ctx;

	if (err->text[0] == '\0')
		(void)err_set(err, -EINVAL, "%s: %s", path, message);
}

static void check(const json_t *slice, service_problem_fn problem, void *ctx);

static int start(struct service *s, const json_t *slice, void **state_r, struct err *err)
{
	struct reconciler *r = mem_alloc(sizeof(*r));
	int rc;

	r->service = s;
	*state_r = r;
	set_timezone(slice);
	check(slice, on_problem, err);
	if (err->text[0] != '\0')
		return -EINVAL;
	rc = build_jobs(r, json_object_get(slice, "reconcile"), err);
	if (rc == 0)
		rc = build_actions(r, json_object_get(slice, "actions"), err);
	if (rc == 0)
		rc = service_feed_open(s, FEED_FROM_SNAPSHOT, NULL, &feed_ops, r, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < r->jobs_n; i++)
		job_start(&r->jobs[i]);
	service_status(s, "%zu jobs, %zu actions", r->jobs_n, r->actions_n);
	service_ready(s);
	return 0;
}

/* ---- ending ---- */

static void on_idle(void *ctx)
{
	struct reconciler *r = ctx;

	if (--r->busy == 0)
		service_stopped(r->service);
}

static void stop(void *state)
{
	struct reconciler *r = state;

	for (size_t i = 0; i < r->actions_n; i++)
		action_stop(&r->actions[i]);
	/* One more than there are jobs, so that none of them is the last while others are asked. */
	r->busy = r->jobs_n + 1;
	for (size_t i = 0; i < r->jobs_n; i++)
		job_stop(&r->jobs[i], on_idle, r);
	on_idle(r);
}

static void done(void *state)
{
	struct reconciler *r = state;

	for (size_t i = 0; i < r->jobs_n; i++)
		job_done(&r->jobs[i]);
	for (size_t i = 0; i < r->actions_n; i++)
		action_done(&r->actions[i]);
	free(r->jobs);
	free(r->actions);
	gate_done(&r->gate);
	free(r);
}

/* A worker thread that got stuck ends by the watchdog: nothing else can end a formula that loops.
 */
static bool is_alive(void *state)
{
	struct reconciler *r = state;
	bool is_fine = true;

	for (size_t i = 0; i < r->jobs_n; i++)
		is_fine = job_is_alive(&r->jobs[i]) && is_fine;
	return is_fine;
}

/* ---- --describe, --check ---- */

static json_t *describe(void)
{
	return manifest_service(
		"hale-reconciler", "reconciler",
		"makes tables agree with their source of truth; runs recovery actions",
		"when_configured", reconciler_sections, NULL);
}

struct job_checking {
	const char *name;
	service_problem_fn problem;
	void *ctx;
};

static void on_job_problem(void *ctx, const char *path, const char *message)
{
	const struct job_checking *c = ctx;
	HALE_CLEANUP(cleanup_free) char *full = mem_printf("/reconcile/%s%s", c->name, path);

	c->problem(c->ctx, full, message);
}

static void check(const json_t *slice, service_problem_fn problem, void *ctx)
{
	const char *name;
	json_t *options;

	json_object_foreach (json_object_get(slice, "reconcile"), name, options) {
		struct job_checking c = {.name = name, .problem = problem, .ctx = ctx};
		struct err err = {0};
		struct job_spec spec;

		if (spec_decode(name, options, &spec, &err) < 0) {
			on_job_problem(&c, "", err.text);
			continue;
		}
		spec_check(&spec, on_job_problem, &c);
		spec_done(&spec);
	}
	json_object_foreach (json_object_get(slice, "actions"), name, options)
		action_check(name, options, problem, ctx);
}

const struct service_ops reconciler_service = {
	.program = "hale-reconciler",
	.summary = "makes tables agree with their source of truth; runs recovery actions",
	.describe = describe,
	.sections = reconciler_sections,
	.check = check,
	.start = start,
	.stop = stop,
	.done = done,
	.methods = reconciler_methods,
	.has_feed = true,
	.is_alive = is_alive,
};
