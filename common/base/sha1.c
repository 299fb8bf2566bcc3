/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sha1.h"

#include <string.h>

#define SHA1_BLOCK 64

static uint32_t rotl(uint32_t x, unsigned n)
{
	return (x << n) | (x >> (32 - n));
}

/* f and K of FIPS 180-4 sections 4.1.1 and 4.2.1, one row per twenty rounds. */
static uint32_t mix(unsigned t, uint32_t b, uint32_t c, uint32_t d)
{
	switch (t / 20) {
	case 0:
		return ((b & c) ^ (~b & d)) + 0x5a827999u;
	case 1:
		return (b ^ c ^ d) + 0x6ed9eba1u;
	case 2:
		return ((b & c) ^ (b & d) ^ (c & d)) + 0x8f1bbcdcu;
	default:
		return (b ^ c ^ d) + 0xca62c1d6u;
	}
}

static void compress(uint32_t h[5], const uint8_t block[SHA1_BLOCK])
{
	uint32_t w[80];
	for (unsigned t = 0; t < 16; t++)
		w[t] = (uint32_t)block[t * 4] << 24 | (uint32_t)block[t * 4 + 1] << 16 |
		       (uint32_t)block[t * 4 + 2] << 8 | block[t * 4 + 3];
	for (unsigned t = 16; t < 80; t++)
		w[t] = rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
	uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
	for (unsigned t = 0; t < 80; t++) {
		uint32_t next = rotl(a, 5) + mix(t, b, c, d) + e + w[t];
		e = d;
		d = c;
		c = rotl(b, 30);
		b = a;
		a = next;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

void sha1(const void *data, size_t len, uint8_t out[SHA1_BYTES])
{
	uint32_t h[5] = {0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u, 0xc3d2e1f0u};
	const uint8_t *p = data;
	size_t left = len;
	for (; left >= SHA1_BLOCK; p += SHA1_BLOCK, left -= SHA1_BLOCK)
		compress(h, p);

	/* Padding, section 5.1.1: a one bit, zeros, and the length in bits as 64-bit big endian. */
	uint8_t tail[2 * SHA1_BLOCK] = {0};
	if (left)
		memcpy(tail, p, left);
	tail[left] = 0x80;
	size_t blocks = left + 9 > SHA1_BLOCK ? 2 : 1;
	uint64_t bits = (uint64_t)len * 8;
	for (unsigned i = 0; i < 8; i++)
		tail[blocks * SHA1_BLOCK - 1 - i] = (uint8_t)(bits >> (8 * i));
	for (size_t i = 0; i < blocks; i++)
		compress(h, tail + i * SHA1_BLOCK);
	for (unsigned i = 0; i < SHA1_BYTES; i++)
		out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}
