/* SPDX-License-Identifier: Apache-2.0 */
#include "recent.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/component.h"
#include "model/frame.h"

const enum read_what recent_kinds[] = {READ_TRANSITIONS, READ_PROCESSES, READ_EVENTS};
const size_t recent_kinds_n = ARRAY_LEN(recent_kinds);

static json_t *member(const json_t *row, const char *key)
{
	return json_object_get(row, key);
}

static const char *text_of(const json_t *row, const char *key)
{
	return json_string_value(member(row, key));
}

/* The whole has no line of its own: what moved it tells. */
static json_t *transition(const json_t *row)
{
	const char *id = text_of(row, "component");
	if (!id || str_eq(id, COMPONENT_OVERALL))
		return NULL;
	return json_pack("{s:O,s:O,s:O,s:b,s:O?,s:{s:O,s:O,s:O?,s:O?,s:O}}", "at",
			 member(row, "at"), "node", member(row, "node"), "component",
			 member(row, "component"), "transition", 1, "previous", member(row, "from"),
			 "state", "id", member(row, "component"), "status", member(row, "to"),
			 "message", member(row, "message"), "reason", member(row, "reason"),
			 "since", member(row, "at"));
}

static json_t *process(const json_t *row)
{
	return json_pack("{s:O,s:O,s:O,s:O,s:{s:O,s:O,s:O?,s:O?,s:O?,s:O?,s:O?}}", "at",
			 member(row, "at"), "node", member(row, "node"), "process",
			 member(row, "process"), "event", member(row, "event"), "state", "name",
			 member(row, "process"), "state", member(row, "state"), "pid",
			 member(row, "pid"), "generation", member(row, "generation"), "restarts",
			 member(row, "restarts"), "status_text", member(row, "status_text"),
			 "last_exit", member(row, "last_exit"));
}

static json_t *event(const json_t *row)
{
	return json_pack("{s:O,s:O,s:O,s:O,s:O?,s:O?,s:O?}", "at", member(row, "at"), "node",
			 member(row, "node"), "kind", member(row, "kind"), "severity",
			 member(row, "severity"), "subject", member(row, "subject"), "message",
			 member(row, "message"), "details", member(row, "details"));
}

static json_t *alert(const json_t *row)
{
	return json_pack("{s:O,s:O,s:O,s:{s:O?,s:O,s:O?}}", "at", member(row, "at"), "node",
			 member(row, "node"), "event", member(row, "kind"), "alert", "component",
			 member(row, "subject"), "severity", member(row, "severity"), "message",
			 member(row, "message"));
}

/* A run of the reconciler, or an action: the rest of its line is in the details. */
static json_t *outcome(const json_t *row, const char *subject)
{
	json_t *line = json_pack("{s:O,s:O,s:O?,s:O,s:O?}", "at", member(row, "at"), "node",
				 member(row, "node"), subject, member(row, "subject"), "outcome",
				 member(row, "kind"), "message", member(row, "message"));
	if (line)
		json_object_update_missing(line, member(row, "details"));
	return line;
}

static json_t *line_of(enum read_what what, const json_t *row, const char **event_r)
{
	const char *topic = text_of(row, "topic");
	if (what == READ_TRANSITIONS) {
		*event_r = "health:update";
		return transition(row);
	}
	if (what == READ_PROCESSES) {
		*event_r = "process:update";
		return process(row);
	}
	if (str_eq(topic, TOPIC_ALERT)) {
		*event_r = "alert:update";
		return alert(row);
	}
	if (str_eq(topic, TOPIC_RECONCILE)) {
		*event_r = "reconcile:new";
		return outcome(row, "job");
	}
	if (str_eq(topic, TOPIC_ACTION)) {
		*event_r = "action:new";
		return outcome(row, "action");
	}
	*event_r = "event:new";
	return event(row);
}

json_t *recent_frame(enum read_what what, const json_t *row)
{
	const char *name = NULL;
	json_t *line = line_of(what, row, &name);
	if (!line)
		return NULL;
	return json_pack("{s:s,s:I,s:o}", "event", name, "seq",
			 json_integer_value(member(row, "seq")), "data", line);
}

void recent_add(json_t *frames, enum read_what what, const json_t *rows, const char *epoch,
		uint64_t head)
{
	json_t *row;
	size_t i;
	json_array_foreach ((json_t *)(uintptr_t)rows, i, row) {
		bool comes_yet = str_eq(text_of(row, "epoch"), epoch) &&
				 json_integer_value(member(row, "seq")) > (json_int_t)head;
		json_t *frame = comes_yet ? NULL : recent_frame(what, row);
		if (frame)
			json_array_append_new(frames, frame);
	}
}

/* Times are RFC 3339 of one form: text order is their order. Lines of one time by their number. */
static int older(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	int by_time = strcmp(text_of(member(x, "data"), "at"), text_of(member(y, "data"), "at"));
	json_int_t p = json_integer_value(member(x, "seq")),
		   q = json_integer_value(member(y, "seq"));
	return by_time ? by_time : (p > q) - (p < q);
}

json_t *recent_pick(const json_t *frames, size_t max)
{
	size_t n = json_array_size(frames);
	json_t **v = mem_array(n, sizeof(json_t *));
	for (size_t i = 0; i < n; i++)
		v[i] = json_array_get(frames, i);
	qsort(v, n, sizeof(json_t *), older);
	json_t *out = json_array();
	for (size_t i = n > max ? n - max : 0; i < n; i++)
		json_array_append(out, v[i]);
	free(v);
	return out;
}
