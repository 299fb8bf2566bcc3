/* SPDX-License-Identifier: Apache-2.0 */
#include "model/health.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/frame.h"

/* Components above one that are looked at; whoever depends on more has other worries. */
#define DEPENDS_MAX 256

struct entry {
	struct component_spec spec;
	struct component_state state;
	bool is_pending;                 /* not observed since haled started, and not overdue */
	bool is_overruled;               /* haled found something wrong with this process */
	struct aggregate_member counted; /* as it is in the tally */
};

struct health {
	struct entry **v;
	size_t n;
	struct map by_id;
	struct health_hooks hooks;
	struct aggregate_rule rule;
	struct aggregate total;
	struct aggregate_tally tally;
	bool is_tally_stale; /* many changed: count anew */
	int64_t total_since_ms;
	int64_t next_due_ms;
	bool is_total_stale; /* a reload moved it: told with the next line */
	bool is_paused;
	/* Not configured any more, and not yet told as removed. */
	struct entry **gone;
	size_t gone_n;
	struct str text; /* of the line that is being told */
};

/* One change, as it is told. */
struct change {
	struct entry *entry;
	enum status from;
	bool has_changed;
	bool is_first; /* it was pending, and is counted from now on */
	bool is_no_data;
};

struct health *health_new(const struct health_hooks *hooks)
{
	struct health *h = mem_alloc(sizeof(*h));

	h->hooks = *hooks;
	h->total.status = STATUS_UNKNOWN;
	h->total.score = NAN;
	h->next_due_ms = INT64_MAX;
	return h;
}

static void entry_free(struct entry *e)
{
	component_spec_done(&e->spec);
	component_state_done(&e->state);
	free(e);
}

void health_free(struct health *h)
{
	if (h == NULL)
		return;
	for (size_t i = 0; i < h->n; i++)
		entry_free(h->v[i]);
	for (size_t i = 0; i < h->gone_n; i++)
		entry_free(h->gone[i]);
	free(h->v);
	free(h->gone);
	str_done(&h->text);
	map_done(&h->by_id);
	free(h);
}

/* ---- the total ---- */

static void recount(struct health *h, struct entry *e)
{
	aggregate_drop(&h->tally, &e->counted);
	e->counted = (struct aggregate_member){
		.status = e->state.status,
		.impact = e->spec.impact,
		.weight = e->spec.weight,
		.is_counted = e->spec.is_enabled && !e->is_pending,
	};
	aggregate_add(&h->tally, &e->counted);
}

static struct aggregate total_of(struct health *h)
{
	if (h->is_tally_stale) {
		h->is_tally_stale = false;
		h->tally = (struct aggregate_tally){0};
		for (size_t i = 0; i < h->n; i++) {
			h->v[i]->counted = (struct aggregate_member){0};
			recount(h, h->v[i]);
		}
	}
	return aggregate_of(&h->rule, &h->tally);
}

static json_t *encode_score(double score)
{
	return isnan(score) ? json_null() : json_real(score);
}

/* The "overall" member if the total moved, else NULL. */
static json_t *update_total(struct health *h, int64_t now_ms)
{
	struct aggregate before = h->total;
	bool is_same_score;

	h->is_total_stale = false;
	h->total = total_of(h);
	if (h->total.status != before.status)
		h->total_since_ms = now_ms;
	is_same_score = isnan(before.score) ? isnan(h->total.score)
					    : !isnan(h->total.score) &&
						      fabs(before.score - h->total.score) < 0.05;
	if (h->total.status == before.status && is_same_score)
		return NULL;
	return json_pack("{s:s, s:o, s:s, s:b}", "status", status_name(h->total.status), "score",
			 encode_score(h->total.score), "previous", status_name(before.status),
			 "transition", h->total.status != before.status);
}

/* ---- dependencies ---- */

/* What is not checked any more says nothing. */
static bool is_blocking(const struct entry *e)
{
	return e->spec.is_enabled && e->state.status >= STATUS_CRITICAL;
}

/* The nearest component of the depends_on chains that is down or critical: breadth first, each
 * component once, however the chains cross. NULL if nothing blocks. */
static const char *blocker(const struct health *h, const struct component_spec *spec)
{
	const struct component_spec *queue[DEPENDS_MAX] = {spec};
	struct map seen = {0};
	const char *found = NULL;
	size_t n = 1;

	if (spec->depends_on.n == 0)
		return NULL;
	for (size_t at = 0; at < n && found == NULL; at++) {
		const struct strlist *above = &queue[at]->depends_on;

		for (size_t i = 0; i < above->n && found == NULL; i++) {
			struct entry *e = map_get(&h->by_id, above->v[i]);

			if (e == NULL || map_put(&seen, e->spec.id, e) != NULL)
				continue;
			if (is_blocking(e))
				found = e->spec.id;
			else if (n < DEPENDS_MAX)
				queue[n++] = &e->spec;
		}
	}
	map_done(&seen);
	return found;
}

