/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "bus/inbox.h"

struct fixture {
	struct inbox *inbox;
	struct str seen; /* "a:1/1 a:1/2 " */
};

static int setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	f.inbox = inbox_new();
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	inbox_free(f->inbox);
	str_done(&f->seen);
	return 0;
}

static void on_line(void *ctx, const char *service, uint64_t generation, const char *topic,
		    uint64_t seq, const char *line, size_t len)
{
	struct fixture *f = ctx;

	assert_string_equal(topic, "observation");
	assert_int_equal(len, 2);
	assert_memory_equal(line, "{}", 2);
	str_addf(&f->seen, "%s:%d/%d ", service, (int)generation, (int)seq);
}

static void on_lost(void *ctx, const char *service, uint64_t lines)
{
	struct fixture *f = ctx;

	str_addf(&f->seen, "%s lost %d ", service, (int)lines);
}

static const struct inbox_ops ops = {.on_line = on_line, .on_lost = on_lost};

static bool give(struct fixture *f, const char *topic, const char *epoch, uint64_t first,
		 uint32_t count)
{
	HALE_CLEANUP(str_done) struct str lines = {0};
	HALE_CLEANUP(str_done) struct str text = {0};
	struct frame frame;

	for (uint32_t i = 0; i < count; i++)
		str_add(&lines, "{}\n");
	frame_format(&text, topic, epoch, first, count, str_text(&lines), lines.len);
	assert_int_equal(frame_parse(text.data, text.len, &frame), 0);
	return inbox_accept(f->inbox, &frame, &ops, f);
}

static bool observe(struct fixture *f, const char *epoch, uint64_t first, uint32_t count)
{
	return give(f, "observation", epoch, first, count);
}

static bool skip_to(struct fixture *f, const char *epoch, uint64_t first)
{
	return give(f, "sync", epoch, first, 0);
}

static void assert_acks(struct fixture *f, const char *expected)
{
	json_t *acks = inbox_acks(f->inbox);
	char *text = json_dumps(acks, JSON_COMPACT | JSON_SORT_KEYS);

	assert_string_equal(text, expected);
	free(text);
	json_decref(acks);
}

static void lines_in_order_are_taken_and_acknowledged(void **state)
{
	struct fixture *f = *state;

	assert_true(observe(f, "a:1", 1, 2));
	assert_true(observe(f, "b:1", 1, 1));
	assert_true(observe(f, "a:1", 3, 1));
	assert_string_equal(str_text(&f->seen), "a:1/1 a:1/2 b:1/1 a:1/3 ");
	assert_acks(f, "{\"acks\":{\"a:1\":3,\"b:1\":1}}");
	assert_int_equal(inbox_stats_get(f->inbox)->lines, 4);
}

static void repeats_are_ignored_but_acknowledged_again(void **state)
{
	struct fixture *f = *state;

	(void)observe(f, "a:1", 1, 2);
	assert_true(observe(f, "a:1", 1, 2));
	assert_true(observe(f, "a:1", 2, 2)); /* half of it is new */
	assert_string_equal(str_text(&f->seen), "a:1/1 a:1/2 a:1/3 ");
	assert_int_equal(inbox_stats_get(f->inbox)->duplicates, 3);
}

static void a_gap_is_refused_until_it_is_filled(void **state)
{
	struct fixture *f = *state;

	(void)observe(f, "a:1", 1, 1);
	assert_false(observe(f, "a:1", 3, 1));
	assert_string_equal(str_text(&f->seen), "a:1/1 ");
	assert_int_equal(inbox_stats_get(f->inbox)->gaps, 1);
	assert_true(observe(f, "a:1", 2, 2));
	assert_string_equal(str_text(&f->seen), "a:1/1 a:1/2 a:1/3 ");
}

static void a_skip_marker_moves_past_what_never_comes(void **state)
{
	struct fixture *f = *state;

	(void)observe(f, "a:1", 1, 1);
	assert_true(skip_to(f, "a:1", 5));
	assert_acks(f, "{\"acks\":{\"a:1\":4}}");
	assert_true(observe(f, "a:1", 5, 1));
	assert_string_equal(str_text(&f->seen), "a:1/1 a lost 3 a:1/5 ");
	assert_int_equal(inbox_stats_get(f->inbox)->skipped, 3);
}

static void a_skip_marker_never_moves_backwards(void **state)
{
	struct fixture *f = *state;

	(void)observe(f, "a:1", 1, 4);
	assert_true(skip_to(f, "a:1", 2));
	assert_acks(f, "{\"acks\":{\"a:1\":4}}");
	assert_int_equal(inbox_stats_get(f->inbox)->skipped, 0);
}

static void a_new_generation_begins_at_one(void **state)
{
	struct fixture *f = *state;

	(void)observe(f, "a:1", 1, 3);
	assert_true(observe(f, "a:2", 1, 1));
	inbox_retire(f->inbox, "a", 2);
	assert_acks(f, "{\"acks\":{\"a:2\":1}}");
}

