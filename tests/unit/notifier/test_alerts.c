/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "alerts.h"

static json_t *parse(const char *text)
{
	json_error_t e;
	json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, &e);

	if (!j)
		fail_msg("%s: %s", e.text, text);
	return j;
}

static struct alerts decode(const char *text)
{
	json_t *section = parse(text);
	struct alerts a = {0};
	struct err err = {0};

	if (alerts_decode(section, &a, &err) < 0)
		fail_msg("%s", err.text);
	json_decref(section);
	return a;
}

static void nothing_configured_is_fine(void **state)
{
	(void)state;
	struct alerts a = {0};
	struct err err = {0};

	assert_int_equal(alerts_decode(NULL, &a, &err), 0);
	assert_int_equal(a.rules_n, 0);
	alerts_done(&a);
}

static void channels_without_rules_hear_of_the_total(void **state)
{
	(void)state;
	struct alerts a = decode("{\"channels\": {\"a\": {\"log\": {}}, \"b\": {\"null\": {}}}}");

	assert_int_equal(a.rules_n, 1);
	assert_string_equal(a.rules[0].name, DEFAULT_RULE_NAME);
	assert_int_equal(a.engine_rules[0].type, RULE_STATUS_CHANGE);
	assert_int_equal(a.engine_rules[0].cooldown_ms, 300000);
	assert_int_equal(a.engine_rules[0].repeat_ms, 0);
	assert_int_equal(a.rules[0].components.n, 0);
	assert_int_equal(a.rules[0].channels.n, 2);
	alerts_done(&a);
}

static void times_follow_the_type_unless_given(void **state)
{
	(void)state;
	struct alerts a =
		decode("{\"channels\": {\"a\": {\"log\": {}}}, \"rules\": ["
		       "{\"name\": \"f\", \"type\": \"component_failures\"},"
		       "{\"name\": \"z\", \"type\": \"component_failures\", \"cooldown\": 0},"
		       "{\"name\": \"n\", \"type\": \"component_failures\", \"repeat\": 0},"
		       "{\"name\": \"s\", \"type\": \"status_change\", \"cooldown\": 60000,"
		       " \"repeat\": 1000}]}");

	assert_int_equal(a.engine_rules[0].cooldown_ms, 900000);
	assert_int_equal(a.engine_rules[0].repeat_ms, 900000);
	assert_int_equal(a.engine_rules[0].failures, 3);
	assert_int_equal(a.engine_rules[1].cooldown_ms, 0);
	assert_int_equal(a.engine_rules[1].repeat_ms, 0);
	assert_int_equal(a.engine_rules[2].repeat_ms, 0);
	assert_int_equal(a.engine_rules[3].cooldown_ms, 60000);
	assert_int_equal(a.engine_rules[3].repeat_ms, 60000); /* not within the cooldown */
	alerts_done(&a);
}

static void rates_follow_the_type_unless_given(void **state)
{
	(void)state;
	struct alerts a = decode("{\"channels\": {"
				 "\"t\": {\"telegram\": {\"token\": \"1:x\", \"chat\": \"5\"}},"
				 "\"l\": {\"log\": {}, \"rate\": 7}}}");

	assert_int_equal(alerts_channel(&a, "t")->rate, 30);
	assert_int_equal(alerts_channel(&a, "l")->rate, 7);
	assert_null(alerts_channel(&a, "x"));
	alerts_done(&a);
}

static void bad_configurations_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text, *why;
	} bad[] = {
		{"{\"channels\": {\"a\": {}}}", "channels: a: has no type"},
		{"{\"channels\": {\"a\": {\"log\": {}, \"null\": {}}}}", "more than one type"},
		{"{\"channels\": {\"a\": {\"log\": {}, \"x\": 1}}}", "unknown option 'x'"},
		{"{\"channels\": {\"a\": {\"webhook\": {}}}}", "'url' is missing"},
		{"{\"channels\": {\"a\": {\"log\": {}}}, \"rules\": [{\"name\": \"r\","
		 " \"type\": \"status_change\", \"channels\": [\"b\"]}]}",
		 "no channel 'b'"},
		{"{\"rules\": [{\"name\": \"r\", \"type\": \"status_change\"},"
		 " {\"name\": \"r\", \"type\": \"status_change\"}]}",
		 "'r' is there twice"},
		{"{\"rulez\": []}", "unknown option 'rulez'"},
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		json_t *section = parse(bad[i].text);
		struct alerts a = {0};
		struct err err = {0};

		assert_int_equal(alerts_decode(section, &a, &err), -EINVAL);
		if (!strstr(err.text, bad[i].why))
			fail_msg("'%s' does not say '%s'", err.text, bad[i].why);
		json_decref(section);
	}
}

static void collect(void *ctx, const char *path, const char *message)
{
	(void)message;
	json_array_append_new(ctx, json_string(path));
}

static void check_tells_every_problem_and_its_place(void **state)
{
	(void)state;
	json_t *section = parse("{\"channels\": {\"a/b\": {}, \"w\": {\"webhook\": {\"url\": "
				"\"x\", \"body\": \"(\"}},"
				" \"l\": {\"log\": {\"file\": \"relative\"}}},"
				" \"rules\": [{\"name\": \"r\", \"type\": \"status_change\", "
				"\"components\": \"Web\","
				" \"title\": \".a |\", \"message\": \".ok\"},"
				" {\"name\": \"r\", \"type\": \"status_change\", \"components\": "
				"[\"a[bc\", \"[a-c]*\"]}]}");
	static const char *const expected[] = {
		"/alerts/channels/a~1b",           "/alerts/channels/w/webhook/url",
		"/alerts/channels/w/webhook/body", "/alerts/channels/l/log/file",
		"/alerts/rules/0/components/0",    "/alerts/rules/0/title",
		"/alerts/rules/1/components/0",    "/alerts/rules/1/name",
	};
	json_t *paths = json_array();

	alerts_check(section, collect, paths);
	assert_int_equal(json_array_size(paths), ARRAY_LEN(expected));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		assert_string_equal(json_string_value(json_array_get(paths, i)), expected[i]);
	json_decref(paths);
	json_decref(section);
}

static void every_type_is_in_the_table_and_in_the_manifest(void **state)
{
	(void)state;
	size_t i;

	for (i = 0; channel_types[i]; i++) {
		/* channel_items begins with "rate" and ends with CONF_END. */
		assert_string_equal(channel_items[i + 1].name, channel_types[i]->type);
		assert_ptr_equal(channel_items[i + 1].items, channel_types[i]->items);
	}
	assert_int_equal(channel_items[i + 1].type, CONF_T_END);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_configured_is_fine),
		cmocka_unit_test(channels_without_rules_hear_of_the_total),
		cmocka_unit_test(times_follow_the_type_unless_given),
		cmocka_unit_test(rates_follow_the_type_unless_given),
		cmocka_unit_test(bad_configurations_are_refused),
		cmocka_unit_test(check_tells_every_problem_and_its_place),
		cmocka_unit_test(every_type_is_in_the_table_and_in_the_manifest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
