/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <nng/nng.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void on_tick(uv_timer_t *timer)
{
	struct harness *h = timer->data;

	if (uv_hrtime() > h->deadline_ns)
		fail_msg("deadline: what the test waits for has not come true");
}

void harness_open(struct harness *h)
{
	memset(h, 0, sizeof(*h));
	(void)signal(SIGPIPE, SIG_IGN); /* as every program of ours does */
	assert_int_equal(uv_loop_init(&h->loop), 0);
	assert_int_equal(uv_timer_init(&h->loop, &h->tick), 0);
	h->tick.data = h;
	strcpy(h->dir, "/tmp/hale-bus-XXXXXX");
	assert_non_null(mkdtemp(h->dir));
	(void)snprintf(h->path, sizeof(h->path), "%s/x.ipc", h->dir);
}

void harness_closed(void *ctx)
{
	struct harness *h = ctx;

	h->closing--;
}

void harness_until(struct harness *h, bool (*is_so)(void *ctx), void *ctx)
{
	h->deadline_ns = uv_hrtime() + (uint64_t)HARNESS_DEADLINE_MS * 1000000;
	assert_int_equal(uv_timer_start(&h->tick, on_tick, HARNESS_TICK_MS, HARNESS_TICK_MS), 0);
	while (!is_so(ctx))
		(void)uv_run(&h->loop, UV_RUN_ONCE);
	(void)uv_timer_stop(&h->tick);
}

static bool is_all_closed(void *ctx)
{
	struct harness *h = ctx;

	return h->closing == 0;
}

void harness_until_closed(struct harness *h)
{
	harness_until(h, is_all_closed, h);
}

void harness_close(struct harness *h)
{
	char command[128];

	harness_until_closed(h);
	uv_close((uv_handle_t *)&h->tick, NULL);
	(void)uv_run(&h->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&h->loop), 0);
	/* Sockets that were closed in order are gone; only files the test made itself are left. */
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", h->dir);
	assert_int_equal(system(command), 0);
}

int harness_finish(void **state)
{
	(void)state;
	nng_fini();
	return 0;
}

void harness_turn(struct harness *h)
{
	(void)uv_run(&h->loop, UV_RUN_NOWAIT);
}
