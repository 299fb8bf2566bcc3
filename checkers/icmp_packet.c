/* SPDX-License-Identifier: Apache-2.0 */
#include "icmp_packet.h"

#include <string.h>

#include "base/cleanup.h"

#define V4_REPLY   0
#define V4_REQUEST 8
#define V6_REQUEST 128
#define V6_REPLY   129

#define IP_HEADER_MIN 20

/* RFC 1071. */
static uint16_t checksum(const uint8_t *data, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put(uint8_t *to, uint64_t n, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		to[i] = (uint8_t)(n >> (8 * (bytes - 1 - i)));
}

static uint64_t get(const uint8_t *from, size_t bytes)
{
	uint64_t n = 0;

	for (size_t i = 0; i < bytes; i++)
		n = n << 8 | from[i];
	return n;
}

size_t icmp_request(bool is_v6, const struct icmp_echo *echo, size_t data_len,
		    uint8_t packet[ICMP_PACKET_MAX])
{
	size_t len = ICMP_HEADER_LEN + data_len;

	HALE_ASSERT(data_len >= ICMP_DATA_MIN && data_len <= ICMP_DATA_MAX);
	memset(packet, 0, ICMP_HEADER_LEN);
	packet[0] = is_v6 ? V6_REQUEST : V4_REQUEST;
	put(packet + 4, echo->cookie & 0xffff, 2);
	put(packet + 6, echo->number & 0xffff, 2);
	put(packet + 8, echo->cookie, 8);
	put(packet + 16, echo->number, 4);
	for (size_t i = ICMP_HEADER_LEN + ICMP_DATA_MIN; i < len; i++)
		packet[i] = (uint8_t)i;
	if (!is_v6)
		put(packet + 2, checksum(packet, len), 2);
	return len;
}

bool icmp_reply(bool is_v6, bool has_ip, const uint8_t *data, size_t len, struct icmp_echo *echo_r)
{
	if (has_ip) {
		size_t header = len >= IP_HEADER_MIN ? (size_t)(data[0] & 0xf) * 4 : 0;

		if (header < IP_HEADER_MIN || header > len)
			return false;
		data += header;
		len -= header;
	}
	if (len < ICMP_HEADER_LEN + ICMP_DATA_MIN || data[0] != (is_v6 ? V6_REPLY : V4_REPLY) ||
	    data[1] != 0)
		return false;
	*echo_r = (struct icmp_echo){.cookie = get(data + 8, 8),
				     .number = (uint32_t)get(data + 16, 4)};
	return true;
}
