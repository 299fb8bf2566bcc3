/* SPDX-License-Identifier: Apache-2.0 */
/* timestamp - points in time as databases, files and programs write them
 *
 * Pure. A text without a zone is UTC. Numbers count from 1970: seconds, milliseconds, microseconds
 * or nanoseconds, told apart by their size (seconds reach to the year 5138); between 2,000,000 and
 * 3,000,000 they are SQLite's Julian days.
 *
 * Errors: -EINVAL it is none, or beyond the years 0 to 9999.
 */
#ifndef HALE_CHECKERS_TIMESTAMP_H
#define HALE_CHECKERS_TIMESTAMP_H

#include <stdint.h>

/* "2026-11-22T08:00:00.5Z", "2026-11-22 08:00:00.123456+05:30", "2026-11-22 08:00:00 +0000",
 * "2026-11-22 08:00", "2026-11-22", "… UTC"; or a number. Blanks around it are fine. */
int timestamp_parse(const char *text, int64_t *ms_r);
/* The same without numbers. */
int timestamp_parse_text(const char *text, int64_t *ms_r);
int timestamp_from_number(double n, int64_t *ms_r);

#endif
