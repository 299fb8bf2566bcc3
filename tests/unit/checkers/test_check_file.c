/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "file_look.h"
#include "kind.h"

static char root[64];

static char *path_of(const char *name)
{
	return mem_printf("%s/%s", root, name);
}

static int open_root(void **state)
{
	(void)snprintf(root, sizeof(root), "/tmp/hale-file-XXXXXX");
	assert_non_null(mkdtemp(root));
	return kind_setup(state);
}

static int close_root(void **state)
{
	HALE_CLEANUP(cleanup_free) char *command = mem_printf("rm -rf %s", root);

	assert_int_equal(system(command), 0);
	return kind_teardown(state);
}

static void put(const char *name, const char *text)
{
	HALE_CLEANUP(cleanup_free) char *path = path_of(name);

	assert_int_equal(file_write_atomic(path, text, strlen(text), 0644, NULL), 0);
}

static void folder(const char *name)
{
	HALE_CLEANUP(cleanup_free) char *path = path_of(name);

	assert_int_equal(mkdir(path, 0755), 0);
}

static char *options(const char *name, const char *more)
{
	return mem_printf("{\"path\": \"%s/%s\"%s}", root, name, more);
}

static void expect(const char *name, const char *more, const char *reason, const char *text)
{
	HALE_CLEANUP(cleanup_free) char *json = options(name, more);
	json_t *o = kind_ask(json, 20000);

	if (!str_eq(kind_text(o, "reason"), reason) || !strstr(kind_text(o, "message"), text))
		fail_msg("%s: %s '%s'", json, kind_text(o, "reason"), kind_text(o, "message"));
	json_decref(o);
}

static void a_file_is_what_it_should_be(void **state)
{
	(void)state;
	put("a", "hello\nworld\n");
	expect("a", "", "ok", "12 bytes, written ");
	expect("b", "", "file_missing", "/b is not there");
	expect("a", ", \"contains\": \"world\"", "ok", "");
	expect("a", ", \"contains\": \"/^wor/\"", "ok", "");
	expect("a", ", \"contains\": \"/^orld/\"", "file_mismatch", "Does not hold '/^orld/'");
	expect("a", ", \"contains\": \"world\", \"read\": 5", "file_mismatch", "Does not hold");
	expect("a", ", \"contains\": \"world\", \"read\": 6, \"read_from\": \"end\"", "ok", "");
	expect("a", ", \"lacks\": \"hello\"", "file_mismatch", "Holds 'hello'");
	expect("a", ", \"min_age\": 60000", "file_mismatch", "expected at least 1m");
	expect("a",
	       ", \"sha256\": "
	       "\"8CD07F3A5FF98F2A78CFC366C13FB123EB8D29C1CA37C79DF190425D5B9E424D\"",
	       "file_mismatch", "Has checksum ");
	expect("a", ", \"type\": \"directory\"", "file_mismatch",
	       "Is a file, expected a directory");
	expect("a", ", \"owner\": \"nosuchuser\"", "file_mismatch", "expected nosuchuser");
}

static void growth_is_since_the_check_before(void **state)
{
	HALE_CLEANUP(cleanup_free) char *json = NULL;
	json_t *o;

	(void)state;
	put("a", "hello");
	json = options("a", "");
	o = kind_ask_twice(json);
	assert_true(kind_metric(o, "growth_bytes") == 0);
	json_decref(o);
	o = kind_ask(json, 20000);
	assert_null(json_object_get(json_object_get(o, "metrics"), "growth_bytes"));
	json_decref(o);
}

static void a_name_with_wildcards_is_a_name_first(void **state)
{
	(void)state;
	put("a*", "1");
	put("ab", "22");
	expect("a*", "", "ok", "1 bytes, written");
	expect("a?", ", \"min_files\": 2", "ok", "2 files, 3 bytes");
	expect("[a]b", "", "ok", "1 file, 2 bytes,");
	expect("[", "", "file_missing", "");
}

