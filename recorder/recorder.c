/* SPDX-License-Identifier: Apache-2.0 */
#include "recorder.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rnd.h"
#include "model/frame.h"
#include "model/health_line.h"

/* One transaction per second or per this many lines, whichever comes first: a commit costs as much
 * as a hundred rows. */
#define BATCH_LINES            1000
#define FLUSH_MS               1000
/* Deleting this many rows takes milliseconds, so that a writer never waits long for a purge. */
#define PURGE_ROWS             1000
/* The first purge waits until the start of everything is over. */
#define PURGE_FIRST_MS         60000
#define PURGE_EVERY_DEFAULT_MS 3600000
/* After SIGTERM: lines published just before may still be in the socket. */
#define STOP_DRAIN_MS          50
/* How long a stopping recorder goes on trying a store that refuses. */
#define STOP_GIVE_UP_MS        3000
/* Lost lines are told this often at most. */
#define DROPPED_EVENT_MS       60000

static const struct backoff_policy retry_policy = {
	.base_ms = 250, .factor = 2, .cap_ms = 30000, .jitter_percent = 20};
static const struct backoff_policy stop_policy = {
	.base_ms = 100, .factor = 1, .cap_ms = 100, .jitter_percent = 20};

enum job { JOB_NONE, JOB_OPEN, JOB_WRITE, JOB_PURGE, JOB_ERRAND };

/* What recorder_do() was given, in a list. */
struct errand {
	recorder_work_fn work;
	recorder_done_fn done;
	void *ctx;
	struct errand *next;
};

struct recorder {
	struct service *service;
	struct store_options options;
	void (*on_stopped)(struct service *s);

	struct queue queue;
	struct store_entry batch[BATCH_LINES]; /* in hand until it is committed */
	size_t batch_n;

	/* While a job runs, its thread alone uses these. */
	enum job job;
	struct store *history; /* NULL: not open */
	int rc;
	struct err err;
	struct feed_cursor opened_at; /* JOB_OPEN: where the store stands */
	size_t skipped;
	size_t deleted;
	int64_t now_ms;

	uv_timer_t timer; /* next write, or next try */
	uv_timer_t purge_timer;
	bool is_closed; /* handles are closing */
	bool is_feed_open;
	bool is_paused; /* the feed */
	bool is_flush_due;
	bool is_waiting; /* for the next try */
	bool is_purge_due;
	bool is_stopping;
	int64_t give_up_ms; /* monotonic */
	struct backoff backoff;

	char error[sizeof(((struct err *)0)->text)];
	struct feed_cursor cursor; /* committed */
	uint64_t rows_written, lines_skipped, rows_purged;
	int64_t last_commit_ms;
	int64_t told_dropped_ms; /* monotonic; 0 never */

	struct errand *errands;
	uint64_t purge_deleted; /* of the purge under way */
	recorder_purged_fn on_purged;
	void *purge_ctx;
};

static void advance(struct recorder *r);
static void on_timer(uv_timer_t *timer);

/* --- jobs, in a worker thread --- */

static int ensure_open(struct recorder *r)
{
	/* A file that was deleted or broke is opened anew, and made anew if need be. */
	if (r->history != NULL && store_is_broken(r->history))
		store_close(TAKE_PTR(r->history));
	if (r->history != NULL)
		return 0;
	return store_open(&r->options, STORE_KEEPER, &r->history, &r->err);
}

static int work_open(struct recorder *r)
{
	return store_cursor(r->history, r->opened_at.epoch, sizeof(r->opened_at.epoch),
			    &r->opened_at.seq, &r->err);
}

static int work_write(struct recorder *r)
{
	const struct store_entry *last = &r->batch[r->batch_n - 1];

	return store_write(r->history, r->batch, r->batch_n, last->epoch, last->seq, &r->skipped,
			   &r->err);
}

static int work_purge(struct recorder *r)
{
	return store_purge(r->history, &r->options, r->now_ms, PURGE_ROWS, &r->deleted, &r->err);
}

static void work(void *ctx)
{
	struct recorder *r = ctx;

	r->rc = ensure_open(r);
	if (r->rc != 0)
		return;
	switch (r->job) {
	case JOB_OPEN:
		r->rc = work_open(r);
		break;
	case JOB_WRITE:
		r->rc = work_write(r);
		break;
	case JOB_PURGE:
		r->rc = work_purge(r);
		break;
	case JOB_ERRAND:
		r->rc = r->errands->work(r->history, r->errands->ctx, &r->err);
		break;
	case JOB_NONE:
		break;
	}
}

/* --- lines on their way in --- */

