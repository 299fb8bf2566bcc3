/* SPDX-License-Identifier: Apache-2.0 */
#include "runner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "base/units.h"
#include "options.h"
#include "run.h"

/* The status line is a datagram and a wake-up of haled: not more often than people look. */
#define STATUS_EVERY_MS 10000

/* So far behind its own schedule, and the loop is not really turning. */
#define ALIVE_LATE_MS 5000

/* A deadline noticed so late was not missed by a busy loop: the process did not run. */
#define RUN_AWAY_MS 250

/* ---- Status line ---- */

static void tell_status(struct runner *r, int64_t now_ms)
{
	const char *plural = r->checks_n == 1 ? "" : "s";
	char text[96];

	if (r->status_ms != 0 && now_ms - r->status_ms < STATUS_EVERY_MS)
		return;
	r->status_ms = now_ms;
	if (r->overdue > 0)
		snprintf(text, sizeof(text), "%zu check%s, %zu stuck", r->checks_n, plural,
			 r->overdue);
	else
		snprintf(text, sizeof(text), "%zu check%s", r->checks_n, plural);
	r->host.status(r->host.ctx, text);
}

/* ---- Observations ---- */

/* New reference. metrics and details are moved into it. */
static json_t *observe(struct check *c, enum outcome outcome, enum reason reason, const char *text)
{
	struct observation o = {.at_ms = clock_wall_ms(), .outcome = outcome};
	json_t *object;

	snprintf(o.reason, sizeof(o.reason), "%s", reason_code(reason));
	observation_message(&o, text);
	o.took_ms = (double)(clock_mono_us() - c->started_us) / 1000.0;
	o.metrics = TAKE_PTR(c->metrics);
	o.details = TAKE_PTR(c->details);
	object = observation_encode(&o, c->id, c->runner->host.node);
	observation_done(&o);
	return object;
}

static void answer_waiters(struct check *c, const json_t *observation)
{
	struct run_waiter *waiter = TAKE_PTR(c->waiters);

	while (waiter != NULL) {
		struct run_waiter *next = waiter->next;

		waiter->on_result(waiter->ctx, observation, c->saw);
		free(waiter);
		waiter = next;
	}
}

static void report(struct check *c, enum outcome outcome, enum reason reason, const char *text)
{
	struct runner *r = c->runner;
	json_t *observation = observe(c, outcome, reason, text);

	answer_waiters(c, observation);
	if (c->is_scheduled)
		r->host.publish(r->host.ctx, observation);
	else
		json_decref(observation);
}

static json_t *observe_stuck(struct check *c)
{
	char ran[UNITS_TEXT_MAX];
	char text[OBSERVATION_MESSAGE_MAX];

	duration_format_short((clock_mono_us() - c->started_us) / 1000, ran);
	snprintf(text, sizeof(text), "%s: the check begun %s ago has not come back",
		 reason_text(c->stage), ran);
	return observe(c, reason_outcome(c->stage), c->stage, text);
}

/* ---- One run ---- */

static void finish_stop(struct runner *r);
static void pump(struct runner *r);

static void enqueue(struct check *c)
{
	struct runner *r = c->runner;

	c->state = RUN_QUEUED;
	c->next = NULL;
	*r->queue_end = c;
	r->queue_end = &c->next;
	r->queued++;
}

/* The component may run again. */
static void end_run(struct check *c)
{
	struct runner *r = c->runner;

	uv_timer_stop(&c->deadline);
	json_decref(c->metrics);
	json_decref(c->details);
	json_decref(c->saw);
	c->metrics = NULL;
	c->details = NULL;
	c->saw = NULL;
	if (c->state == RUN_OVERDUE)
		r->overdue--;
	else if (c->state == RUN_RUNNING)
		r->running--;
	c->state = RUN_IDLE;
	if (c->is_scheduled)
		schedule_idle(r->schedule, c->index);
	c->is_scheduled = false;
	/* Who asks while the answers of this run are given out wants a run that begins later. */
	if (c->waiters != NULL && !r->is_stopping)
		enqueue(c);
	finish_stop(r);
	pump(r);
}

void run_finish(struct check *c, enum outcome outcome, enum reason reason, const char *text)
{
	HALE_ASSERT(c->state == RUN_RUNNING || c->state == RUN_OVERDUE);
	HALE_ASSERT(!c->job.is_out);
	if (c->state == RUN_RUNNING)
		report(c, outcome, reason, text);
	end_run(c);
}

/* From here on nothing the kind says counts. */
static void give_up(struct check *c)
{
	struct runner *r = c->runner;

	c->state = RUN_OVERDUE;
	r->running--;
	r->overdue++;
	r->ops->cancel(c);
}

static void on_deadline(uv_timer_t *timer);

static void start_deadline(struct check *c)
{
	uv_timer_start(&c->deadline, on_deadline, (uint64_t)c->timeout_ms, 0);
}

/* A process that was stopped, or starved, comes back to deadlines that have passed and to answers
 * that it has not read yet: it was away, not those it asks. They get their time once more. */
