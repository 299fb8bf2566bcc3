/* SPDX-License-Identifier: Apache-2.0 */
/* fixture - an engine that is talked to in words
 *
 *   struct talk t = {0};
 *   talk_rules(&t, 1, &(struct engine_rule){…});
 *   say(&t, 10, "api", STATUS_DOWN, …);   at second 10
 *   assert_int_equal(notices(&t), 1);
 */
#ifndef HALE_TESTS_NOTIFIER_FIXTURE_H
#define HALE_TESTS_NOTIFIER_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "engine.h"

#define T0 INT64_C(1800000000000)
#define ALL_BAD                                                                                    \
	(1u << STATUS_UNKNOWN | 1u << STATUS_DEGRADED | 1u << STATUS_CRITICAL | 1u << STATUS_DOWN)

/* A list of one glob for a rule. */
#define GLOB(text)                                                                                 \
	{                                                                                          \
		.v = (char *[]){(char[]){text}}, .n = 1                                            \
	}

struct talk {
	struct engine *engine;
	struct effects fx; /* of the last message or tick only */
	unsigned ids;
};

struct word { /* one health line */
	const char *component;
	enum status status;
	int failures;
	const char *blocked_by;
	const char *overall; /* NULL: no word about it */
	const char *impact;  /* NULL: critical */
	const char *message;
	bool is_unchecked;
	bool is_disabled;
};

static inline void talk_id(void *ctx, char buf[37])
{
	struct talk *t = ctx;

	(void)snprintf(buf, 37, "id-%u", ++t->ids);
}

static inline void talk_start(struct talk *t, const struct engine_rule *rules, size_t n)
{
	struct engine_env env = {.node = "web1", .instance = "shop", .new_id = talk_id, .ctx = t};

	t->engine = engine_new(rules, n, &env);
}

static inline void talk_end(struct talk *t)
{
	effects_done(&t->fx);
	engine_free(t->engine);
	t->engine = NULL;
}

static inline json_t *word_state(const struct word *w)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:b, s:s?, s:s?, s:{}}", "id",
			 w->component, "label", w->component, "status", status_name(w->status),
			 "message", w->message ? w->message : status_name(w->status),
			 "consecutive_failures", w->failures, "impact",
			 w->impact ? w->impact : "critical", "enabled", !w->is_disabled,
			 "blocked_by", w->blocked_by, "last_check",
			 w->is_unchecked ? NULL : "2027-01-15T08:00:00.000Z", "details");
}

static inline void say_word(struct talk *t, int64_t second, const struct word *w)
{
	json_t *line = json_pack("{s:s, s:o}", "component", w->component, "state", word_state(w));

	if (w->overall)
		json_object_set_new(line, "overall",
				    json_pack("{s:s, s:f}", "status", w->overall, "score", 50.0));
	effects_done(&t->fx);
	assert_int_equal(engine_health(t->engine, line, T0 + second * 1000, &t->fx), 0);
	json_decref(line);
}

#define SAY(t, second, id, st, ...)                                                                \
	say_word(t, second, &(struct word){.component = (id), .status = (st), __VA_ARGS__})

static inline void tick(struct talk *t, int64_t second)
{
	effects_done(&t->fx);
	engine_tick(t->engine, T0 + second * 1000, &t->fx);
}

static inline size_t count(const struct talk *t, enum effect_type type)
{
	size_t n = 0;

	for (size_t i = 0; i < t->fx.n; i++)
		n += t->fx.v[i].type == type;
	return n;
}

static inline size_t notices(const struct talk *t)
{
	return count(t, EFFECT_NOTICE);
}

/* The only notice of the last step. */
static inline const struct effect *notice(const struct talk *t)
{
	assert_int_equal(notices(t), 1);
	for (size_t i = 0; i < t->fx.n; i++)
		if (t->fx.v[i].type == EFFECT_NOTICE)
			return &t->fx.v[i];
	return NULL;
}

static inline const char *var(const struct effect *fx, const char *name)
{
	return json_string_value(json_object_get(fx->vars, name));
}

static inline const char *alert_text(const struct effect *fx, const char *name)
{
	return json_string_value(json_object_get(fx->alert, name));
}

#endif
