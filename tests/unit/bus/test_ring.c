/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "bus/ring.h"
#include "model/frame.h"

static void add(struct ring *r, const char *epoch, uint64_t seq, const char *topic,
		const char *line)
{
	ring_add(r, epoch, seq, topic, line, strlen(line));
}

/* Appends "epoch/seq/topic/line " for every line of the frames, and moves the cursor. */
static void print_frames(const json_t *frames, struct str *out, char epoch[FRAME_EPOCH_MAX],
			 uint64_t *seq)
{
	for (size_t i = 0; i < json_array_size(frames); i++) {
		const json_t *text = json_array_get(frames, i);
		struct frame f;
		size_t cursor = 0, len;
		const char *line;
		uint64_t n;

		assert_int_equal(frame_parse(json_string_value(text), json_string_length(text), &f),
				 0);
		n = f.first_seq;
		while (frame_line(&f, &cursor, &line, &len))
			str_addf(out, "%s/%d/%s/%.*s ", f.epoch, (int)n++, f.topic, (int)len, line);
		strcpy(epoch, f.epoch);
		*seq = n - 1;
	}
}

/* All that follows, asked for as a subscriber does; "too old" if the ring says so. */
static char *follow(const struct ring *r, const char *epoch, uint64_t after, size_t max_bytes)
{
	char at[FRAME_EPOCH_MAX] = "";
	struct str out = {0};
	bool more = true;

	strcpy(at, epoch);
	while (more) {
		json_t *frames;

		if (ring_replay(r, at, after, max_bytes, &frames, &more) != RING_OK) {
			str_clear(&out);
			str_add(&out, "too old");
			break;
		}
		if (more)
			assert_true(json_array_size(frames) > 0);
		print_frames(frames, &out, at, &after);
		json_decref(frames);
	}
	str_add(&out, "");
	return str_take(&out);
}

static void assert_follows(const struct ring *r, const char *epoch, uint64_t after,
			   const char *expected)
{
	char *got = follow(r, epoch, after, 1 << 20);

	assert_string_equal(got == NULL ? "" : got, expected);
	free(got);
}

static void an_empty_ring_has_nothing_to_follow(void **state)
{
	struct ring *r = ring_new(1 << 20);

	(void)state;
	assert_follows(r, "", 0, "");
	assert_follows(r, "e", 0, "too old");
	ring_free(r);
}

static void replay_gives_what_came_after_the_cursor(void **state)
{
	struct ring *r = ring_new(1 << 20);

	(void)state;
	add(r, "e", 1, "health", "a");
	add(r, "e", 2, "health", "b");
	add(r, "e", 3, "alert", "c");
	assert_follows(r, "", 0, "e/1/health/a e/2/health/b e/3/alert/c ");
	assert_follows(r, "e", 0, "e/1/health/a e/2/health/b e/3/alert/c ");
	assert_follows(r, "e", 2, "e/3/alert/c ");
	assert_follows(r, "e", 3, "");
	ring_free(r);
}

static void a_cursor_ahead_of_the_newest_line_needs_a_snapshot(void **state)
{
	struct ring *r = ring_new(1 << 20);

	(void)state;
	add(r, "e", 1, "health", "a");
	assert_follows(r, "e", 9, "too old");
	ring_free(r);
}

static void lines_of_a_former_epoch_come_first(void **state)
{
	struct ring *r = ring_new(1 << 20);

	(void)state;
	add(r, "old", 7, "health", "a");
	add(r, "old", 8, "health", "b");
	add(r, "new", 1, "health", "c");
	assert_follows(r, "old", 7, "old/8/health/b new/1/health/c ");
	assert_follows(r, "old", 8, "new/1/health/c ");
	assert_follows(r, "old", 5, "too old");
	assert_follows(r, "", 0, "old/7/health/a old/8/health/b new/1/health/c ");
	ring_free(r);
}

static void the_end_of_an_epoch_whose_lines_all_left_is_still_known(void **state)
{
	struct ring *r = ring_new(400);

	(void)state;
	add(r, "old", 1, "health", "a");
	for (uint64_t seq = 1; seq <= 4; seq++)
		add(r, "new", seq, "health", "b");
	assert_int_equal(ring_evicted(r), 0);
	add(r, "new", 5, "health", "b");
	assert_int_equal(ring_evicted(r), 1);
	assert_follows(r, "old", 0, "too old");
	assert_follows(r, "old", 1,
		       "new/1/health/b new/2/health/b new/3/health/b new/4/health/b "
		       "new/5/health/b ");
	ring_free(r);
}

