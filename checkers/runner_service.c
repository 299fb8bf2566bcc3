/* SPDX-License-Identifier: Apache-2.0 */
#include "runner_service.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/component.h"
#include "model/frame.h"
#include "options.h"
#include "runner.h"
#include "schedule.h"
#include "service/confine.h"

/* By hand a slice may leave these out; haled fills them in. */
#define INTERVAL_DEFAULT_MS 30000
#define TIMEOUT_DEFAULT_MS  10000

struct checker {
	struct service *service;
	struct runner *runner;
};

const char *runner_program(const struct check_ops *ops, char buf[RUNNER_PROGRAM_MAX])
{
	snprintf(buf, RUNNER_PROGRAM_MAX, "hale-check-%s", ops->kind);
	return buf;
}

static json_t *describe(void)
{
	char program[RUNNER_PROGRAM_MAX];

	const struct manifest_kind kind = {
		.kind = check_ops.kind,
		.summary = check_ops.summary,
		.about = check_ops.about,
		.options = check_ops.items,
		.metrics = check_ops.metrics,
		.details = check_ops.details,
		.reasons = check_ops.reasons,
		.example = check_ops.example,
	};

	return manifest_check(runner_program(&check_ops, program), &kind);
}

/* ---- The slice ---- */

struct component {
	const char *id; /* borrowed from the slice */
	int64_t interval_ms;
	int64_t timeout_ms;
	struct retry_rule retry;
	const json_t *options;
};

static int read_ms(const json_t *entry, const char *name, int64_t min, int64_t fallback,
		   int64_t *ms_r, struct err *err)
{
	const json_t *value = json_object_get(entry, name);

	if (value == NULL) {
		*ms_r = fallback;
		return 0;
	}
	if (!json_is_integer(value) || json_integer_value(value) < min)
		return err_set(err, -EINVAL, "%s: expected a number, at least %" PRId64, name, min);
	*ms_r = json_integer_value(value);
	return 0;
}

/* Only there if it is wanted; how many results count is haled's rule, and given with it. */
static int read_retry(const json_t *retry, struct retry_rule *rule_r, struct err *err)
{
	int64_t interval_ms = 0, bad_from = 1, failures = 1, passes = 1;
	int rc = read_ms(retry, "interval", 0, 0, &interval_ms, err);

	if (rc == 0)
		rc = read_ms(retry, "degraded_after", 1, 1, &bad_from, err);
	if (rc == 0)
		rc = read_ms(retry, "critical_after", bad_from, bad_from, &failures, err);
	if (rc == 0)
		rc = read_ms(retry, "recover_after", 1, 1, &passes, err);
	if (rc < 0)
		return rc;
	*rule_r = (struct retry_rule){
		.interval_ms = (uint32_t)HALE_MIN(interval_ms, (int64_t)UINT32_MAX),
		.bad_from = (uint16_t)HALE_MIN(bad_from, (int64_t)UINT16_MAX),
		.failures = (uint16_t)HALE_MIN(failures, (int64_t)UINT16_MAX),
		.passes = (uint16_t)HALE_MIN(passes, (int64_t)UINT16_MAX),
	};
	return 0;
}

static int read_component(const json_t *entry, struct component *c_r, struct err *err)
{
	struct component c = {.id = json_string_value(json_object_get(entry, "id"))};
	int rc;

	if (c.id == NULL || *c.id == '\0' || strlen(c.id) > COMPONENT_ID_MAX)
		return err_set(err, -EINVAL, "id: expected a text of 1 to %d bytes",
			       COMPONENT_ID_MAX);
	rc = read_ms(entry, "interval", SCHEDULE_INTERVAL_MIN_MS, INTERVAL_DEFAULT_MS,
		     &c.interval_ms, err);
	if (rc == 0)
		rc = read_ms(entry, "timeout", 1, HALE_MIN(c.interval_ms, TIMEOUT_DEFAULT_MS),
			     &c.timeout_ms, err);
	if (rc == 0)
		rc = read_retry(json_object_get(entry, "retry"), &c.retry, err);
	if (rc < 0)
		return rc;
	if (c.interval_ms > SCHEDULE_INTERVAL_MAX_MS)
		return err_set(err, -EINVAL, "interval: expected at most %" PRId64,
			       (int64_t)SCHEDULE_INTERVAL_MAX_MS);
	c.options = json_object_get(entry, "options");
	*c_r = c;
	return 0;
}

/* What all checkers have in common: slice {"checks": {…}}, of haled's section of that name. */
struct common {
	int64_t per_host;
	bool has_guard;
	struct guard_rule guard;
};

static int read_target(const json_t *list, size_t i, struct guard_rule *rule, struct err *err)
{
	const char *target = json_string_value(json_array_get(list, i));

	if (i >= GUARD_TARGETS_MAX)
		return err_set(err, -EINVAL, "at most %d targets", GUARD_TARGETS_MAX);
	if (target == NULL)
		return err_set(err, -EINVAL, "expected a text");
	if (guard_check_target(target, err) < 0)
		return -EINVAL;
	strlist_add(&rule->targets, target);
	return 0;
}

