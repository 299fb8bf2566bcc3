/* SPDX-License-Identifier: Apache-2.0 */
#include "service/service_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "model/component.h"
#include "service/child_proto.h"

/* What a child keeps while haled does not acknowledge: about 100,000 observations, more than haled
 * needs minutes for to come back, and little against the limit on data (confine.c). */
#define OUTBOX_BYTES ((size_t)32 << 20)

/* ---- Acknowledgements ---- */

static void take_sync(struct service *s, const json_t *object)
{
	const json_t *ack = json_object_get(json_object_get(object, "acks"), s->epoch);

	if (s->pub == NULL || !json_is_integer(ack) || json_integer_value(ack) < 0)
		return;
	pub_acked(s->pub, (uint64_t)json_integer_value(ack));
	service_advance(s);
}

/* Those who do not follow the bus hear only this one topic of it. */
static void on_sync_frame(void *ctx, const struct frame *frame)
{
	struct service *s = ctx;
	size_t cursor = 0;
	const char *line;
	size_t len;

	if (!str_eq(frame->topic, TOPIC_SYNC))
		return;
	while (frame_line(frame, &cursor, &line, &len)) {
		json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);

		take_sync(s, object);
		json_decref(object);
	}
}

/* ---- The feed, with our own look at its sync frames ---- */

static bool feed_text(void *ctx, const char *topic, const char *epoch, uint64_t seq,
		      const char *line, size_t len)
{
	struct service *s = ctx;

	return s->feed_ops->on_text != NULL &&
	       s->feed_ops->on_text(s->feed_ctx, topic, epoch, seq, line, len);
}

static void feed_line(void *ctx, const char *topic, const char *epoch, uint64_t seq,
		      const json_t *object)
{
	struct service *s = ctx;

	if (s->feed_ops->on_line != NULL)
		s->feed_ops->on_line(s->feed_ctx, topic, epoch, seq, object);
}

static void feed_snapshot(void *ctx, const json_t *snapshot)
{
	struct service *s = ctx;

	if (s->feed_ops->on_snapshot != NULL)
		s->feed_ops->on_snapshot(s->feed_ctx, snapshot);
}

static void feed_batch(void *ctx, const struct feed_cursor *cursor)
{
	struct service *s = ctx;

	if (s->feed_ops->on_batch != NULL)
		s->feed_ops->on_batch(s->feed_ctx, cursor);
}

static void feed_sync(void *ctx, const json_t *object)
{
	struct service *s = ctx;

	take_sync(s, object);
	if (s->feed_ops->on_sync != NULL)
		s->feed_ops->on_sync(s->feed_ctx, object);
}

static const struct feed_ops feed_relay = {
	.on_text = feed_text,
	.on_line = feed_line,
	.on_snapshot = feed_snapshot,
	.on_batch = feed_batch,
	.on_sync = feed_sync,
};

int service_feed_open(struct service *s, enum feed_start from, const struct feed_cursor *cursor,
		      const struct feed_ops *ops, void *ctx, struct err *err)
{
	HALE_ASSERT(s->ops->has_feed && s->feed == NULL);
	s->feed_ops = ops;
	s->feed_ctx = ctx;
	return feed_open(
		&s->loop,
		&(struct feed_plan){
			.run_dir = s->run_dir, .name = s->name, .start = from, .cursor = cursor},
		&feed_relay, s, &s->feed, err);
}

void service_feed_pause(struct service *s, bool is_paused)
{
	if (s->feed != NULL)
		feed_pause(s->feed, is_paused);
}

/* ---- Publishing and calling ---- */

void service_publish(struct service *s, const char *topic, json_t *object)
{
	char now[CLOCK_TEXT_MAX];

	if (s->pub == NULL) {
		/* A cancelled request may still report while the handles are closing. */
		json_decref(object);
		return;
	}
	if (json_object_get(object, "at") == NULL)
		json_object_set_new(object, "at", json_string(clock_now_text(now)));
	if (json_object_get(object, "node") == NULL)
		json_object_set_new(object, "node", json_string(s->node));
	pub_json(s->pub, topic, object);
}

void service_health(struct service *s, enum outcome outcome, enum reason reason,
		    const char *message, json_t *metrics)
{
	struct observation o = {.at_ms = clock_wall_ms(), .outcome = outcome, .metrics = metrics};
	HALE_CLEANUP(cleanup_free) char *component = mem_printf(COMPONENT_OWN_PREFIX "%s", s->name);

	(void)snprintf(o.reason, sizeof(o.reason), "%s", reason_code(reason));
	observation_message(&o, message);
	service_publish(s, TOPIC_OBSERVATION, observation_encode(&o, component, s->node));
	observation_done(&o);
}

void service_call(struct service *s, const char *process, const char *method, json_t *params,
		  uint32_t timeout_ms, command_result_fn on_result, void *ctx)
{
	if (s->phase == SERVICE_CLOSING) {
		json_decref(params);
		on_result(ctx, NULL, COMMAND_E_NO_PEER, "this process is stopping", NULL);
		return;
	}
	peers_call(&s->peers, process, method, params, timeout_ms, on_result, ctx);
}

/* ---- Opening and closing ---- */

int service_bus_open(struct service *s, struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *results = path_join(s->run_dir, CHILD_SOCKET_RESULTS);
	HALE_CLEANUP(cleanup_free) char *bus = path_join(s->run_dir, CHILD_SOCKET_BUS);
	HALE_CLEANUP(cleanup_free) char *name = mem_printf("%s.ipc", s->name);
	HALE_CLEANUP(cleanup_free) char *commands = path_join(s->run_dir, name);
	const struct bus_access access = bus_access_within(s->run_dir);
	int rc;

	s->epoch = mem_printf("%s:%" PRIu64, s->name, s->generation);
	s->methods = service_methods(s->ops);
	peers_init(&s->peers, &s->loop, s->run_dir);
	rc = pub_dial(&s->loop, results, s->epoch, OUTBOX_BYTES, &s->pub, err);
	if (rc == 0 && !s->ops->has_feed)
		rc = sub_dial_topic(&s->loop, bus, TOPIC_SYNC, on_sync_frame, s, &s->sync, err);
	return rc < 0 ? rc
		      : command_listen(&s->loop, commands, &access, s->methods, s, &s->server, err);
}

void service_bus_close(struct service *s)
{
	if (s->server != NULL)
		command_close(TAKE_PTR(s->server), NULL, NULL);
	if (s->feed != NULL)
		feed_close(TAKE_PTR(s->feed), NULL, NULL);
	if (s->sync != NULL)
		sub_close(TAKE_PTR(s->sync), NULL, NULL);
	peers_close(&s->peers);
	if (s->http != NULL)
		s->close_http(TAKE_PTR(s->http));
	if (s->pub != NULL)
		pub_close(TAKE_PTR(s->pub), NULL, NULL);
}
