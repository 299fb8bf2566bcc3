/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/feed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rnd.h"
#include "bus/command.h"
#include "bus/feed_logic.h"
#include "bus/nngsock.h"
#include "bus/sub.h"

#define REPLAY_TIMEOUT_MS 5000
/* Live frames kept while a replay is on its way, so that they need not be asked for again. Older
 * ones are let go first: the replay is likely to hold them. */
#define HELD_MAX_BYTES    (4u << 20)

static const struct backoff_policy retry_policy = {
	.base_ms = 100, .factor = 2, .cap_ms = 1000, .jitter_percent = 20};

enum feed_state {
	FEED_LIVE,
	FEED_REPLAYING, /* asked, no answer yet, or waiting to ask again */
	FEED_PAUSED,    /* whatever comes, the cursor stays */
};

struct held {
	struct held *next;
	size_t len;
	char bytes[]; /* the frame as it came */
};

struct feed {
	enum feed_state state;
	struct feed_cursor cursor;
	bool is_cursor_set;  /* else the first live frame sets it (FEED_FROM_NOW) */
	bool wants_snapshot; /* FEED_FROM_SNAPSHOT, until it has come */
	bool is_asked_again; /* connected while an answer was on its way: it may be too old */
	char *name;
	struct feed_ops ops;
	void *ctx;
	struct feed_stats stats;
	uint64_t garbage; /* lines and replayed frames; the sub counts its own */
	struct sub *sub;
	struct command_client *client;
	struct held *held_first, *held_last;
	size_t held_bytes;
	struct backoff backoff;
	uv_timer_t retry;
	uv_check_t batch; /* runs while lines of this turn have not been followed by on_batch */
	bool is_closing;
	unsigned open_parts;
	void (*on_closed)(void *ctx);
	void *closed_ctx;
};

static void ask_replay(struct feed *f);

/* ---- handing over ---- */

static void on_batch_end(uv_check_t *check)
{
	struct feed *f = check->data;

	(void)uv_check_stop(check);
	f->ops.on_batch(f->ctx, &f->cursor);
}

static void mark_batch(struct feed *f)
{
	if (f->ops.on_batch != NULL && !f->is_closing)
		(void)uv_check_start(&f->batch, on_batch_end);
}

static void hand_over(struct feed *f, const char *topic, const char *line, size_t len)
{
	json_t *object;

	if (f->ops.on_text != NULL &&
	    f->ops.on_text(f->ctx, topic, f->cursor.epoch, f->cursor.seq, line, len)) {
		f->stats.lines++;
		return;
	}
	object = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	if (object == NULL) {
		f->garbage++;
		return;
	}
	f->stats.lines++;
	f->ops.on_line(f->ctx, topic, f->cursor.epoch, f->cursor.seq, object);
	json_decref(object);
}

/* All lines but the first `skip`; the callback may close the feed. */
static void hand_over_frame(struct feed *f, const struct frame *frame, uint64_t skip)
{
	uint64_t seq = frame->first_seq;
	size_t cursor = 0, len;
	const char *line;

	memcpy(f->cursor.epoch, frame->epoch, sizeof(f->cursor.epoch));
	for (; !f->is_closing && f->state != FEED_PAUSED && frame_line(frame, &cursor, &line, &len);
	     seq++) {
		if (seq < frame->first_seq + skip)
			continue;
		f->cursor.seq = seq;
		hand_over(f, frame->topic, line, len);
	}
	mark_batch(f);
}

static void hand_over_sync(struct feed *f, const struct frame *frame)
{
	size_t cursor = 0, len;
	const char *line;
	json_t *object;

	if (f->ops.on_sync == NULL || !frame_line(frame, &cursor, &line, &len))
		return;
	object = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	if (object == NULL)
		f->garbage++;
	else
		f->ops.on_sync(f->ctx, object);
	json_decref(object);
}

/* ---- live frames ---- */