static int read_guard(const json_t *entry, struct common *common, struct err *err)
{
	const json_t *targets = json_object_get(entry, "targets");
	int rc = read_ms(entry, "timeout", 1, GUARD_TIMEOUT_DEFAULT_MS, &common->guard.timeout_ms,
			 err);

	if (rc == 0)
		rc = read_ms(entry, "interval", 1, GUARD_INTERVAL_DEFAULT_MS,
			     &common->guard.interval_ms, err);
	for (size_t i = 0; rc == 0 && i < json_array_size(targets); i++) {
		rc = read_target(targets, i, &common->guard, err);
		if (rc < 0)
			err_prefix(err, "targets/%zu", i);
	}
	common->has_guard = common->guard.targets.n > 0;
	return rc;
}

static void common_done(struct common *common)
{
	strlist_done(&common->guard.targets);
}

static int read_common(const json_t *slice, struct common *common_r, struct err *err)
{
	const json_t *checks = json_object_get(slice, "checks");
	struct common common = {0};
	int rc = read_ms(checks, "per_host", 1, RUNNER_PER_HOST_MAX, &common.per_host, err);

	if (rc == 0) {
		rc = read_guard(json_object_get(checks, "connectivity"), &common, err);
		if (rc < 0)
			err_prefix(err, "connectivity");
	}
	if (rc < 0)
		common_done(&common);
	else
		*common_r = common;
	return rc;
}

static void check_common(const json_t *slice, service_problem_fn problem, void *ctx)
{
	struct common common = {0};
	struct err err = {0};

	if (read_common(slice, &common, &err) < 0)
		problem(ctx, "/checks", err.text);
	common_done(&common);
}

static void check(const json_t *slice, service_problem_fn problem, void *ctx)
{
	const json_t *list = json_object_get(slice, "components");
	size_t i;
	json_t *entry;

	check_common(slice, problem, ctx);
	if (!json_is_array(list)) {
		problem(ctx, "/components", "expected a list of components");
		return;
	}
	json_array_foreach (list, i, entry) {
		HALE_CLEANUP(cleanup_free) char *path = mem_printf("/components/%zu", i);
		HALE_CLEANUP(cleanup_free) char *options = mem_printf("%s/options", path);
		struct component c;
		struct err err = {0};

		if (read_component(entry, &c, &err) < 0)
			problem(ctx, path, err.text);
		else
			options_check(&check_ops, c.options, options, problem, ctx);
	}
}

static void needs(const json_t *slice, struct confine_needs *n)
{
	size_t i;
	json_t *entry;

	json_array_foreach (json_object_get(slice, "components"), i, entry)
		confine_needs_add(n, check_ops.items, json_object_get(entry, "options"));
	/* Whether there is a network is for those to ask who use it: n->connects is set for them.
	 */
}

static int add_component(struct runner *r, const json_t *entry, struct err *err)
{
	struct component c;
	int rc = read_component(entry, &c, err);

	if (rc == 0)
		rc = runner_add(r, c.id, c.interval_ms, c.timeout_ms, c.options, err);
	if (rc == 0)
		runner_set_retry(r, c.id, &c.retry);
	if (rc < 0 && json_is_string(json_object_get(entry, "id")))
		err_prefix(err, "component %s", json_string_value(json_object_get(entry, "id")));
	return rc;
}

