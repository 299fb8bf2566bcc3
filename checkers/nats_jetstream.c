/* SPDX-License-Identifier: Apache-2.0 */
#include "nats_jetstream.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "excerpt.h"

#define MS_PER_S 1000.0

struct reading {
	int64_t now_ms;
	nats_metric_fn on_metric;
	void *ctx;
};

static void number(const struct reading *r, const json_t *object, const char *member,
		   const char *metric)
{
	const json_t *value = json_object_get(object, member);

	if (json_is_number(value))
		r->on_metric(r->ctx, metric, json_number_value(value));
}

/* Seconds since a time; none if it never was (year 1). */
static void age(const struct reading *r, const json_t *object, const char *member,
		const char *metric)
{
	const char *text = json_string_value(json_object_get(object, member));
	int64_t at_ms;

	if (text != NULL && clock_parse(text, &at_ms) == 0 && at_ms > 0)
		r->on_metric(r->ctx, metric, (double)(r->now_ms - at_ms) / MS_PER_S);
}

/* New reference; NULL with the error. */
static json_t *parse(const char *json, size_t len, int *rc_r, struct err *err)
{
	json_t *answer = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *error = json_object_get(answer, "error");
	const char *why = json_string_value(json_object_get(error, "description"));
	char got[EXCERPT_SIZE];

	if (!json_is_object(answer)) {
		*rc_r = err_set(err, -EPROTO, "not JSON: %s", excerpt(json, len, got));
	} else if (error != NULL) {
		*rc_r = err_set(err, -ENOENT, "%s",
				why == NULL ? "refused" : excerpt(why, strlen(why), got));
	} else {
		*rc_r = 0;
		return answer;
	}
	json_decref(answer);
	return NULL;
}

static void percent(const struct reading *r, const json_t *state, const char *member,
		    const json_t *config, const char *limit, const char *metric)
{
	double used = json_number_value(json_object_get(state, member));
	double max = json_number_value(json_object_get(config, limit));

	if (max > 0) /* -1 is no limit */
		r->on_metric(r->ctx, metric, 100 * used / max);
}

/* Of a stream with copies: those that are not up to date. */
static void copies(const struct reading *r, const json_t *cluster)
{
	const json_t *replicas = json_object_get(cluster, "replicas");
	size_t behind = 0, i;
	json_t *replica;

	if (!json_is_array(replicas))
		return;
	json_array_foreach ((json_t *)(uintptr_t)replicas, i, replica) {
		bool is_current = json_is_true(json_object_get(replica, "current"));

		behind += !is_current || json_is_true(json_object_get(replica, "offline"));
	}
	r->on_metric(r->ctx, "stream_replicas", (double)json_array_size(replicas));
	r->on_metric(r->ctx, "stream_replicas_behind", (double)behind);
}

int nats_stream_parse(const char *json, size_t len, int64_t now_ms, nats_metric_fn on_metric,
		      void *ctx, struct err *err)
{
	const struct reading r = {.now_ms = now_ms, .on_metric = on_metric, .ctx = ctx};
	const json_t *state, *config;
	json_t *answer;
	int rc;

	answer = parse(json, len, &rc, err);
	if (answer == NULL)
		return rc;
	state = json_object_get(answer, "state");
	config = json_object_get(answer, "config");
	if (!json_is_object(state)) {
		json_decref(answer);
		return err_set(err, -EPROTO, "an answer without the stream's state");
	}
	number(&r, state, "messages", "stream_messages");
	number(&r, state, "bytes", "stream_bytes");
	number(&r, state, "last_seq", "stream_last_sequence");
	number(&r, state, "consumer_count", "stream_consumers");
	percent(&r, state, "messages", config, "max_msgs", "stream_messages_percent");
	percent(&r, state, "bytes", config, "max_bytes", "stream_bytes_percent");
	age(&r, state, "last_ts", "stream_last_age_seconds");
	if (json_number_value(json_object_get(state, "messages")) > 0)
		age(&r, state, "first_ts", "stream_first_age_seconds");
	copies(&r, json_object_get(answer, "cluster"));
	json_decref(answer);
	return 0;
}

int nats_consumer_parse(const char *json, size_t len, int64_t now_ms, nats_metric_fn on_metric,
			void *ctx, struct err *err)
{
	const struct reading r = {.now_ms = now_ms, .on_metric = on_metric, .ctx = ctx};
	json_t *answer;
	int rc;

	answer = parse(json, len, &rc, err);
	if (answer == NULL)
		return rc;
	if (!json_is_number(json_object_get(answer, "num_pending"))) {
		json_decref(answer);
		return err_set(err, -EPROTO, "an answer without the consumer's state");
	}
	number(&r, answer, "num_pending", "consumer_pending");
	number(&r, answer, "num_ack_pending", "consumer_ack_pending");
	number(&r, answer, "num_redelivered", "consumer_redelivered");
	number(&r, answer, "num_waiting", "consumer_waiting");
	age(&r, json_object_get(answer, "delivered"), "last_active",
	    "consumer_delivered_age_seconds");
	age(&r, json_object_get(answer, "ack_floor"), "last_active", "consumer_acked_age_seconds");
	json_decref(answer);
	return 0;
}

int nats_name_check(const char *name, struct err *err)
{
	for (const char *p = name; *p != '\0'; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f || strchr(".*>/\\", *p) != NULL)
			return err_set(err, -EINVAL,
				       "a name without blanks and without . * > / \\");
	}
	return 0;
}
