/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "resp.h"

/* Reads one reply, all at once and byte by byte: both must say the same. */
static int read_one(const char *text, size_t len, struct resp_value **value_r, struct err *err)
{
	struct resp_reader *whole = resp_new();
	struct resp_reader *drip = resp_new();
	struct resp_value *v = NULL;
	int rc = resp_feed(whole, text, len, err);
	int rc_drip = -EAGAIN;

	if (rc == 0)
		rc = resp_next(whole, value_r, err);
	for (size_t i = 0; i < len && rc_drip == -EAGAIN; i++) {
		rc_drip = resp_feed(drip, text + i, 1, err);
		if (rc_drip == 0)
			rc_drip = resp_next(drip, &v, err);
	}
	assert_int_equal(rc_drip, rc);
	resp_free(v);
	resp_delete(whole);
	resp_delete(drip);
	return rc;
}

static void expect_described(const char *text, const char *described)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	struct resp_value *v = NULL;
	struct err err = {0};

	assert_int_equal(read_one(text, strlen(text), &v, &err), 0);
	resp_describe(v, &out);
	assert_string_equal(str_text(&out), described);
	resp_free(v);
}

static void each_kind_of_reply_is_read(void **state)
{
	(void)state;
	expect_described("+PONG\r\n", "PONG");
	expect_described("-NOAUTH Authentication required.\r\n", "NOAUTH Authentication required.");
	expect_described(":-42\r\n", "-42");
	expect_described("$5\r\nhello\r\n", "'hello'");
	expect_described("$0\r\n\r\n", "''");
	expect_described("$-1\r\n", "(nil)");
	expect_described("*-1\r\n", "(nil)");
	expect_described("*0\r\n", "[]");
	expect_described("*3\r\n:1\r\n$1\r\na\r\n*2\r\n:1\r\n:2\r\n", "[1, 'a', [2 elements]]");
}

static void what_is_not_resp_is_told(void **state)
{
	struct resp_value *v = NULL;
	struct err err = {0};

	(void)state;
	assert_int_equal(read_one("HTTP/1.1 400\r\n", 14, &v, &err), -EPROTO);
	assert_non_null(strstr(err.text, "not the protocol of Redis"));
	assert_int_equal(read_one("$abc\r\n", 6, &v, &err), -EPROTO);
	assert_int_equal(read_one(":1x\r\n", 5, &v, &err), -EPROTO);
}

static void half_a_reply_is_waited_for(void **state)
{
	static const char whole[] = "*2\r\n$3\r\nfoo\r\n:7\r\n";

	(void)state;
	for (size_t n = 0; n < sizeof(whole) - 1; n++) {
		struct resp_value *v = NULL;
		struct err err = {0};

		assert_int_equal(read_one(whole, n, &v, &err), -EAGAIN);
		assert_null(v);
	}
}

static void nothing_is_read_without_end(void **state)
{
	HALE_CLEANUP(str_done) struct str deep = {0};
	struct resp_reader *r = resp_new();
	struct resp_value *v = NULL;
	char *much = mem_array(65536, 1);
	struct err err = {0};
	int rc = 0;

	(void)state;
	/* Declared alone, and several arrays together. */
	assert_int_equal(read_one("*16385\r\n", 8, &v, &err), -EMSGSIZE);
	assert_int_equal(read_one("*2\r\n*9000\r\n", 11, &v, &err), -EAGAIN);
	assert_int_equal(read_one("*16383\r\n*2\r\n", 12, &v, &err), -EMSGSIZE);
	for (int i = 0; i < 20; i++)
		str_add(&deep, "*1\r\n");
	assert_int_equal(read_one(deep.data, deep.len, &v, &err), -EPROTO);
	memset(much, 'x', 65536);
	assert_int_equal(resp_feed(r, "$99999999\r\n", 11, &err), 0);
	for (size_t i = 0; i < 20 && rc == 0; i++)
		rc = resp_feed(r, much, 65536, &err);
	assert_int_equal(rc, -EMSGSIZE);
	resp_delete(r);
	free(much);
}

static void replies_come_one_by_one(void **state)
{
	static const char text[] = "+OK\r\n:2\r\n:";
	struct resp_reader *r = resp_new();
	struct resp_value *v = NULL;
	struct err err = {0};

	(void)state;
	assert_int_equal(resp_feed(r, text, sizeof(text) - 1, &err), 0);
	assert_int_equal(resp_next(r, &v, &err), 0);
	assert_int_equal(v->type, RESP_STATUS);
	resp_free(v);
	assert_true(resp_has_more(r));
	assert_int_equal(resp_next(r, &v, &err), 0);
	assert_int_equal(v->integer, 2);
	resp_free(v);
	assert_true(resp_has_more(r));
	assert_int_equal(resp_next(r, &v, &err), -EAGAIN);
	resp_delete(r);
}

static void numbers_are_found_in_texts(void **state)
{
	static const struct {
		const char *reply;
		bool is_number;
		double number;
	} cases[] = {
		{":12\r\n", true, 12},         {"$4\r\n12.5\r\n", true, 12.5},
		{"$3\r\n1e3\r\n", true, 1000}, {"$3\r\nabc\r\n", false, 0},
		{"$3\r\ninf\r\n", false, 0},   {"$3\r\n0x1\r\n", false, 0},
		{"$0\r\n\r\n", false, 0},      {"$-1\r\n", false, 0},
		{"*1\r\n:1\r\n", false, 0},    {"$5\r\n1e999\r\n", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct resp_value *v = NULL;
		struct err err = {0};
		double number = 0;

		assert_int_equal(read_one(cases[i].reply, strlen(cases[i].reply), &v, &err), 0);
		assert_int_equal(resp_number(v, &number), cases[i].is_number);
		assert_true(number == cases[i].number);
		resp_free(v);
	}
}

static void requests_are_arrays(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	(void)state;
	resp_request(&out, (const char *const[]){"GET", "a key", ""}, 3);
	assert_string_equal(str_text(&out), "*3\r\n$3\r\nGET\r\n$5\r\na key\r\n$0\r\n\r\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_reply_is_read),
		cmocka_unit_test(what_is_not_resp_is_told),
		cmocka_unit_test(half_a_reply_is_waited_for),
		cmocka_unit_test(nothing_is_read_without_end),
		cmocka_unit_test(replies_come_one_by_one),
		cmocka_unit_test(numbers_are_found_in_texts),
		cmocka_unit_test(requests_are_arrays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
