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
#include "bus/losses.h"
#include "bus/pace.h"
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
	uv_timer_t sync_timer, loss_timer;
	struct pace pace;
	bool is_sync_due; /* the timer waits for no follow-up, but for the next sync there may be */
	struct losses *losses;
	struct hub_hooks hooks;
	uint64_t bad_lines;                 /* no JSON object */
	uint64_t unknown_topics;            /* lines */
	char record_epoch[FRAME_EPOCH_MAX]; /* of the last journal record, and its seq */
	uint64_t record_seq;
};

/* ---- what comes in ---- */

/* Once, twice, four times: a child that goes on like that does not fill the log. */
static void tell_dropped(uint64_t count, const char *why, const char *service, const char *topic)
{
	if ((count & (count - 1)) == 0)
		log_warn(why, KV_S("process", service), KV_S("topic", topic),
			 KV_I("so_far", count));
}

static bool is_childs_topic(const char *topic)
{
	static const char *const topics[] = {TOPIC_OBSERVATION, TOPIC_ALERT, TOPIC_RECONCILE,
					     TOPIC_ACTION, TOPIC_EVENT};

	for (size_t i = 0; i < ARRAY_LEN(topics); i++) {
		if (str_eq(topic, topics[i]))
			return true;
	}
	return false;
}

static void on_child_line(void *ctx, const char *service, uint64_t generation, const char *topic,
			  uint64_t seq, const char *text, size_t len)
{
	struct hub *hub = ctx;
	json_t *line;

	(void)seq;
	if (!is_childs_topic(topic)) {
		tell_dropped(++hub->unknown_topics, "message with unknown topic dropped", service,
			     topic);
		return;
	}
	if (hub->hooks.on_text != NULL &&
	    hub->hooks.on_text(hub->hooks.ctx, service, topic, text, len))
		return;
	line = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(line))
		hub->hooks.on_line(hub->hooks.ctx, service, generation, topic, line);
	else
		tell_dropped(++hub->bad_lines, "message dropped: it is no JSON object", service,
			     topic);
	json_decref(line);
}

/* ---- losses ---- */

static void arm_losses(struct hub *hub);

static void report_loss(struct hub *hub, const struct loss_report *r)
{
	HALE_CLEANUP(cleanup_free)
	char *message = mem_printf(r->leg == LOSS_IN ? "%s gave up %llu lines: haled did not take "
						       "them in time"
						     : "%s missed %llu lines or more: the replay "
						       "ring no longer had them (bus.ring)",
				   r->process, (unsigned long long)r->lines);

	log_warn("lines were lost", KV_S("process", r->process), KV_S("leg", loss_leg_name(r->leg)),
		 KV_I("lines", r->lines), KV_I("total", r->total));
	hub->hooks.on_loss(hub->hooks.ctx, r->process, message,
			   json_pack("{s:s, s:I, s:I}", "leg", loss_leg_name(r->leg), "lines",
				     (json_int_t)r->lines, "total", (json_int_t)r->total));
}

static void on_losses_due(uv_timer_t *timer)
{
	struct hub *hub = timer->data;
	struct loss_report r;

	while (losses_take(hub->losses, clock_mono_ms(), &r))
		report_loss(hub, &r);
	arm_losses(hub);
}

static void arm_losses(struct hub *hub)
{
	int64_t due = losses_due(hub->losses);

	if (due == INT64_MAX)
		return;
	due -= clock_mono_ms();
	(void)uv_timer_start(&hub->loss_timer, on_losses_due, due > 0 ? (uint64_t)due : 0, 0);
}

static void add_loss(struct hub *hub, enum loss_leg leg, const char *process, uint64_t lines)
{
	losses_add(hub->losses, leg, process, lines, clock_mono_ms());
	if (!uv_is_active((uv_handle_t *)&hub->loss_timer))
		arm_losses(hub);
}

static void on_child_lost(void *ctx, const char *service, uint64_t lines)
{
	add_loss(ctx, LOSS_IN, service, lines);
}

/* ---- the pace of syncs ---- */

static void on_sync_due(uv_timer_t *timer)
{
	struct hub *hub = timer->data;

	pub_sync(hub->pub, inbox_acks(hub->inbox));
	pace_sync(&hub->pace, clock_mono_ms());
	hub->is_sync_due = false;
	(void)uv_timer_start(timer, on_sync_due, pace_wait(&hub->pace, clock_mono_ms()), 0);
}

static void want_sync(struct hub *hub)
{
	int64_t now = clock_mono_ms();

	pace_line(&hub->pace, now);
	if (hub->is_sync_due)
		return;
	hub->is_sync_due = true;
	/* Due now is when this loop turn has ended, and with it all lines of it were sent. */
	(void)uv_timer_start(&hub->sync_timer, on_sync_due, pace_wait(&hub->pace, now), 0);
}

