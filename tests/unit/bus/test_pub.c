/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "bus/inbox.h"
#include "bus/pub.h"
#include "bus/sub.h"

#define EPOCH "check.test:1"

/* haled's end and a child's end of results.ipc, in one loop. */
struct fixture {
	struct harness h;
	struct pub *pub;
	struct sub *sub;
	struct inbox *inbox;
	struct str seen; /* "1:observation 2:alert " */
	uint64_t wanted; /* lines to wait for */
	bool is_deaf;    /* frames are lost, as when nng's buffer was full */
	bool acks_at_once;
	uint64_t heard; /* frames that came while deaf */
};

static void on_line(void *ctx, const char *service, uint64_t generation, const char *topic,
		    uint64_t seq, const char *line, size_t len)
{
	struct fixture *f = ctx;

	assert_string_equal(service, "check.test");
	assert_int_equal(generation, 1);
	assert_true(len >= 2 && line[0] == '{');
	str_addf(&f->seen, "%d:%s ", (int)seq, topic);
}

static const struct inbox_ops ops = {.on_line = on_line};

static void acknowledge(struct fixture *f)
{
	json_t *sync = inbox_acks(f->inbox);

	pub_on_sync(f->pub, sync);
	json_decref(sync);
}

static void on_frame(void *ctx, const struct frame *frame)
{
	struct fixture *f = ctx;

	f->heard++;
	if (f->is_deaf)
		return;
	if (inbox_accept(f->inbox, frame, &ops, f) && f->acks_at_once)
		acknowledge(f);
}

static int setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	harness_open(&f.h);
	f.inbox = inbox_new();
	f.acks_at_once = true;
	*state = &f;
	return 0;
}

static void stop_listening(struct fixture *f)
{
	f->h.closing++;
	sub_close(f->sub, harness_closed, &f->h);
	f->sub = NULL;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->sub != NULL)
		stop_listening(f);
	f->h.closing++;
	pub_close(f->pub, harness_closed, &f->h);
	harness_close(&f->h);
	inbox_free(f->inbox);
	str_done(&f->seen);
	return 0;
}

static void listen_here(struct fixture *f)
{
	assert_int_equal(sub_listen(&f->h.loop, f->h.path, NULL, on_frame, f, &f->sub, NULL), 0);
}

static void dial(struct fixture *f, size_t outbox_bytes)
{
	assert_int_equal(pub_dial(&f->h.loop, f->h.path, EPOCH, outbox_bytes, &f->pub, NULL), 0);
}

static void say(struct fixture *f, const char *topic)
{
	assert_true(pub_line(f->pub, topic, "{}", 2) > 0);
}

static bool has_all(void *ctx)
{
	struct fixture *f = ctx;

	return inbox_stats_get(f->inbox)->lines >= f->wanted;
}

static void until_lines(struct fixture *f, uint64_t n)
{
	f->wanted = n;
	harness_until(&f->h, has_all, f);
}

static bool is_all_acked(void *ctx)
{
	struct fixture *f = ctx;

	return pub_unacked(f->pub) == 0;
}

static void lines_of_one_turn_travel_in_one_frame_per_topic(void **state)
{
	struct fixture *f = *state;

	listen_here(f);
	dial(f, 1 << 20);
	say(f, "observation");
	until_lines(f, 1);
	say(f, "observation");
	say(f, "observation");
	say(f, "alert");
	say(f, "observation");
	until_lines(f, 5);
	assert_string_equal(str_text(&f->seen),
			    "1:observation 2:observation 3:observation 4:alert 5:observation ");
	assert_int_equal(pub_stats_get(f->pub)->frames, 4);
	assert_int_equal(pub_stats_get(f->pub)->resent, 0);
	assert_int_equal(pub_stats_get(f->pub)->pending, 0);
}

static void a_burst_is_cut_into_frames_of_bounded_size(void **state)
{
	struct fixture *f = *state;

	listen_here(f);
	dial(f, 64 << 20);
	for (int i = 0; i < 100000; i++)
		say(f, "observation");
	until_lines(f, 100000);
	harness_until(&f->h, is_all_acked, f);
	/* 3 bytes a line. */
	assert_in_range(pub_stats_get(f->pub)->frames, 5, 20);
	assert_int_equal(inbox_stats_get(f->inbox)->gaps, 0);
	assert_int_equal(pub_stats_get(f->pub)->dropped, 0);
}

static void lines_wait_for_a_listener_that_comes_late(void **state)
{
	struct fixture *f = *state;

	dial(f, 1 << 20);
	say(f, "observation");
	say(f, "alert");
	pub_flush(f->pub);
	assert_int_equal(pub_stats_get(f->pub)->frames, 0);
	listen_here(f);
	until_lines(f, 2);
	assert_string_equal(str_text(&f->seen), "1:observation 2:alert ");
	assert_int_equal(pub_unacked(f->pub), 0);
}

static bool has_heard(void *ctx)
{
	struct fixture *f = ctx;

	return f->heard > 0;
}

