/* SPDX-License-Identifier: Apache-2.0 */
/* The kind `compare`, asked through the runner: files, SQLite, a PostgreSQL, and an HTTP peer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../db/pg_server.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "kind.h"
#include "peer.h"
#include "db/db.h"

static char dir[] = "/tmp/hale-compare-XXXXXX";
static struct pg_server server;

static const char sync_sql[] = "SELECT symbol, quantity FROM positions WHERE status = 'open'";

/* ---- Where the rows are ---- */

static const char *path_of(const char *name)
{
	static char path[2][96];
	static int at;

	at = !at;
	(void)snprintf(path[at], sizeof(path[at]), "%s/%s", dir, name);
	return path[at];
}

static void put(const char *name, const char *content)
{
	struct err err = {0};

	if (file_write_atomic(path_of(name), content, strlen(content), 0644, &err) != 0)
		fail_msg("%s", err.text);
}

static void script(enum db_engine engine, const char *sql)
{
	struct db_target target = {.engine = engine,
				   .where = engine == DB_SQLITE ? path_of("db") : server.conninfo};
	struct err err = {0};
	struct db *db = NULL;

	if (db_open(&target, &db, &err) != 0 || db_script(db, sql, &err) != 0)
		fail_msg("%s", err.text);
	db_close(db);
}

static const char *file(const char *name)
{
	static char text[2][160];
	static int at;

	at = !at;
	(void)snprintf(text[at], sizeof(text[at]), "{\"file\": {\"path\": \"%s\"}}", path_of(name));
	return text[at];
}

static const char *sqlite(const char *query)
{
	static char text[512];

	(void)snprintf(text, sizeof(text),
		       "{\"sql\": {\"sqlite\": {\"path\": \"%s\"}, \"query\": \"%s\"}}",
		       path_of("db"), query);
	return text;
}

static const char *postgres(const char *query)
{
	static char text[512];

	(void)snprintf(text, sizeof(text),
		       "{\"sql\": {\"postgres\": {\"dsn\": \"%s\"}, \"query\": \"%s\"}}",
		       server.conninfo, query);
	return text;
}

static const char *http(int port, const char *more)
{
	static char text[256];

	(void)snprintf(text, sizeof(text), "{\"http\": {\"url\": \"http://127.0.0.1:%d/p\"%s}}",
		       port, more);
	return text;
}

/* ---- Asking ---- */

static char *options(const char *a, const char *b, const char *more)
{
	return mem_printf("{\"a\": %s, \"b\": %s, \"names\": {\"a\": \"IB\", \"b\": \"DB\"}%s}", a,
			  b, more);
}

static json_t *ask_for(const char *a, const char *b, const char *more, int64_t timeout_ms)
{
	HALE_CLEANUP(cleanup_free) char *text = options(a, b, more);

	return kind_ask(text, timeout_ms);
}

static json_t *ask(const char *a, const char *b, const char *more)
{
	return ask_for(a, b, more, 10000);
}

/* Looks at the observation and drops it. */
static void is(json_t *o, const char *outcome, const char *reason, const char *message)
{
	assert_string_equal(kind_text(o, "message"), message);
	assert_string_equal(kind_text(o, "reason"), reason);
	assert_string_equal(kind_text(o, "outcome"), outcome);
	json_decref(o);
}

static void expect_detail(const json_t *o, const char *name, const char *json)
{
	char *got = json_dumps(json_object_get(json_object_get(o, "details"), name),
			       JSON_ENCODE_ANY | JSON_COMPACT);

	assert_string_equal(got != NULL ? got : "(none)", json);
	free(got);
}

/* A source that cannot be read; the part is of the detail `error`. */
static void expect_failed(json_t *o, const char *part)
{
	const char *error =
		json_string_value(json_object_get(json_object_get(o, "details"), "error"));

	if (error == NULL || strstr(error, part) == NULL)
		fail_msg("%s: %s", kind_text(o, "message"), error);
	is(o, "error", "source_failed", "Unable to check");
}

