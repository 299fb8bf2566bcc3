/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/ring.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/frame.h"

/* What an entry costs beside its line: the entry itself and malloc's own. */
#define ENTRY_OVERHEAD_BYTES 64
/* Epochs remembered after their last line has left, so that a cursor at their very end still finds
 * what followed. A journal holds a handful. */
#define EPOCHS_MAX           64
#define FIRST_CAP            64

struct ring_epoch {
	char name[FRAME_EPOCH_MAX];
	uint64_t start;        /* index (see ring.base) of its first line */
	uint64_t last_seq;     /* newest line */
	uint64_t lost_through; /* its lines up to this seq are not here: evicted, or never were */
};

struct ring_entry {
	uint64_t seq;
	size_t bytes;
	const char *topic; /* in text, behind the line */
	size_t len;
	uint32_t epoch; /* counts epochs from the first ever; see ring.epoch_base */
	char text[];    /* line, "\n", topic, NUL */
};

struct ring {
	size_t max_bytes;
	size_t bytes;
	uint64_t evicted;
	struct ring_entry **v; /* circular; cap is a power of two */
	size_t cap;
	size_t n;
	uint64_t base;             /* index of the oldest line; indexes only grow */
	struct ring_epoch *epochs; /* oldest first */
	size_t n_epochs;
	uint32_t epoch_base; /* number of epochs[0] */
};

struct ring *ring_new(size_t max_bytes)
{
	struct ring *r = mem_alloc(sizeof(*r));

	r->max_bytes = max_bytes;
	r->cap = FIRST_CAP;
	r->v = mem_array(r->cap, sizeof(struct ring_entry *));
	r->epochs = mem_array(EPOCHS_MAX, sizeof(*r->epochs));
	return r;
}

static struct ring_entry **slot(const struct ring *r, uint64_t index)
{
	return &r->v[index & (r->cap - 1)];
}

void ring_free(struct ring *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->n; i++)
		free(*slot(r, r->base + i));
	free(r->v);
	free(r->epochs);
	free(r);
}

static struct ring_epoch *epoch_of(const struct ring *r, const struct ring_entry *e)
{
	return &r->epochs[e->epoch - r->epoch_base];
}

static void evict(struct ring *r)
{
	struct ring_entry *e = *slot(r, r->base);

	epoch_of(r, e)->lost_through = e->seq;
	r->bytes -= e->bytes;
	r->evicted++;
	r->base++;
	r->n--;
	free(e);
}

static void grow(struct ring *r)
{
	size_t cap = r->cap * 2;
	struct ring_entry **v = mem_array(cap, sizeof(struct ring_entry *));

	for (size_t i = 0; i < r->n; i++)
		v[(r->base + i) & (cap - 1)] = *slot(r, r->base + i);
	free(r->v);
	r->v = v;
	r->cap = cap;
}

static void forget_oldest_epoch(struct ring *r)
{
	while (r->n > 0 && (*slot(r, r->base))->epoch == r->epoch_base)
		evict(r);
	r->n_epochs--;
	r->epoch_base++;
	memmove(r->epochs, r->epochs + 1, r->n_epochs * sizeof(*r->epochs));
}

static struct ring_epoch *newest_epoch(const struct ring *r)
{
	return r->n_epochs == 0 ? NULL : &r->epochs[r->n_epochs - 1];
}

static struct ring_epoch *enter_epoch(struct ring *r, const char *name, uint64_t first_seq)
{
	struct ring_epoch *e = newest_epoch(r);

	if (e != NULL && strcmp(e->name, name) == 0)
		return e;
	HALE_ASSERT(strlen(name) > 0 && strlen(name) < sizeof(e->name));
	if (r->n_epochs == EPOCHS_MAX)
		forget_oldest_epoch(r);
	e = &r->epochs[r->n_epochs++];
	memset(e, 0, sizeof(*e));
	memcpy(e->name, name, strlen(name) + 1);
	e->start = r->base + r->n;
	e->lost_through = first_seq - 1;
	return e;
}

void ring_add(struct ring *r, const char *epoch, uint64_t seq, const char *topic, const char *line,
	      size_t len)
{
	size_t topic_len = strlen(topic);
	size_t bytes = len + topic_len + ENTRY_OVERHEAD_BYTES;
	struct ring_epoch *ep;
	struct ring_entry *e;

	HALE_ASSERT(seq > 0 && topic_len > 0 && topic_len < FRAME_TOPIC_MAX);
	ep = enter_epoch(r, epoch, seq);
	HALE_ASSERT(seq > ep->last_seq);
	ep->last_seq = seq;
	while (r->n > 0 && r->bytes + bytes > r->max_bytes)
		evict(r);
	if (bytes > r->max_bytes) {
		ep->lost_through = seq;
		r->evicted++;
		return;
	}
	e = mem_alloc(sizeof(*e) + len + 1 + topic_len + 1);
	e->seq = seq;
	e->bytes = bytes;
	e->len = len;
	e->epoch = r->epoch_base + (uint32_t)(ep - r->epochs);
	memcpy(e->text, line, len);
	e->text[len] = '\n';
	memcpy(e->text + len + 1, topic, topic_len + 1);
	e->topic = e->text + len + 1;
	if (r->n == r->cap)
		grow(r);
	*slot(r, r->base + r->n) = e;
	r->n++;
	r->bytes += bytes;
}

