/* SPDX-License-Identifier: Apache-2.0 */
#include "body.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

struct body {
	struct bodies *all;
	struct body *prev, *next;
	struct body_ops ops;
	void *ctx;
	struct request *rq; /* NULL once it was completed */
	struct reply *reply;
	bool is_answered;
	uv_thread_t thread;
	bool is_joined;
	int64_t until_ms; /* mono */

	/* Both threads. */
	uv_mutex_t lock;
	uv_cond_t drained;
	struct str text;
	size_t taken;   /* of text */
	bool is_wanted; /* somebody may read it */
	bool has_ended;
	int rc;
	struct err err;
};

struct bodies {
	uv_async_t async;
	struct body *first;
	size_t running;
};

/* ---- in the thread ---- */

static void run(void *arg)
{
	struct body *b = arg;
	struct err err = {0};
	int rc = b->ops.produce(b->ctx, b, &err);
	uv_mutex_lock(&b->lock);
	b->rc = rc;
	b->err = err;
	b->has_ended = true;
	/* Under the lock: once it is open, the loop may join us and close the handle. */
	uv_async_send(&b->all->async);
	uv_mutex_unlock(&b->lock);
}

static size_t waiting(const struct body *b)
{
	return b->text.len - b->taken;
}

bool body_write(struct body *b, const char *data, size_t len)
{
	uv_mutex_lock(&b->lock);
	while (b->is_wanted && waiting(b) >= BODY_BUFFER_MAX)
		uv_cond_wait(&b->drained, &b->lock);
	bool is_wanted = b->is_wanted && clock_mono_ms() < b->until_ms;
	if (is_wanted) {
		str_drop_front(&b->text, b->taken);
		b->taken = 0;
		str_addn(&b->text, data, len);
		uv_async_send(&b->all->async);
	}
	uv_mutex_unlock(&b->lock);
	return is_wanted;
}

/* ---- on the loop ---- */

static void free_if_over(struct body *b)
{
	if (b->rq || !b->is_joined)
		return;
	if (b->prev)
		b->prev->next = b->next;
	else
		b->all->first = b->next;
	if (b->next)
		b->next->prev = b->prev;
	b->ops.done(b->ctx);
	uv_mutex_destroy(&b->lock);
	uv_cond_destroy(&b->drained);
	str_done(&b->text);
	reply_unref(b->reply);
	free(b);
}

static ssize_t on_read(void *ctx, char *buf, size_t max)
{
	struct body *b = ctx;
	uv_mutex_lock(&b->lock);
	size_t n = HALE_MIN(max, waiting(b));
	if (n) {
		memcpy(buf, b->text.data + b->taken, n);
		b->taken += n;
		uv_cond_signal(&b->drained);
	}
	ssize_t got = n ? (ssize_t)n : !b->has_ended ? 0 : b->rc ? REPLY_BROKEN : REPLY_END;
	uv_mutex_unlock(&b->lock);
	return got;
}

static void end_thread(struct body *b)
{
	uv_mutex_lock(&b->lock);
	b->is_wanted = false;
	bool is_running = !b->has_ended;
	uv_cond_signal(&b->drained);
	uv_mutex_unlock(&b->lock);
	/* It may just be ending: then this interrupts nothing. */
	if (is_running)
		b->ops.interrupt(b->ctx);
}

static void on_gone(void *ctx)
{
	struct body *b = ctx;
	b->rq = NULL;
	end_thread(b);
	free_if_over(b);
}

static void answer(struct body *b, bool has_text, int rc, const struct err *err)
{
	b->is_answered = true;
	if (has_text || !rc) {
		request_answer(b->rq, 200, TAKE_PTR(b->reply));
		return;
	}
	b->ops.refuse(b->rq, rc, err);
	b->rq = NULL;
}

static void advance(struct body *b)
{
	uv_mutex_lock(&b->lock);
	bool has_text = waiting(b) > 0, has_ended = b->has_ended;
	int rc = b->rc;
	struct err err = b->err;
	uv_mutex_unlock(&b->lock);
	if (has_ended && !b->is_joined) {
		uv_thread_join(&b->thread);
		b->is_joined = true;
		b->all->running--;
	}
	if (!b->is_answered && (has_text || has_ended))
		answer(b, has_text, rc, &err);
	else if (b->rq && (has_text || has_ended))
		request_more(b->rq);
	free_if_over(b);
}

static void on_async(uv_async_t *async)
{
	struct bodies *all = async->data;
	struct body *next;
	for (struct body *b = all->first; b; b = next) {
		next = b->next;
		advance(b);
	}
}

struct bodies *bodies_new(uv_loop_t *loop)
{
	struct bodies *all = mem_alloc(sizeof(*all));
	int rc = uv_async_init(loop, &all->async, on_async);
	HALE_ASSERT(rc == 0);
	all->async.data = all;
	return all;
}

bool body_start(struct bodies *all, struct request *rq, const char *content_type,
		const char *disposition, const struct body_ops *ops, void *ctx)
{
	if (all->running >= BODIES_MAX)
		return false;
	struct body *b = mem_alloc(sizeof(*b));
	*b = (struct body){.all = all,
			   .next = all->first,
			   .ops = *ops,
			   .ctx = ctx,
			   .rq = rq,
			   .until_ms = clock_mono_ms() + BODY_MS_MAX,
			   .is_wanted = true};
	const struct reply_source source = {on_read, on_gone, b};
	b->reply = reply_stream(content_type, &source);
	if (disposition)
		reply_header(b->reply, "Content-Disposition", disposition);
	uv_mutex_init(&b->lock);
	uv_cond_init(&b->drained);
	if (b->next)
		b->next->prev = b;
	all->first = b;
	all->running++;
	request_defer(rq);
	int rc = uv_thread_create(&b->thread, run, b);
	HALE_ASSERT(rc == 0); /* as out of memory */
	return true;
}

size_t bodies_running(const struct bodies *all)
{
	return all->running;
}

void bodies_stop(struct bodies *all)
{
	for (struct body *b = all->first; b; b = b->next)
		end_thread(b);
}

void bodies_close(struct bodies *all)
{
	HALE_ASSERT(all->running == 0);
	uv_close((uv_handle_t *)&all->async, NULL);
}

void bodies_free(struct bodies *all)
{
	HALE_ASSERT(!all || !all->first);
	free(all);
}
