/* SPDX-License-Identifier: Apache-2.0 */
#include "runner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/strlist.h"
#include "options.h"
#include "run.h"
#include "target.h"

/* The status line is a datagram and a wake-up of haled: not more often than people look. */
#define STATUS_EVERY_MS 10000

/* So far behind its own schedule, and the loop is not really turning. */
#define ALIVE_LATE_MS 5000

static int64_t now_ms(const struct runner *r)
{
	return (int64_t)uv_now(r->host.loop);
}

/* ---- Status line: how many, and what is not as it should be ---- */

static void add_count(struct str *text, size_t n, const char *what)
{
	if (n > 0)
		str_addf(text, ", %zu %s", n, what);
}

void runner_tell_status(struct runner *r, bool is_now)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	int64_t time_ms = now_ms(r);

	if (!is_now && time_ms - r->status_ms < STATUS_EVERY_MS)
		return;
	r->status_ms = time_ms;
	str_addf(&text, "%zu check%s", r->checks_n, r->checks_n == 1 ? "" : "s");
	add_count(&text, r->overdue, "stuck");
	add_count(&text, lineup_waiting(r->lineup), "waiting");
	add_count(&text, schedule_skipped(r->schedule), "skipped");
	if (r->guard != NULL && guard_last(r->guard) == GUARD_AWAY)
		str_add(&text, ", no network");
	if (str_eq(str_text(&text), r->status))
		return;
	snprintf(r->status, sizeof(r->status), "%s", str_text(&text));
	r->host.status(r->host.ctx, r->status);
}

/* ---- Ticks ---- */

static void on_due(struct check *c, enum schedule_tick tick)
{
	if (tick == SCHEDULE_RUN)
		c->is_ticked = c->is_published = true; /* a run under way is adopted */
	if (c->run != NULL && c->run->is_overdue)
		tell_still_stuck(c->run);
	else if (c->run == NULL && !c->is_queued)
		run_enqueue(c);
}

static void arm_tick(struct runner *r);

static void on_tick(uv_timer_t *timer)
{
	struct runner *r = timer->data;
	int64_t time_ms = now_ms(r);
	enum schedule_tick tick;
	size_t index;

	while ((tick = schedule_take(r->schedule, time_ms, &index)) != SCHEDULE_NONE)
		on_due(r->checks[index], tick);
	run_pump(r);
	runner_tell_status(r, false);
	arm_tick(r);
}

static void arm_tick(struct runner *r)
{
	int64_t next_ms = schedule_next(r->schedule);

	if (next_ms != INT64_MAX && !r->is_stopping)
		uv_timer_start(&r->tick, on_tick, (uint64_t)HALE_MAX(next_ms - now_ms(r), 0), 0);
}

/* ---- All other times ---- */

static void on_clock(uv_timer_t *timer)
{
	struct runner *r = timer->data;

	r->clock_ms = INT64_MAX;
	run_expire(r, now_ms(r));
	run_pump(r);
}

void runner_arm(struct runner *r)
{
	int64_t next_ms = HALE_MIN(timeline_next(&r->deadlines), timeline_next(&r->retries));

	next_ms = HALE_MIN(next_ms, lineup_next(r->lineup));
	if (r->is_stopping || next_ms == r->clock_ms)
		return;
	/* Most deadlines are never reached. A clock that is set too early is left so, unless there
	 * is nothing at all to wait for: one wake-up for nothing costs less than to set it anew for
	 * each check. */
	if (next_ms == INT64_MAX)
		uv_timer_stop(&r->clock);
	else if (next_ms > r->clock_ms)
		return;
	else
		uv_timer_start(&r->clock, on_clock, (uint64_t)HALE_MAX(next_ms - now_ms(r), 0), 0);
	r->clock_ms = next_ms;
}

void check_due_now(struct check *c)
{
	struct runner *r = c->runner;

	if (r->is_stopping || (c->run != NULL && c->run->is_overdue))
		return;
	run_at_once(c);
	run_pump(r);
}

/* ---- By command ---- */

static struct check *find(const struct runner *r, const char *id)
{
	size_t i = roll_find(&r->by_id, id);

	return i == ROLL_NONE ? NULL : r->checks[i];
}

static void answer_stuck(struct run *run, runner_result_fn on_result, void *ctx)
{
	json_t *observation = tell_stuck(run);

	on_result(ctx, observation, NULL);
	json_decref(observation);
}

