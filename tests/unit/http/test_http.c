/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <netdb.h>
#include <stdio.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "fixture.h"
#include "http_curl.h"
#include "http_plain.h"

static void test_an_answer_comes_with_status_body_headers_and_times(void **state)
{
	struct seen seen;

	(void)state;
	server.answer = "HTTP/1.1 404 Not Found\r\nX-Test:  a b \r\nContent-Type: text/plain\r\n"
			"Content-Length: 5\r\n\r\nhello";
	seen = fetch((struct http_request){0});
	assert_reason(&seen, REASON_OK);
	assert_int_equal(seen.r.status, 404);
	assert_string_equal(seen.body, "hello");
	assert_int_equal(seen.r.body_len, 5);
	assert_string_equal(seen.header, "a b");
	assert_true(seen.r.connect_ms > 0);
	assert_true(seen.r.first_byte_ms >= seen.r.connect_ms);
	assert_true(seen.r.total_ms >= seen.r.first_byte_ms);
	assert_true(seen.r.retry_after_ms == -1);
	assert_true(seen.r.cert_expires_ms == 0);
	assert_string_equal(seen.r.error, "");
}

static void test_the_request_carries_method_headers_body_and_login(void **state)
{
	json_t *headers = json_pack("{s:s, s:s}", "X-One", "1", "X-Empty", "");

	(void)state;
	server.answer = OK_HELLO;
	(void)fetch((struct http_request){.method = "PUT",
					  .url = url_to("/p?q=1"),
					  .headers = headers,
					  .body = "{\"a\": 1}",
					  .body_len = 8,
					  .username = "u",
					  .password = "p"});
	json_decref(headers);
	assert_true(str_starts(str_text(&server.request), "PUT /p?q=1 HTTP/1.1\r\n"));
	assert_non_null(strstr(str_text(&server.request), "\r\nX-One: 1\r\n"));
	assert_non_null(strstr(str_text(&server.request), "\r\nX-Empty:\r\n"));
	assert_non_null(strstr(str_text(&server.request), "\r\nAuthorization: Basic dTpw\r\n"));
	assert_non_null(strstr(str_text(&server.request), "\r\nUser-Agent: hale/"));
	assert_non_null(
		strstr(str_text(&server.request), "\r\nContent-Type: application/json\r\n"));
	assert_null(strstr(str_text(&server.request), "Expect:"));
	assert_true(str_ends(str_text(&server.request), "\r\n\r\n{\"a\": 1}"));
}

static void test_head_waits_for_no_body(void **state)
{
	struct seen seen;

	(void)state;
	server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n";
	seen = fetch((struct http_request){.method = "HEAD"});
	assert_reason(&seen, REASON_OK);
	assert_int_equal(seen.r.body_len, 0);
}

static void test_a_closed_port_is_refused(void **state)
{
	struct seen seen;

	(void)state;
	uv_close((uv_handle_t *)&server.tcp, NULL);
	while (uv_run(&loop, UV_RUN_NOWAIT) != 0)
		;
	seen = fetch((struct http_request){.timeout_ms = LONG_MS});
	assert_reason(&seen, REASON_CONN_REFUSED);
	assert_int_equal(seen.r.status, 0);
	assert_string_not_equal(seen.r.error, "");
}

static void test_closing_without_a_word_is_conn_closed(void **state)
{
	struct seen seen;

	(void)state;
	server.manner = CLOSE;
	seen = fetch((struct http_request){0});
	assert_reason(&seen, REASON_CONN_CLOSED);
}

static void test_a_reset_is_conn_reset(void **state)
{
	struct seen seen;

	(void)state;
	server.manner = RESET;
	seen = fetch((struct http_request){0});
	assert_reason(&seen, REASON_CONN_RESET);
}

static void test_silence_after_the_request_is_a_read_timeout(void **state)
{
	struct seen seen;

	(void)state;
	server.manner = SILENT;
	seen = fetch((struct http_request){.timeout_ms = SHORT_MS});
	assert_reason(&seen, REASON_TIMEOUT_READ);
}

