/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "bus/command.h"
#include "bus/feed.h"
#include "bus/pub.h"
#include "bus/replay.h"
#include "bus/ring.h"

/* haled's end (bus.ipc, haled.ipc, the ring) and a subscriber, in one loop. Each line carries the
 * number it is expected to arrive as, so that loss, repetition and disorder all show. */
struct fixture {
	struct harness h;
	char bus_path[96], command_path[96];
	/* haled */
	char epoch[16];
	struct ring *ring;
	struct pub *pub;
	struct command_server *server;
	unsigned replays;
	unsigned failures_left;  /* replays to be answered by an error */
	bool is_from_the_future; /* the first frame of a replay is of a version to come */
	int64_t published;
	/* the subscriber */
	struct feed *feed;
	int64_t expected; /* number of the next line */
	bool is_any_start_fine;
	unsigned batches, snapshots, syncs;
	int64_t texts;       /* lines that were enough as text … */
	bool is_text_enough; /* … as those at even numbers are then */
	struct feed_cursor batch_cursor;
	struct feed_cursor now_cursor; /* the feed is watched through this after it was closed */
	int64_t wanted;
	bool closes_in_callback;
};

static json_t *snapshot(void *ctx)
{
	struct fixture *f = ctx;

	return json_pack("{s:I}", "next", (json_int_t)f->published);
}

static void age_first_frame(json_t *frames)
{
	const char *text = json_string_value(json_array_get(frames, 0));
	HALE_CLEANUP(str_done) struct str out = {0};

	if (text == NULL)
		return;
	str_addn(&out, text, strcspn(text, "\n"));
	str_add(&out, " v2 and more\nlines that only it can read");
	(void)json_array_set_new(frames, 0, json_string(str_text(&out)));
}

static void method_replay(void *ctx, struct command_request *rq, const json_t *params)
{
	struct fixture *f = ctx;
	struct err err;
	json_t *answer;

	f->replays++;
	if (f->failures_left > 0) {
		f->failures_left--;
		command_fail(rq, COMMAND_E_FAILED, NULL, "not now");
		return;
	}
	answer = replay_answer(f->ring, params, f->epoch, pub_head(f->pub), snapshot, f, &err);
	if (f->is_from_the_future)
		age_first_frame(json_object_get(answer, "frames"));
	if (answer != NULL)
		command_reply(rq, answer);
	else
		command_fail(rq, COMMAND_E_PARAMS, NULL, "%s", err.text);
}

static const struct command_method methods[] = {
	{"bus.replay", method_replay, "what was published after a cursor"},
	{0},
};

static void start_haled(struct fixture *f, const char *epoch)
{
	struct err err = {.text = ""};

	strcpy(f->epoch, epoch);
	if (pub_listen(&f->h.loop, f->bus_path, NULL, epoch, f->ring, &f->pub, &err) != 0 ||
	    command_listen(&f->h.loop, f->command_path, NULL, methods, f, &f->server, &err) != 0)
		fail_msg("%s", err.text);
}

static void stop_haled(struct fixture *f)
{
	f->h.closing += 2;
	pub_close(f->pub, harness_closed, &f->h);
	command_close(f->server, harness_closed, &f->h);
	f->pub = NULL;
	harness_until_closed(&f->h);
}

static void publish(struct fixture *f, int n)
{
	char line[64];

	for (int i = 0; i < n; i++) {
		int len = snprintf(line, sizeof(line), "{\"n\":%lld}", (long long)f->published++);

		(void)pub_line(f->pub, f->published % 7 == 0 ? TOPIC_ALERT : TOPIC_HEALTH, line,
			       (size_t)len);
	}
}

