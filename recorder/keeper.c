/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rnd.h"

/* A bucket is closed 15 s after its end (store/keep.h): nobody waits for its rollup for longer than
 * half a minute. */
#define TICK_MS                15000
/* The first purge waits until the start of everything is over. */
#define PURGE_FIRST_MS         60000
#define PURGE_EVERY_DEFAULT_MS 3600000
#define TIDY_EVERY_MS          3600000
#define FACTS_EVERY_MS         60000
#define BUSY_PATIENCE_MS       60000
/* The next piece of an import may follow. */
#define AFTER_ERRAND_MS        1000

static const struct backoff_policy retry_policy = {
	.base_ms = 1000, .factor = 2, .cap_ms = 300000, .jitter_percent = 20};

#define STOPPING "the recorder is stopping"

enum step { STEP_ROLL_UP, STEP_PURGE, STEP_TIDY, STEP_FACTS, STEP_MAX };
/* What a job is, besides a step. */
enum { JOB_NONE = STEP_MAX, JOB_PREPARE, JOB_ERRAND, JOB_CLOSE };

struct errand {
	keeper_work_fn work;
	keeper_done_fn on_done;
	void *ctx;
	struct errand *next;
};

struct keeper {
	struct service *service;
	const struct store_options *options;
	uv_timer_t timer;
	bool is_started, is_held, is_stopping;
	bool is_doubtful;         /* something failed: look at the store first */
	int64_t wait_until_ms;    /* monotonic; of the steps, after one failed */
	int64_t due_ms[STEP_MAX]; /* monotonic */
	int last_step;
	struct backoff backoff;

	keeper_done_fn on_prepared;
	void *prepare_ctx;
	struct errand *errands;
	keeper_purged_fn on_purged;
	void *purge_ctx;
	uint64_t purged_since; /* rows_purged when it was asked for */
	void (*on_stopped)(void *ctx);
	void *stop_ctx;

	/* While a job runs, its thread alone uses these. */
	int job;
	struct store *job_store;
	int rc;
	struct err err;
	bool has_more;
	bool has_opened; /* the store, anew */
	int64_t now_ms;
	struct keep_purged purged;
	struct keep_facts facts_now;

	struct store *store; /* NULL: not open. What a job has made of it is known after it */
	char where[512];
	char error[sizeof(((struct err *)0)->text)];
	int64_t busy_since_ms; /* monotonic; 0: it is not */
	uint64_t rows_purged;
	uint64_t not_rolled_up; /* steps, in this round of purging */
	bool has_facts;
	struct keep_facts facts;
};

static void advance(struct keeper *k);
static void on_timer(uv_timer_t *timer);

/* --- in a worker thread --- */

static int look(struct keeper *k)
{
	/* A file that was deleted or broke is opened anew, and made anew if need be. */
	if (k->job_store != NULL && store_is_broken(k->job_store))
		store_close(TAKE_PTR(k->job_store));
	if (k->job_store != NULL)
		return 0;
	k->has_opened = true;
	return store_open(k->options, STORE_KEEPER, &k->job_store, &k->err);
}

static int work_step(struct keeper *k)
{
	struct store *s = k->job_store;

	switch ((enum step)k->job) {
	case STEP_ROLL_UP:
		return keep_roll_up(s, k->now_ms, &k->has_more, &k->err);
	case STEP_PURGE:
		return keep_purge(s, k->options, k->now_ms, &k->purged, &k->has_more, &k->err);
	case STEP_TIDY:
		return keep_tidy(s, k->now_ms, &k->err);
	case STEP_FACTS:
		return keep_facts(s, &k->facts_now, &k->err);
	case STEP_MAX:
		break;
	}
	return 0;
}

static void work(void *ctx)
{
	struct keeper *k = ctx;

	if (k->job == JOB_CLOSE) {
		store_close(TAKE_PTR(k->job_store));
		return;
	}
	k->rc = k->job == JOB_PREPARE  ? look(k)
		: k->job == JOB_ERRAND ? k->errands->work(k->job_store, k->errands->ctx, &k->err)
				       : work_step(k);
}

