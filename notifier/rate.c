/* SPDX-License-Identifier: Apache-2.0 */
#include "rate.h"

#include <stdlib.h>

#include "base/mem.h"

void rate_init(struct rate *r, uint32_t per_minute)
{
	*r = (struct rate){.n = per_minute};
	r->at_ms = per_minute > 0 ? mem_array(per_minute, sizeof(*r->at_ms)) : NULL;
}

void rate_done(struct rate *r)
{
	free(r->at_ms);
	*r = (struct rate){0};
}

int64_t rate_when(const struct rate *r, int64_t now_ms)
{
	int64_t oldest = r->n > 0 ? r->at_ms[r->next] : 0;

	if (oldest == 0)
		return now_ms;
	return HALE_MIN(oldest, now_ms) + RATE_WINDOW_MS;
}

void rate_take(struct rate *r, int64_t now_ms)
{
	if (r->n == 0)
		return;
	r->at_ms[r->next] = now_ms;
	r->next = (r->next + 1) % r->n;
}
