/* SPDX-License-Identifier: Apache-2.0 */
/* metric_history - hale history NAME --metric METRIC
 */
#ifndef HALE_CLI_METRIC_HISTORY_H
#define HALE_CLI_METRIC_HISTORY_H

#include "args.h"
#include "cli.h"
#include "past.h"
#include "period.h"

/* The exit code. */
int metric_history(struct cli *cli, const struct args *args, struct past *past,
		   const struct period *period);

#endif
