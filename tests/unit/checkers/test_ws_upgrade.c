/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ws_upgrade.h"

/* RFC 6455 section 1.3. */
#define KEY    "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static void the_example_of_the_rfc_holds(void **state)
{
	char accept[WS_ACCEPT_SIZE];
	char key[WS_KEY_SIZE];

	(void)state;
	ws_key_format((const unsigned char *)"the sample nonce", key);
	assert_string_equal(key, KEY);
	ws_accept_of(key, accept);
	assert_string_equal(accept, ACCEPT);
}

static void urls_are_taken_apart(void **state)
{
	static const struct {
		const char *url;
		bool is_tls;
		const char *host, *port, *authority, *path;
	} cases[] = {
		{"ws://a.org", false, "a.org", "80", "a.org", ""},
		{"wss://a.org/x?y=1", true, "a.org", "443", "a.org", "/x?y=1"},
		{"WSS://a.org:443/", true, "a.org", "443", "a.org", "/"},
		{"ws://a.org:443/", false, "a.org", "443", "a.org:443", "/"},
		{"ws://[::1]:8080?q", false, "::1", "8080", "[::1]:8080", "?q"},
		{"ws://[::1]/", false, "::1", "80", "[::1]", "/"},
		{"wss://[::1]:443", true, "::1", "443", "[::1]", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ws_url u;
		struct err err = {0};

		assert_int_equal(ws_url_parse(cases[i].url, &u, &err), 0);
		assert_int_equal(u.is_tls, cases[i].is_tls);
		assert_string_equal(u.host, cases[i].host);
		assert_string_equal(u.port, cases[i].port);
		assert_string_equal(u.authority, cases[i].authority);
		assert_string_equal(u.path, cases[i].path);
	}
}

static void urls_that_cannot_be_are_refused(void **state)
{
	static const char *const wrong[] = {"http://a.org",   "ws:/a.org",       "ws://",
					    "ws:///x",        "ws://u:p@a.org/", "ws://a.org/#x",
					    "ws://a.org/a b", "ws://a.org:0/",   "ws://a.org:x/",
					    "ws://[::1/",     "ws://:80/",       ""};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct ws_url u;
		struct err err = {0};

		assert_int_equal(ws_url_parse(wrong[i], &u, &err), -EINVAL);
		assert_true(err.text[0] != '\0');
	}
}

static void requests_are_as_the_rfc_wants_them(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	HALE_CLEANUP(strlist_done) struct strlist protocols = {0};
	json_t *headers = json_pack("{s:s}", "Authorization", "Bearer x");
	struct ws_url u;

	(void)state;
	strlist_add(&protocols, "chat");
	strlist_add(&protocols, "v2");
	assert_int_equal(ws_url_parse("ws://a.org:81?q=1", &u, NULL), 0);
	ws_request_format(&out, &u, KEY, &protocols, headers);
	assert_string_equal(str_text(&out), "GET /?q=1 HTTP/1.1\r\n"
					    "Host: a.org:81\r\n"
					    "Upgrade: websocket\r\n"
					    "Connection: Upgrade\r\n"
					    "Sec-WebSocket-Key: " KEY "\r\n"
					    "Sec-WebSocket-Version: 13\r\n"
					    "Sec-WebSocket-Protocol: chat, v2\r\n"
					    "Authorization: Bearer x\r\n"
					    "\r\n");
	json_decref(headers);
}

static void headers_that_would_break_it_are_refused(void **state)
{
	(void)state;
	assert_true(ws_header_is_good("Authorization", "Bearer x"));
	assert_true(ws_header_is_good("Origin", "https://a.org"));
	assert_false(ws_header_is_good("Host", "x"));
	assert_false(ws_header_is_good("connection", "x"));
	assert_false(ws_header_is_good("Sec-WebSocket-Key", "x"));
	assert_false(ws_header_is_good("A B", "x"));
	assert_false(ws_header_is_good("A:", "x"));
	assert_false(ws_header_is_good("", "x"));
	assert_false(ws_header_is_good("A", "x\r\nHost: evil"));
}

#define GOOD                                                                                       \
	"HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\n"                               \
	"Connection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n"

static int parse(const char *text, struct ws_answer *a, size_t *used, struct err *err)
{
	return ws_answer_parse(text, strlen(text), a, used, err);
}