static void drop_held(struct feed *f)
{
	struct held *h = f->held_first;

	f->held_first = h->next;
	if (f->held_first == NULL)
		f->held_last = NULL;
	f->held_bytes -= h->len;
	free(h);
}

static void hold(struct feed *f, const struct frame *frame)
{
	struct str text = {0};
	struct held *h;

	frame_format(&text, frame->topic, frame->epoch, frame->first_seq, frame->count,
		     frame->lines, frame->lines_len);
	h = mem_alloc(sizeof(*h) + text.len);
	h->len = text.len;
	memcpy(h->bytes, text.data, text.len);
	str_done(&text);
	*(f->held_last == NULL ? &f->held_first : &f->held_last->next) = h;
	f->held_last = h;
	f->held_bytes += h->len;
	while (f->held_bytes > HELD_MAX_BYTES)
		drop_held(f);
}

static void take_live(struct feed *f, const struct frame *frame)
{
	uint64_t skip;

	if (!f->is_cursor_set) {
		feed_cursor_before(frame, &f->cursor);
		f->is_cursor_set = true;
	}
	switch (feed_judge(&f->cursor, frame, &skip)) {
	case FEED_OLD:
		break;
	case FEED_NEXT:
		hand_over_frame(f, frame, skip);
		break;
	case FEED_GAP:
		f->stats.gaps++;
		hold(f, frame); /* it is good again once the gap before it is closed */
		f->state = FEED_REPLAYING;
		ask_replay(f);
		break;
	}
}

static void on_frame(void *ctx, const struct frame *frame)
{
	struct feed *f = ctx;

	if (strcmp(frame->topic, TOPIC_SYNC) == 0)
		hand_over_sync(f, frame);
	if (f->is_closing || f->state == FEED_PAUSED)
		return;
	if (f->state == FEED_LIVE)
		take_live(f, frame);
	else
		hold(f, frame);
}

static void go_live(struct feed *f)
{
	f->state = FEED_LIVE;
	while (!f->is_closing && f->state == FEED_LIVE && f->held_first != NULL) {
		struct held *h = f->held_first;
		struct frame frame;

		/* Out of the list first: a gap puts it back, at the end. */
		f->held_first = h->next;
		if (f->held_first == NULL)
			f->held_last = NULL;
		f->held_bytes -= h->len;
		HALE_ASSERT(frame_parse(h->bytes, h->len, &frame) == 0);
		take_live(f, &frame);
		free(h);
	}
}

/* ---- replay ---- */

static void on_retry(uv_timer_t *timer)
{
	ask_replay(timer->data);
}

static void retry_later(struct feed *f)
{
	uint32_t delay_ms = backoff_next(&f->backoff, &retry_policy, rnd_u32());

	(void)uv_timer_start(&f->retry, on_retry, delay_ms, 0);
}

static void set_cursor(struct feed *f, const char *epoch, uint64_t seq)
{
	HALE_ASSERT(strlen(epoch) < sizeof(f->cursor.epoch));
	memcpy(f->cursor.epoch, epoch, strlen(epoch) + 1);
	f->cursor.seq = seq;
	f->is_cursor_set = true;
	mark_batch(f);
}

/* Of another start of haled only this one's lines are known. */
static uint64_t lines_between(const struct feed_cursor *cursor, const char *epoch, uint64_t head)
{
	bool is_same = strcmp(cursor->epoch, epoch) == 0 && cursor->seq <= head;

	return HALE_MAX(is_same ? head - cursor->seq : head, (uint64_t)1);
}

static void take_snapshot(struct feed *f, const json_t *snapshot, const char *epoch, uint64_t head)
{
	if (!f->wants_snapshot && f->cursor.epoch[0] != '\0') {
		f->stats.snapshots++;
		f->stats.lost += lines_between(&f->cursor, epoch, head);
	}
	f->wants_snapshot = false;
	set_cursor(f, epoch, head);
	f->ops.on_snapshot(f->ctx, snapshot);
	if (!f->is_closing && f->state != FEED_PAUSED)
		go_live(f);
}

