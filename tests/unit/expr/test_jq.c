/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "expr/jq.h"

static json_t *json(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(value);
	return value;
}

static void assert_json(json_t *got /* taken */, const char *want)
{
	char *text = json_dumps(got, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);

	assert_string_equal(text, want);
	free(text);
	json_decref(got);
}

/* What `program` makes of `input`, as compact JSON. */
static void assert_first(const char *program, const char *input, const char *want)
{
	struct jq_expr *e = jq_new(program);
	json_t *in = json(input);
	struct err err = {0};
	json_t *out = NULL;

	if (jq_first(e, in, NULL, &out, &err) != 0)
		fail_msg("%s: %s", program, err.text);
	assert_json(out, want);
	json_decref(in);
	jq_free(e);
}

static void assert_error(const char *program, const char *input, int code, const char *want)
{
	struct jq_expr *e = jq_new(program);
	json_t *in = json(input);
	struct err err = {0};
	json_t *out = NULL;

	assert_int_equal(jq_first(e, in, NULL, &out, &err), code);
	assert_null(out);
	assert_string_equal(err.text, want);
	json_decref(in);
	jq_free(e);
}

static void test_a_program_is_run_by_libjq(void **state)
{
	(void)state;
	assert_first("[.positions[] | {s: .symbol, q: .qty}]",
		     "{\"positions\": [{\"symbol\": \"A\", \"qty\": 2}, {\"symbol\": \"B\", "
		     "\"qty\": 0.5}]}",
		     "[{\"q\":2,\"s\":\"A\"},{\"q\":0.5,\"s\":\"B\"}]");
}

static void test_an_empty_program_is_the_identity(void **state)
{
	(void)state;
	assert_first("  ", "{\"a\": 1}", "{\"a\":1}");
}

static void test_no_result_reads_as_null(void **state)
{
	(void)state;
	assert_first("empty", "1", "null");
}

static void test_a_compile_error_is_one_line_without_the_program(void **state)
{
	(void)state;
	assert_error(".a + nosuch", "1", -EINVAL, "nosuch/0 is not defined");
	assert_error(".a[", "1", -EINVAL,
		     "syntax error, unexpected $end (Unix shell quoting issues?)");
	assert_error(".a |\n nosuch", "1", -EINVAL, "nosuch/0 is not defined in line 2");
}

static void test_a_compile_error_is_told_again_each_time(void **state)
{
	struct jq_expr *e = jq_new("nosuch");
	struct err first = {0};
	struct err second = {0};

	(void)state;
	assert_int_equal(jq_check(e, &first), -EINVAL);
	assert_int_equal(jq_check(e, &second), -EINVAL);
	assert_string_equal(first.text, second.text);
	assert_string_equal(first.text, "not a jq program: nosuch/0 is not defined");
	jq_free(e);
}

static void test_a_run_time_error_is_jqs_message(void **state)
{
	(void)state;
	assert_error(".a + {}", "{\"a\": 1}", -EBADMSG,
		     "number (1) and object ({}) cannot be added");
	assert_error("error(\"a\\nb\")", "1", -EBADMSG, "a b");
	assert_error("error({a: 1})", "1", -EBADMSG, "(not a string): {\"a\":1}");
}

static void test_an_expression_works_again_after_an_error(void **state)
{
	struct jq_expr *e = jq_new(".a + 1");
	json_t *bad = json("{\"a\": []}");
	json_t *good = json("{\"a\": 41}");
	json_t *out = NULL;

	(void)state;
	assert_int_equal(jq_first(e, bad, NULL, &out, NULL), -EBADMSG);
	assert_int_equal(jq_first(e, good, NULL, &out, NULL), 0);
	assert_json(out, "42");
	json_decref(bad);
	json_decref(good);
	jq_free(e);
}

static void test_input_does_not_kill_the_process(void **state)
{
	(void)state;
	assert_error("input", "1", -EBADMSG, "input is not available here");
	assert_error("[inputs]", "1", -EBADMSG, "input is not available here");
}

