/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "icmp_packet.h"

static const struct icmp_echo ours = {.cookie = 0x0123456789abcdef, .number = 7};

/* What the other end makes of a request. */
static size_t answer(bool is_v6, uint8_t packet[ICMP_PACKET_MAX])
{
	size_t len = icmp_request(is_v6, &ours, ICMP_DATA_DEFAULT, packet);

	packet[0] = is_v6 ? 129 : 0;
	return len;
}

static void a_request_is_as_the_rfcs_have_it(void **state)
{
	uint8_t packet[ICMP_PACKET_MAX];
	uint32_t sum = 0;
	size_t len = icmp_request(false, &ours, ICMP_DATA_DEFAULT, packet);

	(void)state;
	assert_int_equal(len, 64);
	assert_memory_equal(packet, "\10\0", 2);
	assert_memory_equal(packet + 4, "\xcd\xef\0\7\x01\x23\x45\x67\x89\xab\xcd\xef\0\0\0\7", 16);
	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)packet[i] << 8 | packet[i + 1];
	assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
	(void)icmp_request(true, &ours, ICMP_DATA_MIN, packet);
	assert_memory_equal(packet, "\x80\0\0\0", 4);
}

static void a_reply_gives_back_whose_it_is(void **state)
{
	uint8_t packet[20 + ICMP_PACKET_MAX];
	struct icmp_echo echo = {0};
	size_t len;

	(void)state;
	for (int is_v6 = 0; is_v6 < 2; is_v6++) {
		len = answer(is_v6 == 1, packet);
		assert_true(icmp_reply(is_v6 == 1, false, packet, len, &echo));
		assert_true(echo.cookie == ours.cookie && echo.number == ours.number);
		assert_false(icmp_reply(is_v6 == 0, false, packet, len, &echo));
	}
	len = answer(false, packet + 20);
	memset(packet, 0, 20);
	packet[0] = 0x45;
	assert_true(icmp_reply(false, true, packet, len + 20, &echo));
}

static void other_messages_are_not_replies(void **state)
{
	uint8_t packet[ICMP_PACKET_MAX] = {0};
	struct icmp_echo echo;
	size_t len = icmp_request(false, &ours, ICMP_DATA_DEFAULT, packet);

	(void)state;
	/* On the loopback a raw socket hears the request, too. */
	assert_false(icmp_reply(false, false, packet, len, &echo));
	len = answer(false, packet);
	assert_false(icmp_reply(false, false, packet, 19, &echo));
	packet[1] = 1;
	assert_false(icmp_reply(false, false, packet, len, &echo));
	/* An IP header that says to be longer than all there is. */
	packet[0] = 0x4f;
	assert_false(icmp_reply(false, true, packet, 40, &echo));
	packet[0] = 0x42;
	assert_false(icmp_reply(false, true, packet, len, &echo));
	assert_false(icmp_reply(false, true, packet, 0, &echo));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_as_the_rfcs_have_it),
		cmocka_unit_test(a_reply_gives_back_whose_it_is),
		cmocka_unit_test(other_messages_are_not_replies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
