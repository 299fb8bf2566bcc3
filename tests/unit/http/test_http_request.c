/* SPDX-License-Identifier: Apache-2.0 */
/* What a request may say beside its URL, and what the answer then tells. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fixture.h"

static void assert_asked(const char *line)
{
	if (strstr(str_text(&server.request), line) == NULL)
		fail_msg("'%s' is not in: %s", line, str_text(&server.request));
}

static void test_an_answer_tells_its_version_its_url_and_its_size(void **state)
{
	struct seen seen;

	(void)state;
	server.answer = OK_HELLO;
	seen = fetch((struct http_request){0});
	assert_string_equal(seen.version, "1.1");
	assert_string_equal(seen.url, url_to("/"));
	assert_int_equal(seen.r.wire_bytes, strlen(OK_HELLO));
	assert_string_equal(seen.redirects, "");
	assert_string_equal(seen.tls_version, "");
	assert_true(seen.r.sent_ms >= seen.r.connect_ms);
	assert_true(seen.r.first_byte_ms >= seen.r.sent_ms);
}

static void test_headers_of_one_name_are_one_list(void **state)
{
	struct seen seen;

	(void)state;
	server.answer = "HTTP/1.1 200 OK\r\nX-Test: a\r\nx-other: 1\r\nx-test:b, c\r\n"
			"Content-Length: 0\r\n\r\n";
	seen = fetch((struct http_request){0});
	assert_string_equal(seen.header, "a, b, c");
}

static void test_the_way_it_was_redirected_is_told(void **state)
{
	struct seen seen;

	(void)state;
	server.manner = ANSWER_KEEP;
	server.answers[0] = "HTTP/1.1 301 Moved\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n";
	server.answers[1] = "HTTP/1.1 302 Found\r\nLocation: /c\r\nContent-Length: 0\r\n\r\n";
	server.answers[2] = server.answers[0];
	server.answers[3] = server.answers[1];
	server.answer = OK_HELLO;
	/* Where a plain request finds a redirect it is curl's, which begins anew. */
	seen = fetch((struct http_request){.follow_redirects = true, .username = "u"});
	assert_reason(&seen, REASON_OK);
	assert_true(str_ends(seen.redirects, "{\"location\":\"/c\",\"status\":302}]"));
	assert_true(str_starts(seen.redirects, "[{\"location\":\"/b\",\"status\":301}"));
}

static void test_as_many_redirects_are_followed_as_one_likes(void **state)
{
	struct seen seen;

	(void)state;
	server.manner = ANSWER_KEEP;
	server.answer = "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n";
	seen = fetch((struct http_request){.follow_redirects = true, .redirects_max = 2});
	assert_reason(&seen, REASON_PROTOCOL);
	assert_string_equal(seen.r.error, "Maximum (2) redirects followed");
}

static void test_a_bearer_token_is_a_header(void **state)
{
	struct seen seen;

	(void)state;
	server.answer = OK_HELLO;
	seen = fetch((struct http_request){.bearer_token = "t0ken"});
	assert_reason(&seen, REASON_OK);
	assert_asked("\r\nAuthorization: Bearer t0ken\r\n");
	seen = fetch((struct http_request){.bearer_token = "t\r\nX-Evil: 1"});
	assert_reason(&seen, REASON_CONFIG);
}

static void test_one_may_connect_elsewhere_than_the_url_says(void **state)
{
	char *address = mem_printf("127.0.0.1:%d", server.port);
	char *url = mem_printf("http://shop.test:%d/x", server.port);
	struct seen seen;

	(void)state;
	server.answer = OK_HELLO;
	seen = fetch((struct http_request){.url = "http://shop.test:81/x", .connect_to = address});
	assert_reason(&seen, REASON_OK);
	assert_asked("GET /x HTTP/1.1\r\nHost: shop.test:81\r\n");
	/* Without a port it is the URL's. */
	seen = fetch((struct http_request){.url = url, .connect_to = "127.0.0.1"});
	assert_reason(&seen, REASON_OK);
	free(url);
	free(address);
}

static void test_a_redirect_to_another_host_goes_there(void **state)
{
	char *address = mem_printf("127.0.0.1:%d", server.port);
	struct seen seen;

	(void)state;
	server.answer = "HTTP/1.1 302 Found\r\nLocation: http://other.test/\r\n"
			"Content-Length: 0\r\n\r\n";
	seen = fetch((struct http_request){
		.url = "http://shop.test/", .connect_to = address, .follow_redirects = true});
	assert_reason(&seen, REASON_DNS_FAILED);
	free(address);
}

