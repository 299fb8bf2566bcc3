/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "behaviour.h"
#include "kind.h"

static const struct script_step rows[] = {
	{.expect = "\r\n\r\n",
	 .say = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 42\r\n\r\n"
		"{\"rows\": [{\"k\": \"a\"}, {\"k\": \"b\"}], \"n\": 2}"},
};

static void both_sources_are_asked_of_one_server(void **state)
{
	(void)state;
	behaviour_check(&(struct behaviour){
		.options = "{\"a\": {\"http\": {\"url\": \"http://127.0.0.1:PORT/a\", "
			   "\"jq\": \".rows\"}}, \"b\": {\"http\": {\"url\": "
			   "\"http://127.0.0.1:PORT/b\", \"jq\": \".rows[]\"}}, \"key\": \"k\"}",
		.only_reason = REASON_SOURCE_FAILED,
		.dialogue = {.steps = rows, .steps_n = ARRAY_LEN(rows)},
	});
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kind_setup, kind_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_sources_are_asked_of_one_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
