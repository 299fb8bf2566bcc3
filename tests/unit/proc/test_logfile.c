/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "proc/logfile.h"

/* 2026-11-22T01:30:37.123Z */
#define NOW 1795311037123

struct fixture {
	char dir[32];
	char *path;
};

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/hale-logfile-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->path = path_join(f->dir, "x.log");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	HALE_CLEANUP(cleanup_free) char *command = mem_printf("rm -rf %s", f->dir);
	int rc = system(command);

	free(f->path);
	free(f);
	return rc;
}

static struct logfile *open_small(const struct fixture *f, uint64_t max_bytes, uint32_t files)
{
	return logfile_new(
		&(struct logfile_spec){.path = f->path, .max_bytes = max_bytes, .files = files});
}

static int line(struct logfile *l, const char *text)
{
	return logfile_line(l, NOW, text, strlen(text));
}

/* NULL if there is no such file. `n` 0: the one being written. */
static char *content(const struct fixture *f, unsigned n)
{
	HALE_CLEANUP(cleanup_free)
	char *path = n == 0 ? mem_dup(f->path) : mem_printf("%s.%u", f->path, n);
	struct str text = {0};

	if (file_read(path, 1u << 20, &text, NULL) < 0) {
		str_done(&text);
		return NULL;
	}
	return text.data == NULL ? mem_dup("") : str_take(&text);
}

static void assert_content(const struct fixture *f, unsigned n, const char *wanted)
{
	HALE_CLEANUP(cleanup_free) char *text = content(f, n);

	if (wanted == NULL) {
		assert_null(text);
		return;
	}
	assert_non_null(text);
	assert_string_equal(text, wanted);
}

static void a_program_that_says_nothing_leaves_no_file(void **state)
{
	struct fixture *f = *state;
	struct logfile *l = open_small(f, 100, 2);

	logfile_free(l);
	assert_int_equal(access(f->path, F_OK), -1);
}

static void lines_are_written_as_they_are(void **state)
{
	struct fixture *f = *state;
	struct logfile *l = open_small(f, 100, 2);

	assert_int_equal(line(l, "one"), 0);
	assert_int_equal(line(l, ""), 0);
	assert_int_equal(line(l, "three %s"), 0);
	logfile_free(l);
	assert_content(f, 0, "one\n\nthree %s\n");
}

static void the_time_stands_in_front_if_asked(void **state)
{
	struct fixture *f = *state;
	struct logfile *l = logfile_new(
		&(struct logfile_spec){.path = f->path, .max_bytes = 100, .has_time = true});

	assert_int_equal(line(l, "hello"), 0);
	logfile_free(l);
	assert_content(f, 0, "2026-11-22T01:30:37.123Z hello\n");
}

static void what_is_there_already_is_kept(void **state)
{
	struct fixture *f = *state;
	struct logfile *l = open_small(f, 8, 1);

	assert_int_equal(line(l, "abc"), 0);
	logfile_free(l);
	l = open_small(f, 8, 1);
	assert_int_equal(line(l, "def"), 0);
	assert_int_equal(line(l, "ghi"), 0);
	logfile_free(l);
	assert_content(f, 1, "abc\ndef\n");
	assert_content(f, 0, "ghi\n");
}

static void no_file_is_larger_than_told_and_the_oldest_goes(void **state)
{
	struct fixture *f = *state;
	struct logfile *l = open_small(f, 8, 2);

	for (int i = 0; i < 8; i++) {
		char text[4];

		(void)snprintf(text, sizeof(text), "%03d", i);
		assert_int_equal(line(l, text), 0);
	}
	logfile_free(l);
	assert_content(f, 0, "006\n007\n");
	assert_content(f, 1, "004\n005\n");
	assert_content(f, 2, "002\n003\n");
	assert_content(f, 3, NULL);
}

/* Against a naive model: the files hold exactly the last lines, in order, each file as full as it
 * can be. */
