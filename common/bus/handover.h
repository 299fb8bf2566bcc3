/* SPDX-License-Identifier: Apache-2.0 */
/* handover - the bus's state through an exec of haled: the same epoch goes on, nothing is lost
 *
 * Text: one line of JSON {"version", "epoch", "head", "acks"}, then the ring's lines, oldest first,
 * each "<epoch> <seq> <topic> <json>". Written to and read from a file of the process's own (a
 * memfd), by programs that may be of different versions.
 *
 * Ownership: the ring and inbox are the caller's. Errors: negative errno; -EINVAL with text for
 * what is not understood. Loop: any thread; blocks only as long as memory takes.
 */
#ifndef HALE_BUS_HANDOVER_H
#define HALE_BUS_HANDOVER_H

#include "base/err.h"
#include "bus/inbox.h"
#include "bus/ring.h"
#include "model/frame.h"

#include <stddef.h>
#include <stdint.h>

#define HANDOVER_VERSION 1

struct handover {
	char epoch[FRAME_EPOCH_MAX];
	uint64_t head;
};

int handover_write(int fd, const struct handover *h, const struct ring *ring,
		   const struct inbox *inbox, struct err *err);
/* Fills an empty ring and an empty inbox. */
int handover_read(const char *text, size_t len, struct handover *h_r, struct ring *ring,
		  struct inbox *inbox, struct err *err);

#endif
