/* SPDX-License-Identifier: Apache-2.0 */
/* Export, import, export again: what left comes back, once, and what is wrong is named. */
#include "store_fixture.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "store/export.h"
#include "store/import.h"

static const struct import_live nothing_live = {.node = "", .epoch = ""};

static bool add_text(void *ctx, const char *data, size_t len)
{
	str_addn(ctx, data, len);
	return true;
}

static void export_all(struct fixture *f, struct str *out)
{
	const struct export_plan plan = {
		.format = TRANSFER_NDJSON, .what = transfer_set_of("all"), .hale = "test"};
	uint64_t counts[TRANSFER_WHAT_MAX];
	bool is_whole = false;

	must(f, export_run(f->h, &plan, add_text, out, counts, &is_whole, &f->err));
	assert_true(is_whole);
}

/* Every row of an export; heads and ends left out. */
static json_t *rows_of(const struct str *text)
{
	json_t *rows = json_array();
	const char *p = str_text(text);

	while (*p != '\0') {
		size_t len = strcspn(p, "\n");
		enum transfer_line kind;
		json_t *object = NULL;

		assert_int_equal(transfer_line_read(p, len, &kind, &object, NULL), 0);
		if (kind == TRANSFER_LINE_ROW)
			json_array_append(rows, object);
		json_decref(object);
		p += len + (p[len] == '\n');
	}
	return rows;
}

static json_t *import(struct fixture *f, const struct import_live *live, const json_t *rows)
{
	json_t *answer = NULL;

	must(f, import_rows(f->h, live, rows, &answer, &f->err));
	return answer;
}

static json_int_t member(const json_t *answer, const char *key)
{
	return json_integer_value(json_object_get(answer, key));
}

/* All kinds of rows, as the recorder writes them and as SQL does what no line makes yet. */
static void fill(struct fixture *f)
{
	open_writer(f);
	(void)put(f, "health", 1, HEALTHY(""));
	(void)put(f, "health", 2,
		  HEALTHY(",\"details\":{\"z\":1,\"a\":{\"y\":[1,2],\"b\":\"ü\"}}"));
	(void)put(f, "health", 3, DOWN);
	must(f, write_range(f, 4, 200));
	raw_script(
		f,
		"UPDATE epochs SET first_at = 1799999999000, last_at = 1800000999000;"
		"INSERT INTO alerts VALUES ('a1','web1','k','r','critical','resolved','api','m',"
		"1800000000000,1800000005000,2,1800000005000),"
		"('a2','web1',NULL,NULL,'warning','open',NULL,NULL,1800000001000,NULL,1,"
		"1800000001000);"
		"INSERT INTO notification_deliveries VALUES ('d1','a1','ops','failed',3,'no',"
		"1800000000100,1800000000200);"
		"INSERT INTO reconciliation_runs VALUES ('u1','web1','job',1800000000000,"
		"1800000000500,'manual',1,'failed',1,2,3,4,'[\"x\",\"y\"]',41200),"
		"('u2','web1','job',NULL,1800000001500,NULL,0,'done',0,0,0,0,NULL,NULL);"
		"INSERT INTO recovery_attempts (at, epoch_id, seq, component, action, trigger,"
		" outcome, message, took_us) VALUES (1800000003000,1,900,'api','restart',NULL,"
		"'done','ok',1500),(1800000004000,1,901,NULL,'a','manual','failed',NULL,NULL);"
		"INSERT INTO metrics (name) VALUES ('took_ms');"
		"INSERT INTO metric_rollups_5m (day, slot, metric_id, component_id, count, sum,"
		" min, max, p95, sketch) VALUES (20833, 96, 1, 1, 3, 123.4, 1, 100.5, 99.25, 's'),"
		"(20833, 97, 1, 1, 3, 0.1, -1, 100.5, 99.25, 't');"
		"INSERT INTO metric_rollups_1d (day, slot, metric_id, component_id, count, sum,"
		" min, max, p95, sketch) VALUES (20833, 0, 1, 1, 6, 246.8, 1, 100.5, 99.25, 'u')");
}

static void empty_store(struct fixture *f)
{
	store_close(TAKE_PTR(f->h));
	remove_files(f);
	open_writer(f);
}

