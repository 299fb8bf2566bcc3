/* SPDX-License-Identifier: Apache-2.0 */
/* runner - runs the checks of one process: schedule, deadline, concurrency, observations
 *
 * Each component is run at its times (schedule.h), at most RUNNER_CONCURRENT_MAX at once and not
 * too many of one host (lineup.h), the rest queued in order; its deadline counts from its start,
 * not from the queue. At the deadline the runner publishes the timeout, tells the kind to cancel,
 * and forgets what the kind says afterwards. A kind that does not come back (its thread hangs)
 * keeps its component busy but no place among the concurrent ones, so that no other check waits
 * for it; the timeout is published again at each tick, because silence would read as a dead
 * checker.
 *
 * What is not a pass is looked into again at once if its component wants that (retry.h). And no
 * target is blamed for being down before it is known that this host has a network (guard.h): if it
 * has none the result is an error, own_network, and there is another check once it has.
 *
 * Ownership: runner_new/_free; free after the loop has ended.
 * Loop:      everything on the loop thread.
 * See also:  check.h (what a kind is), docs/bus.md "check.<kind>.ipc"
 */
#ifndef HALE_CHECKERS_RUNNER_H
#define HALE_CHECKERS_RUNNER_H

#include "check.h"
#include "guard.h"
#include "retry.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* Each running check is a connection or two: as many as leave room in a limit of 8192 files, and
 * more than a machine can usefully have in flight. */
#define RUNNER_CONCURRENT_MAX 1024

/* Of one host and port so many are begun at once (lineup.h): a small server's backlog, and the
 * thousand checks of a big one are through in a blink. */
#define RUNNER_PER_HOST_MAX 64

/* How long a stop waits for cancelled kinds to come back before it goes on without them. */
#define RUNNER_STOP_MS 1000

/* The status line: numbers and a few words. */
#define RUNNER_STATUS_MAX 128

struct runner;

/* What the runner needs of its surroundings; a test gives its own. */
struct runner_host {
	uv_loop_t *loop;
	const char *node;
	size_t concurrent_max;
	size_t per_host_max;                   /* 0: RUNNER_PER_HOST_MAX */
	const struct guard_rule *connectivity; /* NULL: this host's network is not doubted */
	void (*publish)(void *ctx, json_t *observation /* taken */);
	void (*status)(void *ctx, const char *text);
	void *ctx;
	struct service *service; /* for kinds; NULL in tests */
};

struct runner_stats {
	size_t components;
	size_t running;
	size_t queued;
	size_t host_limited; /* those of them that wait for their host */
	size_t stuck;        /* past their deadline and not come back */
	uint64_t runs;
	uint64_t retries; /* off the grid, of retry_interval */
	uint64_t skipped; /* ticks that found the component still busy */
	uint64_t timeouts;
	int64_t late_ms_max;       /* the longest a tick was late … */
	int64_t queued_ms_max;     /* … and a check that was due waited for a place */
	enum guard_answer network; /* UNKNOWN: nobody asked */
};

struct runner *runner_new(const struct check_ops *ops, const struct runner_host *host);
/* Before runner_start. options is borrowed for the call. -EINVAL: the options do not fit, or the id
 * is there already. */
int runner_add(struct runner *r, const char *id, int64_t interval_ms, int64_t timeout_ms,
	       const json_t *options, struct err *err);
/* After runner_add of that id. */
void runner_set_retry(struct runner *r, const char *id, const struct retry_rule *rule);
void runner_start(struct runner *r);

/* observation is borrowed; NULL when the runner stops before there is one. saw (borrowed, or NULL)
 * is what the kind showed to who looks on: {name: value}. */
typedef void (*runner_result_fn)(void *ctx, const json_t *observation, const json_t *saw);
/* Runs a component now, beside its schedule, unpublished. One that is under way and looked at
 * (check_is_watched) already is shared; if nobody looked when it began, another follows it.
 * -ENOENT: there is no such component, on_result is then not called. */
int runner_run(struct runner *r, const char *id, runner_result_fn on_result, void *ctx);
/* The id nearest to a misspelt one, or NULL. Borrowed. */
const char *runner_suggest(const struct runner *r, const char *id);

/* The i-th component, in the order of runner_add(); NULL beyond the last. */
struct check *runner_check(struct runner *r, size_t i);

struct runner_stats runner_stats_get(const struct runner *r);
/* The ids (borrowed) of up to max components that are stuck; returns how many. */
size_t runner_stuck(const struct runner *r, const char *ids_r[], size_t max);
/* The schedule is being kept. */
bool runner_is_alive(const struct runner *r);

/* Cancels what runs, closes all handles, then on_stopped. Nothing is published afterwards. */
void runner_stop(struct runner *r, void (*on_stopped)(void *ctx), void *ctx);
void runner_free(struct runner *r);

#endif