static void test_a_body_that_stalls_is_a_read_timeout(void **state)
{
	struct seen seen;

	(void)state;
	server.manner = ANSWER_KEEP;
	server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhel";
	seen = fetch((struct http_request){.timeout_ms = SHORT_MS});
	assert_reason(&seen, REASON_TIMEOUT_READ);
	assert_int_equal(seen.r.status, 200);
}

static void test_silence_in_the_handshake_is_a_tls_timeout(void **state)
{
	struct seen seen;
	char url[64];

	(void)state;
	server.manner = SILENT;
	(void)snprintf(url, sizeof(url), "https://127.0.0.1:%d/", server.port);
	seen = fetch((struct http_request){.url = url, .timeout_ms = SHORT_MS});
	assert_reason(&seen, REASON_TIMEOUT_TLS);
}

/* A listener that takes no more connections, and those that wait there. */
struct full {
	int fds[3];
	uint16_t port;
};

static struct full full_open(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof(address);
	struct full f;

	f.fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(f.fds[0], (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(f.fds[0], 0), 0);
	assert_int_equal(getsockname(f.fds[0], (struct sockaddr *)&address, &len), 0);
	for (size_t i = 1; i < ARRAY_LEN(f.fds); i++) {
		f.fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(f.fds[i], (struct sockaddr *)&address, len);
	}
	f.port = ntohs(address.sin_port);
	return f;
}

static void full_close(const struct full *f)
{
	for (size_t i = 0; i < ARRAY_LEN(f->fds); i++)
		close(f->fds[i]);
}

static void test_a_backlog_that_is_full_is_a_connect_timeout(void **state)
{
	struct full full = full_open();
	struct seen seen;
	char url[64];

	(void)state;
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", full.port);
	seen = fetch((struct http_request){.url = url, .timeout_ms = SHORT_MS});
	assert_reason(&seen, REASON_TIMEOUT_CONNECT);
	full_close(&full);
}

static void note_end(void *ctx, struct plain_request *rq, enum reason reason, const char *text)
{
	(void)rq;
	(void)text;
	*(enum reason *)ctx = reason;
}

/* It may have moved: the next request asks the resolver. */
static void test_a_name_whose_address_is_silent_is_forgotten(void **state)
{
	struct full full = full_open();
	enum reason reason = REASON_OK;
	const struct plain_hooks hooks = {.on_end = note_end, .ctx = &reason};
	struct plain_hub *hub = plain_new(&loop, &hooks);
	struct plain_request rq = {0};
	bool is_closed = false;
	char url[64];

	(void)state;
	(void)snprintf(url, sizeof(url), "http://moved.test:%d/", full.port);
	assert_true(http_head_make(&(struct http_request){.url = url}, "a", &rq.head));
	plain_learn(hub, "moved.test", "127.0.0.1");
	assert_true(plain_find(hub, &rq.head));
	rq.started_us = clock_mono_us();
	rq.deadline_us = rq.started_us + SHORT_MS * 1000;
	http_reply_start(&rq.reply, false, 100);
	assert_int_equal(plain_start(hub, &rq), 0);
	while (reason == REASON_OK)
		(void)uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(reason, REASON_TIMEOUT_CONNECT);
	assert_false(plain_find(hub, &rq.head));
	plain_done(&rq);
	plain_close(hub, on_client_closed, &is_closed);
	while (!is_closed)
		(void)uv_run(&loop, UV_RUN_ONCE);
	full_close(&full);
}

static void test_a_hanging_resolver_blocks_nothing(void **state)
{
	int64_t before = clock_mono_ms();
	struct seen seen;

	(void)state;
	dns_hangs = true;
	seen = fetch((struct http_request){.url = "http://hale.test/", .timeout_ms = SHORT_MS});
	assert_reason(&seen, REASON_TIMEOUT_DNS);
	assert_true(clock_mono_ms() - before < LONG_MS);
}

static void test_an_unknown_name_is_dns_failed(void **state)
{
	struct seen seen;

	(void)state;
	seen = fetch((struct http_request){.url = "http://hale.test/"});
	assert_reason(&seen, REASON_DNS_FAILED);
}

static void test_garbage_is_a_protocol_error(void **state)
{
	struct seen seen;

	(void)state;
	server.answer = "SSH-2.0-OpenSSH_9.2\r\n";
	seen = fetch((struct http_request){0});
	assert_reason(&seen, REASON_PROTOCOL);
}

static void test_half_an_answer_is_a_protocol_error(void **state)
{
	struct seen seen;

	(void)state;
	server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhel";
	seen = fetch((struct http_request){0});
	assert_reason(&seen, REASON_PROTOCOL);
	assert_int_equal(seen.r.status, 200);
}

static void test_a_body_over_the_limit_is_too_large(void **state)
{
	struct seen seen;

	(void)state;
	server.answer = OK_HELLO;
	seen = fetch((struct http_request){.body_max = 4});
	assert_reason(&seen, REASON_TOO_LARGE);
	assert_string_equal(seen.r.error, "the answer is larger than 4 bytes");
	seen = fetch((struct http_request){.body_max = 5});
	assert_reason(&seen, REASON_OK);
}

static void test_endless_headers_are_too_large(void **state)
{
	struct str answer = {0};
	struct seen seen;

	(void)state;
	str_add(&answer, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 9000; i++)
		str_addf(&answer, "X-%d: 0123456789012345678901234\r\n", i);
	str_add(&answer, "\r\n");
	server.answer = str_text(&answer);
	seen = fetch((struct http_request){0});
	assert_reason(&seen, REASON_TOO_LARGE);
	str_done(&answer);
}

static void test_redirects_are_followed_when_wanted(void **state)
{
	const char *redirect = "HTTP/1.1 302 Found\r\nLocation: /b\r\nX-Test: first\r\n"
			       "Content-Length: 0\r\n\r\n";
	struct seen seen;

	(void)state;
	server.manner = ANSWER_KEEP;
	server.answer = OK_HELLO;
	server.answers[0] = redirect;
	server.answers[1] = OK_HELLO;
	server.answers[2] = redirect;
	seen = fetch((struct http_request){.follow_redirects = true});
	assert_int_equal(seen.r.status, 200);
	assert_string_equal(seen.header, "");
	seen = fetch((struct http_request){.follow_redirects = false});
	assert_int_equal(seen.r.status, 302);
	assert_string_equal(seen.header, "first");
}

static void test_a_redirect_circle_is_a_protocol_error(void **state)
{
	struct seen seen;

	(void)state;
	server.manner = ANSWER_KEEP;
	server.answer = "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n";
	seen = fetch((struct http_request){.follow_redirects = true});
	assert_reason(&seen, REASON_PROTOCOL);
}

static void test_a_redirect_cannot_leave_http(void **state)
{
	struct seen seen;

	(void)state;
	server.answer = "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n"
			"Content-Length: 0\r\n\r\n";
	seen = fetch((struct http_request){.follow_redirects = true});
	assert_reason(&seen, REASON_PROTOCOL);
	assert_string_equal(seen.body, "");
}

static void test_other_protocols_and_bad_urls_end_in_the_callback(void **state)
{
	static const char *const urls[] = {"file:///etc/passwd", "gopher://127.0.0.1/", "http://",
					   "http://[::1", "http://a b/"};
	struct seen seen;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		seen = fetch((struct http_request){.url = urls[i]});
		assert_reason(&seen, REASON_CONFIG);
		assert_string_not_equal(seen.r.error, "");
	}
}

