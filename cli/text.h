/* SPDX-License-Identifier: Apache-2.0 */
/* text - how times, durations and foreign words read on a terminal
 *
 * Pure: now is an argument. Widths are columns of a terminal: East Asian wide characters and emoji
 * count two, combining marks none. Whatever came from elsewhere is printed through text_add(), so
 * that no control sequence in a log line or message can steer the terminal.
 *
 * Ownership: fills the caller's buffers.
 * Errors:    none; bytes that are not UTF-8 show as '?'.
 */
#ifndef HALE_CLI_TEXT_H
#define HALE_CLI_TEXT_H

#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

#define TEXT_TIME_MAX 32

/* Columns that text_add() of it takes. */
size_t text_width(const char *text);
/* One line: control characters become blanks. */
void text_add(struct str *out, const char *text);
/* The same, at most `columns` wide; what is cut ends in "…". Returns the columns used. */
size_t text_add_cut(struct str *out, const char *text, size_t columns);

/* "now", "12s", "4m", "3h12m", "5d4h": one glance, not a stopwatch. */
const char *text_span(int64_t ms, char buf[TEXT_TIME_MAX]);
/* "12s ago", "now"; what is yet to come: "in 5s". */
const char *text_ago(int64_t at_ms, int64_t now_ms, char buf[TEXT_TIME_MAX]);
/* A measured time: "0.42 ms", "41 ms", "2.31 s", "3m20s". */
const char *text_took(double ms, char buf[TEXT_TIME_MAX]);
/* A measured size: "812 B", "3.2 MB", "1.21 GB"; 1024 make the next. */
const char *text_bytes(int64_t bytes, char buf[TEXT_TIME_MAX]);
/* Local time: "2026-11-22 02:30:37" and "02:30:37.123". */
const char *text_date(int64_t at_ms, char buf[TEXT_TIME_MAX]);
const char *text_clock(int64_t at_ms, char buf[TEXT_TIME_MAX]);

#endif
