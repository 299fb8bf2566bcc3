/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "bus/outbox.h"

/* Room for so many one-byte lines. */
static void open_for(struct outbox *o, size_t lines)
{
	outbox_init(o, lines * (sizeof(struct outbox_line) + 2));
}

static size_t add(struct outbox *o, uint64_t seq, const char *topic)
{
	return outbox_add(o, seq, topic, "x", 1);
}

/* What would be sent from here on, as "1 2 5". */
static const char *rest(struct outbox *o)
{
	static char text[4096];
	const struct outbox_line *l;
	size_t at = 0;

	text[0] = '\0';
	for (; (l = outbox_peek(o)) != NULL; outbox_step(o))
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%d", at == 0 ? "" : " ",
				       (int)l->seq);
	return text;
}

static const char *everything(struct outbox *o)
{
	outbox_rewind(o);
	return rest(o);
}

static void lines_are_sent_once_and_kept_until_acknowledged(void **state)
{
	struct outbox o;

	(void)state;
	open_for(&o, 10);
	(void)add(&o, 1, "alert");
	(void)add(&o, 2, "alert");
	assert_string_equal(rest(&o), "1 2");
	(void)add(&o, 3, "alert");
	assert_string_equal(rest(&o), "3");
	assert_string_equal(rest(&o), "");
	outbox_ack(&o, 2);
	assert_string_equal(everything(&o), "3");
	assert_int_equal(o.n, 1);
	outbox_done(&o);
}

static void at_the_limit_the_oldest_observation_goes_first(void **state)
{
	struct outbox o;

	(void)state;
	open_for(&o, 3);
	assert_int_equal(add(&o, 1, "alert"), 0);
	assert_int_equal(add(&o, 2, "observation"), 0);
	assert_int_equal(add(&o, 3, "observation"), 0);
	assert_int_equal(add(&o, 4, "alert"), 1);
	assert_string_equal(everything(&o), "1 3 4");
	assert_int_equal(add(&o, 5, "alert"), 1);
	assert_string_equal(everything(&o), "1 4 5");
	outbox_done(&o);
}

static void without_observations_the_oldest_line_goes(void **state)
{
	struct outbox o;

	(void)state;
	open_for(&o, 2);
	(void)add(&o, 1, "alert");
	(void)add(&o, 2, "reconcile");
	assert_int_equal(add(&o, 3, "alert"), 1);
	assert_string_equal(everything(&o), "2 3");
	outbox_done(&o);
}

static void a_line_beyond_the_whole_limit_does_not_stay(void **state)
{
	struct outbox o;

	(void)state;
	outbox_init(&o, 10);
	assert_int_equal(add(&o, 1, "alert"), 1);
	assert_null(outbox_peek(&o));
	assert_int_equal(o.bytes, 0);
	outbox_done(&o);
}

static void an_acknowledgement_of_what_waits_moves_on(void **state)
{
	struct outbox o;

	(void)state;
	open_for(&o, 10);
	for (uint64_t seq = 1; seq <= 4; seq++)
		(void)add(&o, seq, "observation");
	(void)everything(&o);
	outbox_rewind(&o); /* all four wait again, and then the ack of the first sending comes */
	outbox_ack(&o, 3);
	assert_string_equal(rest(&o), "4");
	outbox_done(&o);
}

/* ---- against a naive model: an array that is searched from its beginning each time ---- */

struct model_line {
	uint64_t seq;
	size_t len;
	int is_observation;
	int is_sent;
};

struct model {
	struct model_line v[2000];
	size_t n;
	size_t max_bytes;
};

static size_t model_bytes(const struct model *m, int sent_only)
{
	size_t sum = 0;

	for (size_t i = 0; i < m->n; i++) {
		if (!sent_only || m->v[i].is_sent)
			sum += sizeof(struct outbox_line) + m->v[i].len + 1;
	}
	return sum;
}

static void model_remove(struct model *m, size_t i)
{
	memmove(&m->v[i], &m->v[i + 1], (m->n - i - 1) * sizeof(m->v[0]));
	m->n--;
}

static size_t model_trim(struct model *m)
{
	size_t dropped = 0;

	for (; model_bytes(m, 0) > m->max_bytes; dropped++) {
		size_t i = 0;

		while (i < m->n && !m->v[i].is_observation)
			i++;
		model_remove(m, i < m->n ? i : 0);
	}
	return dropped;
}

static void random_step(struct outbox *o, struct model *m, uint64_t *seq)
{
	char text[64] = {0};
	size_t first_unsent = 0, len = (size_t)(1 + rand() % 60), dropped;
	int is_observation = rand() % 2;

	switch (rand() % 5) {
	case 0:
	case 1:
		m->v[m->n++] = (struct model_line){++*seq, len, is_observation, 0};
		dropped = outbox_add(o, *seq, is_observation ? "observation" : "alert", text, len);
		assert_int_equal(dropped, model_trim(m));
		break;
	case 2:
		while (first_unsent < m->n && m->v[first_unsent].is_sent)
			first_unsent++;
		if (first_unsent == m->n) {
			assert_null(outbox_peek(o));
			break;
		}
		assert_int_equal(outbox_peek(o)->seq, m->v[first_unsent].seq);
		outbox_step(o);
		m->v[first_unsent].is_sent = 1;
		break;
	case 3:
		if (*seq == 0 || m->n == 0)
			break;
		outbox_ack(o, m->v[m->n / 4].seq);
		for (uint64_t through = m->v[m->n / 4].seq; m->n > 0 && m->v[0].seq <= through;)
			model_remove(m, 0);
		break;
	default:
		if (rand() % 10 != 0)
			break;
		outbox_rewind(o);
		for (size_t i = 0; i < m->n; i++)
			m->v[i].is_sent = 0;
	}
}

static void any_life_of_an_outbox_agrees_with_a_naive_one(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 30; seed++) {
		struct model *m = calloc(1, sizeof(*m));
		struct outbox o;
		uint64_t seq = 0;

		assert_non_null(m);
		srand(seed);
		m->max_bytes = 200 + seed * 150;
		outbox_init(&o, m->max_bytes);
		for (int step = 0; step < 2000; step++) {
			random_step(&o, m, &seq);
			assert_int_equal(o.n, m->n);
			assert_int_equal(o.bytes, model_bytes(m, 0));
			assert_int_equal(o.sent_bytes, model_bytes(m, 1));
		}
		outbox_done(&o);
		free(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_sent_once_and_kept_until_acknowledged),
		cmocka_unit_test(at_the_limit_the_oldest_observation_goes_first),
		cmocka_unit_test(without_observations_the_oldest_line_goes),
		cmocka_unit_test(a_line_beyond_the_whole_limit_does_not_stay),
		cmocka_unit_test(an_acknowledgement_of_what_waits_moves_on),
		cmocka_unit_test(any_life_of_an_outbox_agrees_with_a_naive_one),
	};

	return cmocka_run_group_tests_name("bus.outbox", tests, NULL, NULL);
}
