/* SPDX-License-Identifier: Apache-2.0 */
#include "known.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "model/frame.h"
#include "model/status.h"
#include "shape.h"

static void push(struct known_list *l, struct known_entry *e)
{
	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 64 : 2 * l->cap;
		l->v = mem_grow(l->v, l->cap, sizeof(*l->v));
	}
	l->v[l->n++] = e;
}

struct known_entry *known_get(struct known *r, struct row_text node, struct row_text name)
{
	char key[2 * (ROW_NAME_MAX + 1) + 24];
	struct known_entry *e;
	int len;

	HALE_ASSERT(node.len <= ROW_NAME_MAX && name.len <= ROW_NAME_MAX);
	/* With the length, because any character may be part of a name. */
	len = snprintf(key, sizeof(key), "%zu ", node.len);
	memcpy(key + len, node.text, node.len);
	memcpy(key + len + node.len, name.text, name.len);
	key[(size_t)len + node.len + name.len] = '\0';
	e = map_get(&r->entries, key);
	if (e == NULL) {
		e = mem_alloc(sizeof(*e));
		e->stored_status = -1;
		(void)map_put(&r->entries, key, e);
	}
	return e;
}

bool known_is_old(struct known *r, int64_t wall_ms)
{
	/* A clock that was set back tells nothing of how long it has been. */
	bool is_old = r->since_ms != 0 &&
		      (wall_ms < r->since_ms || wall_ms - r->since_ms >= KNOWN_AGE_MS);

	if (r->since_ms == 0)
		r->since_ms = wall_ms;
	return is_old;
}

void known_touch(struct known *r, struct known_entry *e)
{
	if (e->is_touched)
		return;
	e->is_touched = true;
	e->sets_before = e->sets;
	push(&r->touched, e);
}

static uint64_t hash_of(struct row_text t)
{
	return t.text == NULL ? 0 : hash_add(HASH_START, t.text, t.len) | 1;
}

struct known_news known_tell(struct known_entry *e, const struct row_result *row)
{
	bool is_trouble = row->status != STATUS_HEALTHY;
	int64_t day = row->at_ms / KNOWN_NEWS_MS;
	struct known_news news = {is_trouble, is_trouble};
	uint64_t message, details;

	if (row->shape != 0 && row->shape == e->shape && day == e->news_day)
		return news;
	message = row->message.text != NULL ? shape_message_hash(row->message) : 0;
	details = hash_of(row->details);
	news.message = is_trouble || message != e->message || day != e->news_day;
	news.details = is_trouble || details != e->details || day != e->news_day;
	e->shape = row->shape;
	e->message = message;
	e->details = details;
	e->news_day = day;
	return news;
}

static void open_entry(struct known *r, struct known_entry *e)
{
	if (e->is_open)
		return;
	e->is_open = true;
	push(&r->open, e);
}

void known_note(struct known *r, struct known_entry *e, const struct row_result *row,
		const struct store_line *line)
{
	if (!row->is_routine)
		return;
	e->latest = line;
	e->latest_status = row->status;
	open_entry(r, e);
}

static bool is_due(const struct known *r, const struct known_entry *e)
{
	if (e->stored_status < 0 || (e->latest != NULL && e->latest_status != e->stored_status))
		return true;
	return r->now_ms - e->stored_ms >= KNOWN_STATE_EVERY_MS;
}

struct known_entry *known_due(struct known *r, size_t *cursor, bool is_all,
			      struct store_line *line_r)
{
	while (*cursor < r->open.n) {
		struct known_entry *e = r->open.v[(*cursor)++];
		bool is_waiting = e->waiting.len > 0 && !e->is_stored;

		if ((e->latest == NULL && !is_waiting) || (!is_all && !is_due(r, e)))
			continue;
		if (e->latest != NULL)
			*line_r = *e->latest;
		else
			*line_r = (struct store_line){.topic = TOPIC_HEALTH,
						      .text = e->waiting.data,
						      .len = e->waiting.len};
		return e;
	}
	return NULL;
}

void known_stored(struct known *r, struct known_entry *e, int status)
{
	known_touch(r, e);
	e->stored_status = status;
	e->stored_ms = r->now_ms;
	e->is_stored = true;
	e->latest = NULL;
}

void known_vanished(struct known *r)
{
	for (size_t i = 0; i < r->open.n; i++)
		if (!r->open.v[i]->is_stored)
			known_stored(r, r->open.v[i], -1);
}

/* Those with nothing left to be stored leave the list. */
static void close_entries(struct known *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->open.n; i++) {
		struct known_entry *e = r->open.v[i];

		e->is_open = e->waiting.len > 0;
		if (e->is_open)
			r->open.v[kept++] = e;
	}
	r->open.n = kept;
}

static void entry_free(struct known_entry *e)
{
	str_done(&e->waiting);
	free(e);
}

static void forget(struct known *r)
{
	const char *key;
	void *e;

	for (size_t i = 0; map_each(&r->entries, &i, &key, &e);)
		entry_free(e);
	map_done(&r->entries);
	r->entries = (struct map){0};
	r->touched.n = r->open.n = 0;
	r->generation++;
}

void known_commit(struct known *r)
{
	for (size_t i = 0; i < r->touched.n; i++) {
		struct known_entry *e = r->touched.v[i];

		if (e->is_stored)
			str_clear(&e->waiting);
		if (e->latest != NULL) {
			str_clear(&e->waiting);
			str_addn(&e->waiting, e->latest->text, e->latest->len);
		}
		e->latest = NULL;
		e->is_touched = e->is_stored = e->is_new = false;
	}
	r->touched.n = 0;
	close_entries(r);
	if (r->entries.n > KNOWN_MAX)
		forget(r);
}

void known_rollback(struct known *r)
{
	for (size_t i = 0; i < r->touched.n; i++) {
		struct known_entry *e = r->touched.v[i];

		if (e->is_new)
			e->id = 0;
		e->sets = e->sets_before;
		e->about = e->shape = e->message = e->details = 0;
		e->stored_status = -1;
		e->latest = NULL;
		e->is_touched = e->is_stored = e->is_new = false;
	}
	r->touched.n = 0;
	close_entries(r);
}

void known_done(struct known *r)
{
	forget(r);
	free(r->touched.v);
	free(r->open.v);
	*r = (struct known){0};
}
