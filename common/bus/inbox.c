/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/inbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

struct inbox_epoch {
	char service[FRAME_EPOCH_MAX];
	uint64_t generation;
	uint64_t next; /* the seq expected next */
};

struct inbox {
	struct map epochs;
	struct map retired; /* service -> the first generation that may still speak (uint64_t) */
	struct inbox_stats stats;
};

struct inbox *inbox_new(void)
{
	return mem_alloc(sizeof(struct inbox));
}

static void free_values(struct map *m)
{
	void *value;

	for (size_t at = 0; map_each(m, &at, NULL, &value);)
		free(value);
	map_done(m);
}

void inbox_free(struct inbox *i)
{
	if (i == NULL)
		return;
	free_values(&i->epochs);
	free_values(&i->retired);
	free(i);
}

/* "<service>:<generation>" into e; false for anything else. */
static bool parse_epoch(const char *text, struct inbox_epoch *e)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon == NULL ? 0 : (size_t)(colon - text);
	char *end;

	if (len == 0 || len >= sizeof(e->service) || colon[1] < '0' || colon[1] > '9')
		return false;
	memcpy(e->service, text, len);
	e->service[len] = '\0';
	e->generation = strtoull(colon + 1, &end, 10);
	return *end == '\0';
}

static bool is_retired(const struct inbox *i, const struct inbox_epoch *e)
{
	const uint64_t *first = map_get(&i->retired, e->service);

	return first != NULL && e->generation < *first;
}

static struct inbox_epoch *add_epoch(struct inbox *i, const char *name,
				     const struct inbox_epoch *parsed)
{
	struct inbox_epoch *e;

	if (i->epochs.n >= INBOX_EPOCHS_MAX) {
		i->stats.refused++;
		return NULL;
	}
	e = mem_alloc(sizeof(*e));
	*e = *parsed;
	e->next = 1;
	(void)map_put(&i->epochs, name, e);
	return e;
}

/* Only what can be accepted makes an epoch known. */
static struct inbox_epoch *find_epoch(struct inbox *i, const struct frame *f, bool is_skip)
{
	struct inbox_epoch *e = map_get(&i->epochs, f->epoch);
	struct inbox_epoch parsed;

	if (e != NULL)
		return e;
	if (!parse_epoch(f->epoch, &parsed)) {
		i->stats.refused++;
		return NULL;
	}
	if (is_retired(i, &parsed)) {
		i->stats.late++;
		return NULL;
	}
	if (!is_skip && f->first_seq != 1) {
		i->stats.gaps++;
		return NULL;
	}
	return add_epoch(i, f->epoch, &parsed);
}

static void take_lines(struct inbox *i, struct inbox_epoch *e, const struct frame *f,
		       const struct inbox_ops *ops, void *ctx)
{
	uint64_t seq = f->first_seq;
	size_t cursor = 0, len;
	const char *line;

	for (; frame_line(f, &cursor, &line, &len); seq++) {
		if (seq < e->next) {
			i->stats.duplicates++;
			continue;
		}
		e->next = seq + 1;
		i->stats.lines++;
		ops->on_line(ctx, e->service, e->generation, f->topic, seq, line, len);
	}
}

static void take_skip(struct inbox *i, struct inbox_epoch *e, uint64_t next,
		      const struct inbox_ops *ops, void *ctx)
{
	uint64_t lost = next > e->next ? next - e->next : 0;

	if (lost == 0)
		return;
	e->next = next;
	i->stats.skipped += lost;
	if (ops->on_lost != NULL)
		ops->on_lost(ctx, e->service, lost);
}

bool inbox_accept(struct inbox *i, const struct frame *f, const struct inbox_ops *ops, void *ctx)
{
	bool is_skip = strcmp(f->topic, TOPIC_SYNC) == 0;
	struct inbox_epoch *e;

	/* Of sync frames only the skip marker has a meaning on this way. */
	if (f->count == 0 ? !is_skip : is_skip || f->first_seq == 0)
		return false;
	e = find_epoch(i, f, is_skip);
	if (e == NULL)
		return false;
	if (is_skip) {
		take_skip(i, e, f->first_seq, ops, ctx);
		return true;
	}
	if (f->first_seq > e->next) {
		i->stats.gaps++;
		return false;
	}
	take_lines(i, e, f, ops, ctx);
	return true;
}

json_t *inbox_acks(const struct inbox *i)
{
	json_t *acks = json_object();
	struct inbox_epoch *e;
	const char *epoch;

	HALE_ASSERT(acks != NULL);
	for (size_t at = 0; map_each(&i->epochs, &at, &epoch, (void **)&e);) {
		if (e->next > 1)
			(void)json_object_set_new_nocheck(acks, epoch,
							  json_integer((json_int_t)(e->next - 1)));
	}
	return json_pack("{s:o}", "acks", acks);
}

void inbox_restore(struct inbox *i, const json_t *acks)
{
	const char *name;
	json_t *seq;

	json_object_foreach (json_object_get(acks, "acks"), name, seq) {
		struct inbox_epoch parsed, *e;

		if (!json_is_integer(seq) || json_integer_value(seq) < 1 ||
		    strlen(name) >= FRAME_EPOCH_MAX || !parse_epoch(name, &parsed) ||
		    map_get(&i->epochs, name) != NULL)
			continue;
		e = add_epoch(i, name, &parsed);
		if (e != NULL)
			e->next = (uint64_t)json_integer_value(seq) + 1;
	}
}

static void forget_epochs(struct inbox *i, const char *service, uint64_t generation)
{
	struct inbox_epoch *e, *old;
	const char *name;

	do {
		old = NULL;
		for (size_t at = 0; map_each(&i->epochs, &at, &name, (void **)&e) && old == NULL;) {
			if (e->generation < generation && strcmp(e->service, service) == 0)
				old = map_take(&i->epochs, name);
		}
		free(old);
	} while (old != NULL);
}

/* Room for one more: any service that is gone whole will do. */
static void drop_gone(struct map *retired)
{
	const char *service;
	uint64_t *first;

	for (size_t at = 0; map_each(retired, &at, &service, (void **)&first);) {
		if (*first == UINT64_MAX) {
			free(map_take(retired, service));
			return;
		}
	}
}

void inbox_retire(struct inbox *i, const char *service, uint64_t generation)
{
	uint64_t *first = map_get(&i->retired, service);

	forget_epochs(i, service, generation);
	if (first == NULL) {
		if (i->retired.n >= INBOX_EPOCHS_MAX)
			drop_gone(&i->retired);
		if (i->retired.n >= INBOX_EPOCHS_MAX)
			return;
		first = mem_alloc(sizeof(*first));
		(void)map_put(&i->retired, service, first);
	}
	*first = generation;
}

const struct inbox_stats *inbox_stats_get(const struct inbox *i)
{
	return &i->stats;
}
