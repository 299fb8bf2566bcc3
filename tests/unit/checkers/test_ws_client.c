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
#include "ws_client.h"

#define MESSAGE_MAX 1000

/* What came, as one line: "text:hello pong:x close:1000:bye ". */
static struct str heard;

static void on_event(void *ctx, enum ws_event event, const char *data, size_t len, unsigned code)
{
	static const char *const names[] = {"text", "binary", "pong", "close"};

	(void)ctx;
	str_addf(&heard, "%s:", names[event]);
	if (event == WS_EVENT_CLOSE)
		str_addf(&heard, "%u:", code);
	str_addn(&heard, data, len);
	str_addc(&heard, ' ');
}

static int setup(void **state)
{
	*state = ws_client_new(MESSAGE_MAX, on_event, NULL);
	str_clear(&heard);
	return 0;
}

static int teardown(void **state)
{
	ws_client_free(*state);
	str_done(&heard);
	return 0;
}

#define FEED(w, text) ws_client_feed((w), (text), sizeof(text) - 1, &err)

/* A frame of ours, its mask taken off; how long it was. */
static size_t unmask(const struct str *out, size_t at, struct str *frame)
{
	size_t len = (unsigned char)out->data[at + 1] & 0x7f;

	assert_true((unsigned char)out->data[at + 1] & 0x80);
	assert_true(len < 126 && out->len >= at + 6 + len);
	str_clear(frame);
	str_addc(frame, out->data[at]);
	for (size_t i = 0; i < len; i++)
		str_addc(frame, (char)(out->data[at + 6 + i] ^ out->data[at + 2 + i % 4]));
	return 6 + len;
}

static void expect_sent(struct ws_client *w, const char *frame)
{
	HALE_CLEANUP(str_done) struct str got = {0};
	struct str *out = ws_client_out(w);

	assert_int_equal(unmask(out, 0, &got), out->len);
	assert_string_equal(str_text(&got), frame);
	str_clear(out);
}

static void texts_come_whole_and_in_fragments(void **state)
{
	struct err err = {0};

	/* RFC 6455 section 5.7, and a ping between two fragments. */
	assert_int_equal(FEED(*state, "\x81\x05Hello"), 0);
	assert_int_equal(FEED(*state, "\x01\x03Hel\x89\x02hi\x80\x02lo"), 0);
	assert_int_equal(FEED(*state, "\x82\x03\x01\x02\x03"), 0);
	assert_string_equal(str_text(&heard), "text:Hello text:Hello binary:\x01\x02\x03 ");
	expect_sent(*state, "\x8ahi");
}

static void bytes_may_come_one_by_one(void **state)
{
	static const char frames[] = "\x01\x03Hel\x80\x02lo\x8a\x01x\x88\x05\x03\xe9"
				     "bye";
	struct err err = {0};

	for (size_t i = 0; i < sizeof(frames) - 1; i++)
		assert_int_equal(ws_client_feed(*state, frames + i, 1, &err), 0);
	assert_string_equal(str_text(&heard), "text:Hello pong:x close:1001:bye ");
}

static void what_is_sent_is_masked(void **state)
{
	ws_client_send(*state, "Hello", 5);
	expect_sent(*state, "\x81Hello");
	ws_client_ping(*state, "abc", 3);
	expect_sent(*state, "\x89"
			    "abc");
	ws_client_close(*state);
	expect_sent(*state, "\x88\x03\xe8");
}

static void no_two_masks_are_the_same(void **state)
{
	HALE_CLEANUP(str_done) struct str first = {0};
	struct str *out;

	ws_client_send(*state, "Hello", 5);
	out = ws_client_out(*state);
	str_addn(&first, out->data, out->len);
	str_clear(out);
	for (int i = 0; i < 4; i++) {
		ws_client_send(*state, "Hello", 5);
		out = ws_client_out(*state);
		assert_int_equal(out->len, first.len);
		if (memcmp(out->data, first.data, first.len) != 0)
			return;
		str_clear(out);
	}
	fail_msg("the same mask five times");
}

static void a_close_is_answered(void **state)
{
	struct err err = {0};

	assert_int_equal(FEED(*state, "\x88\x02\x03\xe8"), 0);
	assert_string_equal(str_text(&heard), "close:1000: ");
	expect_sent(*state, "\x88\x03\xe8");
	/* Nothing may follow it, and nothing is listened to. */
	assert_int_equal(FEED(*state, "\x81\x05Hello"), 0);
	assert_string_equal(str_text(&heard), "close:1000: ");
}

static void an_answer_to_our_close_is_heard(void **state)
{
	struct err err = {0};

	ws_client_close(*state);
	str_clear(ws_client_out(*state));
	assert_int_equal(FEED(*state, "\x88\x02\x03\xe8"), 0);
	assert_string_equal(str_text(&heard), "close:1000: ");
}

static void what_breaks_the_protocol_is_told(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		int rc;
	} cases[] = {
		{"\x81\x85\x01\x02\x03\x04Hello", 11, -EPROTO}, /* a server must not mask */
		{"\xc1\x05Hello", 7, -EPROTO},                  /* compressed, never agreed on */
		{"\x83\x00", 2, -EPROTO},                       /* opcode 3 is nothing */
		{"\x80\x00", 2, -EPROTO},                       /* continues what never began */
		{"\x01\x01x\x81\x01y", 6, -EPROTO},             /* a message within a message */
		{"\x09\x00", 2, -EPROTO},                       /* a ping in fragments */
		{"\x89\x7e\x00\x7e", 4, -EPROTO},               /* a ping of 126 bytes */
		{"\x81\x02\xff\xff", 4, -EPROTO},               /* not UTF-8 */
		{"\x81\x7e\x03\xe9x", 5, -EMSGSIZE},            /* 1001 bytes */
		{"\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xffx", 11, -EMSGSIZE},
		{"\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x00", 10, -EPROTO}, /* 2^63 */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ws_client *w = ws_client_new(MESSAGE_MAX, on_event, NULL);
		struct err err = {0};
		int rc = ws_client_feed(w, cases[i].bytes, cases[i].len, &err);

		if (rc != cases[i].rc)
			fail_msg("case %zu: %d", i, rc);
		assert_true(err.text[0] != '\0');
		ws_client_free(w);
	}
}

static void fragments_do_not_add_up_without_end(void **state)
{
	HALE_CLEANUP(str_done) struct str fragment = {0};
	struct err err = {0};
	int rc = 0;

	str_addn(&fragment, "\x00\x64", 2);
	for (int i = 0; i < 100; i++)
		str_addc(&fragment, 'x');
	assert_int_equal(FEED(*state, "\x01\x01x"), 0);
	for (int i = 0; i < 10 && rc == 0; i++)
		rc = ws_client_feed(*state, fragment.data, fragment.len, &err);
	assert_int_equal(rc, -EMSGSIZE);
	assert_string_equal(str_text(&heard), "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(texts_come_whole_and_in_fragments, setup, teardown),
		cmocka_unit_test_setup_teardown(bytes_may_come_one_by_one, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_sent_is_masked, setup, teardown),
		cmocka_unit_test_setup_teardown(no_two_masks_are_the_same, setup, teardown),
		cmocka_unit_test_setup_teardown(a_close_is_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(an_answer_to_our_close_is_heard, setup, teardown),
		cmocka_unit_test_setup_teardown(what_breaks_the_protocol_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(fragments_do_not_add_up_without_end, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
