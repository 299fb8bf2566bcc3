/* SPDX-License-Identifier: Apache-2.0 */
/* A file that is damaged, or is none: what the recorder does, and what it says. */
#include "store_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "store/export.h"
#include "store/keep.h"

#define PAGE 4096

static void close_all(struct fixture *f)
{
	close_writer(f);
	store_close(TAKE_PTR(f->h));
}

static void fill(struct fixture *f)
{
	open_writer(f);
	must(f, write_range(f, 1, 2000));
	close_all(f);
}

/* Page n, from 1 on, is somebody's noise. */
static void damage(struct fixture *f, int n)
{
	char noise[PAGE];
	int fd = open(f->path, O_WRONLY | O_CLOEXEC);

	memset(noise, 0xa5, sizeof(noise));
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, noise, sizeof(noise), (off_t)(n - 1) * PAGE), PAGE);
	(void)close(fd);
}

/* Path of the file that was set aside; caller frees. */
static char *find_aside(struct fixture *f)
{
	HALE_CLEANUP(cleanup_free) char *sub = mem_printf("%s/sub", f->dir);
	DIR *dir = opendir(sub);
	char *found = NULL;

	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir)) != NULL;)
		if (strncmp(e->d_name, "history.db.broken-", 18) == 0 &&
		    e->d_name[strlen(e->d_name) - 1] == 'Z')
			found = path_join(sub, e->d_name);
	(void)closedir(dir);
	return found;
}

static void remove_aside(const char *path)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		HALE_CLEANUP(cleanup_free) char *p = mem_printf("%s%s", path, suffixes[i]);

		(void)unlink(p);
	}
}

static void a_new_store_gives_room_back_and_has_a_name(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	expect(f, "PRAGMA auto_vacuum", "2;");
	expect(f, "PRAGMA application_id", "1751215205;"); /* "hale" */
	assert_null(store_notice(f->h));
}

static void a_damaged_file_is_set_aside_and_a_new_one_begun(void **state)
{
	struct fixture *f = *state;
	HALE_CLEANUP(cleanup_free) char *aside = NULL;
	struct keep_facts facts;
	struct stat st;

	fill(f);
	damage(f, 20);
	open_writer(f);
	aside = find_aside(f);
	assert_non_null(aside);
	assert_int_equal(stat(aside, &st), 0);
	assert_true(st.st_size > 20 * PAGE);
	assert_non_null(strstr(store_notice(f->h), "is damaged"));
	assert_non_null(strstr(store_notice(f->h), aside));
	assert_non_null(strstr(store_notice(f->h), "hale export --store"));
	/* The new one takes everything again. */
	assert_string_equal(f->epoch, "");
	must(f, write_range(f, 1, 5));
	assert_int_equal(count(f, "results"), 3);
	close_all(f);
	open_writer(f);
	assert_null(store_notice(f->h));
	/* It is told of until somebody moves it away. */
	must(f, keep_facts(f->h, &facts, &f->err));
	assert_string_equal(facts.set_aside, aside);
	remove_aside(aside);
	must(f, keep_facts(f->h, &facts, &f->err));
	assert_string_equal(facts.set_aside, "");
}

static void damage_in_the_middle_of_work_is_a_broken_store(void **state)
{
	struct fixture *f = *state;
	HALE_CLEANUP(cleanup_free) char *aside = NULL;

	fill(f);
	open_writer(f);
	for (int page = 2; page < 30; page++)
		damage(f, page);
	assert_int_equal(write_range(f, 2001, 2200), -EUCLEAN);
	close_all(f);
	open_writer(f);
	aside = find_aside(f);
	assert_non_null(aside);
	must(f, write_range(f, 2001, 2200));
	remove_aside(aside);
}

static bool add_length(void *ctx, const char *data, size_t len)
{
	(void)data;
	*(size_t *)ctx += len;
	return true;
}

/* How many rows of all kinds can be read. */
static uint64_t rescue(struct fixture *f, int rc_expected)
{
	const struct export_plan plan = {
		.format = TRANSFER_NDJSON, .what = transfer_set_of("all"), .hale = "test"};
	uint64_t counts[TRANSFER_WHAT_MAX] = {0}, sum = 0;
	struct store *s = NULL;
	size_t written = 0;
	bool is_whole = false;

	must(f, store_open(&f->options, STORE_READER, &s, &f->err));
	assert_int_equal(export_run(s, &plan, add_length, &written, counts, &is_whole, &f->err),
			 rc_expected);
	assert_int_equal(is_whole, rc_expected == 0);
	assert_true(written > 0);
	store_close(s);
	for (int what = 0; what < TRANSFER_WHAT_MAX; what++)
		sum += counts[what];
	return sum;
}

static void what_a_damaged_file_still_holds_can_be_exported(void **state)
{
	struct fixture *f = *state;
	uint64_t whole, left;
	struct stat st;
	int page;

	fill(f);
	whole = rescue(f, 0);
	assert_int_equal(stat(f->path, &st), 0);
	/* The tables' first pages stand before those that came with the rows. */
	page = (int)(st.st_size / PAGE * 8 / 10);
	damage(f, page);
	damage(f, page + 1);
	left = rescue(f, -EUCLEAN);
	assert_in_range(left, whole * 8 / 10, whole - 1);
}

static void what_is_no_database_is_left_alone(void **state)
{
	struct fixture *f = *state;
	HALE_CLEANUP(cleanup_free) char *dir = mem_printf("%s/sub", f->dir);
	static const char text[] = "Dear diary, this is not a database, nor will it ever be one.\n";
	struct stat st;

	must(f, dir_make(dir, 0700, &f->err));
	must(f, file_write_atomic(f->path, text, strlen(text), 0600, &f->err));
	assert_int_equal(try_open_writer(f), -EMEDIUMTYPE);
	assert_non_null(strstr(f->err.text, "is no SQLite database; move it away"));
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_size, strlen(text));
	assert_null(find_aside(f));
}

static void a_clean_end_is_noted(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	expect(f, "SELECT count(*) FROM meta WHERE key = 'in_use' AND length(value) = 36", "1;");
	close_all(f);
	expect(f, "SELECT count(*) FROM meta WHERE key = 'in_use'", "0;");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_store_gives_room_back_and_has_a_name),
		TEST(a_damaged_file_is_set_aside_and_a_new_one_begun),
		TEST(damage_in_the_middle_of_work_is_a_broken_store),
		TEST(what_a_damaged_file_still_holds_can_be_exported),
		TEST(what_is_no_database_is_left_alone),
		TEST(a_clean_end_is_noted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
