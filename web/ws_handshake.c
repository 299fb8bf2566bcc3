/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of the opening handshake, RFC 6455 section 4.2. */
#include "ws.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "base/sha1.h"

#define WS_GUID        "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define WS_NONCE_BYTES 16
#define WS_KEY_LEN     24

int ws_accept_key(const char *key, char out[WS_ACCEPT_SIZE])
{
	unsigned char nonce[WS_NONCE_BYTES + 2];
	size_t len;
	if (!key || strlen(key) != WS_KEY_LEN ||
	    sodium_base642bin(nonce, sizeof(nonce), key, WS_KEY_LEN, NULL, &len, NULL,
			      sodium_base64_VARIANT_ORIGINAL) ||
	    len != WS_NONCE_BYTES)
		return -EINVAL;
	char text[WS_KEY_LEN + sizeof(WS_GUID)];
	memcpy(text, key, WS_KEY_LEN);
	memcpy(text + WS_KEY_LEN, WS_GUID, sizeof(WS_GUID));
	uint8_t digest[SHA1_BYTES];
	sha1(text, sizeof(text) - 1, digest);
	sodium_bin2base64(out, WS_ACCEPT_SIZE, digest, sizeof(digest),
			  sodium_base64_VARIANT_ORIGINAL);
	return 0;
}

bool ws_header_has(const char *value, const char *token)
{
	size_t want = strlen(token);
	while (value && *value) {
		value += strspn(value, " \t,");
		size_t have = strcspn(value, ",");
		size_t trimmed = have;
		while (trimmed && strchr(" \t", value[trimmed - 1]))
			trimmed--;
		if (trimmed == want && !strncasecmp(value, token, want))
			return true;
		value += have;
	}
	return false;
}

bool ws_origin_allowed(const char *origin, const char *host, const struct strlist *origins)
{
	if (strlist_has(origins, origin))
		return true;
	const char *authority = strstr(origin, "://");
	return authority && host && !strcasecmp(authority + 3, host);
}
