/* SPDX-License-Identifier: Apache-2.0 */
/* run_program - one of hale's programs beside this one, run to its end
 */
#ifndef HALE_CLI_RUN_PROGRAM_H
#define HALE_CLI_RUN_PROGRAM_H

#include "cli.h"

/* argv[0] is filled in from `name`. Its standard output goes into `out`, or with NULL to ours.
 * Returns its exit code (a signal counts as 1), or negative errno if it could not be run. */
int run_program(const struct cli *cli, const char *name, char **argv, struct str *out,
		struct err *err);

#endif
