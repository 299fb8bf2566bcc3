/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_add(struct str *out, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (; len > 0; p += 3) {
		size_t n = len < 3 ? len : 3;
		uint32_t bits = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) |
				(n > 2 ? p[2] : 0);

		str_addc(out, alphabet[bits >> 18]);
		str_addc(out, alphabet[bits >> 12 & 63]);
		str_addc(out, n > 1 ? alphabet[bits >> 6 & 63] : '=');
		str_addc(out, n > 2 ? alphabet[bits & 63] : '=');
		len -= n;
	}
}

/* Four characters to one to three bytes; how many, or 0. */
static size_t decode_group(const char *text, char bytes_r[3])
{
	size_t n = text[3] != '=' ? 3 : text[2] != '=' ? 2 : 1;
	uint32_t bits = 0;

	for (size_t i = 0; i < 4; i++) {
		const char *at = i > n || text[i] == '\0' ? NULL : strchr(alphabet, text[i]);

		if (at == NULL && i <= n)
			return 0;
		bits = bits << 6 | (at == NULL ? 0 : (uint32_t)(at - alphabet));
	}
	if ((bits & ((1u << (8 * (3 - n))) - 1)) != 0)
		return 0;
	for (size_t i = 0; i < 3; i++)
		bytes_r[i] = (char)(bits >> (16 - 8 * i) & 0xff);
	return n;
}

int base64_decode(struct str *out, const char *text, size_t len)
{
	size_t before = out->len;

	if (len % 4 != 0)
		return -EINVAL;
	for (size_t at = 0; at < len; at += 4) {
		char bytes[3];
		size_t n = decode_group(text + at, bytes);

		if (n == 0 || (n < 3 && at + 4 < len)) {
			str_truncate(out, before);
			return -EINVAL;
		}
		str_addn(out, bytes, n);
	}
	return 0;
}
