/* SPDX-License-Identifier: Apache-2.0 */
/* redis_command - which commands a check may send: those that only look
 *
 * Pure. One table: what writes, blocks, watches, or hands the server to somebody is not in it, nor
 * what walks through all keys (KEYS, SCAN, SORT), because a check must not be the load.
 */
#ifndef HALE_CHECKERS_REDIS_COMMAND_H
#define HALE_CHECKERS_REDIS_COMMAND_H

#include "base/err.h"
#include "base/strlist.h"

/* -EINVAL with what is wrong. */
int redis_command_check(const struct strlist *command, struct err *err);

#endif
