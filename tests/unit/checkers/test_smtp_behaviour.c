/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "behaviour.h"
#include "kind.h"
#include "patience.h"

static const struct script_step steps[] = {
	{.say = "220-mail.example.org\r\n220 ready\r\n"},
	{.expect = "EHLO me.example\r\n",
	 .say = "250-hello\r\n250-SIZE 1000\r\n250 AUTH PLAIN\r\n"},
	{.expect = "AUTH PLAIN AGEAYg==\r\n", .say = "235 ok\r\n"},
	{.expect = "MAIL FROM:<>\r\n", .say = "250 ok\r\n"},
	{.expect = "RCPT TO:<x@y.example>\r\n", .say = "251 it moved\r\n"},
	{.expect = "RSET\r\n", .say = "250 ok\r\n"},
};

static void a_whole_dialogue(void **state)
{
	(void)state;
	behaviour_check(&(struct behaviour){
		.options = "{\"address\": \"127.0.0.1:PORT\", \"encryption\": \"none\", "
			   "\"hello\": \"me.example\", \"username\": \"a\", \"password\": \"b\", "
			   "\"mail_from\": \"\", \"rcpt_to\": [\"x@y.example\"]}",
		.dialogue = {.steps = steps, .steps_n = ARRAY_LEN(steps), .closes_at_end = true},
	});
}

static const struct script_step starttls[] = {
	{.say = "220 ready\r\n"},
	{.expect = "EHLO me\r\n", .say = "250-hello\r\n250 STARTTLS\r\n"},
	{.expect = "STARTTLS\r\n", .say = "220 go on\r\n"},
	{.expect = "EHLO me\r\n", .say = "250-hello\r\n250 AUTH=LOGIN\r\n"},
	{.expect = "AUTH LOGIN\r\n", .say = "334 VXNlcm5hbWU6\r\n"},
	{.expect = "YQ==\r\n", .say = "334 UGFzc3dvcmQ6\r\n"},
	{.expect = "Yg==\r\n", .say = "235 ok\r\n"},
};

static void a_login_after_starttls(void **state)
{
	(void)state;
	behaviour_check(&(struct behaviour){
		.options = "{\"address\": \"127.0.0.1:PORT\", \"encryption\": \"starttls\", "
			   "\"hello\": \"me\", \"username\": \"a\", \"password\": \"b\", "
			   "\"tls\": {\"ca\": \"CA\"}}",
		.dialogue = {.steps = starttls,
			     .steps_n = ARRAY_LEN(starttls),
			     .is_tls = true,
			     .tls_after = 3,
			     .closes_at_end = true},
	});
}

static const struct script_step brief[] = {
	{.say = "220 ready\r\n"},
	{.expect = "EHLO me\r\n", .say = "250 hello\r\n"},
};

/* The verdict stands before the deadline; who then waits for an answer to QUIT must not lose it. */
static void a_goodbye_without_an_answer_is_no_timeout(void **state)
{
	const struct script_dialogue dialogue = {.steps = brief, .steps_n = ARRAY_LEN(brief)};
	HALE_CLEANUP(cleanup_free)
	char *options = mem_printf("{\"address\": \"127.0.0.1:%d\", \"hello\": \"me\"}",
				   script_start(&dialogue, NULL, 0));
	json_t *o;

	(void)state;
	script_behave(&(struct script_manner){0});
	o = kind_ask(options, PATIENCE_MS - PATIENCE_END);
	assert_string_equal(kind_text(o, "reason"), "ok");
	json_decref(o);
	script_stop();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kind_setup, kind_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_whole_dialogue),
		TEST(a_login_after_starttls),
		TEST(a_goodbye_without_an_answer_is_no_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
