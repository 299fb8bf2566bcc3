/* SPDX-License-Identifier: Apache-2.0 */
/* lock - one process per directory: a file in it, flocked for as long as the process lives
 *
 * Ownership: the fd is the caller's; closing it lets go. It may go through an exec (reexec.h), and
 * the lock with it. Errors: negative errno with text. Loop: any thread, never waits.
 */
#ifndef HALE_PROC_LOCK_H
#define HALE_PROC_LOCK_H

#include "base/err.h"

#include <stdbool.h>

/* dir/name, made if need be. An fd, or -EBUSY: somebody else has it. `held` (-1 none) is a lock of
 * ours: if it is on the same file, the answer is LOCK_IS_HELD. */
#define LOCK_IS_HELD (-1000000)
int lock_dir(const char *dir, const char *name, int held, struct err *err);

#endif
