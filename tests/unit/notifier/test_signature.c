/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "signature.h"

static void rfc_4231_case_2(void **state)
{
	(void)state;
	const char *body = "what do ya want for nothing?";
	char text[SIGNATURE_TEXT_MAX];

	assert_string_equal(
		signature_format("Jefe", body, strlen(body), text),
		"sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

/* A key longer than a block is hashed first. */
static void rfc_4231_case_6(void **state)
{
	(void)state;
	const char *body = "Test Using Larger Than Block-Size Key - Hash Key First";
	char key[132], text[SIGNATURE_TEXT_MAX];

	memset(key, 0xaa, 131);
	key[131] = '\0';
	assert_string_equal(
		signature_format(key, body, strlen(body), text),
		"sha256=60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void an_empty_body_is_signed_too(void **state)
{
	(void)state;
	char text[SIGNATURE_TEXT_MAX];

	assert_string_equal(
		signature_format("", "", 0, text),
		"sha256=b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_4231_case_2),
		cmocka_unit_test(rfc_4231_case_6),
		cmocka_unit_test(an_empty_body_is_signed_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
