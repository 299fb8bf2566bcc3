/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "model/observation.h"

#define GOOD                                                                                       \
	"{\"at\":\"2026-11-22T01:30:37.123Z\",\"node\":\"n1\",\"component\":\"db.main-1\","        \
	"\"outcome\":\"warn\",\"reason\":\"threshold\",\"message\":\"Over\",\"took_ms\":12,"       \
	"\"metrics\":{\"rows\":3,\"load\":0.5},\"details\":{\"k\":[1]}}"

/* JSON, but not for jansson: a tree of it can never be made. */
#define ODD_DETAIL(value)                                                                          \
	"{\"at\":\"2026-11-22T01:30:37.123Z\",\"component\":\"a\",\"outcome\":\"pass\","           \
	"\"reason\":\"ok\",\"message\":\"\",\"took_ms\":1,\"metrics\":{},\"details\":{"            \
	"\"a\":" value "}}"

static void what_is_sent_is_received(void **state)
{
	struct observation o = {
		.at_ms = 1795311037123,
		.outcome = OUTCOME_FAIL,
		.reason = "http_status",
		.took_ms = 41.25,
		.metrics = json_pack("{s:f}", "status", 503.0),
		.details = json_pack("{s:s}", "url", "http://localhost/"),
	};
	struct observation got = {0};
	struct err err = {0};
	const char *component = NULL;
	json_t *line;

	(void)state;
	observation_message(&o, "Unexpected HTTP status 503");
	line = observation_encode(&o, "api", "n1");
	assert_int_equal(observation_decode(line, &component, &got, &err), 0);
	assert_string_equal(component, "api");
	assert_int_equal(got.at_ms, o.at_ms);
	assert_int_equal(got.outcome, o.outcome);
	assert_string_equal(got.reason, o.reason);
	assert_string_equal(got.message, o.message);
	assert_true(got.took_ms > 41.2 && got.took_ms < 41.3);
	assert_true(json_equal(got.metrics, o.metrics));
	assert_true(json_equal(got.details, o.details));
	json_decref(line);
	observation_done(&o);
	observation_done(&got);
}

static void an_empty_observation_has_empty_objects(void **state)
{
	struct observation o = {.outcome = OUTCOME_PASS, .reason = "ok"};
	json_t *line = observation_encode(&o, "api", "n1");

	(void)state;
	assert_true(json_is_object(json_object_get(line, "metrics")));
	assert_true(json_is_object(json_object_get(line, "details")));
	json_decref(line);
}

static void integers_on_the_wire_become_reals(void **state)
{
	json_t *line = json_loads(GOOD, JSON_REJECT_DUPLICATES, NULL);
	struct observation o = {0};
	const char *component;

	(void)state;
	assert_non_null(line);
	assert_int_equal(observation_decode(line, &component, &o, NULL), 0);
	assert_string_equal(component, "db.main-1");
	assert_true(json_is_real(json_object_get(o.metrics, "rows")));
	assert_true(json_is_real(json_object_get(o.metrics, "load")));
	assert_int_equal(json_object_size(o.details), 1);
	observation_done(&o);
	json_decref(line);
}

static void a_reason_of_a_third_party_is_kept(void **state)
{
	json_t *line = json_loads(GOOD, 0, NULL);
	struct observation o = {0};
	const char *component;

	(void)state;
	(void)json_object_set_new(line, "reason", json_string("moon_phase_7"));
	(void)json_object_del(line, "message");
	(void)json_object_del(line, "details");
	(void)json_object_set_new(line, "metrics", json_null());
	assert_int_equal(observation_decode(line, &component, &o, NULL), 0);
	assert_string_equal(o.reason, "moon_phase_7");
	assert_string_equal(o.message, "");
	assert_null(o.metrics);
	assert_null(o.details);
	observation_done(&o);
	json_decref(line);
}