static void on_line(void *ctx, const char *topic, const char *epoch, uint64_t seq,
		    const json_t *object)
{
	struct fixture *f = ctx;
	int64_t n = json_integer_value(json_object_get(object, "n"));

	assert_true(strcmp(topic, TOPIC_HEALTH) == 0 || strcmp(topic, TOPIC_ALERT) == 0);
	assert_string_equal(feed_cursor_get(f->feed)->epoch, epoch);
	assert_int_equal(feed_cursor_get(f->feed)->seq, seq);
	if (f->is_any_start_fine) {
		f->is_any_start_fine = false;
		f->expected = n;
	}
	assert_int_equal(n, f->expected);
	f->expected++;
	f->now_cursor = *feed_cursor_get(f->feed);
	if (f->closes_in_callback && f->expected == f->wanted) {
		f->h.closing++;
		feed_close(f->feed, harness_closed, &f->h);
		f->feed = NULL;
	}
}

static void on_snapshot(void *ctx, const json_t *object)
{
	struct fixture *f = ctx;

	f->snapshots++;
	f->expected = json_integer_value(json_object_get(object, "next"));
	f->now_cursor = *feed_cursor_get(f->feed);
}

static void on_batch(void *ctx, const struct feed_cursor *cursor)
{
	struct fixture *f = ctx;

	f->batches++;
	f->batch_cursor = *cursor;
}

static void on_sync(void *ctx, const json_t *object)
{
	struct fixture *f = ctx;

	f->syncs++;
	assert_true(json_is_object(json_object_get(object, "acks")));
}

static bool on_text(void *ctx, const char *topic, const char *epoch, uint64_t seq, const char *line,
		    size_t len)
{
	struct fixture *f = ctx;

	(void)topic;
	(void)epoch;
	assert_int_equal(line[len - 1], '}');
	if (!f->is_text_enough || seq % 2 != 0)
		return false;
	f->texts++;
	f->expected++;
	return true;
}

static const struct feed_ops ops = {on_line, on_snapshot, on_batch, on_sync, on_text};

static void follow(struct fixture *f, enum feed_start start, const struct feed_cursor *cursor)
{
	struct err err = {.text = ""};

	if (feed_open(&f->h.loop,
		      &(struct feed_plan){.run_dir = f->h.dir, .start = start, .cursor = cursor},
		      &ops, f, &f->feed, &err) != 0)
		fail_msg("%s", err.text);
}

static void stop_following(struct fixture *f)
{
	f->h.closing++;
	feed_close(f->feed, harness_closed, &f->h);
	f->feed = NULL;
	harness_until_closed(&f->h);
}

static int setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	harness_open(&f.h);
	(void)snprintf(f.bus_path, sizeof(f.bus_path), "%s/%s", f.h.dir, FEED_BUS_SOCKET);
	(void)snprintf(f.command_path, sizeof(f.command_path), "%s/%s", f.h.dir,
		       FEED_COMMAND_SOCKET);
	f.ring = ring_new(64 << 20);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->feed != NULL)
		stop_following(f);
	if (f->pub != NULL)
		stop_haled(f);
	harness_close(&f->h);
	ring_free(f->ring);
	return 0;
}

static bool has_all(void *ctx)
{
	struct fixture *f = ctx;

	return f->expected >= f->wanted;
}

static void until_lines(struct fixture *f, int64_t n)
{
	f->wanted = n;
	harness_until(&f->h, has_all, f);
	assert_int_equal(f->expected, n);
}

static bool syncs_until_all(void *ctx)
{
	struct fixture *f = ctx;

	pub_sync(f->pub, json_pack("{s:{}}", "acks"));
	return f->expected >= f->published;
}

/* As haled does about every second: tells the head, so that a lost end is noticed. */
static void until_all_with_syncs(struct fixture *f)
{
	harness_until(&f->h, syncs_until_all, f);
	assert_int_equal(f->expected, f->published);
}

static bool has_synced(void *ctx)
{
	struct fixture *f = ctx;

	if (f->syncs == 0)
		pub_sync(f->pub, json_pack("{s:{}}", "acks"));
	return f->syncs > 0;
}