static int add_components(struct runner *r, const json_t *slice, struct err *err)
{
	const json_t *list = json_object_get(slice, "components");
	size_t i;
	json_t *entry;

	if (!json_is_array(list))
		return err_set(err, -EINVAL, "components: expected a list of components");
	json_array_foreach (list, i, entry) {
		int rc = add_component(r, entry, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- The runner's surroundings ---- */

static void publish(void *ctx, json_t *observation)
{
	const struct checker *checker = ctx;

	service_publish(checker->service, TOPIC_OBSERVATION, observation);
}

static void tell_status(void *ctx, const char *text)
{
	const struct checker *checker = ctx;

	service_status(checker->service, "%s", text);
}

/* Times of day mean the configured zone. */
static void set_timezone(const json_t *slice)
{
	const char *zone =
		json_string_value(json_object_get(json_object_get(slice, "instance"), "timezone"));

	if (zone != NULL && zone[0] != '\0')
		(void)setenv("TZ", zone, 1);
	tzset();
}

static struct runner *make_runner(struct checker *checker, const struct common *common)
{
	struct service *s = checker->service;
	const struct runner_host host = {
		.loop = service_loop(s),
		.node = service_node(s),
		.concurrent_max = RUNNER_CONCURRENT_MAX,
		.per_host_max = (size_t)common->per_host,
		.connectivity = common->has_guard ? &common->guard : NULL,
		.publish = publish,
		.status = tell_status,
		.ctx = checker,
		.service = s,
	};

	return runner_new(&check_ops, &host);
}

static int start(struct service *s, const json_t *slice, void **state_r, struct err *err)
{
	struct checker *checker = mem_alloc(sizeof(*checker));
	struct common common = {0};
	int rc = read_common(slice, &common, err);

	set_timezone(slice);
	checker->service = s;
	/* On failure the service exits without tearing down. */
	*state_r = checker;
	if (rc < 0) {
		err_prefix(err, "checks");
		return rc;
	}
	checker->runner = make_runner(checker, &common);
	common_done(&common);
	rc = add_components(checker->runner, slice, err);
	if (rc < 0)
		return rc;
	runner_start(checker->runner);
	service_ready(s);
	return 0;
}

static void on_stopped(void *ctx)
{
	const struct checker *checker = ctx;

	service_stopped(checker->service);
}

static void stop(void *state)
{
	struct checker *checker = state;

	runner_stop(checker->runner, on_stopped, checker);
}

static void done(void *state)
{
	struct checker *checker = state;

	runner_free(checker->runner);
	free(checker);
}

static bool is_alive(void *state)
{
	const struct checker *checker = state;

	return runner_is_alive(checker->runner);
}

/* ---- Commands ---- */

static void answer_run(void *ctx, const json_t *observation, const json_t *saw)
{
	struct command_request *rq = ctx;

	if (observation == NULL)
		command_fail(rq, COMMAND_E_FAILED, NULL, "this checker is stopping");
	else
		command_reply(rq, json_pack("{s:O, s:O*}", "observation", observation, "saw", saw));
}

static void call_run(void *ctx, struct command_request *rq, const json_t *params)
{
	struct checker *checker = ctx;
	const char *id = json_string_value(json_object_get(params, "component"));
	const char *nearest;

	if (id == NULL) {
		command_fail(rq, COMMAND_E_PARAMS, NULL, "\"component\" must be a component's id");
		return;
	}
	if (runner_run(checker->runner, id, answer_run, rq) == 0)
		return;
	nearest = runner_suggest(checker->runner, id);
	if (nearest != NULL)
		command_fail(rq, COMMAND_E_NOT_FOUND, NULL,
			     "no component '%s' here; did you mean '%s'?", id, nearest);
	else
		command_fail(rq, COMMAND_E_NOT_FOUND, NULL, "no component '%s' here", id);
}

/* The ids of some that are stuck: who looks at one knows what to look for. */
#define STUCK_SHOWN_MAX 20

static json_t *encode_stuck(const struct runner *r)
{
	const char *ids[STUCK_SHOWN_MAX];
	size_t n = runner_stuck(r, ids, ARRAY_LEN(ids));
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(ids[i]));
	return list;
}

static json_t *encode_network(enum guard_answer answer)
{
	return answer == GUARD_UNKNOWN ? json_null() : json_boolean(answer == GUARD_REACHABLE);
}

static void call_status(void *ctx, struct command_request *rq, const json_t *params)
{
	const struct checker *checker = ctx;
	struct runner_stats stats = runner_stats_get(checker->runner);
	const struct {
		const char *name;
		json_int_t value;
	} numbers[] = {
		{"components", (json_int_t)stats.components},
		{"running", (json_int_t)stats.running},
		{"queued", (json_int_t)stats.queued},
		{"host_limited", (json_int_t)stats.host_limited},
		{"stuck", (json_int_t)stats.stuck},
		{"runs", (json_int_t)stats.runs},
		{"retries", (json_int_t)stats.retries},
		{"skipped", (json_int_t)stats.skipped},
		{"timeouts", (json_int_t)stats.timeouts},
		{"late_ms_max", (json_int_t)stats.late_ms_max},
		{"queued_ms_max", (json_int_t)stats.queued_ms_max},
	};
	json_t *reply = json_object();

	(void)params;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		json_object_set_new(reply, numbers[i].name, json_integer(numbers[i].value));
	json_object_set_new(reply, "stuck_components", encode_stuck(checker->runner));
	json_object_set_new(reply, "network", encode_network(stats.network));
	command_reply(rq, reply);
}

static const struct command_method methods[] = {
	{"check.run", call_run,
	 "{component} -> {observation, saw?}; once, now, beside the schedule"},
	{"runner.status", call_status,
	 "{} -> {components, running, queued, host_limited, stuck, runs, retries, skipped, "
	 "timeouts, "
	 "late_ms_max, queued_ms_max, stuck_components, network}"},
	{0},
};

void runner_methods(const struct check_ops *ops, struct command_method *all)
{
	size_t n = 0;

	for (const struct command_method *m = methods; m->name != NULL; m++)
		all[n++] = *m;
	for (const struct command_method *m = ops->methods; m != NULL && m->name != NULL; m++) {
		HALE_ASSERT(n < RUNNER_METHODS_MAX - 1);
		all[n++] = *m;
	}
	all[n] = (struct command_method){0};
}

struct check *check_nth(void *ctx, size_t i)
{
	const struct checker *checker = ctx;

	return runner_check(checker->runner, i);
}

const struct service_ops runner_service_ops = {
	.summary = "runs the checks of one kind and reports what it observes",
	.describe = describe,
	.check = check,
	.needs = needs,
	.start = start,
	.is_slice_dropped = true,
	.stop = stop,
	.done = done,
	.methods = methods,
	.is_alive = is_alive,
};