static void rotation_is_exact(void **state)
{
	struct fixture *f = *state;
	unsigned seed = 7;
	struct logfile *l = open_small(f, 1000, 3);
	char *model[4] = {mem_dup(""), mem_dup(""), mem_dup(""), mem_dup("")};
	char text[300];

	for (int i = 0; i < 2000; i++) {
		size_t len = (size_t)rand_r(&seed) % (sizeof(text) - 1);
		char *longer;

		memset(text, 'a' + i % 26, len);
		text[len] = '\0';
		assert_int_equal(line(l, text), 0);
		if (strlen(model[0]) + len + 1 > 1000) {
			free(model[3]);
			memmove(&model[1], &model[0], 3 * sizeof(model[0]));
			model[0] = mem_dup("");
		}
		longer = mem_printf("%s%s\n", model[0], text);
		free(model[0]);
		model[0] = longer;
	}
	logfile_free(l);
	for (unsigned n = 0; n < 4; n++) {
		assert_content(f, n, model[n]);
		assert_true(strlen(model[n]) <= 1000);
		free(model[n]);
	}
}

static void a_line_longer_than_a_file_stands_alone(void **state)
{
	struct fixture *f = *state;
	struct logfile *l = open_small(f, 8, 2);

	assert_int_equal(line(l, "a"), 0);
	assert_int_equal(line(l, "0123456789"), 0);
	assert_int_equal(line(l, "b"), 0);
	logfile_free(l);
	assert_content(f, 2, "a\n");
	assert_content(f, 1, "0123456789\n");
	assert_content(f, 0, "b\n");
}

static void without_further_files_the_one_begins_anew(void **state)
{
	struct fixture *f = *state;
	struct logfile *l = open_small(f, 8, 0);

	assert_int_equal(line(l, "abc"), 0);
	assert_int_equal(line(l, "def"), 0);
	assert_int_equal(line(l, "ghi"), 0);
	logfile_free(l);
	assert_content(f, 0, "ghi\n");
	assert_content(f, 1, NULL);
}

static void a_file_that_was_renamed_is_opened_anew_when_told(void **state)
{
	struct fixture *f = *state;
	HALE_CLEANUP(cleanup_free) char *away = path_join(f->dir, "x.log.1");
	struct logfile *l = open_small(f, 1000, 2);

	assert_int_equal(line(l, "old"), 0);
	assert_int_equal(rename(f->path, away), 0);
	assert_int_equal(line(l, "still old"), 0);
	logfile_reopen(l);
	assert_int_equal(line(l, "new"), 0);
	logfile_free(l);
	assert_content(f, 1, "old\nstill old\n");
	assert_content(f, 0, "new\n");
}

static void a_file_that_was_truncated_is_not_rotated_early(void **state)
{
	struct fixture *f = *state;
	struct logfile *l = open_small(f, 8, 2);

	assert_int_equal(line(l, "abc"), 0);
	assert_int_equal(line(l, "def"), 0);
	assert_int_equal(truncate(f->path, 0), 0);
	assert_int_equal(line(l, "ghi"), 0);
	logfile_free(l);
	assert_content(f, 0, "ghi\n");
	assert_content(f, 1, NULL);
}

static void others_may_not_read_it_and_a_missing_folder_is_made(void **state)
{
	struct fixture *f = *state;
	HALE_CLEANUP(cleanup_free) char *dir = path_join(f->dir, "log");
	HALE_CLEANUP(cleanup_free) char *path = path_join(dir, "x.log");
	struct logfile *l = logfile_new(&(struct logfile_spec){.path = path, .max_bytes = 100});
	mode_t before = umask(0077);
	struct stat st;

	assert_int_equal(line(l, "hello"), 0);
	(void)umask(before);
	logfile_free(l);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 0007, 0);
}

static void a_link_is_not_followed(void **state)
{
	struct fixture *f = *state;
	HALE_CLEANUP(cleanup_free) char *target = path_join(f->dir, "target");
	struct logfile *l = open_small(f, 100, 2);

	assert_int_equal(symlink(target, f->path), 0);
	assert_int_equal(line(l, "hello"), -ELOOP);
	assert_int_equal(access(target, F_OK), -1);
	assert_int_equal(logfile_dropped(l), 1);
	logfile_free(l);
}

static void a_fifo_does_not_hold_it(void **state)
{
	struct fixture *f = *state;
	struct logfile *l = open_small(f, 100, 2);

	assert_int_equal(mkfifo(f->path, 0600), 0);
	(void)alarm(5); /* a failing test must end */
	assert_true(line(l, "hello") < 0);
	(void)alarm(0);
	logfile_free(l);
}

