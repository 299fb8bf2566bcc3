/* SPDX-License-Identifier: Apache-2.0 */
/* What a NATS server says, and what its JetStream answers. */
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "nats_jetstream.h"
#include "nats_proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_metric(void *ctx, const char *name, double value)
{
	size_t *n = ctx;

	if (!isfinite(value) || name[0] == '\0')
		abort();
	(*n)++;
}

static void look_at(const struct nats_message *m)
{
	size_t n = 0;

	if (m->op == NATS_MSG) {
		if (m->payload == NULL || m->payload[m->payload_len] != '\0')
			abort();
		(void)nats_stream_parse(m->payload, m->payload_len, 0, on_metric, &n, NULL);
	} else {
		n += strlen(m->text);
	}
}

/* Operation after operation, the first byte says how large the pieces are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nats_proto p = {0};
	size_t piece = size == 0 ? 1 : data[0] % 64 + 1u;
	size_t at = 0, n = 0;
	struct err err = {0};
	int rc = 0;

	while (at < size && (rc == 0 || rc == -EAGAIN)) {
		size_t len = HALE_MIN(piece, size - at);
		size_t used = 0;

		rc = nats_proto_feed(&p, (const char *)data + at, len, &used, &err);
		if ((rc == 0 || rc == -EAGAIN) && (used > len || (rc == -EAGAIN && used != len)))
			abort();
		at += used;
		if (rc == 0)
			look_at(&p.message);
	}
	nats_proto_done(&p);
	(void)nats_stream_parse((const char *)data, size, 1700000000000, on_metric, &n, &err);
	(void)nats_consumer_parse((const char *)data, size, 1700000000000, on_metric, &n, &err);
	return 0;
}
