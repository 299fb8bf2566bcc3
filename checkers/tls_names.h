/* SPDX-License-Identifier: Apache-2.0 */
/* tls_names - what a certificate says it is, held against what people write
 *
 * Pure.
 */
#ifndef HALE_CHECKERS_TLS_NAMES_H
#define HALE_CHECKERS_TLS_NAMES_H

#include "base/strlist.h"

#include <stdbool.h>

#define TLS_SHA256_SIZE 65 /* 64 hex digits and NUL */

/* Is `wanted` among "a.org, *.b.org"? A star stands for one label, the first (RFC 6125 section
 * 6.4.3); case does not matter. */
bool tls_names_have(const char *names, const char *wanted);

/* "AB:CD:…" or "abcd…" to 64 small hex digits; false if it is none. */
bool tls_sha256_parse(const char *text, char hex[TLS_SHA256_SIZE]);
bool tls_sha256_is_among(const char *hex, const struct strlist *texts);

#endif
