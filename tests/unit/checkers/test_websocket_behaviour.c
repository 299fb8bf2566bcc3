/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "behaviour.h"
#include "kind.h"
#include "ws_upgrade.h"

static void upgrade(const char *heard, size_t len, struct str *say)
{
	static const char name[] = "Sec-WebSocket-Key: ";
	const char *at = memmem(heard, len, name, sizeof(name) - 1);
	char key[WS_KEY_SIZE];
	char accept[WS_ACCEPT_SIZE];

	assert_non_null(at);
	(void)snprintf(key, sizeof(key), "%s", at + sizeof(name) - 1);
	ws_accept_of(key, accept);
	str_addf(say,
		 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		 "Sec-WebSocket-Accept: %s\r\n\r\n",
		 accept);
}

/* A message of seven bytes, and a ping of eight, each masked. */
#define SUBSCRIPTION_BYTES (2 + 4 + 7)
#define PING_BYTES         (2 + 4 + 8)

/* The client may have sent both by now: the ping is what came last. */
static void pong(const char *heard, size_t len, struct str *say)
{
	const char *ping = heard + len - PING_BYTES;

	assert_true(len >= PING_BYTES && ping[0] == (char)0x89 && ping[1] == (char)0x88);
	str_add(say, "\x81\x0d{\"ok\": true }\x8a\x08");
	for (size_t i = 0; i < 8; i++)
		str_addc(say, (char)(ping[6 + i] ^ ping[2 + i % 4]));
}

static const struct script_step steps[] = {
	{.expect = "\r\n\r\n", .answer = upgrade},
	{.expect_bytes = SUBSCRIPTION_BYTES + PING_BYTES, .answer = pong},
};

#define OPTIONS                                                                                    \
	"\"subscriptions\": [\"prices!\"], \"subscribe\": \"{subscription}\", "                    \
	"\"expect\": {\"jq\": \".ok\"}, \"message_max\": 1000"

static void a_subscription(void **state)
{
	(void)state;
	behaviour_check(&(struct behaviour){
		.options = "{\"url\": \"ws://127.0.0.1:PORT/x\", " OPTIONS "}",
		.dialogue = {.steps = steps, .steps_n = ARRAY_LEN(steps), .closes_at_end = true},
	});
}

static void a_subscription_within_tls(void **state)
{
	(void)state;
	behaviour_check(&(struct behaviour){
		.options =
			"{\"url\": \"wss://127.0.0.1:PORT/\", \"tls\": {\"ca\": \"CA\"}, " OPTIONS
			"}",
		.dialogue = {.steps = steps,
			     .steps_n = ARRAY_LEN(steps),
			     .is_tls = true,
			     .closes_at_end = true},
	});
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kind_setup, kind_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_subscription),
		TEST(a_subscription_within_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
