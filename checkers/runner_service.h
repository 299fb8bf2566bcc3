/* SPDX-License-Identifier: Apache-2.0 */
/* runner_service - a checker as a service: slice in, observations out, commands
 *
 * Works on the executable's `check_ops`.
 */
#ifndef HALE_CHECKERS_RUNNER_SERVICE_H
#define HALE_CHECKERS_RUNNER_SERVICE_H

#include "check.h"

/* All of a checker's service but its program name, which main() fills in. */
extern const struct service_ops runner_service_ops;

/* "hale-check-<kind>" */
#define RUNNER_PROGRAM_MAX 64
const char *runner_program(const struct check_ops *ops, char buf[RUNNER_PROGRAM_MAX]);

/* Those of every checker, and the kind's own (check_ops.methods). */
#define RUNNER_METHODS_MAX (CHECK_METHODS_MAX + 8)
void runner_methods(const struct check_ops *ops, struct command_method *all);

#endif
