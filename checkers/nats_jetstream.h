/* SPDX-License-Identifier: Apache-2.0 */
/* nats_jetstream - what JetStream answers about a stream and a consumer, as metrics
 *
 * Pure. The answers are JSON (docs.nats.io, "JetStream wire API": STREAM.INFO, CONSUMER.INFO); what
 * is not there gives no metric.
 */
#ifndef HALE_CHECKERS_NATS_JETSTREAM_H
#define HALE_CHECKERS_NATS_JETSTREAM_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

typedef void (*nats_metric_fn)(void *ctx, const char *name, double value);

/* 0; -EPROTO: this is no such answer; -ENOENT: JetStream says no, in its own words. */
int nats_stream_parse(const char *json, size_t len, int64_t now_ms, nats_metric_fn on_metric,
		      void *ctx, struct err *err);
int nats_consumer_parse(const char *json, size_t len, int64_t now_ms, nats_metric_fn on_metric,
			void *ctx, struct err *err);

/* May it stand in a subject of the API? Stream and consumer names have no dots. */
int nats_name_check(const char *name, struct err *err);

#endif