int runner_run(struct runner *r, const char *id, runner_result_fn on_result, void *ctx)
{
	struct check *c = find(r, id);
	struct run_waiter *waiter, **list;
	bool is_shared;

	if (c == NULL)
		return -ENOENT;
	if (r->is_stopping) {
		on_result(ctx, NULL, NULL);
		return 0;
	}
	if (c->run != NULL && c->run->is_overdue) {
		answer_stuck(c->run, on_result, ctx);
		return 0;
	}
	is_shared = c->run != NULL && c->run->is_watched && !c->run->is_told;
	list = is_shared ? &c->run->waiters : &c->waiters;
	waiter = mem_alloc(sizeof(*waiter));
	*waiter = (struct run_waiter){.on_result = on_result, .ctx = ctx, .next = *list};
	*list = waiter;
	if (c->run == NULL && !c->is_queued)
		run_enqueue(c);
	run_pump(r);
	return 0;
}

const char *runner_suggest(const struct runner *r, const char *id)
{
	HALE_CLEANUP(cleanup_free) const char **ids = mem_array(r->checks_n + 1, sizeof(*ids));

	for (size_t i = 0; i < r->checks_n; i++)
		ids[i] = r->checks[i]->id;
	return suggest_nearest(id, ids);
}

struct check *runner_check(struct runner *r, size_t i)
{
	return i < r->checks_n ? r->checks[i] : NULL;
}

struct runner_stats runner_stats_get(const struct runner *r)
{
	return (struct runner_stats){
		.components = r->checks_n,
		.running = lineup_running(r->lineup),
		.queued = lineup_waiting(r->lineup),
		.host_limited = lineup_aside(r->lineup),
		.stuck = r->overdue,
		.runs = r->runs,
		.retries = r->retried,
		.skipped = schedule_skipped(r->schedule),
		.timeouts = r->timeouts,
		.late_ms_max = schedule_late_max_ms(r->schedule),
		.queued_ms_max = r->queued_max_ms,
		.network = r->guard != NULL ? guard_last(r->guard) : GUARD_UNKNOWN,
	};
}

size_t runner_stuck(const struct runner *r, const char *ids_r[], size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < r->checks_n && n < max; i++) {
		if (r->checks[i]->run != NULL && r->checks[i]->run->is_overdue)
			ids_r[n++] = r->checks[i]->id;
	}
	return n;
}

bool runner_is_alive(const struct runner *r)
{
	int64_t next_ms = schedule_next(r->schedule);

	return r->is_stopping || next_ms == INT64_MAX || now_ms(r) - next_ms < ALIVE_LATE_MS;
}

/* ---- Making and ending ---- */

static const char *id_of(const void *ctx, size_t index)
{
	const struct runner *r = ctx;

	return r->checks[index]->id;
}

struct runner *runner_new(const struct check_ops *ops, const struct runner_host *host)
{
	struct runner *r = mem_alloc(sizeof(*r));

	HALE_ASSERT(host->concurrent_max > 0);
	r->ops = ops;
	r->host = *host;
	r->schedule = schedule_new((int64_t)uv_now(host->loop));
	r->lineup = lineup_new(host->concurrent_max,
			       host->per_host_max > 0 ? host->per_host_max : RUNNER_PER_HOST_MAX);
	r->by_id = (struct roll){.id_of = id_of, .ctx = r};
	r->threads = threads_new(host->loop);
	r->held_end = &r->held;
	if (host->connectivity != NULL)
		r->guard = guard_new(host->loop, host->connectivity, tell_held, r);
	r->host.connectivity = NULL; /* is the caller's */
	r->clock_ms = INT64_MAX;
	uv_timer_init(host->loop, &r->tick);
	uv_timer_init(host->loop, &r->clock);
	uv_timer_init(host->loop, &r->stop);
	r->tick.data = r->clock.data = r->stop.data = r;
	return r;
}

/* What the kind says, or what its options name. */
static bool find_target(const struct runner *r, const void *opts, const json_t *options,
			struct target *t_r)
{
	char name[TARGET_NAME_MAX];

	if (r->ops->host_of == NULL)
		return target_of_options(r->ops->items, options, t_r);
	return r->ops->host_of(opts, name, sizeof(name)) && target_parse(name, t_r);
}

