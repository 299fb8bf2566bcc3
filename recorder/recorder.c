/* SPDX-License-Identifier: Apache-2.0 */
#include "recorder.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rnd.h"
#include "model/frame.h"
#include "outlook.h"
#include "pressure.h"
#include "store/writer.h"

/* One transaction per second or per this many lines, whichever comes first: a commit costs as much
 * as a hundred rows. */
#define BATCH_LINES     1000
#define TICK_MS         1000
/* How long the store may take to tell where it stands before the bus is followed from the note:
 * haled's ring holds a few seconds of a busy system. */
#define ASK_MS          1000
/* After SIGTERM: lines published just before may still be in the socket. */
#define STOP_DRAIN_MS   50
/* How long a stopping recorder goes on writing; the rest goes to disk. */
#define STOP_GIVE_UP_MS 3000
/* Lost lines are told this often at most. */
#define LOSS_EVENT_MS   60000
/* How it is going is said again, for its numbers. */
#define TELL_TROUBLE_MS 10000
#define TELL_CALM_MS    60000
#define SPOOL_NAME      "spool"
#define SPOOL_BYTES     ((int64_t)256 << 20)

static const struct backoff_policy retry_policy = {
	.base_ms = 250, .factor = 2, .cap_ms = 5000, .jitter_percent = 20};

enum call { CALL_NONE, CALL_PREPARE, CALL_OPEN, CALL_WRITE };

struct recorder {
	struct service *service;
	struct store_options options;
	void (*on_stopped)(struct service *s);

	struct backlog *backlog;
	struct keeper *keeper;
	struct writer *writer;

	enum call call;
	int64_t call_ms;  /* monotonic: since when */
	bool is_prepared; /* the keeper found the store good, and nothing failed since */
	bool is_open;     /* the writer told where the store stands */
	bool is_feed_open;
	bool is_paused;    /* the feed */
	int64_t paused_ms; /* monotonic: since when */
	bool is_waiting;   /* for the next try */
	bool is_flush_due;
	bool is_slow;
	bool is_stopping, is_closing;
	int64_t started_ms, give_up_ms; /* monotonic */
	struct backoff backoff;
	uv_timer_t tick, retry;

	char error[sizeof(((struct err *)0)->text)];
	struct feed_cursor cursor; /* committed */
	uint64_t rows_written, rows_repeated, lines_skipped;
	int64_t last_commit_ms;

	int64_t trouble_ms, trouble_since_ms; /* monotonic, 0 none; wall */
	uint64_t told_dropped[LINE_CLASS_MAX], seen_dropped;
	int64_t dropped_ms, told_dropped_ms; /* monotonic; 0 never */
	struct outlook told;
	bool told_spool_error;
	int64_t told_ms; /* monotonic; 0 never */
};

static void advance(struct recorder *r);
static void open_feed(struct recorder *r);

/* --- how it is going --- */

static uint64_t sum(const uint64_t counts[LINE_CLASS_MAX])
{
	uint64_t n = 0;

	for (size_t c = 0; c < LINE_CLASS_MAX; c++)
		n += counts[c];
	return n;
}

static void tell_loss(struct recorder *r, const struct backlog_status *b, int64_t now)
{
	HALE_CLEANUP(str_done) struct str message = {0};
	uint64_t more[LINE_CLASS_MAX];

	for (size_t c = 0; c < LINE_CLASS_MAX; c++)
		more[c] = b->dropped[c] - r->told_dropped[c];
	if (sum(more) == 0 || (r->told_dropped_ms != 0 && now - r->told_dropped_ms < LOSS_EVENT_MS))
		return;
	r->told_dropped_ms = now;
	memcpy(r->told_dropped, b->dropped, sizeof(r->told_dropped));
	str_add(&message, "dropped for want of room: ");
	outlook_counts(more, &message);
	log_warn("lines were lost", KV_S("what", str_text(&message)), KV_S("error", r->error));
	service_publish(
		r->service, TOPIC_EVENT,
		json_pack("{s:s, s:s, s:s, s:s, s:{s:I, s:I, s:I, s:I}}", "kind", "store_loss",
			  "severity", "warning", "subject", "recorder", "message",
			  str_text(&message), "details", "results", (json_int_t)more[LINE_RESULT],
			  "others", (json_int_t)more[LINE_OTHER], "transitions",
			  (json_int_t)more[LINE_TRANSITION], "total", (json_int_t)sum(b->dropped)));
}

