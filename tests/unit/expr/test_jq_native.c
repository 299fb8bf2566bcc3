/* SPDX-License-Identifier: Apache-2.0 */
/* The native subset against libjq: the same program, once as it is and once so disguised that only
 * libjq takes it ("(program)"), on random documents, must give the same value or the same error. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "expr/jq.h"
#include "expr/jq_native.h"

/* Each program costs libjq 15 ms to compile, ten times that under sanitizers. */
#define PROGRAMS  150
#define DOCUMENTS 200

/* xorshift32: the same run every time. */
static uint32_t seed = 20260104;

static uint32_t below(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % n;
}

static const char *pick(const char *const *words, size_t n)
{
	return words[below((uint32_t)n)];
}

#define PICK(words) pick(words, ARRAY_LEN(words))

static json_t *random_scalar(void)
{
	static const char *const texts[] = {"", "a", "b", "ok", "abc", "Z", "\xc3\xa4\xe2\x82\xac"};
	static const double numbers[] = {0, 1, -1, 2, 0.5, -0.0, 10, 2000, 1e300, 3.0};

	switch (below(5)) {
	case 0:
		return json_null();
	case 1:
		return json_boolean(below(2));
	case 2:
		return json_string(PICK(texts));
	case 3:
		return json_integer((json_int_t)below(4) - 1);
	default:
		return json_real(numbers[below(ARRAY_LEN(numbers))]);
	}
}

static json_t *random_value(unsigned depth)
{
	static const char *const keys[] = {"a", "b", "c_1", "x y"};
	uint32_t n = below(4);
	json_t *out;

	if (depth == 0 || below(3) == 0)
		return random_scalar();
	out = below(2) == 0 ? json_array() : json_object();
	while (n-- > 0) {
		if (json_is_array(out))
			json_array_append_new(out, random_value(depth - 1));
		else
			json_object_set_new(out, PICK(keys), random_value(depth - 1));
	}
	return out;
}

static void random_program(struct str *out)
{
	static const char *const steps[] = {".a",  ".b",   ".c_1", "[\"x y\"]", "[\"a\"]", "[0]",
					    "[1]", "[-1]", "[7]",  ".if",       "[\"\"]"};
	static const char *const tails[] = {"", "", "", "|length", " | length", " | type", "|type"};
	static const char *const ops[] = {"==", " != ", "<", " <= ", ">", ">= "};
	static const char *const constants[] = {
		"null", "true", "false", "0",      "1",   "-1",        "0.5",       "2e3",
		"2000", "\"\"", "\"a\"", "\"ok\"", "1.0", "\"array\"", "\"number\""};
	uint32_t n = below(4);

	str_clear(out);
	if (below(12) == 0)
		str_add(out, below(2) == 0 ? "length" : "type");
	else if (n == 0)
		str_add(out, ".");
	for (uint32_t i = 0; i < n && str_text(out)[0] != 'l' && str_text(out)[0] != 't'; i++) {
		const char *step = PICK(steps);

		str_addf(out, "%s%s", i == 0 && *step == '[' ? "." : "", step);
	}
	if (str_text(out)[0] == '.')
		str_add(out, PICK(tails));
	if (below(2) == 0)
		str_addf(out, "%s%s", PICK(ops), PICK(constants));
}

static void compare_on(struct jq_expr *native, struct jq_expr *foreign, const char *program,
		       const json_t *document)
{
	struct err native_err = {0}, foreign_err = {0};
	json_t *native_out = NULL, *foreign_out = NULL;
	int native_rc = jq_first(native, document, NULL, &native_out, &native_err);
	int foreign_rc = jq_first(foreign, document, NULL, &foreign_out, &foreign_err);
	bool is_same = native_rc == foreign_rc && strcmp(native_err.text, foreign_err.text) == 0;

	if (is_same && native_rc == 0)
		is_same = json_equal(native_out, foreign_out) != 0;
	if (!is_same) {
		char *in = json_dumps(document, JSON_ENCODE_ANY);
		char *a = json_dumps(native_out, JSON_ENCODE_ANY);
		char *b = json_dumps(foreign_out, JSON_ENCODE_ANY);

		fail_msg("%s on %s: native %d %s %s, libjq %d %s %s", program, in, native_rc, a,
			 native_err.text, foreign_rc, b, foreign_err.text);
	}
	json_decref(native_out);
	json_decref(foreign_out);
}

static void test_native_and_libjq_answer_alike(void **state)
{
	struct str program = {0};

	(void)state;
	for (int i = 0; i < PROGRAMS; i++) {
		struct jq_native *subset;
		struct jq_expr *native, *foreign;
		char *disguised;

		random_program(&program);
		subset = jq_native_parse(str_text(&program));
		if (subset == NULL)
			fail_msg("not in the subset: %s", str_text(&program));
		jq_native_free(subset);
		disguised = mem_printf("(%s)", str_text(&program));
		native = jq_new(str_text(&program));
		foreign = jq_new(disguised);
		for (int j = 0; j < DOCUMENTS; j++) {
			json_t *document = random_value(3);

			compare_on(native, foreign, str_text(&program), document);
			json_decref(document);
		}
		jq_free(native);
		jq_free(foreign);
		free(disguised);
	}
	str_done(&program);
}

static void test_what_is_not_certainly_in_the_subset_goes_to_libjq(void **state)
{
	static const char *const programs[] = {
		"",
		".a?",
		".[]",
		".a | .b",
		".a.b + 1",
		".a == .b",
		".a == [",
		".a == {}",
		".a == 0x1",
		".a == 1e",
		"lengths",
		"length(.)",
		".a|not",
		".\"a\"",
		".a == inf",
		".[\"\\n\"]",
		".a == \"\\(1)\"",
		". a",
		".1",
		"..",
		".a..b",
		".[1.5]",
		".[12345678901]",
		"$a",
		".a # no",
		".a == -",
		"type::x",
		".\xc3\xa4",
		".a == 1 and true",
		".a.[0]",
		".[\"a\"",
		"length |",
		"type == \"a",
		".a == 1.2.3",
		".a = 1",
		".e10",
		".a.E1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		struct jq_native *subset = jq_native_parse(programs[i]);

		if (subset != NULL)
			fail_msg("taken for the subset: %s", programs[i]);
	}
}

/* Byte soup of jq's own signs: what the native parser takes, libjq must take too. */
static void test_the_parser_takes_nothing_that_libjq_refuses(void **state)
{
	static const char alphabet[] = ".a[]\"0-1|=<>! e_";
	char program[12];

	(void)state;
	for (int i = 0, taken = 0; i < 200000 && taken < 60; i++) {
		struct jq_native *subset;
		size_t len = 1 + below(sizeof(program) - 2);

		for (size_t j = 0; j < len; j++)
			program[j] = alphabet[below(sizeof(alphabet) - 1)];
		program[len] = '\0';
		subset = jq_native_parse(program);
		if (subset != NULL && len > 3) {
			char *disguised = mem_printf("(%s)", program);
			struct jq_expr *foreign = jq_new(disguised);
			struct err err;

			if (jq_check(foreign, &err) != 0)
				fail_msg("%s: %s", program, err.text);
			jq_free(foreign);
			free(disguised);
			taken++;
		}
		jq_native_free(subset);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_native_and_libjq_answer_alike),
		cmocka_unit_test(test_what_is_not_certainly_in_the_subset_goes_to_libjq),
		cmocka_unit_test(test_the_parser_takes_nothing_that_libjq_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
