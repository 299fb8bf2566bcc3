/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/feed_logic.h"

#include <string.h>

#include "base/cleanup.h"

static bool is_sync(const struct frame *f)
{
	return strcmp(f->topic, TOPIC_SYNC) == 0;
}

enum feed_verdict feed_judge(const struct feed_cursor *cursor, const struct frame *f,
			     uint64_t *skip_r)
{
	if (strcmp(cursor->epoch, f->epoch) != 0)
		return FEED_GAP;
	if (is_sync(f))
		return f->first_seq > cursor->seq ? FEED_GAP : FEED_OLD;
	if (f->first_seq > cursor->seq + 1)
		return FEED_GAP;
	if (f->first_seq + f->count <= cursor->seq + 1)
		return FEED_OLD;
	*skip_r = cursor->seq + 1 - f->first_seq;
	return FEED_NEXT;
}

void feed_cursor_before(const struct frame *f, struct feed_cursor *cursor_r)
{
	memcpy(cursor_r->epoch, f->epoch, sizeof(cursor_r->epoch));
	cursor_r->seq = is_sync(f) || f->first_seq == 0 ? f->first_seq : f->first_seq - 1;
}

uint64_t feed_replay_skip(const struct feed_cursor *cursor, const struct frame *f)
{
	if (strcmp(cursor->epoch, f->epoch) != 0 || f->first_seq > cursor->seq)
		return 0;
	return HALE_MIN(cursor->seq + 1 - f->first_seq, (uint64_t)f->count);
}