static void test_a_header_cannot_smuggle_another(void **state)
{
	json_t *headers = json_pack("{s:s}", "X-One", "1\r\nX-Two: 2");
	struct seen seen;

	(void)state;
	seen = fetch((struct http_request){.headers = headers});
	json_decref(headers);
	assert_reason(&seen, REASON_CONFIG);
	assert_int_equal(server.connections, 0);
}

static void test_retry_after_reads_seconds(void **state)
{
	struct seen seen;

	(void)state;
	server.answer = "HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n";
	seen = fetch((struct http_request){0});
	assert_true(seen.r.retry_after_ms == 7000);
}

static void test_retry_after_reads_a_date(void **state)
{
	struct seen seen;

	(void)state;
	server.answer = "HTTP/1.1 503 Later\r\nRetry-After: Thu, 01 Jan 2099 00:00:00 GMT\r\n"
			"Content-Length: 0\r\n\r\n";
	seen = fetch((struct http_request){0});
	/* More than ten years from any day on which this can run. */
	assert_true(seen.r.retry_after_ms > (int64_t)10 * 365 * 24 * 3600 * 1000);
}

static void test_connections_are_reused_while_they_last_unless_fresh_is_wanted(void **state)
{
	struct seen seen;

	(void)state;
	server.manner = ANSWER_KEEP;
	server.answer = OK_HELLO;
	seen = fetch((struct http_request){0});
	assert_false(seen.r.is_reused);
	seen = fetch((struct http_request){0});
	assert_true(seen.r.is_reused);
	assert_int_equal(server.connections, 1);
	server.manner = RESET_USED;
	seen = fetch((struct http_request){0});
	assert_reason(&seen, REASON_OK);
	assert_int_equal(server.connections, 2);
	seen = fetch((struct http_request){.fresh_connection = true});
	assert_false(seen.r.is_reused);
	assert_int_equal(server.connections, 3);
}

