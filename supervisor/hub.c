/* SPDX-License-Identifier: Apache-2.0 */
#include "hub.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "model/frame.h"
#include "bus/inbox.h"
#include "bus/pub.h"
#include "bus/replay.h"
#include "bus/ring.h"
#include "bus/sub.h"
#include "service/child_proto.h"

struct hub {
	char epoch[FRAME_EPOCH_MAX];
	struct ring *ring;
	struct inbox *inbox;
	struct journal *journal;
	struct pub *pub;
	struct sub *sub;
	uv_timer_t sync_timer;
	struct hub_hooks hooks;
	uint64_t garbage; /* lines that were no JSON object */
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

	pub_sync(hub->pub, inbox_acks(hub->inbox));
}

static void want_sync(struct hub *hub)
{
	if (!uv_is_active((uv_handle_t *)&hub->sync_timer))
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

	HALE_ASSERT(text != NULL);
	/* The frame leaves at the end of the loop turn, the journal is written now. */
	if (must_survive)
		keep(hub, pub_head(hub->pub) + 1, topic, text, save);
	(void)pub_line(hub->pub, topic, text, strlen(text));
	want_sync(hub);
}

/* ---- life ---- */

static void on_record(void *ctx, const char *epoch, uint64_t seq, const char *topic,
		      const json_t *line, const json_t *save)
{
	struct hub *hub = ctx;
	HALE_CLEANUP(cleanup_free) char *text = json_dumps(line, JSON_WIRE_FLAGS);

	ring_add(hub->ring, epoch, seq, topic, text, strlen(text));
	hub->hooks.on_record(hub->hooks.ctx, epoch, seq, topic, line, save);
}

static int open_sockets(struct hub *hub, uv_loop_t *loop, const char *run_dir, struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *bus = path_join(run_dir, CHILD_SOCKET_BUS);
	HALE_CLEANUP(cleanup_free) char *results = path_join(run_dir, CHILD_SOCKET_RESULTS);
	int rc = pub_listen(loop, bus, hub->epoch, hub->ring, &hub->pub, err);

	if (rc == 0)
		rc = sub_listen(loop, results, on_frame, hub, &hub->sub, err);
	return rc;
}

int hub_open(uv_loop_t *loop, const char *run_dir, const char *state_dir, size_t ring_bytes,
	     const struct hub_hooks *hooks, struct hub **hub_r, struct err *err)
{
	struct hub *hub = mem_alloc(sizeof(*hub));
	int rc;

	hub->hooks = *hooks;
	/* Starts of haled are told apart by when they happened; letters keep it from looking like
	 * a sequence number. */
	(void)snprintf(hub->epoch, sizeof(hub->epoch), "e%llx", (unsigned long long)clock_wall_ms());
	hub->ring = ring_new(ring_bytes);
	hub->inbox = inbox_new();
	(void)uv_timer_init(loop, &hub->sync_timer);
	hub->sync_timer.data = hub;
	rc = journal_open(state_dir, on_record, hub, &hub->journal, err);
	if (rc == 0)
		rc = open_sockets(hub, loop, run_dir, err);
	if (rc < 0) {
		hub_close(hub);
		return rc;
	}
	*hub_r = hub;
	return 0;
}

void hub_forget(struct hub *hub, const char *service, uint64_t generation)
{
	HALE_CLEANUP(cleanup_free)
	char *epoch = mem_printf("%s:%llu", service, (unsigned long long)generation);

	inbox_forget(hub->inbox, epoch);
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