static void live_lines_come_in_order_with_their_cursor(void **state)
{
	struct fixture *f = *state;

	start_haled(f, "e1");
	follow(f, FEED_FROM_CURSOR, NULL);
	harness_until(&f->h, has_synced, f);
	publish(f, 10);
	until_lines(f, 10);
	publish(f, 10);
	until_lines(f, 20);
	assert_string_equal(f->now_cursor.epoch, "e1");
	assert_int_equal(f->now_cursor.seq, 20);
	assert_int_equal(feed_stats_get(f->feed)->lines, 20);
	assert_int_equal(feed_stats_get(f->feed)->lost, 0);
}

static void a_line_that_is_enough_as_text_is_not_handed_over_again(void **state)
{
	struct fixture *f = *state;

	f->is_text_enough = true;
	start_haled(f, "e1");
	follow(f, FEED_FROM_CURSOR, NULL);
	publish(f, 10);
	until_lines(f, 10);
	assert_int_equal(f->texts, 5);
	assert_int_equal(feed_stats_get(f->feed)->lines, 10);
}

static bool has_batch_of_all(void *ctx)
{
	struct fixture *f = ctx;

	return f->batches > 0 && f->batch_cursor.seq == (uint64_t)f->published;
}

static void a_batch_ends_when_the_turn_ends(void **state)
{
	struct fixture *f = *state;

	start_haled(f, "e1");
	publish(f, 5000);
	follow(f, FEED_FROM_CURSOR, NULL);
	harness_until(&f->h, has_batch_of_all, f);
	assert_int_equal(f->expected, 5000);
	assert_in_range(f->batches, 1, 10);
}

static void one_who_comes_late_gets_everything_from_the_oldest_line(void **state)
{
	struct fixture *f = *state;
	struct feed_cursor none = {.epoch = ""};

	start_haled(f, "e1");
	publish(f, 30000);
	follow(f, FEED_FROM_CURSOR, &none);
	until_lines(f, 30000);
	assert_int_equal(feed_stats_get(f->feed)->healed, 30000);
	assert_int_equal(feed_stats_get(f->feed)->gaps, 0);
	assert_int_equal(f->snapshots, 0);
	publish(f, 10);
	until_all_with_syncs(f);
}

static void a_stored_cursor_goes_on_where_it_stopped(void **state)
{
	struct fixture *f = *state;
	struct feed_cursor cursor;

	start_haled(f, "e1");
	publish(f, 100);
	follow(f, FEED_FROM_CURSOR, NULL);
	until_lines(f, 100);
	cursor = f->now_cursor;
	stop_following(f);
	publish(f, 50);
	follow(f, FEED_FROM_CURSOR, &cursor);
	until_lines(f, 150);
	assert_int_equal(feed_stats_get(f->feed)->lines, 50);
}

/* Every line in a frame of its own: far more than nng buffers, so that it drops. */
static void a_burst_that_overflows_nng_is_healed_by_replay(void **state)
{
	struct fixture *f = *state;

	start_haled(f, "e1");
	follow(f, FEED_FROM_CURSOR, NULL);
	publish(f, 1);
	until_lines(f, 1); /* live from here on */
	for (int i = 1; i < 100000; i++) {
		publish(f, 1);
		pub_flush(f->pub);
	}
	until_all_with_syncs(f);
	assert_int_equal(feed_stats_get(f->feed)->lines, 100000);
	assert_int_equal(feed_stats_get(f->feed)->lost, 0);
	assert_true(feed_stats_get(f->feed)->healed > 1000);
}