static void test_what_must_not_be_asked_twice_is_asked_once(void **state)
{
	struct seen seen;

	(void)state;
	server.manner = ANSWER_KEEP;
	server.answer = OK_HELLO;
	seen = fetch((struct http_request){0});
	assert_reason(&seen, REASON_OK);
	/* The kept connection would take the order, and break. */
	server.manner = RESET_USED;
	seen = fetch((struct http_request){.method = "POST", .body = "order", .body_len = 5});
	assert_reason(&seen, REASON_OK);
	assert_false(seen.r.is_reused);
	assert_int_equal(server.broken, 0);
}

static int open_files(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(folder);
	while (readdir(folder) != NULL)
		n++;
	(void)closedir(folder);
	return n;
}

/* A burst of notices left a connection each, which no other notice could use. */
static void test_what_has_a_connection_of_its_own_closes_it(void **state)
{
	int before;

	(void)state;
	server.manner = ANSWER_KEEP;
	server.answer = OK_HELLO;
	(void)fetch((struct http_request){.method = "POST", .body = "1", .body_len = 1});
	before = open_files();
	for (int i = 0; i < 5; i++)
		(void)fetch((struct http_request){.method = "POST", .body = "1", .body_len = 1});
	/* The server's ends, which are in this process too, may close a turn later. */
	assert_true(open_files() <= before + 1);
	assert_int_equal(server.connections, 6);
}

/* The rest of its body would be taken for the next request. */
static void test_a_connection_that_was_answered_too_early_is_not_used_again(void **state)
{
	size_t len = (size_t)16 << 20;
	char *body = mem_alloc(len);
	struct seen seen;

	(void)state;
	server.manner = ANSWER_UNREAD;
	server.answer = "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n";
	seen = fetch((struct http_request){.method = "POST", .body = body, .body_len = len});
	assert_int_equal(seen.r.status, 413);
	server.manner = ANSWER_KEEP;
	str_clear(&server.request);
	server.answer = OK_HELLO;
	seen = fetch((struct http_request){0});
	assert_reason(&seen, REASON_OK);
	assert_int_equal(server.connections, 2);
	free(body);
}

static void test_a_chunked_answer_after_an_interim_one_is_read(void **state)
{
	struct seen seen;

	(void)state;
	server.manner = ANSWER_KEEP;
	server.answer =
		"HTTP/1.1 103 Early Hints\r\nX-Test: early\r\n\r\n"
		"HTTP/1.1 200 OK\r\nX-Test: a\r\nx-tesT: b\r\nTransfer-Encoding: chunked\r\n"
		"\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n";
	for (int i = 0; i < 2; i++) {
		seen = fetch((struct http_request){0});
		assert_reason(&seen, REASON_OK);
		assert_int_equal(seen.r.status, 200);
		assert_string_equal(seen.body, "hello");
		assert_string_equal(seen.header, "a, b");
	}
	assert_true(seen.r.is_reused);
}

static void test_an_answer_without_a_length_ends_with_the_connection(void **state)
{
	struct seen seen;

	(void)state;
	server.answer = "HTTP/1.0 200 OK\r\n\r\nhello";
	seen = fetch((struct http_request){0});
	assert_reason(&seen, REASON_OK);
	assert_string_equal(seen.body, "hello");
	assert_string_equal(seen.r.version, "1.0");
}

