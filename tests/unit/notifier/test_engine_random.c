/* SPDX-License-Identifier: Apache-2.0 */
/* Random health against what must always hold. The seed is in every failure's message. */
#include "fixture.h"

#define COMPONENTS 4
#define STEPS      400
#define ROUNDS     60

static struct strlist every = GLOB("*");
static const struct strlist none;
static const char *const ids[COMPONENTS] = {"api", "db", "mail", "web"};

struct dice {
	uint32_t state;
};

static uint32_t roll(struct dice *d, uint32_t sides)
{
	d->state = d->state * 1664525u + 1013904223u;
	return (d->state >> 8) % sides;
}

static struct engine_rule rule_of(enum rule_type type, int64_t cooldown_s)
{
	return (struct engine_rule){.name = "r",
				    .type = type,
				    .components = type == RULE_STATUS_CHANGE ? &every : &none,
				    .on = type == RULE_STATUS_CHANGE
						  ? ALL_BAD
						  : 1u << STATUS_CRITICAL | 1u << STATUS_DOWN,
				    .failures = 3,
				    .cooldown_ms = cooldown_s * 1000,
				    .tells_recovery = true};
}

/* With no cooldown every transition is one notice, in order, from the one before. */
static void without_cooldown_notices_are_transitions(void **state)
{
	(void)state;
	for (uint32_t seed = 0; seed < ROUNDS; seed++) {
		struct engine_rule rule = rule_of(RULE_STATUS_CHANGE, 0);
		enum status last[COMPONENTS] = {0};
		struct dice d = {seed};
		struct talk t = {0};

		talk_start(&t, &rule, 1);
		for (int i = 0; i < STEPS; i++) {
			uint32_t c = roll(&d, COMPONENTS);
			enum status s = (enum status)roll(&d, STATUS_MAX);

			SAY(&t, i, ids[c], s);
			if (notices(&t) != (s != last[c]))
				fail_msg("seed %u step %d: %zu notices", seed, i, notices(&t));
			if (s != last[c]) {
				assert_string_equal(var(notice(&t), "status"), status_name(s));
				assert_string_equal(var(notice(&t), "previous"),
						    status_name(last[c]));
			}
			last[c] = s;
		}
		talk_end(&t);
	}
}

struct heard { /* what the people know */
	int64_t told[STATUS_MAX];
	enum status announced;
	bool is_open;
};

static uint32_t index_of(const char *id)
{
	for (uint32_t i = 0; i < COMPONENTS; i++)
		if (strcmp(ids[i], id) == 0)
			return i;
	fail_msg("no component %s", id);
	return 0;
}

static void hear(struct heard *h, const struct talk *t, int64_t second, int64_t cooldown_s,
		 bool is_recovery_free)
{
	for (size_t i = 0; i < t->fx.n; i++) {
		const struct effect *fx = &t->fx.v[i];
		struct heard *who = &h[index_of(alert_text(fx, "component"))];
		enum status s = STATUS_HEALTHY;

		if (fx->type == EFFECT_OPEN) {
			assert_false(who->is_open); /* one open alert per key */
			who->is_open = true;
		} else if (fx->type == EFFECT_RESOLVE) {
			assert_true(who->is_open);
			who->is_open = false;
		}
		if (fx->type != EFFECT_NOTICE)
			continue;
		assert_true(status_from_name(var(fx, "status"), &s));
		if (is_recovery_free && s != STATUS_HEALTHY)
			s = STATUS_CRITICAL; /* one kind of trouble */
		if (!(is_recovery_free && s == STATUS_HEALTHY) && who->told[s] != 0)
			assert_true(second - who->told[s] >= cooldown_s);
		who->told[s] = second;
		who->announced = s;
	}
}

static void ticks_until(struct talk *t, struct heard *h, int64_t *at, int64_t second,
			int64_t cooldown_s, bool is_failures)
{
	int64_t due;

	while ((due = engine_due(t->engine, T0 + *at * 1000)) <= T0 + second * 1000) {
		int64_t next = (due - T0) / 1000;

		assert_true(next >= *at);
		*at = next;
		tick(t, next);
		assert_true(notices(t) > 0); /* due means due */
		hear(h, t, next, cooldown_s, is_failures);
	}
	*at = second;
}

