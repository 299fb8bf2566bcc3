/* SPDX-License-Identifier: Apache-2.0 */
#include "queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/frame.h"

/* What jansson and the allocator need for a value, beside its text: measured at 40 to 110 bytes;
 * the limit is about the order of magnitude, not the byte. */
#define VALUE_BYTES 64

struct queue_item {
	struct store_entry line;
	size_t bytes;
	uint64_t number;
	struct queue_item *next;
};

void queue_line_done(struct store_entry *line)
{
	free(line->topic);
	free(line->epoch);
	json_decref(line->object);
	free(line->text);
	*line = (struct store_entry){0};
}

static size_t weigh(const json_t *value)
{
	size_t bytes = VALUE_BYTES, i;
	const char *key;
	json_t *member;

	if (json_is_string(value))
		return bytes + json_string_length(value);
	json_object_foreach ((json_t *)value, key, member)
		bytes += VALUE_BYTES + strlen(key) + weigh(member);
	json_array_foreach ((json_t *)value, i, member)
		bytes += sizeof(json_t *) + weigh(member);
	return bytes;
}

enum queue_class queue_classify(const char *topic, const json_t *object)
{
	const json_t *overall = json_object_get(object, "overall");

	if (strcmp(topic, STORE_TOPIC_SNAPSHOT) == 0)
		return QUEUE_TRANSITION;
	if (strcmp(topic, TOPIC_HEALTH) != 0)
		return QUEUE_OTHER;
	if (json_is_true(json_object_get(object, "transition")) ||
	    json_is_true(json_object_get(overall, "transition")))
		return QUEUE_TRANSITION;
	return QUEUE_RESULT;
}

static struct queue_item *take_first(struct queue *q, enum queue_class class)
{
	struct queue_list *list = &q->lists[class];
	struct queue_item *item = list->first;

	list->first = item->next;
	if (list->first == NULL)
		list->last = NULL;
	q->bytes -= item->bytes;
	q->n--;
	return item;
}

static void drop_one(struct queue *q)
{
	struct queue_item *item;
	enum queue_class class = QUEUE_RESULT;

	while (q->lists[class].first == NULL)
		class ++;
	item = take_first(q, class);
	q->dropped[class]++;
	queue_line_done(&item->line);
	free(item);
}

void queue_push(struct queue *q, enum queue_class class, const struct store_entry *line)
{
	struct queue_item *item = mem_alloc(sizeof(*item));
	struct queue_list *list = &q->lists[class];

	item->line = *line;
	item->number = ++q->pushed;
	item->bytes = sizeof(*item) + 2 * (size_t)VALUE_BYTES + weigh(line->object) +
		      (line->text == NULL ? 0 : strlen(line->text));
	if (list->last != NULL)
		list->last->next = item;
	else
		list->first = item;
	list->last = item;
	q->bytes += item->bytes;
	q->n++;
	while (q->bytes > q->bytes_max && q->n > 0)
		drop_one(q);
}

bool queue_pop(struct queue *q, struct store_entry *line_r)
{
	enum queue_class oldest = QUEUE_CLASS_MAX;
	struct queue_item *item;

	for (enum queue_class c = 0; c < QUEUE_CLASS_MAX; c++) {
		const struct queue_item *first = q->lists[c].first;

		if (first != NULL &&
		    (oldest == QUEUE_CLASS_MAX || first->number < q->lists[oldest].first->number))
			oldest = c;
	}
	if (oldest == QUEUE_CLASS_MAX)
		return false;
	item = take_first(q, oldest);
	*line_r = item->line;
	free(item);
	return true;
}

uint64_t queue_dropped(const struct queue *q)
{
	uint64_t n = 0;

	for (size_t c = 0; c < QUEUE_CLASS_MAX; c++)
		n += q->dropped[c];
	return n;
}

void queue_done(struct queue *q)
{
	struct store_entry line;

	while (queue_pop(q, &line))
		queue_line_done(&line);
}