static void lost_lines_are_sent_again_in_order(void **state)
{
	struct fixture *f = *state;

	listen_here(f);
	dial(f, 1 << 20);
	f->is_deaf = true;
	say(f, "observation");
	say(f, "alert");
	harness_until(&f->h, has_heard, f);
	f->is_deaf = false;
	say(f, "observation");
	until_lines(f, 3);
	assert_string_equal(str_text(&f->seen), "1:observation 2:alert 3:observation ");
	assert_true(pub_stats_get(f->pub)->resent >= 2);
	assert_int_equal(pub_unacked(f->pub), 0);
}

static void a_lost_acknowledgement_is_asked_for_by_repeating(void **state)
{
	struct fixture *f = *state;

	listen_here(f);
	dial(f, 1 << 20);
	f->acks_at_once = false;
	say(f, "alert");
	until_lines(f, 1);
	assert_int_equal(pub_unacked(f->pub), 1);
	f->acks_at_once = true;
	harness_until(&f->h, is_all_acked, f);
	assert_string_equal(str_text(&f->seen), "1:alert ");
	assert_true(inbox_stats_get(f->inbox)->duplicates > 0);
}

static void a_new_listener_goes_on_where_the_last_one_acknowledged(void **state)
{
	struct fixture *f = *state;

	listen_here(f);
	dial(f, 1 << 20);
	say(f, "alert");
	say(f, "alert");
	until_lines(f, 2);
	assert_int_equal(pub_unacked(f->pub), 0);
	stop_listening(f);
	harness_until_closed(&f->h);
	say(f, "reconcile");
	/* One that remembers nothing: the marker tells it where to begin. */
	inbox_free(f->inbox);
	f->inbox = inbox_new();
	listen_here(f);
	until_lines(f, 1);
	assert_string_equal(str_text(&f->seen), "1:alert 2:alert 3:reconcile ");
	harness_until(&f->h, is_all_acked, f);
}

static void at_the_limit_observations_go_and_the_rest_arrives(void **state)
{
	struct fixture *f = *state;
	uint64_t dropped;

	dial(f, 4000);
	say(f, "alert");
	for (int i = 0; i < 100; i++)
		say(f, "observation");
	say(f, "alert");
	dropped = pub_stats_get(f->pub)->dropped;
	assert_in_range(dropped, 50, 99);
	assert_int_equal(pub_stats_get(f->pub)->pending, 102 - dropped);
	listen_here(f);
	until_lines(f, 102 - dropped);
	assert_int_equal(strncmp(str_text(&f->seen), "1:alert ", 8), 0);
	assert_true(str_ends(str_text(&f->seen), "101:observation 102:alert "));
	harness_until(&f->h, is_all_acked, f);
	assert_int_equal(inbox_stats_get(f->inbox)->skipped, dropped);
	assert_int_equal(inbox_stats_get(f->inbox)->gaps, 0);
}

static void a_hole_at_the_very_end_is_announced_too(void **state)
{
	struct fixture *f = *state;
	char big[4000] = "{}";

	memset(big + 2, ' ', sizeof(big) - 2);
	listen_here(f);
	dial(f, 1000);
	say(f, "alert");
	until_lines(f, 1);
	assert_int_equal(pub_line(f->pub, "alert", big, sizeof(big)), 2);
	assert_int_equal(pub_stats_get(f->pub)->dropped, 1);
	harness_until(&f->h, is_all_acked, f);
	assert_int_equal(inbox_stats_get(f->inbox)->skipped, 1);
	say(f, "alert");
	until_lines(f, 2);
	assert_string_equal(str_text(&f->seen), "1:alert 3:alert ");
}

static void a_line_too_long_for_a_frame_is_not_taken(void **state)
{
	struct fixture *f = *state;
	size_t len = FRAME_MAX_BYTES;
	char *line = malloc(len);

	assert_non_null(line);
	memset(line, ' ', len);
	dial(f, 64 << 20);
	assert_int_equal(pub_line(f->pub, "alert", line, len), 0);
	assert_int_equal(pub_head(f->pub), 0);
	assert_int_equal(pub_stats_get(f->pub)->dropped, 1);
	/* The longest that is taken arrives. */
	memcpy(line, "{}", 2);
	listen_here(f);
	assert_int_equal(pub_line(f->pub, "alert", line, len - 256), 1);
	until_lines(f, 1);
	free(line);
}

static void newlines_inside_a_json_text_do_not_end_the_line(void **state)
{
	struct fixture *f = *state;

	listen_here(f);
	dial(f, 1 << 20);
	assert_int_equal(pub_line(f->pub, "alert", "{\n\n}", 4), 1);
	until_lines(f, 1);
	assert_string_equal(str_text(&f->seen), "1:alert ");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(lines_of_one_turn_travel_in_one_frame_per_topic),
		T(a_burst_is_cut_into_frames_of_bounded_size),
		T(lines_wait_for_a_listener_that_comes_late),
		T(lost_lines_are_sent_again_in_order),
		T(a_lost_acknowledgement_is_asked_for_by_repeating),
		T(a_new_listener_goes_on_where_the_last_one_acknowledged),
		T(at_the_limit_observations_go_and_the_rest_arrives),
		T(a_hole_at_the_very_end_is_announced_too),
		T(a_line_too_long_for_a_frame_is_not_taken),
		T(newlines_inside_a_json_text_do_not_end_the_line),
	};

	return cmocka_run_group_tests_name("bus.pub", tests, NULL, harness_finish);
}
