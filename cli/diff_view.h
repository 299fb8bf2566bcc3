/* SPDX-License-Identifier: Apache-2.0 */
/* diff_view - what a reload changes in the configuration, as lines
 *
 *   ~ components.api.interval: 30s -> 1m
 *   + components.db: {"kind":"null",…}
 *   - components.old: {…}
 *   ~ alerts.channels.ops.webhook.secret: (secret changed)
 *
 * Pure. Whatever came from elsewhere is cleaned (text.h).
 */
#ifndef HALE_CLI_DIFF_VIEW_H
#define HALE_CLI_DIFF_VIEW_H

#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>

/* `result` is an answer of "reload" or "config.diff". width 0: lines are as long as they are. */
void diff_view_add(struct str *out, const json_t *result, bool has_colour, size_t width);

#endif
