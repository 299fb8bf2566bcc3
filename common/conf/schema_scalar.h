/* SPDX-License-Identifier: Apache-2.0 */
/* schema_scalar - a scalar of the YAML file read as the type its option has
 *
 * Plain and quoted scalars differ where it matters: "80" is text, 80 may be a number. What came
 * from ${…} has no quotes of its own and reads as either.
 */
#ifndef HALE_CONF_SCHEMA_SCALAR_H
#define HALE_CONF_SCHEMA_SCALAR_H

#include "schema_value.h"

/* New reference, or NULL after an error. `o` is of a scalar type, or a list's entries. */
json_t *schema_scalar(struct schema *s, const struct spec_option *o, const struct node *node);
/* The text as it is. */
json_t *schema_text(struct schema *s, const struct node *node);

#endif