static void tell_dropped(struct recorder *r)
{
	char message[160];
	int64_t now = clock_mono_ms();

	if (queue_dropped(&r->queue) == 0 ||
	    (r->told_dropped_ms != 0 && now - r->told_dropped_ms < DROPPED_EVENT_MS))
		return;
	r->told_dropped_ms = now;
	(void)snprintf(message, sizeof(message),
		       "the store does not keep up: %" PRIu64 " lines dropped so far (%" PRIu64
		       " results, %" PRIu64 " others, %" PRIu64 " transitions)",
		       queue_dropped(&r->queue), r->queue.dropped[QUEUE_RESULT],
		       r->queue.dropped[QUEUE_OTHER], r->queue.dropped[QUEUE_TRANSITION]);
	log_warn(message, KV_S("error", r->error));
	service_publish(r->service, TOPIC_EVENT,
			json_pack("{s:s, s:s, s:s, s:s, s:{s:s}}", "kind", "bus_loss", "severity",
				  "warning", "subject", "recorder", "message", message, "details",
				  "error", r->error));
}

/* One timer for both: the next write, or the next try after a failure. */
static void arm(struct recorder *r, uint64_t delay_ms)
{
	(void)uv_timer_start(&r->timer, on_timer, delay_ms, 0);
}

/* A store that works but is slower than a burst: the lines stay in haled's ring meanwhile. One that
 * fails may do so for longer than the ring lasts, and then what matters most is kept here. */
static void regulate(struct recorder *r)
{
	bool is_full = r->queue.bytes > RECORDER_QUEUE_MAX / 4 * 3;
	bool has_room = r->queue.bytes < RECORDER_QUEUE_MAX / 4;
	bool wants_pause = r->is_paused ? !has_room : is_full;

	wants_pause = wants_pause && r->error[0] == '\0';
	if (wants_pause == r->is_paused || r->is_stopping)
		return;
	r->is_paused = wants_pause;
	service_feed_pause(r->service, wants_pause);
}

/* Takes the line. */
static void enqueue_line(struct recorder *r, enum queue_class class, struct store_entry *line)
{
	uint64_t dropped = queue_dropped(&r->queue);

	queue_push(&r->queue, class, line);
	if (queue_dropped(&r->queue) > dropped)
		tell_dropped(r);
	if (!uv_is_active((uv_handle_t *)&r->timer))
		arm(r, FLUSH_MS);
	regulate(r);
	if (r->queue.n >= BATCH_LINES)
		advance(r);
}

static void enqueue(struct recorder *r, const char *topic, const char *epoch, uint64_t seq,
		    json_t *object /* taken */)
{
	struct store_entry line = {
		.topic = mem_dup(topic), .epoch = mem_dup(epoch), .seq = seq, .object = object};

	enqueue_line(r, queue_classify(topic, object), &line);
}

/* One more observation goes into its row without a tree being made of it. */
static bool on_text(void *ctx, const char *topic, const char *epoch, uint64_t seq, const char *text,
		    size_t len)
{
	struct store_entry line = {.seq = seq};
	struct health_line health;

	if (strcmp(topic, TOPIC_HEALTH) != 0 || !health_line_is_routine(text, len, &health))
		return false;
	line.topic = mem_dup(topic);
	line.epoch = mem_dup(epoch);
	line.text = mem_dupn(text, len);
	enqueue_line(ctx, QUEUE_RESULT, &line);
	return true;
}

static void on_line(void *ctx, const char *topic, const char *epoch, uint64_t seq,
		    const json_t *object)
{
	enqueue(ctx, topic, epoch, seq, json_incref((json_t *)object));
}

/* What haled's ring no longer has cannot be stored, but how things ended up can. */
static void on_snapshot(void *ctx, const json_t *snapshot)
{
	struct recorder *r = ctx;
	const char *epoch = json_string_value(json_object_get(snapshot, "epoch"));
	const json_t *head = json_object_get(snapshot, "head");
	char at[CLOCK_TEXT_MAX];

	if (epoch == NULL || !json_is_integer(head)) {
		log_warn("snapshot without epoch or head ignored");
		return;
	}
	if (r->cursor.epoch[0] != '\0')
		log_warn("lines were lost before they could be stored",
			 KV_S("after_epoch", r->cursor.epoch), KV_I("after_seq", r->cursor.seq));
	enqueue(r, STORE_TOPIC_SNAPSHOT, epoch, (uint64_t)json_integer_value(head),
		json_pack("{s:s, s:s, s:O?, s:O?}", "at", clock_now_text(at), "node",
			  service_node(r->service), "status", json_object_get(snapshot, "status"),
			  "components", json_object_get(snapshot, "components")));
}

static const struct feed_ops feed_ops = {
	.on_line = on_line, .on_snapshot = on_snapshot, .on_text = on_text};

/* --- how a job ended --- */

