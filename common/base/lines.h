/* SPDX-License-Identifier: Apache-2.0 */
/* lines - cuts a byte stream into lines of bounded length
 *
 * A longer line is cut into pieces of `max` bytes, each reported; NUL and control bytes are
 * replaced by '?', except tab. Zero-initialise, set max and on_line.
 */
#ifndef HALE_BASE_LINES_H
#define HALE_BASE_LINES_H

#include "base/str.h"

struct lines {
	struct str part; /* an unfinished line */
	size_t max;      /* bytes of a line, without its newline */
	void (*on_line)(void *ctx, const char *line, size_t len); /* line is NUL-terminated */
	void *ctx;
};

void lines_feed(struct lines *l, const char *data, size_t len);
void lines_finish(struct lines *l); /* reports an unfinished last line */
void lines_done(struct lines *l);

#endif
