/* SPDX-License-Identifier: Apache-2.0 */
/* uptime - how much of a time a component was well, from its changes of status
 *
 * Uptime is the time not spent critical or down, of the time it was monitored (C-26). Not
 * monitored is: unknown, before the first status, while no haled ran, while monitoring was paused.
 * A node is monitored while its haled tells something; a restart of less than a minute is no gap,
 * and the newest line vouches for a quarter of an hour (uptime_math.h).
 */
#ifndef HALE_STORE_UPTIME_H
#define HALE_STORE_UPTIME_H

#include "store/store.h"

#include <jansson.h>
#include <stddef.h>

struct uptime_query {
	const char *component;  /* COMPONENT_OVERALL: the whole; NULL: each, and the whole */
	const char *node;       /* NULL: all */
	int64_t from_ms, to_ms; /* [from, to) */
	double sla_percent;     /* NAN: none */
};

/* {"from","to","components":[{"component","node","uptime_percent": 99.93 or null,
 *   "ms":{"healthy","degraded","critical","down","unmonitored"},"outages": n,"longest_outage_ms",
 *   "mttr_ms" or null,"mtbf_ms" or null,
 *   "sla":{"target_percent","is_met": bool or null,"budget_ms","budget_left_ms"} or null}]}
 * The whole comes first, then by name. An outage lasts until healthy or degraded, as long as it was
 * monitored; mttr is the mean of those that ended, mtbf the time of being well per outage. budget:
 * what may be critical or down of the time that was monitored. -EINVAL: a bad range or target,
 * -ENOENT: no such component. */
int uptime_read(struct store *s, const struct uptime_query *q, json_t **out_r, struct err *err);

/* What a dashboard says of the past (S2 `statistics`):
 * {"at","uptime_percent":{"24h","7d","30d"},"score":{the same},
 *  "components":{"<name>":{the same}},
 *  "transitions":{"24h":{"all_changes","to_bad"},"7d":{the same}},
 *  "results":{"24h"},"alerts":{"open","24h":{"opened"},"7d":{the same},"mttr_ms" or null},
 *  "runs":{"24h":{"runs","failed"},"7d":{the same},"last_done": time or null},"oldest": time or
 * null} Percentages are of all nodes together. results: in closed hours; mttr of the last 30 days.
 */
int uptime_statistics(struct store *s, int64_t now_ms, json_t **out_r, struct err *err);

#endif