#define BY_SYMBOL ", \"key\": [\"symbol\"], \"columns\": {\"quantity\": \"exact\"}"
#define POSITIONS BY_SYMBOL ", \"quantity\": \"quantity\""

/* ---- Counting ---- */

static void equal_numbers_of_rows_are_in_sync(void **state)
{
	json_t *o;

	(void)state;
	put("a.csv", "symbol\nAAPL\nMSFT\n");
	put("b.json", "[{\"s\": 1}, {\"s\": 2}]");
	o = ask(file("a.csv"), file("b.json"), "");
	assert_true(kind_metric(o, "count_a") == 2);
	assert_true(kind_metric(o, "count_b") == 2);
	expect_detail(o, "ib_count", "2");
	expect_detail(o, "db_count", "2");
	is(o, "pass", "ok", "In sync");
}

static void other_numbers_are_a_mismatch_in_the_sources_words(void **state)
{
	json_t *o;

	(void)state;
	put("a.csv", "symbol\nAAPL\nMSFT\nTSLA\n");
	put("b.json", "[{\"s\": 1}, {\"s\": 2}]");
	o = ask(file("a.csv"), file("b.json"), "");
	expect_detail(o, "ib_count", "3");
	expect_detail(o, "db_count", "2");
	is(o, "warn", "different", "Mismatch: IB=3, DB=2");
	is(ask(file("a.csv"), file("b.json"), ", \"severity\": \"fail\""), "fail", "different",
	   "Mismatch: IB=3, DB=2");
	is(ask(file("a.csv"), file("b.json"), ", \"count_tolerance\": 1"), "pass", "ok", "In sync");
}

static void a_count_may_be_a_value(void **state)
{
	(void)state;
	put("a.json", "{\"positions\": [1, 2, 3], \"total\": 2}");
	is(ask("{\"http\": {\"url\": \"http://127.0.0.1:1\"}}", file("a.json"), ""), "error",
	   "source_failed", "Unable to check");
	is(ask(sqlite("SELECT COUNT(*) FROM positions WHERE status = 'open'"),
	       postgres("SELECT count(*) FROM positions WHERE status = 'open'"), ""),
	   "pass", "ok", "In sync");
	is(ask(sqlite("SELECT symbol FROM positions"), postgres("SELECT count(*) FROM positions"),
	       ""),
	   "pass", "ok", "In sync");
	/* One row with one number is no count unless it is called so. */
	is(ask(sqlite("SELECT 7"), postgres("SELECT 1"), ""), "pass", "ok", "In sync");
	expect_failed(ask(sqlite("SELECT 'many' AS count"), postgres("SELECT 1"), ""),
		      "IB: the count is no number");
	expect_failed(ask(sqlite("SELECT 1 AS count UNION SELECT 2"), postgres("SELECT 1"), ""),
		      "IB: the query gave more than one count");
}

/* ---- By key ---- */

static void rows_are_compared_by_key(void **state)
{
	json_t *o;

	(void)state;
	put("ib.json", "[{\"symbol\": \"AAPL\", \"quantity\": 10.0},"
		       " {\"symbol\": \"MSFT\", \"quantity\": 5.5}]");
	is(ask(file("ib.json"), sqlite(sync_sql), POSITIONS), "pass", "ok", "In sync");
	is(ask(file("ib.json"), postgres(sync_sql), POSITIONS), "pass", "ok", "In sync");
	put("ib.csv", "symbol;quantity\nMSFT;5.50\n\"AAPL\";10\n");
	o = ask("{\"file\": {\"path\": \"/nonexistent.csv\"}}", sqlite(sync_sql), POSITIONS);
	expect_failed(o, "IB: ");
	{
		HALE_CLEANUP(cleanup_free)
		char *csv = mem_printf("{\"file\": {\"path\": \"%s\", \"separator\": \";\"}}",
				       path_of("ib.csv"));

		is(ask(csv, postgres(sync_sql), POSITIONS), "pass", "ok", "In sync");
	}
}

