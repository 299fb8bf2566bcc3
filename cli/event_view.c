/* SPDX-License-Identifier: Apache-2.0 */
#include "event_view.h"

#include <stdlib.h>

#include "base/mem.h"
#include "field.h"
#include "model/frame.h"
#include "process_view.h"
#include "text.h"

#define ARROW          " \xe2\x86\x92 "
/* Columns that most topics and subjects fit in; a longer one pushes its own line to the right. */
#define TOPIC_COLUMN   9
#define SUBJECT_COLUMN 18
#define TEXT_MIN       20

void event_done(struct event *e)
{
	free(e->topic);
	free(e->subject);
	free(e->kind);
	str_done(&e->text);
}

void transition_add(struct str *out, const char *from, const char *to)
{
	if (from != NULL)
		str_addf(out, "%s" ARROW, from);
	str_add(out, to == NULL ? "unknown" : to);
}

static void add_behind(struct str *out, const char *message)
{
	if (message != NULL && *message != '\0')
		str_addf(out, "%s%s", out->len > 0 ? ": " : "", message);
}

static enum tone tone_of_name(const char *status)
{
	enum status s;

	return status_from_name(status, &s) ? tone_of_status(s) : TONE_DIM;
}

/* ---- the words of each topic ---- */

static void say_transition(struct event *e, const char *component, const char *from, const char *to,
			   const char *message)
{
	e->subject = mem_dup(component);
	e->kind = mem_dup(to);
	e->tone = tone_of_name(to);
	transition_add(&e->text, from, to);
	add_behind(&e->text, message);
}

static void say_process(struct event *e, const char *event, const json_t *state, const char *name)
{
	const json_t *last_exit = json_object_get(state, "last_exit");
	bool is_end = str_eq(event, "exit") || str_eq(event, "stop") || str_eq(event, "held");

	e->subject = mem_dup(name);
	e->kind = mem_dup(event);
	/* It is told twice: when it is asked to stop, and when it has. */
	if (str_eq(event, "stop") && field_text(state, "state") != NULL)
		event = field_text(state, "state");
	str_add(&e->text, event == NULL ? "changed" : event);
	if (str_eq(event, "start") || str_eq(event, "ready")) {
		if (json_is_integer(json_object_get(state, "pid")))
			str_addf(&e->text, ", pid %lld", (long long)field_int(state, "pid", 0));
	} else {
		e->tone = TONE_WARN;
	}
	if (str_eq(event, "stopping"))
		e->tone = TONE_PLAIN;
	/* What is about to stop has not ended yet: that would be an end before. */
	if (!is_end || str_eq(event, "stopping"))
		return;
	if (json_is_object(last_exit))
		str_add(&e->text, ": ");
	exit_describe(&e->text, last_exit);
	e->tone = field_true(last_exit, "expected") ? TONE_PLAIN : TONE_BAD;
}

static void say_alert(struct event *e, const char *event, const json_t *alert,
		      const json_t *delivery)
{
	int64_t opened_ms, resolved_ms;
	char span[TEXT_TIME_MAX];

	e->subject = mem_dup(field_or(alert, "component", field_or(alert, "key", "-")));
	e->kind = mem_dup(event);
	str_addf(&e->text, "%s %s", field_or(alert, "severity", "alert"),
		 event == NULL ? "changed" : event);
	if (str_eq(event, "resolved") && field_time(alert, "opened", &opened_ms) &&
	    field_time(alert, "resolved", &resolved_ms) && resolved_ms >= opened_ms + 1000)
		str_addf(&e->text, " after %s", text_span(resolved_ms - opened_ms, span));
	if (field_text(delivery, "channel") != NULL)
		str_addf(&e->text, " (%s: %s)", field_text(delivery, "channel"),
			 field_or(delivery, "status", "?"));
	add_behind(&e->text, field_text(delivery, "error"));
	add_behind(&e->text, field_text(alert, "message"));
	e->tone = str_eq(event, "resolved") ? TONE_GOOD
					    : tone_of_severity(field_text(alert, "severity"));
}

static void add_count(struct str *out, const json_t *run, const char *key)
{
	json_int_t n = field_int(run, key, 0);

	if (n > 0)
		str_addf(out, ", %lld %s", (long long)n, key);
}

static void say_run(struct event *e, const json_t *run, const char *name, const char *outcome,
		    const char *message)
{
	const char *const counts[] = {"inserted", "updated", "closed", "skipped"};
	double took_ms;
	char took[TEXT_TIME_MAX];
	const char *trigger = field_text(run, "trigger");

	e->subject = mem_dup(name);
	e->kind = mem_dup(outcome);
	str_addf(&e->text, "%s%s", field_true(run, "dry_run") ? "dry run " : "",
		 outcome == NULL ? "ended" : outcome);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		add_count(&e->text, run, counts[i]);
	if (field_number(run, "took_ms", &took_ms))
		str_addf(&e->text, " in %s", text_took(took_ms, took));
	/* Somebody asked for it, rather than the clock. */
	if (str_eq(trigger, "manual"))
		str_add(&e->text, ", by hand");
	add_behind(&e->text, message);
	e->tone = str_eq(outcome, "done") ? TONE_PLAIN : TONE_BAD;
}