static json_t *metrics_of(const struct recorder *r, const struct backlog_status *b)
{
	json_t *metrics = json_pack("{s:f, s:f, s:f, s:f, s:f}", "backlog_lines", (double)b->lines,
				    "backlog_bytes", (double)b->bytes, "spool_lines",
				    (double)b->spool_lines, "spool_bytes", (double)b->spool_bytes,
				    "dropped_lines", (double)sum(b->dropped));

	if (r->last_commit_ms > 0)
		json_object_set_new(
			metrics, "commit_age_s",
			json_real((double)(clock_wall_ms() - r->last_commit_ms) / 1000));
	return metrics;
}

static struct outlook_view view_of(const struct recorder *r, const struct backlog_status *b,
				   int64_t now)
{
	struct outlook_view v = {
		.error = r->error[0] != '\0' ? r->error : NULL,
		.is_slow = r->is_slow,
		.trouble_ms = r->trouble_ms == 0 ? -1 : now - r->trouble_ms,
		.trouble_since_ms = r->trouble_since_ms,
		.lines = b->lines,
		.spool_lines = b->spool_lines,
		.spool_bytes = b->spool_bytes,
		.spool_path = r->options.spool.path,
		.spool_error = b->spool_error,
		.dropped_ms = r->dropped_ms == 0 ? -1 : now - r->dropped_ms,
	};

	memcpy(v.dropped, b->dropped, sizeof(v.dropped));
	return v;
}

static void tell_health(struct recorder *r, const struct backlog_status *b, int64_t now)
{
	HALE_CLEANUP(str_done) struct str message = {0};
	struct keeper_status k = keeper_status_get(r->keeper);
	struct outlook_view v = view_of(r, b, now);
	struct outlook o;
	int64_t every_ms;

	v.set_aside = k.facts.set_aside[0] != '\0' ? k.facts.set_aside : NULL;
	o = outlook_of(&v, &message);
	every_ms = o.outcome == OUTCOME_PASS ? TELL_CALM_MS : TELL_TROUBLE_MS;
	if (r->told_ms != 0 && o.outcome == r->told.outcome && o.reason == r->told.reason &&
	    (b->spool_error != NULL) == r->told_spool_error && now - r->told_ms < every_ms)
		return;
	r->told_ms = now;
	r->told_spool_error = b->spool_error != NULL;
	r->told = o;
	service_health(r->service, o.outcome, o.reason, str_text(&message), metrics_of(r, b));
}

static void look(struct recorder *r)
{
	struct backlog_status b = backlog_status(r->backlog);
	bool is_troubled = r->error[0] != '\0' || r->is_slow || b.spool_lines > 0;
	int64_t now = clock_mono_ms();

	if (is_troubled && r->trouble_ms == 0) {
		r->trouble_ms = now;
		r->trouble_since_ms = clock_wall_ms();
		/* While it is known for sure: until it works again nobody can ask. */
		backlog_note(r->backlog);
	} else if (!is_troubled) {
		r->trouble_ms = 0;
	}
	if (sum(b.dropped) > r->seen_dropped)
		r->dropped_ms = now;
	r->seen_dropped = sum(b.dropped);
	tell_loss(r, &b, now);
	tell_health(r, &b, now);
}

/* --- lines on their way in --- */

/* Where what cannot be stored at once shall wait. */
static void regulate(struct recorder *r)
{
	int64_t now = clock_mono_ms();
	struct pressure_view v = {
		.has_error = r->error[0] != '\0',
		.is_spooling = backlog_is_spooling(r->backlog),
		.has_spool = backlog_has_spool(r->backlog),
		.is_paused = r->is_paused,
		.paused_ms = r->is_paused ? now - r->paused_ms : 0,
		.call_ms = r->call == CALL_NONE ? 0 : now - r->call_ms,
		.memory_bytes = backlog_memory(r->backlog),
	};
	struct pressure p = pressure_of(&v);

	r->is_slow = p.is_slow;
	if (p.spills)
		backlog_spill(r->backlog);
	if (p.pauses == r->is_paused || r->is_stopping)
		return;
	r->is_paused = p.pauses;
	r->paused_ms = now;
	service_feed_pause(r->service, p.pauses);
}

