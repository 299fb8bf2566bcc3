/* SPDX-License-Identifier: Apache-2.0 */
/* harness - a loop, a directory of its own, and waiting for facts instead of for time
 */
#ifndef HALE_TEST_BUS_HARNESS_H
#define HALE_TEST_BUS_HARNESS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <uv.h>

/* Generous, because sanitizers and a busy machine are slow; a passing test never waits for it. */
#define HARNESS_DEADLINE_MS 30000
/* A fact is looked at after each loop turn, and there is a turn at least so often. */
#define HARNESS_TICK_MS     10

struct harness {
	uv_loop_t loop;
	uv_timer_t tick;
	uint64_t deadline_ns;
	char dir[64];
	char path[96]; /* a socket in dir */
	unsigned closing;
};

void harness_open(struct harness *h);
/* Everything else must have been closed with on_closed = harness_closed, counted in h->closing. */
void harness_close(struct harness *h);
void harness_closed(void *ctx);
/* Turns the loop until the fact holds; fails the test at the deadline. */
void harness_until(struct harness *h, bool (*is_so)(void *ctx), void *ctx);
void harness_until_closed(struct harness *h);
/* Whatever is there to be done, done; waits for nothing. */
void harness_turn(struct harness *h);
/* Group teardown: waits until nng's own threads have freed what was closed, or the leak checker
 * sees them at it. */
int harness_finish(void **state);

#endif
