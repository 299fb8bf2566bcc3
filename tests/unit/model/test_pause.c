/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/pause.h"

#define T0 1700000000000

static void one_without_an_end_is_reminded_of_each_hour(void **state)
{
	struct pause p = {0};

	(void)state;
	assert_int_equal(pause_tick(&p, T0), PAUSE_NOTHING);
	pause_begin(&p, 0, "moving the rack", T0);
	assert_int_equal(pause_tick(&p, T0 + PAUSE_REMIND_MS - 1), PAUSE_NOTHING);
	assert_int_equal(pause_tick(&p, T0 + PAUSE_REMIND_MS), PAUSE_REMIND);
	assert_int_equal(pause_tick(&p, T0 + PAUSE_REMIND_MS + 1000), PAUSE_NOTHING);
	assert_int_equal(pause_tick(&p, T0 + 2 * PAUSE_REMIND_MS), PAUSE_REMIND);
	pause_end(&p);
	assert_int_equal(pause_tick(&p, T0 + 9 * PAUSE_REMIND_MS), PAUSE_NOTHING);
}

static void one_with_an_end_ends(void **state)
{
	struct pause p = {0};

	(void)state;
	pause_begin(&p, 5000, NULL, T0);
	assert_int_equal(pause_tick(&p, T0 + 4999), PAUSE_NOTHING);
	assert_int_equal(pause_tick(&p, T0 + 5000), PAUSE_OVER);
}

static void asked_for_again_it_keeps_its_beginning(void **state)
{
	struct pause p = {0};

	(void)state;
	pause_begin(&p, 5000, "a", T0);
	pause_begin(&p, 0, "b", T0 + 1000);
	assert_int_equal(p.since_ms, T0);
	assert_int_equal(p.until_ms, 0);
	assert_string_equal(p.reason, "b");
}

static void a_clock_set_back_reminds_an_hour_later(void **state)
{
	struct pause p = {0};
	int64_t early = T0 - 9 * PAUSE_REMIND_MS;

	(void)state;
	pause_begin(&p, 0, NULL, T0);
	assert_int_equal(pause_tick(&p, early), PAUSE_NOTHING);
	assert_int_equal(pause_tick(&p, early + PAUSE_REMIND_MS), PAUSE_REMIND);
}

static void it_survives_being_written_down(void **state)
{
	struct pause p = {0}, read = {0};
	json_t *saved;

	(void)state;
	pause_begin(&p, 5000, "a\nb", T0);
	saved = pause_encode(&p);
	assert_int_equal(pause_decode(&read, saved), 0);
	assert_true(read.is_active);
	assert_int_equal(read.since_ms, T0);
	assert_int_equal(read.until_ms, T0 + 5000);
	assert_string_equal(read.reason, "a b");
	json_object_set_new(saved, "until", json_string("tomorrow"));
	assert_true(pause_decode(&read, saved) < 0);
	json_decref(saved);
	pause_end(&p);
	saved = pause_encode(&p);
	assert_true(json_is_true(json_object_get(saved, "active")));
	assert_true(pause_decode(&read, saved) < 0);
	assert_true(pause_decode(&read, NULL) < 0);
	json_decref(saved);
	assert_int_equal(read.since_ms, T0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_without_an_end_is_reminded_of_each_hour),
		cmocka_unit_test(one_with_an_end_ends),
		cmocka_unit_test(asked_for_again_it_keeps_its_beginning),
		cmocka_unit_test(a_clock_set_back_reminds_an_hour_later),
		cmocka_unit_test(it_survives_being_written_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
