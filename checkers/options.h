/* SPDX-License-Identifier: Apache-2.0 */
/* options - a component's options, decoded by the kind's table and looked over by the kind
 *
 * Pure. The struct decoded into is the caller's: conf_free() and free() end it.
 */
#ifndef HALE_CHECKERS_OPTIONS_H
#define HALE_CHECKERS_OPTIONS_H

#include "check.h"

#include <jansson.h>

/* -EINVAL with the first thing that is wrong. */
int options_decode(const struct check_ops *ops, const json_t *options, void **opts_r,
		   struct err *err);
/* Everything that is wrong; paths begin with `path`. */
void options_check(const struct check_ops *ops, const json_t *options, const char *path,
		   service_problem_fn problem, void *ctx);

#endif
