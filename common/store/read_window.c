/* SPDX-License-Identifier: Apache-2.0 */
#include "read_window.h"

#include "base/cleanup.h"

int64_t read_window_next(int64_t window_ms, size_t rows, size_t limit, int64_t span_ms,
			 bool is_filtered)
{
	int64_t max_ms = is_filtered ? READ_WINDOW_FILTERED_MAX_MS : READ_WINDOW_MAX_MS;

	if (rows >= limit) /* what was read beyond the page is read again for the next one */
		return HALE_MAX(HALE_MIN(span_ms, window_ms), 1);
	if (rows >= limit / 2)
		return window_ms;
	return HALE_MIN(window_ms * (rows >= limit / 4 ? 2 : 4), max_ms);
}
