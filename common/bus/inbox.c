/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/inbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

struct inbox_epoch {
	uint64_t next; /* the seq expected next */
};

struct inbox {
	struct map epochs;
	struct inbox_stats stats;
};

struct inbox *inbox_new(void)
{
	return mem_alloc(sizeof(struct inbox));
}

void inbox_free(struct inbox *i)
{
	struct inbox_epoch *e;

	if (i == NULL)
		return;
	for (size_t at = 0; map_each(&i->epochs, &at, NULL, (void **)&e);)
		free(e);
	map_done(&i->epochs);
	free(i);
}

/* Only what can be accepted makes an epoch known: a late frame of a forgotten child does not. */
static struct inbox_epoch *find_epoch(struct inbox *i, const struct frame *f, bool is_skip)
{
	struct inbox_epoch *e = map_get(&i->epochs, f->epoch);

	if (e != NULL)
		return e;
	if (!is_skip && f->first_seq != 1) {
		i->stats.gaps++;
		return NULL;
	}
	if (i->epochs.n >= INBOX_EPOCHS_MAX) {
		i->stats.refused++;
		return NULL;
	}
	e = mem_alloc(sizeof(*e));
	e->next = 1;
	(void)map_put(&i->epochs, f->epoch, e);
	return e;
}

static void take_lines(struct inbox *i, struct inbox_epoch *e, const struct frame *f,
		       inbox_line_fn on_line, void *ctx)
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
		on_line(ctx, f->epoch, f->topic, seq, line, len);
	}
}

bool inbox_accept(struct inbox *i, const struct frame *f, inbox_line_fn on_line, void *ctx)
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
		if (f->first_seq > e->next) {
			i->stats.skipped += f->first_seq - e->next;
			e->next = f->first_seq;
		}
		return true;
	}
	if (f->first_seq > e->next) {
		i->stats.gaps++;
		return false;
	}
	take_lines(i, e, f, on_line, ctx);
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
	const char *epoch;
	json_t *seq;

	json_object_foreach (json_object_get(acks, "acks"), epoch, seq) {
		struct inbox_epoch *e;

		if (json_integer_value(seq) <= 0 || i->epochs.n >= INBOX_EPOCHS_MAX ||
		    map_get(&i->epochs, epoch) != NULL)
			continue;
		e = mem_alloc(sizeof(*e));
		e->next = (uint64_t)json_integer_value(seq) + 1;
		(void)map_put(&i->epochs, epoch, e);
	}
}

void inbox_forget(struct inbox *i, const char *epoch)
{
	free(map_take(&i->epochs, epoch));
}

const struct inbox_stats *inbox_stats_get(const struct inbox *i)
{
	return &i->stats;
}