static void test_modules_are_refused_at_compile_time(void **state)
{
	static const char *const programs[] = {
		"import \"a\" as a; .",
		"include \"a\"; .",
		"include \"a\" {search: \"./\"}; .",
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		struct jq_expr *e = jq_new(programs[i]);

		assert_int_equal(jq_check(e, &err), -EINVAL);
		assert_non_null(strstr(err.text, "syntax error"));
		jq_free(e);
	}
	assert_error("\"a\" | modulemeta", "1", -EBADMSG, "modulemeta is not available here");
}

static void test_the_environment_is_hidden(void **state)
{
	(void)state;
	assert_int_equal(setenv("HALE_TEST_SECRET", "x", 1), 0);
	assert_first("[env, $ENV, env.HALE_TEST_SECRET, $ENV.PATH]", "1", "[{},{},null,null]");
}

static void test_halting_is_an_error(void **state)
{
	(void)state;
	assert_error("halt", "1", -EBADMSG, "the program halted itself");
	assert_error("\"bye\" | halt_error(1)", "1", -EBADMSG, "the program halted itself");
	assert_error("\"bye\" | halt_error", "1", -EBADMSG, "the program halted itself");
}

static void test_implode_of_no_characters_is_an_error(void **state)
{
	(void)state;
	assert_error("[\"a\"] | implode", "1", -EBADMSG, "implode needs an array of characters");
	assert_error("[-1] | implode", "1", -EBADMSG, "implode needs an array of characters");
	assert_first("[104, 97] | implode", "1", "\"ha\"");
}

static void test_an_endless_generator_ends_in_an_error(void **state)
{
	struct jq_expr *e = jq_new("range(1e9)");
	struct err err = {0};
	json_t *in = json_null();
	json_t *out = NULL;

	(void)state;
	assert_int_equal(jq_all(e, in, NULL, &out, &err), -EBADMSG);
	assert_string_equal(err.text, "more than 1000000 results");
	jq_free(e);
}

static void test_a_result_nested_too_deeply_is_an_error(void **state)
{
	(void)state;
	assert_error("reduce range(3000) as $i (0; [.])", "1", -EBADMSG,
		     "the result is nested too deeply");
}

static void test_all_results_come_as_an_array(void **state)
{
	struct jq_expr *e = jq_new(".[] | . * 2");
	struct jq_expr *native = jq_new(".[0]");
	json_t *in = json("[1, 2, 3]");
	json_t *out = NULL;

	(void)state;
	assert_int_equal(jq_all(e, in, NULL, &out, NULL), 0);
	assert_json(out, "[2,4,6]");
	assert_int_equal(jq_all(native, in, NULL, &out, NULL), 0);
	assert_json(out, "[1]");
	json_decref(in);
	jq_free(native);
	jq_free(e);
}

static void test_variables_change_from_run_to_run(void **state)
{
	struct jq_expr *e = jq_new(".n + $a + ($b | length)");
	json_t *in = json("{\"n\": 1}");
	json_t *out = NULL;

	(void)state;
	for (int i = 0; i < 3; i++) {
		json_t *vars = json_pack("{s:i, s:[i,i]}", "a", i * 10, "b", 1, 2);

		assert_int_equal(jq_first(e, in, vars, &out, NULL), 0);
		assert_int_equal(json_integer_value(out), 3 + i * 10);
		json_decref(out);
		json_decref(vars);
	}
	json_decref(in);
	jq_free(e);
}

static void test_a_path_ignores_variables(void **state)
{
	struct jq_expr *e = jq_new(".n");
	json_t *in = json("{\"n\": 1}");
	json_t *vars = json("{\"a\": 1}");
	json_t *out = NULL;

	(void)state;
	assert_int_equal(jq_first(e, in, vars, &out, NULL), 0);
	assert_json(out, "1");
	json_decref(vars);
	json_decref(in);
	jq_free(e);
}

static void test_an_unknown_variable_is_a_compile_error(void **state)
{
	(void)state;
	assert_error(".n + $a", "1", -EINVAL, "$a is not defined");
}

static void test_a_variable_needs_an_identifier(void **state)
{
	struct jq_expr *e = jq_new(". + 1");
	json_t *vars = json("{\"a b\": 1}");
	struct err err = {0};
	json_t *out = NULL;

	(void)state;
	assert_int_equal(jq_first(e, vars, vars, &out, &err), -EINVAL);
	assert_string_equal(err.text, "'a b' is no name for a variable");
	json_decref(vars);
	jq_free(e);
}

