/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include <math.h>

#include "base/clock.h"
#include "base/rnd.h"

const char *run_trigger_name(enum run_trigger t)
{
	static const char *const names[] = {
		[RUN_SCHEDULE] = "schedule", [RUN_STARTUP] = "startup", [RUN_MANUAL] = "manual"};

	return names[t];
}

const char *run_outcome_name(enum run_outcome o)
{
	static const char *const names[] = {
		[RUN_DONE] = "done", [RUN_FAILED] = "failed", [RUN_REFUSED] = "refused"};

	return names[o];
}

void run_info_init(struct run_info *info, const char *job, const char *node,
		   enum run_trigger trigger, bool is_dry)
{
	*info = (struct run_info){.job = job,
				  .node = node,
				  .trigger = trigger,
				  .is_dry = is_dry,
				  .started_ms = clock_wall_ms(),
				  .mono_us = clock_mono_us()};
	(void)rnd_uuid(info->id);
}

void run_fail(struct run_result *r, enum run_outcome outcome, const char *message)
{
	if (r->outcome != RUN_DONE)
		return;
	r->outcome = outcome;
	for (size_t i = 0; i < PLAN_OP_MAX; i++)
		r->done[i] = 0;
	(void)str_clean(r->message, sizeof(r->message), message);
}

void run_end(const struct run_info *info, struct run_result *r)
{
	r->took_ms = round((double)(clock_mono_us() - info->mono_us) / 100) / 10;
	r->ended_ms = clock_wall_ms();
}

json_t *run_errors(const struct run_result *r)
{
	json_t *errors = json_array();
	const struct strlist *list = &r->plan.errors;

	if (r->message[0] != '\0')
		json_array_append_new(
			errors, r->outcome == RUN_FAILED
					? json_sprintf("Reconciliation failed: %s", r->message)
					: json_string(r->message));
	for (size_t i = 0; i < list->n; i++)
		json_array_append_new(errors, json_string(list->v[i]));
	if (r->plan.errors_n > list->n)
		json_array_append_new(errors,
				      json_sprintf("%zu more errors", r->plan.errors_n - list->n));
	return errors;
}

json_t *run_encode(const struct run_info *info, const struct run_result *r, bool with_plan)
{
	char at[CLOCK_TEXT_MAX], started[CLOCK_TEXT_MAX];
	json_t *out = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:I, s:I, "
		"s:f}",
		"at", clock_format(r->ended_ms, at), "node", info->node, "job", info->job, "run",
		info->id, "trigger", run_trigger_name(info->trigger), "started",
		clock_format(info->started_ms, started), "dry_run", info->is_dry, "outcome",
		run_outcome_name(r->outcome), "message", r->message, "inserted",
		(json_int_t)r->done[PLAN_INSERT], "updated", (json_int_t)r->done[PLAN_UPDATE],
		"closed", (json_int_t)r->done[PLAN_CLOSE], "skipped", (json_int_t)r->plan.skipped,
		"errors", run_errors(r), "source_rows", (json_int_t)r->plan.source_n, "target_rows",
		(json_int_t)r->plan.target_n, "took_ms", r->took_ms);

	HALE_ASSERT(out != NULL);
	if (!with_plan)
		return out;
	json_object_set_new(out, "plan", plan_rows_json(&r->plan, RUN_ROWS_MAX));
	json_object_set_new(out, "truncated", json_boolean(r->plan.n > RUN_ROWS_MAX));
	return out;
}

void run_result_done(struct run_result *r)
{
	plan_done(&r->plan);
	*r = (struct run_result){0};
}
