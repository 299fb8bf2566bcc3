/* SPDX-License-Identifier: Apache-2.0 */
#include "lineup.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"

struct waiting {
	struct lineup_item *first;
	struct lineup_item *last;
};

struct lineup_host {
	uint32_t running;
	uint32_t fresh;
	struct waiting aside;
	struct lineup_host *next; /* among those with somebody waiting and a free place */
	bool is_open;             /* is among them */
};

struct lineup {
	size_t running_max;
	size_t host_max;
	struct map hosts;
	struct waiting line;
	struct lineup_host *open;
	struct lineup_host **open_end;
	struct lineup_place *fresh; /* the oldest first */
	struct lineup_place *fresh_last;
	size_t waiting;
	size_t aside;
	size_t running;
};

struct lineup *lineup_new(size_t running_max, size_t host_max)
{
	struct lineup *l = mem_alloc(sizeof(*l));

	HALE_ASSERT(running_max > 0 && host_max > 0);
	l->running_max = running_max;
	l->host_max = host_max;
	l->open_end = &l->open;
	return l;
}

void lineup_free(struct lineup *l)
{
	struct lineup_host *host;

	if (l == NULL)
		return;
	for (size_t i = 0; map_each(&l->hosts, &i, NULL, (void **)&host);)
		free(host);
	map_done(&l->hosts);
	free(l);
}

struct lineup_host *lineup_host(struct lineup *l, const char *name)
{
	struct lineup_host *host = map_get(&l->hosts, name);

	if (host == NULL) {
		host = mem_alloc(sizeof(*host));
		map_put(&l->hosts, name, host);
	}
	return host;
}

/* ---- Queues ---- */

static void push(struct waiting *w, struct lineup_item *item)
{
	item->next = NULL;
	if (w->first == NULL)
		w->first = item;
	else
		w->last->next = item;
	w->last = item;
}

static struct lineup_item *pop(struct waiting *w)
{
	struct lineup_item *item = w->first;

	w->first = item->next;
	return item;
}

/* ---- Hosts ---- */

static bool has_room(const struct lineup *l, const struct lineup_host *host)
{
	return host->fresh < l->host_max && host->running < LINEUP_HOST_FACTOR * l->host_max;
}

static void open_host(struct lineup *l, struct lineup_host *host)
{
	if (host->is_open || host->aside.first == NULL || !has_room(l, host))
		return;
	host->is_open = true;
	host->next = NULL;
	*l->open_end = host;
	l->open_end = &host->next;
}

static struct lineup_host *take_open(struct lineup *l)
{
	struct lineup_host *host = l->open;

	l->open = host->next;
	if (l->open == NULL)
		l->open_end = &l->open;
	host->is_open = false;
	return host;
}

/* ---- Fresh places: all are held for equally long, so the oldest is the first to be given up ----
 */

static void hold(struct lineup *l, struct lineup_place *place)
{
	place->is_fresh = true;
	place->next = NULL;
	place->prev = l->fresh_last;
	if (l->fresh_last == NULL)
		l->fresh = place;
	else
		l->fresh_last->next = place;
	l->fresh_last = place;
	place->host->fresh++;
}

static void let_go(struct lineup *l, struct lineup_place *place)
{
	if (!place->is_fresh)
		return;
	place->is_fresh = false;
	if (place->prev == NULL)
		l->fresh = place->next;
	else
		place->prev->next = place->next;
	if (place->next == NULL)
		l->fresh_last = place->prev;
	else
		place->next->prev = place->prev;
	place->host->fresh--;
	open_host(l, place->host);
}

/* ---- Coming and going ---- */

void lineup_add(struct lineup *l, struct lineup_item *item)
{
	push(&l->line, item);
	l->waiting++;
}

static struct lineup_item *take_aside(struct lineup *l)
{
	l->aside--;
	l->waiting--;
	return pop(&take_open(l)->aside);
}

struct lineup_item *lineup_take(struct lineup *l, int64_t now_ms)
{
	while (l->fresh != NULL && now_ms - l->fresh->since_ms >= LINEUP_HOLD_MS)
		let_go(l, l->fresh);
	if (l->running >= l->running_max)
		return NULL;
	if (l->open != NULL)
		return take_aside(l);
	while (l->line.first != NULL) {
		struct lineup_item *item = pop(&l->line);

		/* Whoever waits there already goes first: then there is no room either. */
		if (item->host == NULL || has_room(l, item->host)) {
			l->waiting--;
			return item;
		}
		push(&item->host->aside, item);
		l->aside++;
	}
	return NULL;
}

void lineup_begin(struct lineup *l, const struct lineup_item *item, struct lineup_place *place,
		  int64_t now_ms)
{
	HALE_ASSERT(!place->is_taken && l->running < l->running_max);
	*place = (struct lineup_place){.host = item->host, .since_ms = now_ms, .is_taken = true};
	l->running++;
	if (place->host == NULL)
		return;
	place->host->running++;
	hold(l, place);
	/* Its host may have another place for another one; it is that one's turn later. */
	open_host(l, place->host);
}

void lineup_end(struct lineup *l, struct lineup_place *place)
{
	if (!place->is_taken)
		return;
	place->is_taken = false;
	l->running--;
	if (place->host == NULL)
		return;
	place->host->running--;
	let_go(l, place);
	open_host(l, place->host);
}

void lineup_clear(struct lineup *l)
{
	struct lineup_host *host;

	for (size_t i = 0; map_each(&l->hosts, &i, NULL, (void **)&host);) {
		host->aside = (struct waiting){0};
		host->is_open = false;
	}
	l->line = (struct waiting){0};
	l->open = NULL;
	l->open_end = &l->open;
	l->waiting = l->aside = 0;
}

int64_t lineup_next(const struct lineup *l)
{
	if (l->aside == 0 || l->fresh == NULL)
		return INT64_MAX;
	return l->fresh->since_ms + LINEUP_HOLD_MS;
}

size_t lineup_waiting(const struct lineup *l)
{
	return l->waiting;
}

size_t lineup_aside(const struct lineup *l)
{
	return l->aside;
}

size_t lineup_running(const struct lineup *l)
{
	return l->running;
}
