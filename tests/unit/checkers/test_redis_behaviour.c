/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "behaviour.h"
#include "kind.h"

#define COMMANDS "\"commands\": [{\"command\": [\"LLEN\", \"jobs\"], \"metric\": \"depth\"}]"

static const struct script_step steps[] = {
	{.expect = "*2\r\n$4\r\nAUTH\r\n$6\r\nsesame\r\n", .say = "+OK\r\n"},
	{.expect = "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n", .say = "+OK\r\n"},
	{.expect = "*1\r\n$4\r\nPING\r\n", .say = "+PONG\r\n"},
	{.expect = "INFO\r\n", .say = "$35\r\nredis_version:7.0.15\r\nrole:master\r\n\r\n"},
	{.expect = "$4\r\nLLEN\r\n$4\r\njobs\r\n", .say = ":12\r\n"},
};

static void a_whole_dialogue(void **state)
{
	(void)state;
	behaviour_check(&(struct behaviour){
		.options = "{\"address\": \"127.0.0.1:PORT\", \"password\": \"sesame\", \"db\": 3, "
			   "\"role\": \"master\", " COMMANDS "}",
		.dialogue = {.steps = steps, .steps_n = ARRAY_LEN(steps)},
	});
}

static const struct script_step ping[] = {
	{.expect = "PING\r\n", .say = "+PONG\r\n"},
};

static void a_ping_within_tls(void **state)
{
	(void)state;
	behaviour_check(&(struct behaviour){
		.options = "{\"address\": \"127.0.0.1:PORT\", \"info\": false, "
			   "\"tls\": {\"ca\": \"CA\"}}",
		.dialogue = {.steps = ping, .steps_n = ARRAY_LEN(ping), .is_tls = true},
	});
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kind_setup, kind_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_whole_dialogue),
		TEST(a_ping_within_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