static void take(struct recorder *r, const struct store_line *line)
{
	backlog_push(r->backlog, line);
	if (backlog_memory(r->backlog) >= PRESSURE_SPILL_BYTES)
		regulate(r);
	if (backlog_lines(r->backlog) >= BATCH_LINES)
		advance(r);
}

static bool on_text(void *ctx, const char *topic, const char *epoch, uint64_t seq, const char *text,
		    size_t len)
{
	struct store_line line = {
		.topic = topic, .epoch = epoch, .seq = seq, .text = text, .len = len};

	take(ctx, &line);
	return true;
}

/* on_text takes every line before. */
static void on_line(void *ctx HALE_UNUSED, const char *topic HALE_UNUSED,
		    const char *epoch HALE_UNUSED, uint64_t seq HALE_UNUSED,
		    const json_t *object HALE_UNUSED)
{
	HALE_ASSERT(false);
}

/* What haled's ring no longer has cannot be stored, but how things ended up can. */
static void on_snapshot(void *ctx, const json_t *snapshot)
{
	struct recorder *r = ctx;
	const char *epoch = json_string_value(json_object_get(snapshot, "epoch"));
	const json_t *head = json_object_get(snapshot, "head");
	HALE_CLEANUP(cleanup_free) char *text = NULL;
	char at[CLOCK_TEXT_MAX];
	json_t *object;

	if (epoch == NULL || !json_is_integer(head)) {
		log_warn("snapshot without epoch or head ignored");
		return;
	}
	if (r->cursor.epoch[0] != '\0')
		log_warn("lines were lost before they could be stored",
			 KV_S("after_epoch", r->cursor.epoch), KV_I("after_seq", r->cursor.seq));
	object = json_pack("{s:s, s:s, s:s, s:O, s:O?, s:O?}", "at", clock_now_text(at), "node",
			   service_node(r->service), "epoch", epoch, "head", head, "status",
			   json_object_get(snapshot, "status"), "components",
			   json_object_get(snapshot, "components"));
	text = json_dumps(object, JSON_WIRE_FLAGS);
	json_decref(object);
	take(r, &(struct store_line){.topic = STORE_TOPIC_SNAPSHOT,
				     .epoch = epoch,
				     .seq = (uint64_t)json_integer_value(head),
				     .text = text,
				     .len = strlen(text)});
}

static const struct feed_ops feed_ops = {
	.on_line = on_line, .on_snapshot = on_snapshot, .on_text = on_text};

/* --- how a call ended --- */

static void on_retry(uv_timer_t *timer)
{
	struct recorder *r = timer->data;

	r->is_waiting = false;
	advance(r);
}

static void failed(struct recorder *r, const char *error)
{
	if (r->is_closing)
		return;
	r->is_prepared = false;
	/* Once per trouble, not once per try. */
	if (r->error[0] == '\0' && !r->is_stopping)
		log_warn("store cannot be used", KV_S("error", error),
			 KV_I("backlog", backlog_status(r->backlog).lines));
	(void)snprintf(r->error, sizeof(r->error), "%s", error);
	service_status(r->service, "%s", r->error);
	keeper_hold(r->keeper, r->error);
	if (!r->is_feed_open && !r->is_stopping)
		open_feed(r);
	r->is_waiting = true;
	/* While the last lines are drained the timer is theirs. */
	if (r->on_stopped == NULL)
		(void)uv_timer_start(&r->retry, on_retry,
				     backoff_next(&r->backoff, &retry_policy, rnd_u32()), 0);
	look(r);
	regulate(r);
	advance(r);
}

static void succeeded(struct recorder *r)
{
	struct keeper_status k = keeper_status_get(r->keeper);

	backoff_ok(&r->backoff);
	if (r->error[0] != '\0')
		log_info("store works again", KV_I("backlog", backlog_status(r->backlog).lines));
	r->error[0] = '\0';
	keeper_hold(r->keeper, NULL);
	service_status(r->service, "storing to %s", k.where);
}

static void open_feed(struct recorder *r)
{
	struct err err = {0};
	bool is_waiting;
	struct feed_cursor from = backlog_cursor(r->backlog, &is_waiting);

	/* Lines that wait on disk are newer than any in the store. */
	if (!is_waiting && r->is_open)
		from = r->cursor;
	if (r->cursor.epoch[0] == '\0')
		r->cursor = from;
	r->is_feed_open = true;
	if (service_feed_open(r->service, FEED_FROM_CURSOR, &from, &feed_ops, r, &err) != 0)
		service_fail(r->service, 75, "cannot follow the bus: %s", err.text);
}

