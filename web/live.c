/* SPDX-License-Identifier: Apache-2.0 */
#include "live.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/component.h"
#include "model/frame.h"

struct live {
	json_t *base;       /* the snapshot without components and processes */
	json_t *components; /* by id; one that is a string is still the text of its object */
	bool has_texts;
	json_t *processes;
	json_t *recent;
	uint64_t revision;
	uint64_t seq;
	bool has_snapshot;
	bool is_stale;
	int64_t stale_since_ms;
};

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

struct live *live_new(void)
{
	struct live *l = mem_alloc(sizeof(*l));
	l->base = json_object();
	l->components = json_object();
	l->processes = json_object();
	l->recent = json_array();
	return l;
}

void live_free(struct live *l)
{
	if (!l)
		return;
	json_decref(l->base);
	json_decref(l->components);
	json_decref(l->processes);
	json_decref(l->recent);
	free(l);
}

/* Array of objects -> object by the member `key`; jansson keeps the order. */
static json_t *index_by(const json_t *array, const char *key)
{
	json_t *out = json_object();
	size_t i;
	json_t *item;
	json_array_foreach (array, i, item) {
		const char *name = text_of(item, key);
		if (name)
			json_object_set(out, name, item);
	}
	return out;
}

/* As text until somebody looks: a tree is ten times as much. */
static void fold_components(struct live *l)
{
	const char *id;
	json_t *value;
	void *next;
	json_object_foreach_safe(l->components, next, id, value)
	{
		char *text = json_dumps(value, JSON_WIRE_FLAGS);
		json_object_set_new(l->components, id, json_string(text));
		free(text);
	}
	l->has_texts = true;
}

void live_snapshot(struct live *l, const json_t *snapshot)
{
	json_decref(l->base);
	json_decref(l->components);
	json_decref(l->processes);
	l->components = index_by(json_object_get(snapshot, "components"), "id");
	fold_components(l);
	l->processes = index_by(json_object_get(snapshot, "processes"), "name");
	l->base = json_copy((json_t *)(uintptr_t)snapshot);
	json_object_del(l->base, "components");
	json_object_del(l->base, "processes");
	json_int_t head = json_integer_value(json_object_get(snapshot, "head"));
	l->seq = head > 0 ? (uint64_t)head : 0;
	l->has_snapshot = true;
	l->is_stale = false;
	l->revision++;
}

void live_refresh(struct live *l, const json_t *status)
{
	json_int_t head = json_integer_value(json_object_get(status, "head"));
	const char *epoch = text_of(status, "epoch");
	bool is_whole = json_object_get(status, "components") != NULL;
	if (is_whole && head >= 0 && (uint64_t)head >= l->seq &&
	    str_eq(epoch, text_of(l->base, "epoch"))) {
		live_snapshot(l, status);
		return;
	}
	static const char *const not_on_the_bus[] = {"config", "bus", "commands", "instance",
						     "version"};
	for (size_t i = 0; i < ARRAY_LEN(not_on_the_bus); i++) {
		json_t *value = json_object_get(status, not_on_the_bus[i]);
		if (value)
			json_object_set(l->base, not_on_the_bus[i], value);
	}
	l->revision++;
}

static void put_or_remove(json_t *index, const json_t *line, const char *key, const char *subject)
{
	json_t *state = json_object_get(line, "state");
	const char *name = text_of(state, key);
	if (!name)
		name = text_of(line, subject);
	if (!name)
		return;
	if (json_is_true(json_object_get(line, "removed")))
		json_object_del(index, name);
	else if (state)
		json_object_set(index, name, state);
}

static void take_overall(struct live *l, const json_t *line)
{
	const json_t *overall = json_object_get(line, "overall");
	if (!overall)
		return;
	static const char *const members[] = {"status", "score"};
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		json_t *value = json_object_get(overall, members[i]);
		if (value)
			json_object_set(l->base, members[i], value);
	}
	json_t *at = json_object_get(line, "at");
	if (json_is_true(json_object_get(overall, "transition")) && at)
		json_object_set(l->base, "since", at);
}

