/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "bus/feed_logic.h"

static struct frame frame_of(const char *topic, const char *epoch, uint64_t first, uint32_t count)
{
	struct frame f = {.first_seq = first, .count = count, .lines = ""};

	strcpy(f.topic, topic);
	strcpy(f.epoch, epoch);
	return f;
}

static void every_position_of_a_frame_has_its_verdict(void **state)
{
	/* At cursor (e, 10). */
	static const struct {
		const char *topic, *epoch;
		uint64_t first;
		uint32_t count;
		enum feed_verdict verdict;
		uint64_t skip;
	} rows[] = {
		{"health", "e", 11, 1, FEED_NEXT, 0}, {"health", "e", 11, 5, FEED_NEXT, 0},
		{"health", "e", 9, 3, FEED_NEXT, 2},  {"health", "e", 10, 2, FEED_NEXT, 1},
		{"health", "e", 9, 2, FEED_OLD, 0},   {"health", "e", 1, 10, FEED_OLD, 0},
		{"health", "e", 11, 0, FEED_OLD, 0},  {"health", "e", 12, 1, FEED_GAP, 0},
		{"health", "f", 11, 1, FEED_GAP, 0},  {"health", "f", 1, 1, FEED_GAP, 0},
		{"sync", "e", 10, 1, FEED_OLD, 0},    {"sync", "e", 9, 1, FEED_OLD, 0},
		{"sync", "e", 11, 1, FEED_GAP, 0},    {"sync", "f", 0, 1, FEED_GAP, 0},
	};
	const struct feed_cursor cursor = {.epoch = "e", .seq = 10};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct frame f =
			frame_of(rows[i].topic, rows[i].epoch, rows[i].first, rows[i].count);
		uint64_t skip = 0;

		print_message("row %zu\n", i);
		assert_int_equal(feed_judge(&cursor, &f, &skip), rows[i].verdict);
		assert_int_equal(skip, rows[i].skip);
	}
}

static void one_who_wants_nothing_older_stands_just_before(void **state)
{
	struct frame lines = frame_of("health", "e", 7, 2), sync = frame_of("sync", "e", 7, 1);
	struct feed_cursor cursor;

	(void)state;
	feed_cursor_before(&lines, &cursor);
	assert_int_equal(cursor.seq, 6);
	feed_cursor_before(&sync, &cursor);
	assert_int_equal(cursor.seq, 7);
	assert_string_equal(cursor.epoch, "e");
}

static void replayed_lines_already_had_are_skipped(void **state)
{
	const struct feed_cursor cursor = {.epoch = "e", .seq = 10};
	struct frame f = frame_of("health", "e", 9, 4);

	(void)state;
	assert_int_equal(feed_replay_skip(&cursor, &f), 2);
	f = frame_of("health", "e", 2, 3);
	assert_int_equal(feed_replay_skip(&cursor, &f), 3);
	f = frame_of("health", "e", 30, 3); /* a hole: there is nothing better */
	assert_int_equal(feed_replay_skip(&cursor, &f), 0);
	f = frame_of("health", "f", 1, 3);
	assert_int_equal(feed_replay_skip(&cursor, &f), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_position_of_a_frame_has_its_verdict),
		cmocka_unit_test(one_who_wants_nothing_older_stands_just_before),
		cmocka_unit_test(replayed_lines_already_had_are_skipped),
	};

	return cmocka_run_group_tests_name("bus.feed_logic", tests, NULL, NULL);
}
