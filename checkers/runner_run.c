/* SPDX-License-Identifier: Apache-2.0 */
/* One run from its place in the queue to its end, whatever the kind does. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/units.h"
#include "run.h"

/* A deadline noticed so late was not missed by a busy loop: the process did not run. */
#define RUN_AWAY_MS 250

static int64_t now_ms(const struct runner *r)
{
	return (int64_t)uv_now(r->host.loop);
}

void run_enqueue(struct check *c)
{
	HALE_ASSERT(c->run == NULL && !c->is_queued);
	c->is_queued = true;
	c->queued_ms = now_ms(c->runner);
	timeline_drop(&c->runner->retries, &c->retry); /* this run is the one */
	lineup_add(c->runner->lineup, &c->item);
}

/* ---- The end ---- */

static void free_run(struct run *run)
{
	json_decref(run->metrics);
	json_decref(run->details);
	json_decref(run->saw);
	free(run);
}

/* The component may run again. */
static void end_run(struct run *run)
{
	struct check *c = run->check;
	struct runner *r = c->runner;

	timeline_drop(&r->deadlines, &run->deadline);
	lineup_end(r->lineup, &run->place);
	r->overdue -= run->is_overdue;
	c->run = NULL;
	free_run(run);
	if (c->is_ticked)
		schedule_idle(r->schedule, c->index);
	c->is_ticked = c->is_published = false;
	/* Who asked while it was under way wants one that begins later, and is looked at. */
	if (c->waiters != NULL && !r->is_stopping)
		run_enqueue(c);
	runner_idle(r);
	run_pump(r);
}

void run_finish(struct check *c, enum outcome outcome, enum reason reason, const char *text)
{
	HALE_ASSERT(c->run != NULL && !c->run->job.is_out);
	if (!c->run->is_overdue)
		tell_result(c->run, outcome, reason, text);
	end_run(c->run);
}

void run_give_up(struct run *run)
{
	struct runner *r = run->check->runner;

	run->is_overdue = true;
	r->overdue++;
	timeline_drop(&r->deadlines, &run->deadline);
	lineup_end(r->lineup, &run->place);
	r->ops->cancel(run->check);
}

/* ---- The deadline ---- */

static void start_deadline(struct run *run)
{
	struct runner *r = run->check->runner;

	/* The loop's time is cut to whole milliseconds, and the run has all of its time. */
	timeline_set(&r->deadlines, &run->deadline, now_ms(r) + run->check->timeout_ms + 1);
}

/* A process that was stopped, or starved, comes back to deadlines that have passed and to answers
 * that it has not read yet: it was away, not those it asks. They get their time once more. */
static bool grant_respite(struct run *run)
{
	int64_t took_ms = (clock_mono_us() - run->started_us) / 1000;

	if (run->has_respite || took_ms - run->check->timeout_ms < RUN_AWAY_MS)
		return false;
	run->has_respite = true;
	start_deadline(run);
	return true;
}

static void on_deadline(struct run *run)
{
	struct check *c = run->check;
	struct runner *r = c->runner;
	char limit[UNITS_TEXT_MAX];
	char text[OBSERVATION_MESSAGE_MAX];

	if (grant_respite(run))
		return;
	r->timeouts++;
	snprintf(text, sizeof(text), "%s (after %s)", reason_text(run->stage),
		 duration_format(c->timeout_ms, limit));
	tell_result(run, reason_outcome(run->stage), run->stage, text);
	run_give_up(run);
	/* Gone with its run, it may be at the next one already. */
	if (c->run != NULL && c->run->is_overdue)
		tell_waiting(c);
}

/* ---- The beginning ---- */

static void begin(struct check *c)
{
	struct runner *r = c->runner;
	struct run *run = mem_alloc(sizeof(*run) + r->ops->run_size);

	c->is_queued = false;
	c->run = run;
	run->check = c;
	run->stage = REASON_TIMEOUT;
	run->waiters = TAKE_PTR(c->waiters);
	run->is_watched = run->waiters != NULL;
	/* A slot starts many checks in one turn: the loop's own time may be behind by now. */
	uv_update_time(r->host.loop);
	run->started_us = clock_mono_us();
	r->queued_max_ms = HALE_MAX(r->queued_max_ms, now_ms(r) - c->queued_ms);
	r->runs++;
	lineup_begin(r->lineup, &c->item, &run->place, now_ms(r));
	start_deadline(run);
	r->ops->start(c);
}

/* A kind may be done before its start() returns, which asks for the next one: that is left to the
 * loop here, or the stack would grow with the queue. */
void run_pump(struct runner *r)
{
	struct lineup_item *item;

	if (r->is_pumping || r->is_stopping)
		return;
	r->is_pumping = true;
	while ((item = lineup_take(r->lineup, now_ms(r))) != NULL)
		begin(container_of(item, struct check, item));
	r->is_pumping = false;
	runner_arm(r);
}

void run_at_once(struct check *c)
{
	if (c->run != NULL && c->run->is_overdue) {
		tell_still_stuck(c->run);
		return;
	}
	/* One that is under way was asked for by hand: it will do. */
	c->is_published = true;
	if (c->run == NULL && !c->is_queued)
		run_enqueue(c);
}

void run_expire(struct runner *r, int64_t time_ms)
{
	struct timeline_item *item;

	while ((item = timeline_take(&r->deadlines, time_ms)) != NULL)
		on_deadline(container_of(item, struct run, deadline));
	while ((item = timeline_take(&r->retries, time_ms)) != NULL) {
		r->retried++;
		run_at_once(container_of(item, struct check, retry));
	}
}
