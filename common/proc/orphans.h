/* SPDX-License-Identifier: Apache-2.0 */
/* orphans - what a program started and left behind when it ended
 *
 * A program that goes into the background (double fork, setsid) leaves its session, so that a kill
 * of its process group misses it; the kernel then makes it a child of haled, which is the reaper
 * of its descendants. It is known by its environment, which it got from us: "HALE_PROGRAM=trader".
 * One that cleared its environment is not found here; it ends with haled's control group or
 * container.
 *
 * Cheap where there are none: one file of /proc is read. Where the kernel has no such file
 * (CONFIG_PROC_CHILDREN), nothing is found. Loop: haled's thread; blocks for /proc only.
 */
#ifndef HALE_PROC_ORPHANS_H
#define HALE_PROC_ORPHANS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Is this child one that the caller started itself? */
typedef bool (*orphans_own_fn)(void *ctx, pid_t pid);

/* Kills every child of this process that is not its own and has `variable` ("NAME=value") in its
 * environment, with all that descends from it. How many. Those of the process group `group`, which
 * has been killed as a whole, are left to die. */
size_t orphans_kill(const char *variable, pid_t group, orphans_own_fn is_own, void *ctx);

/* Waits for those children that are not the caller's own and have ended already. How many others of
 * them there are, alive. */
size_t orphans_reap(orphans_own_fn is_own, void *ctx);

#endif