static json_t *encode_entry(const struct health *h, const struct entry *e)
{
	return component_encode(&e->spec, &e->state, blocker(h, &e->spec));
}

/* ---- telling ---- */

static void give(struct health *h, struct health_news *news, const struct entry *e,
		 enum status previous)
{
	news->component = e->spec.id;
	news->status = e->state.status;
	news->previous = previous;
	news->is_blocked = blocker(h, &e->spec) != NULL;
	news->message = e->state.message;
	h->hooks.on_health(h->hooks.ctx, news);
}

/* One more observation and nothing else: nearly all that is told, so without a tree. */
static void tell_routine(struct health *h, const struct change *change, int64_t now_ms)
{
	const struct entry *e = change->entry;
	struct health_news news = {0};
	char at[CLOCK_TEXT_MAX];

	str_clear(&h->text);
	str_add(&h->text, "{\"at\":\"");
	str_add(&h->text, clock_format(now_ms, at));
	str_add(&h->text, "\",\"node\":");
	str_add_quoted(&h->text, e->spec.node);
	str_add(&h->text, ",\"component\":");
	str_add_quoted(&h->text, e->spec.id);
	str_add(&h->text, ",\"transition\":false,\"previous\":\"");
	str_add(&h->text, status_name(change->from));
	str_add(&h->text, "\",\"no_data\":false,\"state\":");
	component_write(&h->text, &e->spec, &e->state, blocker(h, &e->spec));
	str_addc(&h->text, '}');
	news.line = str_text(&h->text);
	give(h, &news, e, change->from);
}

static void tell_line(struct health *h, const struct change *change, json_t *overall,
		      int64_t now_ms)
{
	struct entry *e = change->entry;
	char at[CLOCK_TEXT_MAX];
	json_t *line =
		json_pack("{s:s, s:s, s:s, s:b, s:s, s:b}", "at", clock_format(now_ms, at), "node",
			  e->spec.node, "component", e->spec.id, "transition", change->has_changed,
			  "previous", status_name(change->from), "no_data", change->is_no_data);
	struct health_news news = {.has_changed = change->has_changed,
				   .must_survive = change->has_changed || overall != NULL};
	json_t *save = news.must_survive ? component_state_save(&e->state) : NULL;
	HALE_CLEANUP(cleanup_free) char *text = NULL;

	if (overall != NULL)
		json_object_set_new(line, "overall", overall);
	json_object_set_new(line, "state", encode_entry(h, e)); /* last: health_line.h */
	text = json_dumps(line, JSON_WIRE_FLAGS);
	HALE_ASSERT(text != NULL);
	news.line = text;
	news.save = save;
	give(h, &news, e, change->from);
	json_decref(save);
	json_decref(line);
}

static void tell(struct health *h, const struct change *change, int64_t now_ms)
{
	bool may_move = change->has_changed || change->is_first || h->is_total_stale;
	json_t *overall;

	recount(h, change->entry);
	overall = may_move ? update_total(h, now_ms) : NULL;
	if (overall == NULL && !change->has_changed && !change->is_no_data)
		tell_routine(h, change, now_ms);
	else
		tell_line(h, change, overall, now_ms);
}

static void note_due(struct health *h, const struct entry *e)
{
	int64_t due = health_due(&e->spec, &e->state);

	if (due < h->next_due_ms)
		h->next_due_ms = due;
}

static void judge(struct health *h, struct entry *e, struct observation *o, int64_t now_ms)
{
	struct change change = {.entry = e, .from = e->state.status, .is_first = e->is_pending};

	change.has_changed = health_judge(&e->spec, &e->state, o, now_ms, &change.from);
	e->is_pending = false;
	note_due(h, e);
	tell(h, &change, now_ms);
}

/* A process may say how it is itself. */
static bool is_own(const struct component_spec *spec, const char *process)
{
	return str_eq(spec->kind, COMPONENT_KIND_PROCESS) &&
	       str_starts(spec->id, COMPONENT_OWN_PREFIX) &&
	       str_eq(spec->id + strlen(COMPONENT_OWN_PREFIX), process);
}

