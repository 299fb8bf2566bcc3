/* SPDX-License-Identifier: Apache-2.0 */
/* What an export looks like, to the byte, and what is read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/transfer.h"

#define RESULT                                                                                     \
	"{\"at\":\"2026-11-22T01:00:00.000Z\",\"node\":\"web1\",\"component\":\"api\","            \
	"\"status\":\"healthy\",\"outcome\":\"pass\",\"reason\":\"ok\",\"message\":\"200\","       \
	"\"took_ms\":41.2,\"metrics\":{\"b\":2,\"a\":0.007},\"details\":null,\"epoch\":\"e1\","    \
	"\"seq\":7}"

static json_t *parse(const char *text)
{
	json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);

	if (v == NULL)
		fail_msg("no JSON: %s", text);
	return v;
}

static void add_row(struct transfer *t, const char *text, struct str *out)
{
	json_t *row = parse(text);

	transfer_row(t, row, out);
	json_decref(row);
}

static void kinds_have_names_and_lists_are_sets(void **state)
{
	(void)state;
	assert_int_equal(transfer_set_of("results"), 1u << READ_RESULTS);
	assert_int_equal(transfer_set_of("events,metrics"),
			 1u << READ_EVENTS | 1u << TRANSFER_METRICS);
	assert_int_equal(transfer_set_of("all"), (1u << TRANSFER_EPOCHS) - 1);
	assert_int_equal(transfer_set_of(""), 0);
	assert_int_equal(transfer_set_of("results,"), 0);
	assert_int_equal(transfer_set_of("results,nonsense"), 0);
	/* They come with every NDJSON export and with nothing else. */
	assert_int_equal(transfer_set_of("epochs"), 0);
	for (int what = 0; what < TRANSFER_WHAT_MAX; what++)
		assert_int_equal(transfer_what_of(transfer_what_name(what)), what);
	assert_int_equal(transfer_format_of("csv"), TRANSFER_CSV);
	assert_int_equal(transfer_format_of("xml"), -1);
}

static void ndjson_says_what_it_is_and_ends_with_its_counts(void **state)
{
	const struct transfer_head head = {.hale = "0.1.0",
					   .schema = 2,
					   .component = "api",
					   .from_ms = 1,
					   .what = 1u << READ_RESULTS | 1u << READ_EVENTS};
	HALE_CLEANUP(str_done) struct str out = {0};
	struct transfer t;

	(void)state;
	transfer_begin(&t, TRANSFER_NDJSON, &head, &out);
	transfer_open(&t, READ_RESULTS, &out);
	add_row(&t, RESULT, &out);
	transfer_open(&t, READ_EVENTS, &out);
	transfer_end(&t, &out);
	assert_string_equal(
		str_text(&out),
		"{\"hale_export\":1,\"hale\":\"0.1.0\",\"schema\":2,\"node\":null,"
		"\"component\":\"api\",\"from\":\"1970-01-01T00:00:00.001Z\",\"to\":null,"
		"\"what\":[\"results\",\"events\"]}\n"
		"{\"what\":\"results\",\"at\":\"2026-11-22T01:00:00.000Z\",\"node\":\"web1\","
		"\"component\":\"api\",\"status\":\"healthy\",\"outcome\":\"pass\",\"reason\":"
		"\"ok\",\"message\":\"200\",\"took_ms\":41.2,\"metrics\":{\"a\":0.007,\"b\":2},"
		"\"details\":null,\"epoch\":\"e1\",\"seq\":7}\n"
		"{\"hale_export_end\":true,\"counts\":{\"results\":1}}\n");
}

static void json_of_one_kind_is_an_array(void **state)
{
	const struct transfer_head head = {.what = 1u << READ_RESULTS};
	HALE_CLEANUP(str_done) struct str out = {0};
	struct transfer t;
	json_t *all;

	(void)state;
	transfer_begin(&t, TRANSFER_JSON, &head, &out);
	transfer_open(&t, READ_RESULTS, &out);
	transfer_end(&t, &out);
	assert_string_equal(str_text(&out), "[\n]\n");
	str_clear(&out);
	transfer_begin(&t, TRANSFER_JSON, &head, &out);
	transfer_open(&t, READ_RESULTS, &out);
	add_row(&t, RESULT, &out);
	add_row(&t, RESULT, &out);
	transfer_end(&t, &out);
	all = parse(str_text(&out));
	assert_int_equal(json_array_size(all), 2);
	json_decref(all);
}

static void json_of_several_kinds_is_an_object_of_arrays(void **state)
{
	const struct transfer_head head = {.what = 1u << READ_RESULTS | 1u << READ_EVENTS};
	HALE_CLEANUP(str_done) struct str out = {0};
	struct transfer t;
	json_t *all;

	(void)state;
	transfer_begin(&t, TRANSFER_JSON, &head, &out);
	transfer_open(&t, READ_RESULTS, &out);
	add_row(&t, RESULT, &out);
	add_row(&t, RESULT, &out);
	transfer_open(&t, READ_EVENTS, &out);
	transfer_end(&t, &out);
	all = parse(str_text(&out));
	assert_int_equal(json_array_size(json_object_get(all, "results")), 2);
	assert_int_equal(json_array_size(json_object_get(all, "events")), 0);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(all, "counts"), "results")), 2);
	json_decref(all);
}