/* C-31: the counts are equal and yet it is wrong. */
static void a_swap_is_degraded_and_names_both(void **state)
{
	json_t *o;

	(void)state;
	put("ib.json", "[{\"symbol\": \"AAPL\", \"quantity\": 10},"
		       " {\"symbol\": \"TSLA\", \"quantity\": 5.5}]");
	o = ask(file("ib.json"), sqlite(sync_sql), POSITIONS);
	expect_detail(o, "missing_in_db", "[\"TSLA\"]");
	expect_detail(o, "missing_in_ib", "[\"MSFT\"]");
	assert_true(kind_metric(o, "missing_in_a") == 1);
	assert_true(kind_metric(o, "missing_in_b") == 1);
	is(o, "warn", "different",
	   "Mismatch: IB=2, DB=2; missing in IB: MSFT; missing in DB: TSLA");
}

static void more_rows_keep_the_short_message_and_name_keys_in_details(void **state)
{
	json_t *o;

	(void)state;
	put("ib.json", "[{\"symbol\": \"AAPL\", \"quantity\": 10}, {\"symbol\": \"MSFT\","
		       " \"quantity\": 5.5}, {\"symbol\": \"TSLA\", \"quantity\": 1}]");
	o = ask(file("ib.json"), sqlite(sync_sql), POSITIONS);
	expect_detail(o, "missing_in_db", "[\"TSLA\"]");
	is(o, "warn", "different", "Mismatch: IB=3, DB=2");
}

static void zero_is_absent_and_short_is_skipped(void **state)
{
	json_t *o;

	(void)state;
	put("ib.json", "[{\"symbol\": \"AAPL\", \"quantity\": 10}, {\"symbol\": \"MSFT\","
		       " \"quantity\": 5.5}, {\"symbol\": \"TSLA\", \"quantity\": 0},"
		       " {\"symbol\": \"GME\", \"quantity\": -4}]");
	o = ask(file("ib.json"), sqlite(sync_sql), POSITIONS);
	assert_true(kind_metric(o, "skipped") == 1);
	assert_true(kind_metric(o, "absent") == 1);
	is(o, "pass", "ok", "In sync");
	is(ask(file("ib.json"), sqlite(sync_sql), POSITIONS ", \"negative\": \"compare\""), "warn",
	   "different", "Mismatch: IB=3, DB=2");
	is(ask(file("ib.json"), sqlite(sync_sql), POSITIONS ", \"zero_is_absent\": false"), "warn",
	   "different", "Mismatch: IB=3, DB=2");
}

static void differing_values_are_shown(void **state)
{
	json_t *o;

	(void)state;
	put("ib.json", "[{\"symbol\": \"AAPL\", \"quantity\": 10},"
		       " {\"symbol\": \"MSFT\", \"quantity\": 5.51}]");
	o = ask(file("ib.json"), sqlite(sync_sql), POSITIONS);
	expect_detail(o, "different", "[\"MSFT\"]");
	expect_detail(
		o, "differences",
		"[{\"key\":\"MSFT\",\"column\":\"quantity\",\"ib\":\"5.51\",\"db\":\"5.5\"}]");
	is(o, "warn", "different", "Mismatch: IB=2, DB=2; different: MSFT");
	is(ask(file("ib.json"), sqlite(sync_sql),
	       ", \"key\": [\"symbol\"], \"columns\": {\"quantity\": \"0.01\"}"),
	   "pass", "ok", "In sync");
}

static void a_key_that_is_there_twice_is_told(void **state)
{
	json_t *o;

	(void)state;
	put("ib.json", "[{\"symbol\": \"AAPL\", \"quantity\": 10}, {\"symbol\": \"AAPL\","
		       " \"quantity\": 10}]");
	put("db.json", "[{\"symbol\": \"AAPL\", \"quantity\": 10}, {\"symbol\": \"AAPL\","
		       " \"quantity\": 10}]");
	o = ask(file("ib.json"), file("db.json"), POSITIONS);
	assert_true(kind_metric(o, "duplicates_a") == 1);
	expect_detail(o, "duplicates_in_ib", "[\"AAPL\"]");
	is(o, "warn", "different", "Mismatch: IB=2, DB=2; twice in IB: AAPL; twice in DB: AAPL");
}

