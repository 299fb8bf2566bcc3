/* SPDX-License-Identifier: Apache-2.0 */
/* rnd - random numbers that need not be secret (jitter, phases)
 *
 * Seeded once from the kernel. For secrets use libsodium.
 */
#ifndef HALE_BASE_RND_H
#define HALE_BASE_RND_H

#include <stdint.h>

uint32_t rnd_u32(void);
/* Random UUID (RFC 9562, version 4) as text; buf holds 37 bytes. Returns buf. */
const char *rnd_uuid(char buf[37]);

#endif