static void answer_purge(struct recorder *r, const char *error)
{
	recorder_purged_fn on_purged = r->on_purged;
	uint64_t deleted = r->purge_deleted;

	r->is_purge_due = false;
	r->purge_deleted = 0;
	r->on_purged = NULL;
	if (on_purged != NULL)
		on_purged(r->purge_ctx, deleted, error);
}

static void end_errand(struct recorder *r, int rc, const char *error)
{
	struct errand *e = r->errands;

	r->errands = e->next;
	e->done(e->ctx, rc, error);
	free(e);
}

/* What waits for a store that cannot be used is told so. */
static void end_errands(struct recorder *r, int rc, const char *error)
{
	while (r->errands != NULL)
		end_errand(r, rc, error);
}

static void take_error(struct recorder *r)
{
	/* Once per trouble, not once per try. */
	if (r->error[0] == '\0')
		log_warn("store cannot be used", KV_S("error", r->err.text),
			 KV_I("backlog", r->queue.n + r->batch_n));
	(void)snprintf(r->error, sizeof(r->error), "%s", r->err.text);
	service_status(r->service, "%s", r->error);
}

static void take_success(struct recorder *r)
{
	backoff_ok(&r->backoff);
	if (r->error[0] != '\0')
		log_info("store works again", KV_I("backlog", r->queue.n + r->batch_n));
	if (r->error[0] != '\0' || !r->is_feed_open)
		service_status(r->service, "storing to %s", r->options.sqlite.path);
	r->error[0] = '\0';
}

static void failed(struct recorder *r, enum job job)
{
	/* Its own affair, unless the store broke, which the next job finds. */
	if (job == JOB_ERRAND) {
		end_errand(r, r->rc, r->err.text);
		return;
	}
	take_error(r);
	if (job == JOB_PURGE) {
		/* The next one comes with the timer. */
		answer_purge(r, r->error);
		return;
	}
	r->is_waiting = true;
	arm(r, backoff_next(&r->backoff, r->is_stopping ? &stop_policy : &retry_policy, rnd_u32()));
	if (r->is_purge_due)
		answer_purge(r, r->error);
	end_errands(r, r->rc, r->error);
}

static void opened(struct recorder *r)
{
	struct err err = {0};

	r->cursor = r->opened_at;
	r->is_feed_open = true;
	if (service_feed_open(r->service, FEED_FROM_CURSOR, &r->cursor, &feed_ops, r, &err) != 0)
		service_fail(r->service, 75, "cannot follow the bus: %s", err.text);
}

static void written(struct recorder *r)
{
	const struct store_entry *last = &r->batch[r->batch_n - 1];

	(void)snprintf(r->cursor.epoch, sizeof(r->cursor.epoch), "%s", last->epoch);
	r->cursor.seq = last->seq;
	r->rows_written += r->batch_n - r->skipped;
	r->lines_skipped += r->skipped;
	r->last_commit_ms = clock_wall_ms();
	for (size_t i = 0; i < r->batch_n; i++)
		queue_line_done(&r->batch[i]);
	r->batch_n = 0;
}

static void purged(struct recorder *r)
{
	r->rows_purged += r->deleted;
	r->purge_deleted += r->deleted;
	if (r->deleted < PURGE_ROWS)
		answer_purge(r, NULL);
}

static void after(void *ctx)
{
	struct recorder *r = ctx;
	enum job job = r->job;

	r->job = JOB_NONE;
	if (r->rc != 0) {
		failed(r, job);
	} else {
		take_success(r);
		if (job == JOB_OPEN)
			opened(r);
		else if (job == JOB_WRITE)
			written(r);
		else if (job == JOB_ERRAND)
			end_errand(r, 0, NULL);
		else
			purged(r);
	}
	regulate(r);
	advance(r);
}

/* --- what is to be done next --- */

static void start_job(struct recorder *r, enum job job)
{
	r->job = job;
	r->now_ms = clock_wall_ms();
	service_work(r->service, work, after, r);
}

static void fill_batch(struct recorder *r)
{
	while (r->batch_n < BATCH_LINES && queue_pop(&r->queue, &r->batch[r->batch_n]))
		r->batch_n++;
	r->is_flush_due = r->queue.n > 0;
}

static bool is_write_due(const struct recorder *r)
{
	if (r->batch_n > 0)
		return true;
	return r->queue.n >= BATCH_LINES || (r->queue.n > 0 && (r->is_flush_due || r->is_stopping));
}

static void finish(struct recorder *r)
{
	if (r->batch_n + r->queue.n > 0)
		log_warn("stopping with lines not stored; they are read from the bus again if "
			 "haled lives",
			 KV_I("lines", r->batch_n + r->queue.n), KV_S("error", r->error));
	if (r->on_purged != NULL)
		answer_purge(r, "the recorder is stopping");
	end_errands(r, -ECANCELED, "the recorder is stopping");
	r->is_closed = true;
	uv_close((uv_handle_t *)&r->timer, NULL);
	uv_close((uv_handle_t *)&r->purge_timer, NULL);
	r->on_stopped(r->service);
}

