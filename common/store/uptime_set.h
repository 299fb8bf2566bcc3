/* SPDX-License-Identifier: Apache-2.0 */
/* uptime_set - components and how they did over a range (private to this layer)
 *
 * Ownership: the caller owns struct uptime_set; zero-initialise, uptime_set_done().
 */
#ifndef HALE_STORE_UPTIME_SET_H
#define HALE_STORE_UPTIME_SET_H

#include "base/map.h"
#include "store/uptime.h"
#include "uptime_math.h"

struct uptime_component {
	int64_t id;
	char *node, *name;
	struct uptime_math math;
	const struct uptime_spans *spans; /* of its node */
	bool has_history;                 /* it had a status that was not unknown */
};

struct uptime_set {
	struct uptime_component *v; /* ascending by id */
	size_t n, cap;
	struct map nodes; /* name -> struct uptime_node */
};

/* sla_percent is not looked at. */
int uptime_set_load(struct uptime_set *set, struct store *s, const struct uptime_query *q,
		    struct err *err);
void uptime_set_done(struct uptime_set *set);

#endif