static void remember(struct live *l, const char *event, uint64_t seq, const json_t *object)
{
	if (json_array_size(l->recent) >= LIVE_RECENT_MAX)
		json_array_remove(l->recent, 0);
	json_array_append_new(l->recent, json_pack("{s:s,s:I,s:O}", "event", event, "seq",
						   (json_int_t)seq, "data", object));
}

static void take_health(struct live *l, const json_t *line)
{
	put_or_remove(l->components, line, "id", "component");
	take_overall(l, line);
}

static void take_process(struct live *l, const json_t *line)
{
	put_or_remove(l->processes, line, "name", "process");
}

/* What a reload did is told in an event, long before the next `status` answer. */
static void take_event(struct live *l, const json_t *line)
{
	const char *kind = text_of(line, "kind");
	if (str_eq(kind, "monitoring_paused") || str_eq(kind, "monitoring_resumed"))
		json_object_update(l->base, json_object_get(line, "details"));
	bool is_ok = str_eq(kind, "reload");
	if (!is_ok && !str_eq(kind, "reload_failed"))
		return;
	json_t *config = json_copy(json_object_get(l->base, "config"));
	if (!config)
		config = json_object();
	json_object_set_new(config, "last_reload_ok", json_boolean(is_ok));
	json_t *message = json_object_get(line, "message");
	json_object_set_new(config, "last_reload_error",
			    is_ok || !message ? json_null() : json_incref(message));
	json_object_set_new(l->base, "config", config);
}

static bool is_transition(const json_t *line)
{
	return json_is_true(json_object_get(line, "transition"));
}

/* One row per topic: what it changes, its name on the stream, and which lines people want to read
 * back later (NULL: all). */
static const struct topic_row {
	const char *topic;
	const char *event;
	void (*take)(struct live *l, const json_t *line);
	bool (*is_memorable)(const json_t *line);
} topics[] = {
	{TOPIC_HEALTH, "health:update", take_health, is_transition},
	{TOPIC_PROCESS, "process:update", take_process, NULL},
	{TOPIC_ALERT, "alert:update", NULL, NULL},
	{TOPIC_EVENT, "event:new", take_event, NULL},
	{TOPIC_RECONCILE, "reconcile:new", NULL, NULL},
	{TOPIC_ACTION, "action:new", NULL, NULL},
};

const char *live_line(struct live *l, const char *topic, uint64_t seq, const json_t *object)
{
	l->seq = seq;
	l->is_stale = false;
	for (size_t i = 0; i < ARRAY_LEN(topics); i++) {
		const struct topic_row *row = &topics[i];
		if (!str_eq(row->topic, topic))
			continue;
		if (row->take)
			row->take(l, object);
		if (!row->is_memorable || row->is_memorable(object))
			remember(l, row->event, seq, object);
		l->revision++;
		return row->event;
	}
	return NULL;
}

bool live_routine(struct live *l, uint64_t seq, const struct health_line *line)
{
	char id[COMPONENT_ID_MAX];
	if (!jtext_string(line->component, id, sizeof(id)) || !json_object_get(l->components, id))
		return false;
	l->seq = seq;
	l->is_stale = false;
	json_object_set_new_nocheck(l->components, id,
				    json_stringn_nocheck(line->state.text, line->state.len));
	l->has_texts = true;
	l->revision++;
	return true;
}

/* What nobody looked at since it came. It was haled's text, so it is JSON. */
static json_t *components_read(const struct live *l)
{
	struct live *own = (struct live *)(uintptr_t)l;
	const char *id;
	json_t *value;
	void *next;
	if (!l->has_texts)
		return l->components;
	own->has_texts = false;
	json_object_foreach_safe(l->components, next, id, value)
	{
		if (!json_is_string(value))
			continue;
		json_t *object =
			json_loadb(json_string_value(value), json_string_length(value), 0, NULL);
		json_object_set_new(l->components, id, object ? object : json_object());
	}
	return l->components;
}

