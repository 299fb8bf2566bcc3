/* SPDX-License-Identifier: Apache-2.0 */
/* The table of a process's life against a naive model of it, written as a story per event instead
 * of a table per state, over millions of random steps in virtual time.
 *
 * Usage: test_model_child_model [SEED]. The seed is printed; a run can be repeated with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/rnd.h"
#include "model/child_state.h"

#define RUNS  12000
#define STEPS 250

static uint32_t seed;

/* xorshift32 (Marsaglia, "Xorshift RNGs", 2003): the run can be repeated. */
static uint32_t next_random(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

static int64_t draw(uint32_t *x, int64_t least, int64_t most)
{
	return least + (int64_t)(next_random(x) % (uint32_t)(most - least + 1));
}

/* ---- the naive model ---- */

enum future { TO_STAY_DOWN, TO_START, TO_FAIL, TO_WAIT };

struct naive {
	bool is_alive, is_ready, is_going;
	enum future future;      /* what follows when it is gone */
	enum process_state idle; /* what it is while it is not alive */
	bool is_finished, is_looping;
	int64_t history[STEPS + 1]; /* each failure since the last good run */
	uint32_t history_n, delays_n, row, total;
	int64_t deadline, watchdog;
	/* Of the last step: */
	enum child_action action;
	bool loop_began, loop_ended, has_finished;
	double delay_min, delay_max; /* deadline is to be within; both -1: it is exact */
};

static enum process_state state_of(const struct naive *n)
{
	if (!n->is_alive)
		return n->idle;
	if (n->is_going)
		return PROCESS_STOPPING;
	return n->is_ready ? PROCESS_READY : PROCESS_STARTING;
}

static void rest(struct naive *n, enum process_state idle)
{
	n->is_alive = n->is_ready = n->is_going = n->is_finished = false;
	n->idle = idle;
	n->deadline = n->watchdog = INT64_MAX;
}

static void launch(struct naive *n, const struct process_policy *p, int64_t now)
{
	rest(n, PROCESS_STOPPED);
	n->is_alive = true;
	n->action = CHILD_DO_SPAWN;
	n->deadline = now + (p->ready_after_ms >= 0 ? p->ready_after_ms : p->start_timeout_ms);
}

static void forget(struct naive *n)
{
	n->loop_ended = n->is_looping;
	n->is_looping = false;
	n->history_n = n->delays_n = n->row = 0;
}

static void bring_down(struct naive *n, const struct process_policy *p, int64_t now,
		       enum future future, bool is_hung)
{
	n->future = future;
	if (n->is_going) /* already asked: only what comes afterwards is another */
		return;
	n->is_going = true;
	n->action = is_hung ? CHILD_DO_ABORT : CHILD_DO_TERM;
	n->deadline = now + (is_hung ? CHILD_ABORT_GRACE_MS : p->stop_timeout_ms);
	n->watchdog = INT64_MAX;
}

/* Delay before try number k (from 1): base, base * factor, … and no more than the cap. */
static double nominal(const struct backoff_policy *b, uint32_t k)
{
	double delay = b->base_ms;

	if (b->is_first_at_once && k == 1)
		return 0;
	for (uint32_t i = b->is_first_at_once ? 2 : 1; i < k; i++) {
		delay *= b->factor;
		if (delay > b->cap_ms)
			return b->cap_ms;
	}
	return delay;
}

static void failed(struct naive *n, const struct process_policy *p, int64_t now)
{
	double delay, jitter = p->backoff.jitter_percent / 100.0;
	uint32_t recent = 0;

	n->history[n->history_n++] = now;
	n->row++;
	n->total++;
	for (uint32_t i = 0; i < n->history_n; i++)
		recent += n->history[i] > now - p->window_ms;
	if (recent > p->burst && !n->is_looping)
		n->loop_began = n->is_looping = true;
	if (p->when == RESTART_NEVER || (p->give_up_after != 0 && n->row >= p->give_up_after)) {
		rest(n, PROCESS_HELD);
		return;
	}
	delay = nominal(&p->backoff, ++n->delays_n);
	n->delay_min = delay * (1 - jitter);
	n->delay_max = delay * (1 + jitter);
	if (p->fixed_delay_ms > 0) {
		n->delay_min = n->delay_max = (double)p->fixed_delay_ms;
	} else if (n->is_looping) {
		n->delay_min = HALE_MAX(n->delay_min, (double)p->backoff.cap_ms);
		n->delay_max = HALE_MAX(n->delay_max, (double)p->backoff.cap_ms);
	}
	rest(n, PROCESS_BACKOFF);
}

static void ended(struct naive *n, const struct process_policy *p, enum child_event how,
		  int64_t now)
{
	bool is_wrong = how == CHILD_EV_EXIT_CONFIG && p->is_held_on_78;

	if (!n->is_alive)
		return;
	if (n->is_going && n->future == TO_STAY_DOWN) {
		rest(n, PROCESS_STOPPED);
	} else if (n->is_going && n->future == TO_WAIT) {
		rest(n, PROCESS_WAITING);
	} else if (n->is_going && n->future == TO_START) {
		launch(n, p, now);
	} else if (is_wrong) {
		rest(n, PROCESS_HELD);
	} else if (how == CHILD_EV_EXIT_OK && !n->is_going && p->when != RESTART_ALWAYS) {
		forget(n);
		rest(n, PROCESS_STOPPED);
		n->is_finished = n->has_finished = true;
	} else {
		failed(n, p, now);
	}
}

static void was_told_ready(struct naive *n, const struct process_policy *p, int64_t now)
{
	if (!n->is_alive || n->is_going || n->is_ready)
		return;
	n->is_ready = true;
	n->deadline = now + p->stable_after_ms;
	n->watchdog = p->watchdog_ms > 0 ? now + p->watchdog_ms : INT64_MAX;
}

static void ran_out_of_time(struct naive *n, const struct process_policy *p, int64_t now)
{
	if (n->is_going) {
		n->action = CHILD_DO_KILL;
		n->deadline = now + p->stop_timeout_ms;
	} else if (n->is_alive && !n->is_ready) {
		bring_down(n, p, now, TO_FAIL, true);
	}
}

static void ticked(struct naive *n, const struct process_policy *p, int64_t now)
{
	if (state_of(n) == PROCESS_BACKOFF) {
		launch(n, p, now);
	} else if (state_of(n) == PROCESS_READY) {
		forget(n);
		n->deadline = INT64_MAX;
	}
}

static void was_asked(struct naive *n, const struct process_policy *p, enum child_event what,
		      int64_t now)
{
	if (what == CHILD_EV_STOP && n->is_alive)
		bring_down(n, p, now, TO_STAY_DOWN, false);
	else if (what == CHILD_EV_STOP)
		rest(n, PROCESS_STOPPED);
	else if (what == CHILD_EV_WAIT && n->is_alive)
		bring_down(n, p, now, TO_WAIT, false);
	else if (what == CHILD_EV_WAIT)
		rest(n, PROCESS_WAITING);
	else if (n->is_going)
		n->future = TO_START;
	else if (what == CHILD_EV_START && !n->is_alive)
		launch(n, p, now);
	else if (what == CHILD_EV_RESTART && n->is_alive)
		bring_down(n, p, now, TO_START, false);
	else if (what == CHILD_EV_RESTART && n->idle != PROCESS_WAITING &&
		 (n->idle != PROCESS_STOPPED || n->is_finished))
		launch(n, p, now);
}

static void naive_step(struct naive *n, const struct process_policy *p, enum child_event ev,
		       int64_t now)
{
	n->action = CHILD_DO_NOTHING;
	n->loop_began = n->loop_ended = n->has_finished = false;
	n->delay_min = n->delay_max = -1;
	if (ev == CHILD_EV_EXIT_OK || ev == CHILD_EV_EXIT_FAIL || ev == CHILD_EV_EXIT_CONFIG)
		ended(n, p, ev, now);
	else if (ev == CHILD_EV_READY)
		was_told_ready(n, p, now);
	else if (ev == CHILD_EV_TIMEOUT)
		ran_out_of_time(n, p, now);
	else if (ev == CHILD_EV_WATCHDOG && n->is_alive && !n->is_going)
		bring_down(n, p, now, TO_FAIL, true);
	else if (ev == CHILD_EV_TICK)
		ticked(n, p, now);
	else if (ev != CHILD_EV_WATCHDOG)
		was_asked(n, p, ev, now);
}

/* ---- the two side by side ---- */

struct pair {
	struct process_policy policy;
	struct child_machine m;
	struct naive n;
	int64_t now;
	int64_t grain_ms; /* coarse in some runs, so that times meet exactly */
	int run, step;
	enum process_state before;
	enum child_event ev;
};

static uint64_t visits[PROCESS_STATE_MAX][CHILD_EV_MAX];
/* Ways out of a cell that are more than one: seen at least once each. */
static uint64_t seen_finish, seen_loop_begin, seen_loop_end, seen_give_up, seen_never_held,
	seen_at_once, seen_fixed, seen_at_cap, seen_kill_after_abort, seen_lived_to_be_ready;

#define AGREE(pair, what)                                                                          \
	do {                                                                                       \
		if (!(what))                                                                       \
			disagree(pair, #what);                                                     \
	} while (0)

static void disagree(const struct pair *p, const char *what)
{
	(void)fprintf(stderr, "seed %u, run %d, step %d at %lld: %s in %s, then %s: not so: %s\n",
		      seed, p->run, p->step, (long long)p->now, child_event_name(p->ev),
		      process_state_name(p->before), process_state_name(p->m.state), what);
	fail();
}

static struct process_policy any_policy(uint32_t *x)
{
	struct process_policy p = {
		.backoff = {.base_ms = (uint32_t)draw(x, 1, 1000),
			    .factor = 1 + (double)draw(x, 0, 30) / 10,
			    .jitter_percent = (uint32_t)draw(x, 0, 100),
			    .is_first_at_once = next_random(x) % 4 != 0},
		.fixed_delay_ms = next_random(x) % 4 == 0 ? draw(x, 1, 20000) : 0,
		.stable_after_ms = draw(x, 1, 90000),
		.burst = (uint32_t)draw(x, 1, PROCESS_BURST_MAX - 1),
		.window_ms = draw(x, 1000, 200000),
		.give_up_after = next_random(x) % 3 == 0 ? (uint32_t)draw(x, 1, 8) : 0,
		.start_timeout_ms = draw(x, 10, 30000),
		.stop_timeout_ms = draw(x, 10, 10000),
		.watchdog_ms = next_random(x) % 2 == 0 ? draw(x, 100, 30000) : 0,
		.when = (enum process_restart)(next_random(x) % 3),
		.is_held_on_78 = next_random(x) % 2 == 0,
		.ready_after_ms = next_random(x) % 2 == 0 ? -1 : draw(x, 0, 3) * 700,
	};

	p.backoff.cap_ms = p.backoff.base_ms + (uint32_t)draw(x, 0, 30000);
	if (next_random(x) % 2 == 0) /* a crash loop should be common */
		p.burst = (uint32_t)draw(x, 1, 3);
	return p;
}

static void agree_on_delay(struct pair *p)
{
	double delay = (double)(p->m.deadline_ms - p->now);

	if (p->n.delay_min < 0)
		return;
	/* Fractions of a millisecond are cut off, and what is less than one is no delay. */
	if (p->m.state == PROCESS_STARTING) {
		AGREE(p, p->n.delay_min < 1);
		launch(&p->n, &p->policy, p->now);
		AGREE(p, p->m.deadline_ms == p->n.deadline);
		seen_at_once++;
		return;
	}
	AGREE(p, p->m.state == PROCESS_BACKOFF && delay >= 1);
	AGREE(p, delay >= p->n.delay_min - 1 && delay <= p->n.delay_max);
	seen_fixed += p->policy.fixed_delay_ms > 0;
	seen_at_cap += p->policy.fixed_delay_ms == 0 && p->n.is_looping;
	p->n.deadline = p->m.deadline_ms;
}

static void agree(struct pair *p, const struct child_decision *d)
{
	const struct child_machine *m = &p->m;
	const struct naive *n = &p->n;

	agree_on_delay(p);
	AGREE(p, m->state == state_of(n));
	AGREE(p, d->action == n->action);
	AGREE(p, m->deadline_ms == n->deadline);
	AGREE(p, m->watchdog_due_ms == n->watchdog);
	AGREE(p, child_due(m) >= p->now);
	AGREE(p, m->is_crash_looping == n->is_looping);
	AGREE(p, d->crash_loop_began == n->loop_began && d->crash_loop_ended == n->loop_ended);
	AGREE(p, m->is_finished == n->is_finished && d->has_finished == n->has_finished);
	AGREE(p, m->failures_in_row == n->row && m->failures_total == n->total);
	AGREE(p, d->has_changed == (m->state != p->before || d->action == CHILD_DO_SPAWN));
	/* Nothing that goes on may go on for ever. */
	if (m->state == PROCESS_STARTING || m->state == PROCESS_STOPPING ||
	    m->state == PROCESS_BACKOFF)
		AGREE(p, child_due(m) < INT64_MAX);
}

static void count(const struct pair *p, const struct child_decision *d, bool was_abort)
{
	visits[p->before][p->ev]++;
	seen_finish += d->has_finished;
	seen_loop_begin += d->crash_loop_began;
	seen_loop_end += d->crash_loop_ended;
	if (p->m.state == PROCESS_HELD && p->before != PROCESS_HELD &&
	    p->ev != CHILD_EV_EXIT_CONFIG) {
		seen_never_held += p->policy.when == RESTART_NEVER;
		seen_give_up += p->policy.when != RESTART_NEVER;
		AGREE(p, p->policy.when == RESTART_NEVER ||
				 p->m.failures_in_row >= p->policy.give_up_after);
	}
	seen_kill_after_abort += was_abort && d->action == CHILD_DO_KILL;
}

/* As the shell does it: time goes on to the next event or the next deadline, whichever is first;
 * a timer may ring late. */
static enum child_event next_event(struct pair *p, uint32_t *x)
{
	int64_t due = child_due(&p->m);
	int64_t pause = next_random(x) % 4 == 0 ? draw(x, 0, 40000) : draw(x, 0, 300);

	pause = pause / p->grain_ms * p->grain_ms;
	if (due <= p->now + pause || (due < INT64_MAX && next_random(x) % 8 == 0)) {
		enum child_event ev;

		AGREE(p, child_expired(&p->m, due - 1) == CHILD_EV_MAX);
		p->now = HALE_MAX(p->now, due) + (next_random(x) % 2 == 0 ? 0 : draw(x, 0, 50));
		ev = child_expired(&p->m, p->now);
		AGREE(p, ev != CHILD_EV_MAX);
		seen_lived_to_be_ready += ev == CHILD_EV_READY;
		return ev;
	}
	p->now += pause;
	/* Programs end more often than they are told to. */
	if (p->n.is_alive && next_random(x) % 3 == 0)
		return next_random(x) % 4 == 0 ? CHILD_EV_EXIT_OK : CHILD_EV_EXIT_FAIL;
	return (enum child_event)(next_random(x) % CHILD_EV_MAX);
}

static void feed(struct pair *p, uint32_t *x)
{
	if (next_random(x) % 4 != 0)
		return;
	child_watchdog_fed(&p->m, &p->policy, p->now);
	if (p->n.watchdog != INT64_MAX)
		p->n.watchdog = p->now + p->policy.watchdog_ms;
}

static void one_run(struct pair *p, uint32_t *x)
{
	bool was_abort = false;

	p->policy = any_policy(x);
	p->grain_ms = next_random(x) % 4 == 0 ? 100 : 1;
	p->policy.window_ms = p->policy.window_ms / p->grain_ms * p->grain_ms;
	p->n = (struct naive){0};
	rest(&p->n, PROCESS_STOPPED);
	child_machine_init(&p->m);
	p->now = draw(x, 0, 1000000);
	for (p->step = 0; p->step < STEPS; p->step++) {
		struct child_decision d;

		feed(p, x);
		p->before = p->m.state;
		p->ev = next_event(p, x);
		d = child_step(&p->m, &p->policy, p->ev, p->now, next_random(x));
		naive_step(&p->n, &p->policy, p->ev, p->now);
		agree(p, &d);
		count(p, &d, was_abort);
		if (d.action != CHILD_DO_NOTHING || p->m.state != PROCESS_STOPPING)
			was_abort = d.action == CHILD_DO_ABORT;
	}
}

static void the_table_and_a_naive_model_agree(void **state)
{
	uint32_t x = seed;
	struct pair p = {0};

	(void)state;
	for (p.run = 0; p.run < RUNS; p.run++)
		one_run(&p, &x);
}

static void every_cell_was_visited_and_every_way_taken(void **state)
{
	(void)state;
	for (size_t s = 0; s < PROCESS_STATE_MAX; s++) {
		for (size_t e = 0; e < CHILD_EV_MAX; e++) {
			if (visits[s][e] == 0)
				print_error("never: %s in %s\n",
					    child_event_name((enum child_event)e),
					    process_state_name((enum process_state)s));
			assert_true(visits[s][e] > 0);
		}
	}
	assert_true(seen_finish > 0 && seen_loop_begin > 0 && seen_loop_end > 0);
	assert_true(seen_give_up > 0 && seen_never_held > 0);
	assert_true(seen_at_once > 0 && seen_fixed > 0 && seen_at_cap > 0);
	assert_true(seen_kill_after_abort > 0 && seen_lived_to_be_ready > 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_and_a_naive_model_agree),
		cmocka_unit_test(every_cell_was_visited_and_every_way_taken),
	};

	seed = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : rnd_u32();
	seed = seed == 0 ? 1 : seed; /* xorshift stays at nought */
	(void)printf("seed %u, %d steps\n", seed, RUNS * STEPS);
	(void)fflush(stdout);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
