/* SPDX-License-Identifier: Apache-2.0 */
/* The main of every hale-check-<kind>: which kind it is, is in the check_ops linked to it. */
#include "runner_service.h"

int main(int argc, char **argv)
{
	struct service_ops ops = runner_service_ops;
	struct command_method methods[RUNNER_METHODS_MAX];
	char program[RUNNER_PROGRAM_MAX];

	ops.program = runner_program(&check_ops, program);
	ops.summary = check_ops.summary;
	runner_methods(&check_ops, methods);
	ops.methods = methods;
	return service_main(argc, argv, &ops);
}
