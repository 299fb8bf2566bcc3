/* SPDX-License-Identifier: Apache-2.0 */
/* ordering - `after` and `requires` of the programs: names that exist, and no circle
 *
 * Told at the name in the file. Pure but for the report.
 */
#ifndef HALE_DEPLOY_ORDERING_H
#define HALE_DEPLOY_ORDERING_H

#include "deploy/place.h"
#include "deploy/process_spec.h"

void ordering_check(const struct process_spec *processes, size_t n, const struct place *place);

#endif
