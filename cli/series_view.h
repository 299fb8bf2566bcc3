/* SPDX-License-Identifier: Apache-2.0 */
/* series_view - a metric over time as a table, with a bar for each bucket where there is room
 *
 *   took_ms of api, every 5m, from rollups of 5m
 *   1440 values: min 38.1, avg 41.23, max 60.3, p95 58, last 40.2
 *   AT                   COUNT   MIN    AVG   MAX  P95
 *   2026-11-22 01:00:00     10  38.1   41.2  60.3   58  ██████████▍
 *   2026-11-22 01:05:00      0                          nothing for 15m
 *
 * Pure: how it looks depends on the arguments alone. Any member may be missing.
 */
#ifndef HALE_CLI_SERIES_VIEW_H
#define HALE_CLI_SERIES_VIEW_H

#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* `series`: of series_read(); `summary`: of series_summary(), or NULL. width 0: no terminal, no
 * bars. */
void series_view(struct str *out, const json_t *series, const json_t *summary, bool has_colour,
		 size_t width);
/* A measured number in four digits, or all of a longer whole one: "41.23", "0.031", "123456". */
void series_number(struct str *out, double n);

#endif
