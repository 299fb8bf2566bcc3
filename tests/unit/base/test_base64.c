/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

/* RFC 4648 section 10. */
static const char *const vectors[][2] = {
	{"", ""},
	{"f", "Zg=="},
	{"fo", "Zm8="},
	{"foo", "Zm9v"},
	{"foob", "Zm9vYg=="},
	{"fooba", "Zm9vYmE="},
	{"foobar", "Zm9vYmFy"},
};

static void the_vectors_of_the_rfc_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		HALE_CLEANUP(str_done) struct str text = {0};
		HALE_CLEANUP(str_done) struct str back = {0};

		base64_add(&text, vectors[i][0], strlen(vectors[i][0]));
		assert_string_equal(str_text(&text), vectors[i][1]);
		assert_int_equal(base64_decode(&back, str_text(&text), text.len), 0);
		assert_string_equal(str_text(&back), vectors[i][0]);
	}
}

static void all_bytes_go_there_and_back(void **state)
{
	unsigned char bytes[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 167);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		HALE_CLEANUP(str_done) struct str text = {0};
		HALE_CLEANUP(str_done) struct str back = {0};

		base64_add(&text, bytes, len);
		assert_int_equal(base64_decode(&back, str_text(&text), text.len), 0);
		assert_int_equal(back.len, len);
		if (len > 0)
			assert_memory_equal(back.data, bytes, len);
	}
}

static void what_is_not_base64_is_refused(void **state)
{
	static const char *const wrong[] = {"Z",    "Zg",   "Zg=",  "Zg==Zg==", "Zh==", "Zm9=",
					    "=AAA", "A===", "Zg=v", "Zm9v\n",   "Zm-_", "    "};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		HALE_CLEANUP(str_done) struct str out = {0};

		str_add(&out, "kept");
		assert_int_equal(base64_decode(&out, wrong[i], strlen(wrong[i])), -EINVAL);
		assert_string_equal(str_text(&out), "kept");
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vectors_of_the_rfc_hold),
		cmocka_unit_test(all_bytes_go_there_and_back),
		cmocka_unit_test(what_is_not_base64_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
