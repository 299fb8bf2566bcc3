/* SPDX-License-Identifier: Apache-2.0 */
#include "inbox.h"

#include <stdlib.h>

#include "base/mem.h"

/* --- chunks --- */

static void let_go(struct chunk *c)
{
	if (--c->refs == 0)
		free(c);
}

void chunks_hold(struct chunks *c, struct chunk *chunk)
{
	/* A batch goes through few chunks, but between them it goes to and fro. */
	for (size_t i = c->n; i > 0 && i + LINE_CLASS_MAX > c->n; i--) {
		if (c->v[i - 1] == chunk)
			return;
	}
	if (c->n == c->capacity) {
		c->capacity = c->capacity == 0 ? 16 : 2 * c->capacity;
		c->v = mem_grow(c->v, c->capacity, sizeof(*c->v));
	}
	chunk->refs++;
	c->v[c->n++] = chunk;
}

void chunks_done(struct chunks *c)
{
	for (size_t i = 0; i < c->n; i++)
		let_go(c->v[i]);
	free(c->v);
	*c = (struct chunks){0};
}

/* --- one class --- */

static struct chunk *chunk_new(struct inbox *in, size_t size)
{
	struct chunk *c;

	if (size <= INBOX_CHUNK_BYTES && in->spare != NULL) {
		c = TAKE_PTR(in->spare);
	} else {
		/* Not zeroed: records fill it. */
		size = HALE_MAX(size, INBOX_CHUNK_BYTES);
		c = mem_grow(NULL, 1, sizeof(*c) + size);
		c->size = size;
	}
	c->next = NULL;
	c->refs = 1;
	c->at = c->len = 0;
	return c;
}

static void append(struct inbox_list *list, struct chunk *c)
{
	*(list->last == NULL ? &list->first : &list->last->next) = c;
	list->last = c;
}

static struct chunk *room_for(struct inbox *in, struct inbox_list *list, size_t size)
{
	struct chunk *c = list->last;

	if (c == NULL || c->size - c->len < size) {
		c = chunk_new(in, size);
		append(list, c);
	}
	return c;
}

static void retire(struct inbox *in, struct inbox_list *list)
{
	struct chunk *c = list->first;

	list->first = c->next;
	if (list->first == NULL)
		list->last = NULL;
	c->next = NULL;
	if (in->spare == NULL && c->refs == 1 && c->size == INBOX_CHUNK_BYTES)
		in->spare = c;
	else
		let_go(c);
}

/* Its first line has left. */
static void advance(struct inbox *in, struct inbox_list *list, size_t size)
{
	struct chunk *c = list->first;

	c->at += size;
	list->n--;
	list->bytes -= size;
	in->n--;
	in->bytes -= size;
	if (c->at == c->len)
		retire(in, list);
}

static void peek(const struct inbox_list *list, struct record *r_r)
{
	record_read(list->first->data + list->first->at, r_r);
}

/* --- all of them --- */

void inbox_push(struct inbox *in, enum line_class class, const struct store_line *line)
{
	struct inbox_list *list = &in->lists[class];
	size_t size = record_size(line);
	struct chunk *c = room_for(in, list, size);

	record_write(c->data + c->len, ++in->last, line);
	c->len += size;
	list->n++;
	list->bytes += size;
	in->n++;
	in->bytes += size;
}

static struct inbox_list *oldest(const struct inbox *in, struct record *r_r)
{
	const struct inbox_list *found = NULL;

	for (size_t i = 0; i < LINE_CLASS_MAX; i++) {
		struct record r;

		if (in->lists[i].first == NULL)
			continue;
		peek(&in->lists[i], &r);
		if (found == NULL || r.number < r_r->number) {
			found = &in->lists[i];
			*r_r = r;
		}
	}
	return (struct inbox_list *)(uintptr_t)found;
}

bool inbox_first(const struct inbox *in, struct record *r_r)
{
	return oldest(in, r_r) != NULL;
}

bool inbox_take(struct inbox *in, struct chunks *held, struct record *r_r)
{
	struct inbox_list *list = oldest(in, r_r);

	if (list == NULL)
		return false;
	chunks_hold(held, list->first);
	advance(in, list, r_r->size);
	return true;
}

enum line_class inbox_drop(struct inbox *in)
{
	enum line_class class = LINE_RESULT;
	struct record r;

	while (class < LINE_CLASS_MAX && in->lists[class].first == NULL)
		class ++;
	if (class < LINE_CLASS_MAX) {
		peek(&in->lists[class], &r);
		advance(in, &in->lists[class], r.size);
	}
	return class;
}

void inbox_move(struct inbox *in, struct inbox_list lists_r[LINE_CLASS_MAX])
{
	for (size_t i = 0; i < LINE_CLASS_MAX; i++) {
		lists_r[i] = in->lists[i];
		in->lists[i] = (struct inbox_list){0};
	}
	in->n = in->bytes = 0;
}

void inbox_put_back(struct inbox *in, struct inbox_list lists[LINE_CLASS_MAX])
{
	for (size_t i = 0; i < LINE_CLASS_MAX; i++) {
		struct inbox_list *list = &in->lists[i], *older = &lists[i];

		in->n += older->n;
		in->bytes += older->bytes;
		older->n += list->n;
		older->bytes += list->bytes;
		if (older->first == NULL) {
			older->first = list->first;
			older->last = list->last;
		} else if (list->first != NULL) {
			older->last->next = list->first;
			older->last = list->last;
		}
		*list = *older;
		*older = (struct inbox_list){0};
	}
}

void inbox_list_done(struct inbox_list *list)
{
	for (struct chunk *c = list->first, *next; c != NULL; c = next) {
		next = c->next;
		let_go(c);
	}
	*list = (struct inbox_list){0};
}

void inbox_done(struct inbox *in)
{
	for (size_t i = 0; i < LINE_CLASS_MAX; i++)
		inbox_list_done(&in->lists[i]);
	free(in->spare);
	*in = (struct inbox){0};
}
