/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "tws.h"

static void we_say_hello_as_the_broker_has_it(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	(void)state;
	tws_hello(&out);
	assert_int_equal(out.len, 17);
	assert_memory_equal(out.data, "API\0\0\0\0\11v100..176", 17);
}

static void a_message_is_a_length_and_fields(void **state)
{
	static const char *const fields[] = {"71", "2", "7", ""};
	HALE_CLEANUP(str_done) struct str out = {0};

	(void)state;
	tws_encode(&out, fields, 4);
	assert_int_equal(out.len, 12);
	assert_memory_equal(out.data,
			    "\0\0\0\10"
			    "71\0"
			    "2\0"
			    "7\0\0",
			    12);
}

static void what_comes_in_pieces_is_put_together(void **state)
{
	static const char *const first[] = {"176", "20261122 10:00:00 EST"};
	static const char *const second[] = {"4", "2", "-1", "2104", "fine", ""};
	struct tws_reader reader = {0};
	HALE_CLEANUP(str_done) struct str bytes = {0};
	struct tws_message m;
	size_t seen = 0;
	long n;

	(void)state;
	tws_encode(&bytes, first, 2);
	tws_encode(&bytes, second, 6);
	for (size_t i = 0; i < bytes.len; i++) {
		tws_feed(&reader, bytes.data + i, 1);
		if (tws_next(&reader, &m, NULL) == 0)
			continue;
		if (seen++ == 0) {
			assert_int_equal(m.n, 2);
			assert_true(tws_number(&m, 0, 100, 176, &n) && n == 176);
			assert_false(tws_number(&m, 0, 100, 150, &n));
			assert_false(tws_number(&m, 1, 0, 100, &n));
			assert_false(tws_number(&m, 2, 0, 100, &n));
		} else {
			assert_int_equal(m.n, 6);
			assert_string_equal(m.fields[4], "fine");
			assert_string_equal(m.fields[5], "");
			assert_true(tws_number(&m, 2, -1, 1, &n) && n == -1);
		}
	}
	assert_int_equal(seen, 2);
	str_done(&reader.bytes);
}

static int read_one(const void *bytes, size_t len)
{
	struct tws_reader reader = {0};
	struct tws_message m;
	int rc;

	tws_feed(&reader, bytes, len);
	rc = tws_next(&reader, &m, NULL);
	str_done(&reader.bytes);
	return rc;
}

static void what_is_no_message_is_refused(void **state)
{
	(void)state;
	assert_int_equal(read_one("HTTP/1.1 400", 12), -EPROTO);
	assert_int_equal(read_one("\0\0\0\0", 4), -EPROTO);
	assert_int_equal(read_one("\0\1\0\1", 4), -EPROTO);
	assert_int_equal(read_one("\0\0\0\2ab", 6), -EPROTO);
	assert_int_equal(read_one("\0\0\0\2a", 5), 0);
	assert_int_equal(read_one("\0\0\0", 3), 0);
}

static void many_fields_are_passed_over(void **state)
{
	struct tws_reader reader = {0};
	struct tws_message m;
	HALE_CLEANUP(str_done) struct str bytes = {0};
	const char *fields[100];

	(void)state;
	for (size_t i = 0; i < 100; i++)
		fields[i] = "x";
	tws_encode(&bytes, fields, 100);
	tws_feed(&reader, bytes.data, bytes.len);
	assert_int_equal(tws_next(&reader, &m, NULL), 1);
	assert_int_equal(m.n, TWS_FIELDS_MAX);
	assert_int_equal(tws_next(&reader, &m, NULL), 0);
	str_done(&reader.bytes);
}

static void codes_mean_what_the_broker_says(void **state)
{
	(void)state;
	assert_int_equal(tws_meaning(326), TWS_CLIENT_ID_USED);
	assert_int_equal(tws_meaning(1100), TWS_BROKER_LOST);
	assert_int_equal(tws_meaning(1102), TWS_BROKER_BACK);
	assert_int_equal(tws_meaning(2105), TWS_FARM_BROKEN);
	assert_int_equal(tws_meaning(2158), TWS_FARM_OK);
	assert_int_equal(tws_meaning(10167), TWS_NOTICE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(we_say_hello_as_the_broker_has_it),
		cmocka_unit_test(a_message_is_a_length_and_fields),
		cmocka_unit_test(what_comes_in_pieces_is_put_together),
		cmocka_unit_test(what_is_no_message_is_refused),
		cmocka_unit_test(many_fields_are_passed_over),
		cmocka_unit_test(codes_mean_what_the_broker_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