static void a_late_frame_of_a_retired_child_does_not_revive_it(void **state)
{
	struct fixture *f = *state;

	(void)observe(f, "a:1", 1, 3);
	inbox_retire(f->inbox, "a", 2);
	assert_false(observe(f, "a:1", 4, 1));
	assert_false(observe(f, "a:1", 1, 1)); /* a repeat would be taken for a beginning */
	assert_false(skip_to(f, "a:1", 9));    /* and a marker for a loss */
	assert_acks(f, "{\"acks\":{}}");
	assert_string_equal(str_text(&f->seen), "a:1/1 a:1/2 a:1/3 ");
	assert_int_equal(inbox_stats_get(f->inbox)->late, 3);
	assert_int_equal(inbox_stats_get(f->inbox)->skipped, 0);
	assert_true(observe(f, "a:2", 1, 1));
}

static void a_service_that_comes_back_begins_anew(void **state)
{
	struct fixture *f = *state;

	(void)observe(f, "a:7", 1, 1);
	inbox_retire(f->inbox, "a", UINT64_MAX);
	assert_false(observe(f, "a:1", 1, 1));
	inbox_retire(f->inbox, "a", 0);
	assert_true(observe(f, "a:1", 1, 1));
	assert_acks(f, "{\"acks\":{\"a:1\":1}}");
}

static void what_is_no_childs_epoch_is_refused(void **state)
{
	static const char *const bad[] = {"a", "a:", ":1", "a:x", "a:1x", "a:-1", "e19a8c11d03"};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(observe(f, bad[i], 1, 1));
	assert_int_equal(inbox_stats_get(f->inbox)->refused, sizeof(bad) / sizeof(bad[0]));
	assert_true(observe(f, "check.a:b:1", 1, 1));
	assert_string_equal(str_text(&f->seen), "check.a:b:1/1 ");
}

static void what_was_acknowledged_before_is_no_loss(void **state)
{
	struct fixture *f = *state;
	json_t *acks = json_pack("{s:{s:i, s:i, s:s}}", "acks", "a:1", 40, "b:1", 0, "c:1", "x");

	inbox_restore(f->inbox, acks);
	json_decref(acks);
	assert_acks(f, "{\"acks\":{\"a:1\":40}}");
	assert_true(skip_to(f, "a:1", 41));
	assert_true(observe(f, "a:1", 41, 1));
	assert_string_equal(str_text(&f->seen), "a:1/41 ");
	assert_int_equal(inbox_stats_get(f->inbox)->skipped, 0);
}

static void a_receiver_that_comes_late_goes_on_from_the_marker(void **state)
{
	struct fixture *f = *state;

	assert_true(skip_to(f, "a:1", 41));
	assert_true(observe(f, "a:1", 41, 1));
	assert_string_equal(str_text(&f->seen), "a lost 40 a:1/41 ");
}

static void epochs_are_limited(void **state)
{
	struct fixture *f = *state;
	char epoch[32];

	for (int i = 0; i < INBOX_EPOCHS_MAX; i++) {
		(void)snprintf(epoch, sizeof(epoch), "a:%d", i + 1);
		assert_true(observe(f, epoch, 1, 1));
	}
	assert_false(observe(f, "one-too-many:1", 1, 1));
	assert_int_equal(inbox_stats_get(f->inbox)->refused, 1);
	inbox_retire(f->inbox, "a", 2);
	assert_true(observe(f, "one-too-many:1", 1, 1));
}

static void sync_frames_with_lines_and_seq_zero_mean_nothing_here(void **state)
{
	struct fixture *f = *state;

	assert_false(give(f, "sync", "a:1", 1, 1));
	assert_false(observe(f, "a:1", 0, 1));
	assert_false(observe(f, "a:1", 1, 0));
	assert_acks(f, "{\"acks\":{}}");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(lines_in_order_are_taken_and_acknowledged),
		T(repeats_are_ignored_but_acknowledged_again),
		T(a_gap_is_refused_until_it_is_filled),
		T(a_skip_marker_moves_past_what_never_comes),
		T(a_skip_marker_never_moves_backwards),
		T(a_new_generation_begins_at_one),
		T(a_late_frame_of_a_retired_child_does_not_revive_it),
		T(a_service_that_comes_back_begins_anew),
		T(what_is_no_childs_epoch_is_refused),
		T(what_was_acknowledged_before_is_no_loss),
		T(a_receiver_that_comes_late_goes_on_from_the_marker),
		T(epochs_are_limited),
		T(sync_frames_with_lines_and_seq_zero_mean_nothing_here),
	};

	return cmocka_run_group_tests_name("bus.inbox", tests, NULL, NULL);
}
