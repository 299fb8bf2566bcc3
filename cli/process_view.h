/* SPDX-License-Identifier: Apache-2.0 */
/* process_view - how processes, their ends and their lines read
 *
 * The objects are those of docs/bus.md; any member may be missing. Pure but for the text they add
 * to `out`.
 */
#ifndef HALE_CLI_PROCESS_VIEW_H
#define HALE_CLI_PROCESS_VIEW_H

#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "killed by SIGSEGV (core dumped) after 5.1 s", "exited with code 78 …", or as haled words it; ""
 * for null. */
void exit_describe(struct str *out, const json_t *last_exit);
/* Its state; "finished" if it is stopped because it ended well. Borrowed. */
const char *process_word(const json_t *process);
/* An end that nobody asked for, not longer ago than within_ms. */
bool exit_is_crash(const json_t *process, int64_t now_ms, int64_t within_ms);

/* "02:30:37.123 warn  check.http  text", a newline behind it. A line may also be plain text. */
void log_line_add(struct str *out, const json_t *line, bool has_colour, bool with_process);
/* The last `max` of them, indented. */
void log_lines_add(struct str *out, const json_t *lines, size_t max, size_t indent,
		   bool has_colour);

#endif
