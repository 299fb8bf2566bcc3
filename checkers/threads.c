/* SPDX-License-Identifier: Apache-2.0 */
#include "threads.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"

struct threads {
	uv_async_t wake;
	struct job *waiting;
	struct job **waiting_end;

	uv_mutex_t lock; /* of what follows */
	size_t out;      /* threads running */
	struct job *finished;
	bool is_closed; /* wake is gone: do not touch it */
	bool is_freed;  /* by its owner: the last thread does it */
};

static void destroy(struct threads *t)
{
	uv_mutex_destroy(&t->lock);
	free(t);
}

/* Everybody has gone. Nobody will join this thread, nor look at the job. */
static void end_alone(struct threads *t, struct job *job)
{
	bool is_last = --t->out == 0 && t->is_freed;

	uv_mutex_unlock(&t->lock);
	(void)pthread_detach(pthread_self());
	if (job->orphaned != NULL)
		job->orphaned(job);
	if (is_last)
		destroy(t);
}

static void thread_main(void *arg)
{
	struct job *job = arg;
	struct threads *t = job->threads;

	job->work(job->data);
	uv_mutex_lock(&t->lock);
	if (t->is_closed) {
		end_alone(t, job);
		return;
	}
	job->next = t->finished;
	t->finished = job;
	uv_async_send(&t->wake);
	uv_mutex_unlock(&t->lock);
}

static size_t count(struct threads *t, int change)
{
	size_t out;

	uv_mutex_lock(&t->lock);
	t->out += (size_t)change;
	out = t->out;
	uv_mutex_unlock(&t->lock);
	return out;
}

static void start_waiting(struct threads *t)
{
	const uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE,
					     .stack_size = THREADS_STACK_BYTES};

	while (t->waiting != NULL && count(t, 0) < THREADS_MAX) {
		struct job *job = t->waiting;
		struct job *next = job->next; /* from its start on, the thread may write it */

		/* No thread to be had now: the next that ends tries again. The check's deadline
		 * watches over the waiting. */
		if (uv_thread_create_ex(&job->thread, &options, thread_main, job) != 0)
			return;
		(void)count(t, 1);
		t->waiting = next;
		if (t->waiting == NULL)
			t->waiting_end = &t->waiting;
	}
}

static void collect(struct threads *t)
{
	struct job *finished;

	uv_mutex_lock(&t->lock);
	finished = TAKE_PTR(t->finished);
	uv_mutex_unlock(&t->lock);
	while (finished != NULL) {
		struct job *job = finished;

		finished = job->next;
		uv_thread_join(&job->thread);
		(void)count(t, -1);
		job->is_out = false;
		if (!t->is_closed)
			job->after(job);
	}
}

static void on_wake(uv_async_t *async)
{
	struct threads *t = async->data;

	collect(t);
	start_waiting(t);
}

struct threads *threads_new(uv_loop_t *loop)
{
	struct threads *t = mem_alloc(sizeof(*t));

	t->waiting_end = &t->waiting;
	uv_mutex_init(&t->lock);
	uv_async_init(loop, &t->wake, on_wake);
	t->wake.data = t;
	return t;
}

void threads_run(struct threads *t, struct job *job)
{
	HALE_ASSERT(!job->is_out);
	job->is_out = true;
	job->threads = t;
	job->next = NULL;
	*t->waiting_end = job;
	t->waiting_end = &job->next;
	start_waiting(t);
}

void threads_close(struct threads *t)
{
	uv_mutex_lock(&t->lock);
	t->is_closed = true;
	uv_mutex_unlock(&t->lock);
	collect(t);
	while (t->waiting != NULL) {
		t->waiting->is_out = false;
		t->waiting = t->waiting->next;
	}
	uv_close((uv_handle_t *)&t->wake, NULL);
}

void threads_free(struct threads *t)
{
	bool is_last;

	if (t == NULL)
		return;
	uv_mutex_lock(&t->lock);
	t->is_freed = true;
	is_last = t->out == 0;
	uv_mutex_unlock(&t->lock);
	if (is_last)
		destroy(t);
}