static void test_doubtful_framing_is_a_protocol_error(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 3\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
		"0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"
		"0\r\n\r\n",
	};

	(void)state;
	/* curl has its own opinion of them. */
	for (size_t i = 0; i < ARRAY_LEN(answers) && !is_curl_only; i++) {
		struct seen seen;

		server.answer = answers[i];
		seen = fetch((struct http_request){0});
		assert_reason(&seen, REASON_PROTOCOL);
	}
}

static void test_what_is_not_understood_is_asked_again_by_curl(void **state)
{
	struct seen seen;

	(void)state;
	server.answer = "HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 5\r\n\r\nhello";
	seen = fetch((struct http_request){0});
	assert_reason(&seen, REASON_PROTOCOL);
	assert_string_equal(seen.r.error, "Header without colon"); /* says curl */
	assert_int_equal(server.connections, is_curl_only ? 1 : 2);
	/* From then on at once. */
	seen = fetch((struct http_request){.fresh_connection = true});
	assert_int_equal(server.connections, is_curl_only ? 2 : 3);
	/* One that does something is not made twice. */
	seen = fetch((struct http_request){.method = "POST", .url = url_to("/other")});
	assert_int_equal(server.connections, is_curl_only ? 3 : 4);
	assert_reason(&seen, REASON_PROTOCOL);
}

static void test_endless_interim_answers_are_too_large(void **state)
{
	HALE_CLEANUP(str_done) struct str answer = {0};
	struct seen seen;

	(void)state;
	for (unsigned i = 0; i < HTTP_HEADERS_MAX_BYTES / 16; i++)
		str_add(&answer, "HTTP/1.1 103 a\r\nX-Y: 12345678\r\n\r\n");
	server.answer = str_text(&answer);
	seen = fetch((struct http_request){0});
	assert_reason(&seen, REASON_TOO_LARGE);
}

static void test_cancelling_calls_back_before_it_returns(void **state)
{
	struct seen seen = {0};
	struct http_call *call;

	(void)state;
	call = http_start(client, &(struct http_request){.url = url_to("/"), .timeout_ms = LONG_MS},
			  on_done, &seen);
	http_cancel(call);
	assert_int_equal(seen.calls, 1);
	assert_reason(&seen, REASON_CANCELLED);
}

static void test_closing_the_client_ends_every_call_once(void **state)
{
	struct seen seen[3] = {0};
	bool is_closed = false;

	(void)state;
	server.manner = SILENT;
	for (size_t i = 0; i < ARRAY_LEN(seen); i++)
		(void)http_start(client,
				 &(struct http_request){.url = i == 2 ? "x:y" : url_to("/"),
							.timeout_ms = LONG_MS},
				 on_done, &seen[i]);
	while (server.connections < 2)
		(void)uv_run(&loop, UV_RUN_ONCE);
	http_client_close(client, on_client_closed, &is_closed);
	client = NULL;
	while (!is_closed)
		(void)uv_run(&loop, UV_RUN_ONCE);
	for (size_t i = 0; i < ARRAY_LEN(seen); i++)
		assert_int_equal(seen[i].calls, 1);
	assert_reason(&seen[0], REASON_CANCELLED);
}

static void on_done_close(void *ctx, const struct http_response *r)
{
	(void)r;
	http_client_close(client, on_client_closed, ctx);
	client = NULL;
}

static void test_a_callback_may_close_the_client(void **state)
{
	bool is_closed = false;

	(void)state;
	server.answer = OK_HELLO;
	(void)http_start(client, &(struct http_request){.url = url_to("/"), .timeout_ms = LONG_MS},
			 on_done_close, &is_closed);
	while (!is_closed)
		(void)uv_run(&loop, UV_RUN_ONCE);
}

struct staged {
	struct seen seen; /* first: on_done takes it for the whole */
	enum reason stages[8];
	size_t stages_n;
};

static void on_stage(void *ctx, enum reason timeout_reason)
{
	struct staged *staged = ctx;

	staged->stages[staged->stages_n++ % ARRAY_LEN(staged->stages)] = timeout_reason;
}

