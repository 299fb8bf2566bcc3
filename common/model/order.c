/* SPDX-License-Identifier: Apache-2.0 */
#include "model/order.h"

#include <string.h>

/* The index of the node of that name, or n. */
static size_t find(const struct order_node *v, size_t n, const char *name)
{
	size_t i = 0;

	while (i < n && strcmp(v[i].name, name) != 0)
		i++;
	return i;
}

static bool has_process(const struct order_node *node)
{
	return node->state == PROCESS_STARTING || node->state == PROCESS_READY ||
	       node->state == PROCESS_STOPPING;
}

static bool is_there(const struct order_node *node)
{
	return !node->is_leaving && (node->state == PROCESS_READY || node->is_finished);
}

static const struct order_node *blocker(const struct order_node *v, size_t n, size_t i,
					size_t depth);

/* `depth` bounds the walk should there be a circle after all. */
static bool is_stuck(const struct order_node *v, size_t n, size_t i, size_t depth)
{
	const struct order_node *by;

	switch (v[i].state) {
	case PROCESS_STOPPED:
		return !v[i].is_finished;
	case PROCESS_BACKOFF:
	case PROCESS_HELD:
		return true;
	case PROCESS_WAITING:
		by = depth < n ? blocker(v, n, i, depth + 1) : NULL;
		return by != NULL && is_stuck(v, n, (size_t)(by - v), depth + 1);
	case PROCESS_STARTING:
	case PROCESS_READY:
	case PROCESS_STOPPING:
	case PROCESS_STATE_MAX:
		break;
	}
	return false;
}

/* Up, or not coming: there is nothing to wait for. */
static bool is_settled(const struct order_node *v, size_t n, size_t i, size_t depth)
{
	return v[i].state == PROCESS_READY || v[i].is_finished || is_stuck(v, n, i, depth);
}

static const struct order_node *blocker(const struct order_node *v, size_t n, size_t i,
					size_t depth)
{
	for (size_t k = 0; k < v[i].requires->n; k++) {
		size_t r = find(v, n, v[i].requires->v[k]);

		if (r < n && !is_there(&v[r]))
			return &v[r];
	}
	for (size_t k = 0; k < v[i].after->n; k++) {
		size_t a = find(v, n, v[i].after->v[k]);

		if (a < n && !is_settled(v, n, a, depth))
			return &v[a];
	}
	return NULL;
}

const struct order_node *order_blocker(const struct order_node *v, size_t n, size_t i)
{
	return blocker(v, n, i, 0);
}

bool order_is_stuck(const struct order_node *v, size_t n, size_t i)
{
	return v[i].state == PROCESS_WAITING && is_stuck(v, n, i, 0);
}

static bool is_taken_away(const struct order_node *node)
{
	if (node->is_leaving || node->state == PROCESS_HELD || node->state == PROCESS_WAITING)
		return true;
	return node->state == PROCESS_STOPPED && !node->is_finished;
}

bool order_must_go(const struct order_node *v, size_t n, size_t i)
{
	if (v[i].state != PROCESS_STARTING && v[i].state != PROCESS_READY &&
	    v[i].state != PROCESS_BACKOFF)
		return false;
	for (size_t k = 0; k < v[i].requires->n; k++) {
		size_t r = find(v, n, v[i].requires->v[k]);

		if (r < n && is_taken_away(&v[r]))
			return true;
	}
	return false;
}

bool order_may_stop(const struct order_node *v, size_t n, size_t i)
{
	for (size_t j = 0; j < n; j++) {
		if (j == i || !has_process(&v[j]))
			continue;
		if (strlist_has(v[j].requires, v[i].name))
			return false;
		if (v[j].is_leaving && strlist_has(v[j].after, v[i].name))
			return false;
	}
	return true;
}