/* --- how it ended --- */

static void answer_purge(struct keeper *k, const char *error)
{
	keeper_purged_fn on_purged = TAKE_PTR(k->on_purged);

	if (on_purged != NULL)
		on_purged(k->purge_ctx, k->rows_purged - k->purged_since, error);
}

static void end_errand(struct keeper *k, int rc, const char *error)
{
	struct errand *e = k->errands;

	k->errands = e->next;
	e->on_done(e->ctx, rc, error);
	free(e);
}

static void end_errands(struct keeper *k, int rc, const char *error)
{
	while (k->errands != NULL)
		end_errand(k, rc, error);
}

static void wait_longer(struct keeper *k)
{
	k->wait_until_ms = clock_mono_ms() + backoff_next(&k->backoff, &retry_policy, rnd_u32());
}

/* A damaged file was set aside: somebody should know, and may want what can be read of it. */
static void tell_notice(struct keeper *k)
{
	const char *notice = store_notice(k->job_store);

	k->has_opened = false;
	if (notice == NULL)
		return;
	k->due_ms[STEP_FACTS] = clock_mono_ms();
	log_error("store was damaged", KV_S("what", notice));
	service_publish(k->service, TOPIC_EVENT,
			json_pack("{s:s, s:s, s:s, s:s, s:{}}", "kind", "store_damaged", "severity",
				  "critical", "subject", "recorder", "message", notice, "details"));
}

static void prepared(struct keeper *k)
{
	keeper_done_fn on_prepared = TAKE_PTR(k->on_prepared);

	if (k->rc == 0 && k->has_opened)
		tell_notice(k);

	k->is_doubtful = k->rc < 0;
	if (k->rc < 0) {
		answer_purge(k, k->err.text);
		end_errands(k, k->rc, k->err.text);
		wait_longer(k);
	}
	if (on_prepared != NULL)
		on_prepared(k->prepare_ctx, k->rc, k->rc < 0 ? k->err.text : NULL);
}

/* A writer that is in a burst keeps the file to itself for a while, and should: nothing here is
 * urgent. It is trouble if it never ends. */
static bool is_patient(struct keeper *k)
{
	int64_t now = clock_mono_ms();

	if (k->rc != -EBUSY || k->error[0] != '\0')
		return false;
	if (k->busy_since_ms == 0)
		k->busy_since_ms = now;
	return now - k->busy_since_ms < BUSY_PATIENCE_MS;
}

static void step_failed(struct keeper *k, enum step step)
{
	wait_longer(k);
	if (step == STEP_PURGE)
		answer_purge(k, k->err.text);
	/* A step that is interrupted because all ends is no trouble. */
	if (k->is_stopping || is_patient(k))
		return;
	/* Once per trouble, not once per try. */
	if (k->error[0] == '\0')
		log_warn("store could not be kept in order, it is tried again",
			 KV_S("error", k->err.text));
	(void)snprintf(k->error, sizeof(k->error), "%s", k->err.text);
	k->is_doubtful = true;
}

static int64_t purge_every(const struct keeper *k)
{
	return k->options->purge_every_ms > 0 ? k->options->purge_every_ms : PURGE_EVERY_DEFAULT_MS;
}

/* Once a round: a month of results goes in thousands of steps. */
static void tell_not_rolled_up(struct keeper *k)
{
	if (k->not_rolled_up > 0)
		log_warn("rows were deleted before they were rolled up, because that has failed "
			 "for a day",
			 KV_I("steps", k->not_rolled_up),
			 KV_S("advice", "see upkeep in hale store; what is left is rolled up when "
					"that works again"));
	k->not_rolled_up = 0;
}

