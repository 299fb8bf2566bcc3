/* SPDX-License-Identifier: Apache-2.0 */
/* runner_world - a runner on a real loop, with a kind that does what its options say
 *
 * The kind's options: how (at_once, later after `delay`, never, fails until it is mended, twice,
 * and in a thread: thread, deaf until released), delay, address. Include cmocka.h first.
 */
#ifndef HALE_TESTS_CHECKERS_RUNNER_WORLD_H
#define HALE_TESTS_CHECKERS_RUNNER_WORLD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "runner.h"

/* Nothing here takes this long; a loop that waits for more is broken. */
#define GIVE_UP_MS 10000

struct runner_kind {
	size_t started;
	size_t cancelled;
	size_t now; /* running at the moment */
	size_t peak;
	bool is_mended;   /* what fails does not any more */
	uv_sem_t release; /* of deaf threads */
};
extern struct runner_kind kind;

struct world {
	uv_loop_t loop;
	uv_timer_t give_up;
	struct runner *runner;
	json_t *published; /* list of observations */
	char status[128];
	bool is_stopped;
};

/* What `given` leaves open is filled in. */
void world_init_with(struct world *w, const struct runner_host *given);
void world_init(struct world *w, size_t concurrent_max);
void world_init_limited(struct world *w, size_t concurrent_max, size_t per_host_max);
void on_give_up(uv_timer_t *timer);
void add(struct world *w, const char *id, int64_t interval, int64_t timeout, const char *options);
void turn(struct world *w);
/* Stops and frees all; world_stop leaves what a hung thread uses. */
void world_done(struct world *w);
void world_stop(struct world *w);

/* ---- What was published ---- */

size_t count_of(const struct world *w, const char *id);
void until_published(struct world *w, const char *id, size_t n);
const json_t *nth_of(const struct world *w, const char *id, size_t n);
const char *text_of(const json_t *o, const char *name);

/* ---- What was answered ---- */

struct answers {
	size_t n;
	size_t without;
	size_t seen;
	char message[128];
};

void take_answer(void *ctx, const json_t *observation, const json_t *saw);

#endif
