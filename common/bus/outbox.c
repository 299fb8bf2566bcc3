/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"

void outbox_init(struct outbox *o, size_t max_bytes)
{
	memset(o, 0, sizeof(*o));
	o->max_bytes = max_bytes;
}

static struct outbox_list *kind_of(struct outbox *o, const struct outbox_line *l)
{
	return strcmp(l->topic, TOPIC_OBSERVATION) == 0 ? &o->observations : &o->others;
}

static void append(struct outbox *o, struct outbox_line *l)
{
	struct outbox_list *kind = kind_of(o, l);

	l->prev = o->all.last;
	l->prev_of_kind = kind->last;
	*(o->all.last == NULL ? &o->all.first : &o->all.last->next) = l;
	*(kind->last == NULL ? &kind->first : &kind->last->next_of_kind) = l;
	o->all.last = l;
	kind->last = l;
	o->bytes += l->bytes;
	o->n++;
	if (o->unsent == NULL)
		o->unsent = l;
}

static bool was_sent(const struct outbox *o, const struct outbox_line *l)
{
	return o->unsent == NULL || l->seq < o->unsent->seq;
}

static void drop(struct outbox *o, struct outbox_line *l)
{
	struct outbox_list *kind = kind_of(o, l);

	if (was_sent(o, l))
		o->sent_bytes -= l->bytes;
	else if (l == o->unsent)
		o->unsent = l->next;
	*(l->prev == NULL ? &o->all.first : &l->prev->next) = l->next;
	*(l->next == NULL ? &o->all.last : &l->next->prev) = l->prev;
	*(l->prev_of_kind == NULL ? &kind->first : &l->prev_of_kind->next_of_kind) =
		l->next_of_kind;
	*(l->next_of_kind == NULL ? &kind->last : &l->next_of_kind->prev_of_kind) = l->prev_of_kind;
	o->bytes -= l->bytes;
	o->n--;
	free(l);
}

void outbox_done(struct outbox *o)
{
	while (o->all.first != NULL)
		drop(o, o->all.first);
}

size_t outbox_add(struct outbox *o, uint64_t seq, const char *topic, const char *line, size_t len)
{
	struct outbox_line *l = mem_alloc(sizeof(*l) + len + 1);
	size_t dropped = 0;

	HALE_ASSERT(strlen(topic) < sizeof(l->topic));
	HALE_ASSERT(o->all.last == NULL || seq > o->all.last->seq);
	l->seq = seq;
	memcpy(l->topic, topic, strlen(topic) + 1);
	memcpy(l->text, line, len);
	l->text[len] = '\n';
	l->len = len + 1;
	l->bytes = sizeof(*l) + l->len;
	append(o, l);
	for (; o->bytes > o->max_bytes; dropped++)
		drop(o, o->observations.first != NULL ? o->observations.first : o->others.first);
	return dropped;
}

void outbox_ack(struct outbox *o, uint64_t seq)
{
	while (o->all.first != NULL && o->all.first->seq <= seq)
		drop(o, o->all.first);
}

const struct outbox_line *outbox_peek(const struct outbox *o)
{
	return o->unsent;
}

void outbox_step(struct outbox *o)
{
	HALE_ASSERT(o->unsent != NULL);
	o->sent_bytes += o->unsent->bytes;
	o->unsent = o->unsent->next;
}

void outbox_rewind(struct outbox *o)
{
	o->unsent = o->all.first;
	o->sent_bytes = 0;
}
