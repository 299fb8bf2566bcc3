/* SPDX-License-Identifier: Apache-2.0 */
#include "reader.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "web.h"

struct job {
	struct job *next;
	struct read_query q; /* strings owned */
	reader_done_fn on_done;
	void *ctx;
	json_t *out;
	int rc;
	struct err err;
};

struct reader {
	const struct store_options *store;
	struct web_backend backend;
	struct store *history; /* used by the one job in hand */
	struct job *first, **last;
	size_t n;
};

struct reader *reader_new(const struct store_options *store, const struct web_backend *backend)
{
	struct reader *r = mem_alloc(sizeof(*r));
	r->store = store;
	r->backend = *backend;
	r->last = &r->first;
	return r;
}

static void run(void *arg)
{
	struct reader *r = arg;
	struct job *job = r->first;
	if (!r->history)
		job->rc = store_open(r->store, STORE_READER, &r->history, &job->err);
	if (!job->rc)
		job->rc = read_rows(r->history, &job->q, &job->out, &job->err);
	/* Whatever is wrong with the connection, the next query begins with a new one. */
	if (job->rc && job->rc != -EINVAL && r->history)
		store_close(TAKE_PTR(r->history));
}

static void after(void *arg)
{
	struct reader *r = arg;
	struct job *job = r->first;
	r->first = job->next;
	if (!r->first)
		r->last = &r->first;
	/* Still counted while it is told, so that a query made from within only joins the queue. */
	job->on_done(job->ctx, job->out, job->rc, &job->err);
	r->n--;
	json_decref(job->out);
	free((char *)(uintptr_t)job->q.name);
	free((char *)(uintptr_t)job->q.cursor);
	free(job);
	if (r->first)
		r->backend.work(r->backend.ctx, run, after, r);
}

void reader_query(struct reader *r, const struct read_query *q, reader_done_fn on_done, void *ctx)
{
	if (r->n >= READER_QUEUE_MAX) {
		struct err err;
		int rc = err_set(&err, -EAGAIN, "too many queries are waiting for the store");
		on_done(ctx, NULL, rc, &err);
		return;
	}
	struct job *job = mem_alloc(sizeof(*job));
	job->q = *q;
	job->q.name = mem_dup(q->name);
	job->q.cursor = mem_dup(q->cursor);
	job->on_done = on_done;
	job->ctx = ctx;
	*r->last = job;
	r->last = &job->next;
	if (r->n++ == 0)
		r->backend.work(r->backend.ctx, run, after, r);
}

bool reader_is_idle(const struct reader *r)
{
	return r->n == 0;
}

void reader_free(struct reader *r)
{
	if (!r)
		return;
	HALE_ASSERT(r->n == 0);
	if (r->history)
		store_close(r->history);
	free(r);
}
