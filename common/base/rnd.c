/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rnd.h"

#include <stdio.h>
#include <sys/random.h>

#include "base/cleanup.h"

static void fill(void *buf, size_t len)
{
	ssize_t got = getrandom(buf, len, 0);

	/* Requests up to 256 bytes are never cut short (getrandom(2)). */
	HALE_ASSERT(got == (ssize_t)len);
}

uint32_t rnd_u32(void)
{
	uint32_t n;

	fill(&n, sizeof(n));
	return n;
}

const char *rnd_uuid(char buf[37])
{
	unsigned char b[16];

	fill(b, sizeof(b));
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	(void)snprintf(buf, 37,
		       "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
		       b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
		       b[13], b[14], b[15]);
	return buf;
}
