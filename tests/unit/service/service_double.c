/* SPDX-License-Identifier: Apache-2.0 */
#include "service_double.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/frame.h"
#include "service/child_proto.h"

/* Much longer than a stop lasts that does not wait for it. */
#define WORK_MS 200

struct doubled {
	struct service *service;
	const char *mode; /* of the slice, which outlives us */
	uv_timer_t later;
};

static json_t *describe(void)
{
	return json_pack("{s:i, s:s}", "manifest", 1, "service", "double");
}

static void check(const json_t *slice, service_problem_fn problem, void *ctx)
{
	if (json_object_get(slice, "mode") == NULL)
		problem(ctx, "/mode", "is \"missing\"");
}

static void on_later(uv_timer_t *timer)
{
	struct doubled *d = timer->data;

	service_fail(d->service, 7, "the disk is gone");
}

static int start(struct service *s, const json_t *slice, void **state_r, struct err *err)
{
	json_int_t lines = json_integer_value(json_object_get(slice, "publish"));
	struct doubled *d = mem_alloc(sizeof(*d));

	*state_r = d;
	d->service = s;
	d->mode = json_string_value(json_object_get(slice, "mode"));
	uv_timer_init(service_loop(s), &d->later);
	d->later.data = d;
	if (str_eq(d->mode, "wrong"))
		return err_set(err, -EINVAL, "mode: wrong");
	if (str_eq(d->mode, "broken"))
		return err_set(err, -ENOSPC, "no space");
	if (str_eq(d->mode, "fail_later"))
		uv_timer_start(&d->later, on_later, 0, 0);
	for (json_int_t i = 1; i <= lines; i++)
		service_publish(s, TOPIC_OBSERVATION, json_pack("{s:I}", "line", i));
	service_status(s, "%s of %s", service_name(s), service_node(s));
	service_ready(s);
	service_ready(s); /* is told once */
	return 0;
}

static void stop(void *state)
{
	struct doubled *d = state;

	uv_close((uv_handle_t *)&d->later, NULL);
	service_stopped(d->service);
}

static void done(void *state)
{
	free(state);
}

static bool is_alive(void *state)
{
	const struct doubled *d = state;

	return !str_eq(d->mode, "silent");
}

static void call_echo(void *ctx, struct command_request *rq, const json_t *params)
{
	const struct doubled *d = ctx;

	command_reply(rq, json_pack("{s:s, s:O}", "mode", d->mode, "params", params));
}

struct task {
	struct doubled *d;
	struct command_request *rq;
	pid_t thread;
};

static void in_pool(void *ctx)
{
	struct task *t = ctx;

	usleep(WORK_MS * 1000);
	t->thread = gettid();
}

static void after_pool(void *ctx)
{
	struct task *t = ctx;

	command_reply(t->rq, json_pack("{s:b}", "elsewhere", t->thread != getpid()));
	service_publish(t->d->service, TOPIC_OBSERVATION, json_pack("{s:s}", "work", "done"));
	free(t);
}

static void call_work(void *ctx, struct command_request *rq, const json_t *params)
{
	struct doubled *d = ctx;
	struct task *t = mem_alloc(sizeof(*t));

	(void)params;
	*t = (struct task){.d = d, .rq = rq};
	service_publish(d->service, TOPIC_OBSERVATION, json_pack("{s:s}", "work", "begun"));
	service_work(d->service, in_pool, after_pool, t);
}

static const struct command_method methods[] = {
	{"echo", call_echo, "params"},
	{"work", call_work, "from the pool"},
	{0},
};

const struct service_ops double_ops = {
	.program = "hale-double",
	.summary = "does what its slice says",
	.describe = describe,
	.check = check,
	.start = start,
	.stop = stop,
	.done = done,
	.methods = methods,
	.is_alive = is_alive,
};