static void on_opened(void *ctx, const struct writer_done *done)
{
	struct recorder *r = ctx;

	r->call = CALL_NONE;
	if (done->rc < 0) {
		failed(r, done->err->text);
		return;
	}
	r->is_open = true;
	(void)snprintf(r->cursor.epoch, sizeof(r->cursor.epoch), "%s", done->epoch);
	r->cursor.seq = done->seq;
	succeeded(r);
	keeper_start(r->keeper);
	if (!r->is_feed_open && !r->is_stopping)
		open_feed(r);
	advance(r);
}

static void on_written(void *ctx, const struct writer_done *done)
{
	struct recorder *r = ctx;
	const struct store_line *lines = NULL;
	size_t n;

	r->call = CALL_NONE;
	if (done->rc < 0) {
		failed(r, done->err->text);
		return;
	}
	n = backlog_batch(r->backlog, &lines);
	(void)snprintf(r->cursor.epoch, sizeof(r->cursor.epoch), "%s", lines[n - 1].epoch);
	r->cursor.seq = lines[n - 1].seq;
	r->rows_written += n - done->skipped - done->repeated;
	r->rows_repeated += done->repeated;
	r->lines_skipped += done->skipped;
	r->last_commit_ms = clock_wall_ms();
	if (r->error[0] != '\0')
		succeeded(r);
	backlog_stored(r->backlog);
	regulate(r);
	advance(r);
}

static void on_prepared(void *ctx, int rc, const char *error)
{
	struct recorder *r = ctx;

	r->call = CALL_NONE;
	r->is_prepared = rc == 0;
	if (rc < 0)
		failed(r, error);
	else
		advance(r);
}

/* --- what is to be done next --- */

static bool is_write_due(const struct recorder *r)
{
	size_t n = backlog_lines(r->backlog);

	return backlog_has_batch(r->backlog) || n >= BATCH_LINES ||
	       (n > 0 && (r->is_flush_due || r->is_stopping));
}

static void begin(struct recorder *r, enum call call)
{
	r->call = call;
	r->call_ms = clock_mono_ms();
}

static void write_batch(struct recorder *r)
{
	const struct store_line *lines = NULL;
	size_t n = backlog_batch(r->backlog, &lines);

	if (n == 0)
		return; /* it is being read: on_change */
	r->is_flush_due = backlog_lines(r->backlog) > 0 && r->is_flush_due;
	begin(r, CALL_WRITE);
	writer_write(r->writer, lines, n, on_written, r);
}

/* --- the end --- */

static void on_keeper_stopped(void *ctx)
{
	struct recorder *r = ctx;
	struct backlog_status b = backlog_status(r->backlog);

	if (b.unsaved_lines > 0)
		log_warn("stopping with lines neither stored nor on disk; they are read from the"
			 " bus again if haled lives",
			 KV_I("lines", b.unsaved_lines), KV_S("error", b.spool_error));
	else if (b.lines > 0)
		log_info("stopping with lines on disk", KV_I("lines", b.lines));
	uv_close((uv_handle_t *)&r->tick, NULL);
	uv_close((uv_handle_t *)&r->retry, NULL);
	r->on_stopped(r->service);
}

static void on_backlog_closed(void *ctx)
{
	struct recorder *r = ctx;

	keeper_stop(r->keeper, on_keeper_stopped, r);
}

static void on_writer_closed(void *ctx)
{
	struct recorder *r = ctx;

	r->writer = NULL;
	/* First what cannot be had again; the keeper may hang in a server that hangs. */
	backlog_close(r->backlog, on_backlog_closed);
}

static void close_all(struct recorder *r)
{
	r->is_closing = true;
	(void)uv_timer_stop(&r->tick);
	(void)uv_timer_stop(&r->retry);
	writer_close(r->writer, on_writer_closed, r);
}

static bool is_finished(const struct recorder *r)
{
	bool gives_up = clock_mono_ms() >= r->give_up_ms;

	if (!r->is_stopping)
		return false;
	/* A store in trouble is not waited for: the disk keeps the lines. */
	return gives_up || r->error[0] != '\0' || r->is_slow ||
	       (r->call == CALL_NONE && !is_write_due(r));
}

