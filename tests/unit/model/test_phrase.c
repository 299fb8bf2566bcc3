/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "model/judge.h"
#include "model/phrase.h"

#define NOW INT64_C(1795311037123)

static json_t *json(const char *text)
{
	json_t *o = json_loads(text, 0, NULL);

	assert_non_null(o);
	return o;
}

static void reads(const char *phrase, const char *expected)
{
	struct observation o = {
		.reason = "different",
		.took_ms = 10312.4821,
		.metrics = json("{\"count_a\": 3.0, \"load\": 0.8712}"),
		.details = json("{\"names\": [\"a\", \"b\", 7], \"side\": \"IB\", \"ok\": true,"
				" \"deep\": {\"x\": 1}, \"nested\": [[1]]}"),
	};
	HALE_CLEANUP(str_done) struct str out = {0};

	phrase_fill(phrase, &o, "the words", &out);
	assert_string_equal(str_text(&out), expected);
	observation_done(&o);
}

static void facts_stand_for_their_names(void **state)
{
	(void)state;
	reads("Connected", "Connected");
	reads("", "");
	reads("Mismatch: {side}={count_a}", "Mismatch: IB=3");
	reads("{names} down, load {load}", "a, b, 7 down, load 0.87");
	reads("{took_ms} ms, {reason}: {message}", "10312.5 ms, different: the words");
	reads("{ok} {deep} {nested} {nowhere}", "true ? ? ?");
	reads("{{x}} and {side}}", "{x}} and IB}");
	reads("left open {side", "left open {side");
}

static void a_long_list_is_cut(void **state)
{
	struct observation o = {.details = json_object()};
	json_t *list = json_array();
	HALE_CLEANUP(str_done) struct str out = {0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		json_array_append_new(list, json_integer(i));
	json_object_set_new(o.details, "keys", list);
	phrase_fill("{keys}", &o, "", &out);
	assert_true(str_ends(str_text(&out), "18, 19, …"));
	observation_done(&o);
}

static void mistakes_are_told(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(phrase_check("plain {a} {{ {b}", &err), 0);
	assert_true(phrase_check("open {a", &err) < 0);
	assert_true(phrase_check("empty {}", &err) < 0);
}

static void the_most_special_one_is_said(void **state)
{
	json_t *m = json(
		"{\"failure\": \"F\", \"down\": \"D\", \"conn_refused\": \"R\", \"pass\": \"P\"}");

	(void)state;
	assert_string_equal(phrase_for(m, "conn_refused", OUTCOME_DOWN), "R");
	assert_string_equal(phrase_for(m, "timeout", OUTCOME_DOWN), "D");
	assert_string_equal(phrase_for(m, "http_status", OUTCOME_FAIL), "F");
	assert_string_equal(phrase_for(m, "ok", OUTCOME_PASS), "P");
	json_object_del(m, "pass");
	assert_null(phrase_for(m, "ok", OUTCOME_PASS));
	assert_null(phrase_for(NULL, "ok", OUTCOME_PASS));
	json_decref(m);
}

/* ---- As haled says it ---- */

static char took_ms[] = "took_ms";

static void judged(enum outcome outcome, const char *reason, double took, const char *message,
		   const char *details)
{
	struct metric_threshold limit = {took_ms, {OP_GT, 10000}, {0}};
	struct component_spec spec = {
		.interval_ms = 30000,
		.degraded_after = 1,
		.critical_after = 1,
		.recover_after = 1,
		.is_enabled = true,
		.thresholds = &limit,
		.thresholds_n = 1,
		.messages = json("{\"pass\": \"Connected\", \"threshold\": \"Slow response\","
				 " \"failure\": \"Disconnected\"}"),
	};
	struct observation o = {
		.at_ms = NOW, .outcome = outcome, .took_ms = took, .message = "own words"};
	struct component_state s;
	json_t *expected = json(details);

	(void)snprintf(o.reason, sizeof(o.reason), "%s", reason);
	component_state_init(&s, &spec, NOW);
	assert_string_equal(s.message, "No data yet");
	(void)health_judge(&spec, &s, &o, NOW, NULL);
	assert_string_equal(s.message, message);
	assert_true(s.last.details == NULL ? json_object_size(expected) == 0
					   : json_equal(s.last.details, expected));
	json_decref(expected);
	json_decref(spec.messages);
	component_state_done(&s);
}

static void what_is_replaced_stays_as_a_detail(void **state)
{
	(void)state;
	judged(OUTCOME_PASS, "ok", 9500, "Connected", "{}");
	judged(OUTCOME_PASS, "ok", 10500, "Slow response",
	       "{\"threshold\": \"took_ms 10500 > 10000\"}");
	judged(OUTCOME_DOWN, "conn_refused", 1, "Disconnected", "{\"error\": \"own words\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(facts_stand_for_their_names),
		cmocka_unit_test(a_long_list_is_cut),
		cmocka_unit_test(mistakes_are_told),
		cmocka_unit_test(the_most_special_one_is_said),
		cmocka_unit_test(what_is_replaced_stays_as_a_detail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