void ring_each(const struct ring *r,
	       void (*on_line)(void *ctx, const char *epoch, uint64_t seq, const char *topic,
			       const char *line, size_t len),
	       void *ctx)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct ring_entry *e = *slot(r, r->base + i);

		on_line(ctx, epoch_of(r, e)->name, e->seq, e->topic, e->text, e->len);
	}
}

/* The table itself shrinks, too: it may have grown for very many lines. */
static void shrink(struct ring *r)
{
	size_t cap = r->cap;
	struct ring_entry **v;

	while (cap > FIRST_CAP && r->n <= cap / 4)
		cap /= 2;
	if (cap == r->cap)
		return;
	v = mem_array(cap, sizeof(struct ring_entry *));
	for (size_t i = 0; i < r->n; i++)
		v[(r->base + i) & (cap - 1)] = *slot(r, r->base + i);
	free(r->v);
	r->v = v;
	r->cap = cap;
}

void ring_resize(struct ring *r, size_t max_bytes)
{
	r->max_bytes = max_bytes;
	while (r->n > 0 && r->bytes > max_bytes)
		evict(r);
	shrink(r);
}

size_t ring_bytes(const struct ring *r)
{
	return r->bytes;
}

uint64_t ring_evicted(const struct ring *r)
{
	return r->evicted;
}

/* Index of the first line of this epoch after `after`, or of whatever follows the epoch. */
static uint64_t find_after(const struct ring *r, const struct ring_epoch *ep, uint64_t after)
{
	const struct ring_epoch *next = ep + 1 < r->epochs + r->n_epochs ? ep + 1 : NULL;
	uint64_t low = HALE_MAX(ep->start, r->base);
	uint64_t high = HALE_MAX(next == NULL ? r->base + r->n : next->start, r->base);

	while (low < high) {
		uint64_t mid = low + (high - low) / 2;

		if ((*slot(r, mid))->seq > after)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/* From the oldest line on: behind the last hole between epochs, so that what is given is whole. */
static enum ring_answer find_oldest(const struct ring *r, uint64_t *index_r)
{
	*index_r = r->base;
	for (size_t i = r->n_epochs; i-- > 0;) {
		if (r->epochs[i].lost_through == 0)
			continue;
		*index_r = HALE_MAX(r->epochs[i].start, r->base);
		return i == r->n_epochs - 1 ? RING_TOO_OLD : RING_OK;
	}
	return RING_OK;
}

static enum ring_answer find_start(const struct ring *r, const char *epoch, uint64_t after,
				   uint64_t *index_r)
{
	if (epoch == NULL || epoch[0] == '\0')
		return find_oldest(r, index_r);
	/* From the newest, because every epoch behind the cursor's must be here from its beginning:
	 * it may have been evicted, or the journal began in the middle of it. */
	for (size_t i = r->n_epochs; i-- > 0;) {
		const struct ring_epoch *ep = &r->epochs[i];

		if (strcmp(ep->name, epoch) == 0) {
			if (after < ep->lost_through ||
			    (i == r->n_epochs - 1 && after > ep->last_seq))
				return RING_TOO_OLD;
			*index_r = find_after(r, ep, after);
			return RING_OK;
		}
		if (ep->lost_through > 0)
			return RING_TOO_OLD;
	}
	return RING_TOO_OLD;
}

/* As JSON text; bytes that are no UTF-8 (never ours, perhaps a journal's) become '?'. */
static json_t *text_value(struct str *text)
{
	json_t *value = json_stringn(text->data, text->len);

	if (value != NULL)
		return value;
	for (size_t i = 0; i < text->len; i++) {
		if ((unsigned char)text->data[i] >= 0x80)
			text->data[i] = '?';
	}
	return json_stringn(text->data, text->len);
}

/* Appends one frame of lines that may share one, from *index on, and moves *index past them. */
static void add_frame(const struct ring *r, uint64_t *index, json_t *frames, size_t *bytes)
{
	const struct ring_entry *first = *slot(r, *index);
	const uint64_t end = r->base + r->n;
	HALE_CLEANUP(str_done) struct str lines = {0};
	HALE_CLEANUP(str_done) struct str text = {0};
	uint32_t count = 0;
	json_t *value;

	for (; *index < end; (*index)++, count++) {
		const struct ring_entry *e = *slot(r, *index);

		if (e->epoch != first->epoch || e->seq != first->seq + count ||
		    strcmp(e->topic, first->topic) != 0 ||
		    (count > 0 && lines.len + e->len + 1 > FRAME_FLUSH_BYTES))
			break;
		str_addn(&lines, e->text, e->len + 1);
	}
	frame_format(&text, first->topic, epoch_of(r, first)->name, first->seq, count, lines.data,
		     lines.len);
	*bytes += text.len;
	value = text_value(&text);
	HALE_ASSERT(value != NULL && json_array_append_new(frames, value) == 0);
}

enum ring_answer ring_replay(const struct ring *r, const char *epoch, uint64_t after,
			     size_t max_bytes, json_t **frames_r, bool *more_r)
{
	enum ring_answer answer;
	uint64_t index;
	size_t bytes = 0;
	json_t *frames;

	answer = find_start(r, epoch, after, &index);
	if (answer != RING_OK)
		return answer;
	frames = json_array();
	HALE_ASSERT(frames != NULL);
	while (index < r->base + r->n && bytes < max_bytes)
		add_frame(r, &index, frames, &bytes);
	*frames_r = frames;
	*more_r = index < r->base + r->n;
	return RING_OK;
}
