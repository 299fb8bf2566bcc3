/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <math.h>

#include "base/mem.h"
#include "base/str.h"
#include "run.h"

const char *check_id(const struct check *c)
{
	return c->id;
}

const void *check_opts(const struct check *c)
{
	return c->opts;
}

void *check_prep(const struct check *c)
{
	return c->prep;
}

/* The run as the kind sees it: from start() to check_done(), and nothing of it afterwards. */
static struct run *run_of(const struct check *c)
{
	HALE_ASSERT(c->run != NULL);
	return c->run;
}

void *check_run_data(struct check *c)
{
	return run_of(c)->data;
}

uv_loop_t *check_loop(const struct check *c)
{
	return c->runner->host.loop;
}

int64_t check_timeout_ms(const struct check *c)
{
	return c->timeout_ms;
}

struct service *check_service(const struct check *c)
{
	return c->runner->host.service;
}

struct threads *check_threads(const struct check *c)
{
	return c->runner->threads;
}

void *check_shared_open(const struct check *c, void *(*make)(const struct check *c),
			void (*close)(void *thing), void (*free_it)(void *thing))
{
	struct runner *r = c->runner;
	struct shared *shared = r->shared;

	while (shared != NULL && shared->make != make)
		shared = shared->next;
	if (shared == NULL) {
		shared = mem_alloc(sizeof(*shared));
		*shared = (struct shared){.make = make,
					  .close = close,
					  .free_it = free_it,
					  .thing = make(c),
					  .next = r->shared};
		r->shared = shared;
	}
	return shared->thing;
}

void *check_shared(const struct check *c, void *(*make)(const struct check *c),
		   void (*free_it)(void *thing))
{
	return check_shared_open(c, make, NULL, free_it);
}

void check_stage(struct check *c, enum reason timeout_reason)
{
	run_of(c)->stage = timeout_reason;
}

void check_metric(struct check *c, const char *name, double value)
{
	struct run *run = run_of(c);

	if (!isfinite(value))
		return; /* JSON has no word for it */
	if (run->metrics == NULL)
		run->metrics = json_object();
	json_object_set_new(run->metrics, name, json_real(value));
}

void check_detail(struct check *c, const char *name, json_t *value)
{
	struct run *run = run_of(c);

	if (run->details == NULL)
		run->details = json_object();
	if (value == NULL)
		json_object_del(run->details, name);
	else
		json_object_set_new(run->details, name, value);
}

bool check_is_watched(const struct check *c)
{
	return run_of(c)->is_watched;
}

void check_saw(struct check *c, const char *name, json_t *value)
{
	struct run *run = run_of(c);
	json_t *before, *list;

	if (!run->is_watched) {
		json_decref(value);
		return;
	}
	if (run->saw == NULL)
		run->saw = json_object();
	before = json_object_get(run->saw, name);
	if (before == NULL) {
		json_object_set_new(run->saw, name, value);
	} else if (json_is_array(before)) {
		json_array_append_new(before, value);
	} else {
		list = json_pack("[O, o]", before, value);
		json_object_set_new(run->saw, name, list);
	}
}

static void done(struct check *c, enum outcome outcome, enum reason reason, const char *fmt,
		 va_list args) HALE_PRINTF(4, 0);
static void done(struct check *c, enum outcome outcome, enum reason reason, const char *fmt,
		 va_list args)
{
	HALE_CLEANUP(str_done) struct str text = {0};

	if (fmt != NULL)
		str_vaddf(&text, fmt, args);
	else
		str_add(&text, reason_text(reason));
	run_finish(c, outcome, reason, str_text(&text));
}

void check_done(struct check *c, enum reason reason, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	done(c, reason_outcome(reason), reason, fmt, args);
	va_end(args);
}

void check_done_as(struct check *c, enum outcome outcome, enum reason reason, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	done(c, outcome, reason, fmt, args);
	va_end(args);
}

static void after_job(struct job *job)
{
	struct run *run = container_of(job, struct run, job);

	run->after(run->check);
}

void check_work(struct check *c, void (*work)(void *run_data), void (*after)(struct check *c))
{
	struct run *run = run_of(c);

	run->after = after;
	run->job = (struct job){.work = work, .after = after_job, .data = run->data};
	threads_run(c->runner->threads, &run->job);
}
