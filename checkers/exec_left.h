/* SPDX-License-Identifier: Apache-2.0 */
/* exec_left - nothing that a command started stays behind
 *
 * Its session is killed as a whole when its leader has ended. What left the session (setsid, double
 * fork) becomes a child of this process, which is the reaper of its descendants, and is known by
 * the mark in its environment: it is killed with all that descends from it, at once, and again a
 * moment later for who was just being born. What cleared its environment, or another user's whom we
 * may not look at, escapes.
 *
 * Costs one small file of /proc for each run, and more only where something was left.
 *
 * Ownership: of the process (check_shared_open).
 * Loop:      loop thread.
 */
#ifndef HALE_CHECKERS_EXEC_LEFT_H
#define HALE_CHECKERS_EXEC_LEFT_H

#include "check.h"

#include <sys/types.h>

struct exec_left;

/* Of this process; makes it the reaper of its descendants. */
struct exec_left *exec_left_of(const struct check *c);
/* "HALE_CHECK=<component>#<number>", for one run. Caller frees. */
char *exec_left_mark(struct exec_left *l, const char *component);
/* A leader lives: its session is not touched. */
void exec_left_add(struct exec_left *l, pid_t leader);
/* It has ended and been reaped, its group was killed: away with what it left. mark is taken. */
void exec_left_end(struct exec_left *l, pid_t leader, char *mark);

#endif
