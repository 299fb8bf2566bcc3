/* SPDX-License-Identifier: Apache-2.0 */
#include "model/check_watch.h"

#include <stdlib.h>

#include "base/mem.h"

void check_watch_init(struct check_watch *w, size_t n)
{
	check_watch_done(w);
	w->bad_since_ms = mem_array(n + 1, sizeof(*w->bad_since_ms));
	w->n = n;
}

void check_watch_done(struct check_watch *w)
{
	free(w->bad_since_ms);
	*w = (struct check_watch){0};
}

bool check_watch_feed(struct check_watch *w, size_t i, bool is_bad, int64_t now_ms)
{
	bool has_bad = false;

	HALE_ASSERT(i < w->n && now_ms > 0);
	if (is_bad == (w->bad_since_ms[i] != 0))
		return false;
	w->bad_since_ms[i] = is_bad ? now_ms : 0;
	for (size_t k = 0; k < w->n; k++)
		has_bad = has_bad || w->bad_since_ms[k] != 0;
	w->has_given_up = w->has_given_up && has_bad;
	return true;
}

/* The component that has been bad longest, or n. */
static size_t worst(const struct check_watch *w)
{
	size_t which = w->n;

	for (size_t i = 0; i < w->n; i++) {
		if (w->bad_since_ms[i] != 0 &&
		    (which == w->n || w->bad_since_ms[i] < w->bad_since_ms[which]))
			which = i;
	}
	return which;
}

static uint32_t recent_restarts(const struct check_watch *w, const struct check_watch_rule *rule,
				int64_t now_ms)
{
	uint32_t recent = 0;

	for (uint32_t i = 0; i < HALE_MIN(w->restarts_n, CHECK_WATCH_LIMIT_MAX); i++) {
		if (w->restarts_ms[i] > now_ms - rule->window_ms)
			recent++;
	}
	return recent;
}

int64_t check_watch_due(const struct check_watch *w, const struct check_watch_rule *rule,
			int64_t ready_since_ms)
{
	size_t which = worst(w);

	if (which == w->n || ready_since_ms == 0 || w->has_given_up)
		return INT64_MAX;
	return HALE_MAX(w->bad_since_ms[which], ready_since_ms) + rule->after_ms;
}

enum check_watch_verdict check_watch_step(struct check_watch *w,
					  const struct check_watch_rule *rule,
					  int64_t ready_since_ms, int64_t now_ms, size_t *which_r)
{
	if (now_ms < check_watch_due(w, rule, ready_since_ms))
		return CHECK_WATCH_NOTHING;
	*which_r = worst(w);
	if (recent_restarts(w, rule, now_ms) >= HALE_MIN(rule->limit, CHECK_WATCH_LIMIT_MAX)) {
		w->has_given_up = true;
		return CHECK_WATCH_GIVE_UP;
	}
	w->restarts_ms[w->restarts_n++ % CHECK_WATCH_LIMIT_MAX] = now_ms;
	/* A second verdict must not come before the program has had its time. */
	for (size_t i = 0; i < w->n; i++)
		w->bad_since_ms[i] = w->bad_since_ms[i] == 0 ? 0 : now_ms;
	return CHECK_WATCH_RESTART;
}

json_t *check_watch_hand_over(const struct check_watch *w)
{
	uint32_t n = HALE_MIN(w->restarts_n, CHECK_WATCH_LIMIT_MAX);
	json_t *restarts = json_array();

	for (uint32_t i = w->restarts_n - n; i < w->restarts_n; i++)
		json_array_append_new(restarts,
				      json_integer(w->restarts_ms[i % CHECK_WATCH_LIMIT_MAX]));
	return json_pack("{s:o}", "restarts", restarts);
}

void check_watch_take_over(struct check_watch *w, const json_t *o)
{
	json_t *at;
	size_t i;

	w->restarts_n = 0;
	json_array_foreach (json_object_get(o, "restarts"), i, at)
		w->restarts_ms[w->restarts_n++ % CHECK_WATCH_LIMIT_MAX] = json_integer_value(at);
}
