/* SPDX-License-Identifier: Apache-2.0 */
/* guard - has this host itself a network? Asked before another one is blamed
 *
 * Opens a connection to each of a few well-known targets at a time and closes it: one that opens
 * is enough. It is asked only when a check found nothing that answers, and then goes on asking by
 * itself until there is a network again. An answer holds for GUARD_FRESH_MS, so that a thousand
 * failing checks are one question a second.
 *
 * Ownership: guard_new/_free; free after the loop has ended.
 * Errors:    guard_check_target tells what is wrong with a target.
 * Loop:      all on the loop thread; on_answer never comes from within guard_ask().
 */
#ifndef HALE_CHECKERS_GUARD_H
#define HALE_CHECKERS_GUARD_H

#include "base/err.h"
#include "base/strlist.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define GUARD_FRESH_MS            1000
#define GUARD_TIMEOUT_DEFAULT_MS  2000
#define GUARD_INTERVAL_DEFAULT_MS 5000
/* More say no more about this host, and all are asked at a time. */
#define GUARD_TARGETS_MAX         8

struct guard;

struct guard_rule {
	struct strlist targets; /* "1.1.1.1:53", "[2606:4700::1111]:53" */
	int64_t timeout_ms;     /* none has answered by then: there is no network */
	int64_t interval_ms;    /* as long as there is none: until it is asked again */
};

enum guard_answer { GUARD_UNKNOWN, GUARD_REACHABLE, GUARD_AWAY };

/* An address in figures and a port: a name would need the network it is to tell of. */
int guard_check_target(const char *target, struct err *err);
/* The rule is copied. */
struct guard *guard_new(uv_loop_t *loop, const struct guard_rule *rule,
			void (*on_answer)(void *ctx, enum guard_answer answer), void *ctx);
/* The answer if it is fresh; UNKNOWN otherwise, and then on_answer follows. */
enum guard_answer guard_ask(struct guard *g);
/* The last one, however old. */
enum guard_answer guard_last(const struct guard *g);
/* Is it one of the targets? "host:port" */
bool guard_has(const struct guard *g, const char *name);
/* Closes its handles; on_answer does not come any more. NULL is fine, for both. */
void guard_close(struct guard *g);
void guard_free(struct guard *g);

#endif
