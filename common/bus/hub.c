/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/hub.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "model/frame.h"
#include "bus/handover.h"
#include "bus/inbox.h"
#include "bus/pub.h"
#include "bus/replay.h"
#include "bus/ring.h"
#include "bus/sub.h"

struct hub {
	char epoch[FRAME_EPOCH_MAX];
	struct ring *ring;
	struct inbox *inbox;
	struct journal *journal;
	struct pub *pub;
	struct sub *sub;
	uv_timer_t sync_timer;
	bool is_sync_wanted; /* within BUS_SYNC_MS */
	struct hub_hooks hooks;
	uint64_t garbage;                   /* lines that were no JSON object */
	char record_epoch[FRAME_EPOCH_MAX]; /* of the last journal record, and its seq */
	uint64_t record_seq;
};

/* ---- what comes in ---- */

static void on_child_line(void *ctx, const char *epoch, const char *topic, uint64_t seq,
			  const char *text, size_t len)
{
	struct hub *hub = ctx;
	const char *colon = strrchr(epoch, ':');
	json_t *line = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

	(void)seq;
	if (colon != NULL && json_is_object(line)) {
		HALE_CLEANUP(cleanup_free)
		char *service = mem_dupn(epoch, (size_t)(colon - epoch));

		hub->hooks.on_line(hub->hooks.ctx, service, strtoull(colon + 1, NULL, 10), topic,
				   line);
	} else {
		hub->garbage++;
	}
	json_decref(line);
}

static void on_sync_due(uv_timer_t *timer)
{
	struct hub *hub = timer->data;

	hub->is_sync_wanted = false;
	pub_sync(hub->pub, inbox_acks(hub->inbox));
	(void)uv_timer_start(timer, on_sync_due, HUB_SYNC_IDLE_MS, 0);
}

static void want_sync(struct hub *hub)
{
	if (hub->is_sync_wanted)
		return;
	hub->is_sync_wanted = true;
	(void)uv_timer_start(&hub->sync_timer, on_sync_due, BUS_SYNC_MS, 0);
}

static void on_frame(void *ctx, const struct frame *frame)
{
	struct hub *hub = ctx;

	if (inbox_accept(hub->inbox, frame, on_child_line, hub))
		want_sync(hub);
}

/* ---- what goes out ---- */

static void keep(struct hub *hub, uint64_t seq, const char *topic, const char *text,
		 const json_t *save)
{
	HALE_CLEANUP(cleanup_free)
	char *saved = save == NULL ? NULL : json_dumps(save, JSON_WIRE_FLAGS);
	int rc = journal_add(hub->journal, hub->epoch, seq, topic, text, saved);

	if (rc < 0 && rc != -EALREADY)
		log_error("journal cannot be written; transitions are safe only while haled lives",
			  KV_S("error", strerror(-rc)));
}

void hub_publish(struct hub *hub, const char *topic, const json_t *line, const json_t *save,
		 bool must_survive)
{
	HALE_CLEANUP(cleanup_free) char *text = json_dumps(line, JSON_WIRE_FLAGS);
	uint64_t seq;

	HALE_ASSERT(text != NULL);
	seq = pub_line(hub->pub, topic, text, strlen(text));
	if (seq == 0) {
		log_error("message dropped: longer than a frame may be", KV_S("topic", topic),
			  KV_I("bytes", strlen(text)));
		return;
	}
	/* Its frame leaves with a later call, at the end of the loop turn at the latest; the
	 * journal is written now. */
	if (must_survive)
		keep(hub, seq, topic, text, save);
	want_sync(hub);
}

/* ---- life ---- */

static uint64_t start_of(const char *epoch)
{
	return epoch[0] == 'e' ? strtoull(epoch + 1, NULL, 16) : 0;
}

bool hub_is_earlier(const char *epoch, const char *other)
{
	return start_of(epoch) < start_of(other);
}

/* A journal that was damaged, or edited, must not stop haled from starting. */
static bool is_sound(const struct hub *hub, const char *epoch, uint64_t seq, const char *topic)
{
	if (epoch[0] == '\0' || strlen(epoch) >= FRAME_EPOCH_MAX || topic[0] == '\0' ||
	    strlen(topic) >= FRAME_TOPIC_MAX)
		return false;
	return !str_eq(epoch, hub->record_epoch) || seq > hub->record_seq;
}

static void on_record(void *ctx, const char *epoch, uint64_t seq, const char *topic,
		      const json_t *line, const json_t *save)
{
	struct hub *hub = ctx;
	HALE_CLEANUP(cleanup_free) char *text = NULL;

	if (!is_sound(hub, epoch, seq, topic))
		return;
	memcpy(hub->record_epoch, epoch, strlen(epoch) + 1);
	hub->record_seq = seq;
	text = json_dumps(line, JSON_WIRE_FLAGS);
	ring_add(hub->ring, epoch, seq, topic, text, strlen(text));
	hub->hooks.on_record(hub->hooks.ctx, epoch, seq, topic, line, save);
}

static int open_sockets(struct hub *hub, uv_loop_t *loop, const struct hub_home *home,
			struct err *err)
{
	int rc = pub_listen(loop, home->bus, hub->epoch, hub->ring, &hub->pub, err);

