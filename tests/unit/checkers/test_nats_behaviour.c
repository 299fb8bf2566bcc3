/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/cleanup.h"
#include "behaviour.h"
#include "kind.h"

/* To the inbox named in "PUB subject inbox size". */
static void reply(const char *heard, size_t len, const char *payload, struct str *say)
{
	const char *pub = memmem(heard, len, "PUB ", 4);
	const char *inbox;

	assert_non_null(pub);
	inbox = strchr(pub + 4, ' ') + 1;
	str_addf(say, "MSG %.*s 1 %zu\r\n%s\r\n", (int)strcspn(inbox, " "), inbox, strlen(payload),
		 payload);
}

static void answer(const char *heard, size_t len, struct str *say)
{
	reply(heard, len, "{\"ok\":true}", say);
}

static void tell_stream(const char *heard, size_t len, struct str *say)
{
	reply(heard, len, "{\"state\":{\"messages\":3}}", say);
}

static const struct script_step steps[] = {
	{.say = "INFO {\"version\":\"2.9.10\",\"headers\":true}\r\n"},
	{.expect = "PING\r\n", .say = "PING\r\nPONG\r\n"},
	{.expect = "PUB orders.ping _INBOX.", .answer = answer},
	{.expect = "PUB $JS.API.STREAM.INFO.ORDERS ", .answer = tell_stream},
};

static void a_whole_dialogue(void **state)
{
	(void)state;
	behaviour_check(&(struct behaviour){
		.options = "{\"address\": \"127.0.0.1:PORT\", \"token\": \"sesame\", \"request\": "
			   "{\"subject\": \"orders.ping\", \"expect\": {\"jq\": \".ok\"}}, "
			   "\"stream\": \"ORDERS\"}",
		.dialogue = {.steps = steps, .steps_n = ARRAY_LEN(steps)},
	});
}

static const struct script_step tls[] = {
	{.say = "INFO {\"version\":\"2.9.10\",\"tls_required\":true}\r\n"},
	{.expect = "PING\r\n", .say = "PONG\r\n"},
};

static void a_login_within_tls(void **state)
{
	(void)state;
	behaviour_check(&(struct behaviour){
		.options = "{\"address\": \"127.0.0.1:PORT\", \"tls\": {\"ca\": \"CA\"}}",
		.dialogue =
			{.steps = tls, .steps_n = ARRAY_LEN(tls), .is_tls = true, .tls_after = 1},
	});
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kind_setup, kind_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_whole_dialogue),
		TEST(a_login_within_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
