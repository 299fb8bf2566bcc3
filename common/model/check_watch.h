/* SPDX-License-Identifier: Apache-2.0 */
/* check_watch - when a program is restarted because a check of it fails (on_check_failure)
 *
 * A component that is bad without a break for after_ms has its program restarted; time in which
 * the program was not ready does not count, so that each start gets as long anew. After `limit`
 * restarts within the window it is said once that this does not help, and nothing more is done
 * until no component is bad.
 *
 * Pure. Times are monotonic ms. Ownership: check_watch_done frees.
 */
#ifndef HALE_MODEL_CHECK_WATCH_H
#define HALE_MODEL_CHECK_WATCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Restarts remembered; a larger limit counts as this. */
#define CHECK_WATCH_LIMIT_MAX 32

struct check_watch_rule {
	int64_t after_ms;
	uint32_t limit;
	int64_t window_ms;
};

struct check_watch {
	int64_t *bad_since_ms; /* of each component; 0: it is not bad */
	size_t n;
	int64_t restarts_ms[CHECK_WATCH_LIMIT_MAX]; /* a ring */
	uint32_t restarts_n;
	bool has_given_up; /* said; waits for recovery */
};

enum check_watch_verdict {
	CHECK_WATCH_NOTHING,
	CHECK_WATCH_RESTART,
	CHECK_WATCH_GIVE_UP, /* it is to be said that the limit is reached */
};

/* For n components; forgets what was known of others. */
void check_watch_init(struct check_watch *w, size_t n);
void check_watch_done(struct check_watch *w);
/* How component i stands; true if that is another than before. */
bool check_watch_feed(struct check_watch *w, size_t i, bool is_bad, int64_t now_ms);
/* `ready_since_ms`: the program's; 0: it is not ready. *which_r: the component, if a verdict. */
enum check_watch_verdict check_watch_step(struct check_watch *w,
					  const struct check_watch_rule *rule,
					  int64_t ready_since_ms, int64_t now_ms, size_t *which_r);
/* When to look again if nothing happens before; INT64_MAX never. */
int64_t check_watch_due(const struct check_watch *w, const struct check_watch_rule *rule,
			int64_t ready_since_ms);
/* Over an exec of haled: the limit goes on counting. How components stand is fed again, and
 * what is at its limit then is said once more. New reference. */
json_t *check_watch_hand_over(const struct check_watch *w);
void check_watch_take_over(struct check_watch *w, const json_t *o);

#endif
