/* SPDX-License-Identifier: Apache-2.0 */
#include "base/backoff.h"

#include "base/cleanup.h"

static double plain_delay(const struct backoff_policy *policy, uint32_t step)
{
	double delay = policy->base_ms;

	for (uint32_t i = 0; i < step && delay < policy->cap_ms; i++)
		delay *= policy->factor;
	return delay < policy->cap_ms ? delay : policy->cap_ms;
}

uint32_t backoff_next(struct backoff *b, const struct backoff_policy *policy, uint32_t rnd)
{
	uint32_t step = b->failures;
	double delay, share;

	HALE_ASSERT(policy->factor >= 1.0 && policy->cap_ms >= policy->base_ms);
	HALE_ASSERT(policy->jitter_percent <= 100);
	if (b->failures < UINT32_MAX)
		b->failures++;
	if (policy->is_first_at_once) {
		if (step == 0)
			return 0;
		step--;
	}
	delay = plain_delay(policy, step);
	share = ((double)rnd / (double)UINT32_MAX * 2.0 - 1.0) * policy->jitter_percent / 100.0;
	delay += delay * share;
	return delay >= (double)UINT32_MAX ? UINT32_MAX : (uint32_t)delay;
}

void backoff_ok(struct backoff *b)
{
	b->failures = 0;
}
