/* SPDX-License-Identifier: Apache-2.0 */
/* What a run has seen, told: the observation, to whom, and what follows from it.
 *
 * A result that says a target is down waits, where there is a guard, until that knows whether this
 * host has a network itself. What the same component says meanwhile waits behind it, so that its
 * results are told in their order.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"
#include "run.h"

struct result {
	struct check *check;
	json_t *observation;
	json_t *saw;
	struct run_waiter *waiters;
	enum outcome outcome;
	bool is_published;
	struct result *next;
};

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

/* ---- Told, now ---- */

static void settle(struct result *result)
{
	struct check *c = result->check;
	struct runner *r = c->runner;

	answer(result->waiters, result->observation, result->saw);
	json_decref(result->saw);
	if (!result->is_published) {
		json_decref(result->observation);
		return;
	}
	r->host.publish(r->host.ctx, result->observation);
	plan_retry(c, result->outcome);
}

/* It is not the target: the check could not run. Is checked again as soon as it can. */
static void blame_own_network(struct result *result)
{
	const char *said = json_string_value(json_object_get(result->observation, "message"));
	struct observation own = {0};
	HALE_CLEANUP(cleanup_free)
	char *text = mem_printf("%s (%s)", reason_text(REASON_OWN_NETWORK), said);

	if (result->outcome != OUTCOME_DOWN)
		return;
	observation_message(&own, text);
	result->outcome = reason_outcome(REASON_OWN_NETWORK);
	json_object_set_new(result->observation, "outcome",
			    json_string(outcome_name(result->outcome)));
	json_object_set_new(result->observation, "reason",
			    json_string(reason_code(REASON_OWN_NETWORK)));
	json_object_set_new(result->observation, "message", json_string(own.message));
	if (result->is_published)
		result->check->is_masked = true;
}

/* ---- Told, when it is known whether this host has a network ---- */

static void hold(struct result *result)
{
	struct result *held = mem_alloc(sizeof(*held));
	struct runner *r = result->check->runner;

	*held = *result;
	result->check->held++;
	*r->held_end = held;
	r->held_end = &held->next;
}

static void tell(struct result *result)
{
	struct check *c = result->check;
	enum guard_answer word = GUARD_REACHABLE;

	if (result->is_published)
		c->is_masked = false;
	if (c->is_guarded && result->outcome == OUTCOME_DOWN)
		word = guard_ask(c->runner->guard);
	if (word == GUARD_UNKNOWN || c->held > 0) {
		hold(result);
		return;
	}
	if (word == GUARD_AWAY)
		blame_own_network(result);
	settle(result);
}

static struct result *take_held(struct runner *r)
{
	struct result *held = r->held;

	if (held == NULL)
		return NULL;
	r->held = held->next;
	if (r->held == NULL)
		r->held_end = &r->held;
	held->check->held--;
	return held;
}

static void recheck_masked(struct runner *r)
{
	for (size_t i = 0; i < r->checks_n; i++) {
		if (r->checks[i]->is_masked)
			run_at_once(r->checks[i]);
	}
	run_pump(r);
}

void tell_held(void *ctx, enum guard_answer word)
{
	struct runner *r = ctx;
	struct result *held;

	while ((held = take_held(r)) != NULL) {
		if (word == GUARD_AWAY)
			blame_own_network(held);
		settle(held);
		free(held);
	}
	runner_tell_status(r, true);
	if (word == GUARD_REACHABLE)
		recheck_masked(r);
}

void tell_drop_held(struct runner *r)
{
	struct result *held;

	while ((held = take_held(r)) != NULL) {
		tell_nothing(held->waiters);
		json_decref(held->observation);
		json_decref(held->saw);
		free(held);
	}
}

/* ---- What there is to tell ---- */

void tell_result(struct run *run, enum outcome outcome, enum reason reason, const char *text)
{
	struct result result = {
		.check = run->check,
		.observation = observe(run, outcome, reason, text),
		.saw = TAKE_PTR(run->saw),
		.waiters = TAKE_PTR(run->waiters),
		.outcome = outcome,
		.is_published = run->check->is_published,
	};

	run->is_told = true;
	tell(&result);
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

void tell_waiting(struct check *c)
{
	json_t *observation;

	if (c->waiters == NULL)
		return;
	observation = tell_stuck(c->run);
	answer(TAKE_PTR(c->waiters), observation, NULL);
	json_decref(observation);
}

void tell_still_stuck(struct run *run)
{
	struct result result = {
		.check = run->check,
		.observation = tell_stuck(run),
		.outcome = reason_outcome(run->stage),
		.is_published = true,
	};

	tell(&result);
}
