/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "kind.h"
#include "peer.h"

#define SHORT_MS 200
#define LONG_MS  20000

/* The peer's answer with this status line, further headers and body. */
static struct str answer;

static int serve(const char *status, const char *headers, const char *body)
{
	str_clear(&answer);
	str_addf(&answer, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s", status, headers,
		 strlen(body), body);
	return peer_start(&(struct peer_manner){.answer = str_text(&answer), .is_closing = true});
}

/* {"url": …, and `more`: "" or ", \"x\": …"}; asked once. */
static json_t *ask_port(int port, const char *more, int64_t timeout_ms)
{
	char *options = mem_printf("{\"url\": \"http://127.0.0.1:%d/h\"%s}", port, more);
	json_t *o = kind_ask(options, timeout_ms);

	free(options);
	return o;
}

static void expect_answer(const char *status, const char *body, const char *more,
			  const char *reason, const char *message)
{
	json_t *o = ask_port(serve(status, "", body), more, LONG_MS);

	assert_string_equal(kind_text(o, "message"), message);
	assert_string_equal(kind_text(o, "reason"), reason);
	json_decref(o);
	peer_stop();
}

static int teardown(void **state)
{
	str_done(&answer);
	return kind_teardown(state);
}

static void a_good_answer_passes_with_its_numbers(void **state)
{
	json_t *o = ask_port(serve("200 OK", "", "hello"), "", LONG_MS);

	(void)state;
	assert_string_equal(kind_text(o, "outcome"), "pass");
	assert_true(str_starts(kind_text(o, "message"), "HTTP 200 in "));
	assert_true(kind_metric(o, "status_code") == 200);
	assert_true(kind_metric(o, "body_bytes") == 5);
	assert_true(kind_metric(o, "connect_ms") > 0);
	assert_true(kind_metric(o, "first_byte_ms") >= kind_metric(o, "connect_ms"));
	assert_string_equal(kind_text(json_object_get(o, "details"), "ip"), "127.0.0.1");
	assert_true(str_starts(peer_heard(), "GET /h HTTP/1.1\r\n"));
	json_decref(o);
	peer_stop();
}

static void other_statuses_fail_each_in_its_way(void **state)
{
	(void)state;
	expect_answer("503 Down", "{}", ", \"expect\": {\"jq\": \".a.b.c\"}", "http_status",
		      "HTTP 503, expected 2xx");
	expect_answer("401 Who", "", "", "http_auth", "HTTP 401, expected 2xx");
	expect_answer("403 No", "", "", "http_auth", "HTTP 403, expected 2xx");
	expect_answer("404 No", "", ", \"expect\": {\"status\": [\"200\", \"3xx\"]}", "http_status",
		      "HTTP 404, expected 200 or 3xx");
}

static void a_status_that_is_expected_passes(void **state)
{
	json_t *o =
		ask_port(serve("404 No", "", ""), ", \"expect\": {\"status\": [\"404\"]}", LONG_MS);

	(void)state;
	assert_string_equal(kind_text(o, "outcome"), "pass");
	json_decref(o);
	peer_stop();
}

static void a_rate_limit_tells_when_to_come_again(void **state)
{
	json_t *o = ask_port(serve("429 Slow", "Retry-After: 7\r\n", ""), "", LONG_MS);
	const json_t *details = json_object_get(o, "details");

	(void)state;
	assert_string_equal(kind_text(o, "reason"), "http_rate_limited");
	assert_true(json_number_value(json_object_get(details, "retry_after_seconds")) == 7);
	json_decref(o);
	peer_stop();
}

static void the_body_must_contain_the_text(void **state)
{
	(void)state;
	expect_answer("200 OK", "all\tis\nlost", ", \"expect\": {\"body\": \"well\"}",
		      "body_mismatch", "body does not contain 'well': all is lost");
}

