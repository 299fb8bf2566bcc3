/* SPDX-License-Identifier: Apache-2.0 */
/* hash - a number that tells "the same as before" from "not" (FNV-1a, 64 bit)
 *
 * Pure. No protection against somebody who wants two things to look alike.
 * Source: draft-eastlake-fnv, "The FNV Non-Cryptographic Hash Algorithm".
 */
#ifndef HALE_BASE_HASH_H
#define HALE_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START UINT64_C(14695981039346656037)

uint64_t hash_add(uint64_t h, const void *data, size_t len);
/* With its end, so that "ab","c" is not "a","bc"; NULL is neither "" nor anything else. */
uint64_t hash_text(uint64_t h, const char *text);
uint64_t hash_number(uint64_t h, uint64_t n);

#endif
