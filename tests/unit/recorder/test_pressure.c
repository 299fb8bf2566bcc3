/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pressure.h"

static void expect(struct pressure_view v, bool is_slow, bool spills, bool pauses)
{
	struct pressure p = pressure_of(&v);

	assert_int_equal(p.is_slow, is_slow);
	assert_int_equal(p.spills, spills);
	assert_int_equal(p.pauses, pauses);
}

#define VIEW(...)                                                                                  \
	(struct pressure_view)                                                                     \
	{                                                                                          \
		.has_spool = true, __VA_ARGS__                                                     \
	}

static void while_all_is_well_nothing_goes_to_disk(void **state)
{
	(void)state;
	expect(VIEW(.memory_bytes = 0), false, false, false);
	expect(VIEW(.memory_bytes = PRESSURE_PAUSE_BYTES - 1, .call_ms = PRESSURE_SLOW_MS - 1),
	       false, false, false);
}

static void a_burst_pauses_the_feed_until_there_is_room(void **state)
{
	(void)state;
	expect(VIEW(.memory_bytes = PRESSURE_PAUSE_BYTES), false, false, true);
	expect(VIEW(.memory_bytes = PRESSURE_GO_BYTES, .is_paused = true, .paused_ms = 100), false,
	       false, true);
	expect(VIEW(.memory_bytes = PRESSURE_GO_BYTES - 1, .is_paused = true), false, false, false);
}

static void a_pause_does_not_last_longer_than_the_ring(void **state)
{
	(void)state;
	expect(VIEW(.memory_bytes = PRESSURE_PAUSE_BYTES, .is_paused = true,
		    .paused_ms = PRESSURE_PAUSE_MS),
	       true, true, false);
}

static void a_store_that_fails_or_does_not_answer_sends_all_to_disk(void **state)
{
	(void)state;
	expect(VIEW(.memory_bytes = 1, .has_error = true), false, true, false);
	expect(VIEW(.memory_bytes = 1, .call_ms = PRESSURE_SLOW_MS), true, true, false);
	expect(VIEW(.memory_bytes = PRESSURE_PAUSE_BYTES - 1, .has_error = true), false, true,
	       false);
	expect(VIEW(.memory_bytes = 0, .has_error = true), false, false, false);
}

static void behind_lines_on_disk_memory_stays_small(void **state)
{
	(void)state;
	expect(VIEW(.memory_bytes = PRESSURE_SPILL_BYTES - 1, .is_spooling = true), false, false,
	       false);
	expect(VIEW(.memory_bytes = PRESSURE_SPILL_BYTES, .is_spooling = true), false, true, false);
}

/* A replay brings lines faster than any disk takes them. */
static void what_the_disk_will_have_taken_in_a_moment_waits_in_the_ring(void **state)
{
	(void)state;
	expect(VIEW(.memory_bytes = PRESSURE_PAUSE_BYTES, .is_spooling = true), false, true, true);
	expect(VIEW(.memory_bytes = PRESSURE_PAUSE_BYTES, .has_error = true), false, true, true);
	expect(VIEW(.memory_bytes = PRESSURE_GO_BYTES, .has_error = true, .is_spooling = true,
		    .is_paused = true, .paused_ms = PRESSURE_PAUSE_MS),
	       false, true, true);
	expect(VIEW(.memory_bytes = PRESSURE_GO_BYTES - 1, .has_error = true, .is_paused = true),
	       false, true, false);
}

static void without_a_disk_the_ring_is_the_last_place(void **state)
{
	struct pressure_view v = {.memory_bytes = PRESSURE_PAUSE_BYTES,
				  .is_paused = true,
				  .paused_ms = PRESSURE_PAUSE_MS};

	(void)state;
	assert_true(pressure_of(&v).pauses);
	v.has_error = true;
	assert_false(pressure_of(&v).pauses);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(while_all_is_well_nothing_goes_to_disk),
		cmocka_unit_test(a_burst_pauses_the_feed_until_there_is_room),
		cmocka_unit_test(a_pause_does_not_last_longer_than_the_ring),
		cmocka_unit_test(a_store_that_fails_or_does_not_answer_sends_all_to_disk),
		cmocka_unit_test(behind_lines_on_disk_memory_stays_small),
		cmocka_unit_test(what_the_disk_will_have_taken_in_a_moment_waits_in_the_ring),
		cmocka_unit_test(without_a_disk_the_ring_is_the_last_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
