/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_out - JSON written the way people wrote the configuration
 *
 * Block style, members in their order, quotes only where YAML needs them; what comes out reads back
 * as the same values. For showing, not for hashing.
 */
#ifndef HALE_CLI_YAML_OUT_H
#define HALE_CLI_YAML_OUT_H

#include "base/str.h"

#include <jansson.h>

void yaml_add(struct str *out, const json_t *value);

#endif