	if (rc == 0)
		rc = sub_listen(loop, home->results, on_frame, hub, &hub->sub, err);
	return rc;
}

/* Starts of haled are told apart by when they happened, and later ones are later even if the clock
 * was set back; the letter keeps it from looking like a sequence number. */
static void name_epoch(struct hub *hub)
{
	uint64_t start = (uint64_t)clock_wall_ms();

	if (start <= start_of(hub->record_epoch))
		start = start_of(hub->record_epoch) + 1;
	(void)snprintf(hub->epoch, sizeof(hub->epoch), "e%llx", (unsigned long long)start);
}

/* The past comes from the program before this one, or from the journal; what the former handed over
 * holds all that is in the journal. */
static int open_past(struct hub *hub, const struct hub_home *home, uint64_t *head_r,
		     struct err *err)
{
	struct handover h = {0};
	int rc;

	if (home->handover == NULL) {
		rc = journal_open(home->state_dir, on_record, hub, &hub->journal, err);
		name_epoch(hub);
		return rc;
	}
	rc = handover_read(home->handover, home->handover_len, &h, hub->ring, hub->inbox, err);
	if (rc < 0)
		return rc;
	memcpy(hub->epoch, h.epoch, sizeof(h.epoch));
	*head_r = h.head;
	return journal_open(home->state_dir, NULL, NULL, &hub->journal, err);
}

int hub_open(uv_loop_t *loop, const struct hub_home *home, const struct hub_hooks *hooks,
	     struct hub **hub_r, struct err *err)
{
	struct hub *hub = mem_alloc(sizeof(*hub));
	uint64_t head = 0;
	int rc;

	hub->hooks = *hooks;
	hub->ring = ring_new(home->ring_bytes);
	hub->inbox = inbox_new();
	(void)uv_timer_init(loop, &hub->sync_timer);
	hub->sync_timer.data = hub;
	rc = open_past(hub, home, &head, err);
	if (rc == 0)
		rc = open_sockets(hub, loop, home, err);
	if (rc < 0) {
		hub_close(hub);
		return rc;
	}
	pub_continue(hub->pub, head);
	(void)uv_timer_start(&hub->sync_timer, on_sync_due, HUB_SYNC_IDLE_MS, 0);
	*hub_r = hub;
	return 0;
}

int hub_hand_over(struct hub *hub, int fd, struct err *err)
{
	struct handover h = {.head = pub_head(hub->pub)};

	memcpy(h.epoch, hub->epoch, sizeof(h.epoch));
	pub_flush(hub->pub);
	return handover_write(fd, &h, hub->ring, hub->inbox, err);
}

void hub_forget(struct hub *hub, const char *service, uint64_t generation)
{
	json_t *known = inbox_acks(hub->inbox);
	size_t len = strlen(service);
	const char *epoch;
	json_t *seq;

	json_object_foreach (json_object_get(known, "acks"), epoch, seq) {
		if (strncmp(epoch, service, len) == 0 && epoch[len] == ':' &&
		    strtoull(epoch + len + 1, NULL, 10) < generation)
			inbox_forget(hub->inbox, epoch);
	}
	json_decref(known);
}

json_t *hub_replay(struct hub *hub, const json_t *params, json_t *(*snapshot)(void *ctx), void *ctx,
		   struct err *err)
{
	return replay_answer(hub->ring, params, hub->epoch, pub_head(hub->pub), snapshot, ctx, err);
}

const char *hub_epoch(const struct hub *hub)
{
	return hub->epoch;
}

uint64_t hub_head(const struct hub *hub)
{
	return pub_head(hub->pub);
}

json_t *hub_stats(const struct hub *hub)
{
	const struct pub_stats *out = pub_stats_get(hub->pub);
	const struct sub_stats *in = sub_stats_get(hub->sub);
	const struct inbox_stats *box = inbox_stats_get(hub->inbox);

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "published_lines",
			 (json_int_t)out->lines, "published_frames", (json_int_t)out->frames,
			 "published_bytes", (json_int_t)out->bytes, "received_lines",
			 (json_int_t)box->lines, "received_duplicates", (json_int_t)box->duplicates,
			 "received_gaps", (json_int_t)box->gaps, "lost", (json_int_t)box->skipped,
			 "garbage", (json_int_t)(in->garbage + hub->garbage), "ring_bytes",
			 (json_int_t)ring_bytes(hub->ring), "ring_evicted",
			 (json_int_t)ring_evicted(hub->ring));
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct hub *hub = handle->data;

	ring_free(hub->ring);
	inbox_free(hub->inbox);
	free(hub);
}

static void on_pub_closed(void *ctx)
{
	struct hub *hub = ctx;

	uv_close((uv_handle_t *)&hub->sync_timer, on_timer_closed);
}

static void on_sub_closed(void *ctx)
{
	struct hub *hub = ctx;

	if (hub->pub != NULL)
		pub_close(hub->pub, on_pub_closed, hub);
	else
		on_pub_closed(hub);
}

void hub_close(struct hub *hub)
{
	if (hub == NULL)
		return;
	(void)uv_timer_stop(&hub->sync_timer);
	journal_close(hub->journal);
	hub->journal = NULL;
	if (hub->sub != NULL)
		sub_close(hub->sub, on_sub_closed, hub);
	else
		on_sub_closed(hub);
}
