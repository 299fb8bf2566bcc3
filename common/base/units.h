/* SPDX-License-Identifier: Apache-2.0 */
/* units - durations and sizes as people write them
 *
 * Durations: "500ms", "30s", "1h30m", "7d"; units ms s m h d w, each at most once, falling.
 * Sizes: "512", "64KB", "64MB", "2GiB" (K, KB and KiB all mean 1024 bytes, as in systemd).
 * A bare number has no unit and is refused as a duration (except 0): seconds or milliseconds
 * cannot be told apart by looking.
 */
#ifndef HALE_BASE_UNITS_H
#define HALE_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

#define UNITS_TEXT_MAX 48

int duration_parse(const char *text, int64_t *ms_r);                     /* 0 or -EINVAL */
const char *duration_format(int64_t ms, char buf[UNITS_TEXT_MAX]);       /* exact: "1h30m" */
const char *duration_format_short(int64_t ms, char buf[UNITS_TEXT_MAX]); /* two units: "3d4h" */
int size_parse(const char *text, int64_t *bytes_r);                      /* 0 or -EINVAL */
const char *size_format(int64_t bytes, char buf[UNITS_TEXT_MAX]);        /* "64MB" if exact */
/* A measured number for people: whole ones in full ("2310"), others with six digits ("0.031"). */
const char *number_format(double n, char buf[UNITS_TEXT_MAX]);

#endif
