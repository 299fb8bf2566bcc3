/* SPDX-License-Identifier: Apache-2.0 */
/* args - the command line all services share
 *
 * Pure but for getopt's own globals. Texts are borrowed from argv.
 */
#ifndef HALE_SERVICE_ARGS_H
#define HALE_SERVICE_ARGS_H

#include "base/err.h"
#include "base/str.h"

enum args_action { ARGS_RUN, ARGS_HELP, ARGS_VERSION, ARGS_DESCRIBE, ARGS_CHECK };

struct args {
	enum args_action action;
	const char *slice;   /* file; NULL: CHILD_SLICE_FD */
	const char *run_dir; /* NULL: not given */
	const char *state_dir;
	const char *log_level; /* a valid name, or NULL */
};

/* -EINVAL says what is wrong and what would be right. */
int args_parse(int argc, char **argv, struct args *args_r, struct err *err);
void args_help(const char *program, const char *summary, struct str *out);

#endif