static void run_with_cooldown(enum rule_type type, uint32_t seed)
{
	struct engine_rule rule = rule_of(type, 300);
	bool is_failures = type == RULE_COMPONENT_FAILURES;
	struct heard heard[COMPONENTS] = {0};
	enum status now[COMPONENTS] = {0};
	int failures[COMPONENTS] = {0};
	struct dice d = {seed};
	struct talk t = {0};
	int64_t at = 1;

	talk_start(&t, &rule, 1);
	for (int i = 0; i < STEPS; i++) {
		uint32_t c = roll(&d, COMPONENTS);
		enum status s = is_failures ? (roll(&d, 3) ? STATUS_DOWN : STATUS_HEALTHY)
					    : (enum status)roll(&d, STATUS_MAX);

		ticks_until(&t, heard, &at, at + 1 + roll(&d, 120), 300, is_failures);
		failures[c] = s == STATUS_HEALTHY ? 0 : failures[c] + 1;
		if (!is_failures || s == STATUS_HEALTHY || failures[c] >= 3)
			now[c] = is_failures && s != STATUS_HEALTHY ? STATUS_CRITICAL : s;
		SAY(&t, at, ids[c], s, failures[c]);
		hear(heard, &t, at, 300, is_failures);
	}
	ticks_until(&t, heard, &at, at + 301, 300, is_failures);
	for (size_t c = 0; c < COMPONENTS; c++) {
		if (heard[c].announced != now[c])
			fail_msg("seed %u: %s is %s, people know %s", seed, ids[c],
				 status_name(now[c]), status_name(heard[c].announced));
		assert_int_equal(heard[c].is_open, now[c] != STATUS_HEALTHY);
	}
	assert_int_equal(engine_due(t.engine, T0 + at * 1000), INT64_MAX);
	talk_end(&t);
}

static void with_cooldown_what_people_know_converges(void **state)
{
	(void)state;
	for (uint32_t seed = 0; seed < ROUNDS; seed++)
		run_with_cooldown(RULE_STATUS_CHANGE, seed);
}

static void with_cooldown_failures_converge_too(void **state)
{
	(void)state;
	for (uint32_t seed = 0; seed < ROUNDS; seed++)
		run_with_cooldown(RULE_COMPONENT_FAILURES, seed);
}

/* ---- an engine that is killed and restored before every step decides the same ---- */

static int keep(void *ctx, const char *key, const json_t *value)
{
	if (!value)
		json_object_del(ctx, key);
	else
		json_object_set_new(ctx, key, json_deep_copy(value));
	return 0;
}

static void restore(struct talk *t, const struct engine_rule *rules, size_t n, json_t *disk)
{
	const char *key;
	json_t *value;
	struct effects fx = {0};

	engine_free(t->engine);
	talk_start(t, rules, n);
	json_object_foreach (disk, key, value)
		assert_int_equal(engine_load(t->engine, key, value), 0);
	engine_adopt(t->engine, T0, &fx);
	assert_int_equal(fx.n, 0);
}

static void same_effects(const struct effects *a, const struct effects *b)
{
	assert_int_equal(a->n, b->n);
	for (size_t i = 0; i < a->n; i++) {
		assert_int_equal(a->v[i].type, b->v[i].type);
		assert_int_equal(a->v[i].rule, b->v[i].rule);
		assert_true(json_equal(a->v[i].alert, b->v[i].alert));
		assert_int_equal(a->v[i].event, b->v[i].event);
		if (a->v[i].vars)
			assert_true(json_equal(a->v[i].vars, b->v[i].vars));
	}
}

static void a_restored_engine_decides_the_same(void **state)
{
	(void)state;
	static const char *const blockers[] = {NULL, NULL, NULL, "db"};

	for (uint32_t seed = 0; seed < 8; seed++) {
		struct engine_rule rules[] = {rule_of(RULE_STATUS_CHANGE, 90),
					      rule_of(RULE_COMPONENT_FAILURES, 120),
					      rule_of(RULE_STATUS_CHANGE, 60)};
		struct dice d = {seed};
		struct talk steady = {0}, killed = {0};
		json_t *disk = json_object();

		rules[1].name = "f";
		rules[1].repeat_ms = 120 * 1000;
		rules[2].name = "o";
		rules[2].components = &none;
		talk_start(&steady, rules, 3);
		talk_start(&killed, rules, 3);
		for (int i = 1; i < STEPS; i++) {
			struct word w = {.component = ids[roll(&d, COMPONENTS)],
					 .status = (enum status)roll(&d, STATUS_MAX),
					 .failures = (int)roll(&d, 6),
					 .blocked_by = blockers[roll(&d, 4)]};

			if (roll(&d, 2))
				w.overall = status_name((enum status)roll(&d, STATUS_MAX));
			restore(&killed, rules, 3, disk);
			if (roll(&d, 3) == 0) {
				tick(&steady, i * 20);
				tick(&killed, i * 20);
			} else {
				say_word(&steady, i * 20, &w);
				say_word(&killed, i * 20, &w);
			}
			same_effects(&steady.fx, &killed.fx);
			assert_int_equal(engine_changes(killed.engine, keep, disk), 0);
			engine_saved(killed.engine);
		}
		/* Changes alone add up to the whole. */
		json_t *whole = engine_save(steady.engine);
		assert_true(json_equal(whole, disk));
		json_decref(whole);
		json_decref(disk);
		talk_end(&steady);
		talk_end(&killed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_cooldown_notices_are_transitions),
		cmocka_unit_test(with_cooldown_what_people_know_converges),
		cmocka_unit_test(with_cooldown_failures_converge_too),
		cmocka_unit_test(a_restored_engine_decides_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