static void advance(struct recorder *r)
{
	if (r->is_closing || !backlog_is_open(r->backlog))
		return;
	if (is_finished(r)) {
		close_all(r);
	} else if (r->call != CALL_NONE || r->is_waiting) {
		return;
	} else if (!r->is_prepared) {
		begin(r, CALL_PREPARE);
		keeper_prepare(r->keeper, on_prepared, r);
	} else if (!r->is_open) {
		begin(r, CALL_OPEN);
		writer_open(r->writer, on_opened, r);
	} else if (is_write_due(r)) {
		write_batch(r);
	}
}

/* --- events of our own --- */

static void on_change(void *ctx)
{
	struct recorder *r = ctx;

	if (r->is_closing)
		return;
	if (r->is_paused)
		regulate(r);
	advance(r);
}

static void on_tick(uv_timer_t *timer)
{
	struct recorder *r = timer->data;

	if (!r->is_feed_open && !r->is_stopping && backlog_is_open(r->backlog) &&
	    clock_mono_ms() - r->started_ms >= ASK_MS)
		open_feed(r);
	regulate(r);
	look(r);
	r->is_flush_due = true;
	advance(r);
}

/* --- from outside --- */

struct recorder *recorder_new(struct service *s, struct store_options *options)
{
	struct recorder *r = mem_alloc(sizeof(*r));

	r->service = s;
	r->options = *options;
	*options = (struct store_options){0};
	if (r->options.spool.path == NULL)
		r->options.spool.path = path_join(service_state_dir(s), SPOOL_NAME);
	if (r->options.spool.bytes <= 0)
		r->options.spool.bytes = SPOOL_BYTES;
	r->backlog = backlog_new(s, r->options.spool.path, (uint64_t)r->options.spool.bytes,
				 on_change, r);
	r->keeper = keeper_new(s, &r->options);
	r->writer = writer_new(service_loop(s), &r->options, service_node(s));
	(void)uv_timer_init(service_loop(s), &r->tick);
	(void)uv_timer_init(service_loop(s), &r->retry);
	r->tick.data = r->retry.data = r;
	return r;
}

void recorder_start(struct recorder *r)
{
	r->started_ms = clock_mono_ms();
	(void)uv_timer_start(&r->tick, on_tick, TICK_MS, TICK_MS);
	backlog_open(r->backlog);
}

static void on_drained(uv_timer_t *timer)
{
	struct recorder *r = timer->data;

	r->is_stopping = true;
	r->is_waiting = false;
	r->give_up_ms = clock_mono_ms() + STOP_GIVE_UP_MS;
	/* What comes from here on is for the next one. */
	if (r->is_feed_open && !r->is_paused)
		service_feed_pause(r->service, true);
	advance(r);
}

void recorder_stop(struct recorder *r, void (*on_stopped)(struct service *s))
{
	r->on_stopped = on_stopped;
	/* The next try is not waited for; what is still in the socket is. */
	(void)uv_timer_start(&r->retry, on_drained, STOP_DRAIN_MS, 0);
}

void recorder_free(struct recorder *r)
{
	if (r == NULL)
		return;
	keeper_free(r->keeper);
	backlog_free(r->backlog);
	conf_free(store_items, &r->options);
	free(r);
}

struct recorder_status recorder_status_get(const struct recorder *r)
{
	return (struct recorder_status){
		.backend = store_backend(&r->options),
		.rows_written = r->rows_written,
		.rows_repeated = r->rows_repeated,
		.lines_skipped = r->lines_skipped,
		.backlog = backlog_status(r->backlog),
		.keeper = keeper_status_get(r->keeper),
		.last_commit_ms = r->last_commit_ms,
		.cursor = r->cursor,
		.error = r->error[0] != '\0' ? r->error : NULL,
	};
}

const char *recorder_node(const struct recorder *r)
{
	return service_node(r->service);
}

bool recorder_purge(struct recorder *r, keeper_purged_fn on_purged, void *ctx)
{
	return keeper_purge(r->keeper, on_purged, ctx);
}

void recorder_do(struct recorder *r, keeper_work_fn on_store, keeper_done_fn on_done, void *ctx)
{
	keeper_do(r->keeper, on_store, on_done, ctx);
}
