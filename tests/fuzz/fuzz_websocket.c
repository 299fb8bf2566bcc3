/* SPDX-License-Identifier: Apache-2.0 */
/* What a WebSocket server answers to the handshake, and its frames. */
#include <stdint.h>
#include <stdlib.h>

#include "ws_client.h"
#include "ws_upgrade.h"

#define MESSAGE_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_event(void *ctx, enum ws_event event, const char *data, size_t len, unsigned code)
{
	size_t *sum = ctx;

	if (data == NULL || len > MESSAGE_MAX || (event != WS_EVENT_CLOSE && code != 0))
		abort();
	/* All of it can be read. */
	for (size_t i = 0; i < len; i++)
		*sum += (unsigned char)data[i];
}

/* In two pieces, as the network might cut them. */
static void feed_frames(const char *data, size_t size)
{
	size_t sum = 0;
	struct ws_client *w = ws_client_new(MESSAGE_MAX, on_event, &sum);
	size_t cut = size == 0 ? 0 : (unsigned char)data[0] % size;
	struct err err = {0};

	ws_client_ping(w, "x", 1);
	if (ws_client_feed(w, data, cut, &err) == 0)
		(void)ws_client_feed(w, data + cut, size - cut, &err);
	ws_client_close(w);
	(void)ws_client_out(w);
	ws_client_free(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct strlist none = {0};
	struct ws_answer answer;
	struct err err = {0};
	size_t used = 0;

	if (ws_answer_parse((const char *)data, size, &answer, &used, &err) == 0) {
		if (used > size)
			abort();
		(void)ws_answer_check(&answer, "dGhlIHNhbXBsZSBub25jZQ==", &none, &err);
		feed_frames((const char *)data + used, size - used);
	}
	feed_frames((const char *)data, size);
	return 0;
}
