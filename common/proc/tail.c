/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/tail.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

void tail_done(struct tail *t)
{
	for (size_t i = 0; i < TAIL_LINES; i++)
		free(t->lines[i].text);
	*t = (struct tail){0};
}

void tail_add(struct tail *t, uint64_t n, int64_t at_ms, int priority, const char *text)
{
	struct tail_line *line = &t->lines[t->next];

	free(line->text);
	*line = (struct tail_line){
		.n = n, .at_ms = at_ms, .priority = priority, .text = mem_dup(text)};
	t->next = (t->next + 1) % TAIL_LINES;
	t->count = HALE_MIN(t->count + 1, (size_t)TAIL_LINES);
}

/* The i-th oldest line kept. */
static const struct tail_line *line_at(const struct tail *t, size_t i)
{
	return &t->lines[(t->next + TAIL_LINES - t->count + i) % TAIL_LINES];
}

static const char *level_of(int priority)
{
	if (priority <= 2)
		return log_level_name(LOG_LEVEL_FATAL);
	if (priority == 3)
		return log_level_name(LOG_LEVEL_ERROR);
	if (priority == 4)
		return log_level_name(LOG_LEVEL_WARN);
	return log_level_name(priority >= 7 ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
}

void tail_encode(const struct tail *t, const char *process, uint64_t after, size_t limit,
		 json_t *out)
{
	size_t first = t->count > limit ? t->count - limit : 0;

	for (size_t i = first; i < t->count; i++) {
		const struct tail_line *line = line_at(t, i);
		char at[CLOCK_TEXT_MAX];

		if (line->n <= after)
			continue;
		json_array_append_new(
			out, json_pack("{s:I, s:s, s:s, s:s, s:s}", "n", (json_int_t)line->n, "at",
				       clock_format(line->at_ms, at), "process", process, "level",
				       level_of(line->priority), "text", line->text));
	}
}

json_t *tail_texts(const struct tail *t, uint64_t after, size_t limit)
{
	json_t *out = json_array();
	size_t first = t->count > limit ? t->count - limit : 0;

	for (size_t i = first; i < t->count; i++) {
		if (line_at(t, i)->n > after)
			json_array_append_new(out, json_string(line_at(t, i)->text));
	}
	return out;
}

static int by_number(const void *a, const void *b)
{
	json_int_t na = json_integer_value(json_object_get(*(json_t *const *)a, "n"));
	json_int_t nb = json_integer_value(json_object_get(*(json_t *const *)b, "n"));

	return (na > nb) - (na < nb);
}

json_t *tail_newest(const json_t *lines, size_t limit)
{
	size_t n = json_array_size(lines);
	json_t **v = mem_array(n, sizeof(*v));
	json_t *out = json_array();

	for (size_t i = 0; i < n; i++)
		v[i] = json_array_get(lines, i);
	qsort(v, n, sizeof(*v), by_number);
	for (size_t i = n > limit ? n - limit : 0; i < n; i++)
		json_array_append(out, v[i]);
	free(v);
	return out;
}

json_t *tail_hand_over(const struct tail *t)
{
	json_t *out = json_array();

	for (size_t i = 0; i < t->count; i++) {
		const struct tail_line *l = line_at(t, i);

		json_array_append_new(out, json_pack("[I, I, i, s]", (json_int_t)l->n,
						     (json_int_t)l->at_ms, l->priority, l->text));
	}
	return out;
}

void tail_take_over(struct tail *t, const json_t *former)
{
	json_t *line;
	size_t i;

	json_array_foreach (former, i, line) {
		const char *text = json_string_value(json_array_get(line, 3));

		if (text != NULL)
			tail_add(t, (uint64_t)json_integer_value(json_array_get(line, 0)),
				 json_integer_value(json_array_get(line, 1)),
				 (int)json_integer_value(json_array_get(line, 2)), text);
	}
}