static void assert_text(const char *program, const char *input, const char *want)
{
	struct jq_expr *e = jq_new(program);
	json_t *in = json(input);
	struct str out = {0};

	str_add(&out, ">");
	assert_int_equal(jq_text(e, in, NULL, &out, NULL), 0);
	assert_string_equal(str_text(&out) + 1, want);
	str_done(&out);
	json_decref(in);
	jq_free(e);
}

static void test_text_is_plain_for_strings_and_json_for_the_rest(void **state)
{
	(void)state;
	assert_text(".a", "{\"a\": \"x \\\"y\\\"\"}", "x \"y\"");
	assert_text("\"\\(.a) is \\(.b)\"", "{\"a\": \"x\", \"b\": 1.5}", "x is 1.5");
	assert_text(".", "{\"a\": [1, null]}", "{\"a\":[1,null]}");
	assert_text(".", "0.1", "0.1");
	assert_text(".", "41.0", "41");
}

static void test_numbers_are_doubles_whoever_computes(void **state)
{
	(void)state;
	assert_first(".[0]", "[9007199254740993]", "9007199254740992");
	assert_first(".[0] + 0", "[9007199254740993]", "9007199254740992");
	assert_first(".", "[1.0, {\"a\": 2.0}]", "[1,{\"a\":2}]");
	assert_first("[nan, infinite] | map(. == .)", "1", "[false,true]");
	assert_first("[nan, infinite][0]", "1", "null");
	assert_first("-infinite", "1", "-1.7976931348623157e308");
}

static void test_texts_with_nul_pass_both_ways(void **state)
{
	struct jq_expr *e = jq_new("{(.[0]): .[0]}");
	json_t *in = json_array();
	json_t *out = NULL;
	char *text;

	(void)state;
	json_array_append_new(in, json_stringn("a\0b", 3));
	assert_int_equal(jq_first(e, in, NULL, &out, NULL), 0);
	text = json_dumps(out, JSON_COMPACT);
	assert_string_equal(text, "{\"a\\u0000b\":\"a\\u0000b\"}");
	free(text);
	json_decref(out);
	json_decref(in);
	jq_free(e);
}

static void test_truth_is_everything_but_null_and_false(void **state)
{
	json_t *values = json("[0, \"\", [], true, null, false]");

	(void)state;
	for (size_t i = 0; i < json_array_size(values); i++)
		assert_int_equal(jq_is_true(json_array_get(values, i)), i < 4);
	assert_false(jq_is_true(NULL));
	json_decref(values);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_program_is_run_by_libjq),
		cmocka_unit_test(test_an_empty_program_is_the_identity),
		cmocka_unit_test(test_no_result_reads_as_null),
		cmocka_unit_test(test_a_compile_error_is_one_line_without_the_program),
		cmocka_unit_test(test_a_compile_error_is_told_again_each_time),
		cmocka_unit_test(test_a_run_time_error_is_jqs_message),
		cmocka_unit_test(test_an_expression_works_again_after_an_error),
		cmocka_unit_test(test_input_does_not_kill_the_process),
		cmocka_unit_test(test_modules_are_refused_at_compile_time),
		cmocka_unit_test(test_the_environment_is_hidden),
		cmocka_unit_test(test_halting_is_an_error),
		cmocka_unit_test(test_implode_of_no_characters_is_an_error),
		cmocka_unit_test(test_an_endless_generator_ends_in_an_error),
		cmocka_unit_test(test_a_result_nested_too_deeply_is_an_error),
		cmocka_unit_test(test_all_results_come_as_an_array),
		cmocka_unit_test(test_variables_change_from_run_to_run),
		cmocka_unit_test(test_a_path_ignores_variables),
		cmocka_unit_test(test_an_unknown_variable_is_a_compile_error),
		cmocka_unit_test(test_a_variable_needs_an_identifier),
		cmocka_unit_test(test_text_is_plain_for_strings_and_json_for_the_rest),
		cmocka_unit_test(test_numbers_are_doubles_whoever_computes),
		cmocka_unit_test(test_texts_with_nul_pass_both_ways),
		cmocka_unit_test(test_truth_is_everything_but_null_and_false),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
