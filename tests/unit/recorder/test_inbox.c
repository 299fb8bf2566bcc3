/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rnd.h"
#include "inbox.h"
#include "model/frame.h"

static void push_text(struct inbox *in, enum line_class class, uint64_t seq, const char *text)
{
	inbox_push(in, class,
		   &(struct store_line){.topic = TOPIC_HEALTH,
					.epoch = "e1",
					.seq = seq,
					.text = text,
					.len = strlen(text)});
}

static void push(struct inbox *in, enum line_class class, uint64_t seq)
{
	char text[40];

	(void)snprintf(text, sizeof(text), "{\"seq\":%d}", (int)seq);
	push_text(in, class, seq, text);
}

/* 0 if it is empty. */
static uint64_t take(struct inbox *in)
{
	struct chunks held = {0};
	struct record r = {0};
	char text[40];

	if (!inbox_take(in, &held, &r))
		return 0;
	(void)snprintf(text, sizeof(text), "{\"seq\":%d}", (int)r.line.seq);
	assert_string_equal(r.line.text, text);
	assert_int_equal(r.line.len, strlen(text));
	assert_string_equal(r.line.topic, TOPIC_HEALTH);
	assert_string_equal(r.line.epoch, "e1");
	chunks_done(&held);
	return r.line.seq;
}

static void lines_leave_in_the_order_they_came(void **state)
{
	struct inbox in = {0};

	(void)state;
	push(&in, LINE_TRANSITION, 1);
	push(&in, LINE_RESULT, 2);
	push(&in, LINE_OTHER, 3);
	push(&in, LINE_RESULT, 4);
	for (uint64_t seq = 1; seq <= 4; seq++)
		assert_int_equal(take(&in), seq);
	assert_int_equal(take(&in), 0);
	assert_int_equal(in.bytes, 0);
	inbox_done(&in);
}

static void the_oldest_of_the_least_class_goes_first(void **state)
{
	static const enum line_class order[] = {LINE_RESULT, LINE_RESULT, LINE_OTHER,
						LINE_TRANSITION, LINE_CLASS_MAX};
	struct inbox in = {0};

	(void)state;
	push(&in, LINE_TRANSITION, 1);
	push(&in, LINE_RESULT, 2);
	push(&in, LINE_OTHER, 3);
	push(&in, LINE_RESULT, 4);
	assert_int_equal(inbox_drop(&in), LINE_RESULT);
	assert_int_equal(take(&in), 1);
	push(&in, LINE_TRANSITION, 5);
	push(&in, LINE_RESULT, 6);
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		assert_int_equal(inbox_drop(&in), order[i]);
	inbox_done(&in);
}

static void a_line_longer_than_a_chunk_is_a_line(void **state)
{
	size_t len = 3 * INBOX_CHUNK_BYTES;
	char *text = mem_alloc(len + 1);
	struct chunks held = {0};
	struct inbox in = {0};
	struct record r;

	(void)state;
	memset(text, 'x', len);
	push(&in, LINE_RESULT, 1);
	push_text(&in, LINE_RESULT, 2, text);
	push(&in, LINE_RESULT, 3);
	assert_true(in.bytes > len);
	assert_int_equal(take(&in), 1);
	assert_true(inbox_first(&in, &r));
	assert_true(inbox_take(&in, &held, &r));
	assert_string_equal(r.line.text, text);
	assert_int_equal(take(&in), 3);
	chunks_done(&held);
	inbox_done(&in);
	free(text);
}

static void what_was_moved_out_comes_back_before_what_came_since(void **state)
{
	struct inbox_list lists[LINE_CLASS_MAX];
	struct inbox in = {0};

	(void)state;
	push(&in, LINE_RESULT, 1);
	push(&in, LINE_TRANSITION, 2);
	inbox_move(&in, lists);
	assert_int_equal(in.n, 0);
	assert_int_equal(in.bytes, 0);
	push(&in, LINE_RESULT, 3);
	push(&in, LINE_OTHER, 4);
	inbox_put_back(&in, lists);
	for (uint64_t seq = 1; seq <= 4; seq++)
		assert_int_equal(take(&in), seq);
	inbox_done(&in);
}