static void a_pattern_goes_through_folders(void **state)
{
	(void)state;
	folder("x");
	folder("y");
	folder("y/deep");
	put("x/log", "1");
	put("y/log", "1");
	put("y/deep/log", "1");
	put(".hidden", "1");
	expect("*/log", ", \"min_files\": 2, \"max_files\": 2", "ok", "2 files");
	expect("*/*/log", "", "ok", "1 file");
	expect("*", ", \"max_files\": 2", "ok", "2 files");
	expect(".h*", "", "ok", "1 file");
	expect("x/log/*", "", "file_missing", "");
}

static void a_directory_without_files_is_fine_unless_they_are_expected(void **state)
{
	(void)state;
	folder("q");
	expect("q", "", "ok", "No files");
	expect("q", ", \"min_files\": 1", "file_missing", "No file in ");
	expect("q", ", \"max_age\": 60000", "file_missing", "No file in ");
	expect("q", ", \"type\": \"directory\"", "ok", "written");
	expect("q", ", \"expect\": \"absent\"", "ok", "No files");
	put("q/x", "1");
	expect("q", ", \"expect\": \"absent\"", "file_mismatch", "/q/x is there");
}

static void links_lead_to_files_and_not_in_circles(void **state)
{
	HALE_CLEANUP(cleanup_free) char *circle = path_of("q/circle");
	HALE_CLEANUP(cleanup_free) char *link = path_of("q/link");
	HALE_CLEANUP(cleanup_free) char *dead = path_of("q/dead");

	(void)state;
	folder("q");
	put("target", "12345");
	assert_int_equal(symlink(root, circle), 0);
	assert_int_equal(symlink("../target", link), 0);
	assert_int_equal(symlink("../nothing", dead), 0);
	expect("q", ", \"recursive\": true, \"max_files\": 1", "ok", "1 file, 5 bytes,");
	expect("q/dead", "", "file_missing", "");
}

static void folders_beyond_the_depth_are_left_out(void **state)
{
	HALE_CLEANUP(str_done) struct str name = {0};

	(void)state;
	str_add(&name, "d");
	folder("d");
	for (int i = 0; i < FILE_DEPTH_MAX + 4; i++) {
		str_add(&name, "/d");
		folder(str_text(&name));
	}
	str_add(&name, "/file");
	put(str_text(&name), "1");
	expect("d", ", \"recursive\": true", "ok", "No files");
}

static void a_pipe_without_a_writer_does_not_hang(void **state)
{
	HALE_CLEANUP(cleanup_free) char *path = path_of("pipe");

	(void)state;
	assert_int_equal(mkfifo(path, 0644), 0);
	expect("pipe", ", \"type\": \"pipe\", \"contains\": \"x\"", "file_mismatch",
	       "Does not hold");
}

static void looking_ends_when_it_is_cancelled(void **state)
{
	struct file_plan plan = {.path = root};
	struct file_look look = {.plan = &plan};

	(void)state;
	put("a", "1");
	atomic_store(&look.is_cancelled, true);
	file_look(&look);
	assert_int_equal(look.files, 0);
	file_look_done(&look);
}

static void what_cannot_be_read_is_an_error(void **state)
{
	(void)state;
	put("a", "1");
	expect("a/b", "", "file_missing", "");
	expect("a",
	       ", \"sha256\": "
	       "\"6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b\"",
	       "ok", "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_root, close_root)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_what_it_should_be),
		TEST(growth_is_since_the_check_before),
		TEST(a_name_with_wildcards_is_a_name_first),
		TEST(a_pattern_goes_through_folders),
		TEST(a_directory_without_files_is_fine_unless_they_are_expected),
		TEST(links_lead_to_files_and_not_in_circles),
		TEST(folders_beyond_the_depth_are_left_out),
		TEST(a_pipe_without_a_writer_does_not_hang),
		TEST(looking_ends_when_it_is_cancelled),
		TEST(what_cannot_be_read_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