/* Its lines cannot be read, but their numbers are known. */
static void pass_over(struct feed *f, const struct frame *frame, uint64_t skip)
{
	f->stats.unknown += frame->count - skip;
	if (strcmp(frame->topic, TOPIC_SYNC) != 0 && frame->count > skip)
		set_cursor(f, frame->epoch, frame->first_seq + frame->count - 1);
}

/* False if one of them is no frame. */
static bool take_replayed(struct feed *f, const json_t *frames)
{
	const json_t *text;
	size_t i;

	json_array_foreach ((json_t *)frames, i, text) {
		struct frame frame;
		uint64_t skip;
		int rc;

		if (f->is_closing || f->state == FEED_PAUSED)
			return true;
		rc = json_is_string(text) ? frame_parse(json_string_value(text),
							json_string_length(text), &frame)
					  : -EINVAL;
		if (rc < 0 && rc != -EPROTONOSUPPORT) {
			f->garbage++;
			return false;
		}
		skip = feed_replay_skip(&f->cursor, &frame);
		if (rc < 0) {
			pass_over(f, &frame, skip);
			continue;
		}
		f->stats.healed += frame.count - skip;
		f->is_cursor_set = true;
		hand_over_frame(f, &frame, skip);
	}
	return true;
}

static void take_frames(struct feed *f, const json_t *frames, bool has_more, const char *epoch,
			uint64_t head)
{
	struct feed_cursor before = f->cursor;

	if (!take_replayed(f, frames)) {
		retry_later(f);
		return;
	}
	if (f->is_closing || f->state == FEED_PAUSED)
		return;
	if (!has_more && f->is_asked_again) {
		ask_replay(f);
	} else if (!has_more) {
		/* Nothing is behind the last line, so that is where the head is. */
		if (strcmp(f->cursor.epoch, epoch) != 0 || f->cursor.seq < head)
			set_cursor(f, epoch, head);
		go_live(f);
	} else if (memcmp(&before, &f->cursor, sizeof(before)) != 0) {
		ask_replay(f);
	} else {
		retry_later(f);
	}
}

static void on_replay(void *ctx, const json_t *result, int code, const char *message,
		      const json_t *data)
{
	struct feed *f = ctx;
	const json_t *snapshot = json_object_get(result, "snapshot");
	const json_t *frames = json_object_get(result, "frames");
	const char *epoch = json_string_value(json_object_get(result, "epoch"));
	const json_t *head = json_object_get(result, "head");

	(void)message;
	(void)data;
	if (f->is_closing || f->state == FEED_PAUSED)
		return;
	if (code != 0 || epoch == NULL || strlen(epoch) >= sizeof(f->cursor.epoch) ||
	    !json_is_integer(head) || (snapshot == NULL && !json_is_array(frames))) {
		retry_later(f);
		return;
	}
	backoff_ok(&f->backoff);
	if (snapshot != NULL)
		take_snapshot(f, snapshot, epoch, (uint64_t)json_integer_value(head));
	else
		take_frames(f, frames, json_is_true(json_object_get(result, "more")), epoch,
			    (uint64_t)json_integer_value(head));
}

static void ask_replay(struct feed *f)
{
	json_t *params = json_pack("{s:s?, s:I}", "epoch",
				   f->cursor.epoch[0] == '\0' ? NULL : f->cursor.epoch, "after",
				   (json_int_t)f->cursor.seq);

	HALE_ASSERT(params != NULL);
	f->is_asked_again = false;
	if (f->name != NULL)
		(void)json_object_set_new(params, "name", json_string(f->name));
	if (f->wants_snapshot)
		(void)json_object_set_new(params, "snapshot", json_true());
	command_call(f->client, "bus.replay", params, REPLAY_TIMEOUT_MS, on_replay, f);
}

/* ---- life ---- */