static void what_the_ring_has_lost_is_stood_in_for_by_a_snapshot(void **state)
{
	struct fixture *f = *state;
	struct feed_cursor cursor = {.epoch = "e1", .seq = 3};

	ring_free(f->ring);
	f->ring = ring_new(10000);
	start_haled(f, "e1");
	publish(f, 5000);
	follow(f, FEED_FROM_CURSOR, &cursor);
	until_lines(f, 5000);
	assert_int_equal(f->snapshots, 1);
	assert_int_equal(feed_stats_get(f->feed)->snapshots, 1);
	assert_int_equal(feed_stats_get(f->feed)->lost, 4997);
	publish(f, 10);
	until_all_with_syncs(f);
	assert_int_equal(feed_stats_get(f->feed)->lines, 10);
}

static void from_snapshot_begins_with_one_and_counts_no_loss(void **state)
{
	struct fixture *f = *state;

	start_haled(f, "e1");
	publish(f, 100);
	follow(f, FEED_FROM_SNAPSHOT, NULL);
	until_lines(f, 100);
	assert_int_equal(f->snapshots, 1);
	publish(f, 10);
	until_all_with_syncs(f);
	assert_int_equal(f->snapshots, 1);
	assert_int_equal(feed_stats_get(f->feed)->lost, 0);
	assert_int_equal(feed_stats_get(f->feed)->lines, 10);
}

static bool publishes_until_heard(void *ctx)
{
	struct fixture *f = ctx;

	if (f->is_any_start_fine)
		publish(f, 1);
	return !f->is_any_start_fine;
}

static void from_now_brings_nothing_older(void **state)
{
	struct fixture *f = *state;

	start_haled(f, "e1");
	publish(f, 100);
	follow(f, FEED_FROM_NOW, NULL);
	f->is_any_start_fine = true;
	harness_until(&f->h, publishes_until_heard, f);
	assert_true(f->expected > 100);
	until_all_with_syncs(f);
	assert_int_equal(f->snapshots, 0);
}

/* The ring of the new haled has what the old one wrote into its journal. */
static void a_new_haled_with_a_journal_loses_nothing(void **state)
{
	struct fixture *f = *state;

	start_haled(f, "e1");
	follow(f, FEED_FROM_CURSOR, NULL);
	publish(f, 100);
	until_lines(f, 100);
	publish(f, 50);
	pub_flush(f->pub);
	stop_haled(f);
	start_haled(f, "e2");
	publish(f, 10);
	until_all_with_syncs(f);
	assert_string_equal(f->now_cursor.epoch, "e2");
	assert_int_equal(f->now_cursor.seq, 10);
	assert_int_equal(feed_stats_get(f->feed)->lines, 160);
	assert_int_equal(feed_stats_get(f->feed)->lost, 0);
}

static void a_new_haled_without_a_journal_sends_a_snapshot(void **state)
{
	struct fixture *f = *state;

	start_haled(f, "e1");
	follow(f, FEED_FROM_CURSOR, NULL);
	publish(f, 100);
	until_lines(f, 100);
	stop_haled(f);
	ring_free(f->ring);
	f->ring = ring_new(1 << 20);
	start_haled(f, "e2");
	publish(f, 10);
	until_all_with_syncs(f);
	assert_int_equal(f->snapshots, 1);
	assert_int_equal(feed_stats_get(f->feed)->snapshots, 1);
	assert_int_equal(feed_stats_get(f->feed)->lost, 10); /* that much is known */
	publish(f, 5);
	until_all_with_syncs(f);
	assert_string_equal(f->now_cursor.epoch, "e2");
	assert_int_equal(f->now_cursor.seq, 15);
}

/* As at an upgrade of haled: the same epoch goes on, and for a moment nobody is connected. No sync
 * frame tells of the lines. */
static void what_was_sent_before_a_connection_was_made_is_asked_for(void **state)
{
	struct fixture *f = *state;

	start_haled(f, "e1");
	follow(f, FEED_FROM_CURSOR, NULL);
	publish(f, 100);
	until_lines(f, 100);
	stop_haled(f);
	start_haled(f, "e1");
	pub_continue(f->pub, 100);
	publish(f, 50);
	pub_flush(f->pub);
	until_lines(f, 150);
	assert_int_equal(feed_stats_get(f->feed)->lines, 150);
	assert_int_equal(feed_stats_get(f->feed)->lost, 0);
}