static void step_done(struct keeper *k, enum step step)
{
	const struct keep_purged *p = &k->purged;
	int64_t now = clock_mono_ms();

	backoff_ok(&k->backoff);
	k->error[0] = '\0';
	k->busy_since_ms = 0;
	k->rows_purged += p->results + p->rollups + p->transitions + p->alerts + p->events;
	k->not_rolled_up += p->not_rolled_up;
	if (step == STEP_FACTS) {
		k->has_facts = true;
		k->facts = k->facts_now;
	}
	if (k->has_more)
		return; /* it stays due */
	if (step == STEP_PURGE)
		tell_not_rolled_up(k);
	k->due_ms[step] = now + (step == STEP_ROLL_UP ? TICK_MS
				 : step == STEP_PURGE ? purge_every(k)
				 : step == STEP_TIDY  ? TIDY_EVERY_MS
						      : FACTS_EVERY_MS);
	if (step == STEP_PURGE) {
		k->due_ms[STEP_TIDY] = k->due_ms[STEP_FACTS] = now;
		answer_purge(k, NULL);
	}
}

static void errand_done(struct keeper *k)
{
	k->is_doubtful = k->is_doubtful || k->rc < 0;
	/* An import or a rebuild leaves buckets to be computed: nobody waits a tick for those, but
	 * they wait for the next piece, which would have them computed again. */
	if (k->is_started) {
		k->due_ms[STEP_ROLL_UP] = clock_mono_ms() + AFTER_ERRAND_MS / 2;
		(void)uv_timer_start(&k->timer, on_timer, AFTER_ERRAND_MS,
				     uv_timer_get_repeat(&k->timer));
	}
	end_errand(k, k->rc, k->rc < 0 ? k->err.text : NULL);
}

static void closed(struct keeper *k)
{
	uv_close((uv_handle_t *)&k->timer, NULL);
	k->on_stopped(k->stop_ctx);
}

static void after(void *ctx)
{
	struct keeper *k = ctx;
	int job = k->job;

	k->job = JOB_NONE;
	k->store = k->job_store;
	if (k->store != NULL)
		(void)snprintf(k->where, sizeof(k->where), "%s", store_where(k->store));
	if (job == JOB_CLOSE) {
		closed(k);
		return;
	}
	if (job == JOB_PREPARE)
		prepared(k);
	else if (job == JOB_ERRAND)
		errand_done(k);
	else if (k->rc < 0)
		step_failed(k, (enum step)job);
	else
		step_done(k, (enum step)job);
	advance(k);
}

/* --- what is to be done next --- */

static void start(struct keeper *k, int job)
{
	k->job = job;
	k->job_store = k->store;
	/* It may be closed, and is not to be interrupted then. */
	if (job == JOB_PREPARE || job == JOB_CLOSE)
		k->store = NULL;
	k->now_ms = clock_wall_ms();
	k->has_more = false;
	k->purged = (struct keep_purged){0};
	k->err.text[0] = '\0';
	service_work(k->service, work, after, k);
}

/* In turn, so that a long purge keeps no rollup waiting; STEP_MAX: none is due. */
static enum step next_step(struct keeper *k)
{
	int64_t now = clock_mono_ms();

	for (int i = 1; i <= STEP_MAX; i++) {
		int step = (k->last_step + i) % STEP_MAX;

		if (k->due_ms[step] <= now || (step == STEP_PURGE && k->on_purged != NULL)) {
			k->last_step = step;
			return (enum step)step;
		}
	}
	return STEP_MAX;
}

static bool may_step(const struct keeper *k)
{
	if (!k->is_started || k->is_held)
		return false;
	return clock_mono_ms() >= k->wait_until_ms || k->on_purged != NULL;
}

static void advance(struct keeper *k)
{
	enum step step;

	if (k->job != JOB_NONE)
		return;
	if (k->is_stopping) {
		start(k, JOB_CLOSE);
	} else if (k->on_prepared != NULL) {
		start(k, JOB_PREPARE);
	} else if (k->errands != NULL) {
		start(k, k->store == NULL || k->is_doubtful ? JOB_PREPARE : JOB_ERRAND);
	} else if (may_step(k)) {
		step = next_step(k);
		if (step != STEP_MAX)
			start(k, k->is_doubtful ? JOB_PREPARE : (int)step);
	}
}

static void on_timer(uv_timer_t *timer)
{
	advance(timer->data);
}

/* --- from outside --- */

