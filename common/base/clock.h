/* SPDX-License-Identifier: Apache-2.0 */
/* clock - the only place that reads the clocks
 *
 * Pure modules take `now` as an argument; shells call these. Monotonic time is for timers and
 * intervals, wall time (ms since 1970, UTC) for what people and tables see.
 */
#ifndef HALE_BASE_CLOCK_H
#define HALE_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define CLOCK_TEXT_MAX 32 /* "2026-11-22T01:30:37.123Z" and its NUL, with room */

int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
int64_t clock_wall_ms(void);

/* RFC 3339, UTC, milliseconds, "Z". Returns buf. */
const char *clock_format(int64_t wall_ms, char buf[CLOCK_TEXT_MAX]);
/* The same for now. */
const char *clock_now_text(char buf[CLOCK_TEXT_MAX]);
/* RFC 3339 with any zone offset and 0 to 9 fraction digits, "T" or a blank between date and time
 * (SQL prints a blank; a missing zone reads as UTC). 0, or -EINVAL. */
int clock_parse(const char *text, int64_t *wall_ms_r);

#endif