static void the_body_must_match_the_expression(void **state)
{
	json_t *o = ask_port(serve("200 OK", "", "up 42 days"),
			     ", \"expect\": {\"regex\": \"^up [0-9]+ days$\"}", LONG_MS);

	(void)state;
	assert_string_equal(kind_text(o, "outcome"), "pass");
	json_decref(o);
	peer_stop();
	expect_answer("200 OK", "down", ", \"expect\": {\"regex\": \"^up\"}", "body_mismatch",
		      "body does not match /^up/: down");
}

static void the_body_must_make_the_program_true(void **state)
{
	(void)state;
	expect_answer("200 OK", "{\"s\": \"ok\"}", ", \"expect\": {\"jq\": \".s == \\\"up\\\"\"}",
		      "body_mismatch", ".s == \"up\" gave false");
	/* True, not merely something: ".s" alone would pass with any text. */
	expect_answer("200 OK", "{\"s\": \"ok\"}", ", \"expect\": {\"jq\": \".s\"}",
		      "body_mismatch", ".s gave \"ok\"");
	expect_answer("200 OK", "[1]", ", \"expect\": {\"jq\": \".s == 1\"}", "expression_error",
		      ".s == 1: Cannot index array with string \"s\"");
}

static void a_body_that_is_not_json_is_told(void **state)
{
	(void)state;
	expect_answer("200 OK", "<html>", ", \"expect\": {\"jq\": \".a\"}", "body_not_json",
		      "body is not JSON (line 1 column 1: invalid token near '<'): <html>");
	expect_answer("200 OK", "{\"a\": 1, \"a\": 2}", ", \"expect\": {\"jq\": \".a == 1\"}",
		      "body_not_json",
		      "body is not JSON (line 1 column 12: duplicate object key near '\"a\"'): "
		      "{\"a\": 1, \"a\": 2}");
}

static void metrics_are_taken_from_the_body(void **state)
{
	json_t *o = ask_port(serve("200 OK", "", "{\"positions\": [1, 2, 3], \"lag\": 1.5}"),
			     ", \"metrics\": {\"positions\": \".positions|length\","
			     " \"lag_ms\": \".lag * 1000\"}",
			     LONG_MS);

	(void)state;
	assert_string_equal(kind_text(o, "outcome"), "pass");
	assert_true(kind_metric(o, "positions") == 3);
	assert_true(kind_metric(o, "lag_ms") == 1500);
	json_decref(o);
	peer_stop();
}

static void a_metric_that_is_no_number_is_an_error(void **state)
{
	(void)state;
	expect_answer("200 OK", "{\"a\": \"x\"}", ", \"metrics\": {\"a\": \".a\"}",
		      "expression_error", "metric a: expected a number, got \"x\"");
}

static void a_body_over_the_limit_is_too_large(void **state)
{
	(void)state;
	expect_answer("200 OK", "0123456789", ", \"body_max\": 9", "too_large",
		      "the answer is larger than 9 bytes");
}

static void silence_is_a_read_timeout(void **state)
{
	json_t *o = ask_port(peer_start(&(struct peer_manner){0}), "", SHORT_MS);

	(void)state;
	assert_string_equal(kind_text(o, "reason"), "timeout_read");
	assert_string_equal(kind_text(o, "outcome"), "down");
	json_decref(o);
	peer_stop();
}

static void garbage_is_a_protocol_error(void **state)
{
	json_t *o = ask_port(
		peer_start(&(struct peer_manner){.answer = "SSH-2.0\r\n\r\n", .is_closing = true}),
		"", LONG_MS);

	(void)state;
	assert_string_equal(kind_text(o, "reason"), "protocol_error");
	json_decref(o);
	peer_stop();
}

static void a_closed_port_is_refused(void **state)
{
	int port = peer_start(&(struct peer_manner){0});
	json_t *o;

	(void)state;
	peer_stop();
	o = ask_port(port, "", LONG_MS);
	assert_string_equal(kind_text(o, "reason"), "conn_refused");
	json_decref(o);
}