struct keeper *keeper_new(struct service *s, const struct store_options *o)
{
	struct keeper *k = mem_alloc(sizeof(*k));

	k->service = s;
	k->options = o;
	k->job = JOB_NONE;
	(void)uv_timer_init(service_loop(s), &k->timer);
	k->timer.data = k;
	return k;
}

void keeper_prepare(struct keeper *k, keeper_done_fn on_done, void *ctx)
{
	HALE_ASSERT(k->on_prepared == NULL && !k->is_stopping);
	k->on_prepared = on_done;
	k->prepare_ctx = ctx;
	advance(k);
}

void keeper_start(struct keeper *k)
{
	int64_t now = clock_mono_ms();

	if (k->is_started)
		return;
	k->is_started = true;
	k->due_ms[STEP_ROLL_UP] = k->due_ms[STEP_FACTS] = now;
	k->due_ms[STEP_PURGE] = now + HALE_MIN(purge_every(k), PURGE_FIRST_MS);
	k->due_ms[STEP_TIDY] = now;
	/* Its beat is that of what is due most often; a purge may be asked for more often. */
	(void)uv_timer_start(&k->timer, on_timer, TICK_MS,
			     (uint64_t)HALE_MIN(purge_every(k), TICK_MS));
	advance(k);
}

void keeper_hold(struct keeper *k, const char *trouble)
{
	bool was_held = k->is_held;

	k->is_held = trouble != NULL;
	if (k->is_held) {
		(void)snprintf(k->error, sizeof(k->error), "%s", trouble);
		answer_purge(k, trouble);
	} else if (was_held) {
		/* The writer knows that the store is back: neither its word from then nor the
		 * delays of tries that failed for the same reason hold any longer. */
		k->error[0] = '\0';
		k->wait_until_ms = 0;
		backoff_ok(&k->backoff);
	}
	advance(k);
}

bool keeper_purge(struct keeper *k, keeper_purged_fn on_purged, void *ctx)
{
	if (k->on_purged != NULL)
		return false;
	k->on_purged = on_purged;
	k->purge_ctx = ctx;
	k->purged_since = k->rows_purged;
	if (k->is_held || k->is_stopping)
		answer_purge(k, k->is_held ? k->error : STOPPING);
	else
		advance(k);
	return true;
}

void keeper_do(struct keeper *k, keeper_work_fn on_store, keeper_done_fn on_done, void *ctx)
{
	struct errand *e = mem_alloc(sizeof(*e));
	struct errand **last = &k->errands;

	*e = (struct errand){.work = on_store, .on_done = on_done, .ctx = ctx};
	while (*last != NULL)
		last = &(*last)->next;
	*last = e;
	if (k->is_stopping)
		end_errands(k, -ECANCELED, STOPPING);
	else
		advance(k);
}

struct keeper_status keeper_status_get(const struct keeper *k)
{
	return (struct keeper_status){
		.where = k->where[0] != '\0' ? k->where : NULL,
		.error = k->error[0] != '\0' ? k->error : NULL,
		.rows_purged = k->rows_purged,
		.has_facts = k->has_facts,
		.facts = k->facts,
	};
}

void keeper_stop(struct keeper *k, void (*on_stopped)(void *ctx), void *ctx)
{
	k->is_stopping = true;
	k->on_stopped = on_stopped;
	k->stop_ctx = ctx;
	(void)uv_timer_stop(&k->timer);
	if (k->job != JOB_NONE && k->store != NULL)
		store_interrupt(k->store);
	answer_purge(k, STOPPING);
	/* The one under way ends by itself. */
	if (k->errands != NULL && k->job == JOB_ERRAND) {
		struct errand *running = k->errands;

		k->errands = running->next;
		end_errands(k, -ECANCELED, STOPPING);
		running->next = NULL;
		k->errands = running;
	} else {
		end_errands(k, -ECANCELED, STOPPING);
	}
	advance(k);
}

void keeper_free(struct keeper *k)
{
	if (k == NULL)
		return;
	HALE_ASSERT(k->job == JOB_NONE && k->errands == NULL);
	store_close(k->store);
	free(k);
}
