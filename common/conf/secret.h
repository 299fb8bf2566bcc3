/* SPDX-License-Identifier: Apache-2.0 */
/* secret - ${…} in a text of the configuration
 *
 * ${NAME} and ${NAME:-default} environment, ${file:/path}, ${cred:name}; "$$" is one dollar sign,
 * any other "$" stays what it is. What was put in is never searched again.
 */
#ifndef HALE_CONF_SECRET_H
#define HALE_CONF_SECRET_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* Called for each ${…} that cannot be had; offset and length in the text. */
typedef void (*secret_problem_fn)(void *ctx, size_t offset, size_t length, const char *message,
				  const char *hint);

/* Appends the expansion to out; *is_secret_r tells whether there was any ${…}. False if a problem
 * was reported. */
bool secret_expand(const char *text, struct str *out, bool *is_secret_r,
		   secret_problem_fn on_problem, void *ctx);

/* Does this name of a variable, or the form of its value, tell that it is a secret? Rather once too
 * often than once too little: masking hides a value from nobody but readers. */
bool secret_is_named(const char *name, const char *value);

#endif