static void headers_must_be_there_and_be_as_wanted(void **state)
{
	static const struct {
		const char *more, *message;
	} rows[] = {
		{"{\"headers\": {\"X-A\": \"b, c\"}}", NULL},
		{"{\"headers\": {\"x-a\": \"/^a, b, c$/\", \"x-b\": \"\"}}", NULL},
		{"{\"headers\": {\"X-A\": \"d\"}}", "header X-A: expected d, got a, b, c"},
		{"{\"headers\": {\"x-c\": \"\"}}", "there is no header x-c"},
		{"{\"not_headers\": {\"x-c\": \"\", \"x-a\": \"/^b/\"}}", NULL},
		{"{\"not_headers\": {\"x-b\": \"\"}}", "there is a header x-b: 1"},
		{"{\"not_headers\": {\"x-a\": \"/c$/\"}}",
		 "header x-a: expected no /c$/, got a, b, c"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *more = mem_printf(", \"expect\": %s", rows[i].more);
		json_t *o = ask_port(serve("200 OK", "X-A: a\r\nX-B: 1\r\nX-A: b, c\r\n", ""), more,
				     LONG_MS);

		assert_string_equal(kind_text(o, "reason"),
				    rows[i].message == NULL ? "ok" : "value_mismatch");
		if (rows[i].message != NULL)
			assert_string_equal(kind_text(o, "message"), rows[i].message);
		json_decref(o);
		free(more);
		peer_stop();
	}
}

static void the_body_must_not_have_what_it_must_not(void **state)
{
	(void)state;
	expect_answer("200 OK", "a Fatal error", ", \"expect\": {\"not_body\": \"Fatal\"}",
		      "body_mismatch", "body contains 'Fatal': a Fatal error");
	expect_answer("200 OK", "error 17", ", \"expect\": {\"not_regex\": \"error [0-9]\"}",
		      "body_mismatch", "body matches /error [0-9]/: error 17");
}

static void details_and_the_message_are_taken_from_the_body(void **state)
{
	json_t *o = ask_port(serve("200 OK", "X-Queue: 7\r\n", "{\"v\": \"1.2\", \"n\": [1, 2]}"),
			     ", \"details\": {\"version\": \".v\", \"none\": \".x\"},"
			     " \"metrics\": {\"queue\": \"$headers[\\\"x-queue\\\"] | tonumber\"},"
			     " \"message\": \"\\\"\\\\(.n | length) of \\\\($status)\\\"\"",
			     LONG_MS);
	const json_t *details = json_object_get(o, "details");

	(void)state;
	assert_string_equal(kind_text(o, "message"), "2 of 200");
	assert_string_equal(kind_text(details, "version"), "1.2");
	assert_null(json_object_get(details, "none"));
	assert_true(kind_metric(o, "queue") == 7);
	json_decref(o);
	peer_stop();
}

static void a_message_is_not_taken_where_something_is_wrong(void **state)
{
	(void)state;
	expect_answer("200 OK", "{\"a\": 1}",
		      ", \"message\": \".a\", \"expect\": {\"jq\": \".a == 2\"}", "body_mismatch",
		      ".a == 2 gave false");
	expect_answer("200 OK", "{\"a\": 1}", ", \"message\": \".a\"", "ok", "1");
	expect_answer("200 OK", "[]", ", \"message\": \".a\"", "expression_error",
		      "message: Cannot index array with string \"a\"");
}

static void limits_and_logins_are_seen(void **state)
{
	json_t *o = ask_port(
		serve("403 No", "X-RateLimit-Limit: 100\r\nX-RateLimit-Remaining: 5\r\n", ""),
		", \"bearer_token\": \"t0ken\"", LONG_MS);

	(void)state;
	assert_string_equal(kind_text(o, "reason"), "http_auth");
	assert_true(kind_metric(o, "auth_ok") == 0);
	assert_true(kind_metric(o, "rate_limit_used_percent") == 95);
	assert_true(kind_metric(o, "rate_limit_remaining") == 5);
	assert_non_null(strstr(peer_heard(), "\r\nAuthorization: Bearer t0ken\r\n"));
	json_decref(o);
	peer_stop();
}

static void endpoints_are_one_component(void **state)
{
	int port = serve("200 OK", "", "{}");
	json_t *o = ask_port(port,
			     ", \"endpoints\": [{\"path\": \"x\"}, {\"path\": \"/api/Y-z/?q=1\"},"
			     " {\"path\": \"/\", \"expect\": {\"status\": [\"404\"]}}]",
			     LONG_MS);

	(void)state;
	assert_string_equal(kind_text(o, "outcome"), "warn");
	assert_string_equal(kind_text(o, "reason"), "endpoints_fail");
	assert_string_equal(kind_text(o, "message"),
			    "1 of 3 endpoints fail: root: HTTP 200, expected 404");
	assert_string_equal(kind_text(json_object_get(o, "details"), "failed"), "root");
	assert_true(kind_metric(o, "x_ms") > 0);
	assert_true(kind_metric(o, "api_y_z_ms") > 0);
	assert_true(kind_metric(o, "endpoints_failed") == 1);
	assert_true(kind_metric(o, "port_open") == 1);
	json_decref(o);
	peer_stop();
}

static void figures_are_over_a_window(void **state)
{
	char *options = mem_printf("{\"url\": \"http://127.0.0.1:%d/\", \"window\": 60000}",
				   serve("500 No", "", ""));
	json_t *o = kind_ask_twice(options);

	(void)state;
	assert_true(kind_metric(o, "success_rate_percent") == 0);
	/* What failed counts with its timeout. */
	assert_true(kind_metric(o, "average_response_ms") >= 1000);
	assert_true(kind_metric(o, "p95_response_ms") == kind_metric(o, "average_response_ms"));
	json_decref(o);
	free(options);
	peer_stop();
}

static void an_ask_that_hangs_within_a_window_ends_by_itself(void **state)
{
	json_t *o = ask_port(peer_start(&(struct peer_manner){0}), ", \"window\": 60000", SHORT_MS);

	(void)state;
	assert_string_equal(kind_text(o, "reason"), "timeout_read");
	assert_string_equal(kind_text(o, "message"),
			    "Timed out waiting for the answer (after 200ms)");
	assert_true(kind_metric(o, "success_rate_percent") == 0);
	assert_true(kind_metric(o, "connect_ms") > 0);
	json_decref(o);
	peer_stop();
}

static void assert_problem(const char *options, const char *want)
{
	char *problem = kind_problem(options);

	assert_string_equal(problem, want);
	free(problem);
}

static void validation_says_what_is_wrong(void **state)
{
	(void)state;
	assert_problem("{\"url\": \"a\"}", "/url: expected http://… or https://…");
	assert_problem("{\"url\": \"http://a\", \"expect\": {\"status\": [\"2x\"]}}",
		       "/expect/status: '2x' is not a status like 200, 2xx or 200-299");
	assert_problem("{\"url\": \"http://a\", \"expect\": {\"regex\": \"(\"}}",
		       "/expect/regex: Unmatched ( or \\(");
	assert_problem("{\"url\": \"http://a\", \"expect\": {\"jq\": \"nosuch\"}}",
		       "/expect/jq: not a jq program: nosuch/0 is not defined");
	assert_problem("{\"url\": \"http://a\", \"metrics\": {\"a\": \".a |\"}}",
		       "/metrics/a: not a jq program: syntax error, unexpected $end (Unix shell "
		       "quoting issues?)");
	assert_problem(
		"{\"url\": \"http://a\", \"metrics\": {\"A\": \".a\"}}",
		"/metrics/A: a metric's name is made of a-z, 0-9 and _, and begins with a letter");
	assert_problem("{\"url\": \"http://a\", \"message\": \"$nosuch\"}",
		       "/message: not a jq program: $nosuch is not defined");
	assert_problem("{\"url\": \"http://a\", \"message\": \"$status | keys\"}", "");
	assert_problem("{\"url\": \"http://a\", \"expect\": {\"headers\": {\"X\": \"/(/\"}}}",
		       "/expect/headers/X: Unmatched ( or \\(");
	assert_problem("{\"url\": \"http://a\", \"bearer_token\": \"t\", \"username\": \"u\"}",
		       "/bearer_token: there is a username already; one login is enough");
	assert_problem("{\"url\": \"http://a\", \"tls\": {\"key\": \"/k\"}}",
		       "/tls/key: the certificate (tls.cert) that it belongs to is missing");
}

static void validation_says_what_is_wrong_with_endpoints(void **state)
{
	static const struct {
		const char *endpoints, *problem;
	} rows[] = {
		{"{}", "/endpoints/0: an endpoint has a path, or a url of its own"},
		{"{\"path\": \"/\", \"url\": \"http://b\"}",
		 "/endpoints/0: an endpoint has a path, or a url of its own"},
		{"{\"url\": \"b\"}", "/endpoints/0/url: expected http://… or https://…"},
		{"{\"path\": \"/a\"}, {\"path\": \"/A/\"}",
		 "/endpoints/1/name: 'a' is the name of another endpoint; give it another"},
		{"{\"path\": \"/p95-response\"}",
		 "/endpoints/0/name: 'p95_response' is the name of a metric of the whole; give it "
		 "another"},
		{"{\"path\": \"/a\", \"metrics\": {\"n\": \".n\"}}, "
		 "{\"path\": \"/b\", \"metrics\": {\"n\": \".n\"}}",
		 "/endpoints/1/metrics: another endpoint has a metric n too"},
		{"{\"path\": \"/1\"}", "/endpoints/0/name: '1': an endpoint's name is made of a-z, "
				       "0-9 and _, and begins with a letter"},
		{"{\"path\": \"/a\", \"expect\": {\"jq\": \"|\"}}",
		 "/endpoints/0/expect/jq: not a jq program: syntax error, unexpected '|' (Unix "
		 "shell "
		 "quoting issues?)"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *options = mem_printf("{\"url\": \"http://a\", \"endpoints\": [%s]}",
					   rows[i].endpoints);

		assert_problem(options, rows[i].problem);
		free(options);
	}
	assert_problem("{\"url\": \"http://a\", \"endpoints\": [{\"path\": \"/a\"}], "
		       "\"metrics\": {\"a\": \".a\"}}",
		       "/metrics: give them to the endpoint whose body they are taken from");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kind_setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_good_answer_passes_with_its_numbers),
		TEST(other_statuses_fail_each_in_its_way),
		TEST(a_status_that_is_expected_passes),
		TEST(a_rate_limit_tells_when_to_come_again),
		TEST(the_body_must_contain_the_text),
		TEST(the_body_must_match_the_expression),
		TEST(the_body_must_make_the_program_true),
		TEST(a_body_that_is_not_json_is_told),
		TEST(metrics_are_taken_from_the_body),
		TEST(a_metric_that_is_no_number_is_an_error),
		TEST(a_body_over_the_limit_is_too_large),
		TEST(silence_is_a_read_timeout),
		TEST(garbage_is_a_protocol_error),
		TEST(a_closed_port_is_refused),
		TEST(validation_says_what_is_wrong),
		TEST(headers_must_be_there_and_be_as_wanted),
		TEST(the_body_must_not_have_what_it_must_not),
		TEST(details_and_the_message_are_taken_from_the_body),
		TEST(a_message_is_not_taken_where_something_is_wrong),
		TEST(limits_and_logins_are_seen),
		TEST(endpoints_are_one_component),
		TEST(figures_are_over_a_window),
		TEST(an_ask_that_hangs_within_a_window_ends_by_itself),
		TEST(validation_says_what_is_wrong_with_endpoints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