static void say_event(struct event *e, const json_t *line, const char *message)
{
	const char *actor = field_text(json_object_get(line, "details"), "actor");

	e->subject = mem_dup(field_or(line, "subject", "-"));
	e->kind = mem_dup(field_or(line, "kind", "event"));
	str_add(&e->text, e->kind);
	if (actor != NULL)
		str_addf(&e->text, " by %s", actor);
	add_behind(&e->text, message);
	e->tone = tone_of_severity(field_text(line, "severity"));
}

/* ---- from the bus ---- */

static bool say_health(struct event *e, const json_t *line)
{
	const json_t *state = json_object_get(line, "state");

	if (field_true(line, "removed")) {
		e->subject = mem_dup(field_or(line, "component", "?"));
		e->kind = mem_dup("removed");
		str_add(&e->text, "removed from the configuration");
		return true;
	}
	if (!field_true(line, "transition"))
		return false;
	say_transition(e, field_or(line, "component", "?"), field_text(line, "previous"),
		       field_text(state, "status"), field_text(state, "message"));
	return true;
}

static bool say_line(struct event *e, const char *topic, const json_t *line)
{
	const json_t *state = json_object_get(line, "state");

	if (str_eq(topic, TOPIC_HEALTH))
		return say_health(e, line);
	if (str_eq(topic, TOPIC_PROCESS))
		say_process(e, field_text(line, "event"), state, field_or(state, "name", "?"));
	else if (str_eq(topic, TOPIC_ALERT))
		say_alert(e, field_text(line, "event"), json_object_get(line, "alert"),
			  json_object_get(line, "delivery"));
	else if (str_eq(topic, TOPIC_RECONCILE))
		say_run(e, line, field_or(line, "job", "?"), field_text(line, "outcome"),
			json_string_value(json_array_get(field_array(line, "errors"), 0)));
	else if (str_eq(topic, TOPIC_ACTION))
		say_run(e, line, field_or(line, "action", "?"), field_text(line, "outcome"),
			field_text(line, "message"));
	else
		say_event(e, line, field_text(line, "message"));
	return true;
}

bool event_of_line(const char *topic, const json_t *line, struct event *e_r)
{
	struct event e = {.topic = mem_dup(topic)};

	if (!field_time(line, "at", &e.at_ms) || !say_line(&e, topic, line)) {
		event_done(&e);
		return false;
	}
	*e_r = e;
	return true;
}

/* ---- from the store ---- */

/* What came over the bus is kept whole in details, but for the lines of topic event. */
static void say_stored(struct event *e, const char *topic, const json_t *row)
{
	const json_t *details = json_object_get(row, "details");

	if (str_eq(topic, TOPIC_EVENT) || json_object_size(details) == 0)
		say_event(e, row, field_text(row, "message"));
	else
		(void)say_line(e, topic, details);
}

bool event_of_row(enum read_what what, const json_t *row, struct event *e_r)
{
	const char *topic = field_or(row, "topic", TOPIC_EVENT);
	struct event e = {0};

	if (!field_time(row, "at", &e.at_ms))
		return false;
	if (what == READ_TRANSITIONS) {
		topic = TOPIC_HEALTH;
		say_transition(&e, field_or(row, "component", "?"), field_text(row, "from"),
			       field_text(row, "to"), field_text(row, "message"));
	} else if (what == READ_PROCESSES) {
		topic = TOPIC_PROCESS;
		say_process(&e, field_text(row, "event"), row, field_or(row, "process", "?"));
	} else {
		say_stored(&e, topic, row);
	}
	e.topic = mem_dup(topic);
	*e_r = e;
	return true;
}

/* ---- the line ---- */

static size_t add_padded(struct str *out, const char *text, size_t width)
{
	size_t used = text_width(text);

	text_add(out, text);
	for (; used < width; used++)
		str_addc(out, ' ');
	str_add(out, "  ");
	return used + 2;
}

void event_format(struct str *out, const struct event *e, bool has_colour, size_t width)
{
	char date[TEXT_TIME_MAX];
	size_t used;

	str_add(out, paint_on(has_colour, TONE_DIM));
	used = add_padded(out, text_date(e->at_ms, date), 0);
	used += add_padded(out, e->topic, TOPIC_COLUMN);
	str_add(out, paint_off(has_colour, TONE_DIM));
	used += add_padded(out, e->subject, SUBJECT_COLUMN);
	str_add(out, paint_on(has_colour, e->tone));
	if (width == 0)
		text_add(out, str_text(&e->text));
	else
		(void)text_add_cut(out, str_text(&e->text),
				   HALE_MAX((size_t)TEXT_MIN, width > used ? width - used : 0));
	str_add(out, paint_off(has_colour, e->tone));
	str_addc(out, '\n');
}
