/* SPDX-License-Identifier: Apache-2.0 */
#include "reader.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/units.h"
#include "web.h"

/* How often the deadlines are looked at. */
#define TICK_MS 250

struct job {
	struct job *next;
	struct reader_question q;
	char *text;
	int rc;
	struct err err;
};

/* One connection, and the question it is asked. */
struct seat {
	struct reader *reader;
	struct job *job; /* NULL: free */
	int64_t until_ms;
	bool is_late; /* it was interrupted */
	/* The thread opens and closes it, the loop may interrupt it meanwhile. */
	uv_mutex_t lock;
	struct store *store;
};

struct reader {
	const struct store_options *store;
	struct web_backend backend;
	struct seat seats[READER_CONNECTIONS];
	struct job *first, **last; /* waiting */
	size_t waiting;
	int64_t limit_ms;
	uv_timer_t tick;
};

/* ---- in a thread ---- */

static void set_store(struct seat *seat, struct store *s)
{
	uv_mutex_lock(&seat->lock);
	struct store *old = seat->store;
	seat->store = s;
	uv_mutex_unlock(&seat->lock);
	if (old && old != s)
		store_close(old);
}

/* Who asked for something that cannot be or is not there has done the connection no harm. */
static bool is_askers_fault(int rc)
{
	return rc == -EINVAL || rc == -ENOENT;
}

int reader_open(const struct store_options *o, struct store **s_r, struct err *err)
{
	int rc = store_open(o, STORE_READER, s_r, err);
	return is_askers_fault(rc) ? -ENODATA : rc;
}

static int open_store(struct seat *seat, struct err *err)
{
	struct store *s = NULL;
	int rc = reader_open(seat->reader->store, &s, err);
	if (rc)
		return rc;
	set_store(seat, s);
	return 0;
}

static int attempt(struct seat *seat, struct job *job, struct str *out)
{
	int rc = seat->store ? 0 : open_store(seat, &job->err);
	if (rc)
		return rc;
	rc = job->q.ask(job->q.arg, seat->store, out, &job->err);
	if (rc && !is_askers_fault(rc))
		set_store(seat, NULL);
	return rc;
}

static void run(void *arg)
{
	struct seat *seat = arg;
	struct job *job = seat->job;
	HALE_CLEANUP(str_done) struct str out = {0};
	if (seat->store && store_is_broken(seat->store))
		set_store(seat, NULL);
	bool was_open = seat->store != NULL;
	job->rc = attempt(seat, job, &out);
	/* A database that was restarted breaks its connections, which shows when they are used. */
	if (job->rc == -EIO && was_open) {
		str_clear(&out);
		job->rc = attempt(seat, job, &out);
	}
	if (!job->rc)
		job->text = str_take(&out);
}

/* ---- on the loop ---- */

static void begin(struct seat *seat);

static void end(struct job *job)
{
	job->q.on_done(job->q.arg, job->text, job->rc, &job->err);
	free(job);
}

static void after(void *arg)
{
	struct seat *seat = arg;
	struct job *job = seat->job;
	if (job->rc && seat->is_late) {
		char span[UNITS_TEXT_MAX];
		job->rc = err_set(&job->err, -ETIMEDOUT,
				  "the store did not answer within %s; ask for a shorter time, or "
				  "for one component",
				  duration_format_short(seat->reader->limit_ms, span));
	}
	/* The seat is taken while it is told, so that a question from within only joins the queue.
	 */
	end(job);
	seat->job = NULL;
	begin(seat);
}

static bool is_busy(const struct reader *r)
{
	for (size_t i = 0; i < READER_CONNECTIONS; i++)
		if (r->seats[i].job)
			return true;
	return false;
}

static void on_tick(uv_timer_t *t)
{
	struct reader *r = t->data;
	int64_t now = clock_mono_ms();
	for (size_t i = 0; i < READER_CONNECTIONS; i++) {
		struct seat *seat = &r->seats[i];
		if (!seat->job || now < seat->until_ms)
			continue;
		/* Again with every tick: it may have been between two statements. */
		seat->is_late = true;
		uv_mutex_lock(&seat->lock);
		if (seat->store)
			store_interrupt(seat->store);
		uv_mutex_unlock(&seat->lock);
	}
	if (!is_busy(r))
		uv_timer_stop(t);
}

static void begin(struct seat *seat)
{
	struct reader *r = seat->reader;
	struct job *job = r->first;
	if (!job)
		return;
	r->first = job->next;
	if (!r->first)
		r->last = &r->first;
	r->waiting--;
	seat->job = job;
	seat->is_late = false;
	seat->until_ms = clock_mono_ms() + r->limit_ms;
	if (!uv_is_active((uv_handle_t *)&r->tick))
		uv_timer_start(&r->tick, on_tick, TICK_MS, TICK_MS);
	r->backend.work(r->backend.ctx, run, after, seat);
}

struct reader *reader_new(uv_loop_t *loop, const struct store_options *store,
			  const struct web_backend *backend, int64_t limit_ms)
{
	struct reader *r = mem_alloc(sizeof(*r));
	r->store = store;
	r->backend = *backend;
	r->limit_ms = limit_ms;
	r->last = &r->first;
	for (size_t i = 0; i < READER_CONNECTIONS; i++) {
		r->seats[i].reader = r;
		uv_mutex_init(&r->seats[i].lock);
	}
	uv_timer_init(loop, &r->tick);
	r->tick.data = r;
	return r;
}

void reader_ask(struct reader *r, const struct reader_question *q)
{
	struct job *job = mem_alloc(sizeof(*job));
	job->q = *q;
	if (r->waiting >= READER_QUEUE_MAX) {
		job->rc = err_set(&job->err, -EAGAIN, "too many queries are waiting for the store");
		end(job);
		return;
	}
	*r->last = job;
	r->last = &job->next;
	r->waiting++;
	for (size_t i = 0; i < READER_CONNECTIONS; i++)
		if (!r->seats[i].job) {
			begin(&r->seats[i]);
			return;
		}
}

bool reader_is_idle(const struct reader *r)
{
	return !is_busy(r) && !r->first;
}

void reader_close(struct reader *r)
{
	HALE_ASSERT(reader_is_idle(r));
	uv_close((uv_handle_t *)&r->tick, NULL);
}

void reader_free(struct reader *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < READER_CONNECTIONS; i++) {
		store_close(r->seats[i].store);
		uv_mutex_destroy(&r->seats[i].lock);
	}
	free(r);
}