static void place(struct check *c, const json_t *options)
{
	struct runner *r = c->runner;
	char name[TARGET_NAME_MAX];
	struct target t;

	if (!find_target(r, c->opts, options, &t))
		return;
	c->item.host = lineup_host(r->lineup, target_name(&t, name));
	/* Who checks the guard's own targets is to hear the plain truth. */
	c->is_guarded = r->guard != NULL && !target_is_local(&t) && !guard_has(r->guard, name);
}

static void keep(struct runner *r, struct check *c)
{
	if (r->checks_n == r->checks_cap) {
		r->checks_cap = HALE_MAX(r->checks_cap * 2, (size_t)16);
		r->checks = mem_grow(r->checks, r->checks_cap, sizeof(struct check *));
	}
	r->checks[r->checks_n++] = c;
	roll_add(&r->by_id);
}

int runner_add(struct runner *r, const char *id, int64_t interval_ms, int64_t timeout_ms,
	       const json_t *options, struct err *err)
{
	struct check *c;
	void *opts;
	int rc;

	if (find(r, id) != NULL)
		return err_set(err, -EINVAL, "component %s is there twice", id);
	rc = options_decode(r->ops, options, &opts, err);
	if (rc < 0)
		return rc;
	c = mem_alloc(sizeof(*c) + strlen(id) + 1);
	strcpy(c->id, id);
	c->runner = r;
	c->timeout_ms = (uint32_t)HALE_MIN(timeout_ms, (int64_t)UINT32_MAX);
	c->opts = opts;
	c->prep = r->ops->prepare != NULL ? r->ops->prepare(opts) : NULL;
	place(c, options);
	c->index = (uint32_t)schedule_add(r->schedule, id, interval_ms);
	HALE_ASSERT(c->index == r->checks_n);
	keep(r, c);
	return 0;
}

void runner_set_retry(struct runner *r, const char *id, const struct retry_rule *rule)
{
	struct check *c = find(r, id);

	HALE_ASSERT(c != NULL);
	c->retry_rule = *rule;
}

void runner_start(struct runner *r)
{
	runner_tell_status(r, true);
	arm_tick(r);
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
	uv_close((uv_handle_t *)&r->clock, NULL);
	uv_close((uv_handle_t *)&r->stop, NULL);
	tell_drop_held(r);
	guard_close(r->guard);
	close_shared(r);
	threads_close(r->threads);
	r->on_stopped(r->stop_ctx);
}

void runner_idle(struct runner *r)
{
	if (r->is_stopping && lineup_running(r->lineup) == 0 && r->overdue == 0)
		end_stop(r);
}

static void on_stop_over(uv_timer_t *timer)
{
	end_stop(timer->data);
}

static void abandon(struct check *c)
{
	struct run *run = c->run;

	tell_nothing(TAKE_PTR(c->waiters));
	c->is_queued = false;
	if (run == NULL)
		return;
	tell_nothing(TAKE_PTR(run->waiters));
	if (!run->is_overdue)
		run_give_up(run);
}

void runner_stop(struct runner *r, void (*on_stopped)(void *ctx), void *ctx)
{
	HALE_ASSERT(!r->is_stopping);
	r->on_stopped = on_stopped;
	r->stop_ctx = ctx;
	r->is_stopping = true;
	lineup_clear(r->lineup);
	uv_timer_stop(&r->tick);
	uv_timer_stop(&r->clock);
	uv_timer_start(&r->stop, on_stop_over, RUNNER_STOP_MS, 0);
	for (size_t i = 0; i < r->checks_n; i++)
		abandon(r->checks[i]);
	runner_idle(r);
}

static void free_check(struct check *c)
{
	const struct check_ops *ops = c->runner->ops;

	if (ops->unprepare != NULL && c->prep != NULL)
		ops->unprepare(c->prep);
	conf_free(ops->items, c->opts);
	free(c->opts);
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
		if (r->checks[i]->run == NULL)
			free_check(r->checks[i]);
	}
	free_shared(r);
	threads_free(r->threads);
	schedule_free(r->schedule);
	lineup_free(r->lineup);
	guard_free(r->guard);
	timeline_done(&r->deadlines);
	timeline_done(&r->retries);
	roll_done(&r->by_id);
	free(r->checks);
	free(r);
}