static void frames_of_a_later_version_are_counted_and_passed_over(void **state)
{
	struct fixture *f = *state;

	f->is_from_the_future = true;
	start_haled(f, "e1");
	publish(f, 6); /* a frame of six, and the seventh is of another topic */
	publish(f, 4);
	f->expected = 6;
	follow(f, FEED_FROM_CURSOR, NULL);
	until_lines(f, 10);
	assert_int_equal(feed_stats_get(f->feed)->unknown, 6);
	assert_int_equal(feed_stats_get(f->feed)->lines, 4);
	assert_int_equal(feed_cursor_get(f->feed)->seq, 10);
}

static void what_comes_during_a_pause_is_asked_for_afterwards(void **state)
{
	struct fixture *f = *state;

	start_haled(f, "e1");
	follow(f, FEED_FROM_CURSOR, NULL);
	publish(f, 100);
	until_lines(f, 100);
	feed_pause(f->feed, true);
	feed_pause(f->feed, true);
	publish(f, 5000);
	f->syncs = 0;
	harness_until(&f->h, has_synced, f); /* behind them, and through all the same */
	assert_int_equal(f->expected, 100);
	feed_pause(f->feed, false);
	until_lines(f, 5100);
	publish(f, 10);
	until_all_with_syncs(f);
	assert_int_equal(feed_stats_get(f->feed)->lines, 5110);
	assert_int_equal(feed_stats_get(f->feed)->lost, 0);
}

static void a_replay_that_fails_is_asked_for_again(void **state)
{
	struct fixture *f = *state;

	f->failures_left = 2;
	start_haled(f, "e1");
	publish(f, 100);
	follow(f, FEED_FROM_CURSOR, NULL);
	until_lines(f, 100);
	assert_int_equal(f->replays, 3);
}

static void a_feed_opened_before_haled_waits_for_it(void **state)
{
	struct fixture *f = *state;

	follow(f, FEED_FROM_CURSOR, NULL);
	start_haled(f, "e1");
	publish(f, 100);
	until_lines(f, 100);
}

static void a_feed_may_be_closed_from_its_own_callback(void **state)
{
	struct fixture *f = *state;

	start_haled(f, "e1");
	publish(f, 100);
	f->closes_in_callback = true;
	follow(f, FEED_FROM_CURSOR, NULL);
	until_lines(f, 50);
	harness_until_closed(&f->h);
	assert_int_equal(f->expected, 50);
	assert_null(f->feed);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(live_lines_come_in_order_with_their_cursor),
		T(a_line_that_is_enough_as_text_is_not_handed_over_again),
		T(a_batch_ends_when_the_turn_ends),
		T(one_who_comes_late_gets_everything_from_the_oldest_line),
		T(a_stored_cursor_goes_on_where_it_stopped),
		T(a_burst_that_overflows_nng_is_healed_by_replay),
		T(what_the_ring_has_lost_is_stood_in_for_by_a_snapshot),
		T(from_snapshot_begins_with_one_and_counts_no_loss),
		T(from_now_brings_nothing_older),
		T(a_new_haled_with_a_journal_loses_nothing),
		T(a_new_haled_without_a_journal_sends_a_snapshot),
		T(what_was_sent_before_a_connection_was_made_is_asked_for),
		T(frames_of_a_later_version_are_counted_and_passed_over),
		T(what_comes_during_a_pause_is_asked_for_afterwards),
		T(a_replay_that_fails_is_asked_for_again),
		T(a_feed_opened_before_haled_waits_for_it),
		T(a_feed_may_be_closed_from_its_own_callback),
	};

	return cmocka_run_group_tests_name("bus.feed", tests, NULL, harness_finish);
}
