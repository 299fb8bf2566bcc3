/* SPDX-License-Identifier: Apache-2.0 */
#include "ping_limit.h"

#include <stddef.h>

#include "base/hash.h"
#include "base/str.h"

static uint64_t key_of(const struct ping_limit *l, const char *what, const char *who)
{
	uint64_t h = hash_text(hash_text(hash_number(HASH_START, l->seed), what), who);
	return h ? h : 1;
}

/* A bucket that was emptied by n fills up in n * refill: so when it will be full says all. */
static int64_t wait_for(int64_t full_ms, struct ping_rate rate, int64_t now_ms)
{
	int64_t missing_ms = HALE_MAX(full_ms - now_ms, 0) + rate.refill_ms;
	return HALE_MAX(missing_ms - rate.burst * rate.refill_ms, 0);
}

static int64_t *find(const struct ping_limit *l, uint64_t key)
{
	for (size_t i = 0; i < PING_LIMIT_WAYS; i++)
		if (l->slots[key % PING_LIMIT_SETS][i].key == key)
			return (int64_t *)(uintptr_t)&l->slots[key % PING_LIMIT_SETS][i].full_ms;
	return NULL;
}

/* The place of whoever will be full first: that one loses least. */
static int64_t *claim(struct ping_limit *l, uint64_t key, int64_t now_ms)
{
	__typeof__(l->slots[0][0]) *set = l->slots[key % PING_LIMIT_SETS], *best = set;
	for (size_t i = 1; i < PING_LIMIT_WAYS; i++)
		if (best->key && (!set[i].key || set[i].full_ms < best->full_ms))
			best = &set[i];
	best->key = key;
	best->full_ms = now_ms;
	return &best->full_ms;
}

int64_t ping_limit_peek(const struct ping_limit *l, const char *what, const char *who,
			struct ping_rate rate, int64_t now_ms)
{
	const int64_t *full_ms = find(l, key_of(l, what, who));
	return full_ms ? wait_for(*full_ms, rate, now_ms) : 0;
}

int64_t ping_limit_take(struct ping_limit *l, const char *what, const char *who,
			struct ping_rate rate, int64_t now_ms)
{
	uint64_t key = key_of(l, what, who);
	int64_t *full_ms = find(l, key);
	if (!full_ms)
		full_ms = claim(l, key, now_ms);
	int64_t wait_ms = wait_for(*full_ms, rate, now_ms);
	if (!wait_ms)
		*full_ms = HALE_MAX(*full_ms, now_ms) + rate.refill_ms;
	return wait_ms;
}
