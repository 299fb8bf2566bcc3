/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "smtp_reply.h"

/* All at once and byte by byte: both must say the same. */
static int feed(struct smtp_reply *r, const char *text, size_t *used_r, struct err *err)
{
	struct smtp_reply drip = {0};
	size_t len = strlen(text);
	size_t used = 0, n = 0;
	int rc = -EAGAIN, whole;

	for (size_t i = 0; i < len && rc == -EAGAIN; i++) {
		rc = smtp_reply_feed(&drip, text + i, 1, &n, err);
		used += n;
	}
	whole = smtp_reply_feed(r, text, len, used_r, err);
	assert_int_equal(rc, whole);
	if (rc == 0) {
		assert_int_equal(used, *used_r);
		assert_int_equal(drip.code, r->code);
		assert_string_equal(str_text(&drip.text), str_text(&r->text));
	}
	smtp_reply_done(&drip);
	return whole;
}

static void replies_of_one_line_and_of_many_are_read(void **state)
{
	static const struct {
		const char *bytes;
		int code;
		const char *text;
		size_t used;
	} cases[] = {
		{"220 mail ready\r\n", 220, "mail ready\n", 16},
		{"250-one\r\n250-two\r\n250 three\r\n", 250, "one\ntwo\nthree\n", 29},
		{"250\r\n", 250, "\n", 5},
		{"250-\r\n250 \r\n", 250, "\n\n", 12},
		{"421 gone\n", 421, "gone\n", 9}, /* without its CR */
		{"220 a\r\n220 b\r\n", 220, "a\n", 7},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct smtp_reply r = {0};
		struct err err = {0};
		size_t used = 0;

		assert_int_equal(feed(&r, cases[i].bytes, &used, &err), 0);
		assert_int_equal(r.code, cases[i].code);
		assert_string_equal(str_text(&r.text), cases[i].text);
		assert_int_equal(used, cases[i].used);
		smtp_reply_done(&r);
	}
}

static void one_reply_follows_another(void **state)
{
	struct smtp_reply r = {0};
	struct err err = {0};
	size_t used = 0;

	(void)state;
	assert_int_equal(smtp_reply_feed(&r, "250-a\r\n250 b\r\n", 14, &used, &err), 0);
	assert_int_equal(smtp_reply_feed(&r, "354 ", 4, &used, &err), -EAGAIN);
	assert_int_equal(smtp_reply_feed(&r, "c\r\n", 3, &used, &err), 0);
	assert_int_equal(r.code, 354);
	assert_string_equal(str_text(&r.text), "c\n");
	smtp_reply_done(&r);
}

static void what_is_not_smtp_is_told(void **state)
{
	static const char *const wrong[] = {
		"SSH-2.0-OpenSSH\r\n", "HTTP/1.1 400 x\r\n", "\r\n",      "22\r\n",
		"220-a\r\n250 b\r\n",  "220+a\r\n",          "650 x\r\n", "120 x\r\n",
		"2x0 a\r\n",           "2200 a\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct smtp_reply r = {0};
		struct err err = {0};
		size_t used = 0;

		assert_int_equal(feed(&r, wrong[i], &used, &err), -EPROTO);
		assert_true(err.text[0] != '\0');
		smtp_reply_done(&r);
	}
}

static void nothing_is_read_without_end(void **state)
{
	struct smtp_reply line = {0}, lines = {0};
	struct err err = {0};
	size_t used = 0;
	int rc = -EAGAIN;

	(void)state;
	for (int i = 0; i < 1000 && rc == -EAGAIN; i++)
		rc = smtp_reply_feed(&line, "0123456789", 10, &used, &err);
	assert_int_equal(rc, -EPROTO);
	rc = -EAGAIN;
	for (int i = 0; i < 1000 && rc == -EAGAIN; i++)
		rc = smtp_reply_feed(&lines, "250-x\r\n", 7, &used, &err);
	assert_int_equal(rc, -EPROTO);
	assert_true(lines.text.len < 1000);
	smtp_reply_done(&line);
	smtp_reply_done(&lines);
}

static void extensions_are_found(void **state)
{
	struct smtp_reply r = {0};
	struct err err = {0};
	const char *params = NULL;
	size_t used = 0;

	(void)state;
	assert_int_equal(feed(&r,
			      "250-STARTTLS is a greeting here\r\n250-SIZE 1000\r\n"
			      "250-auth PLAIN login\r\n250-AUTHX\r\n250 8BITMIME\r\n",
			      &used, &err),
			 0);
	assert_false(smtp_reply_offers(&r, "STARTTLS", NULL));
	assert_true(smtp_reply_offers(&r, "8bitmime", NULL));
	assert_true(smtp_reply_offers(&r, "AUTH", &params));
	assert_true(smtp_params_have(params, "PLAIN"));
	assert_true(smtp_params_have(params, "LOGIN"));
	assert_false(smtp_params_have(params, "LOG"));
	assert_false(smtp_params_have(params, "8BITMIME"));
	smtp_reply_done(&r);
	assert_int_equal(feed(&r, "250-x\r\n250 AUTH=LOGIN\r\n", &used, &err), 0);
	assert_true(smtp_reply_offers(&r, "AUTH", &params));
	assert_true(smtp_params_have(params, "LOGIN"));
	smtp_reply_done(&r);
	assert_int_equal(feed(&r, "250-x\r\n250 AUTH\r\n", &used, &err), 0);
	assert_true(smtp_reply_offers(&r, "AUTH", &params));
	assert_false(smtp_params_have(params, "LOGIN"));
	smtp_reply_done(&r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_of_one_line_and_of_many_are_read),
		cmocka_unit_test(one_reply_follows_another),
		cmocka_unit_test(what_is_not_smtp_is_told),
		cmocka_unit_test(nothing_is_read_without_end),
		cmocka_unit_test(extensions_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