static bool grant_respite(struct check *c)
{
	int64_t late_ms = (clock_mono_us() - c->started_us) / 1000 - c->timeout_ms;

	if (c->has_respite || late_ms < RUN_AWAY_MS)
		return false;
	c->has_respite = true;
	start_deadline(c);
	return true;
}

static void on_deadline(uv_timer_t *timer)
{
	struct check *c = timer->data;
	struct runner *r = c->runner;
	char limit[UNITS_TEXT_MAX];
	char text[OBSERVATION_MESSAGE_MAX];

	if (grant_respite(c))
		return;
	r->timeouts++;
	snprintf(text, sizeof(text), "%s (after %s)", reason_text(c->stage),
		 duration_format(c->timeout_ms, limit));
	report(c, reason_outcome(c->stage), c->stage, text);
	give_up(c);
	pump(r);
}

static void begin(struct check *c)
{
	struct runner *r = c->runner;

	c->state = RUN_RUNNING;
	c->stage = REASON_TIMEOUT;
	c->has_respite = false;
	c->is_watched = c->waiters != NULL;
	c->started_us = clock_mono_us();
	memset(c->run_data, 0, r->ops->run_size);
	r->running++;
	r->runs++;
	/* A slot starts many checks in one turn: the loop's own time may be behind by now. */
	uv_update_time(r->host.loop);
	start_deadline(c);
	r->ops->start(c);
}

/* ---- The queue ---- */

static struct check *dequeue(struct runner *r)
{
	struct check *c = r->queue;

	r->queue = c->next;
	if (r->queue == NULL)
		r->queue_end = &r->queue;
	r->queued--;
	return c;
}

/* A kind may be done before its start() returns, which asks for the next one: that is left to the
 * loop here, or the stack would grow with the queue. */
static void pump(struct runner *r)
{
	if (r->is_pumping || r->is_stopping)
		return;
	r->is_pumping = true;
	while (r->queue != NULL && r->running < r->host.concurrent_max)
		begin(dequeue(r));
	r->is_pumping = false;
}

/* ---- Ticks ---- */

static void on_due(struct check *c, enum schedule_tick tick)
{
	struct runner *r = c->runner;

	if (tick == SCHEDULE_RUN)
		c->is_scheduled = true; /* a run by command that is under way is adopted */
	if (c->state == RUN_IDLE)
		enqueue(c);
	else if (c->state == RUN_OVERDUE)
		r->host.publish(r->host.ctx, observe_stuck(c));
}

static void arm(struct runner *r);

static void on_tick(uv_timer_t *timer)
{
	struct runner *r = timer->data;
	int64_t now_ms = (int64_t)uv_now(r->host.loop);
	enum schedule_tick tick;
	size_t index;

	while ((tick = schedule_take(r->schedule, now_ms, &index)) != SCHEDULE_NONE)
		on_due(r->checks[index], tick);
	pump(r);
	tell_status(r, now_ms);
	arm(r);
}

static void arm(struct runner *r)
{
	int64_t next_ms = schedule_next(r->schedule);
	int64_t wait_ms;

	if (next_ms == INT64_MAX || r->is_stopping)
		return;
	wait_ms = HALE_MAX(next_ms - (int64_t)uv_now(r->host.loop), 0);
	uv_timer_start(&r->tick, on_tick, (uint64_t)wait_ms, 0);
}

/* ---- By command ---- */

int runner_run(struct runner *r, const char *id, runner_result_fn on_result, void *ctx)
{
	struct check *c = map_get(&r->by_id, id);
	struct run_waiter *waiter;

	if (c == NULL)
		return -ENOENT;
	if (r->is_stopping) {
		on_result(ctx, NULL, NULL);
		return 0;
	}
	if (c->state == RUN_OVERDUE) {
		json_t *observation = observe_stuck(c);

		on_result(ctx, observation, NULL);
		json_decref(observation);
		return 0;
	}
	waiter = mem_alloc(sizeof(*waiter));
	*waiter = (struct run_waiter){.on_result = on_result, .ctx = ctx, .next = c->waiters};
	c->waiters = waiter;
	if (c->state == RUN_IDLE)
		enqueue(c);
	pump(r);
	return 0;
}

const char *runner_suggest(const struct runner *r, const char *id)
{
	HALE_CLEANUP(cleanup_free) const char **ids = mem_array(r->checks_n + 1, sizeof(*ids));

	for (size_t i = 0; i < r->checks_n; i++)
		ids[i] = r->checks[i]->id;
	return suggest_nearest(id, ids);
}

struct runner_stats runner_stats_get(const struct runner *r)
{
	return (struct runner_stats){
		.components = r->checks_n,
		.running = r->running,
		.queued = r->queued,
		.stuck = r->overdue,
		.runs = r->runs,
		.skipped = schedule_skipped(r->schedule),
		.timeouts = r->timeouts,
		.late_ms_max = schedule_late_max_ms(r->schedule),
	};
}

