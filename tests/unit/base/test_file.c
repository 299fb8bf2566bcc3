/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static char dir[] = "/tmp/hale-test-XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int remove_dir(void **state)
{
	char cmd[128];

	(void)state;
	(void)snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd);
}

static void what_is_written_is_read(void **state)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(dir, "state");
	HALE_CLEANUP(str_done) struct str got = {0};
	struct err err = {0};
	struct stat st;

	(void)state;
	assert_int_equal(file_write_atomic(path, "a\0b", 3, 0600, &err), 0);
	assert_int_equal(file_read(path, 100, &got, &err), 0);
	assert_int_equal(got.len, 3);
	assert_memory_equal(got.data, "a\0b", 3);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_rewrite_replaces_and_leaves_no_other_file(void **state)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(dir, "twice");
	HALE_CLEANUP(cleanup_free) char *tmp = path_join(dir, "twice.new");
	HALE_CLEANUP(str_done) struct str got = {0};

	(void)state;
	assert_int_equal(file_write_atomic(path, "the longer old text", 19, 0644, NULL), 0);
	assert_int_equal(file_write_atomic(path, "new", 3, 0644, NULL), 0);
	assert_int_equal(file_read(path, 100, &got, NULL), 0);
	assert_string_equal(got.data, "new");
	assert_int_equal(access(tmp, F_OK), -1);
}

static void a_failed_rewrite_keeps_the_old_file(void **state)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(dir, "kept");
	HALE_CLEANUP(cleanup_free) char *tmp = path_join(dir, "kept.new");
	HALE_CLEANUP(str_done) struct str got = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(file_write_atomic(path, "old", 3, 0644, NULL), 0);
	assert_int_equal(mkdir(tmp, 0755), 0);
	assert_int_equal(file_write_atomic(path, "new", 3, 0644, &err), -EEXIST);
	assert_non_null(strstr(err.text, "kept.new"));
	assert_int_equal(file_read(path, 100, &got, NULL), 0);
	assert_string_equal(got.data, "old");
}

static void a_file_over_the_bound_is_refused(void **state)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(dir, "large");
	HALE_CLEANUP(str_done) struct str got = {0};
	HALE_CLEANUP(str_done) struct str exact = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(file_write_atomic(path, "12345", 5, 0644, NULL), 0);
	assert_int_equal(file_read(path, 4, &got, &err), -EFBIG);
	assert_non_null(strstr(err.text, "larger than 4 bytes"));
	assert_int_equal(file_read(path, 5, &exact, &err), 0);
}

static void a_missing_file_is_named(void **state)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(dir, "nowhere");
	HALE_CLEANUP(str_done) struct str got = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(file_read(path, 100, &got, &err), -ENOENT);
	assert_non_null(strstr(err.text, path));
}

static void directories_are_made_with_their_parents(void **state)
{
	HALE_CLEANUP(cleanup_free) char *deep = path_join(dir, "a/b/c");
	HALE_CLEANUP(cleanup_free) char *blocked = path_join(dir, "file/d");
	HALE_CLEANUP(cleanup_free) char *file = path_join(dir, "file");
	struct err err = {0};
	struct stat st;

	(void)state;
	assert_int_equal(dir_make(deep, 0700, &err), 0);
	assert_int_equal(stat(deep, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(dir_make(deep, 0700, &err), 0);
	assert_int_equal(file_write_atomic(file, "", 0, 0644, NULL), 0);
	assert_int_equal(dir_make(file, 0700, &err), -ENOTDIR);
	assert_int_equal(dir_make(blocked, 0700, &err), -ENOTDIR);
}

static void paths_join_with_one_slash(void **state)
{
	static const char *const rows[][3] = {
		{"/a", "b", "/a/b"},
		{"/a/", "b", "/a/b"},
		{"/a", "/b", "/b"},
		{".", "b", "./b"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		HALE_CLEANUP(cleanup_free) char *path = path_join(rows[i][0], rows[i][1]);

		assert_string_equal(path, rows[i][2]);
	}
}

static void this_program_knows_where_it_is(void **state)
{
	HALE_CLEANUP(cleanup_free) char *where = path_exe_dir();
	HALE_CLEANUP(cleanup_free) char *self = NULL;

	(void)state;
	assert_non_null(where);
	self = path_join(where, "test_base_file");
	assert_int_equal(access(self, X_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(a_rewrite_replaces_and_leaves_no_other_file),
		cmocka_unit_test(a_failed_rewrite_keeps_the_old_file),
		cmocka_unit_test(a_file_over_the_bound_is_refused),
		cmocka_unit_test(a_missing_file_is_named),
		cmocka_unit_test(directories_are_made_with_their_parents),
		cmocka_unit_test(paths_join_with_one_slash),
		cmocka_unit_test(this_program_knows_where_it_is),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
