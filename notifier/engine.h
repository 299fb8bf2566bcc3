/* SPDX-License-Identifier: Apache-2.0 */
/* engine - which alerts open and resolve, and which notices go out, and when
 *
 * Pure: (state, message, now) -> effects. No clock, no I/O, no randomness (alert ids come from
 * `new_id`). The shell commits effects and changed state in one transaction and only then acts.
 *
 * What it decides, per rule and subject (a component, or "overall"), is kept in a slot:
 *  - `current` is how things stand, `announced` what people were told last (healthy at first). A
 *    notice is due whenever the two differ (C-30), so nothing is lost: what a cooldown holds back
 * is told when the cooldown ends, if it is still true then.
 *  - The alert follows `current`: one open alert per slot. A new failure within the cooldown of the
 *    last one is the same alert again (its count rises).
 *  - Statuses outside the rule's `on` are no news, neither is `unknown` before the first check.
 *  - blocked_by holds back what would be worse than what is known; never an improvement.
 *
 * The state is a set of named JSON values ("overall", "component/<id>", "slot/<rule>/<subject>");
 * an engine loaded from them goes on exactly as the one that wrote them.
 *
 * Ownership: rules are borrowed for the life of the engine; effects own their JSON.
 * Errors:    -EINVAL for a message that is none; the state is then untouched.
 */
#ifndef HALE_NOTIFIER_ENGINE_H
#define HALE_NOTIFIER_ENGINE_H

#include "base/strlist.h"
#include "model/health_line.h"
#include "model/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rule_type { RULE_STATUS_CHANGE, RULE_COMPONENT_FAILURES, RULE_TYPE_MAX };

/* C-05. AUTO: from the status the notice is about. */
enum severity {
	SEVERITY_AUTO,
	SEVERITY_INFO,
	SEVERITY_WARNING,
	SEVERITY_HIGH,
	SEVERITY_CRITICAL,
	SEVERITY_MAX
};

struct engine_rule {
	const char *name;
	enum rule_type type;
	const struct strlist *components; /* globs; none: overall, or every component (failures) */
	uint32_t on;                      /* 1u << status: what counts as trouble */
	uint32_t failures;                /* COMPONENT_FAILURES: so many in a row; >= 1 */
	int64_t cooldown_ms;              /* between two notices of one target status; 0 none */
	int64_t repeat_ms;                /* reminders while an announced alert is open; 0 none */
	enum severity severity;
	bool tells_recovery;
};

struct engine_env {
	const char *node;
	const char *instance; /* may be NULL */
	void (*new_id)(void *ctx, char buf[37]);
	void *ctx;
};

enum effect_type {
	EFFECT_OPEN,   /* an alert opened, or opened again (count > 1) */
	EFFECT_UPDATE, /* an open alert changed its status or text */
	EFFECT_RESOLVE,
	EFFECT_NOTICE, /* tell people */
};

enum notice_event { NOTICE_ALERT, NOTICE_REMINDER, NOTICE_RECOVERY, NOTICE_EVENT_MAX };

#define EFFECT_NO_RULE ((size_t)-1) /* of a rule that is no longer configured */

struct effect {
	enum effect_type type;
	size_t rule; /* index into rules, or EFFECT_NO_RULE */
	int64_t at_ms;
	json_t *alert;           /* as it is then: {"id","key","rule",…} (docs/bus.md) */
	enum notice_event event; /* NOTICE */
	json_t *vars;            /* NOTICE: input of the templates (docs/alerting.md) */
};

struct effects {
	struct effect *v;
	size_t n;
};

/* Templates see so many components at most; a notice is for people. */
#define ENGINE_COMPONENTS_SHOWN 200

struct engine;

struct engine *engine_new(const struct engine_rule *rules, size_t n, const struct engine_env *env);
void engine_free(struct engine *e);

/* The same again: a component that is healthy, as it was, told by its text (health_line.h). False
 * if it is anything else, and engine_health() must have the line. */
bool engine_routine(struct engine *e, const struct health_line *l);
/* One line of topic "health". */
int engine_health(struct engine *e, const json_t *line, int64_t now_ms, struct effects *out);
/* `hale status` stands in for lost lines: what is not in it was removed. */
int engine_snapshot(struct engine *e, const json_t *snapshot, int64_t now_ms, struct effects *out);
/* While monitoring is paused nothing opens, resolves or is told, whatever comes. Snapshots say it
 * by their "monitoring_active". */
void engine_pause(struct engine *e, bool is_paused);
/* Sends what was deferred and is due. */
void engine_tick(struct engine *e, int64_t now_ms, struct effects *out);
/* When engine_tick has something to do next, seen from now; INT64_MAX: never. */
int64_t engine_due(const struct engine *e, int64_t now_ms);

/* Before the first message: each saved value, then engine_adopt, which resolves the alerts of rules
 * and subjects that are no longer configured. An unreadable value is -EINVAL and left out. */
int engine_load(struct engine *e, const char *key, const json_t *value);
void engine_adopt(struct engine *e, int64_t now_ms, struct effects *out);

/* Everything that changed since engine_saved(); value NULL: gone. Borrowed for the call. */
typedef int (*engine_value_fn)(void *ctx, const char *key, const json_t *value);
int engine_changes(const struct engine *e, engine_value_fn fn, void *ctx); /* first error of fn */
void engine_saved(struct engine *e);
/* The whole state as {key: value}. New reference. */
json_t *engine_save(const struct engine *e);

void effects_done(struct effects *fx);

const char *rule_type_name(enum rule_type t);
const char *severity_name(enum severity s); /* "auto", "info" … */
bool severity_from_name(const char *name, enum severity *s_r);
const char *notice_event_name(enum notice_event ev); /* "alert", "reminder", "recovery" */

#endif