static void from_the_oldest_line_on_means_behind_the_last_hole(void **state)
{
	struct ring *r = ring_new(1 << 20);

	(void)state;
	add(r, "a", 1, "health", "x");
	add(r, "b", 5, "health", "y"); /* the journal lacks the beginning of b */
	add(r, "c", 1, "health", "z");
	assert_follows(r, "", 0, "b/5/health/y c/1/health/z ");
	assert_follows(r, "a", 1, "too old");
	ring_free(r);
}

static void a_full_ring_lets_the_oldest_go(void **state)
{
	struct ring *r = ring_new(1000);

	(void)state;
	for (uint64_t seq = 1; seq <= 100; seq++) {
		add(r, "e", seq, "health", "line");
		assert_true(ring_bytes(r) <= 1000);
	}
	assert_true(ring_evicted(r) > 80);
	assert_follows(r, "e", 0, "too old");
	assert_follows(r, "", 0, "too old");
	assert_follows(r, "e", 98, "e/99/health/line e/100/health/line ");
	ring_free(r);
}

static void a_line_larger_than_the_ring_is_lost_and_known_to_be(void **state)
{
	struct ring *r = ring_new(200);
	char big[300];

	(void)state;
	memset(big, 'x', sizeof(big));
	add(r, "e", 1, "health", "a");
	ring_add(r, "e", 2, "health", big, sizeof(big));
	assert_int_equal(ring_bytes(r), 0);
	assert_follows(r, "e", 1, "too old");
	assert_follows(r, "e", 2, "");
	add(r, "e", 3, "health", "b");
	assert_follows(r, "e", 2, "e/3/health/b ");
	ring_free(r);
}

static void an_answer_stops_near_the_asked_size(void **state)
{
	struct ring *r = ring_new(64 << 20);
	char line[1000];
	json_t *frames;
	bool more;
	size_t bytes = 0;

	(void)state;
	memset(line, 'x', sizeof(line));
	for (uint64_t seq = 1; seq <= 1000; seq++)
		ring_add(r, "e", seq, "health", line, sizeof(line));
	assert_int_equal(ring_replay(r, "e", 0, 200000, &frames, &more), RING_OK);
	assert_true(more);
	for (size_t i = 0; i < json_array_size(frames); i++) {
		size_t len = json_string_length(json_array_get(frames, i));

		assert_true(len <= FRAME_FLUSH_BYTES + 100);
		bytes += len;
	}
	assert_in_range(bytes, 200000, 200000 + FRAME_FLUSH_BYTES + 100);
	json_decref(frames);
	ring_free(r);
}

static void bytes_that_are_no_utf8_do_not_stop_a_replay(void **state)
{
	struct ring *r = ring_new(1 << 20);

	(void)state;
	add(r, "e", 1, "health", "\"\xff\xfe\"");
	assert_follows(r, "e", 0, "e/1/health/\"??\" ");
	ring_free(r);
}

/* ---- against a naive model: everything that ever was, with a mark on what is still kept ---- */

#define MODEL_MAX 4000

struct model_line {
	int epoch;
	uint64_t seq;
	const char *topic;
	char text[12];
	size_t bytes; /* 0: a line that only the former haled had */
	int is_kept;
};

struct model {
	struct model_line v[MODEL_MAX];
	size_t n;
	size_t bytes;
	uint64_t last_seq;
	int epoch;
};

static void model_evict(struct model *m, size_t room, size_t max_bytes)
{
	for (size_t i = 0; i < m->n && m->bytes + room > max_bytes; i++) {
		if (!m->v[i].is_kept)
			continue;
		m->v[i].is_kept = 0;
		m->bytes -= m->v[i].bytes;
	}
}

static void model_add(struct model *m, const char *topic, const char *text, size_t bytes,
		      size_t max_bytes)
{
	struct model_line *l = &m->v[m->n];

	model_evict(m, bytes, max_bytes);
	l->epoch = m->epoch;
	l->seq = ++m->last_seq;
	l->topic = topic;
	strcpy(l->text, text);
	l->bytes = bytes;
	l->is_kept = bytes <= max_bytes;
	m->bytes += l->is_kept ? bytes : 0;
	m->n++;
}

static void model_skip_to(struct model *m, uint64_t seq)
{
	while (m->last_seq + 1 < seq) {
		struct model_line *l = &m->v[m->n++];

		memset(l, 0, sizeof(*l));
		l->epoch = m->epoch;
		l->seq = ++m->last_seq;
	}
}