bool runner_is_alive(const struct runner *r)
{
	int64_t next_ms = schedule_next(r->schedule);

	return r->is_stopping || next_ms == INT64_MAX ||
	       (int64_t)uv_now(r->host.loop) - next_ms < ALIVE_LATE_MS;
}

/* ---- Making and ending ---- */

struct runner *runner_new(const struct check_ops *ops, const struct runner_host *host)
{
	struct runner *r = mem_alloc(sizeof(*r));

	HALE_ASSERT(host->concurrent_max > 0);
	r->ops = ops;
	r->host = *host;
	r->schedule = schedule_new((int64_t)uv_now(host->loop));
	r->queue_end = &r->queue;
	r->threads = threads_new(host->loop);
	uv_timer_init(host->loop, &r->tick);
	uv_timer_init(host->loop, &r->stop);
	r->tick.data = r->stop.data = r;
	return r;
}

int runner_add(struct runner *r, const char *id, int64_t interval_ms, int64_t timeout_ms,
	       const json_t *options, struct err *err)
{
	struct check *c;
	void *opts;
	int rc;

	if (map_get(&r->by_id, id) != NULL)
		return err_set(err, -EINVAL, "component %s is there twice", id);
	rc = options_decode(r->ops, options, &opts, err);
	if (rc < 0)
		return rc;
	c = mem_alloc(sizeof(*c));
	c->runner = r;
	c->id = mem_dup(id);
	c->timeout_ms = timeout_ms;
	c->opts = opts;
	c->prep = r->ops->prepare != NULL ? r->ops->prepare(opts) : NULL;
	c->run_data = mem_alloc(HALE_MAX(r->ops->run_size, (size_t)1));
	uv_timer_init(r->host.loop, &c->deadline);
	c->deadline.data = c;
	c->index = schedule_add(r->schedule, id, interval_ms);
	HALE_ASSERT(c->index == r->checks_n);
	r->checks = mem_grow(r->checks, r->checks_n + 1, sizeof(struct check *));
	r->checks[r->checks_n++] = c;
	map_put(&r->by_id, id, c);
	return 0;
}

void runner_start(struct runner *r)
{
	tell_status(r, (int64_t)uv_now(r->host.loop));
	arm(r);
}

static void close_shared(const struct runner *r)
{
	for (const struct shared *shared = r->shared; shared != NULL; shared = shared->next) {
		if (shared->close != NULL)
			shared->close(shared->thing);
	}
}

static void end_stop(struct runner *r)
{
	if (r->is_stopped)
		return;
	r->is_stopped = true;
	uv_close((uv_handle_t *)&r->tick, NULL);
	uv_close((uv_handle_t *)&r->stop, NULL);
	for (size_t i = 0; i < r->checks_n; i++)
		uv_close((uv_handle_t *)&r->checks[i]->deadline, NULL);
	close_shared(r);
	threads_close(r->threads);
	r->on_stopped(r->stop_ctx);
}

/* Ends a stop as soon as nothing runs any more. */
static void finish_stop(struct runner *r)
{
	if (r->is_stopping && r->running == 0 && r->overdue == 0)
		end_stop(r);
}

static void on_stop_over(uv_timer_t *timer)
{
	end_stop(timer->data);
}

static void abandon(struct check *c)
{
	answer_waiters(c, NULL);
	if (c->state == RUN_QUEUED)
		c->state = RUN_IDLE;
	else if (c->state == RUN_RUNNING)
		give_up(c);
}

void runner_stop(struct runner *r, void (*on_stopped)(void *ctx), void *ctx)
{
	HALE_ASSERT(!r->is_stopping);
	r->on_stopped = on_stopped;
	r->stop_ctx = ctx;
	r->is_stopping = true;
	r->queue = NULL;
	r->queued = 0;
	uv_timer_stop(&r->tick);
	uv_timer_start(&r->stop, on_stop_over, RUNNER_STOP_MS, 0);
	for (size_t i = 0; i < r->checks_n; i++)
		abandon(r->checks[i]);
	finish_stop(r);
}

static void free_check(struct check *c)
{
	const struct check_ops *ops = c->runner->ops;

	if (ops->unprepare != NULL && c->prep != NULL)
		ops->unprepare(c->prep);
	conf_free(ops->items, c->opts);
	free(c->opts);
	free(c->run_data);
	free(c->id);
	free(c);
}

static void free_shared(struct runner *r)
{
	while (r->shared != NULL) {
		struct shared *shared = r->shared;

		r->shared = shared->next;
		shared->free_it(shared->thing);
		free(shared);
	}
}

void runner_free(struct runner *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->checks_n; i++) {
		/* A thread that has not come back still uses it; it may be one of the kind's own.
		 */
		if (!r->checks[i]->job.is_out && r->checks[i]->state != RUN_OVERDUE)
			free_check(r->checks[i]);
	}
	free_shared(r);
	threads_free(r->threads);
	schedule_free(r->schedule);
	map_done(&r->by_id);
	free(r->checks);
	free(r);
}
