/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "runner_world.h"

#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

/* ---- The kind ---- */

struct fake_opts {
	char *how;
	int64_t delay;
	char *address;
};

static const struct conf_item fake_items[] = {
	CONF_ENUM(struct fake_opts, how, .def = "at_once",
		  .choices = "at_once|later|never|thread|deaf|fails|twice"),
	CONF_DURATION(struct fake_opts, delay, .def = "0"),
	CONF_STR(struct fake_opts, address, .flags = CONF_F_CONNECT),
	CONF_END,
};

struct fake_run {
	uv_timer_t timer;
	int zero; /* proves that run data are zeroed */
	enum reason says;
};

struct runner_kind kind;

static void fake_end(struct check *c, enum reason reason)
{
	kind.now--;
	check_metric(c, "answer", 42);
	check_metric(c, "nonsense", NAN);
	check_detail(c, "who", json_string(check_id(c)));
	check_saw(c, "seen", json_string("this"));
	check_done(c, reason, "said %s", check_id(c));
}

static void on_closed(uv_handle_t *handle)
{
	struct check *c = handle->data;
	struct fake_run *run = check_run_data(c);

	fake_end(c, run->says);
}

static void on_delay(uv_timer_t *timer)
{
	uv_close((uv_handle_t *)timer, on_closed);
}

static void wait_for_release(void *run_data)
{
	(void)run_data;
	uv_sem_wait(&kind.release);
}

static void in_thread(void *run_data)
{
	struct fake_run *run = run_data;

	run->says = REASON_HTTP_STATUS;
}

static void after_thread(struct check *c)
{
	struct fake_run *run = check_run_data(c);

	fake_end(c, run->says);
}

static void fake_start(struct check *c)
{
	const struct fake_opts *o = check_opts(c);
	struct fake_run *run = check_run_data(c);

	assert_int_equal(run->zero, 0);
	run->zero = 1;
	run->says = REASON_OK;
	kind.started++;
	kind.now++;
	kind.peak = HALE_MAX(kind.peak, kind.now);
	if (str_eq(o->how, "at_once")) {
		fake_end(c, REASON_OK);
	} else if (str_eq(o->how, "fails")) {
		fake_end(c, kind.is_mended ? REASON_OK : REASON_HTTP_STATUS);
	} else if (str_eq(o->how, "twice")) {
		fake_end(c, REASON_OK);
		fake_end(c, REASON_OK);
	} else if (str_eq(o->how, "thread")) {
		check_work(c, in_thread, after_thread);
	} else if (str_eq(o->how, "deaf")) {
		check_stage(c, REASON_TIMEOUT_DNS);
		check_work(c, wait_for_release, after_thread);
	} else {
		check_stage(c, REASON_TIMEOUT_CONNECT);
		uv_timer_init(check_loop(c), &run->timer);
		run->timer.data = c;
		if (str_eq(o->how, "later"))
			uv_timer_start(&run->timer, on_delay, (uint64_t)o->delay, 0);
	}
}

static void fake_cancel(struct check *c)
{
	const struct fake_opts *o = check_opts(c);
	struct fake_run *run = check_run_data(c);

	kind.cancelled++;
	/* Says something, in a later turn, that nobody must hear. On a busy machine it may have
	 * been about to say it anyway. */
	if (!str_eq(o->how, "deaf") && !str_eq(o->how, "thread") &&
	    !uv_is_closing((uv_handle_t *)&run->timer))
		uv_close((uv_handle_t *)&run->timer, on_closed);
}

static const struct check_ops ops = {
	.kind = "fake",
	.items = fake_items,
	.opts_size = sizeof(struct fake_opts),
	.run_size = sizeof(struct fake_run),
	.start = fake_start,
	.cancel = fake_cancel,
};

/* runner_service.c, in the same archive, asks for one. */
const struct check_ops check_ops = {.kind = "fake", .items = fake_items};

/* ---- The surroundings ---- */

static void publish(void *ctx, json_t *observation)
{
	struct world *w = ctx;

	assert_false(w->is_stopped);
	json_array_append_new(w->published, observation);
}

static void tell_status(void *ctx, const char *text)
{
	struct world *w = ctx;

	snprintf(w->status, sizeof(w->status), "%s", text);
}

void on_give_up(uv_timer_t *timer)
{
	(void)timer;
	fail_msg("waited too long");
}

void world_init_with(struct world *w, const struct runner_host *given)
{
	struct runner_host host = *given;

	memset(w, 0, sizeof(*w));
	memset(&kind, 0, sizeof(kind));
	uv_sem_init(&kind.release, 0);
	uv_loop_init(&w->loop);
	uv_timer_init(&w->loop, &w->give_up);
	uv_timer_start(&w->give_up, on_give_up, GIVE_UP_MS, 0);
	w->published = json_array();
	host.loop = &w->loop;
	host.node = "n1";
	host.status = tell_status;
	host.ctx = w;
	if (host.publish == NULL)
		host.publish = publish;
	w->runner = runner_new(&ops, &host);
}

void world_init(struct world *w, size_t concurrent_max)
{
	world_init_with(w, &(struct runner_host){.concurrent_max = concurrent_max});
}

void world_init_limited(struct world *w, size_t concurrent_max, size_t per_host_max)
{
	world_init_with(w, &(struct runner_host){.concurrent_max = concurrent_max,
						 .per_host_max = per_host_max});
}

void add(struct world *w, const char *id, int64_t interval, int64_t timeout, const char *options)
{
	json_t *json = json_loads(options, 0, NULL);
	struct err err = {0};

	if (runner_add(w->runner, id, interval, timeout, json, &err) < 0)
		fail_msg("%s", err.text);
	json_decref(json);
}

void turn(struct world *w)
{
	uv_run(&w->loop, UV_RUN_ONCE);
}

size_t count_of(const struct world *w, const char *id)
{
	size_t n = 0;
	size_t i;
	json_t *o;

	json_array_foreach (w->published, i, o)
		n += str_eq(json_string_value(json_object_get(o, "component")), id);
	return n;
}

void until_published(struct world *w, const char *id, size_t n)
{
	while (count_of(w, id) < n)
		turn(w);
}

const json_t *nth_of(const struct world *w, const char *id, size_t n)
{
	size_t i;
	json_t *o;

	json_array_foreach (w->published, i, o) {
		if (str_eq(json_string_value(json_object_get(o, "component")), id) && n-- == 0)
			return o;
	}
	fail_msg("no such observation");
	return NULL;
}

const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text != NULL ? text : "";
}

static void on_stopped(void *ctx)
{
	struct world *w = ctx;

	w->is_stopped = true;
}

void world_stop(struct world *w)
{
	runner_stop(w->runner, on_stopped, w);
	while (!w->is_stopped)
		turn(w);
	uv_close((uv_handle_t *)&w->give_up, NULL);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	runner_free(w->runner);
	json_decref(w->published);
}

void world_done(struct world *w)
{
	world_stop(w);
	uv_sem_destroy(&kind.release);
}

void take_answer(void *ctx, const json_t *observation, const json_t *saw)
{
	struct answers *a = ctx;

	a->n++;
	a->seen += str_eq(text_of(saw, "seen"), "this");
	if (observation == NULL)
		a->without++;
	else
		snprintf(a->message, sizeof(a->message), "%s", text_of(observation, "message"));
}
