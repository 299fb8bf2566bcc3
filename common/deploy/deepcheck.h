/* SPDX-License-Identifier: Apache-2.0 */
/* deepcheck - asks each child what it thinks of its slice, before anything is started
 *
 * Runs PROGRAM --check for all processes at once (child_proto.h) and reads their answers. Blocks,
 * DEEPCHECK_TIMEOUT_MS at most: only where no loop runs.
 */
#ifndef HALE_DEPLOY_DEEPCHECK_H
#define HALE_DEPLOY_DEEPCHECK_H

#include "conf/report.h"
#include "conf/tree.h"
#include "deploy/config.h"

/* A child with hundreds of jq programs at 15 ms each still fits. */
#define DEEPCHECK_TIMEOUT_MS 60000

/* Problems land in the report at the place in the YAML they are about. */
void deepcheck_run(const struct config *c, struct tree *tree, struct report *report);

#endif