/* Takes what o holds. */
static int observe(struct health *h, const char *process, const char *id, struct observation *o,
		   int64_t now_ms, struct err *err)
{
	struct entry *e = map_get(&h->by_id, id);

	bool is_of_own = e != NULL && is_own(&e->spec, process);

	if (!h->is_paused && e != NULL && e->spec.is_enabled &&
	    (str_eq(e->spec.process, process) || (is_of_own && !e->is_overruled))) {
		judge(h, e, o, now_ms);
		return 0;
	}
	observation_done(o);
	return h->is_paused || is_of_own
		       ? 0
		       : err_set(err, -ENOENT, "%s is no component of %s", id, process);
}

int health_observe(struct health *h, const char *process, const json_t *line, int64_t now_ms,
		   struct err *err)
{
	struct observation o = {0};
	const char *id = NULL;
	int rc = observation_decode(line, &id, &o, err);

	return rc < 0 ? rc : observe(h, process, id, &o, now_ms, err);
}

int health_observe_text(struct health *h, const char *process, const char *text, size_t len,
			int64_t now_ms, struct err *err)
{
	struct observation o = {0};
	char id[OBSERVATION_ID_MAX];
	json_t *line;
	int rc;

	if (observation_decode_text(text, len, id, &o))
		return observe(h, process, id, &o, now_ms, err);
	line = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	rc = json_is_object(line) ? health_observe(h, process, line, now_ms, err)
				  : err_set(err, -EBADMSG, "no JSON object");
	json_decref(line);
	return rc;
}

void health_report(struct health *h, const char *component, enum outcome outcome,
		   enum reason reason, const char *message, int64_t now_ms)
{
	struct entry *e = map_get(&h->by_id, component);
	struct observation o = {.at_ms = now_ms, .outcome = outcome};

	if (e == NULL || h->is_paused)
		return;
	memcpy(o.reason, reason_code(reason), strlen(reason_code(reason)) + 1);
	observation_message(&o, message);
	e->is_overruled = outcome != OUTCOME_PASS;
	judge(h, e, &o, now_ms);
}

void health_note_recovery(struct health *h, const char *component)
{
	struct entry *e = map_get(&h->by_id, component);

	if (e != NULL)
		e->state.recovery_attempts++;
}

static void set_message(struct component_state *state, const char *message)
{
	struct observation o = {0};

	observation_message(&o, message);
	memcpy(state->message, o.message, sizeof(state->message));
}

/* Overdue, now or because there is nobody left to check. */
static void expire(struct health *h, struct entry *e, const char *message, int64_t now_ms)
{
	struct change change = {
		.entry = e, .from = e->state.status, .is_first = e->is_pending, .is_no_data = true};

	change.has_changed = health_tick(&e->spec, &e->state, now_ms, &change.from);
	e->is_pending = false;
	if (message != NULL && e->state.status == STATUS_UNKNOWN)
		set_message(&e->state, message);
	if (change.has_changed || change.is_first)
		tell(h, &change, now_ms);
}

void health_silence(struct health *h, const char *process, const char *message, int64_t now_ms)
{
	for (size_t i = 0; i < h->n && !h->is_paused; i++) {
		struct entry *e = h->v[i];

		if (!e->spec.is_enabled || e->spec.interval_ms == 0 ||
		    !str_eq(e->spec.process, process))
			continue;
		e->state.due_ms = now_ms;
		expire(h, e, message, now_ms);
	}
}

void health_set_counted(struct health *h, const char *component, bool is_counted)
{
	struct entry *e = map_get(&h->by_id, component);

	if (e == NULL || e->spec.is_enabled == is_counted)
		return;
	e->spec.is_enabled = is_counted;
	recount(h, e);
	h->is_total_stale = true;
}

void health_expire(struct health *h, int64_t now_ms)
{
	if (h->is_paused)
		return;
	h->next_due_ms = INT64_MAX;
	for (size_t i = 0; i < h->n; i++) {
		struct entry *e = h->v[i];

		if (health_due(&e->spec, &e->state) <= now_ms)
			expire(h, e, NULL, now_ms);
		note_due(h, e);
	}
}

void health_shift(struct health *h, int64_t by_ms)
{
	h->next_due_ms = INT64_MAX;
	for (size_t i = 0; i < h->n; i++) {
		if (h->v[i]->state.due_ms != 0)
			h->v[i]->state.due_ms += by_ms;
		note_due(h, h->v[i]);
	}
}

int64_t health_next_due(const struct health *h)
{
	return h->is_paused ? INT64_MAX : h->next_due_ms;
}

void health_pause(struct health *h)
{
	h->is_paused = true;
}