static void a_source_may_call_its_columns_otherwise(void **state)
{
	HALE_CLEANUP(cleanup_free) char *a = NULL;

	(void)state;
	put("ib.json", "{\"ok\": true, \"positions\": [{\"contract\": \"AAPL\", \"position\": 10},"
		       " {\"contract\": \"MSFT\", \"position\": \"5.5\"}]}");
	a = mem_printf("{\"file\": {\"path\": \"%s\", \"jq\": \".positions[]\"}, \"rename\":"
		       " {\"symbol\": \"contract\", \"quantity\": \"position\"}}",
		       path_of("ib.json"));
	is(ask(a, sqlite(sync_sql), POSITIONS), "pass", "ok", "In sync");
}

static void rows_may_be_bare_values(void **state)
{
	(void)state;
	put("a.json", "[\"AAPL\", \"MSFT\"]");
	put("b.csv", "value\nMSFT\nAAPL\n");
	is(ask(file("a.json"), file("b.csv"), ", \"key\": [\"value\"]"), "pass", "ok", "In sync");
}

/* ---- What cannot be read is no difference ---- */

static void what_cannot_be_read_is_an_error_with_its_reason(void **state)
{
	static const struct {
		const char *name, *content, *error;
	} rows[] = {
		{"x.json", "[{\"symbol\": \"AAPL\"", "IB: not JSON"},
		{"x.json", "null", "IB: the jq program gave null, not rows"},
		{"x.json", "\"maintenance\"", "IB: the jq program gave a text, not rows"},
		{"x.json", "3", "IB: the jq program gave a number, not rows"},
		{"x.json", "[{\"symbol\": \"AAPL\"}, {\"ticker\": \"MSFT\"}]",
		 "IB: row 2 has no 'symbol'"},
		{"x.json", "[{\"symbol\": null}]", "IB: row 1 has no key"},
		{"x.json", "[1]", "IB: row 1 has no 'symbol'"},
		{"x.csv", "symbol,quantity\nAAPL,1\nMSFT\n", "IB: line 3 has 1 fields, not 2"},
		{"x.csv", "symbol,quantity\n\"AAPL,1\n", "IB: line 2: a quote that does not end"},
		{"x.csv", "ticker\nAAPL\n", "IB: the file has no column 'symbol'"},
		{"x.csv", "", "IB: the file has no line of names"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		put(rows[i].name, rows[i].content);
		expect_failed(ask(file(rows[i].name), sqlite(sync_sql), POSITIONS), rows[i].error);
	}
	put("x.json", "[]");
	expect_failed(ask(file("x.json"), sqlite("SELECT symbol FROM positions"), POSITIONS),
		      "DB: the query has no column 'quantity'");
	expect_failed(ask(file("x.json"), sqlite("SELECT * FROM nowhere"), POSITIONS), "nowhere");
	expect_failed(ask(file("x.json"), sqlite("DELETE FROM positions"), POSITIONS), "readonly");
	expect_failed(ask(file("none.json"), sqlite("SELECT 1 FROM nowhere"), POSITIONS), "; DB: ");
	expect_failed(ask(file("x.json"), postgres("SELECT * FROM nowhere"), POSITIONS), "nowhere");
}

static void too_many_rows_are_refused(void **state)
{
	(void)state;
	put("x.json", "[]");
	expect_failed(ask(file("x.json"),
			  postgres("SELECT n AS symbol FROM generate_series(1, 100000) n"),
			  ", \"key\": [\"symbol\"], \"rows_max\": 1000"),
		      "DB: more than 1000 rows");
	expect_failed(ask(file("x.json"),
			  sqlite("WITH RECURSIVE c(symbol) AS (SELECT 1 UNION ALL SELECT symbol + 1"
				 " FROM c) SELECT symbol FROM c"),
			  ", \"key\": [\"symbol\"], \"rows_max\": 1000"),
		      "DB: more than 1000 rows");
}

static void a_source_that_is_slow_is_named(void **state)
{
	int64_t begin = clock_mono_ms();

	(void)state;
	put("x.json", "[]");
	expect_failed(
		ask_for(file("x.json"), postgres("SELECT pg_sleep(60) AS symbol"), BY_SYMBOL, 600),
		"DB: Timed out waiting for the answer");
	expect_failed(ask_for(sqlite("WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM"
				     " c) SELECT count(*) FROM c"),
			      file("x.json"), "", 600),
		      "IB: ");
	assert_true(clock_mono_ms() - begin < 10000);
}

/* ---- HTTP ---- */

#define HEAD "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n"

static void a_url_is_a_source(void **state)
{
	const struct peer_manner good = {
		.answer = HEAD "{\"connected\": true, \"positions\": [{\"symbol\": \"AAPL\","
			       " \"quantity\": 10}, {\"symbol\": \"MSFT\", \"quantity\": 5.5}]}",
		.is_closing = true};
	int port = peer_start(&good);

	(void)state;
	is(ask(http(port, ", \"jq\": \".positions\", \"expect\": \".connected\","
			  " \"headers\": {\"X-Key\": \"k\"}, \"bearer_token\": \"t\""),
	       sqlite(sync_sql), POSITIONS),
	   "pass", "ok", "In sync");
	assert_non_null(strstr(peer_heard(), "X-Key: k\r\n"));
	assert_non_null(strstr(peer_heard(), "Authorization: Bearer t\r\n"));
	is(ask(http(port, ", \"jq\": \".positions | length\""),
	       sqlite("SELECT count(*) FROM positions WHERE status = 'open'"), ""),
	   "pass", "ok", "In sync");
	expect_failed(ask(http(port, ", \"jq\": \".positions\", \"expect\": \".connected | not\""),
			  sqlite(sync_sql), POSITIONS),
		      "IB: the answer does not fulfil '.connected | not'");
	expect_failed(ask(http(port, ", \"jq\": \".posishuns[]\""), sqlite(sync_sql), POSITIONS),
		      "IB: jq: ");
	expect_failed(ask(http(port, ", \"body_max\": 10"), sqlite(sync_sql), POSITIONS), "IB: ");
	peer_stop();
	expect_failed(ask(http(port, ""), sqlite(sync_sql), POSITIONS), "IB: ");
}

static void a_peer_of_bad_manners_is_an_error_soon(void **state)
{
	static const struct {
		struct peer_manner manner;
		const char *error;
	} rows[] = {
		{{.answer = "HTTP/1.1 503 Busy\r\nConnection: close\r\n\r\n", .is_closing = true},
		 "IB: HTTP 503"},
		{{.answer = HEAD "{\"positions\": [", .is_closing = true}, "IB: not JSON"},
		{{.answer = "garbage\r\n", .is_closing = true}, "IB: "},
		{{.answer = HEAD "[", .is_closing = false}, "IB: "},
		{{.is_reset = true}, "IB: "},
		{{.is_closing = true, .greeting = ""}, "IB: "},
		{{.answer = NULL}, "IB: "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int port = peer_start(&rows[i].manner);

		expect_failed(ask_for(http(port, ", \"jq\": \".positions\""), sqlite(sync_sql),
				      POSITIONS, 800),
			      rows[i].error);
		peer_stop();
	}
}

/* ---- Before it runs ---- */

static void expect_problem(const char *text, const char *part)
{
	HALE_CLEANUP(cleanup_free) char *problem = kind_problem(text);

	if (strstr(problem, part) == NULL)
		fail_msg("%s: %s", text, problem);
}

static void what_cannot_be_is_refused_beforehand(void **state)
{
#define A "\"a\": {\"file\": {\"path\": \"/a.csv\"}}"
#define B "\"b\": {\"file\": {\"path\": \"/b.csv\"}}"
	(void)state;
	expect_problem("{\"a\": {}, " B "}", "/a: needs one of");
	expect_problem("{" A ", \"b\": {\"file\": {\"path\": \"/b\"}, \"http\": {\"url\":"
		       " \"http://x\"}}}",
		       "/b: has more than one of");
	expect_problem("{" A ", \"b\": {\"file\": {\"path\": \"b.csv\"}}}",
		       "/b/file/path: must be an absolute path");
	expect_problem("{" A ", \"b\": {\"sql\": {\"query\": \"SELECT 1\"}}}",
		       "/b/sql: needs 'sqlite' or 'postgres'");
	expect_problem("{" A ", \"b\": {\"sql\": {\"query\": \"SELECT 1\", \"sqlite\": {\"path\":"
		       " \"x\"}}}}",
		       "/b/sql/sqlite/path: must be");
	expect_problem("{" A ", \"b\": {\"http\": {\"url\": \"ftp://x\"}}}", "/b/http/url: ");
	expect_problem("{" A ", \"b\": {\"http\": {\"url\": \"http://x\", \"jq\": \".[\"}}}",
		       "/b/http/jq: not a jq program");
	expect_problem("{" A ", " B ", \"columns\": {\"x\": \"exact\"}}", "/columns: needs 'key'");
	expect_problem("{" A ", " B ", \"key\": [\"k\"], \"columns\": {\"x\": \"about\"}}",
		       "/columns/x: 'about' is none of");
	expect_problem("{" A ", " B ", \"quantity\": \"q\"}", "/quantity: needs 'key'");
	expect_problem("{" A ", " B ", \"names\": {\"a\": \"D B\", \"b\": \"d-b\"}}",
		       "/names: must be two names");
	expect_problem("{" A ", " B "}", "");
}

/* ---- The tests' own world ---- */

static int setup_all(void **state)
{
	static const char sql[] =
		"CREATE TABLE positions (symbol varchar, quantity numeric, status varchar);"
		"INSERT INTO positions VALUES ('AAPL', 10, 'open'), ('MSFT', 5.5, 'open'),"
		" ('OLD', 3, 'closed')";

	assert_non_null(mkdtemp(dir));
	pg_server_start(&server);
	script(DB_SQLITE, sql);
	script(DB_POSTGRES, sql);
	return kind_setup(state);
}

static int teardown_all(void **state)
{
	static const char *const names[] = {"a.csv",   "a.json", "b.csv",   "b.json", "db",
					    "db.json", "ib.csv", "ib.json", "x.csv",  "x.json"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		(void)unlink(path_of(names[i]));
	assert_int_equal(rmdir(dir), 0);
	pg_server_stop(&server);
	return kind_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_numbers_of_rows_are_in_sync),
		cmocka_unit_test(other_numbers_are_a_mismatch_in_the_sources_words),
		cmocka_unit_test(a_count_may_be_a_value),
		cmocka_unit_test(rows_are_compared_by_key),
		cmocka_unit_test(a_swap_is_degraded_and_names_both),
		cmocka_unit_test(more_rows_keep_the_short_message_and_name_keys_in_details),
		cmocka_unit_test(zero_is_absent_and_short_is_skipped),
		cmocka_unit_test(differing_values_are_shown),
		cmocka_unit_test(a_key_that_is_there_twice_is_told),
		cmocka_unit_test(a_source_may_call_its_columns_otherwise),
		cmocka_unit_test(rows_may_be_bare_values),
		cmocka_unit_test(what_cannot_be_read_is_an_error_with_its_reason),
		cmocka_unit_test(too_many_rows_are_refused),
		cmocka_unit_test(a_source_that_is_slow_is_named),
		cmocka_unit_test(a_url_is_a_source),
		cmocka_unit_test(a_peer_of_bad_manners_is_an_error_soon),
		cmocka_unit_test(what_cannot_be_is_refused_beforehand),
	};

	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
