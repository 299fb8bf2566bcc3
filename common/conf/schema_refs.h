/* SPDX-License-Identifier: Apache-2.0 */
/* schema_refs - names that must exist elsewhere, and the graph that depends_on makes
 */
#ifndef HALE_CONF_SCHEMA_REFS_H
#define HALE_CONF_SCHEMA_REFS_H

#include "schema_value.h"

/* Every collected reference names a key of the mapping it points to. */
void schema_refs_check(struct schema *s);
/* No component depends on itself, however far around. */
void schema_cycles_check(struct schema *s);

#endif
