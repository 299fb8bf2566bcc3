/* SPDX-License-Identifier: Apache-2.0 */
/* action - something done on demand to make things better: an HTTP request
 *
 * Each ends in a line on the topic "action" and in one callback. One at a time per action.
 *
 * Thread: loop only.
 */
#ifndef HALE_RECONCILER_ACTION_H
#define HALE_RECONCILER_ACTION_H

#include "options.h"
#include "service/service.h"

struct action {
	struct service *service;
	struct action_options o;
	struct http_call *call; /* NULL: not running */
	char run[37];
	int64_t mono_us;  /* when it began */
	json_t *last_run; /* or NULL */
	void (*on_done)(void *ctx, const json_t *result);
	void *ctx;
};

/* -EINVAL */
int action_init(struct action *a, struct service *s, const char *name, const json_t *options,
		struct err *err);
void action_check(const char *name, const json_t *options, service_problem_fn problem, void *ctx);
/* False: it is running already. `result` (borrowed) is as docs/bus.md has it. */
bool action_run(struct action *a, void (*on_done)(void *ctx, const json_t *result), void *ctx);
void action_stop(struct action *a);
void action_done(struct action *a);
json_t *action_encode(const struct action *a); /* for action.list; new reference */

#endif
