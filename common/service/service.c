/* SPDX-License-Identifier: Apache-2.0 */
#include "service/service.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/child_proto.h"
#include "service/service_private.h"

/* Three beats to a promised interval: two may be late before the third is missed. */
#define WATCHDOG_BEATS 3

/* ---- What it is ---- */

uv_loop_t *service_loop(struct service *s)
{
	return &s->loop;
}

const char *service_name(const struct service *s)
{
	return s->name;
}

const char *service_node(const struct service *s)
{
	return s->node;
}

const char *service_run_dir(const struct service *s)
{
	return s->run_dir;
}

const char *service_state_dir(const struct service *s)
{
	return s->state_dir;
}

uint64_t service_generation(const struct service *s)
{
	return s->generation;
}

/* ---- Telling the supervisor ---- */

void service_ready(struct service *s)
{
	if (s->is_ready)
		return;
	s->is_ready = true;
	(void)notify_send(&s->notify, "READY=1");
	log_debug("ready", KV_I("after_ms", clock_mono_ms() - s->started_ms));
}

void service_status(struct service *s, const char *fmt, ...)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	va_list args;

	va_start(args, fmt);
	str_vaddf(&text, fmt, args);
	va_end(args);
	(void)notify_status(&s->notify, str_text(&text));
}

static void on_watchdog(uv_timer_t *timer)
{
	struct service *s = timer->data;

	if (s->ops->is_alive == NULL || s->ops->is_alive(s->state))
		(void)notify_send(&s->notify, "WATCHDOG=1");
	service_confine_look(s);
	mem_give_back(&s->gave_back_ms, clock_mono_ms());
}

/* ---- Work off the loop ---- */

struct work {
	uv_work_t request;
	struct service *service;
	void (*work)(void *ctx);
	void (*after)(void *ctx);
	void *ctx;
};

static void work_run(uv_work_t *request)
{
	struct work *w = request->data;

	w->work(w->ctx);
}

static void work_after(uv_work_t *request, int status)
{
	struct work *w = request->data;
	struct service *s = w->service;

	(void)status; /* work is never cancelled */
	w->after(w->ctx);
	free(w);
	s->works--;
	service_advance(s);
}

void service_work(struct service *s, void (*work)(void *ctx), void (*after)(void *ctx), void *ctx)
{
	struct work *w = mem_alloc(sizeof(*w));
	int rc;

	*w = (struct work){.service = s, .work = work, .after = after, .ctx = ctx};
	w->request.data = w;
	rc = uv_queue_work(&s->loop, &w->request, work_run, work_after);
	HALE_ASSERT(rc == 0); /* it fails only without a function to run */
	s->works++;
}

/* ---- Stopping ---- */

/* What is left to do is taking apart, and takes milliseconds; but nng 1.5.2 deadlocks in about one
 * of some hundred closes (its reaper waits for a task that nobody runs any more). */
#define CLOSE_MAX_S 1

static void on_close_overdue(int signum)
{
	(void)signum;
	_exit(CHILD_EXIT_DONE);
}

void service_close_limit(bool is_on)
{
	(void)signal(SIGALRM, is_on ? on_close_overdue : SIG_IGN);
	(void)alarm(is_on ? CLOSE_MAX_S : 0);
}

static void close_all(struct service *s)
{
	s->phase = SERVICE_CLOSING;
	service_close_limit(true);
	service_bus_close(s);
	uv_close((uv_handle_t *)&s->on_term, NULL);
	uv_close((uv_handle_t *)&s->on_int, NULL);
	uv_close((uv_handle_t *)&s->watchdog, NULL);
	uv_close((uv_handle_t *)&s->flush, NULL);
}

void service_exit_now(int exit_code)
{
	fflush(NULL);
	_exit(exit_code);
}

static void on_flush_over(uv_timer_t *timer)
{
	struct service *s = timer->data;

	if (s->pub != NULL && pub_unacked(s->pub) > 0)
		log_info("stopping with lines not acknowledged",
			 KV_I("lines", pub_unacked(s->pub)));
	service_advance(s);
}

static void begin_flush(struct service *s)
{
	s->phase = SERVICE_FLUSHING;
	pub_flush(s->pub);
	/* By hand nobody may be there to acknowledge; with nothing to flush there is no waiting. */
	uv_timer_start(&s->flush, on_flush_over,
		       s->is_supervised && pub_unacked(s->pub) > 0 ? SERVICE_STOP_FLUSH_MS : 0, 0);
}

void service_advance(struct service *s)
{
	if (s->phase != SERVICE_FLUSHING)
		return;
	if (uv_is_active((uv_handle_t *)&s->flush) && pub_unacked(s->pub) > 0)
		return;
	if (s->has_failed)
		service_exit_now(s->exit_code);
	if (s->works == 0)
		close_all(s);
}

void service_stopped(struct service *s)
{
	if (s->phase == SERVICE_STOPPING)
		begin_flush(s);
}

void service_fail(struct service *s, int exit_code, const char *fmt, ...)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	va_list args;

	va_start(args, fmt);
	str_vaddf(&text, fmt, args);
	va_end(args);
	log_fatal(str_text(&text));
	if (s->has_failed || s->phase >= SERVICE_FLUSHING)
		return;
	s->has_failed = true;
	s->exit_code = exit_code;
	(void)notify_send(&s->notify, "STOPPING=1");
	begin_flush(s);
}

static void on_stop_signal(uv_signal_t *handle, int signum)
{
	struct service *s = handle->data;

	log_debug("asked to stop", KV_I("signal", signum));
	if (s->phase != SERVICE_RUNNING) {
		/* Whoever asks twice by hand does not want to wait. */
		if (!s->is_supervised)
			service_exit_now(CHILD_EXIT_TEMPFAIL);
		return;
	}
	s->phase = SERVICE_STOPPING;
	(void)notify_send(&s->notify, "STOPPING=1");
	s->ops->stop(s->state);
}

/* ---- Handles ---- */

void service_handles_init(struct service *s)
{
	int rc = uv_loop_init(&s->loop);

	HALE_ASSERT(rc == 0);
	uv_signal_init(&s->loop, &s->on_term);
	uv_signal_init(&s->loop, &s->on_int);
	uv_timer_init(&s->loop, &s->watchdog);
	uv_timer_init(&s->loop, &s->flush);
	s->on_term.data = s->on_int.data = s->watchdog.data = s->flush.data = s;
	uv_signal_start(&s->on_term, on_stop_signal, SIGTERM);
	uv_signal_start(&s->on_int, on_stop_signal, SIGINT);
}

void service_watchdog_start(struct service *s)
{
	uint64_t beat_ms = s->notify.watchdog_us / 1000 / WATCHDOG_BEATS;

	if (s->notify.watchdog_us > 0)
		uv_timer_start(&s->watchdog, on_watchdog, HALE_MAX(beat_ms, 1u), beat_ms);
}
