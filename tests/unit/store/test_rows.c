/* SPDX-License-Identifier: Apache-2.0 */
/* What lines become, without a store: classes, rows of their own, and what is alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/status.h"
#include "known.h"
#include "shape.h"
#include "store/rows.h"

#define LINE(sec, message, took, extra)                                                            \
	"{\"at\":\"2027-01-15T08:00:" sec "Z\",\"node\":\"web1\",\"component\":\"api\","           \
	"\"transition\":false,\"previous\":\"healthy\",\"no_data\":false,\"state\":{"              \
	"\"kind\":\"http\",\"status\":\"healthy\",\"since\":\"2027-01-15T07:00:00.000Z\","         \
	"\"message\":\"" message "\",\"reason\":\"ok\",\"outcome\":\"pass\",\"took_ms\":" took     \
	",\"error_count\":3,\"last_check\":\"2027-01-15T08:00:" sec "Z\",\"metrics\":{"            \
	"\"status_code\":200.0,\"bytes\":" took "},\"details\":{\"ip\":\"::1\"}" extra "}}"

static struct store_line line_of(const char *topic, const char *text)
{
	return (struct store_line){
		.topic = topic, .epoch = "e1", .seq = 1, .text = text, .len = strlen(text)};
}

static void lines_have_a_class(void **state)
{
	static const struct {
		const char *topic, *text;
		enum line_class class;
	} cases[] = {
		{"health", LINE("01.000", "ok", "1.0", ""), LINE_RESULT},
		{"health", "{\"transition\":true,\"state\":{}}", LINE_TRANSITION},
		{"health", "{\"transition\":false,\"overall\":{\"transition\":true},\"state\":{}}",
		 LINE_TRANSITION},
		{"health", "{\"transition\":false,\"overall\":{\"transition\":false},\"state\":{}}",
		 LINE_RESULT},
		{"health", "nonsense", LINE_RESULT},
		{"process", "{}", LINE_OTHER},
		{"event", "{}", LINE_OTHER},
		{"snapshot", "{}", LINE_TRANSITION},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct store_line line = line_of(cases[i].topic, cases[i].text);

		assert_int_equal(line_classify(&line), cases[i].class);
	}
}

/* --- results --- */

struct seen {
	struct str text;
	uint64_t shape;
};

static void add(struct str *out, struct row_text t)
{
	str_addf(out, " %.*s", t.text != NULL ? (int)t.len : 1, t.text != NULL ? t.text : "-");
}

static int on_result(void *ctx, const struct row_result *r)
{
	struct seen *s = ctx;

	s->shape = r->shape;
	str_addf(&s->text, "%lld %d %d %lld", (long long)(r->at_ms % 60000), r->status, r->outcome,
		 (long long)r->took_us);
	add(&s->text, r->message);
	add(&s->text, r->metrics);
	add(&s->text, r->details);
	return 0;
}

static void expect_result(struct rows_reader *r, const char *text, const char *expected,
			  uint64_t *shape)
{
	const struct row_sink sink = {.result = on_result};
	struct store_line line = line_of("health", text);
	struct seen seen = {0};

	assert_int_equal(rows_read(r, &line, &sink, &seen), 0);
	assert_string_equal(str_text(&seen.text), expected);
	*shape = seen.shape;
	str_done(&seen.text);
}

static void lines_that_differ_in_numbers_have_one_shape(void **state)
{
	struct rows_reader *r = rows_reader_new();
	uint64_t a, b;

	(void)state;
	expect_result(r, LINE("01.500", "HTTP 200 in 1 ms", "1.25", ""),
		      "1500 0 0 1250 HTTP 200 in 1 ms 200,1.25 {\"ip\":\"::1\"}", &a);
	expect_result(r, LINE("02.501", "HTTP 200 in 117 ms", "117.0", ""),
		      "2501 0 0 117000 HTTP 200 in 117 ms 200,117 {\"ip\":\"::1\"}", &b);
	assert_true(a != 0 && a == b);
	/* Another word, another minute's second, another member: read anew, and kept. */
	expect_result(r, LINE("59.999", "HTTP 204 in 1 ms", "0.0005", ""),
		      "59999 0 0 1 HTTP 204 in 1 ms 200,0.0005 {\"ip\":\"::1\"}", &b);
	assert_true(b != 0 && a != b);
	expect_result(r, LINE("59.999", "HTTP 204 in 1 ms", "0.0005", ",\"labels\":{}"),
		      "59999 0 0 1 HTTP 204 in 1 ms 200,0.0005 {\"ip\":\"::1\"}", &a);
	assert_true(a != 0 && a != b);
	/* Escapes are read as what they stand for. */
	expect_result(r, LINE("03.000", "say \\\"hi\\\"", "1.0", ""),
		      "3000 0 0 1000 say \"hi\" 200,1 {\"ip\":\"::1\"}", &a);
	expect_result(r, LINE("04.000", "say \\\"hi\\\"", "2.0", ""),
		      "4000 0 0 2000 say \"hi\" 200,2 {\"ip\":\"::1\"}", &b);
	assert_true(a != 0 && a == b);
	rows_reader_free(r);
}

