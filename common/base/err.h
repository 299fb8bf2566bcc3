/* SPDX-License-Identifier: Apache-2.0 */
/* err - why a thing failed, in words a human can act on
 *
 * A fixed buffer, so that reporting an error never allocates. The text reads "what: why".
 * A function that takes `struct err *` accepts NULL and then tells nobody.
 */
#ifndef HALE_BASE_ERR_H
#define HALE_BASE_ERR_H

#include "base/cleanup.h"

struct err {
	char text[768];
};

/* Both return `code` (a negative errno), so that `return err_set(err, -EINVAL, …)` reads well. */
int err_set(struct err *err, int code, const char *fmt, ...) HALE_PRINTF(3, 4);
/* Appends ": " and strerror(-code). */
int err_errno(struct err *err, int code, const char *fmt, ...) HALE_PRINTF(3, 4);
/* Puts "prefix: " before what is there. */
void err_prefix(struct err *err, const char *fmt, ...) HALE_PRINTF(2, 3);

#endif
