/* SPDX-License-Identifier: Apache-2.0 */
/* note - what the spool knows beside its segments, in a file of two slots written in turn
 *
 * A slot that was torn has a wrong sum; the other one is then the newest. The file has its full
 * size from the start, so that writing it needs no room on a full disk.
 *
 * Blocking: worker threads.
 */
#ifndef HALE_RECORDER_NOTE_H
#define HALE_RECORDER_NOTE_H

#include "base/err.h"
#include "bus/feed.h"

#include <stdbool.h>
#include <stdint.h>

#define NOTE_NAME "cursor"

struct note {
	uint64_t turn;          /* of writing; the newest counts */
	uint64_t last;          /* number of the newest line that was appended completely */
	uint64_t done;          /* lines up to this number are stored */
	struct feed_cursor end; /* of the line `last`; epoch "": none */
	struct feed_cursor committed;
};

/* Opens or makes the file; *is_known_r false: there was none, or nothing good in it. */
int note_open(int dir, int *fd_r, struct note *n_r, bool *is_known_r, struct err *err);
/* Takes the next turn. */
int note_write(int fd, struct note *n, struct err *err);

#endif