static void each_wrong_field_is_named(void **state)
{
	static const struct {
		const char *key, *json; /* json NULL: the key is missing */
	} bad[] = {
		{"at", NULL},
		{"at", "5"},
		{"at", "\"yesterday\""},
		{"at", "\"2026-02-30T00:00:00Z\""},
		{"component", NULL},
		{"component", "\"\""},
		{"component", "\"Api\""},
		{"component", "\"a/b\""},
		{"component", "7"},
		{"outcome", NULL},
		{"outcome", "\"healthy\""},
		{"outcome", "null"},
		{"reason", NULL},
		{"reason", "\"\""},
		{"reason", "\"Bad Code\""},
		{"reason", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""},
		{"message", "5"},
		{"took_ms", NULL},
		{"took_ms", "-1"},
		{"took_ms", "\"5\""},
		{"took_ms", "null"},
		{"metrics", "[]"},
		{"metrics", "{\"a\":1,\"b\":\"2\"}"},
		{"metrics", "{\"a\":null}"},
		{"details", "[]"},
		{"details", "\"x\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *line = json_loads(GOOD, 0, NULL);
		struct observation o = {.took_ms = 42};
		const char *component = "untouched";
		struct err err = {0};

		(void)json_object_del(line, bad[i].key);
		if (bad[i].json != NULL)
			(void)json_object_set_new(line, bad[i].key,
						  json_loads(bad[i].json, JSON_DECODE_ANY, NULL));
		if (observation_decode(line, &component, &o, &err) != -EINVAL)
			fail_msg("accepted %s: %s", bad[i].key, bad[i].json);
		if (strncmp(err.text, bad[i].key, strlen(bad[i].key)) != 0)
			fail_msg("%s: told \"%s\"", bad[i].key, err.text);
		assert_string_equal(component, "untouched");
		assert_true(o.took_ms > 41.9 && o.metrics == NULL);
		json_decref(line);
	}
}

static void what_is_no_object_is_refused(void **state)
{
	json_t *line = json_array();
	struct observation o;
	const char *component;

	(void)state;
	assert_int_equal(observation_decode(line, &component, &o, NULL), -EINVAL);
	assert_int_equal(observation_decode(NULL, &component, &o, NULL), -EINVAL);
	json_decref(line);
}

static void long_messages_are_cut_between_characters(void **state)
{
	struct observation o = {0};
	char text[1000];

	(void)state;
	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	text[sizeof(text) - 2] = '\0';
	observation_message(&o, text);
	assert_int_equal(strlen(o.message), OBSERVATION_MESSAGE_MAX - 2);
}

/* A foreign byte in a message must not cost the whole line. */
static void any_message_can_be_encoded(void **state)
{
	(void)state;
	srandom(8);
	for (int i = 0; i < 20000; i++) {
		struct observation o = {.outcome = OUTCOME_FAIL, .reason = "told"};
		char text[600];
		size_t n = (size_t)random() % (sizeof(text) - 1);
		json_t *line;

		for (size_t k = 0; k < n; k++)
			text[k] = (char)(random() % 255 + 1);
		text[n] = '\0';
		observation_message(&o, text);
		line = observation_encode(&o, "api", "n1");
		assert_string_equal(json_string_value(json_object_get(line, "message")), o.message);
		json_decref(line);
	}
}

/* What is taken as text reads as it does from a tree, and what is refused there is never taken. */
static void a_line_as_text_is_read_the_same_or_left(void **state)
{
	static const struct {
		const char *text;
		bool is_taken;
	} lines[] = {
		{GOOD, false}, /* an integer among the metrics */
		{"{\"at\":\"2026-11-22T01:30:37.123Z\",\"component\":\"a\",\"outcome\":\"pass\","
		 "\"reason\":\"ok\",\"message\":\"\\u00e9 \\\"\",\"took_ms\":1.5,\"extra\":[],"
		 "\"metrics\":{\"a\":1.0,\"b\":-2e-3},\"details\":{\"ip\":\"::1\",\"l\":[1]}}",
		 true},
		{"{\"at\":\"2026-11-22T01:30:37.123Z\",\"component\":\"a\",\"outcome\":\"pass\","
		 "\"reason\":\"ok\",\"message\":\"\",\"took_ms\":1,\"metrics\":{},"
		 "\"details\":{\"deep\":{\"a\":1}}}",
		 false},
		{"{\"at\":\"2026-11-22T01:30:37.123Z\",\"component\":\"a\",\"outcome\":\"pass\","
		 "\"reason\":\"ok\",\"message\":\"\",\"took_ms\":1,\"metrics\":{\"a\":1.0,\"a\":2."
		 "0},"
		 "\"details\":{}}",
		 false},
		{"{\"at\":\"2026-11-22T01:30:37.123Z\",\"component\":\"a\",\"outcome\":\"pass\","
		 "\"component\":\"b\",\"reason\":\"ok\",\"message\":\"\",\"took_ms\":1,"
		 "\"metrics\":{},\"details\":{}}",
		 false},
		{"{\"at\":\"2026-11-22T01:30:37.123Z\",\"component\":\"A B\",\"outcome\":\"pass\","
		 "\"reason\":\"ok\",\"message\":\"\",\"took_ms\":1,\"metrics\":{},\"details\":{}}",
		 false},
		{"{\"at\":\"2026-11-22T01:30:37.123Z\",\"component\":\"a\",\"outcome\":\"pass\","
		 "\"reason\":\"ok\",\"message\":\"\",\"took_ms\":-1,\"metrics\":{},\"details\":{}}",
		 false},
		{ODD_DETAIL("\"a\\u0000b\""), false},
		{ODD_DETAIL("123456789012345678901234567890"), false},
		{ODD_DETAIL("1e999"), false},
		{"[]", false},
		{"{", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const char *text = lines[i].text, *component;
		json_t *line = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
		struct observation o = {0}, expected = {0};
		char id[OBSERVATION_ID_MAX];

		assert_int_equal(observation_decode_text(text, strlen(text), id, &o),
				 lines[i].is_taken);
		if (lines[i].is_taken) {
			assert_int_equal(observation_decode(line, &component, &expected, NULL), 0);
			observation_read(&o);
			assert_string_equal(id, component);
			assert_int_equal(o.at_ms, expected.at_ms);
			assert_int_equal(o.outcome, expected.outcome);
			assert_string_equal(o.reason, expected.reason);
			assert_string_equal(o.message, expected.message);
			assert_true(o.took_ms - expected.took_ms == 0);
			assert_true(json_equal(o.metrics, expected.metrics));
			assert_true(json_equal(o.details, expected.details));
		}
		observation_done(&o);
		observation_done(&expected);
		json_decref(line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sent_is_received),
		cmocka_unit_test(an_empty_observation_has_empty_objects),
		cmocka_unit_test(integers_on_the_wire_become_reals),
		cmocka_unit_test(a_reason_of_a_third_party_is_kept),
		cmocka_unit_test(each_wrong_field_is_named),
		cmocka_unit_test(what_is_no_object_is_refused),
		cmocka_unit_test(long_messages_are_cut_between_characters),
		cmocka_unit_test(any_message_can_be_encoded),
		cmocka_unit_test(a_line_as_text_is_read_the_same_or_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
