/* SPDX-License-Identifier: Apache-2.0 */
/* base64 - RFC 4648 section 4: the alphabet with + and /, padded
 *
 * Pure. For what protocols wrap in it; secrets too, so nothing here depends on being fast.
 */
#ifndef HALE_BASE_BASE64_H
#define HALE_BASE_BASE64_H

#include "base/str.h"

#include <stddef.h>

/* Appends. */
void base64_add(struct str *out, const void *data, size_t len);
/* Appends what text stands for. -EINVAL, and nothing is appended: not base64, or not as it would be
 * written (padding is missing, or bits beyond the end are set). */
int base64_decode(struct str *out, const char *text, size_t len);

#endif
