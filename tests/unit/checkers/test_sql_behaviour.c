/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL's protocol, version 3:
 * https://www.postgresql.org/docs/15/protocol-message-formats.html
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "behaviour.h"
#include "kind.h"

/* Each message: a letter, its length without the letter, and what belongs to it. */
#define AUTHENTICATION_OK "R\0\0\0\010\0\0\0\0"
#define KEY_DATA          "K\0\0\0\014\0\0\1\2\0\0\3\4"
#define READY_IDLE        "Z\0\0\0\005I"
#define READY_WITHIN      "Z\0\0\0\005T"
#define DONE_BEGIN        "C\0\0\0\012BEGIN\0"
#define DONE_SET          "C\0\0\0\010SET\0"
#define DONE_SELECT       "C\0\0\0\015SELECT 1\0"
#define PARSED            "1\0\0\0\004"
#define BOUND             "2\0\0\0\004"
/* One column "n" of type int4. */
#define COLUMNS           "T\0\0\0\032\0\1n\0\0\0\0\0\0\0\0\0\0\027\0\004\377\377\377\377\0\0"
#define ROW               "D\0\0\0\013\0\1\0\0\0\0011"

#define BYTES(text) .say = (text), .say_len = sizeof(text) - 1

#define LOGIN                                                                                      \
	{                                                                                          \
		.expect_bytes = 20, BYTES(AUTHENTICATION_OK KEY_DATA READY_IDLE)                   \
	}
#define BEGIN                                                                                      \
	{                                                                                          \
		.expect_bytes = 40, BYTES(DONE_BEGIN DONE_SET DONE_SET DONE_SET READY_WITHIN)      \
	}
#define SELECT                                                                                     \
	{                                                                                          \
		.expect_bytes = 40, BYTES(PARSED BOUND COLUMNS ROW DONE_SELECT READY_WITHIN)       \
	}

static const struct script_step plain[] = {LOGIN, BEGIN, SELECT};

static void a_query_and_its_answer(void **state)
{
	(void)state;
	behaviour_check(&(struct behaviour){
		.options = "{\"postgres\": {\"dsn\": \"host=127.0.0.1 port=PORT user=u dbname=d "
			   "sslmode=disable gssencmode=disable\"}, \"expect\": \"1\"}",
		.dialogue = {.steps = plain, .steps_n = ARRAY_LEN(plain)},
	});
}

static const struct script_step more[] = {LOGIN, BEGIN, SELECT, SELECT, SELECT};

static void several_statements(void **state)
{
	(void)state;
	behaviour_check(&(struct behaviour){
		.options = "{\"postgres\": {\"dsn\": \"host=127.0.0.1 port=PORT user=u dbname=d "
			   "sslmode=disable gssencmode=disable\"}, \"queries\": {\"a\": "
			   "\"SELECT 'a long enough question'\", \"b\": \"SELECT 'another one'\"}}",
		.dialogue = {.steps = more, .steps_n = ARRAY_LEN(more)},
	});
}

static const struct script_step secure[] = {
	{.expect_bytes = 8, BYTES("S")}, /* SSLRequest */
	LOGIN,
	BEGIN,
	SELECT,
};

static void a_query_within_tls(void **state)
{
	(void)state;
	behaviour_check(&(struct behaviour){
		.options = "{\"postgres\": {\"dsn\": \"host=127.0.0.1 port=PORT user=u dbname=d "
			   "gssencmode=disable\", \"ca\": \"CA\"}, \"expect\": \"1\"}",
		.dialogue = {.steps = secure,
			     .steps_n = ARRAY_LEN(secure),
			     .is_tls = true,
			     .tls_after = 1},
		/* It does, but libpq does not tell what was wrong with one. */
		.trusts_all = true,
	});
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kind_setup, kind_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_query_and_its_answer),
		TEST(several_statements),
		TEST(a_query_within_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