static void test_the_stages_are_told_as_they_are_entered(void **state)
{
	struct staged staged = {0};

	(void)state;
	server.answer = OK_HELLO;
	(void)http_start(client,
			 &(struct http_request){
				 .url = url_to("/"), .timeout_ms = LONG_MS, .on_stage = on_stage},
			 on_done, &staged);
	run_until_done(&staged.seen);
	assert_true(staged.stages_n >= 3);
	assert_int_equal(staged.stages[0], REASON_TIMEOUT_DNS);
	assert_int_equal(staged.stages[staged.stages_n - 2], REASON_TIMEOUT_CONNECT);
	assert_int_equal(staged.stages[staged.stages_n - 1], REASON_TIMEOUT_READ);
}

static void test_without_libcurl_a_request_that_needs_it_says_so(void **state)
{
	struct seen seen;

	(void)state;
	http_curl_library = "libhale-no-such.so";
	server.answer = OK_HELLO;
	seen = fetch((struct http_request){.url = "https://127.0.0.1:1/"});
	assert_reason(&seen, REASON_INTERNAL);
	assert_non_null(strstr(seen.r.error, "install libcurl4"));
	seen = fetch((struct http_request){0});
	assert_reason(&seen, REASON_OK);
	http_curl_library = "libcurl.so.4";
}

int main(void)
{
	/* First, while it is not loaded yet. */
	const struct CMUnitTest without[] = {
		TEST(without_libcurl_a_request_that_needs_it_says_so),
	};
	const struct CMUnitTest tests[] = {
		TEST(an_answer_comes_with_status_body_headers_and_times),
		TEST(the_request_carries_method_headers_body_and_login),
		TEST(head_waits_for_no_body),
		TEST(a_closed_port_is_refused),
		TEST(closing_without_a_word_is_conn_closed),
		TEST(a_reset_is_conn_reset),
		TEST(silence_after_the_request_is_a_read_timeout),
		TEST(a_body_that_stalls_is_a_read_timeout),
		TEST(silence_in_the_handshake_is_a_tls_timeout),
		TEST(a_backlog_that_is_full_is_a_connect_timeout),
		TEST(a_name_whose_address_is_silent_is_forgotten),
		TEST(a_hanging_resolver_blocks_nothing),
		TEST(an_unknown_name_is_dns_failed),
		TEST(garbage_is_a_protocol_error),
		TEST(half_an_answer_is_a_protocol_error),
		TEST(a_body_over_the_limit_is_too_large),
		TEST(endless_headers_are_too_large),
		TEST(redirects_are_followed_when_wanted),
		TEST(a_redirect_circle_is_a_protocol_error),
		TEST(a_redirect_cannot_leave_http),
		TEST(other_protocols_and_bad_urls_end_in_the_callback),
		TEST(a_header_cannot_smuggle_another),
		TEST(retry_after_reads_seconds),
		TEST(retry_after_reads_a_date),
		TEST(connections_are_reused_while_they_last_unless_fresh_is_wanted),
		TEST(what_must_not_be_asked_twice_is_asked_once),
		TEST(what_has_a_connection_of_its_own_closes_it),
		TEST(a_connection_that_was_answered_too_early_is_not_used_again),
		TEST(a_chunked_answer_after_an_interim_one_is_read),
		TEST(an_answer_without_a_length_ends_with_the_connection),
		TEST(doubtful_framing_is_a_protocol_error),
		TEST(what_is_not_understood_is_asked_again_by_curl),
		TEST(endless_interim_answers_are_too_large),
		TEST(cancelling_calls_back_before_it_returns),
		TEST(closing_the_client_ends_every_call_once),
		TEST(a_callback_may_close_the_client),
		TEST(the_stages_are_told_as_they_are_entered),
	};

	int failed = cmocka_run_group_tests_name("http, without curl", without, NULL, NULL);

	/* By either way there must be the same answer. */
	failed += cmocka_run_group_tests_name("http, plain where it can be", tests, NULL, NULL);

	is_curl_only = true;
	return failed + cmocka_run_group_tests_name("http, by curl", tests, NULL, NULL);
}
