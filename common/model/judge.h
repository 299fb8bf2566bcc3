/* SPDX-License-Identifier: Apache-2.0 */
/* judge - one observation, one verdict; many components, one total
 *
 * Pure: state, input and time in, decision out (DESIGN section 6). Times are wall ms, given.
 *
 * Rules, in order:
 *  1. The severity an observation asks for: pass healthy; warn degraded; fail critical; down down;
 *     error spec->on_error (default unknown). Thresholds may only raise a pass or warn:
 *     the worst crossed one wins; "took_ms" is a metric like any other.
 *  2. Not healthy counts a failure, healthy a pass (one resets the other). Unknown (outcome error
 *     with on_error unknown) is told at once and leaves both counters alone.
 *  3. failures >= critical_after: the asked severity. failures >= degraded_after: degraded, except
 *     that asking for critical or down never lifts a status which is that bad already (a failure
 *     must not look like an improvement). Fewer: the status stays, unknown included.
 *  4. Healthy only after recover_after passes in a row, if the last status other than unknown was
 *     degraded or worse; until then the status stays. So an unknown in between is no short cut.
 *  5. No observation until due (3 intervals plus the timeout after the last, or after start):
 *     unknown, reason no_data; counters stay. Time runs from when haled judged, not from `at`: a
 *     checker's clock cannot make it look alive. Disabled, or no interval: never due.
 * *  6. An observation that asks for anything but healthy, of a component that is enabled, is an
 *     error: counted for good, its message kept. Attempts to mend a component count as one series
 *     until it was healthy for JUDGE_STABLE_MS and then fails again.
 *
 * Message and reason are the newest observation's, whether or not the status followed it; those of
 * the threshold ("took_ms 2310 > 2000") if one raised the severity. The last success is the last
 * observation that asked for healthy.
 */
#ifndef HALE_MODEL_JUDGE_H
#define HALE_MODEL_JUDGE_H

#include "model/component.h"

#include <stdbool.h>
#include <stddef.h>

/* As a process's backoff: what held for so long has recovered. */
#define JUDGE_STABLE_MS 60000

/* Takes o over (metrics, details). Returns true if the status changed; `state->since_ms` is then
 * now and the former status is in *from_r (may be NULL). */
bool health_judge(const struct component_spec *spec, struct component_state *state,
		  struct observation *o, int64_t now_ms, enum status *from_r);
/* Rule 5. True if the status changed. */
bool health_tick(const struct component_spec *spec, struct component_state *state, int64_t now_ms,
		 enum status *from_r);
/* When health_tick must be called again at the latest; INT64_MAX if never. */
int64_t health_due(const struct component_spec *spec, const struct component_state *state);

enum aggregation { AGGREGATE_WORST_OF, AGGREGATE_RATIO };

/* Ratio (S2, C-55), in integers: any down, or critical*100 > total*critical_percent (30), is
 * critical; (degraded+unknown)*100 > total*degraded_percent (50), or any critical, is degraded. */
struct aggregate_rule {
	enum aggregation how;
	uint32_t critical_percent;
	uint32_t degraded_percent;
};

struct aggregate_member {
	enum status status;
	enum impact impact;
	double weight;
	bool is_counted; /* enabled and configured */
};

struct aggregate {
	enum status status;
	double score; /* C-79: 0..100, one decimal; NAN with nothing to weigh */
	size_t counts[STATUS_MAX];
	size_t total; /* counted members */
};

/* What all members come to, kept up as single ones change: to count tens of thousands anew for each
 * of their changes would be most of what haled does. Zeroed: no members. */
struct aggregate_tally {
	size_t counts[STATUS_MAX];
	size_t capped_counts[STATUS_MAX]; /* after their impact */
	int64_t weights[STATUS_MAX];      /* in millionths: nothing is lost by adding up */
};

void aggregate_add(struct aggregate_tally *t, const struct aggregate_member *member);
/* As it was when it was added. */
void aggregate_drop(struct aggregate_tally *t, const struct aggregate_member *member);
struct aggregate aggregate_of(const struct aggregate_rule *rule, const struct aggregate_tally *t);

/* worst_of: unknown counts as degraded. In both: impact caps each member (none: it counts as
 * healthy) before it is counted; what would be critical is down if every counted member is down; no
 * counted member or nothing but unknown: unknown. For a list of members, at once. */
struct aggregate health_aggregate(const struct aggregate_rule *rule,
				  const struct aggregate_member *members, size_t n);

#endif
