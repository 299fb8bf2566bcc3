/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "cgroup.h"

static void limits_are_numbers_or_none(void **state)
{
	uint64_t limit = 7;

	(void)state;
	assert_int_equal(cgroup_limit_parse("2147483648\n", &limit), 0);
	assert_int_equal(limit, UINT64_C(2147483648));
	assert_int_equal(cgroup_limit_parse("max\n", &limit), 0);
	assert_true(limit == CGROUP_NO_LIMIT);
	assert_int_equal(cgroup_limit_parse("-1\n", &limit), 0);
	assert_true(limit == CGROUP_NO_LIMIT);
	/* v1's way to say that there is none. */
	assert_int_equal(cgroup_limit_parse("9223372036854771712\n", &limit), 0);
	assert_true(limit == CGROUP_NO_LIMIT);
	limit = 7;
	assert_int_equal(cgroup_limit_parse("", &limit), -EINVAL);
	assert_int_equal(cgroup_limit_parse("12k", &limit), -EINVAL);
	assert_int_equal(cgroup_limit_parse("many", &limit), -EINVAL);
	assert_int_equal(limit, 7);
}

static void a_quota_is_worth_processors(void **state)
{
	double cores = 7;

	(void)state;
	assert_int_equal(cgroup_cpu_max_parse("150000 100000\n", &cores), 0);
	assert_true(cores == 1.5);
	assert_int_equal(cgroup_cpu_max_parse("max 100000\n", &cores), 0);
	assert_true(cores == 0);
	assert_int_equal(cgroup_cfs_parse("50000\n", "100000\n", &cores), 0);
	assert_true(cores == 0.5);
	assert_int_equal(cgroup_cfs_parse("-1\n", "100000\n", &cores), 0);
	assert_true(cores == 0);
	cores = 7;
	assert_int_equal(cgroup_cpu_max_parse("100000", &cores), -EINVAL);
	assert_int_equal(cgroup_cpu_max_parse("100000 0\n", &cores), -EINVAL);
	assert_int_equal(cgroup_cpu_max_parse("", &cores), -EINVAL);
	assert_int_equal(cgroup_cfs_parse("x", "100000", &cores), -EINVAL);
	assert_true(cores == 7);
}

static void what_was_used_is_found(void **state)
{
	struct cgroup_cpu cpu = {.periods = 7};
	uint64_t n = 7;

	(void)state;
	assert_int_equal(cgroup_cpu_stat_parse("usage_usec 100\nuser_usec 60\nnr_periods 20\n"
					       "nr_throttled 5\n",
					       &cpu),
			 0);
	assert_int_equal(cpu.usage_us, 100);
	assert_int_equal(cpu.periods, 20);
	assert_int_equal(cpu.throttled, 5);
	assert_int_equal(cgroup_cpu_stat_parse("user_usec 100\n", &cpu), -EINVAL);
	assert_true(cgroup_stat_find("anon 1\ninactive_file 42", "inactive_file", &n));
	assert_int_equal(n, 42);
	assert_false(cgroup_stat_find("total_inactive_file 42\n", "inactive_file", &n));
	assert_false(cgroup_stat_find("inactive_file \n", "inactive_file", &n));
	assert_false(cgroup_stat_find("", "inactive_file", &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_are_numbers_or_none),
		cmocka_unit_test(a_quota_is_worth_processors),
		cmocka_unit_test(what_was_used_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