void health_resume(struct health *h, int64_t now_ms)
{
	h->is_paused = false;
	h->next_due_ms = INT64_MAX;
	for (size_t i = 0; i < h->n; i++) {
		struct entry *e = h->v[i];

		/* What was without data already is so until it is heard of. */
		if (e->state.due_ms != 0)
			e->state.due_ms = component_next_due(&e->spec, now_ms);
		note_due(h, e);
	}
	health_tell_gone(h, now_ms);
}

bool health_is_paused(const struct health *h)
{
	return h->is_paused;
}

/* ---- configuration ---- */

static void tell_removed(struct health *h, const struct entry *e, int64_t now_ms)
{
	char at[CLOCK_TEXT_MAX];
	json_t *overall = update_total(h, now_ms);
	json_t *line = json_pack(
		"{s:s, s:s, s:s, s:b, s:b, s:s, s:b, s:o}", "at", clock_format(now_ms, at), "node",
		e->spec.node, "component", e->spec.id, "removed", 1, "transition", 0, "previous",
		status_name(e->state.status), "no_data", 1, "state", encode_entry(h, e));

	struct health_news news = {.must_survive = true};
	HALE_CLEANUP(cleanup_free) char *text = NULL;

	if (overall != NULL)
		json_object_set_new(line, "overall", overall);
	text = json_dumps(line, JSON_WIRE_FLAGS);
	HALE_ASSERT(text != NULL);
	news.line = text;
	give(h, &news, e, e->state.status);
	json_decref(line);
}

static void forget_later(struct health *h, struct entry *e)
{
	h->gone = mem_grow(h->gone, h->gone_n + 1, sizeof(struct entry *));
	h->gone[h->gone_n++] = e;
}

void health_tell_gone(struct health *h, int64_t now_ms)
{
	for (size_t i = 0; i < h->gone_n && !h->is_paused; i++) {
		tell_removed(h, h->gone[i], now_ms);
		entry_free(h->gone[i]);
	}
	if (!h->is_paused)
		h->gone_n = 0;
}

static struct entry *take_or_new(struct map *old, struct component_spec *spec, int64_t now_ms)
{
	struct entry *e = map_get(old, spec->id);
	bool was_enabled = e != NULL && e->spec.is_enabled;

	/* Of another kind, or checked no more: the old one is told as removed, so that its alerts
	 * end. */
	if (e == NULL || !str_eq(e->spec.kind, spec->kind) || (was_enabled && !spec->is_enabled)) {
		e = mem_alloc(sizeof(*e));
		component_state_init(&e->state, spec, now_ms);
		e->is_pending = true;
	} else {
		(void)map_take(old, spec->id);
		component_spec_done(&e->spec);
		/* Its checker may have been restarted: the full time again until "no data". What
		 * said so already need not say it twice, what was not checked has not. */
		if (e->state.due_ms != 0 || !was_enabled)
			e->state.due_ms = component_next_due(spec, now_ms);
	}
	e->spec = *spec;
	*spec = (struct component_spec){0};
	return e;
}

void health_configure(struct health *h, struct component_spec *specs, size_t n,
		      const struct aggregate_rule *rule, int64_t now_ms)
{
	struct map old = h->by_id;
	struct entry *gone;

	free(h->v);
	h->v = mem_array(n, sizeof(struct entry *));
	h->n = 0;
	h->by_id = (struct map){0};
	h->rule = *rule;
	h->is_tally_stale = true;
	h->next_due_ms = INT64_MAX;
	for (size_t i = 0; i < n; i++) {
		struct entry *e = take_or_new(&old, &specs[i], now_ms);

		h->v[h->n++] = e;
		(void)map_put(&h->by_id, e->spec.id, e);
		note_due(h, e);
	}
	for (size_t i = 0; map_each(&old, &i, NULL, (void **)&gone);)
		forget_later(h, gone);
	map_done(&old);
	health_tell_gone(h, now_ms);
	h->is_total_stale = true;
}

/* ---- looking at it ---- */

json_t *health_components(const struct health *h)
{
	json_t *out = json_array();

	for (size_t i = 0; i < h->n; i++)
		json_array_append_new(out, encode_entry(h, h->v[i]));
	return out;
}

json_t *health_component(const struct health *h, const char *id)
{
	const struct entry *e = map_get(&h->by_id, id);

	return e == NULL ? NULL : encode_entry(h, e);
}

json_t *health_thresholds(const struct health *h, const char *id)
{
	const struct entry *e = map_get(&h->by_id, id);

	return e == NULL ? NULL : component_thresholds(&e->spec);
}

size_t health_size(const struct health *h)
{
	return h->n;
}

const char *health_id(const struct health *h, size_t i)
{
	return h->v[i]->spec.id;
}