void live_remember(struct live *l, const json_t *frames)
{
	for (size_t i = json_array_size(frames);
	     i-- > 0 && json_array_size(l->recent) < LIVE_RECENT_MAX;)
		json_array_insert(l->recent, 0, json_array_get(frames, i));
	l->revision++;
}

void live_set_stale(struct live *l, bool is_stale, int64_t now_ms)
{
	if (is_stale == l->is_stale)
		return;
	l->is_stale = is_stale;
	l->stale_since_ms = now_ms;
	l->revision++;
}

bool live_has_snapshot(const struct live *l)
{
	return l->has_snapshot;
}

bool live_is_stale(const struct live *l)
{
	return l->is_stale;
}

uint64_t live_revision(const struct live *l)
{
	return l->revision;
}

uint64_t live_seq(const struct live *l)
{
	return l->seq;
}

enum status live_status(const struct live *l)
{
	enum status s;
	const char *name = text_of(l->base, "status");
	if (l->is_stale || !name || !status_from_name(name, &s))
		return STATUS_UNKNOWN;
	return s;
}

bool live_is_monitoring(const struct live *l)
{
	return !json_is_false(json_object_get(l->base, "monitoring_active"));
}

double live_score(const struct live *l)
{
	const json_t *score = json_object_get(l->base, "score");
	return json_is_number(score) ? json_number_value(score) : -1;
}

const json_t *live_base(const struct live *l)
{
	return l->base;
}

const json_t *live_component(const struct live *l, const char *id)
{
	json_t *value = json_object_get(l->components, id);
	if (!json_is_string(value))
		return value;
	return json_object_get(components_read(l), id);
}

const json_t *live_process(const struct live *l, const char *name)
{
	return json_object_get(l->processes, name);
}

const json_t *live_components(const struct live *l)
{
	return components_read(l);
}

const json_t *live_processes(const struct live *l)
{
	return l->processes;
}

const json_t *live_recent(const struct live *l)
{
	return l->recent;
}

static json_t *values(const json_t *index)
{
	json_t *out = json_array();
	const char *key;
	json_t *value;
	json_object_foreach ((json_t *)(uintptr_t)index, key, value)
		json_array_append(out, value);
	return out;
}

json_t *live_component_array(const struct live *l)
{
	return values(components_read(l));
}

json_t *live_process_array(const struct live *l)
{
	return values(l->processes);
}

json_t *live_counts(const struct live *l)
{
	json_int_t n[STATUS_MAX] = {0};
	const char *key;
	json_t *component;
	json_object_foreach (components_read(l), key, component) {
		enum status s;
		const char *name = text_of(component, "status");
		if (name && status_from_name(name, &s) &&
		    !json_is_false(json_object_get(component, "enabled")))
			n[s]++;
	}
	json_int_t total = 0;
	for (enum status s = STATUS_HEALTHY; s < STATUS_MAX; s++)
		total += n[s];
	json_t *out = json_pack("{s:I}", "total", total);
	for (enum status s = STATUS_HEALTHY; s < STATUS_MAX; s++)
		json_object_set_new(out, status_name(s), json_integer(n[s]));
	return out;
}

json_t *live_document(const struct live *l)
{
	json_t *doc = json_copy(l->base);
	json_object_set_new(doc, "status", json_string(status_name(live_status(l))));
	json_object_set_new(doc, "head", json_integer((json_int_t)l->seq));
	json_object_set_new(doc, "counts", live_counts(l));
	json_object_set_new(doc, "components", live_component_array(l));
	json_object_set_new(doc, "processes", live_process_array(l));
	if (l->is_stale) {
		char at[CLOCK_TEXT_MAX];
		json_object_set_new(doc, "stale", json_true());
		json_object_set_new(doc, "stale_since",
				    json_string(clock_format(l->stale_since_ms, at)));
	}
	return doc;
}