static void trouble_is_tried_again_after_a_while(void **state)
{
	struct fixture *f = *state;
	struct logfile *l = open_small(f, 100, 2);

	assert_int_equal(mkdir(f->path, 0700), 0);
	assert_int_equal(logfile_line(l, NOW, "a", 1), -EISDIR);
	assert_int_equal(rmdir(f->path), 0);
	/* Not at each line of a flood … */
	assert_int_equal(logfile_line(l, NOW + 999, "b", 1), -EISDIR);
	/* … but soon. */
	assert_int_equal(logfile_line(l, NOW + 1000, "c", 1), 0);
	assert_int_equal(logfile_dropped(l), 2);
	logfile_free(l);
	assert_content(f, 0, "c\n");
}

static void a_clock_set_back_does_not_silence_it(void **state)
{
	struct fixture *f = *state;
	struct logfile *l = open_small(f, 100, 2);

	assert_int_equal(mkdir(f->path, 0700), 0);
	assert_int_equal(logfile_line(l, NOW, "a", 1), -EISDIR);
	assert_int_equal(rmdir(f->path), 0);
	assert_int_equal(logfile_line(l, NOW - 3600000, "b", 1), 0);
	logfile_free(l);
}

/* The size limit of the process stands in for a disk that ends in the middle of a line. */
static void a_full_disk_leaves_no_half_lines(void **state)
{
	struct fixture *f = *state;
	struct logfile *l = open_small(f, 1000, 2);
	struct rlimit before, small;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){.rlim_cur = 10, .rlim_max = before.rlim_max};
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(line(l, "1234"), 0);
	assert_int_equal(line(l, "56789"), -ENOSPC);
	assert_int_equal(line(l, "abc"), 0);
	assert_int_equal(line(l, "d"), -ENOSPC);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(line(l, "room again"), 0);
	assert_int_equal(logfile_dropped(l), 2);
	logfile_free(l);
	assert_content(f, 0, "1234\nabc\nroom again\n");
}

static void a_really_full_disk_is_survived(void **state)
{
	struct fixture *f = *state;
	HALE_CLEANUP(cleanup_free) char *ballast = path_join(f->dir, "ballast");
	struct logfile *l;
	char text[200];
	uint64_t lost;

	/* Needs the right to mount, which a container may not give. */
	if (mount("hale-test", f->dir, "tmpfs", 0, "size=64k") < 0)
		skip();
	l = open_small(f, 1u << 20, 2);
	memset(text, 'x', sizeof(text));
	assert_int_equal(file_write_atomic(ballast, text, sizeof(text), 0600, NULL), 0);
	for (int i = 0; i < 1000; i++)
		(void)logfile_line(l, NOW, text, sizeof(text));
	lost = logfile_dropped(l);
	assert_true(lost > 500);
	assert_int_equal(logfile_line(l, NOW, text, sizeof(text)), -ENOSPC);
	assert_int_equal(unlink(ballast), 0);
	assert_int_equal(logfile_line(l, NOW, text, sizeof(text)), 0);
	assert_int_equal(logfile_dropped(l), lost + 1);
	logfile_free(l);
	assert_int_equal(umount2(f->dir, MNT_DETACH), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_program_that_says_nothing_leaves_no_file),
		TEST(lines_are_written_as_they_are),
		TEST(the_time_stands_in_front_if_asked),
		TEST(what_is_there_already_is_kept),
		TEST(no_file_is_larger_than_told_and_the_oldest_goes),
		TEST(rotation_is_exact),
		TEST(a_line_longer_than_a_file_stands_alone),
		TEST(without_further_files_the_one_begins_anew),
		TEST(a_file_that_was_renamed_is_opened_anew_when_told),
		TEST(a_file_that_was_truncated_is_not_rotated_early),
		TEST(others_may_not_read_it_and_a_missing_folder_is_made),
		TEST(a_link_is_not_followed),
		TEST(a_fifo_does_not_hold_it),
		TEST(trouble_is_tried_again_after_a_while),
		TEST(a_clock_set_back_does_not_silence_it),
		TEST(a_full_disk_leaves_no_half_lines),
		TEST(a_really_full_disk_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