static void all_comes_back_to_the_byte(void **state)
{
	HALE_CLEANUP(str_done) struct str before = {0}, after = {0};
	struct fixture *f = *state;
	json_t *rows, *answer;

	fill(f);
	export_all(f, &before);
	rows = rows_of(&before);
	assert_true(json_array_size(rows) > 200);
	empty_store(f);
	answer = import(f, &nothing_live, rows);
	assert_int_equal(json_array_size(json_object_get(answer, "bad")), 0);
	assert_int_equal(member(answer, "present"), 0);
	assert_int_equal(member(answer, "ahead"), 0);
	json_decref(answer);
	export_all(f, &after);
	assert_string_equal(str_text(&before), str_text(&after));
	/* Once more: all of it is there. */
	answer = import(f, &nothing_live, rows);
	assert_int_equal(member(answer, "present"), json_array_size(rows));
	assert_int_equal(json_object_size(json_object_get(answer, "imported")), 0);
	json_decref(answer);
	str_clear(&after);
	export_all(f, &after);
	assert_string_equal(str_text(&before), str_text(&after));
	json_decref(rows);
}

static void results_have_their_rollups_computed_anew(void **state)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	struct fixture *f = *state;
	json_t *rows, *answer;

	fill(f);
	export_all(f, &text);
	rows = rows_of(&text);
	empty_store(f);
	answer = import(f, &nothing_live, rows);
	json_decref(answer);
	/* 08:00 to 08:04 of 2027-01-15. */
	expect(f, "SELECT start FROM rollup_pending WHERE level = 0", "1800000000000;");
	/* Nothing new, nothing to compute. */
	raw_script(f, "DELETE FROM rollup_pending");
	answer = import(f, &nothing_live, rows);
	json_decref(answer);
	assert_int_equal(count(f, "rollup_pending"), 0);
	json_decref(rows);
}

static json_t *result_row(const char *epoch, json_int_t seq, const char *extra_key, json_t *extra)
{
	json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "what", "results", "at",
				"2027-01-15T08:00:01.000Z", "node", "web1", "component", "api",
				"status", "healthy", "outcome", "pass", "epoch", epoch, "seq", seq);

	if (extra_key != NULL)
		json_object_set_new(row, extra_key, extra);
	return row;
}

/* The writer stores what it has not come to; the import never stands in its way. */
static void what_the_bus_will_bring_is_left_to_it(void **state)
{
	struct fixture *f = *state;
	const struct import_live live = {.node = "web1", .epoch = "now"};
	json_t *rows = json_array(), *answer;

	open_writer(f);
	(void)put(f, "health", 5, HEALTHY(""));
	expect(f, "SELECT epoch FROM cursors", "e1;");
	raw_script(f, "UPDATE epochs SET last_seq = 5");
	json_array_append_new(rows, result_row("e1", 4, NULL, NULL));  /* lost once */
	json_array_append_new(rows, result_row("e1", 6, NULL, NULL));  /* not there yet */
	json_array_append_new(rows, result_row("now", 1, NULL, NULL)); /* not there yet */
	json_array_append_new(rows, result_row("old", 9, NULL, NULL));
	answer = import(f, &live, rows);
	assert_int_equal(member(answer, "ahead"), 2);
	assert_int_equal(member(json_object_get(answer, "imported"), "results"), 2);
	json_decref(answer);
	json_decref(rows);
	expect(f, "SELECT seq FROM results ORDER BY seq", "4;5;9;");
	expect(f, "SELECT last_seq FROM epochs WHERE epoch = 'e1'", "5;");
}

