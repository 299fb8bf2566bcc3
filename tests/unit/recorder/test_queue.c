/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rnd.h"
#include "model/frame.h"
#include "queue.h"

static struct store_entry make_line(uint64_t seq)
{
	return (struct store_entry){.topic = mem_dup(TOPIC_HEALTH),
				    .epoch = mem_dup("e"),
				    .seq = seq,
				    .object = json_pack("{s:s}", "component", "api")};
}

static void push(struct queue *q, enum queue_class class, uint64_t seq)
{
	struct store_entry line = make_line(seq);

	queue_push(q, class, &line);
}

/* 0 if the queue is empty. */
static uint64_t pop(struct queue *q)
{
	struct store_entry line;
	uint64_t seq;

	if (!queue_pop(q, &line))
		return 0;
	seq = line.seq;
	queue_line_done(&line);
	return seq;
}

/* What one of these lines weighs. */
static size_t line_bytes(void)
{
	struct queue q = {.bytes_max = SIZE_MAX};
	size_t bytes;

	push(&q, QUEUE_RESULT, 1);
	bytes = q.bytes;
	queue_done(&q);
	return bytes;
}

static void expect_class(const char *topic, const char *json, enum queue_class class)
{
	json_t *object = json_loads(json, 0, NULL);

	assert_non_null(object);
	assert_int_equal(queue_classify(topic, object), class);
	json_decref(object);
}

static void a_change_of_status_is_worth_more_than_a_result(void **state)
{
	(void)state;
	expect_class("health", "{\"transition\":false}", QUEUE_RESULT);
	expect_class("health", "{}", QUEUE_RESULT);
	expect_class("health", "{\"transition\":true}", QUEUE_TRANSITION);
	expect_class("health", "{\"transition\":false,\"overall\":{\"transition\":false}}",
		     QUEUE_RESULT);
	expect_class("health", "{\"transition\":false,\"overall\":{\"transition\":true}}",
		     QUEUE_TRANSITION);
	expect_class("process", "{}", QUEUE_OTHER);
	expect_class("alert", "{\"transition\":true}", QUEUE_OTHER);
	expect_class("snapshot", "{}", QUEUE_TRANSITION);
}

static void lines_leave_in_the_order_they_came(void **state)
{
	struct queue q = {.bytes_max = SIZE_MAX};

	(void)state;
	push(&q, QUEUE_TRANSITION, 1);
	push(&q, QUEUE_RESULT, 2);
	push(&q, QUEUE_OTHER, 3);
	push(&q, QUEUE_RESULT, 4);
	for (uint64_t seq = 1; seq <= 4; seq++)
		assert_int_equal(pop(&q), seq);
	assert_int_equal(pop(&q), 0);
	assert_int_equal(q.bytes, 0);
}

static void at_the_limit_the_oldest_result_goes_first(void **state)
{
	struct queue q = {.bytes_max = 3 * line_bytes()};

	(void)state;
	push(&q, QUEUE_TRANSITION, 1);
	push(&q, QUEUE_RESULT, 2);
	push(&q, QUEUE_RESULT, 3);
	push(&q, QUEUE_OTHER, 4); /* 2 goes */
	push(&q, QUEUE_OTHER, 5); /* 3 goes */
	push(&q, QUEUE_OTHER, 6); /* 4 goes */
	assert_int_equal(q.dropped[QUEUE_RESULT], 2);
	assert_int_equal(q.dropped[QUEUE_OTHER], 1);
	assert_int_equal(q.dropped[QUEUE_TRANSITION], 0);
	assert_int_equal(queue_dropped(&q), 3);
	assert_int_equal(pop(&q), 1);
	assert_int_equal(pop(&q), 5);
	assert_int_equal(pop(&q), 6);
}

static void only_transitions_left_means_the_oldest_of_them_goes(void **state)
{
	struct queue q = {.bytes_max = 2 * line_bytes()};

	(void)state;
	for (uint64_t seq = 1; seq <= 5; seq++)
		push(&q, QUEUE_TRANSITION, seq);
	assert_int_equal(q.dropped[QUEUE_TRANSITION], 3);
	assert_int_equal(pop(&q), 4);
	assert_int_equal(pop(&q), 5);
}

static void a_longer_line_weighs_more(void **state)
{
	struct queue q = {.bytes_max = SIZE_MAX};
	struct store_entry line = make_line(1);
	char *text = mem_alloc(5001);

	(void)state;
	memset(text, 'x', 5000);
	(void)json_object_set_new(line.object, "details", json_pack("{s:[s, i]}", "a", text, 7));
	queue_push(&q, QUEUE_RESULT, &line);
	assert_true(q.bytes > line_bytes() + 5000);
	assert_true(q.bytes < line_bytes() + 6000);
	queue_done(&q);
	free(text);
}

/* --- against a list that is searched for everything --- */

#define MODEL_MAX 4000

struct model {
	struct {
		uint64_t seq;
		enum queue_class class;
	} v[MODEL_MAX];
	size_t n, limit;
	uint64_t dropped;
};

static void model_remove(struct model *m, size_t at)
{
	memmove(&m->v[at], &m->v[at + 1], (m->n - at - 1) * sizeof(m->v[0]));
	m->n--;
}

static void model_push(struct model *m, enum queue_class class, uint64_t seq)
{
	m->v[m->n].seq = seq;
	m->v[m->n++].class = class;
	if (m->n <= m->limit)
		return;
	for (enum queue_class c = QUEUE_RESULT; c < QUEUE_CLASS_MAX; c++) {
		for (size_t i = 0; i < m->n; i++) {
			if (m->v[i].class == c) {
				model_remove(m, i);
				m->dropped++;
				return;
			}
		}
	}
}

static uint64_t model_pop(struct model *m)
{
	uint64_t seq = m->n > 0 ? m->v[0].seq : 0;

	if (m->n > 0)
		model_remove(m, 0);
	return seq;
}

static void it_behaves_like_a_plain_list(void **state)
{
	struct model *m = mem_alloc(sizeof(*m));
	struct queue q = {.bytes_max = 50 * line_bytes()};

	(void)state;
	m->limit = 50;
	for (uint64_t seq = 1; seq <= 50000; seq++) {
		if (rnd_u32() % 5 < 3) {
			enum queue_class class = (enum queue_class)(rnd_u32() % QUEUE_CLASS_MAX);

			push(&q, class, seq);
			model_push(m, class, seq);
		} else {
			assert_int_equal(pop(&q), model_pop(m));
		}
		assert_int_equal(q.n, m->n);
		assert_int_equal(queue_dropped(&q), m->dropped);
		assert_true(q.bytes <= q.bytes_max);
	}
	assert_true(m->dropped > 100);
	queue_done(&q);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_of_status_is_worth_more_than_a_result),
		cmocka_unit_test(lines_leave_in_the_order_they_came),
		cmocka_unit_test(at_the_limit_the_oldest_result_goes_first),
		cmocka_unit_test(only_transitions_left_means_the_oldest_of_them_goes),
		cmocka_unit_test(a_longer_line_weighs_more),
		cmocka_unit_test(it_behaves_like_a_plain_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
