/* SPDX-License-Identifier: Apache-2.0 */
/* output - what one process writes: read from its pipe, told line by line, kept, written to a file
 *
 * A line may begin with "<4>" (sd-daemon(3)). The last lines are the tail; with a logfile_spec they
 * also go to a file. A process that floods is read a little in each turn of the loop; the rest
 * waits in the pipe, and then the process does.
 *
 * Ownership: caller owns struct output; output_init() first, output_done() at the end, when the
 * loop has turned since output_close().
 * Errors:    trouble with the log file is told through on_log, when it begins and when it ends.
 * Loop:      loop thread; callbacks come from it.
 */
#ifndef HALE_PROC_OUTPUT_H
#define HALE_PROC_OUTPUT_H

#include "base/lines.h"
#include "proc/logfile.h"
#include "proc/tail.h"

#include <stdbool.h>
#include <uv.h>

struct output_hooks {
	void (*on_line)(void *ctx, int priority, const char *text);
	/* rc < 0: lines are being lost to the file; 0: no longer, `lost` of them were. */
	void (*on_log)(void *ctx, int rc, uint64_t lost);
	void *ctx;
};

struct output {
	uv_loop_t *loop;
	uint64_t *counter; /* numbers the lines of all processes together */
	struct output_hooks hooks;
	uv_poll_t *poll; /* NULL when no pipe is open */
	int fd;
	struct lines lines;
	struct tail tail;
	struct logfile *log; /* NULL: none is asked for */
	bool has_log_error;
};

void output_init(struct output *o, uv_loop_t *loop, uint64_t *counter,
		 const struct output_hooks *hooks);
void output_done(struct output *o);
/* Another file from now on, or none (path NULL). The spec is borrowed for the life of the file. */
void output_log_to(struct output *o, const struct logfile_spec *spec);
/* Reads from fd, which is taken; what was open before is closed. */
void output_open(struct output *o, int fd);
/* Reads what the pipe still holds, after the process has ended. Closed, if nobody else has it. */
void output_finish(struct output *o);
/* The unfinished line is told; whoever still writes gets SIGPIPE. */
void output_close(struct output *o);
/* A line that the process did not write itself. */
void output_add(struct output *o, const char *line);

/* Over an exec: fd, unfinished line, tail. New reference; and the other way round. */
json_t *output_hand_over(const struct output *o);
void output_take_over(struct output *o, const json_t *former);

#endif
