/* SPDX-License-Identifier: Apache-2.0 */
/* man_pages - hale(1) out of the verb table, haled(8) out of what haled says of its options
 *
 * Pure. hale.yaml(5) is conf/man.h's.
 */
#ifndef HALE_CLI_MAN_PAGES_H
#define HALE_CLI_MAN_PAGES_H

#include "base/str.h"

void man_hale(struct str *out, const char *date);
/* `usage` is what `haled --help` prints. */
void man_haled(struct str *out, const char *usage, const char *date);

#endif
