/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "model/process.h"
#include "model/reason.h"
#include "model/status.h"

static void every_status_name_reads_back(void **state)
{
	(void)state;
	for (int i = 0; i < STATUS_MAX; i++) {
		enum status s = STATUS_MAX;

		assert_true(status_from_name(status_name((enum status)i), &s));
		assert_int_equal(s, i);
		assert_non_null(status_colour((enum status)i));
	}
}

static void every_outcome_and_impact_name_reads_back(void **state)
{
	(void)state;
	for (int i = 0; i < OUTCOME_MAX; i++) {
		enum outcome o = OUTCOME_MAX;

		assert_true(outcome_from_name(outcome_name((enum outcome)i), &o));
		assert_int_equal(o, i);
	}
	for (int i = 0; i < IMPACT_MAX; i++) {
		enum impact im = IMPACT_MAX;

		assert_true(impact_from_name(impact_name((enum impact)i), &im));
		assert_int_equal(im, i);
	}
}

static void every_process_state_reads_back(void **state)
{
	(void)state;
	for (int i = 0; i < PROCESS_STATE_MAX; i++) {
		enum process_state s = PROCESS_STATE_MAX;

		assert_true(process_state_from_name(process_state_name((enum process_state)i), &s));
		assert_int_equal(s, i);
	}
}

static void unknown_names_are_refused(void **state)
{
	static const char *const bad[] = {"", "Healthy", "warning", "OK", "healthy "};
	enum status s;
	enum outcome o;
	enum impact i;
	enum process_state p;
	enum reason r;

	(void)state;
	for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
		assert_false(status_from_name(bad[k], &s));
		assert_false(outcome_from_name(bad[k], &o));
		assert_false(impact_from_name(bad[k], &i));
		assert_false(process_state_from_name(bad[k], &p));
		assert_false(reason_from_code(bad[k], &r));
	}
	assert_false(status_from_name(NULL, &s));
	assert_false(outcome_from_name(NULL, &o));
	assert_false(impact_from_name(NULL, &i));
	assert_false(process_state_from_name(NULL, &p));
	assert_false(reason_from_code(NULL, &r));
}

static void statuses_are_ordered_by_severity(void **state)
{
	(void)state;
	assert_true(STATUS_HEALTHY < STATUS_UNKNOWN && STATUS_UNKNOWN < STATUS_DEGRADED);
	assert_true(STATUS_DEGRADED < STATUS_CRITICAL && STATUS_CRITICAL < STATUS_DOWN);
}

static void exit_codes_are_those_of_nagios(void **state)
{
	(void)state;
	assert_int_equal(status_exit_code(STATUS_HEALTHY), 0);
	assert_int_equal(status_exit_code(STATUS_DEGRADED), 1);
	assert_int_equal(status_exit_code(STATUS_CRITICAL), 2);
	assert_int_equal(status_exit_code(STATUS_DOWN), 2);
	assert_int_equal(status_exit_code(STATUS_UNKNOWN), 3);
}

static void every_reason_code_is_unique_and_fits_the_wire(void **state)
{
	(void)state;
	for (int i = 0; i < REASON_MAX; i++) {
		const char *code = reason_code((enum reason)i);
		enum reason r = REASON_MAX;

		assert_true(reason_from_code(code, &r));
		assert_int_equal(r, i);
		assert_in_range(strlen(code), 1, 47);
		assert_int_equal(strspn(code, "abcdefghijklmnopqrstuvwxyz0123456789_"),
				 strlen(code));
		assert_true(reason_text((enum reason)i)[0] != '\0');
		assert_in_range(reason_outcome((enum reason)i), 0, OUTCOME_MAX - 1);
	}
}

static void a_process_stands_as_its_state_says(void **state)
{
	(void)state;
	assert_int_equal(process_state_status(PROCESS_READY), STATUS_HEALTHY);
	assert_int_equal(process_state_status(PROCESS_STARTING), STATUS_DEGRADED);
	assert_int_equal(process_state_status(PROCESS_STOPPING), STATUS_DEGRADED);
	assert_int_equal(process_state_status(PROCESS_BACKOFF), STATUS_DOWN);
	assert_int_equal(process_state_status(PROCESS_HELD), STATUS_DOWN);
	assert_int_equal(process_state_status(PROCESS_STOPPED), STATUS_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_status_name_reads_back),
		cmocka_unit_test(every_outcome_and_impact_name_reads_back),
		cmocka_unit_test(every_process_state_reads_back),
		cmocka_unit_test(unknown_names_are_refused),
		cmocka_unit_test(statuses_are_ordered_by_severity),
		cmocka_unit_test(exit_codes_are_those_of_nagios),
		cmocka_unit_test(every_reason_code_is_unique_and_fits_the_wire),
		cmocka_unit_test(a_process_stands_as_its_state_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
