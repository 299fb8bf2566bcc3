/* SPDX-License-Identifier: Apache-2.0 */
#include "store_fixture.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rnd.h"
#include "base/str.h"

/* --- the file --- */

static void a_fresh_store_is_made_with_its_directory(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	assert_string_equal(f->epoch, "");
	assert_int_equal(f->seq, 0);
	expect(f, "PRAGMA journal_mode", "wal;");
}

static void migrations_are_recorded_and_not_repeated(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	(void)put(f, "health", 1, HEALTHY(""));
	expect(f, "SELECT name FROM schema_migrations WHERE version = 1", "001_initial;");
	open_writer(f);
	expect(f, "SELECT count(*) FROM schema_migrations WHERE version = 1", "1;");
	assert_int_equal(count(f, "results"), 1);
}

static void a_newer_store_is_refused_and_not_touched(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	close_writer(f);
	store_close(TAKE_PTR(f->h));
	raw_script(f, "INSERT INTO schema_migrations VALUES (999, 'x', 0)");
	assert_int_equal(store_open(&f->options, STORE_KEEPER, &f->h, &f->err), -EINVAL);
	assert_non_null(strstr(f->err.text, "999"));
	assert_non_null(strstr(f->err.text, "newer hale"));
	assert_int_equal(store_open(&f->options, STORE_READER, &f->h, &f->err), -EINVAL);
	expect(f, "SELECT max(version) FROM schema_migrations", "999;");
}

static void somebody_elses_database_is_refused_and_not_touched(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(dir_make(f->dir, 0700, &f->err), 0);
	open_writer(f); /* makes the directory */
	close_writer(f);
	store_close(TAKE_PTR(f->h));
	remove_files(f);
	raw_script(f, "CREATE TABLE orders (id INTEGER)");
	assert_int_equal(store_open(&f->options, STORE_KEEPER, &f->h, &f->err), -EINVAL);
	assert_non_null(strstr(f->err.text, "something else"));
	expect(f, "SELECT name FROM sqlite_master", "orders;");
	expect(f, "PRAGMA journal_mode", "delete;");
}

static void a_reader_without_a_store_gets_enoent(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(store_open(&f->options, STORE_READER, &f->h, &f->err), -ENOENT);
	open_writer(f);
	close_writer(f);
	store_close(TAKE_PTR(f->h));
	must(f, store_open(&f->options, STORE_READER, &f->h, &f->err));
}

static void a_deleted_file_is_broken(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	assert_false(store_is_broken(f->h));
	remove_files(f);
	assert_true(store_is_broken(f->h));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_fresh_store_is_made_with_its_directory),
		TEST(migrations_are_recorded_and_not_repeated),
		TEST(a_newer_store_is_refused_and_not_touched),
		TEST(somebody_elses_database_is_refused_and_not_touched),
		TEST(a_reader_without_a_store_gets_enoent),
		TEST(a_deleted_file_is_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