static void test_the_version_can_be_chosen(void **state)
{
	struct seen seen;

	(void)state;
	server.answer = "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n";
	seen = fetch((struct http_request){.version = HTTP_VERSION_1_0});
	assert_reason(&seen, REASON_OK);
	assert_string_equal(seen.version, "1.0");
	assert_asked("GET / HTTP/1.0\r\n");
	/* The preface of HTTP/2 (RFC 9113 3.4); this server does not know it. */
	seen = fetch((struct http_request){.version = HTTP_VERSION_2_PRIOR});
	assert_asked("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	assert_int_not_equal(seen.r.reason, REASON_OK);
}

static void test_the_version_of_ip_can_be_chosen(void **state)
{
	struct seen seen;

	(void)state;
	server.answer = OK_HELLO;
	seen = fetch((struct http_request){.ip_version = 4});
	assert_reason(&seen, REASON_OK);
	seen = fetch((struct http_request){.ip_version = 6});
	assert_int_not_equal(seen.r.reason, REASON_OK);
}

static void test_a_compressed_answer_is_offered_to_be_taken(void **state)
{
	(void)state;
	server.answer = OK_HELLO;
	(void)fetch((struct http_request){0});
	assert_null(strstr(str_text(&server.request), "Accept-Encoding"));
	(void)fetch((struct http_request){.compressed = true});
	assert_asked("\r\nAccept-Encoding: ");
	assert_asked("gzip");
}

static void test_a_proxy_is_asked_if_it_is_named_and_only_then(void **state)
{
	char *proxy = mem_printf("http://127.0.0.1:%d", server.port);
	struct seen seen;

	(void)state;
	server.answer = OK_HELLO;
	seen = fetch(
		(struct http_request){.url = "http://far.test/x",
				      .proxy = {.url = proxy, .username = "u", .password = "p"}});
	assert_reason(&seen, REASON_OK);
	assert_asked("GET http://far.test/x HTTP/1.1\r\n");
	assert_asked("\r\nProxy-Authorization: Basic dTpw\r\n");
	seen = fetch((struct http_request){.url = "http://far.test/x",
					   .proxy = {.url = proxy, .exclude = "a.test,.far.test"}});
	assert_reason(&seen, REASON_DNS_FAILED);
	assert_int_equal(setenv("http_proxy", proxy, 1), 0);
	seen = fetch((struct http_request){.url = "http://far.test/x"});
	assert_reason(&seen, REASON_DNS_FAILED);
	assert_int_equal(unsetenv("http_proxy"), 0);
	free(proxy);
}

static void test_a_proxy_that_lets_nobody_through_is_told(void **state)
{
	char *proxy = mem_printf("http://127.0.0.1:%d", server.port);
	struct http_request rq = {.url = "https://far.test/", .proxy = {.url = proxy}};
	struct seen seen;

	(void)state;
	server.answer = "HTTP/1.1 407 Login\r\nProxy-Authenticate: Basic realm=x\r\n"
			"Content-Length: 0\r\n\r\n";
	seen = fetch(rq);
	assert_reason(&seen, REASON_AUTH_FAILED);
	assert_asked("CONNECT far.test:443 HTTP/1.1\r\n");
	server.answer = "HTTP/1.1 502 Gone\r\nContent-Length: 0\r\n\r\n";
	seen = fetch(rq);
	assert_reason(&seen, REASON_UNREACHABLE);
	free(proxy);
}

static void test_a_unix_socket_that_is_not_there_is_refused(void **state)
{
	struct seen seen;

	(void)state;
	seen = fetch((struct http_request){.unix_path = "/tmp/hale-no-such-socket"});
	assert_int_not_equal(seen.r.reason, REASON_OK);
	assert_int_equal(reason_outcome(seen.r.reason), OUTCOME_DOWN);
	assert_int_equal(server.connections, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer_tells_its_version_its_url_and_its_size),
		TEST(headers_of_one_name_are_one_list),
		TEST(the_way_it_was_redirected_is_told),
		TEST(as_many_redirects_are_followed_as_one_likes),
		TEST(a_bearer_token_is_a_header),
		TEST(one_may_connect_elsewhere_than_the_url_says),
		TEST(a_redirect_to_another_host_goes_there),
		TEST(the_version_can_be_chosen),
		TEST(the_version_of_ip_can_be_chosen),
		TEST(a_compressed_answer_is_offered_to_be_taken),
		TEST(a_proxy_is_asked_if_it_is_named_and_only_then),
		TEST(a_proxy_that_lets_nobody_through_is_told),
		TEST(a_unix_socket_that_is_not_there_is_refused),
	};
	int failed = cmocka_run_group_tests_name("plain where it can be", tests, NULL, NULL);

	is_curl_only = true;
	return failed + cmocka_run_group_tests_name("by curl", tests, NULL, NULL);
}
