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
#include "tws.h"

static void say_version(const char *heard, size_t len, struct str *say)
{
	static const char *const fields[] = {"176", "20261122 10:00:00 EST"};

	(void)heard, (void)len;
	tws_encode(say, fields, ARRAY_LEN(fields));
}

static void say_login(const char *heard, size_t len, struct str *say)
{
	static const char *const accounts[] = {"15", "1", "DU111"};
	static const char *const order_id[] = {"9", "1", "1"};

	(void)heard, (void)len;
	tws_encode(say, accounts, ARRAY_LEN(accounts));
	tws_encode(say, order_id, ARRAY_LEN(order_id));
}

static void say_time(const char *heard, size_t len, struct str *say)
{
	static const char *const fields[] = {"49", "1", "1795311037"};

	(void)heard, (void)len;
	tws_encode(say, fields, ARRAY_LEN(fields));
}

static const struct script_step gateway[] = {
	{.expect = "v100..176", .expect_bytes = 17, .answer = say_version},
	/* It is there, but does not let us in. */
	{.expect_bytes = 12, .answer = say_login, .silence = REASON_IB_CONNECTING},
	{.expect_bytes = 9, .answer = say_time, .silence = REASON_IB_CONNECTING},
};

static void a_login(void **state)
{
	(void)state;
	behaviour_check(&(struct behaviour){
		.options = "{\"address\": \"127.0.0.1:PORT\", \"client_id\": 7}",
		.dialogue = {.steps = gateway, .steps_n = ARRAY_LEN(gateway)},
	});
}

static void a_login_within_tls(void **state)
{
	(void)state;
	behaviour_check(&(struct behaviour){
		.options = "{\"address\": \"127.0.0.1:PORT\", \"tls\": {\"ca\": \"CA\"}}",
		.dialogue = {.steps = gateway, .steps_n = ARRAY_LEN(gateway), .is_tls = true},
	});
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kind_setup, kind_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(a_login), TEST(a_login_within_tls)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