/* What was sent since the last answer, or the last frame, did not reach us. */
static void on_connect(void *ctx)
{
	struct feed *f = ctx;

	if (f->is_closing || !f->is_cursor_set || f->state == FEED_PAUSED)
		return;
	if (f->state == FEED_REPLAYING) {
		f->is_asked_again = true;
		return;
	}
	f->state = FEED_REPLAYING;
	ask_replay(f);
}

static int open_sockets(struct feed *f, uv_loop_t *loop, const char *run_dir, struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *bus = path_join(run_dir, FEED_BUS_SOCKET);
	HALE_CLEANUP(cleanup_free) char *haled = path_join(run_dir, FEED_COMMAND_SOCKET);
	int rv;

	rv = call_open(loop, haled, &f->client, err);
	if (rv < 0)
		return rv;
	rv = sub_dial(loop, bus, on_frame, f, &f->sub, err);
	if (rv < 0)
		call_close(f->client, NULL, NULL);
	else
		sub_on_connect(f->sub, on_connect);
	return rv;
}

static void set_start(struct feed *f, const struct feed_plan *plan)
{
	if (plan->start == FEED_FROM_CURSOR && plan->cursor != NULL) {
		f->cursor = *plan->cursor;
		f->is_cursor_set = plan->cursor->epoch[0] != '\0';
	}
	f->wants_snapshot = plan->start == FEED_FROM_SNAPSHOT;
	f->state = plan->start == FEED_FROM_NOW ? FEED_LIVE : FEED_REPLAYING;
}

int feed_open(uv_loop_t *loop, const struct feed_plan *plan, const struct feed_ops *ops, void *ctx,
	      struct feed **feed_r, struct err *err)
{
	struct feed *f = mem_alloc(sizeof(*f));
	int rv;

	HALE_ASSERT(ops->on_line != NULL && ops->on_snapshot != NULL);
	f->ops = *ops;
	f->ctx = ctx;
	rv = open_sockets(f, loop, plan->run_dir, err);
	if (rv < 0) {
		free(f);
		return rv;
	}
	(void)uv_timer_init(loop, &f->retry);
	(void)uv_check_init(loop, &f->batch);
	f->retry.data = f->batch.data = f;
	f->name = plan->name == NULL ? NULL : mem_dup(plan->name);
	set_start(f, plan);
	if (f->state == FEED_REPLAYING)
		ask_replay(f);
	*feed_r = f;
	return 0;
}

void feed_pause(struct feed *f, bool is_paused)
{
	if (f->is_closing || is_paused == (f->state == FEED_PAUSED))
		return;
	(void)uv_timer_stop(&f->retry);
	f->state = is_paused ? FEED_PAUSED : FEED_REPLAYING;
	if (!is_paused)
		ask_replay(f);
}

const struct feed_stats *feed_stats_get(const struct feed *f)
{
	struct feed *own = (struct feed *)(uintptr_t)f;

	own->stats.garbage = f->garbage + sub_stats_get(f->sub)->garbage;
	return &f->stats;
}

const struct feed_cursor *feed_cursor_get(const struct feed *f)
{
	return &f->cursor;
}

static void on_part_closed(void *ctx)
{
	struct feed *f = ctx;
	void (*on_closed)(void *ctx) = f->on_closed;
	void *closed_ctx = f->closed_ctx;

	if (--f->open_parts > 0)
		return;
	while (f->held_first != NULL)
		drop_held(f);
	free(f->name);
	free(f);
	if (on_closed != NULL)
		on_closed(closed_ctx);
}

static void on_handle_closed(uv_handle_t *handle)
{
	on_part_closed(handle->data);
}

void feed_close(struct feed *f, void (*on_closed)(void *ctx), void *ctx)
{
	HALE_ASSERT(!f->is_closing);
	f->is_closing = true;
	f->on_closed = on_closed;
	f->closed_ctx = ctx;
	f->open_parts = 4;
	uv_close((uv_handle_t *)&f->retry, on_handle_closed);
	uv_close((uv_handle_t *)&f->batch, on_handle_closed);
	sub_close(f->sub, on_part_closed, f);
	call_close(f->client, on_part_closed, f);
}
