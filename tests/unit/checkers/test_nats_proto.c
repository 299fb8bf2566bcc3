/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "nats_proto.h"

/* All operations in pieces of so many bytes, as one line; ends in "!" and the code if it fails. */
static void read_all(const char *bytes, size_t len, size_t piece, struct str *out)
{
	static const char *const names[] = {"info", "msg", "ping", "pong", "ok", "err"};
	struct nats_proto p = {0};
	struct err err = {0};
	int rc = 0;

	for (size_t at = 0; at < len && (rc == 0 || rc == -EAGAIN);) {
		size_t used = 0;

		rc = nats_proto_feed(&p, bytes + at, HALE_MIN(piece, len - at), &used, &err);
		at += used;
		if (rc == 0 && p.message.op == NATS_MSG)
			str_addf(out, "msg:%s:%lld:%d:%zu:%s ", p.message.subject, p.message.sid,
				 p.message.status, p.message.payload_len, p.message.payload);
		else if (rc == 0)
			str_addf(out, "%s:%s ", names[p.message.op], p.message.text);
	}
	if (rc != 0 && rc != -EAGAIN)
		str_addf(out, "!%d", rc);
	nats_proto_done(&p);
}

static void expect(const char *bytes, const char *wanted)
{
	static const size_t pieces[] = {1, 3, 7, 100000};

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		HALE_CLEANUP(str_done) struct str got = {0};

		read_all(bytes, strlen(bytes), pieces[i], &got);
		assert_string_equal(str_text(&got), wanted);
	}
}

static void each_operation_is_read(void **state)
{
	(void)state;
	expect("INFO {\"a\":1} \r\n", "info:{\"a\":1}  ");
	expect("PING\r\nPONG\r\n+OK\r\n", "ping: pong: ok: ");
	expect("ping\r\ninfo x\r\n", "ping: info:x ");
	expect("-ERR 'Authorization Violation'\r\n", "err:Authorization Violation ");
	expect("-ERR what\r\n-ERR\r\n", "err:what err: ");
	expect("PING\nPONG\n", "ping: pong: ");
}

static void messages_are_read_with_and_without_headers(void **state)
{
	(void)state;
	expect("MSG a.b 7 5\r\nhello\r\nPING\r\n", "msg:a.b:7:0:5:hello ping: ");
	expect("MSG a.b 7 reply.to 2\r\n\r\n\r\n", "msg:a.b:7:0:2:\r\n ");
	expect("MSG  a\t7  0\r\n\r\n", "msg:a:7:0:0: ");
	expect("HMSG a 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n", "msg:a:1:503:0: ");
	expect("HMSG a 1 re 18 20\r\nNATS/1.0\r\nA: b\r\n\r\nhi\r\n", "msg:a:1:0:2:hi ");
}

static void what_is_not_nats_is_told(void **state)
{
	static const char *const wrong[] = {
		"HTTP/1.1 400 x\r\n",
		"\r\n",
		"MSG a\r\n",
		"MSG a x 5\r\n",
		"MSG a 1 x\r\n",
		"MSG a 1 -5\r\n",
		"MSG a 1 b c 5\r\n",
		"HMSG a 1 9 5\r\n",
		"INFOX {}\r\n",
		"MSG a 1 2\r\nhello\r\n",
		"MSG a 1 b c d e f\r\n",
		"MSG a 1 99999999999\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		HALE_CLEANUP(str_done) struct str got = {0};

		read_all(wrong[i], strlen(wrong[i]), 5, &got);
		assert_string_equal(str_text(&got), "!-71");
	}
}

static void nothing_is_read_without_end(void **state)
{
	HALE_CLEANUP(str_done) struct str line = {0};
	HALE_CLEANUP(str_done) struct str got = {0};

	(void)state;
	expect("MSG a 1 1048577\r\nx", "!-90");
	str_add(&line, "INFO ");
	while (line.len <= NATS_LINE_MAX)
		str_add(&line, "0123456789");
	read_all(line.data, line.len, 1000, &got);
	assert_string_equal(str_text(&got), "!-90");
}

static void subjects_are_good_or_not(void **state)
{
	(void)state;
	assert_true(nats_subject_is_good("a"));
	assert_true(nats_subject_is_good("$JS.API.INFO"));
	assert_false(nats_subject_is_good(""));
	assert_false(nats_subject_is_good("a."));
	assert_false(nats_subject_is_good(".a"));
	assert_false(nats_subject_is_good("a..b"));
	assert_false(nats_subject_is_good("a.*"));
	assert_false(nats_subject_is_good("a.>"));
	assert_false(nats_subject_is_good("a b"));
	assert_false(nats_subject_is_good("a\r\nPUB b"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_operation_is_read),
		cmocka_unit_test(messages_are_read_with_and_without_headers),
		cmocka_unit_test(what_is_not_nats_is_told),
		cmocka_unit_test(nothing_is_read_without_end),
		cmocka_unit_test(subjects_are_good_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
