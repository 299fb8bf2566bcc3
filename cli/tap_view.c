/* SPDX-License-Identifier: Apache-2.0 */
#include "tap_view.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "event_view.h"
#include "field.h"
#include "model/frame.h"
#include "text.h"

/* Columns that most topics and subjects fit in; a longer one pushes its own line to the right. */
#define SEQ_COLUMN     7
#define TOPIC_COLUMN   9
#define SUBJECT_COLUMN 18
#define TEXT_MIN       20

/* A check that changed nothing. */
static void say_check(struct event *e, const json_t *line)
{
	const json_t *state = json_object_get(line, "state");
	const char *status = field_or(state, "status", "unknown");
	char took[TEXT_TIME_MAX];
	enum status s;
	double ms;

	e->subject = mem_dup(field_or(line, "component", "?"));
	e->tone = status_from_name(status, &s) ? tone_of_status(s) : TONE_PLAIN;
	str_add(&e->text, status);
	if (field_number(state, "took_ms", &ms))
		str_addf(&e->text, ", %s", text_took(ms, took));
	if (field_or(state, "message", "")[0] != '\0')
		str_addf(&e->text, ": %s", field_text(state, "message"));
}

/* Whatever it is, it is shown. */
static void say_anything(struct event *e, const json_t *line)
{
	char *text = json_dumps(line, JSON_WIRE_FLAGS);

	e->subject = mem_dup(field_or(line, "subject", field_or(line, "component", "-")));
	if (text != NULL)
		str_add(&e->text, text);
	free(text);
}

static void say(struct event *e, const char *topic, const json_t *line)
{
	if (event_of_line(topic, line, e))
		return;
	*e = (struct event){.topic = mem_dup(topic)};
	if (str_eq(topic, TOPIC_HEALTH) && json_is_object(json_object_get(line, "state")))
		say_check(e, line);
	else
		say_anything(e, line);
}

static size_t add_padded(struct str *out, const char *text, size_t width)
{
	size_t used = text_width(text);

	text_add(out, text);
	for (; used < width; used++)
		str_addc(out, ' ');
	str_add(out, "  ");
	return used + 2;
}

static size_t add_head(struct str *out, const char *topic, uint64_t seq, const json_t *line)
{
	char clock[TEXT_TIME_MAX] = "--:--:--.---", number[32];
	int64_t at_ms;
	size_t used;

	if (field_time(line, "at", &at_ms))
		(void)text_clock(at_ms, clock);
	(void)snprintf(number, sizeof(number), "#%" PRIu64, seq);
	used = add_padded(out, clock, 0);
	used += add_padded(out, number, SEQ_COLUMN);
	return used + add_padded(out, topic, TOPIC_COLUMN);
}

void tap_format(struct str *out, const char *topic, uint64_t seq, const json_t *line,
		bool has_colour, size_t width)
{
	struct event e;
	size_t used;

	say(&e, topic, line);
	str_add(out, paint_on(has_colour, TONE_DIM));
	used = add_head(out, topic, seq, line);
	str_add(out, paint_off(has_colour, TONE_DIM));
	used += add_padded(out, e.subject, SUBJECT_COLUMN);
	str_add(out, paint_on(has_colour, e.tone));
	if (width == 0)
		text_add(out, str_text(&e.text));
	else
		(void)text_add_cut(out, str_text(&e.text),
				   HALE_MAX((size_t)TEXT_MIN, width > used ? width - used : 0));
	str_add(out, paint_off(has_colour, e.tone));
	str_addc(out, '\n');
	event_done(&e);
}

bool tap_matches(const char *topic, const json_t *line, const char *glob)
{
	struct event e;
	bool matches;

	say(&e, topic, line);
	matches = fnmatch(glob, e.subject, 0) == 0;
	event_done(&e);
	return matches;
}