static void wrong_rows_are_named_and_keep_no_other_out(void **state)
{
	static const struct {
		const char *key, *json, *why;
	} cases[] = {
		{"at", "\"yesterday\"", "at: is no time"},
		{"status", "\"fine\"", "status: is not what results have there"},
		{"outcome", "null", "outcome: is missing"},
		{"seq", "\"7\"", "seq: is not"},
		{"node", "\"\"", "node: is missing"},
		{"component", "5", "component: is not"},
		{"took_ms", "\"x\"", "took_ms: is not"},
		{"metrics", "[1]", "metrics: is not"},
		{"details", "\"x\"", "details: is not"},
		{"what", "\"nonsense\"", "what: there are no such rows"},
	};
	struct fixture *f = *state;
	json_t *rows = json_array(), *answer, *bad;

	open_writer(f);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_array_append_new(rows, result_row("old", (json_int_t)i + 1, NULL, NULL));
		json_array_append_new(rows,
				      result_row("old", 1000, cases[i].key,
						 json_loads(cases[i].json, JSON_DECODE_ANY, NULL)));
	}
	answer = import(f, &nothing_live, rows);
	bad = json_object_get(answer, "bad");
	assert_int_equal(json_array_size(bad), ARRAY_LEN(cases));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const json_t *b = json_array_get(bad, i);

		assert_int_equal(member(b, "row"), 2 * i + 1);
		if (strstr(json_string_value(json_object_get(b, "error")), cases[i].why) == NULL)
			fail_msg("%s", json_string_value(json_object_get(b, "error")));
	}
	assert_int_equal(member(json_object_get(answer, "imported"), "results"), ARRAY_LEN(cases));
	json_decref(answer);
	json_decref(rows);
}

/* One transaction holds the lock for a bounded time only. */
static void a_piece_is_bounded(void **state)
{
	struct fixture *f = *state;
	json_t *rows = json_array(), *answer = NULL;

	open_writer(f);
	for (size_t i = 0; i <= IMPORT_ROWS_MAX; i++)
		json_array_append_new(rows, json_object());
	assert_int_equal(import_rows(f->h, &nothing_live, rows, &answer, &f->err), -EINVAL);
	assert_null(answer);
	json_decref(rows);
}

/* ---- exports ---- */

struct reader {
	size_t bytes, calls, stop_at;
};

static bool count_bytes(void *ctx, const char *data, size_t len)
{
	struct reader *r = ctx;

	(void)data;
	r->bytes += len;
	return ++r->calls != r->stop_at;
}

static void a_reader_that_has_enough_ends_it(void **state)
{
	struct fixture *f = *state;
	const struct export_plan plan = {.format = TRANSFER_NDJSON, .what = 1u << READ_RESULTS};
	struct reader r = {.stop_at = 1};
	uint64_t counts[TRANSFER_WHAT_MAX];
	bool is_whole = true;

	open_writer(f);
	must(f, write_range(f, 1, 3000));
	must(f, export_run(f->h, &plan, count_bytes, &r, counts, &is_whole, &f->err));
	assert_false(is_whole);
	assert_int_equal(r.calls, 1);
	/* One piece, not the whole of it in memory. */
	assert_in_range(r.bytes, EXPORT_PIECE_BYTES, EXPORT_PIECE_BYTES + 4096);
}

static void times_and_names_choose(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	struct fixture *f = *state;
	struct export_plan plan = {.format = TRANSFER_CSV,
				   .what = 1u << TRANSFER_METRICS,
				   .step_ms = 300000,
				   .from_ms = T0 + 300000};
	uint64_t counts[TRANSFER_WHAT_MAX];
	bool is_whole = false;

	fill(f);
	must(f, export_run(f->h, &plan, add_text, &out, counts, &is_whole, &f->err));
	assert_string_equal(str_text(&out),
			    "at,level,node,component,metric,count,sum,min,max,p95\r\n"
			    "2027-01-15T08:05:00.000Z,5m,web1,api,took_ms,3,0.1,-1.0,100.5,99.25"
			    "\r\n");
	assert_int_equal(counts[TRANSFER_METRICS], 1);
	str_clear(&out);
	plan.from_ms = 0;
	plan.component = "nobody";
	must(f, export_run(f->h, &plan, add_text, &out, counts, &is_whole, &f->err));
	assert_int_equal(counts[TRANSFER_METRICS], 0);
	plan.what = transfer_set_of("all");
	assert_int_equal(export_run(f->h, &plan, add_text, &out, counts, &is_whole, &f->err),
			 -EINVAL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)
	const struct CMUnitTest tests[] = {
		T(all_comes_back_to_the_byte),
		T(results_have_their_rollups_computed_anew),
		T(what_the_bus_will_bring_is_left_to_it),
		T(wrong_rows_are_named_and_keep_no_other_out),
		T(a_piece_is_bounded),
		T(a_reader_that_has_enough_ends_it),
		T(times_and_names_choose),
	};

	return cmocka_run_group_tests_name("store.import", tests, NULL, NULL);
}
