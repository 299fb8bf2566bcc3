/* SPDX-License-Identifier: Apache-2.0 */
/* What a mail server says. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "smtp_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reply after reply, the first byte says how large the pieces are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_reply r = {0};
	size_t piece = size == 0 ? 1 : data[0] % 64 + 1u;
	size_t at = 0;
	struct err err = {0};
	int rc = 0;

	while (at < size && (rc == 0 || rc == -EAGAIN)) {
		size_t n = HALE_MIN(piece, size - at);
		const char *params = NULL;
		size_t used = 0;

		rc = smtp_reply_feed(&r, (const char *)data + at, n, &used, &err);
		if (rc == 0 || rc == -EAGAIN) {
			if (used > n || (rc == -EAGAIN && used != n))
				abort();
			at += used;
		}
		if (rc == 0 && (r.code < 200 || r.code > 599))
			abort();
		if (rc == 0 && smtp_reply_offers(&r, "AUTH", &params))
			(void)smtp_params_have(params, "PLAIN");
	}
	smtp_reply_done(&r);
	return 0;
}