/* epoch -1: from the oldest line on. */
static char *model_follow(const struct model *m, int epoch, uint64_t after)
{
	struct str out = {0};
	bool is_whole =
		epoch < 0 || epoch < m->epoch || (epoch == m->epoch && after <= m->last_seq);

	for (size_t i = 0; i < m->n; i++) {
		const struct model_line *l = &m->v[i];

		if (l->epoch < epoch || (l->epoch == epoch && l->seq <= after))
			continue;
		if (l->is_kept)
			str_addf(&out, "e%d/%d/%s/%s ", l->epoch, (int)l->seq, l->topic, l->text);
		else if (epoch >= 0 || l->epoch == m->epoch)
			is_whole = false;
		else
			str_clear(&out); /* what follows the last hole is whole */
	}
	if (!is_whole) {
		str_clear(&out);
		str_add(&out, "too old");
	}
	str_add(&out, "");
	return str_take(&out);
}

static void compare(const struct ring *r, const struct model *m, int epoch, uint64_t after)
{
	char name[16] = "", *got, *expected;

	if (epoch >= 0)
		(void)snprintf(name, sizeof(name), "e%d", epoch);
	got = follow(r, name, after, (size_t)(1 + rand() % 400));
	expected = model_follow(m, epoch, after);
	assert_string_equal(got == NULL ? "" : got, expected == NULL ? "" : expected);
	free(got);
	free(expected);
}

static void one_random_life(unsigned seed)
{
	static const char *const topics[] = {"health", "alert", "event"};
	size_t max_bytes = 300 + seed % 3000;
	/* What an entry costs is the ring's own affair; taken from it, not repeated here. */
	struct ring *probe = ring_new(1 << 20), *r = ring_new(max_bytes);
	struct model *m = calloc(1, sizeof(*m));
	size_t overhead;

	assert_non_null(m);
	ring_add(probe, "e", 1, "t", "", 0);
	overhead = ring_bytes(probe) - 1;
	ring_free(probe);
	srand(seed);
	for (int step = 0; step < 600; step++) {
		char name[16], text[12];
		const char *topic = topics[rand() % 3];

		if (rand() % 60 == 0) {
			max_bytes = 300 + (size_t)(rand() % 20000);
			ring_resize(r, max_bytes);
			model_evict(m, 0, max_bytes);
		}
		if (m->last_seq > 0 && rand() % 40 == 0 && m->epoch < 20) {
			m->epoch++;
			m->last_seq = 0;
			if (rand() % 4 == 0)
				model_skip_to(m, (uint64_t)(1 + rand() % 5));
		}
		(void)snprintf(name, sizeof(name), "e%d", m->epoch);
		(void)snprintf(text, sizeof(text), "%d", rand() % 100000);
		model_add(m, topic, text, strlen(text) + strlen(topic) + overhead, max_bytes);
		add(r, name, m->last_seq, topic, text);
		assert_int_equal(ring_bytes(r), m->bytes);
		compare(r, m, rand() % (m->epoch + 3) - 1, (uint64_t)(rand() % 60));
		compare(r, m, m->epoch,
			m->last_seq - HALE_MIN(m->last_seq, (uint64_t)(rand() % 9)));
	}
	ring_free(r);
	free(m);
}

static void a_smaller_bound_takes_effect_at_once(void **state)
{
	struct ring *r = ring_new(1 << 20);

	(void)state;
	for (uint64_t seq = 1; seq <= 1000; seq++)
		add(r, "e", seq, "t", "x");
	ring_resize(r, ring_bytes(r) / 10);
	assert_int_equal(ring_evicted(r), 900);
	assert_follows(r, "e", 900 - 1, "too old");
	ring_resize(r, 1 << 20);
	add(r, "e", 1001, "t", "y");
	assert_follows(r, "e", 999, "e/1000/t/x e/1001/t/y ");
	assert_int_equal(ring_evicted(r), 900);
	ring_free(r);
}

static void any_life_of_a_ring_agrees_with_a_naive_one(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 40; seed++)
		one_random_life(seed * 7919);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_ring_has_nothing_to_follow),
		cmocka_unit_test(replay_gives_what_came_after_the_cursor),
		cmocka_unit_test(a_cursor_ahead_of_the_newest_line_needs_a_snapshot),
		cmocka_unit_test(lines_of_a_former_epoch_come_first),
		cmocka_unit_test(the_end_of_an_epoch_whose_lines_all_left_is_still_known),
		cmocka_unit_test(from_the_oldest_line_on_means_behind_the_last_hole),
		cmocka_unit_test(a_full_ring_lets_the_oldest_go),
		cmocka_unit_test(a_line_larger_than_the_ring_is_lost_and_known_to_be),
		cmocka_unit_test(an_answer_stops_near_the_asked_size),
		cmocka_unit_test(bytes_that_are_no_utf8_do_not_stop_a_replay),
		cmocka_unit_test(a_smaller_bound_takes_effect_at_once),
		cmocka_unit_test(any_life_of_a_ring_agrees_with_a_naive_one),
	};

	return cmocka_run_group_tests_name("bus.ring", tests, NULL, NULL);
}