static void advance(struct recorder *r)
{
	bool gives_up = r->is_stopping && r->is_waiting && clock_mono_ms() >= r->give_up_ms;

	if (r->is_closed || r->job != JOB_NONE || (r->is_waiting && !gives_up))
		return;
	if (gives_up) {
		finish(r);
	} else if (is_write_due(r)) {
		if (r->batch_n == 0)
			fill_batch(r);
		start_job(r, JOB_WRITE);
	} else if (r->is_stopping) {
		finish(r);
	} else if (!r->is_feed_open) {
		start_job(r, JOB_OPEN);
	} else if (r->errands != NULL) {
		start_job(r, JOB_ERRAND);
	} else if (r->is_purge_due) {
		start_job(r, JOB_PURGE);
	}
}

static void on_timer(uv_timer_t *timer)
{
	struct recorder *r = timer->data;

	r->is_waiting = false;
	r->is_flush_due = true;
	advance(r);
}

static void on_purge_timer(uv_timer_t *timer)
{
	struct recorder *r = timer->data;

	r->is_purge_due = true;
	advance(r);
}

/* --- from outside --- */

struct recorder *recorder_new(struct service *s, struct store_options *options)
{
	struct recorder *r = mem_alloc(sizeof(*r));

	r->service = s;
	r->options = *options;
	*options = (struct store_options){0};
	r->queue.bytes_max = RECORDER_QUEUE_MAX;
	(void)uv_timer_init(service_loop(s), &r->timer);
	(void)uv_timer_init(service_loop(s), &r->purge_timer);
	r->timer.data = r->purge_timer.data = r;
	return r;
}

void recorder_start(struct recorder *r)
{
	int64_t every_ms =
		r->options.purge_every_ms > 0 ? r->options.purge_every_ms : PURGE_EVERY_DEFAULT_MS;

	(void)uv_timer_start(&r->purge_timer, on_purge_timer,
			     (uint64_t)HALE_MIN(every_ms, PURGE_FIRST_MS), (uint64_t)every_ms);
	advance(r);
}

static void on_drained(uv_timer_t *timer)
{
	struct recorder *r = timer->data;

	r->is_stopping = true;
	r->is_waiting = false;
	r->give_up_ms = clock_mono_ms() + STOP_GIVE_UP_MS;
	(void)uv_timer_stop(&r->timer);
	advance(r);
}

void recorder_stop(struct recorder *r, void (*on_stopped)(struct service *s))
{
	r->on_stopped = on_stopped;
	/* No purge begins any more; its timer waits for what is still in the socket. */
	(void)uv_timer_start(&r->purge_timer, on_drained, STOP_DRAIN_MS, 0);
}

void recorder_free(struct recorder *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->batch_n; i++)
		queue_line_done(&r->batch[i]);
	queue_done(&r->queue);
	store_close(r->history);
	conf_free(store_items, &r->options);
	free(r);
}

struct recorder_status recorder_status_get(const struct recorder *r)
{
	return (struct recorder_status){
		.path = r->options.sqlite.path,
		.rows_written = r->rows_written,
		.lines_skipped = r->lines_skipped,
		.lines_dropped = queue_dropped(&r->queue),
		.rows_purged = r->rows_purged,
		.backlog = r->queue.n + r->batch_n,
		.last_commit_ms = r->last_commit_ms,
		.cursor = r->cursor,
		.error = r->error[0] != '\0' ? r->error : NULL,
	};
}

bool recorder_purge(struct recorder *r, recorder_purged_fn on_purged, void *ctx)
{
	if (r->on_purged != NULL)
		return false;
	r->on_purged = on_purged;
	r->purge_ctx = ctx;
	r->is_purge_due = true;
	if (r->is_waiting)
		answer_purge(r, r->error);
	else
		advance(r);
	return true;
}

const char *recorder_node(const struct recorder *r)
{
	return service_node(r->service);
}

void recorder_do(struct recorder *r, recorder_work_fn on_store, recorder_done_fn on_done, void *ctx)
{
	struct errand *e = mem_alloc(sizeof(*e));
	struct errand **last = &r->errands;

	*e = (struct errand){.work = on_store, .done = on_done, .ctx = ctx};
	while (*last != NULL)
		last = &(*last)->next;
	*last = e;
	if (r->is_closed)
		end_errands(r, -ECANCELED, "the recorder is stopping");
	else if (r->is_waiting)
		end_errands(r, -EIO, r->error);
	else
		advance(r);
}
