/* SPDX-License-Identifier: Apache-2.0 */
#include "store_fixture.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rnd.h"
#include "base/str.h"

/* --- reading --- */

static json_t *read_page(struct fixture *f, const struct read_query *q)
{
	json_t *out = NULL;

	must(f, read_rows(f->h, q, &out, &f->err));
	return out;
}

static void rows_come_newest_first_with_their_shape(void **state)
{
	struct fixture *f = *state;
	struct read_query q = {.what = READ_RESULTS};
	json_t *out, *expected;

	open_writer(f);
	(void)put(f, "health", 1, HEALTHY(""));
	(void)put(f, "health", 2, DOWN);
	out = read_page(f, &q);
	expected = json_loads(
		"{\"truncated\":false,\"cursor\":null,\"rows\":["
		"{\"at\":\"2027-01-15T08:00:02.000Z\",\"node\":\"web1\",\"component\":\"api\","
		"\"status\":\"down\",\"outcome\":\"down\",\"reason\":\"conn_refused\","
		"\"message\":\"Connection refused\",\"took_ms\":1.5,\"metrics\":{},"
		"\"details\":{\"address\":\"::1\"}},"
		"{\"at\":\"2027-01-15T08:00:01.000Z\",\"node\":\"web1\",\"component\":\"api\","
		"\"status\":\"healthy\",\"outcome\":\"pass\",\"reason\":\"ok\",\"message\":\"200\","
		"\"took_ms\":41.2,\"metrics\":{\"status_code\":200},\"details\":null}]}",
		0, NULL);
	assert_non_null(expected);
	if (!json_equal(out, expected))
		fail_msg("%s", json_dumps(out, JSON_INDENT(1)));
	json_decref(out);
	json_decref(expected);
	q.what = READ_TRANSITIONS;
	q.name = "overall";
	out = read_page(f, &q);
	expected = json_loads(
		"{\"truncated\":false,\"cursor\":null,\"rows\":["
		"{\"at\":\"2027-01-15T08:00:02.000Z\",\"node\":\"web1\",\"component\":\"overall\","
		"\"from\":\"healthy\",\"to\":\"critical\",\"reason\":null,\"message\":\"api is "
		"down\"}]}",
		0, NULL);
	assert_true(json_equal(out, expected));
	json_decref(out);
	json_decref(expected);
}

static void events_and_processes_have_their_shape(void **state)
{
	struct fixture *f = *state;
	struct read_query q = {.what = READ_EVENTS};
	json_t *out, *row;

	open_writer(f);
	must(f, write_range(f, 1, 2));
	out = read_page(f, &q);
	row = json_array_get(json_object_get(out, "rows"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "topic")), "event");
	assert_string_equal(json_string_value(json_object_get(row, "kind")), "start");
	assert_true(json_is_null(json_object_get(row, "subject")));
	assert_true(json_is_object(json_object_get(row, "details")));
	json_decref(out);
	q.what = READ_PROCESSES;
	q.name = "p";
	out = read_page(f, &q);
	row = json_array_get(json_object_get(out, "rows"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "process")), "p");
	assert_string_equal(json_string_value(json_object_get(row, "node")), "web1");
	assert_true(json_is_null(json_object_get(row, "last_exit")));
	json_decref(out);
}

static void time_and_name_filter(void **state)
{
	struct fixture *f = *state;
	struct read_query q = {.what = READ_RESULTS};
	json_t *out;

	open_writer(f);
	must(f, write_range(f, 1, 20));
	q.from_ms = T0 + 5000; /* line 5 is in */
	q.to_ms = T0 + 9000;   /* line 9 is not */
	out = read_page(f, &q);
	assert_int_equal(json_array_size(json_object_get(out, "rows")), 2); /* 5 and 8 */
	json_decref(out);
	q.name = "nobody";
	out = read_page(f, &q);
	assert_int_equal(json_array_size(json_object_get(out, "rows")), 0);
	assert_true(json_is_null(json_object_get(out, "cursor")));
	json_decref(out);
}

/* Whatever the page size, the pages together are the one list. */
static void pages_together_are_the_whole(void **state)
{
	struct fixture *f = *state;
	json_t *whole, *pages, *out;

	open_writer(f);
	must(f, write_range(f, 1, 83));
	for (enum read_what what = READ_RESULTS; what <= READ_PROCESSES; what++) {
		for (size_t limit = 1; limit < 60; limit += 7) {
			struct read_query q = {.what = what, .limit = 1000};
			char cursor[96] = "";

			out = read_page(f, &q);
			whole = json_incref(json_object_get(out, "rows"));
			json_decref(out);
			pages = json_array();
			q.limit = limit;
			do {
				bool is_more;

				q.cursor = cursor[0] != '\0' ? cursor : NULL;
				out = read_page(f, &q);
				(void)json_array_extend(pages, json_object_get(out, "rows"));
				is_more = json_is_true(json_object_get(out, "truncated"));
				assert_int_equal(is_more,
						 json_is_string(json_object_get(out, "cursor")));
				(void)snprintf(
					cursor, sizeof(cursor), "%s",
					is_more ? json_string_value(json_object_get(out, "cursor"))
						: "");
				json_decref(out);
			} while (cursor[0] != '\0');
			assert_true(json_equal(whole, pages));
			json_decref(whole);
			json_decref(pages);
		}
	}
}

static void a_bad_cursor_is_einval(void **state)
{
	static const char *const bad[] = {
		"",       "r",      "r1-2",    "r1-2-3-4", "r-1-2-3",
		"t1-2-3", "rx-2-3", "r1-2-3 ", "r1--2-3",  "r99999999999999999999-1-1"};
	struct fixture *f = *state;
	json_t *out = NULL;

	open_writer(f);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct read_query q = {.what = READ_RESULTS, .cursor = bad[i]};

		assert_int_equal(read_rows(f->h, &q, &out, &f->err), -EINVAL);
		assert_null(out);
	}
}

static void a_reader_reads_while_the_writer_writes(void **state)
{
	struct fixture *f = *state;
	struct read_query q = {.what = READ_RESULTS};
	struct store *reader = NULL;
	json_t *out = NULL;

	open_writer(f);
	must(f, store_open(&f->options, STORE_READER, &reader, &f->err));
	must(f, write_range(f, 1, 10));
	must(f, read_rows(reader, &q, &out, &f->err));
	assert_int_equal(json_array_size(json_object_get(out, "rows")), 6);
	json_decref(out);
	store_close(reader);
}

/* --- purge --- */

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_come_newest_first_with_their_shape),
		TEST(events_and_processes_have_their_shape),
		TEST(time_and_name_filter),
		TEST(pages_together_are_the_whole),
		TEST(a_bad_cursor_is_einval),
		TEST(a_reader_reads_while_the_writer_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
