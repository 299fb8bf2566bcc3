/* SPDX-License-Identifier: Apache-2.0 */
#include "signature.h"

#include <string.h>

#include <sodium.h>

#define PREFIX "sha256="

const char *signature_format(const char *secret, const void *body, size_t len,
			     char buf[SIGNATURE_TEXT_MAX])
{
	unsigned char mac[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state state;

	(void)crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret, strlen(secret));
	(void)crypto_auth_hmacsha256_update(&state, body, len);
	(void)crypto_auth_hmacsha256_final(&state, mac);
	memcpy(buf, PREFIX, sizeof(PREFIX));
	(void)sodium_bin2hex(buf + strlen(PREFIX), SIGNATURE_TEXT_MAX - strlen(PREFIX), mac,
			     sizeof(mac));
	sodium_memzero(&state, sizeof(state));
	return buf;
}