/* "" if the answer is good. */
static const char *complaint(const char *text, const struct strlist *protocols)
{
	static struct err err;
	struct ws_answer a;
	size_t used = 0;

	err.text[0] = '\0';
	if (parse(text, &a, &used, &err) == 0)
		(void)ws_answer_check(&a, KEY, protocols, &err);
	return err.text;
}

static void a_good_answer_is_good(void **state)
{
	HALE_CLEANUP(strlist_done) struct strlist chat = {0};
	struct ws_answer a;
	struct err err = {0};
	size_t used = 0;

	(void)state;
	strlist_add(&chat, "chat");
	assert_int_equal(parse(GOOD "Server: \tx y \r\n\r\n\x81\x01z", &a, &used, &err), 0);
	assert_int_equal(used, strlen(GOOD "Server: \tx y \r\n\r\n"));
	assert_int_equal(a.status, 101);
	assert_string_equal(a.reason, "Switching Protocols");
	assert_string_equal(a.server, "x y");
	assert_string_equal(complaint(GOOD "\r\n", &chat), "");
	assert_string_equal(complaint(GOOD "Sec-WebSocket-Protocol: chat\r\n\r\n", &chat), "");
}

static void where_it_sends_us_is_told_without_a_query(void **state)
{
	struct ws_answer a;
	struct err err = {0};
	size_t used = 0;

	(void)state;
	assert_int_equal(
		parse("HTTP/1.1 302 Found\r\nLocation: /login?token=x\r\n\r\n", &a, &used, &err),
		0);
	assert_string_equal(a.location, "/login");
}

static void what_is_wrong_with_an_answer_is_said(void **state)
{
	const struct strlist none = {0};
	static const struct {
		const char *answer, *complaint;
	} cases[] = {
		{"HTTP/1.1 101 x\r\n\r\n", "without 'Upgrade: websocket'"},
		{"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
		 "Sec-WebSocket-Accept: AAAA\r\n\r\n",
		 "Sec-WebSocket-Accept is 'AAAA'"},
		{GOOD "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
		 "extensions that were not offered"},
		{GOOD "Sec-WebSocket-Protocol: chat\r\n\r\n", "'chat', which was not offered"},
		{"SSH-2.0-OpenSSH\r\n", "the answer is not HTTP: SSH-2.0"},
		{"HTTP/1.1 1x1 x\r\n\r\n", "the answer is not HTTP"},
		{"HTTP/1.1 101x\r\n\r\n", "the answer is not HTTP"},
		{"HTTP/1.1 101 x\r\nnonsense\r\n\r\n", "is no header: nonsense"},
		{"HTTP/1.1 101 x\r\n: x\r\n\r\n", "is no header"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (strstr(complaint(cases[i].answer, &none), cases[i].complaint) == NULL)
			fail_msg("%s: %s", cases[i].answer, complaint(cases[i].answer, &none));
	}
}

static void half_an_answer_is_waited_for_but_not_without_end(void **state)
{
	static const char whole[] = GOOD "\r\n";
	HALE_CLEANUP(str_done) struct str endless = {0};
	struct ws_answer a;
	struct err err = {0};
	size_t used = 0;

	(void)state;
	for (size_t n = 1; n < sizeof(whole) - 1; n++)
		assert_int_equal(ws_answer_parse(whole, n, &a, &used, &err), -EAGAIN);
	str_add(&endless, "HTTP/1.1 200 OK\r\nX: ");
	while (endless.len <= WS_HEAD_MAX)
		str_add(&endless, "0123456789");
	assert_int_equal(ws_answer_parse(endless.data, endless.len, &a, &used, &err), -EMSGSIZE);
	str_add(&endless, "\r\n\r\n");
	assert_int_equal(ws_answer_parse(endless.data, endless.len, &a, &used, &err), -EMSGSIZE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_the_rfc_holds),
		cmocka_unit_test(urls_are_taken_apart),
		cmocka_unit_test(urls_that_cannot_be_are_refused),
		cmocka_unit_test(requests_are_as_the_rfc_wants_them),
		cmocka_unit_test(headers_that_would_break_it_are_refused),
		cmocka_unit_test(a_good_answer_is_good),
		cmocka_unit_test(where_it_sends_us_is_told_without_a_query),
		cmocka_unit_test(what_is_wrong_with_an_answer_is_said),
		cmocka_unit_test(half_an_answer_is_waited_for_but_not_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
