/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "deploy/state_file.h"

static char dir[] = "/tmp/hale-state-XXXXXX";

static int open_dir(void **state)
{
	(void)state;
	memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
	assert_non_null(mkdtemp(dir));
	return 0;
}

static int remove_dir(void **state)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(dir, STATE_FILE_NAME);

	(void)state;
	(void)unlink(path);
	return rmdir(dir);
}

static void put(const char *text)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(dir, STATE_FILE_NAME);

	assert_int_equal(file_write_atomic(path, text, strlen(text), 0600, NULL), 0);
}

static void no_file_is_the_first_start(void **state)
{
	struct state_file f = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(state_file_read(dir, &f, &err), 0);
	assert_string_equal(f.epoch, "");
	assert_null(f.health);
	assert_null(f.processes);
}

static void what_is_written_is_read(void **state)
{
	HALE_CLEANUP(str_done) struct str health = {0};
	struct state_file f = {0};
	struct err err = {0};

	(void)state;
	str_add(&health, "{\"components\":{}}");
	assert_int_equal(state_file_write(dir, "e1", UINT64_C(1) << 40, &health,
					  json_pack("{s:{s:i}}", "web", "restarts", 3), &err),
			 0);
	assert_int_equal(state_file_read(dir, &f, &err), 0);
	assert_string_equal(f.epoch, "e1");
	assert_int_equal(f.head, UINT64_C(1) << 40);
	assert_true(json_is_object(json_object_get(f.health, "components")));
	assert_int_equal(json_integer_value(
				 json_object_get(json_object_get(f.processes, "web"), "restarts")),
			 3);
	state_file_done(&f);
	assert_null(f.health);
}

/* As the hale before this one wrote it. */
static void a_file_without_processes_is_read(void **state)
{
	struct state_file f = {0};
	struct err err = {0};

	(void)state;
	put("{\"version\":1,\"epoch\":\"e\",\"head\":7,\"health\":{\"components\":{}}}");
	assert_int_equal(state_file_read(dir, &f, &err), 0);
	assert_string_equal(f.epoch, "e");
	assert_int_equal(f.head, 7);
	assert_non_null(f.health);
	assert_null(f.processes);
	state_file_done(&f);
}

static void what_is_not_understood_is_said_and_leaves_nothing(void **state)
{
	static const char *const texts[] = {"",
					    "{",
					    "[]",
					    "{\"version\":2,\"health\":{}}",
					    "{\"health\":{}}",
					    "{\"version\":1,\"version\":1}"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct state_file f = {0};
		struct err err = {0};

		put(texts[i]);
		assert_int_equal(state_file_read(dir, &f, &err), -EBADMSG);
		assert_non_null(strstr(err.text, STATE_FILE_NAME));
		assert_null(f.health);
		assert_string_equal(f.epoch, "");
	}
}

static void a_directory_that_is_gone_is_an_error(void **state)
{
	HALE_CLEANUP(str_done) struct str health = {0};
	struct err err = {0};

	(void)state;
	str_add(&health, "{}");
	assert_int_equal(state_file_write("/nonexistent", "e", 1, &health, json_object(), &err),
			 -ENOENT);
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, open_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIR(no_file_is_the_first_start),
		IN_DIR(what_is_written_is_read),
		IN_DIR(a_file_without_processes_is_read),
		IN_DIR(what_is_not_understood_is_said_and_leaves_nothing),
		IN_DIR(a_directory_that_is_gone_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