static void a_batch_outlives_what_it_was_taken_from(void **state)
{
	struct chunks held = {0};
	struct inbox in = {0};
	struct record r[500];

	(void)state;
	for (uint64_t seq = 1; seq <= 1000; seq++)
		push(&in, LINE_RESULT, seq);
	for (size_t i = 0; i < ARRAY_LEN(r); i++)
		assert_true(inbox_take(&in, &held, &r[i]));
	inbox_done(&in);
	for (size_t i = 0; i < ARRAY_LEN(r); i++)
		assert_int_equal(r[i].line.seq, i + 1);
	assert_ptr_equal(record_of(&r[3].line) + r[3].size, record_of(&r[4].line));
	chunks_done(&held);
}

/* --- against a list that is searched for everything --- */

#define MODEL_MAX 4000

struct model {
	struct {
		uint64_t seq;
		enum line_class class;
	} v[MODEL_MAX];
	size_t n;
};

static void model_remove(struct model *m, size_t at)
{
	memmove(&m->v[at], &m->v[at + 1], (m->n - at - 1) * sizeof(m->v[0]));
	m->n--;
}

static void model_drop(struct model *m)
{
	for (enum line_class c = LINE_RESULT; c < LINE_CLASS_MAX; c++) {
		for (size_t i = 0; i < m->n; i++) {
			if (m->v[i].class == c) {
				model_remove(m, i);
				return;
			}
		}
	}
}

static void it_behaves_like_a_plain_list(void **state)
{
	struct model *m = mem_alloc(sizeof(*m));
	struct inbox in = {0};

	(void)state;
	for (uint64_t seq = 1; seq <= 50000; seq++) {
		if (rnd_u32() % 5 < 3) {
			enum line_class class = (enum line_class)(rnd_u32() % LINE_CLASS_MAX);

			push(&in, class, seq);
			m->v[m->n].seq = seq;
			m->v[m->n++].class = class;
		} else {
			uint64_t first = m->n > 0 ? m->v[0].seq : 0;

			assert_int_equal(take(&in), first);
			if (m->n > 0)
				model_remove(m, 0);
		}
		for (; m->n > 1500; model_drop(m))
			(void)inbox_drop(&in);
		assert_int_equal(in.n, m->n);
	}
	assert_true(m->n > 1000);
	inbox_done(&in);
	free(m);
}

static void a_record_that_was_touched_is_none(void **state)
{
	const struct store_line line = {
		.topic = TOPIC_EVENT, .epoch = "e", .seq = 7, .text = "{}", .len = 2};
	char bytes[200];
	struct record r;
	size_t size = record_size(&line);

	(void)state;
	record_write(bytes, 99, &line);
	record_seal(bytes);
	assert_true(record_check(bytes, size, &r));
	assert_int_equal(r.number, 99);
	assert_int_equal(r.line.seq, 7);
	assert_int_equal(r.size, size);
	for (size_t i = 0; i < size; i++) {
		assert_false(record_check(bytes, i, &r));
		bytes[i] ^= 4;
		assert_false(record_check(bytes, size, &r));
		bytes[i] ^= 4;
	}
	/* The check value of this sum (RFC 3720 does not have it; every table of CRCs does). */
	assert_int_equal(record_crc("123456789", 9), 0xCBF43926);
	assert_int_equal(record_crc("", 0), 0);
	assert_int_equal(record_crc("The quick brown fox jumps over the lazy dog", 43), 0x414FA339);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_leave_in_the_order_they_came),
		cmocka_unit_test(the_oldest_of_the_least_class_goes_first),
		cmocka_unit_test(a_line_longer_than_a_chunk_is_a_line),
		cmocka_unit_test(what_was_moved_out_comes_back_before_what_came_since),
		cmocka_unit_test(a_batch_outlives_what_it_was_taken_from),
		cmocka_unit_test(it_behaves_like_a_plain_list),
		cmocka_unit_test(a_record_that_was_touched_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