json_t *health_counts(const struct health *h)
{
	json_t *out = json_pack("{s:I}", "total", (json_int_t)h->total.total);

	for (size_t i = 0; i < STATUS_MAX; i++)
		json_object_set_new(out, status_name((enum status)i),
				    json_integer((json_int_t)h->total.counts[i]));
	return out;
}

enum status health_overall(const struct health *h)
{
	return h->is_paused ? STATUS_UNKNOWN : h->total.status;
}

int64_t health_overall_since(const struct health *h)
{
	return h->total_since_ms;
}

double health_score(const struct health *h)
{
	return h->is_paused ? NAN : h->total.score;
}

/* ---- over a restart of haled ---- */

static void write_entry(struct str *out, const struct entry *e, bool *is_first)
{
	if (!*is_first)
		str_addc(out, ',');
	*is_first = false;
	str_add_quoted(out, e->spec.id);
	str_addc(out, ':');
	component_state_write(out, &e->state);
}

void health_save(const struct health *h, struct str *out)
{
	bool is_first = true;

	str_addf(out, "{\"overall\":\"%s\",\"overall_since\":%" PRId64 ",\"components\":{",
		 status_name(h->total.status), h->total_since_ms);
	for (size_t i = 0; i < h->gone_n; i++) {
		const struct entry *again = map_get(&h->by_id, h->gone[i]->spec.id);

		/* One that came back under the same name is what counts. */
		if (again == NULL || again->is_pending)
			write_entry(out, h->gone[i], &is_first);
	}
	for (size_t i = 0; i < h->n; i++) {
		if (!h->v[i]->is_pending)
			write_entry(out, h->v[i], &is_first);
	}
	str_add(out, "}}");
}

static void restore_total(struct health *h, const char *status, int64_t since_ms)
{
	/* What was announced last; the first change is told against it. */
	if (status != NULL && status_from_name(status, &h->total.status))
		h->total_since_ms = since_ms;
}

static size_t find_gone(const struct health *h, const char *id)
{
	size_t i = 0;

	while (i < h->gone_n && !str_eq(h->gone[i]->spec.id, id))
		i++;
	return i;
}

/* It is remembered and not configured: it vanished while haled was down. Just enough of a component
 * to tell that. */
static struct entry *restore_gone(struct health *h, const char *id)
{
	struct entry *e = mem_alloc(sizeof(*e));

	e->spec = (struct component_spec){.id = mem_dup(id),
					  .label = mem_dup(id),
					  .kind = mem_dup(""),
					  .process = mem_dup(""),
					  .node = mem_dup(h->n > 0 ? h->v[0]->spec.node : "")};
	component_state_init(&e->state, &e->spec, 0);
	forget_later(h, e);
	return e;
}

static void drop_gone(struct health *h, const char *id)
{
	size_t i = find_gone(h, id);

	if (i == h->gone_n)
		return;
	entry_free(h->gone[i]);
	h->gone[i] = h->gone[--h->gone_n];
}

/* What is checked no more has gone as well. */
static bool is_kept(const struct entry *e)
{
	return e != NULL && e->spec.is_enabled;
}

static void restore_entry(struct entry *e, const json_t *save, int64_t now_ms)
{
	if (e == NULL || component_state_restore(&e->state, save) < 0)
		return;
	e->is_pending = false;
	e->state.due_ms = component_next_due(&e->spec, now_ms);
}

void health_restore(struct health *h, const json_t *saved, int64_t now_ms)
{
	const char *id;
	json_t *save;

	json_object_foreach (json_object_get(saved, "components"), id, save) {
		struct entry *e = map_get(&h->by_id, id);

		restore_entry(is_kept(e) ? e : restore_gone(h, id), save, now_ms);
	}
	h->is_tally_stale = true;
	h->total = total_of(h);
	restore_total(h, json_string_value(json_object_get(saved, "overall")),
		      json_integer_value(json_object_get(saved, "overall_since")));
	h->next_due_ms = now_ms;
}

void health_restore_one(struct health *h, const char *id, const json_t *save, const json_t *overall,
			int64_t at_ms, int64_t now_ms)
{
	struct entry *e = map_get(&h->by_id, id);

	if (save == NULL)
		drop_gone(h, id); /* it was told as removed */
	else if (!is_kept(e))
		e = find_gone(h, id) < h->gone_n ? h->gone[find_gone(h, id)] : restore_gone(h, id);
	restore_entry(e, save, now_ms);
	h->is_tally_stale = true;
	if (json_is_true(json_object_get(overall, "transition")))
		restore_total(h, json_string_value(json_object_get(overall, "status")), at_ms);
	h->next_due_ms = now_ms;
}
