/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "model/vital.h"

#define GRACE 1000

static void test_a_life(void **state)
{
	static const struct {
		int64_t at;
		enum process_state state;
		bool is_missed;
	} life[] = {
		{1, PROCESS_STARTING, false},     {500, PROCESS_READY, false},
		{5000, PROCESS_READY, false},     {6000, PROCESS_BACKOFF, false},
		{6300, PROCESS_STARTING, false},  {6999, PROCESS_BACKOFF, false},
		{7000, PROCESS_STARTING, true},   {9000, PROCESS_BACKOFF, true},
		{9001, PROCESS_READY, false},     {9002, PROCESS_STOPPING, false},
		{10001, PROCESS_STOPPING, false}, {10002, PROCESS_STOPPING, true},
		{10003, PROCESS_STOPPED, false},  {90000, PROCESS_STOPPED, false},
		{90001, PROCESS_STARTING, false}, {90500, PROCESS_HELD, false},
		{99999, PROCESS_HELD, false},     {100000, PROCESS_BACKOFF, false},
		{101000, PROCESS_BACKOFF, true},
	};
	struct vital v = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(life); i++) {
		vital_note(&v, life[i].state, life[i].at);
		assert_int_equal(vital_is_missed(&v, GRACE, life[i].at), life[i].is_missed);
	}
}

static void test_never_seen_is_not_missed(void **state)
{
	(void)state;
	assert_false(vital_is_missed(&(struct vital){0}, 0, INT64_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_life),
		cmocka_unit_test(test_never_seen_is_not_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
