/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "behaviour.h"
#include "kind.h"

static const struct script_step redis[] = {
	{.expect = "PING\r\n", .say = "+PONG\r\n", .needed = 5},
};

static void a_question_and_its_answer(void **state)
{
	(void)state;
	behaviour_check(&(struct behaviour){
		.options = "{\"address\": \"127.0.0.1:PORT\", \"send\": \"PING\\r\\n\", "
			   "\"expect\": \"+PONG\", \"quit\": \"QUIT\\r\\n\"}",
		.dialogue = {.steps = redis, .steps_n = ARRAY_LEN(redis)},
	});
}

static const struct script_step greeting[] = {
	{.say = "220 mail.example.org ESMTP ready\r\n", .needed = 29},
};

static void a_greeting(void **state)
{
	(void)state;
	behaviour_check(&(struct behaviour){
		.options = "{\"address\": \"127.0.0.1:PORT\", \"expect_regex\": \"^220 .* ready\"}",
		.dialogue = {.steps = greeting, .steps_n = ARRAY_LEN(greeting)},
	});
}

static void a_question_within_tls(void **state)
{
	(void)state;
	behaviour_check(&(struct behaviour){
		.options = "{\"address\": \"127.0.0.1:PORT\", \"send\": \"PING\\r\\n\", "
			   "\"expect\": \"+PONG\", \"tls\": {\"ca\": \"CA\"}}",
		.dialogue = {.steps = redis, .steps_n = ARRAY_LEN(redis), .is_tls = true},
	});
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kind_setup, kind_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_question_and_its_answer),
		TEST(a_greeting),
		TEST(a_question_within_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
