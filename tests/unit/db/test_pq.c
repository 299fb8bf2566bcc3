/* SPDX-License-Identifier: Apache-2.0 */
/* libpq comes when it is needed, and a machine without it gets words, not a crash. The tests share
 * one process, in this order: what is loaded stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <uv.h>

#include "base/str.h"
#include "db/db.h"
#include "db/pgasync.h"
#include "db/pq.h"

#define CONNINFO "host=/nonexistent dbname=hale"
#define THREADS  8

static void assert_says(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("'%s' does not say '%s'", text, part);
}

static void assert_nothing_loaded(void)
{
	static const struct pq_functions none;

	assert_memory_equal(&pq, &none, sizeof(none));
	assert_null(dlopen("libpq.so.5", RTLD_NOW | RTLD_NOLOAD));
}

static void test_nothing_is_loaded_at_the_start(void **state)
{
	(void)state;
	assert_nothing_loaded();
}

static void test_missing_library_is_named(void **state)
{
	const struct db_target target = {.engine = DB_POSTGRES, .where = CONNINFO};
	struct err err = {0};
	struct db *db = NULL;

	(void)state;
	pq_library = "libhale-has-no-such.so.5";
	assert_int_equal(db_open(&target, &db, &err), -ENOSYS);
	assert_null(db);
	assert_says(err.text, "libhale-has-no-such.so.5 cannot be loaded");
	assert_says(err.text, "install libpq5");
	assert_int_equal(pg_conninfo_check(CONNINFO, &err), -ENOSYS);
	assert_nothing_loaded();
}

static void test_library_that_is_another_is_refused(void **state)
{
	struct err err = {0};

	(void)state;
	pq_library = "libm.so.6";
	assert_int_equal(pq_load(&err), -ENOSYS);
	assert_says(err.text, "symbol: PQ"); /* the first in the table that it has not */
	assert_nothing_loaded();
}

static void keep_result(void *ctx, const struct pg_result *r)
{
	*(struct pg_result *)ctx = *r;
}

static struct pg_result query(void)
{
	struct pg_result result = {.reason = REASON_OK};
	uv_loop_t loop;

	assert_int_equal(uv_loop_init(&loop), 0);
	assert_non_null(pg_query_start(&loop, CONNINFO, "SELECT 1", 5000, keep_result, &result));
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	return result;
}

static void test_query_without_the_library_ends_with_its_name(void **state)
{
	struct pg_result result;

	(void)state;
	pq_library = "libhale-has-no-such.so.5";
	result = query();
	assert_int_equal(result.reason, REASON_CONFIG);
	assert_says(result.error, "install libpq5");
}

static void *load_thread(void *arg)
{
	struct err *err = arg;

	if (pq_load(err) == 0 && pq.PQstatus(NULL) != CONNECTION_BAD)
		err_set(err, -EINVAL, "not libpq");
	return NULL;
}

static void test_library_that_came_later_is_used(void **state)
{
	pthread_t threads[THREADS];
	struct err errs[THREADS] = {0};

	(void)state;
	pq_library = "libpq.so.5";
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, load_thread, &errs[i]), 0);
	for (size_t i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_string_equal(errs[i].text, "");
	}
	assert_int_equal(query().reason, REASON_CONN_REFUSED);
}

static void test_table_is_whole(void **state)
{
	(void)state;
#define CHECK_MEMBER(name) assert_non_null(pq.name);
	PQ_TABLE(CHECK_MEMBER)
#undef CHECK_MEMBER
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_loaded_at_the_start),
		cmocka_unit_test(test_missing_library_is_named),
		cmocka_unit_test(test_library_that_is_another_is_refused),
		cmocka_unit_test(test_query_without_the_library_ends_with_its_name),
		cmocka_unit_test(test_library_that_came_later_is_used),
		cmocka_unit_test(test_table_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
