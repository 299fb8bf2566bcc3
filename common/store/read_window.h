/* SPDX-License-Identifier: Apache-2.0 */
/* read_window - how much of the time is read at once (private to this layer)
 *
 * Pure. Results are found by their time alone: an index by component would make storing them many
 * times slower, and PostgreSQL has no sorted one at all. So whoever wants some of them reads a
 * stretch of time, then the next one, each as long as the last one taught: no statement runs for
 * long, and none reads much more than what is wanted.
 */
#ifndef HALE_STORE_READ_WINDOW_H
#define HALE_STORE_READ_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 200,000 rows at 20,000 a second. */
#define READ_WINDOW_FIRST_MS        INT64_C(10000)
/* Nothing tells how many rows a filter has passed over: 360,000 at 100 a second. */
#define READ_WINDOW_FILTERED_MAX_MS INT64_C(3600000)
#define READ_WINDOW_MAX_MS          INT64_C(21600000)

/* The next one. rows of the `limit` wanted were found in the first span_ms of it. */
int64_t read_window_next(int64_t window_ms, size_t rows, size_t limit, int64_t span_ms,
			 bool is_filtered);

#endif
