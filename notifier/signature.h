/* SPDX-License-Identifier: Apache-2.0 */
/* signature - so that a receiver knows who sent the body, and that it is whole
 *
 * HMAC-SHA256 (RFC 2104, FIPS 198-1) over the body's bytes, as GitHub and others sign webhooks:
 * "sha256=" and 64 hexadecimal digits. Pure.
 */
#ifndef HALE_NOTIFIER_SIGNATURE_H
#define HALE_NOTIFIER_SIGNATURE_H

#include <stddef.h>

#define SIGNATURE_TEXT_MAX 72 /* "sha256=", 64 digits, NUL */

/* Returns buf. */
const char *signature_format(const char *secret, const void *body, size_t len,
			     char buf[SIGNATURE_TEXT_MAX]);

#endif
