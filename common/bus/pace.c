/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/pace.h"

#include "base/cleanup.h"

/* After the newest line. */
static const int64_t follow_ups_ms[] = {0, 1000, 10000};

void pace_line(struct pace *p, int64_t now_ms)
{
	p->line_ms = now_ms;
	p->said = 0;
}

void pace_sync(struct pace *p, int64_t now_ms)
{
	p->sync_ms = now_ms;
	p->said++;
}

uint64_t pace_wait(const struct pace *p, int64_t now_ms)
{
	int64_t due = p->said < ARRAY_LEN(follow_ups_ms) ? p->line_ms + follow_ups_ms[p->said]
							 : p->sync_ms + PACE_IDLE_MS;

	due = HALE_MAX(due, p->sync_ms + PACE_MIN_MS);
	return due > now_ms ? (uint64_t)(due - now_ms) : 0;
}