static void on_frame(void *ctx, const struct frame *frame)
{
	static const struct inbox_ops ops = {.on_line = on_child_line, .on_lost = on_child_lost};
	struct hub *hub = ctx;

	if (inbox_accept(hub->inbox, frame, &ops, hub))
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

void hub_publish_text(struct hub *hub, const char *topic, const char *text, const json_t *save,
		      bool must_survive)
{
	uint64_t seq;

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

void hub_publish(struct hub *hub, const char *topic, const json_t *line, const json_t *save,
		 bool must_survive)
{
	HALE_CLEANUP(cleanup_free) char *text = json_dumps(line, JSON_WIRE_FLAGS);

	HALE_ASSERT(text != NULL);
	hub_publish_text(hub, topic, text, save, must_survive);
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
	/* Whoever may listen may not therefore report. */
	const struct bus_access own =
		home->access == NULL ? BUS_ACCESS_OWNER : bus_access_private(home->access);
	int rc = pub_listen(loop, home->bus, home->access, hub->epoch, hub->ring, &hub->pub, err);

	if (rc == 0)
		rc = sub_listen(loop, home->results, &own, on_frame, hub, &hub->sub, err);
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
	hub->losses = losses_new();
	(void)uv_timer_init(loop, &hub->sync_timer);
	(void)uv_timer_init(loop, &hub->loss_timer);
	hub->sync_timer.data = hub->loss_timer.data = hub;
	rc = open_past(hub, home, &head, err);
	if (rc == 0)
		rc = open_sockets(hub, loop, home, err);
	if (rc < 0) {
		hub_close(hub);
		return rc;
	}
	pub_continue(hub->pub, head);
	want_sync(hub);
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

void hub_resize(struct hub *hub, size_t ring_bytes)
{
	ring_resize(hub->ring, ring_bytes);
}

void hub_forget(struct hub *hub, const char *service, uint64_t generation)
{
	inbox_retire(hub->inbox, service, generation);
}

json_t *hub_replay(struct hub *hub, const json_t *params, json_t *(*snapshot)(void *ctx), void *ctx,
		   struct err *err)
{
	json_t *answer = replay_answer(hub->ring, params, hub->epoch, pub_head(hub->pub), snapshot,
				       ctx, err);
	const char *who;
	uint64_t lost = answer == NULL ? 0 : replay_lost(params, answer, &who);

	if (lost > 0)
		add_loss(hub, LOSS_OUT, who, lost);
	return answer;
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
	const struct {
		const char *name;
		uint64_t value;
	} counters[] = {
		{"published_lines", out->lines},
		{"published_frames", out->frames},
		{"published_bytes", out->bytes},
		{"received_lines", box->lines},
		{"received_duplicates", box->duplicates},
		{"received_gaps", box->gaps},
		{"received_late", box->late},
		{"lost", box->skipped},
		{"missed", losses_total(hub->losses, LOSS_OUT)},
		{"garbage", in->garbage + hub->bad_lines},
		{"unknown", in->unknown + hub->unknown_topics},
		{"refused_peers", in->refused + out->refused},
		{"refused_frames", box->refused},
		{"reopened", in->reopened + out->reopened},
		{"ring_bytes", ring_bytes(hub->ring)},
		{"ring_evicted", ring_evicted(hub->ring)},
	};
	json_t *stats = json_object();

	for (size_t i = 0; i < ARRAY_LEN(counters); i++)
		(void)json_object_set_new(stats, counters[i].name,
					  json_integer((json_int_t)counters[i].value));
	(void)json_object_set_new(stats, "losses", losses_encode(hub->losses));
	return stats;
}

static void on_timers_closed(uv_handle_t *handle)
{
	struct hub *hub = handle->data;

	ring_free(hub->ring);
	inbox_free(hub->inbox);
	losses_free(hub->losses);
	free(hub);
}

static void on_sync_timer_closed(uv_handle_t *handle)
{
	struct hub *hub = handle->data;

	uv_close((uv_handle_t *)&hub->loss_timer, on_timers_closed);
}

static void on_pub_closed(void *ctx)
{
	struct hub *hub = ctx;

	uv_close((uv_handle_t *)&hub->sync_timer, on_sync_timer_closed);
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
	(void)uv_timer_stop(&hub->loss_timer);
	journal_close(hub->journal);
	hub->journal = NULL;
	if (hub->sub != NULL)
		sub_close(hub->sub, on_sub_closed, hub);
	else
		on_sub_closed(hub);
}
