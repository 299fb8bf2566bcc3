/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"

#define KEYS  200
#define STEPS 200000

static void an_empty_map_has_nothing(void **state)
{
	struct map m = {0};
	size_t cursor = 0;

	(void)state;
	assert_null(map_get(&m, "a"));
	assert_null(map_take(&m, "a"));
	assert_false(map_each(&m, &cursor, NULL, NULL));
	map_done(&m);
}

static void putting_again_returns_the_old_value(void **state)
{
	struct map m = {0};
	int one = 1, two = 2;

	(void)state;
	assert_null(map_put(&m, "a", &one));
	assert_ptr_equal(map_put(&m, "a", &two), &one);
	assert_ptr_equal(map_get(&m, "a"), &two);
	assert_int_equal(m.n, 1);
	map_done(&m);
}

static void the_map_keeps_its_own_keys(void **state)
{
	struct map m = {0};
	char key[] = "before";
	int one = 1;

	(void)state;
	(void)map_put(&m, key, &one);
	memcpy(key, "after!", sizeof(key));
	assert_ptr_equal(map_get(&m, "before"), &one);
	assert_null(map_get(&m, "after!"));
	map_done(&m);
}

static void check_iteration(const struct map *m, void *const *model)
{
	size_t cursor = 0, seen = 0;
	const char *key;
	void *value;

	while (map_each(m, &cursor, &key, &value)) {
		assert_ptr_equal(model[atoi(key + 1)], value);
		seen++;
	}
	assert_int_equal(seen, m->n);
}

static void it_does_what_an_array_would(void **state)
{
	static void *model[KEYS];
	static char values[KEYS];
	struct map m = {0};
	size_t n = 0;

	(void)state;
	srandom(6);
	for (int i = 0; i < STEPS; i++) {
		size_t k = (size_t)random() % KEYS;
		void *value = &values[(size_t)random() % KEYS];
		char key[16];

		(void)snprintf(key, sizeof(key), "k%zu", k);
		assert_ptr_equal(map_get(&m, key), model[k]);
		if (random() % 2) {
			n += model[k] == NULL;
			assert_ptr_equal(map_put(&m, key, value), model[k]);
			model[k] = value;
		} else {
			n -= model[k] != NULL;
			assert_ptr_equal(map_take(&m, key), model[k]);
			model[k] = NULL;
		}
		assert_int_equal(m.n, n);
		if (i % 1000 == 0)
			check_iteration(&m, model);
	}
	/* Removed slots are reclaimed: the table must not have grown with the number of steps. */
	assert_true(m.cap <= 1024);
	map_done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_map_has_nothing),
		cmocka_unit_test(putting_again_returns_the_old_value),
		cmocka_unit_test(the_map_keeps_its_own_keys),
		cmocka_unit_test(it_does_what_an_array_would),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
