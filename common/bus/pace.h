/* SPDX-License-Identifier: Apache-2.0 */
/* pace - when haled says "sync": what it costs is a wake-up of every process
 *
 * Pure arithmetic. A sync acknowledges the children's lines and tells every subscriber the newest
 * number, which is how one that missed the last frame learns of it. So one follows each line at
 * once (within PACE_MIN_MS of the one before it), and three more after 1, 10 and 60 s for who was
 * just connecting, or missed that one too; then nothing changes, and one every PACE_IDLE_MS is a
 * sign of life. Children without an acknowledgement send again after PUB_RESEND_MS (pub.h).
 */
#ifndef HALE_BUS_PACE_H
#define HALE_BUS_PACE_H

#include <stdint.h>

#define PACE_MIN_MS  100
#define PACE_IDLE_MS 60000

struct pace {
	int64_t line_ms; /* the newest line; a zeroed struct is right for a start */
	int64_t sync_ms; /* the last sync */
	unsigned said;   /* syncs since that line */
};

/* A line was published, or one that must be acknowledged came. */
void pace_line(struct pace *p, int64_t now_ms);
/* A sync was sent. */
void pace_sync(struct pace *p, int64_t now_ms);
/* How long until the next one; 0: now. */
uint64_t pace_wait(const struct pace *p, int64_t now_ms);

#endif
