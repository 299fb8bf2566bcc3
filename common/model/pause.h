/* SPDX-License-Identifier: Apache-2.0 */
/* pause - whether monitoring is stopped, since when, until when and why
 *
 * Pure: times are wall ms, given. A pause without an end is reminded of, so that it is not
 * forgotten.
 *
 * Ownership: caller owns struct pause; zero-initialised is valid and means: monitoring goes on.
 * Errors:    -EINVAL for saved JSON that is none of ours; the pause is then left as it was.
 */
#ifndef HALE_MODEL_PAUSE_H
#define HALE_MODEL_PAUSE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* A sentence. */
#define PAUSE_REASON_MAX 256
#define PAUSE_REMIND_MS  3600000
/* A year: what is meant to be longer is `enabled: false`. */
#define PAUSE_FOR_MAX_MS (366LL * 24 * 3600 * 1000)

struct pause {
	bool is_active;
	int64_t since_ms;
	int64_t until_ms; /* 0: until somebody resumes */
	int64_t told_ms;  /* the last reminder; 0: none since haled started */
	char reason[PAUSE_REASON_MAX];
};

enum pause_event { PAUSE_NOTHING, PAUSE_REMIND, PAUSE_OVER };

/* for_ms 0: no end. reason may be NULL. A pause that is active already keeps its beginning. */
void pause_begin(struct pause *p, int64_t for_ms, const char *reason, int64_t now_ms);
void pause_end(struct pause *p);
/* Asked about once a second. */
enum pause_event pause_tick(struct pause *p, int64_t now_ms);
/* {"active": bool, "since", "until", "reason"}, the last three null where there is none. New
 * reference. */
json_t *pause_encode(const struct pause *p);
int pause_decode(struct pause *p, const json_t *saved);

#endif
