/* SPDX-License-Identifier: Apache-2.0 */
/* engine_state - what the engine remembers, and its form on disk
 *
 * Shared by the three files of the engine and by nothing else. Both lists are sorted by name, so
 * that every walk over them, and with it every effect, has one order.
 */
#ifndef HALE_NOTIFIER_ENGINE_STATE_H
#define HALE_NOTIFIER_ENGINE_STATE_H

#include "engine.h"

#include "base/jtext.h"

struct tracked {      /* a component as its last health line told it */
	char *id;     /* first: the lists are searched by it */
	json_t *view; /* the component object without "details": state_view() */
	char *newer;  /* what it should be read from by now, as text; NULL: it is as it is */
	enum status status;
	enum impact impact;
	uint32_t failures;
	bool is_enabled;
	bool is_checked; /* was checked at least once */
	bool is_blocked;
	bool is_seen; /* engine_snapshot's mark */
	bool is_dirty;
};

struct slot {      /* one rule about one subject */
	char *key; /* first, "<rule>/<subject>" */
	char *rule_name;
	char *subject;
	size_t rule; /* EFFECT_NO_RULE until adopted */
	enum status current;
	enum status announced;
	int64_t told_ms[STATUS_MAX]; /* last notice of each target status; 0 never */
	int64_t last_ms;             /* last notice of trouble: reminders count from here */
	json_t *alert;               /* the open one, or the last; NULL none yet */
	bool is_dirty;
};

struct engine {
	const struct engine_rule *rules;
	size_t rules_n;
	struct engine_env env;
	void **tracked; /* struct tracked *, by id */
	size_t tracked_n;
	void **slots; /* struct slot *, by key */
	size_t slots_n;
	bool has_overall;
	enum status overall;
	double score; /* NAN: none */
	bool is_overall_dirty;
	bool is_paused;
	struct strlist gone; /* keys to delete at the next save */
};

struct tracked *state_tracked(const struct engine *e, const char *id); /* NULL if unknown */
struct tracked *state_track(struct engine *e, const char *id);         /* made if unknown */
void state_untrack(struct engine *e, struct tracked *t);
struct slot *state_slot(const struct engine *e, const char *rule, const char *subject);
struct slot *state_slot_make(struct engine *e, const char *rule, const char *subject);
void state_slot_drop(struct engine *e, struct slot *s);
/* What people are shown of t. Borrowed. */
json_t *state_view(struct tracked *t);
/* Reads a component object into t. -EINVAL leaves t as it was. */
int state_read_component(struct tracked *t, const json_t *object);

/* engine_view.c: what people are shown. */
/* The status the slot's alert is told with: the component's own where the rule takes all alike. */
enum status view_status(const struct engine *e, const struct slot *s);
enum severity view_severity(const struct engine *e, const struct slot *s);
bool view_is_explained(const struct engine *e); /* does a checked component explain the total? */
json_t *view_culprits(const struct engine *e);  /* new reference: components behind the total */
char *view_message(const struct engine *e, const char *subject); /* caller frees */
json_t *view_vars(const struct engine *e, const struct slot *s, enum notice_event event,
		  enum status previous, int64_t now_ms);

#endif
