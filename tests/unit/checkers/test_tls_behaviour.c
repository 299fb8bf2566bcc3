/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "behaviour.h"
#include "kind.h"

static void tls_at_once(void **state)
{
	(void)state;
	behaviour_check(&(struct behaviour){
		.options = "{\"address\": \"127.0.0.1:PORT\", \"ca\": \"CA\"}",
		.dialogue = {.is_tls = true},
	});
}

static const struct script_step smtp[] = {
	{.say = "220 mail.test ESMTP\r\n"},
	{.expect = "EHLO hale\r\n", .say = "250-mail.test\r\n250 STARTTLS\r\n"},
	{.expect = "STARTTLS\r\n", .say = "220 go ahead\r\n"},
};

static void tls_after_a_dialogue(void **state)
{
	(void)state;
	behaviour_check(&(struct behaviour){
		.options =
			"{\"address\": \"127.0.0.1:PORT\", \"ca\": \"CA\", \"starttls\": \"smtp\"}",
		.dialogue = {.steps = smtp,
			     .steps_n = ARRAY_LEN(smtp),
			     .is_tls = true,
			     .tls_after = ARRAY_LEN(smtp)},
	});
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kind_setup, kind_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tls_at_once),
		TEST(tls_after_a_dialogue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
