/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/str.h"
#include "service/child_proto.h"
#include "service/slice.h"

static void expect_refused(const char *text, const char *why)
{
	struct err err = {0};
	json_t *slice = NULL;

	assert_int_equal(slice_parse(text, strlen(text), &slice, &err), -EINVAL);
	assert_null(slice);
	if (strstr(err.text, why) == NULL)
		fail_msg("%s: no '%s' in: %s", text, why, err.text);
}

static void what_is_no_slice_is_refused(void **state)
{
	(void)state;
	expect_refused("", "line 1");
	expect_refused("[1]", "not a JSON object");
	expect_refused("{\"a\": 1, \"a\": 2}", "duplicate");
	expect_refused("{\"a\": 1} x", "end of file expected");
	expect_refused("{\n\"a\": nope}", "line 2");
}

/* Places `text` at the slice's fd as haled does; the memfd's offset is at its end. */
static int place_slice(const char *text)
{
	int fd = memfd_create("slice", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	if (fd != CHILD_SLICE_FD) {
		assert_int_equal(dup2(fd, CHILD_SLICE_FD), CHILD_SLICE_FD);
		close(fd);
	}
	return CHILD_SLICE_FD;
}

static void it_is_read_from_the_start_of_its_fd_which_is_then_closed(void **state)
{
	struct err err = {0};
	json_t *slice = NULL;

	(void)state;
	place_slice("{\"service\": \"x\"}");
	if (slice_read(NULL, -1, &slice, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(json_string_value(json_object_get(slice, "service")), "x");
	json_decref(slice);
	slice = NULL;
	assert_int_equal(slice_read(NULL, -1, &slice, &err), -ENOENT);
	assert_non_null(strstr(err.text, "--slice"));
}

static void a_file_comes_before_the_fd(void **state)
{
	char path[] = "/tmp/hale-slice-XXXXXX";
	int fd = mkstemp(path);
	json_t *slice = NULL;

	(void)state;
	assert_int_equal(write(fd, "{\"a\": 1}", 8), 8);
	close(fd);
	place_slice("{\"b\": 1}");
	assert_int_equal(slice_read(path, -1, &slice, NULL), 0);
	assert_non_null(json_object_get(slice, "a"));
	json_decref(slice);
	unlink(path);
	close(CHILD_SLICE_FD);
}

static void a_pipe_will_do_as_a_fallback(void **state)
{
	json_t *slice = NULL;
	int fds[2];

	(void)state;
	close(CHILD_SLICE_FD);
	assert_int_equal(open("/dev/null", O_RDONLY),
			 CHILD_SLICE_FD); /* keep the pipe off that number */
	assert_int_equal(pipe(fds), 0);
	close(CHILD_SLICE_FD);
	assert_int_equal(write(fds[1], "{}", 2), 2);
	close(fds[1]);
	assert_int_equal(slice_read(NULL, fds[0], &slice, NULL), 0);
	assert_true(json_is_object(slice));
	json_decref(slice);
	close(fds[0]);
}

/* ---- Sections ---- */

struct limits {
	int64_t rate;
	int64_t burst;
};

struct fake {
	char *title;
	struct limits limits;
	int64_t last;
};

struct channel {
	char *name;
	char *url;
};

static const struct conf_item limits_items[] = {
	CONF_INT(struct limits, rate, .flags = CONF_F_REQUIRED),
	CONF_INT(struct limits, burst),
	CONF_END,
};

static const struct conf_item fake_items[] = {
	CONF_STR(struct fake, title),
	CONF_MAP(struct fake, limits, limits_items),
	CONF_INT(struct fake, last),
	CONF_END,
};

static const struct conf_item channel_items[] = {
	CONF_STR(struct channel, url, .flags = CONF_F_REQUIRED),
	CONF_END,
};

static const struct conf_section sections[] = {
	{"fake", fake_items, CONF_T_MAP, NULL},
	{"channels", channel_items, CONF_T_DICT, NULL},
	{0},
};

static void collect(void *ctx, const char *path, const char *message)
{
	str_addf(ctx, "%s: %s\n", path, message);
}

static void check(const char *text, struct str *told)
{
	json_t *slice = json_loads(text, 0, NULL);

	assert_non_null(slice);
	slice_check_sections(slice, sections, collect, told);
	json_decref(slice);
}

static void good_and_absent_sections_are_no_problem(void **state)
{
	HALE_CLEANUP(str_done) struct str told = {0};

	(void)state;
	check("{}", &told);
	check("{\"fake\": {\"title\": \"t\", \"limits\": {\"rate\": 1, \"burst\": 2}, \"last\": "
	      "3}, "
	      "\"channels\": {\"ops\": {\"url\": \"u\"}}, \"other\": 5}",
	      &told);
	assert_string_equal(str_text(&told), "");
}

static void a_problem_names_its_section(void **state)
{
	HALE_CLEANUP(str_done) struct str told = {0};

	(void)state;
	check("{\"fake\": {\"limits\": {\"burst\": 2}}}", &told);
	assert_true(str_starts(str_text(&told), "/fake: "));
	assert_non_null(strstr(str_text(&told), "rate"));
}

static void a_problem_in_a_dictionary_names_its_entry(void **state)
{
	HALE_CLEANUP(str_done) struct str told = {0};

	(void)state;
	check("{\"channels\": {\"good\": {\"url\": \"u\"}, \"a/b~c\": {\"ulr\": \"u\"}}}", &told);
	assert_true(str_starts(str_text(&told), "/channels/a~1b~0c: "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_slice_is_refused),
		cmocka_unit_test(it_is_read_from_the_start_of_its_fd_which_is_then_closed),
		cmocka_unit_test(a_file_comes_before_the_fd),
		cmocka_unit_test(a_pipe_will_do_as_a_fallback),
		cmocka_unit_test(good_and_absent_sections_are_no_problem),
		cmocka_unit_test(a_problem_names_its_section),
		cmocka_unit_test(a_problem_in_a_dictionary_names_its_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
