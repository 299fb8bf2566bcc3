/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "bus/journal.h"

struct seen {
	uint64_t seqs[64];
	size_t n;
	char last_epoch[32];
};

static void on_record(void *ctx, const char *epoch, uint64_t seq, const char *topic,
		      const json_t *line, const json_t *save)
{
	struct seen *seen = ctx;

	(void)line;
	(void)save;
	assert_string_equal(topic, "health");
	if (seen->n < 64)
		seen->seqs[seen->n] = seq;
	seen->n++;
	(void)snprintf(seen->last_epoch, sizeof(seen->last_epoch), "%s", epoch);
}

static int setup(void **state)
{
	char dir[] = "/tmp/hale-journal-XXXXXX";

	assert_non_null(mkdtemp(dir));
	*state = mem_dup(dir);
	return 0;
}

static int teardown(void **state)
{
	HALE_CLEANUP(cleanup_free) char *dir = *state;
	static const char *const names[] = {"journal.ndjson", "journal.1.ndjson"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		HALE_CLEANUP(cleanup_free) char *path = path_join(dir, names[i]);

		(void)unlink(path);
	}
	assert_int_equal(rmdir(dir), 0);
	return 0;
}

static struct journal *open_in(const char *dir, struct seen *seen)
{
	struct journal *j = NULL;
	struct err err;

	*seen = (struct seen){0};
	assert_int_equal(journal_open(dir, on_record, seen, &j, &err), 0);
	return j;
}

static void what_was_added_is_read_back_in_order(void **state)
{
	struct seen seen;
	struct journal *j = open_in(*state, &seen);

	assert_int_equal(seen.n, 0);
	for (uint64_t seq = 1; seq <= 3; seq++)
		assert_int_equal(journal_add(j, "e1", seq, "health", "{\"a\":1}", "{\"s\":2}"), 0);
	journal_close(j);
	j = open_in(*state, &seen);
	assert_int_equal(journal_add(j, "e2", 1, "health", "{}", NULL), 0);
	journal_close(j);
	j = open_in(*state, &seen);
	journal_close(j);
	assert_int_equal(seen.n, 4);
	assert_int_equal(seen.seqs[2], 3);
	assert_string_equal(seen.last_epoch, "e2");
}

static void a_torn_last_line_costs_only_itself(void **state)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(*state, "journal.ndjson");
	struct seen seen;
	struct journal *j = open_in(*state, &seen);

	assert_int_equal(journal_add(j, "e1", 1, "health", "{}", NULL), 0);
	assert_int_equal(journal_add(j, "e1", 2, "health", "{}", NULL), 0);
	journal_close(j);
	assert_int_equal(truncate(path, 60), 0);
	j = open_in(*state, &seen);
	assert_int_equal(seen.n, 1);
	assert_int_equal(journal_add(j, "e1", 3, "health", "{}", NULL), 0);
	journal_close(j);
	j = open_in(*state, &seen);
	journal_close(j);
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.seqs[1], 3);
}

static void a_last_line_without_its_newline_is_whole(void **state)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(*state, "journal.ndjson");
	HALE_CLEANUP(str_done) struct str text = {0};
	struct seen seen;
	struct journal *j = open_in(*state, &seen);

	assert_int_equal(journal_add(j, "e1", 1, "health", "{}", NULL), 0);
	journal_close(j);
	assert_int_equal(file_read(path, 1000, &text, NULL), 0);
	assert_int_equal(truncate(path, (off_t)text.len - 1), 0);
	/* Found now and not only by the start after the next. */
	for (int i = 0; i < 2; i++) {
		j = open_in(*state, &seen);
		journal_close(j);
		assert_int_equal(seen.n, 1);
	}
}

static void zeros_of_a_power_cut_hide_nothing_behind_them(void **state)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(*state, "journal.ndjson");
	struct seen seen;
	struct journal *j = open_in(*state, &seen);
	FILE *file;

	assert_int_equal(journal_add(j, "e1", 1, "health", "{}", NULL), 0);
	journal_close(j);
	file = fopen(path, "a");
	assert_non_null(file);
	assert_int_equal(fwrite("\0\0\0\0", 1, 4, file), 4);
	assert_int_equal(fclose(file), 0);
	j = open_in(*state, &seen);
	assert_int_equal(journal_add(j, "e2", 1, "health", "{}", NULL), 0);
	journal_close(j);
	j = open_in(*state, &seen);
	journal_close(j);
	assert_int_equal(seen.n, 2);
	assert_string_equal(seen.last_epoch, "e2");
}

static void it_is_bounded_and_keeps_the_newest(void **state)
{
	HALE_CLEANUP(cleanup_free) char *big = mem_alloc(100001);
	struct seen seen;
	struct journal *j = open_in(*state, &seen);

	(void)memset(big, ' ', 100000);
	big[0] = '{';
	big[99999] = '}';
	for (uint64_t seq = 1; seq <= 400; seq++)
		assert_int_equal(journal_add(j, "e1", seq, "health", big, NULL), 0);
	journal_close(j);
	j = open_in(*state, &seen);
	journal_close(j);
	assert_in_range(seen.n, 80, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_added_is_read_back_in_order, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_torn_last_line_costs_only_itself, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_last_line_without_its_newline_is_whole, setup,
						teardown),
		cmocka_unit_test_setup_teardown(zeros_of_a_power_cut_hide_nothing_behind_them,
						setup, teardown),
		cmocka_unit_test_setup_teardown(it_is_bounded_and_keeps_the_newest, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
