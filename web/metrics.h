/* SPDX-License-Identifier: Apache-2.0 */
/* metrics - the live state as Prometheus text
 *
 * Names are in docs/api.md; units are base units (seconds, bytes), except inside
 * <prefix>_component_metric, whose `metric` label is the check's own name with its own unit suffix.
 * Gauge values of a status follow LEDGER (a): healthy 1, degraded 0.5, critical and down 0,
 * unknown -1.
 */
#ifndef HALE_WEB_METRICS_H
#define HALE_WEB_METRICS_H

#include "live.h"

#include "base/str.h"

struct metrics_web { /* hale-web's own counters */
	uint64_t requests;
	uint64_t refused; /* by limits and framing */
	uint64_t stream_clients;
	uint64_t stream_dropped; /* slow clients */
	const json_t *past;      /* uptime_statistics() of some minutes ago; NULL: not known */
};

/* Appends to out. */
void metrics_render(const struct live *l, const char *prefix, const struct metrics_web *web,
		    struct str *out);

#endif