static const char *csv_of(struct str *out, int what, const char *row)
{
	const struct transfer_head head = {.what = 1u << what};
	struct transfer t;

	str_clear(out);
	transfer_begin(&t, TRANSFER_CSV, &head, out);
	transfer_open(&t, what, out);
	add_row(&t, row, out);
	transfer_end(&t, out);
	return strchr(str_text(out), '\n') + 1;
}

static void csv_has_names_and_quotes_as_rfc_4180(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	(void)state;
	assert_string_equal(csv_of(&out, READ_RESULTS, RESULT),
			    "2026-11-22T01:00:00.000Z,web1,api,healthy,pass,ok,200,41.2,"
			    "\"{\"\"a\"\":0.007,\"\"b\"\":2}\",,e1,7\r\n");
	assert_true(str_starts(str_text(&out), "at,node,component,status,outcome,reason,message,"
					       "took_ms,metrics,details,epoch,seq\r\n"));
	assert_string_equal(
		csv_of(&out, READ_TRANSITIONS,
		       "{\"at\":\"a,b\",\"node\":\"say \\\"x\\\"\",\"component\":\"l1\\nl2\","
		       "\"from\":null,\"to\":\"\",\"reason\":\" x\",\"message\":\"x \"}"),
		"\"a,b\",\"say \"\"x\"\"\",\"l1\nl2\",,\"\",\" x\",\"x \",,\r\n");
}

static void csv_keeps_formulas_from_spreadsheets(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	(void)state;
	assert_string_equal(
		csv_of(&out, READ_TRANSITIONS,
		       "{\"at\":\"=1+1\",\"node\":\"+x\",\"component\":\"-y\",\"from\":\"@z\","
		       "\"to\":\"\\tt\",\"reason\":\"\\rr\",\"message\":\"=HYPERLINK(\\\"x\\\")\","
		       "\"seq\":-5}"),
		"\"'=1+1\",\"'+x\",\"'-y\",\"'@z\",\"'\tt\",\"'\rr\","
		"\"'=HYPERLINK(\"\"x\"\")\",,-5\r\n");
}

/* The columns are written by hand, the rows by read.c: no member may be forgotten. */
static void csv_has_a_column_for_every_member(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	(void)state;
	for (int what = 0; what < TRANSFER_EPOCHS; what++) {
		(void)csv_of(&out, what, "{}");
		assert_non_null(strstr(str_text(&out), "at,"));
		assert_non_null(strstr(str_text(&out), "node,"));
	}
}

static int read_line(const char *text, enum transfer_line *kind_r, struct err *err)
{
	json_t *object = NULL;
	int rc = transfer_line_read(text, strlen(text), kind_r, &object, err);

	assert_true((object != NULL) == (rc == 0));
	json_decref(object);
	return rc;
}

static void lines_are_told_apart(void **state)
{
	static const struct {
		const char *text;
		int rc;
		enum transfer_line kind;
		const char *why;
	} cases[] = {
		{"{\"hale_export\":1}", 0, TRANSFER_LINE_HEAD, NULL},
		{"{\"hale_export_end\":true,\"counts\":{}}", 0, TRANSFER_LINE_END, NULL},
		{"{\"what\":\"results\"}", 0, TRANSFER_LINE_ROW, NULL},
		{"{\"what\":\"epochs\"}", 0, TRANSFER_LINE_ROW, NULL},
		{"{\"hale_export\":2}", -EPROTONOSUPPORT, 0,
		 "the export has format version 2, this hale reads 1"},
		{"{\"hale_export\":\"1\"}", -EINVAL, 0, "is no number"},
		{"{\"what\":\"nonsense\"}", -EINVAL, 0, "what 'nonsense': there are no such rows"},
		{"{\"at\":\"x\"}", -EINVAL, 0, "does not say in \"what\""},
		{"[1]", -EINVAL, 0, "is no JSON object"},
		{"{\"what\":\"resu", -EINVAL, 0, "is no JSON object"},
		{"{\"what\":\"results\",\"what\":\"events\"}", -EINVAL, 0, "duplicate"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum transfer_line kind = TRANSFER_LINE_HEAD;
		struct err err = {0};

		assert_int_equal(read_line(cases[i].text, &kind, &err), cases[i].rc);
		if (cases[i].rc == 0)
			assert_int_equal(kind, cases[i].kind);
		else if (strstr(err.text, cases[i].why) == NULL)
			fail_msg("%s: %s", cases[i].text, err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_have_names_and_lists_are_sets),
		cmocka_unit_test(ndjson_says_what_it_is_and_ends_with_its_counts),
		cmocka_unit_test(json_of_one_kind_is_an_array),
		cmocka_unit_test(json_of_several_kinds_is_an_object_of_arrays),
		cmocka_unit_test(csv_has_names_and_quotes_as_rfc_4180),
		cmocka_unit_test(csv_keeps_formulas_from_spreadsheets),
		cmocka_unit_test(csv_has_a_column_for_every_member),
		cmocka_unit_test(lines_are_told_apart),
	};

	return cmocka_run_group_tests_name("store.transfer", tests, NULL, NULL);
}
