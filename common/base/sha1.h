/* SPDX-License-Identifier: Apache-2.0 */
/* sha1 - FIPS 180-4, section 6.1, for the WebSocket handshake alone
 *
 * RFC 6455 section 4.2.2 asks for SHA-1 of a public text; nothing secret depends on it. libsodium
 * offers no SHA-1, and one function does not justify a TLS library.
 */
#ifndef HALE_BASE_SHA1_H
#define HALE_BASE_SHA1_H

#include <stddef.h>
#include <stdint.h>

#define SHA1_BYTES 20

void sha1(const void *data, size_t len, uint8_t out[SHA1_BYTES]);

#endif
