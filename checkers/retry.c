/* SPDX-License-Identifier: Apache-2.0 */
#include "retry.h"

bool retry_wanted(const struct retry_rule *rule, struct retry_state *state, bool is_pass)
{
	uint16_t limit = is_pass ? rule->passes : rule->failures;

	if (rule->interval_ms == 0)
		return false;
	if (state->is_passing != is_pass)
		state->in_row = 0;
	state->is_passing = is_pass;
	if (state->in_row < limit)
		state->in_row++;
	if (!is_pass && state->in_row >= rule->bad_from)
		state->is_bad = true;
	if (is_pass && !state->is_bad)
		return false;
	if (is_pass && state->in_row >= limit)
		state->is_bad = false;
	return state->in_row < limit;
}
