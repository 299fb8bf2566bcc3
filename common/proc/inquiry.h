/* SPDX-License-Identifier: Apache-2.0 */
/* inquiry - a program that is asked something: run to its end, its answer read, in bounded time
 *
 * The caller reaps children (SIGCHLD) and hands the inquiry its own; on_done comes once the program
 * has ended and its output is at its end, or the time is up.
 *
 * Ownership: an inquiry frees itself after on_done, or after inquiry_cancel.
 * Errors:    starting: negative errno with text. A late one is killed with its session.
 * Loop:      loop thread only.
 */
#ifndef HALE_PROC_INQUIRY_H
#define HALE_PROC_INQUIRY_H

#include "base/err.h"
#include "proc/spawn.h"

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

/* What a program may answer; the rest is not read. */
#define INQUIRY_TEXT_MAX (1u << 20)

struct inquiry;

/* wait_status as of waitpid(2); text (borrowed) is what it wrote to stdout. */
typedef void (*inquiry_done_fn)(void *ctx, int wait_status, bool is_late, const char *text);

/* plan->output_fd is the inquiry's own. */
int inquiry_start(uv_loop_t *loop, const struct spawn_plan *plan, uint32_t timeout_ms,
		  inquiry_done_fn on_done, void *ctx, struct inquiry **q_r, struct err *err);
/* True if that was its program; on_done may come from here. */
bool inquiry_reaped(struct inquiry *q, pid_t pid, int wait_status);
/* Kills what still runs; on_done does not come any more. */
void inquiry_cancel(struct inquiry *q);

#endif
