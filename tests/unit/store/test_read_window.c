/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "store/read_key.h"
#include "store/read_window.h"

static void windows_grow_until_they_hold_a_page(void **state)
{
	(void)state;
	assert_int_equal(read_window_next(10000, 0, 1000, 10000, false), 40000);
	assert_int_equal(read_window_next(10000, 249, 1000, 10000, false), 40000);
	assert_int_equal(read_window_next(10000, 250, 1000, 10000, false), 20000);
	assert_int_equal(read_window_next(10000, 500, 1000, 10000, false), 10000);
	assert_int_equal(read_window_next(10000, 999, 1000, 10000, false), 10000);
}

/* What a full page left over in its window is read again: the next one is no longer than it. */
static void a_full_page_makes_them_shorter(void **state)
{
	(void)state;
	assert_int_equal(read_window_next(40000, 1000, 1000, 300, false), 300);
	assert_int_equal(read_window_next(40000, 1000, 1000, 0, false), 1);
	assert_int_equal(read_window_next(40000, 1000, 1000, 90000, false), 40000);
}

static void they_have_a_bound(void **state)
{
	int64_t window = READ_WINDOW_FIRST_MS, filtered = READ_WINDOW_FIRST_MS;

	(void)state;
	for (int i = 0; i < 100; i++) {
		window = read_window_next(window, 0, 1000, window, false);
		filtered = read_window_next(filtered, 0, 1000, filtered, true);
	}
	assert_int_equal(window, READ_WINDOW_MAX_MS);
	assert_int_equal(filtered, READ_WINDOW_FILTERED_MAX_MS);
}

static void keys_come_back_from_their_text(void **state)
{
	const struct read_key key = {.at = 1800000000000, .a = 7, .b = INT64_MAX};
	struct read_key text_key = {.at = 5}, back = {0};
	char buf[READ_KEY_MAX];
	struct err err;

	(void)state;
	assert_string_equal(read_key_format(&key, 'r', false, buf),
			    "r1800000000000-7-9223372036854775807");
	assert_int_equal(read_key_parse(buf, 'r', false, &back, &err), 0);
	assert_memory_equal(&key, &back, sizeof(key));
	strcpy(text_key.id, "3f2a-11-x");
	assert_string_equal(read_key_format(&text_key, 'A', true, buf), "A5-3f2a-11-x");
	assert_int_equal(read_key_parse(buf, 'A', true, &back, &err), 0);
	assert_int_equal(back.at, 5);
	assert_string_equal(back.id, "3f2a-11-x");
	assert_int_not_equal(read_key_parse(buf, 'a', true, &back, &err), 0);
	assert_int_not_equal(read_key_parse("A5-", 'A', true, &back, &err), 0);
	assert_int_not_equal(read_key_parse("A-x", 'A', true, &back, &err), 0);
}

static void an_endless_cursor_is_refused(void **state)
{
	char text[2 * READ_ID_MAX] = "a5-", text_id[READ_ID_MAX];
	struct read_key key;
	struct err err;

	(void)state;
	memset(text + 3, 'x', sizeof(text) - 4);
	assert_int_not_equal(read_key_parse(text, 'a', true, &key, &err), 0);
	assert_true(strlen(err.text) < 200);
	text[3 + sizeof(text_id) - 1] = '\0';
	assert_int_equal(read_key_parse(text, 'a', true, &key, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_grow_until_they_hold_a_page),
		cmocka_unit_test(a_full_page_makes_them_shorter),
		cmocka_unit_test(they_have_a_bound),
		cmocka_unit_test(keys_come_back_from_their_text),
		cmocka_unit_test(an_endless_cursor_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
