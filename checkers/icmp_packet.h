/* SPDX-License-Identifier: Apache-2.0 */
/* icmp_packet - echo requests and their replies (RFC 792, RFC 4443 section 4)
 *
 * Pure. A request carries a cookie and its number in the data, which come back as they are: the
 * identifier does not tell ours from others', because kernels change it on unprivileged sockets.
 */
#ifndef HALE_CHECKERS_ICMP_PACKET_H
#define HALE_CHECKERS_ICMP_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ICMP_HEADER_LEN   8
#define ICMP_DATA_MIN     12   /* cookie and number */
#define ICMP_DATA_DEFAULT 56   /* as ping(8) */
#define ICMP_DATA_MAX     1472 /* what Ethernet carries unfragmented in IPv4 */
#define ICMP_PACKET_MAX   (ICMP_HEADER_LEN + ICMP_DATA_MAX)

struct icmp_echo {
	uint64_t cookie;
	uint32_t number;
};

/* Writes a request with data_len bytes of data (ICMP_DATA_MIN to ICMP_DATA_MAX); returns its
 * length. The checksum of ICMPv6 is the kernel's. */
size_t icmp_request(bool is_v6, const struct icmp_echo *echo, size_t data_len,
		    uint8_t packet[ICMP_PACKET_MAX]);
/* True if the bytes are an echo reply, and whose. has_ip: an IPv4 header comes first, as raw
 * sockets give it. */
bool icmp_reply(bool is_v6, bool has_ip, const uint8_t *data, size_t len, struct icmp_echo *echo_r);

#endif
