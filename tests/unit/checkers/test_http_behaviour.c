/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "behaviour.h"
#include "kind.h"

#define EXPECT "\"expect\": {\"jq\": \".status == \\\"ok\\\" and (.rows | length) == 3\"}"

static const struct script_step whole[] = {
	{.expect = "\r\n\r\n",
	 .say = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 41\r\n\r\n"
		"{\"status\": \"ok\", \"rows\": [\"a\", \"b\", \"c\"]}"},
};

static const struct script_step chunked[] = {
	{.expect = "\r\n\r\n",
	 .say = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		"10\r\n{\"status\": \"ok\",\r\n19\r\n \"rows\": [\"a\", \"b\", "
		"\"c\"]}\r\n0\r\n\r\n"},
};

static void a_question_and_its_answer(void **state)
{
	(void)state;
	behaviour_check(&(struct behaviour){
		.options = "{\"url\": \"http://127.0.0.1:PORT/health\", " EXPECT "}",
		.dialogue = {.steps = whole, .steps_n = ARRAY_LEN(whole)},
	});
}

static void an_answer_in_chunks(void **state)
{
	(void)state;
	behaviour_check(&(struct behaviour){
		.options = "{\"url\": \"http://127.0.0.1:PORT/health\", " EXPECT "}",
		.dialogue = {.steps = chunked, .steps_n = ARRAY_LEN(chunked)},
	});
}

static void a_question_within_tls(void **state)
{
	(void)state;
	behaviour_check(&(struct behaviour){
		.options =
			"{\"url\": \"https://127.0.0.1:PORT/health\", \"tls\": {\"ca\": \"CA\"}, "
			"\"http_version\": \"1.1\", " EXPECT "}",
		.dialogue = {.steps = whole, .steps_n = ARRAY_LEN(whole), .is_tls = true},
	});
}

static void several_endpoints(void **state)
{
	(void)state;
	behaviour_check(&(struct behaviour){
		.options =
			"{\"url\": \"http://127.0.0.1:PORT\", \"endpoints\": [{\"path\": \"/a\"}, "
			"{\"path\": \"/b\"}, {\"path\": \"/c\"}], " EXPECT "}",
		.dialogue = {.steps = whole, .steps_n = ARRAY_LEN(whole)},
	});
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kind_setup, kind_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_question_and_its_answer),
		TEST(an_answer_in_chunks),
		TEST(a_question_within_tls),
		TEST(several_endpoints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
