/* SPDX-License-Identifier: Apache-2.0 */
/* What a run has seen, told: the observation, to whom, and what follows from it. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/units.h"
#include "run.h"

/* New reference. metrics and details are moved into it. */
static json_t *observe(struct run *run, enum outcome outcome, enum reason reason, const char *text)
{
	struct observation o = {.at_ms = clock_wall_ms(), .outcome = outcome};
	const struct check *c = run->check;
	json_t *object;

	snprintf(o.reason, sizeof(o.reason), "%s", reason_code(reason));
	observation_message(&o, text);
	o.took_ms = (double)(clock_mono_us() - run->started_us) / 1000.0;
	o.metrics = TAKE_PTR(run->metrics);
	o.details = TAKE_PTR(run->details);
	object = observation_encode(&o, c->id, c->runner->host.node);
	observation_done(&o);
	return object;
}

static void answer(struct run_waiter *waiter, const json_t *observation, const json_t *saw)
{
	while (waiter != NULL) {
		struct run_waiter *next = waiter->next;

		waiter->on_result(waiter->ctx, observation, saw);
		free(waiter);
		waiter = next;
	}
}

void tell_nothing(struct run_waiter *waiters)
{
	answer(waiters, NULL, NULL);
}

static void plan_retry(struct check *c, enum outcome outcome)
{
	struct runner *r = c->runner;

	if (!retry_wanted(&c->retry_rule, &c->retry_state, outcome == OUTCOME_PASS))
		return;
	timeline_set(&r->retries, &c->retry,
		     (int64_t)uv_now(r->host.loop) + c->retry_rule.interval_ms);
	runner_arm(r);
}

void tell_result(struct run *run, enum outcome outcome, enum reason reason, const char *text)
{
	struct check *c = run->check;
	struct runner *r = c->runner;
	json_t *observation = observe(run, outcome, reason, text);

	run->is_told = true;
	answer(TAKE_PTR(run->waiters), observation, run->saw);
	if (!c->is_published) {
		json_decref(observation);
		return;
	}
	r->host.publish(r->host.ctx, observation);
	plan_retry(c, outcome);
}

json_t *tell_stuck(struct run *run)
{
	char ran[UNITS_TEXT_MAX];
	char text[OBSERVATION_MESSAGE_MAX];

	duration_format_short((clock_mono_us() - run->started_us) / 1000, ran);
	snprintf(text, sizeof(text), "%s: the check begun %s ago has not come back",
		 reason_text(run->stage), ran);
	return observe(run, reason_outcome(run->stage), run->stage, text);
}

void tell_still_stuck(struct run *run)
{
	struct check *c = run->check;

	c->runner->host.publish(c->runner->host.ctx, tell_stuck(run));
	plan_retry(c, reason_outcome(run->stage));
}