static uint64_t hash_of(const char *message)
{
	return shape_message_hash((struct row_text){message, strlen(message)});
}

static void measures_in_a_message_are_no_news(void **state)
{
	(void)state;
	assert_true(hash_of("HTTP 200 in 1 ms") == hash_of("HTTP 200 in 2301 ms"));
	assert_true(hash_of("cpu 3.5 %, disk 81%") == hash_of("cpu 99 %, disk 7%"));
	assert_true(hash_of("HTTP 200 in 1 ms") != hash_of("HTTP 204 in 1 ms"));
	assert_true(hash_of("version 15.3") != hash_of("version 15.4"));
	assert_true(hash_of("3 states") != hash_of("4 states"));
	assert_true(hash_of("") != 0);
}

/* --- known --- */

static struct row_text text(const char *t)
{
	return (struct row_text){t, strlen(t)};
}

static void a_state_is_due_at_once_if_it_differs_and_else_every_five_seconds(void **state)
{
	struct known k = {.now_ms = 1000};
	struct known_entry *e = known_get(&k, text("web1"), text("api"));
	struct row_result row = {.status = STATUS_HEALTHY, .is_routine = true};
	struct store_line line = line_of("health", "first"), due;
	size_t at = 0;

	(void)state;
	known_touch(&k, e);
	known_note(&k, e, &row, &line);
	assert_ptr_equal(known_due(&k, &at, false, &due), e);
	known_stored(&k, e, STATUS_HEALTHY);
	known_commit(&k);
	/* The same again is not worth it, until its time has come: then the newest line. */
	k.now_ms += KNOWN_STATE_EVERY_MS - 1;
	line = line_of("health", "second");
	known_touch(&k, e);
	known_note(&k, e, &row, &line);
	at = 0;
	assert_null(known_due(&k, &at, false, &due));
	known_commit(&k);
	line.text = "gone";
	k.now_ms++;
	at = 0;
	assert_ptr_equal(known_due(&k, &at, false, &due), e);
	assert_string_equal(due.text, "second");
	/* What was not committed is due again; another status is due at once. */
	known_stored(&k, e, STATUS_HEALTHY);
	known_rollback(&k);
	at = 0;
	assert_ptr_equal(known_due(&k, &at, false, &due), e);
	known_stored(&k, e, STATUS_HEALTHY);
	known_commit(&k);
	row.status = STATUS_DOWN;
	line = line_of("health", "third");
	known_touch(&k, e);
	known_note(&k, e, &row, &line);
	at = 0;
	assert_ptr_equal(known_due(&k, &at, false, &due), e);
	known_done(&k);
}

static void a_message_is_told_again_each_day(void **state)
{
	struct known k = {0};
	struct known_entry *e = known_get(&k, text("web1"), text("api"));
	struct row_result row = {.status = STATUS_HEALTHY, .message = text("200"), .shape = 7};

	(void)state;
	assert_true(known_tell(e, &row).message);
	assert_false(known_tell(e, &row).message);
	row.at_ms = KNOWN_NEWS_MS;
	assert_true(known_tell(e, &row).message);
	row.status = STATUS_DEGRADED;
	assert_true(known_tell(e, &row).message && known_tell(e, &row).details);
	known_done(&k);
}

static void what_is_known_gets_old_in_a_day(void **state)
{
	struct known k = {0};

	(void)state;
	assert_false(known_is_old(&k, 5000));
	assert_false(known_is_old(&k, 5000 + KNOWN_AGE_MS - 1));
	assert_true(known_is_old(&k, 5000 + KNOWN_AGE_MS));
	assert_true(known_is_old(&k, 4999));
	known_done(&k);
	assert_false(known_is_old(&k, 4999));
	known_done(&k);
}

static void nodes_and_names_do_not_run_together(void **state)
{
	struct known k = {0};

	(void)state;
	assert_ptr_not_equal(known_get(&k, text("ab"), text("c")),
			     known_get(&k, text("a"), text("bc")));
	known_done(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_have_a_class),
		cmocka_unit_test(lines_that_differ_in_numbers_have_one_shape),
		cmocka_unit_test(measures_in_a_message_are_no_news),
		cmocka_unit_test(a_state_is_due_at_once_if_it_differs_and_else_every_five_seconds),
		cmocka_unit_test(a_message_is_told_again_each_day),
		cmocka_unit_test(what_is_known_gets_old_in_a_day),
		cmocka_unit_test(nodes_and_names_do_not_run_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
